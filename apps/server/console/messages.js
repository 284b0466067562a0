// @ts-check
// The messages of the open conversation, the view that follows their end, and what a screen reader is told of them.

import { outcome, textOf, waiting } from "./answer.js";
import { byId } from "./dom.js";
import { inFrame } from "./frame.js";
import { MessageView, confirmCopy } from "./message-view.js";

/** A drawing that takes longer than this is followed by a rest of three times its length, so that the page stays responsive. */
const SLOW_DRAW_MS = 5;
/** Of a longer answer a screen reader is told this much; the rest is read from the page. */
const LONGEST_ANNOUNCEMENT = 1_500;

/** A message that was searched for is marked for so long. */
const FOUND_MS = 2_500;

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
   * @param {import("./message-view.js").MessageActions} actions
   */
  constructor(store, actions) {
    this.store = store;
    this.actions = actions;
    store.on(["messages", "phase", "votes", "readonly"], () => this.#schedule());
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
    const { messages, phase, readonly, votes } = this.store.state;
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
        view = new MessageView(message, this.actions);
        this.#views.set(message.id, view);
      }
      const last = message === shown.at(-1);
      view.update({
        streaming: last && phase !== "idle" && message.metadata?.status === "streaming",
        last,
        free: phase === "idle" && !readonly,
        vote: votes.get(message.id),
        votable: !readonly && !message.local,
      });
      /** @type {Element | null} */
      const place = before ? before.nextElementSibling : this.#list.firstElementChild;
      if (place !== view.element) this.#list.insertBefore(view.element, place);
      before = view.element;
    }
    this.#list.classList.toggle("sending", phase === "sending" && shown.at(-1)?.role === "user");
    this.#announce();
  }

  /**
   * Brings a message into view, such as one that was searched for, and marks it for a moment.
   * @param {string} id
   */
  reveal(id) {
    inFrame("reveal", () => {
      const element = this.#views.get(id)?.element;
      if (!element) return;
      element.scrollIntoView({ block: "center" });
      element.classList.add("found");
      setTimeout(() => element.classList.remove("found"), FOUND_MS);
    });
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
    const [asked] = waiting(done);
    if (asked) this.#announcer.textContent = `Skein asks whether ${asked.type.slice("tool-".length)} may run.`;
    else this.#announcer.textContent = outcome(done) ? `Stopped. ${told}` : `Skein answered: ${told}`;
  }
}
