// @ts-check
// The panes at the sides: conversations, run details and the document. The last two share a place, and the document has it
// while one is open. On a narrow page all are drawers over the messages, of which one at a time is open.

import { byId } from "./dom.js";
import { recall, remember } from "./storage.js";

const narrow = matchMedia("(max-width: 899px)");
const roomy = matchMedia("(min-width: 1280px)");

/** @typedef {"history" | "pane" | "document"} Drawer */

export class Drawers {
  #elements = { history: byId("sidebar"), pane: byId("pane"), document: byId("document") };
  #toggles = { history: byId("history-toggle"), pane: byId("pane-toggle") };
  #scrim = byId("scrim");
  /** The drawer that is open on a narrow page. @type {Drawer | null} */
  #open = null;
  /** What had the focus when the document was opened. @type {HTMLElement | null} */
  #before = null;

  /**
   * @param {import("./store.js").Store} store
   * @param {() => void} closeDocument
   */
  constructor(store, closeDocument) {
    this.store = store;
    this.closeDocument = closeDocument;
    let shown = false;
    store.on(["document"], () => {
      const has = store.state.document !== null;
      if (has !== shown) this.#documentChanged((shown = has));
    });
    byId("document-close").addEventListener("click", () => this.closeDocument());
    byId("document").addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.defaultPrevented) return;
      event.stopPropagation();
      this.closeDocument();
    });
    this.#toggles.history.addEventListener("click", () => this.#toggleDrawer("history"));
    this.#toggles.pane.addEventListener("click", () => (narrow.matches ? this.#toggleDrawer("pane") : this.#togglePane()));
    byId("pane-close").addEventListener("click", () => {
      if (narrow.matches) this.close();
      else this.#togglePane();
      this.#toggles.pane.focus();
    });
    this.#scrim.addEventListener("click", () => this.close());
    narrow.addEventListener("change", () => {
      this.#open = narrow.matches && this.store.state.document ? "document" : null;
      this.#draw();
    });
    this.#draw();
  }

  /**
   * Closes the open drawer.
   * @returns {boolean} whether one was open
   */
  close() {
    const was = this.#open;
    if (was === "document") {
      this.closeDocument();
      return true;
    }
    this.#open = null;
    this.#draw();
    if (was) this.#toggles[was].focus();
    return was !== null;
  }

  /** @param {"history" | "pane"} drawer */
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

  /** @param {boolean} open */
  #documentChanged(open) {
    const within = this.#elements.document.contains(document.activeElement);
    if (open) this.#before = document.activeElement instanceof HTMLElement ? document.activeElement : null;
    if (open && narrow.matches) this.#open = "document";
    if (!open && this.#open === "document") this.#open = null;
    this.#draw();
    if (open && narrow.matches) byId("document-close").focus();
    else if (!open && (within || narrow.matches)) (this.#before?.isConnected ? this.#before : byId("composer")).focus();
  }

  #togglePane() {
    if (this.store.state.document) {
      this.closeDocument();
      remember("pane", "open");
      this.#draw();
      return;
    }
    remember("pane", this.#paneOpen() ? "closed" : "open");
    this.#draw();
  }

  #paneOpen() {
    const chosen = recall("pane");
    return chosen === null ? roomy.matches : chosen === "open";
  }

  #draw() {
    const historyOpen = narrow.matches ? this.#open === "history" : true;
    const hasDocument = this.store.state.document !== null;
    const paneOpen = narrow.matches ? this.#open === "pane" : this.#paneOpen() && !hasDocument;
    this.#place("history", historyOpen);
    this.#place("pane", paneOpen);
    this.#place("document", narrow.matches ? this.#open === "document" : hasDocument);
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
    if (drawer !== "document") this.#toggles[drawer].setAttribute("aria-expanded", String(open));
  }
}
