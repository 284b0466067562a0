// @ts-check
// The panes at the sides. The context pane can be closed; on a narrow page both are drawers over the messages, of which one at
// a time is open.

import { byId } from "./dom.js";
import { recall, remember } from "./storage.js";

const narrow = matchMedia("(max-width: 899px)");
const roomy = matchMedia("(min-width: 1280px)");

/** @typedef {"history" | "pane"} Drawer */

export class Drawers {
  #elements = { history: byId("sidebar"), pane: byId("pane") };
  #toggles = { history: byId("history-toggle"), pane: byId("pane-toggle") };
  #scrim = byId("scrim");
  /** The drawer that is open on a narrow page. @type {Drawer | null} */
  #open = null;

  constructor() {
    this.#toggles.history.addEventListener("click", () => this.#toggleDrawer("history"));
    this.#toggles.pane.addEventListener("click", () => (narrow.matches ? this.#toggleDrawer("pane") : this.#togglePane()));
    byId("pane-close").addEventListener("click", () => {
      if (narrow.matches) this.close();
      else this.#togglePane();
      this.#toggles.pane.focus();
    });
    this.#scrim.addEventListener("click", () => this.close());
    narrow.addEventListener("change", () => this.close());
    this.#draw();
  }

  /**
   * Closes the open drawer.
   * @returns {boolean} whether one was open
   */
  close() {
    const was = this.#open;
    this.#open = null;
    this.#draw();
    if (was) this.#toggles[was].focus();
    return was !== null;
  }

  /** @param {Drawer} drawer */
  #toggleDrawer(drawer) {
    if (this.#open === drawer) {
      this.close();
      return;
    }
    this.#open = drawer;
    this.#draw();
    const first = this.#elements[drawer].querySelector("button, a[href]");
    if (first instanceof HTMLElement) first.focus();
  }

  #togglePane() {
    remember("pane", this.#paneOpen() ? "closed" : "open");
    this.#draw();
  }

  #paneOpen() {
    const chosen = recall("pane");
    return chosen === null ? roomy.matches : chosen === "open";
  }

  #draw() {
    const historyOpen = narrow.matches ? this.#open === "history" : true;
    const paneOpen = narrow.matches ? this.#open === "pane" : this.#paneOpen();
    this.#place("history", historyOpen);
    this.#place("pane", paneOpen);
    this.#scrim.hidden = this.#open === null;
    byId("main").inert = this.#open !== null;
  }

  /**
   * @param {Drawer} drawer
   * @param {boolean} open
   */
  #place(drawer, open) {
    this.#elements[drawer].classList.toggle("open", open);
    this.#elements[drawer].inert = !open;
    this.#toggles[drawer].setAttribute("aria-expanded", String(open));
  }
}
