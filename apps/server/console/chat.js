// @ts-check
// The open conversation: opening it, sending, stopping, and following an answer until it is done.

import { reconcile, textOf } from "./answer.js";
import { Unreachable } from "./api.js";
import { uuid } from "./dom.js";
import { setRoute } from "./route.js";
import { Run } from "./run.js";
import { follow } from "./stream.js";
import { tellTabs } from "./tabs.js";
import { Watch } from "./watch.js";

/** @typedef {import("./types/shapes.js").Message} Message */

/** How long a stopped answer may take to end before the page stops waiting for it. */
const STOP_PATIENCE_MS = 5_000;

export class Chat {
  /** @type {Run | null} */
  #run = null;
  /** Whether there is another answer to follow after the one that is followed now. */
  #another = false;
  #watch;

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./store.js").Store} store
   * @param {import("./history.js").History} history
   */
  constructor(api, store, history) {
    this.api = api;
    this.store = store;
    this.history = history;
    this.#watch = new Watch(api, (chatId, response) => {
      if (this.store.state.chatId === chatId && !this.#run) void this.#join(chatId, response);
      else void response.body?.cancel();
    });
    document.addEventListener("visibilitychange", () => this.#idle());
  }

  /** Whether an answer is on its way. */
  get busy() {
    return this.#run !== null;
  }

  /**
   * Shows a conversation, or the start of a new one, and goes on with its answer if one is being written.
   * @param {string | null} chatId
   */
  async open(chatId) {
    this.#leave();
    this.#show(chatId);
    if (chatId === null) return;
    this.store.set({ phase: "loading" });
    try {
      const page = await this.api.messages(chatId);
      if (this.store.state.chatId !== chatId || this.#run) return;
      this.store.set({ messages: page.messages, readonly: page.isReadonly, phase: "idle" });
    } catch (error) {
      if (this.store.state.chatId !== chatId || this.#run) return;
      this.store.set({ phase: "idle", loadError: error instanceof Error ? error.message : String(error) });
      return;
    }
    this.#usageFromMessages();
    if (this.store.state.messages.at(-1)?.role === "user") await this.#follow(chatId, null);
    else this.#idle();
  }

  /**
   * Sends a message in the open conversation, or as the first of a new one. A running answer is stopped by the server, which
   * keeps its text.
   * @param {string} text
   */
  async send(text) {
    const { state } = this.store;
    const chatId = state.chatId ?? uuid();
    this.#run?.replaced();
    this.#leave();
    if (state.chatId === null) {
      this.store.set({ chatId });
      setRoute(chatId);
      this.history.expect(chatId);
    }
    /** @type {Message} */
    const message = { id: uuid(), role: "user", parts: [{ type: "text", text }], metadata: {} };
    const kept = state.messages.filter((each) => !each.local || each.role === "user");
    this.store.set({ messages: [...kept, message] });
    await this.#follow(chatId, message);
  }

  /** Sends the last message again, under its own id, in place of whatever answered it. */
  async retry() {
    const { chatId, messages } = this.store.state;
    const at = messages.findLastIndex((message) => message.role === "user");
    const message = messages[at];
    if (!chatId || !message) return;
    this.#leave();
    this.store.set({ messages: messages.slice(0, at + 1) });
    await this.#follow(chatId, message);
  }

  /** Stops the running answer. What has been written stays. */
  async stop() {
    const run = this.#run;
    if (!run || this.store.state.phase === "stopping") return;
    this.store.set({ phase: "stopping" });
    run.stopWanted = true;
    if (run.opened) await this.#askToStop(run);
  }

  /**
   * Joins an answer that another tab has announced.
   * @param {string} chatId
   * @param {string} question the id of the message that is answered
   */
  async announced(chatId, question) {
    if (this.store.state.chatId !== chatId) return;
    if (this.#run) {
      // The server may have told first, and the answer is being followed already.
      if (!this.store.state.messages.some((message) => message.id === question)) this.#another = true;
      return;
    }
    await this.#join(chatId, null);
  }

  /**
   * Joins an answer that somebody else has asked for: first its question, then the stream.
   * @param {string} chatId
   * @param {Response | null} response the stream, if it is open already
   */
  async #join(chatId, response) {
    this.#watch.stop();
    await this.#sync(chatId);
    if (this.store.state.chatId === chatId && !this.#run) await this.#follow(chatId, null, response);
    else void response?.body?.cancel();
  }

  /** Stops reading; the server goes on with the answer. */
  #leave() {
    this.#watch.stop();
    this.#run?.abort.abort();
    this.#run = null;
    this.#another = false;
  }

  /** @param {string | null} chatId */
  #show(chatId) {
    this.store.set({
      chatId,
      messages: [],
      readonly: false,
      loadError: null,
      phase: "idle",
      notice: "",
      usage: null,
      timing: null,
    });
  }

