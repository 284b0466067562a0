// @ts-check
// One answer while it is being followed: what its chunks change on the page.

import { AnswerFold, outcome, reconcile } from "./answer.js";
import { uuid } from "./dom.js";

/** @typedef {import("./types/shapes.js").Message} Message */

export class Run {
  /** Ends the reading; the server goes on with the answer. */
  abort = new AbortController();
  /** Whether the server has taken the request. */
  opened = false;
  stopWanted = false;
  ended = false;
  /** @type {AnswerFold | null} */
  #fold = null;

  /**
   * @param {import("./store.js").Store} store
   * @param {import("./history.js").History} history
   * @param {string} chatId
   * @param {Message | null} question the message that this tab sends, or the answer that it has go on; null when it joins
   *   a running answer
   */
  constructor(store, history, chatId, question) {
    this.store = store;
    this.history = history;
    this.chatId = chatId;
    this.question = question;
    store.set({
      phase: question ? "sending" : "loading",
      notice: "",
      timing: { sentAt: question ? performance.now() : null, firstAt: null, endedAt: null },
    });
  }

  /**
   * Applies one chunk.
   * @param {import("./types/wire.js").Chunk} chunk
   */
  take(chunk) {
    const { state } = this.store;
    if (state.phase === "reconnecting" || state.phase === "sending" || state.phase === "loading") {
      this.store.set({ phase: this.stopWanted ? "stopping" : "streaming" });
    }
    switch (chunk.type) {
      case "start":
        if (chunk.messageId) this.#start(chunk.messageId);
        return;
      case "data-usage":
        if (this.#fold) this.#describe(this.#fold.message, { usage: chunk.data });
        this.store.set({ usage: chunk.data });
        return;
      case "data-chat-title":
        this.history.retitle(this.chatId, chunk.data);
        return;
      case "data-appendMessage":
        this.#append(JSON.parse(chunk.data));
        return;
      case "error":
        this.mark("failed", chunk.errorText);
        return;
      case "abort":
        this.mark("stopped");
        return;
      case "finish":
        this.#stopClock();
        return;
    }
    if (!this.#fold || outcome(this.#fold.message)) return;
    if (this.#fold.apply(chunk)) {
      const { timing } = state;
      if (timing && timing.firstAt === null) this.store.set({ timing: { ...timing, firstAt: performance.now() } });
    }
    this.store.set({ messages: state.messages });
  }

  /**
   * Marks how the answer ended. An answer that never started gets a message of its own to say so.
   * @param {"failed" | "stopped"} status
   * @param {string} [error]
   */
  mark(status, error) {
    this.#fold?.close();
    const { messages } = this.store.state;
    let message = this.#fold?.message;
    if (!message) {
      message = { id: uuid(), role: "assistant", parts: [], local: true };
      messages.push(message);
    }
    this.#describe(message, { status, ...(error ? { error: { code: "", message: error } } : {}) });
    this.#stopClock();
    this.store.set({ messages });
  }

  /** Marks an answer whose reading is given up because the next message replaces it. */
  replaced() {
    if (this.#fold) this.mark("stopped");
  }

  /** Ends the run on the page. */
  end() {
    this.#stopClock();
    this.#fold?.close();
    const message = this.#fold?.message;
    if (message?.metadata?.status === "streaming") this.#describe(message, { status: "completed" });
    const stopped = message !== undefined && outcome(message)?.kind === "stopped";
    this.store.set({ messages: this.store.state.messages, phase: "idle", notice: stopped ? "Stopped" : "" });
  }

  /** @param {string} id */
  #start(id) {
    const messages = this.store.state.messages.filter((message) => !message.local || message.role === "user");
    let message = messages.find((each) => each.id === id);
    if (!message) {
      message = { id, role: "assistant", parts: [] };
      messages.push(message);
    }
    this.#describe(message, { status: "streaming" });
    this.#fold = new AnswerFold(message);
    this.store.set({ messages });
  }

  /**
   * Shows an answer that ended before the page could join it.
   * @param {Message} row
   */
  #append(row) {
    const { messages } = this.store.state;
    const shown = messages.filter((message) => message.id === row.id);
    const others = messages.filter((message) => message.id !== row.id && message !== this.#fold?.message && !message.local);
    this.store.set({ messages: [...others, ...reconcile([row], shown)] });
    this.#fold = null;
  }

  #stopClock() {
    const { timing } = this.store.state;
    if (timing && timing.endedAt === null) this.store.set({ timing: { ...timing, endedAt: performance.now() } });
  }

  /**
   * @param {Message} message
   * @param {import("./types/shapes.js").Metadata} metadata
   */
  #describe(message, metadata) {
    message.metadata = { ...message.metadata, ...metadata };
  }
}
