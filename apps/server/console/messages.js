// @ts-check
// The messages of the open conversation, the view that follows their end, and what a screen reader is told of them.

import { outcome, textOf } from "./answer.js";
import { byId } from "./dom.js";
import { inFrame } from "./frame.js";
import { MessageView, confirmCopy } from "./message-view.js";

/** A drawing that takes longer than this is followed by a rest of three times its length, so that the page stays responsive. */
const SLOW_DRAW_MS = 5;
/** Of a longer answer a screen reader is told this much; the rest is read from the page. */
const LONGEST_ANNOUNCEMENT = 1_500;

export class Messages {
  #list = byId("message-list");
  #announcer = byId("announcer");
  /** @type {Map<string, MessageView>} */
  #views = new Map();
  #rest = 0;
  /** The answer that is being written, to announce it when it is done. @type {string | null} */
  #writing = null;

  /**
   * @param {import("./store.js").Store} store
   * @param {() => void} onRetry
   */
  constructor(store, onRetry) {
    this.store = store;
    this.onRetry = onRetry;
    store.on(["messages", "phase"], () => this.#schedule());
    this.#list.addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest(".copy-code") : null;
      const code = button?.closest(".code-frame")?.querySelector("code")?.textContent;
      if (button instanceof HTMLElement && code) void confirmCopy(button, code);
    });
  }

  #schedule() {
    inFrame("messages", () => {
      if (performance.now() < this.#rest && this.store.state.phase === "streaming") {
        this.#schedule();
        return;
      }
      const started = performance.now();
      this.#draw();
      const took = performance.now() - started;
      this.#rest = took > SLOW_DRAW_MS ? performance.now() + 3 * took : 0;
    });
  }

  #draw() {
    const { messages, phase, readonly } = this.store.state;
    const shown = messages.filter((message) => message.role === "user" || message.role === "assistant");
    const ids = new Set(shown.map((message) => message.id));
    for (const [id, view] of this.#views) {
      if (ids.has(id)) continue;
      view.element.remove();
      this.#views.delete(id);
    }
    /** @type {Element | null} */
    let before = null;
    for (const message of shown) {
      let view = this.#views.get(message.id);
      if (!view || view.message !== message) {
        view?.element.remove();
        view = new MessageView(message, this.onRetry);
        this.#views.set(message.id, view);
      }
      const last = message === shown.at(-1);
      view.update(last && phase !== "idle" && message.metadata?.status === "streaming", last && phase === "idle" && !readonly);
      /** @type {Element | null} */
      const place = before ? before.nextElementSibling : this.#list.firstElementChild;
      if (place !== view.element) this.#list.insertBefore(view.element, place);
      before = view.element;
    }
    this.#list.classList.toggle("sending", phase === "sending" && shown.at(-1)?.role === "user");
    this.#announce();
  }

  #announce() {
    const { messages, phase } = this.store.state;
    const last = messages.at(-1);
    if (phase !== "idle") {
      if (last?.metadata?.status === "streaming") this.#writing = last.id;
      return;
    }
    if (this.#writing === null) return;
    const done = messages.find((message) => message.id === this.#writing);
    this.#writing = null;
    // What failed is told by its own alert.
    if (!done || outcome(done)?.kind === "failed") return;
    const text = textOf(done);
    const told = text.length > LONGEST_ANNOUNCEMENT ? `${text.slice(0, LONGEST_ANNOUNCEMENT)} … the answer goes on.` : text;
    this.#announcer.textContent = outcome(done) ? `Stopped. ${told}` : `Skein answered: ${told}`;
  }
}
