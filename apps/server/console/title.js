// @ts-check
// The title above the messages. The owner changes it where it stands.

import { byId, h } from "./dom.js";
import { inFrame } from "./frame.js";

/** The longest title that the server takes, in UTF-16 units. */
const LONGEST = 200;

export class Title {
  #heading = byId("title");
  #input = h("input", { class: "title-input", "aria-label": "Title", maxlength: LONGEST, autocomplete: "off", "data-testid": "title-input" });
  #button = h("button", { type: "button", class: "title-button", title: "Rename", "data-testid": "rename", onclick: () => this.start() });
  /** The conversation whose title is being changed. @type {string | null} */
  #editing = null;

  /**
   * @param {import("./store.js").Store} store
   * @param {(id: string, title: string) => Promise<void>} rename
   */
  constructor(store, rename) {
    this.store = store;
    this.rename = rename;
    store.on(["chatId", "chats", "foundTitle", "readonly", "messages"], () => inFrame("title", () => this.#draw()));
    this.#input.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Enter") {
        event.preventDefault();
        void this.#save(true);
      } else if (event.key === "Escape") {
        event.stopPropagation();
        this.#stop(true);
      }
    });
    this.#input.addEventListener("blur", () => void this.#save(false));
    this.#draw();
  }

  /** Lets the reader change the title. */
  start() {
    const { chatId } = this.store.state;
    if (chatId === null || !isOwn(this.store.state)) return;
    this.#editing = chatId;
    this.#input.value = this.#words();
    // It stays a heading for those who cannot see it.
    this.#heading.classList.add("visually-hidden");
    this.#button.tabIndex = -1;
    this.#heading.after(this.#input);
    this.#input.focus();
    this.#input.select();
  }

  #words() {
    return titleOf(this.store.state);
  }

  #draw() {
    const { chatId } = this.store.state;
    if (this.#editing !== null && this.#editing !== chatId) this.#stop(false);
    const words = this.#words();
    document.title = chatId === null ? "Skein" : `${words} · Skein`;
    if (isOwn(this.store.state)) {
      if (this.#button.textContent !== words) this.#button.textContent = words;
      if (this.#heading.firstChild !== this.#button) this.#heading.replaceChildren(this.#button);
    } else if (this.#heading.textContent !== words || this.#heading.firstElementChild) {
      this.#heading.textContent = words;
    }
  }

  /** @param {boolean} focus */
  async #save(focus) {
    const id = this.#editing;
    const title = this.#input.value.trim();
    if (id === null) return;
    const changed = title !== "" && title !== this.#words();
    this.#stop(focus);
    if (changed) await this.rename(id, title);
  }

  /** @param {boolean} focus */
  #stop(focus) {
    if (this.#editing === null) return;
    this.#editing = null;
    this.#heading.classList.remove("visually-hidden");
    this.#button.tabIndex = 0;
    this.#input.remove();
    if (focus) this.#button.focus();
  }
}

/**
 * The title of the open conversation.
 * @param {import("./store.js").State} state
 */
export function titleOf({ chats, chatId, foundTitle }) {
  if (chatId === null) return "New chat";
  return chats.find((row) => row.id === chatId)?.title ?? foundTitle ?? "Conversation";
}

/**
 * Whether the open conversation is the reader's and known to the server, as far as the page can tell.
 * @param {import("./store.js").State} state
 */
export function isOwn({ chats, chatId, readonly, messages }) {
  return !readonly && (chats.some((row) => row.id === chatId) || (chatId !== null && messages.some((message) => !message.local)));
}
