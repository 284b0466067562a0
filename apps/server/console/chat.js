// @ts-check
// The open conversation: opening it, sending, stopping, and following an answer until it is done.

import { reconcile, waiting } from "./answer.js";
import { uuid } from "./dom.js";
import { Unreachable } from "./http.js";
import { setRoute } from "./route.js";
import { Run } from "./run.js";
import { follow } from "./stream.js";
import { tellTabs } from "./tabs.js";
import { Watch } from "./watch.js";

/** @typedef {import("./types/shapes.js").Message} Message */

/** A message that is sent, and how: a user's, or an answer whose calls the reader has answered. @typedef {{ message: Message, how: "send" | "reply" }} Asked */

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
   * @param {import("./documents.js").Documents} documents
   */
  constructor(api, store, history, documents) {
    this.api = api;
    this.store = store;
    this.history = history;
    this.documents = documents;
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
    this.documents.close();
    this.#show(chatId);
    if (chatId === null) return;
    this.store.set({ phase: "loading" });
    try {
      const page = await this.api.messages(chatId);
      if (this.store.state.chatId !== chatId || this.#run) return;
      const { messages, isReadonly, visibility } = page;
      this.store.set({ messages, readonly: isReadonly, visibility, phase: "idle" });
    } catch (error) {
      if (this.store.state.chatId !== chatId || this.#run) return;
      this.store.set({ phase: "idle", loadError: error instanceof Error ? error.message : String(error) });
      return;
    }
    this.#usageFromMessages();
    void this.#describe(chatId);
    const last = this.store.state.messages.at(-1);
    if (last?.role === "user" || last?.metadata?.status === "in_progress") await this.#follow(chatId, null);
    else this.#idle();
  }

  /** Reads what else there is to know about a conversation: its votes, and its title if the list does not have it. @param {string} chatId */
  async #describe(chatId) {
    const { messages, readonly, chats } = this.store.state;
    if (messages.length === 0) return;
    try {
      const [votes, row] = await Promise.all([
        readonly ? new Map() : this.#votes(chatId),
        chats.some((each) => each.id === chatId) ? null : this.api.chat(chatId),
      ]);
      if (this.store.state.chatId === chatId) this.store.set({ votes, foundTitle: row?.title ?? null });
    } catch {
      // The conversation can be read without.
    }
  }

  /** @param {string} chatId */
  async #votes(chatId) {
    const votes = await this.api.votes(chatId);
    return new Map(votes.map((vote) => [vote.messageId, vote.isUpvoted]));
  }

  /**
   * Sends a message in the open conversation, or as the first of a new one. A running answer is stopped by the server, which
   * keeps its text.
   * @param {import("./types/shapes.js").Part[]} parts
   */
  async send(parts) {
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
    const message = { id: uuid(), role: "user", parts, metadata: {} };
    const kept = state.messages.filter((each) => !each.local || each.role === "user");
    this.store.set({ messages: [...kept, message] });
    await this.#follow(chatId, { message, how: "send" });
  }

  /** Sends the last message again, under its own id, in place of whatever answered it. */
  async retry() {
    const message = this.store.state.messages.findLast((each) => each.role === "user");
    if (message) await this.#again(message);
  }

  /**
   * Sends a message anew with another text. The server puts it in place of the old one and of all that came after.
   * @param {Message} message
   * @param {string} text
   */
  async edit(message, text) {
    const others = message.parts.filter((part) => part.type !== "text");
    await this.#again({ ...message, parts: [...others, { type: "text", text }] });
  }

  /** @param {Message} message one of the user's in the open conversation */
  async #again(message) {
    const { chatId, messages } = this.store.state;
    const at = messages.findIndex((each) => each.id === message.id);
    if (!chatId || at < 0) return;
    this.#leave();
    this.store.set({ messages: [...messages.slice(0, at), message] });
    await this.#follow(chatId, { message, how: "send" });
  }

  /**
   * Lets a call of the last answer run, or not. Once all its calls are answered it goes on.
   * @param {Message} message
   * @param {string} callId
   * @param {boolean} approved
   */
  async reply(message, callId, approved) {
    const { chatId, messages } = this.store.state;
    const part = message.parts.find((each) => each.toolCallId === callId && each.state === "approval-requested");
    if (!chatId || !part?.approval || this.#run) return;
    Object.assign(part, { state: "approval-responded", approval: { ...part.approval, approved } });
    this.store.set({ messages });
    if (waiting(message).length > 0) return;
    this.#leave();
    await this.#follow(chatId, { message, how: "reply" });
  }

  /**
   * Tells whether an answer is good. The page shows it at once, and takes it back when the server does not take it.
   * @param {string} messageId
   * @param {boolean} up
   */
  async vote(messageId, up) {
    const { chatId, votes } = this.store.state;
    if (chatId === null) return;
    const before = votes.get(messageId);
    this.store.set({ votes: new Map(votes).set(messageId, up) });
    try {
      await this.api.vote(chatId, messageId, up ? "up" : "down");
    } catch {
      const back = new Map(this.store.state.votes);
      if (before === undefined) back.delete(messageId);
      else back.set(messageId, before);
      if (this.store.state.chatId === chatId) this.store.set({ votes: back, notice: "Your vote was not taken" });
    }
  }

  /**
   * Says who may read the open conversation.
   * @param {import("./types/shapes.js").Visibility} visibility
   */
  async share(visibility) {
    const { chatId } = this.store.state;
    if (chatId === null) return;
    const row = await this.api.changeChat(chatId, { visibility });
    if (this.store.state.chatId === chatId) this.store.set({ visibility: row.visibility });
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
      visibility: "private",
      foundTitle: null,
      votes: new Map(),
      loadError: null,
      phase: "idle",
      notice: "",
      usage: null,
      timing: null,
    });
  }

  /**
   * @param {string} chatId
   * @param {Asked | null} asked what to send; null to join what is running
   * @param {Response | null} [ready] a stream that is open already
   */
  async #follow(chatId, asked, ready = null) {
    const run = new Run(this.store, this.history, chatId, asked?.message ?? null);
    this.#run = run;
    this.#watch.stop();
    const { info, model: chosen } = this.store.state;
    /** @type {((signal: AbortSignal) => Promise<Response>) | null} */
    let open = null;
    if (asked) {
      const what = { chatId, message: asked.message, model: chosen ?? info?.model ?? "default", key: uuid() };
      open = (signal) => (asked.how === "send" ? this.api.send(what, signal) : this.api.reply(what, signal));
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
          if (this.#run !== run) return;
          run.take(chunk);
          this.documents.take(chunk);
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
    this.documents.settle();
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