  /**
   * @param {string} chatId
   * @param {Message | null} question the message to send; null to join what is running
   * @param {Response | null} [ready] a stream that is open already
   */
  async #follow(chatId, question, ready = null) {
    const run = new Run(this.store, this.history, chatId, question);
    this.#run = run;
    this.#watch.stop();
    const key = uuid();
    const model = this.store.state.info?.model ?? "default";
    /** @type {((signal: AbortSignal) => Promise<Response>) | null} */
    let open = null;
    if (question) {
      const message = { chatId, messageId: question.id, text: textOf(question), model, key };
      open = (signal) => this.api.send(message, signal);
    } else if (ready) {
      open = async () => ready;
    }
    try {
      const end = await follow({
        chatId,
        api: this.api,
        signal: run.abort.signal,
        open,
        onOpen: () => this.#opened(run),
        onChunk: (chunk) => {
          if (this.#run === run) run.take(chunk);
        },
        onLost: () => {
          if (this.#run === run && run.opened) this.store.set({ phase: "reconnecting" });
        },
      });
      if (end === "another" && this.#run === run) this.#another = true;
    } catch (error) {
      if (this.#run !== run) return;
      this.#refused(run, error);
    }
    if (this.#run === run) await this.#ended(run);
  }

  /** @param {Run} run */
  #opened(run) {
    if (this.#run !== run) return;
    run.opened = true;
    if (run.question) tellTabs({ type: "run", chatId: run.chatId, question: run.question.id });
    if (run.stopWanted) void this.#askToStop(run);
  }

  /** @param {Run} run */
  async #askToStop(run) {
    setTimeout(() => {
      if (this.#run !== run) return;
      run.abort.abort();
      run.mark("stopped");
      void this.#ended(run);
    }, STOP_PATIENCE_MS);
    try {
      await this.api.stop(run.chatId);
    } catch (error) {
      if (this.#run !== run || run.ended) return;
      this.store.set({ phase: "streaming", notice: error instanceof Unreachable ? "Not stopped: no connection" : "Not stopped" });
      run.stopWanted = false;
    }
  }

  /**
   * @param {Run} run
   * @param {unknown} error
   */
  #refused(run, error) {
    // A run that was only joined and is not there any more is no failure; the stored messages tell what became of it.
    if (!run.question && !(error instanceof Unreachable)) return;
    const sentence = error instanceof Error ? error.message : String(error);
    run.mark("failed", sentence);
  }

  /** @param {Run} run */
  async #ended(run) {
    if (run.ended) return;
    run.ended = true;
    this.#run = null;
    run.end();
    await this.#sync(run.chatId);
    if (run.question) {
      tellTabs({ type: "changed", chatId: run.chatId });
      this.history.settle(run.chatId);
      void this.history.refresh();
    }
    if (this.#run || this.store.state.chatId !== run.chatId) return;
    if (this.#another) {
      this.#another = false;
      await this.#follow(run.chatId, null);
      return;
    }
    this.#noteMissing();
    this.#idle();
  }

  /** Takes over what the server has stored, unless an answer has started meanwhile. @param {string} chatId */
  async #sync(chatId) {
    try {
      const page = await this.api.messages(chatId);
      if (this.store.state.chatId !== chatId || this.#run) return;
      this.store.set({ messages: reconcile(page.messages, this.store.state.messages) });
      this.#usageFromMessages();
    } catch {
      // What is on the page stays; the next answer or reload brings the stored state.
    }
  }

  #usageFromMessages() {
    const usage = this.store.state.messages.findLast((message) => message.metadata?.usage)?.metadata?.usage;
    if (usage) this.store.set({ usage });
  }

  /** Says of a last message without an answer that it has none, so that it can be sent again. */
  #noteMissing() {
    const { messages } = this.store.state;
    if (messages.at(-1)?.role !== "user") return;
    /** @type {Message} */
    const note = { id: uuid(), role: "assistant", parts: [], metadata: { status: "missing" }, local: true };
    this.store.set({ messages: [...messages, note] });
  }

  /** Waits for an answer that another browser asks for, while the page is seen and nothing else is going on. */
  #idle() {
    const { chatId, messages } = this.store.state;
    const stored = messages.some((message) => !message.local && message.role === "assistant");
    if (document.visibilityState === "visible" && chatId !== null && stored && !this.#run) this.#watch.start(chatId);
    else if (!this.#run) this.#watch.stop();
  }
}
