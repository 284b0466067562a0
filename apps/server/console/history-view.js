// @ts-check
// The list of conversations as seen: grouped by day, one stop in the tab order, arrows to walk, Delete to delete.

import { byId, h, icon } from "./dom.js";
import { dayGroup } from "./format.js";
import { inFrame } from "./frame.js";
import { addressOf } from "./route.js";

export class HistoryView {
  #list = byId("conversations");
  #more = byId("more-conversations");
  /** The conversation that the tab key reaches; null for the open one or else the first. @type {string | null} */
  #stop = null;

  /**
   * @param {import("./store.js").Store} store
   * @param {{ open: (id: string) => void, remove: (id: string, title: string) => void, more: () => Promise<void> }} actions
   */
  constructor(store, actions) {
    this.store = store;
    this.actions = actions;
    store.on(["chats", "hasMore", "chatId"], () => inFrame("history", () => this.#draw()));
    this.#list.addEventListener("keydown", (event) => this.#key(event));
    this.#list.addEventListener("click", (event) => this.#click(event));
    this.#list.addEventListener("focusin", (event) => {
      const id = rowOf(event.target)?.dataset["id"];
      if (id) this.#moveStop(id);
    });
    this.#more.addEventListener("click", () => void this.actions.more().catch(() => {}));
  }

  #draw() {
    const { chats, chatId, hasMore } = this.store.state;
    const focused = rowOf(document.activeElement)?.dataset["id"];
    if (!chats.some((chat) => chat.id === this.#stop)) this.#stop = null;
    const stop = this.#stop ?? (chats.some((chat) => chat.id === chatId) ? chatId : chats[0]?.id);
    const now = new Date();
    /** @type {Map<string, HTMLElement[]>} */
    const groups = new Map();
    for (const chat of chats) {
      const group = dayGroup(chat.createdAt, now);
      const rows = groups.get(group) ?? [];
      rows.push(this.#row(chat, chat.id === chatId, chat.id === stop));
      groups.set(group, rows);
    }
    const sections = [...groups].map(([name, rows], index) =>
      h(
        "section",
        { class: "history-group", "aria-labelledby": `history-group-${index}` },
        h("h3", { id: `history-group-${index}` }, name),
        h("ul", {}, ...rows),
      ),
    );
    const empty = h("p", { class: "history-empty" }, "Your conversations will be listed here.");
    this.#list.replaceChildren(...(sections.length > 0 ? sections : [empty]));
    this.#more.hidden = !hasMore;
    if (focused) this.#link(focused)?.focus();
  }

  /**
   * @param {import("./types/shapes.js").ChatRow} chat
   * @param {boolean} open
   * @param {boolean} stop
   */
  #row(chat, open, stop) {
    const tabindex = stop ? "0" : "-1";
    return h(
      "li",
      { class: "history-row", "data-id": chat.id, "data-testid": "conversation-item" },
      h(
        "a",
        { href: addressOf(chat.id), tabindex, "aria-current": open ? "page" : null, title: chat.title, class: "history-link" },
        chat.title,
      ),
      h(
        "button",
        { type: "button", tabindex, class: "history-delete icon-button", "aria-label": `Delete “${chat.title}”`, title: "Delete" },
        icon("trash"),
      ),
    );
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const row = rowOf(event.target);
    const id = row?.dataset["id"];
    if (!id || !(event.target instanceof Element)) return;
    if (event.target.closest(".history-delete")) {
      this.#remove(id);
    } else if (event.target.closest("a") && !event.metaKey && !event.ctrlKey && !event.shiftKey && event.button === 0) {
      event.preventDefault();
      this.actions.open(id);
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const id = rowOf(event.target)?.dataset["id"];
    if (!id || event.metaKey || event.ctrlKey || event.altKey) return;
    const ids = this.store.state.chats.map((chat) => chat.id);
    const at = ids.indexOf(id);
    const steps = /** @type {Record<string, number>} */ ({ ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: ids.length - 1 });
    const next = steps[event.key];
    if (next !== undefined) {
      event.preventDefault();
      const target = ids[Math.max(0, Math.min(ids.length - 1, next))];
      if (target) this.#link(target)?.focus();
    } else if (event.key === "Delete") {
      event.preventDefault();
      this.#remove(id);
    }
  }

  /** @param {string} id */
  #remove(id) {
    const chat = this.store.state.chats.find((each) => each.id === id);
    if (chat) this.actions.remove(id, chat.title);
  }

  /** @param {string} id */
  #moveStop(id) {
    this.#stop = id;
    for (const row of this.#list.querySelectorAll(".history-row")) {
      const own = row instanceof HTMLElement && row.dataset["id"] === id;
      for (const control of row.querySelectorAll("a, button")) control.setAttribute("tabindex", own ? "0" : "-1");
    }
  }

  /**
   * @param {string} id
   * @returns {HTMLElement | null}
   */
  #link(id) {
    return this.#list.querySelector(`[data-id="${CSS.escape(id)}"] a`);
  }
}

/**
 * @param {EventTarget | null} target
 * @returns {HTMLElement | null}
 */
function rowOf(target) {
  return target instanceof Element ? target.closest(".history-row") : null;
}
