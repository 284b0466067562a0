// @ts-check
// Searching the reader's messages. What is found stands in place of the list of conversations.

import { byId, h } from "./dom.js";
import { addressOf } from "./route.js";

/** @typedef {import("./types/shapes.js").SearchResult} SearchResult */

const DEBOUNCE_MS = 200;

export class Search {
  #input = /** @type {HTMLInputElement} */ (byId("search"));
  #results = byId("search-results");
  #words = byId("search-words");
  #list = byId("search-list");
  #history = byId("history");
  #timer = 0;
  /** @type {AbortController | null} */
  #asking = null;

  /**
   * @param {import("./api.js").Api} api
   * @param {(chatId: string, messageId: string) => void} open
   */
  constructor(api, open) {
    this.api = api;
    this.open = open;
    this.#input.addEventListener("input", () => this.#changed());
    this.#input.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#input.value !== "") {
        event.preventDefault();
        event.stopPropagation();
        this.clear();
      } else if (event.key === "ArrowDown") {
        event.preventDefault();
        this.#link(0)?.focus();
      } else if (event.key === "Enter") {
        event.preventDefault();
        this.#now();
      }
    });
    this.#list.addEventListener("keydown", (event) => this.#key(event));
    this.#list.addEventListener("click", (event) => {
      const link = event.target instanceof Element ? event.target.closest("a") : null;
      if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
      event.preventDefault();
      this.open(link.dataset["chat"] ?? "", link.dataset["message"] ?? "");
    });
  }

  clear() {
    this.#input.value = "";
    this.#changed();
    this.#input.focus();
  }

  #changed() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    if (this.#input.value.trim() === "") {
      this.#show(false);
      return;
    }
    this.#timer = window.setTimeout(() => this.#now(), DEBOUNCE_MS);
  }

  #now() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    const words = this.#input.value.trim();
    if (words !== "") void this.#ask(words, (this.#asking = new AbortController()));
  }

  /**
   * @param {string} words
   * @param {AbortController} asking
   */
  async #ask(words, asking) {
    try {
      const found = await this.api.search(words, asking.signal);
      if (!asking.signal.aborted) this.#draw(found);
    } catch (error) {
      if (asking.signal.aborted) return;
      this.#draw([]);
      this.#words.textContent = error instanceof Error ? error.message : String(error);
    }
  }

  /** @param {SearchResult[]} found */
  #draw(found) {
    this.#words.textContent = found.length === 0 ? "Nothing was found." : found.length === 1 ? "1 message found" : `${found.length} messages found`;
    this.#list.replaceChildren(
      ...found.map((hit) =>
        h(
          "li",
          {},
          h(
            "a",
            { href: addressOf(hit.chatId), class: "search-hit", "data-chat": hit.chatId, "data-message": hit.messageId, "data-testid": "search-hit" },
            h("strong", {}, hit.title),
            h("span", {}, `${hit.role === "user" ? "You: " : ""}${hit.excerpt}`),
          ),
        ),
      ),
    );
    this.#show(true);
  }

  /** @param {boolean} shown */
  #show(shown) {
    this.#results.hidden = !shown;
    this.#history.hidden = shown;
    if (!shown) {
      this.#words.textContent = "";
      this.#list.replaceChildren();
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      this.clear();
      return;
    }
    const links = [...this.#list.querySelectorAll("a")];
    const at = links.findIndex((link) => link === document.activeElement);
    if (event.key === "ArrowDown") this.#link(Math.min(at + 1, links.length - 1))?.focus();
    else if (event.key === "ArrowUp" && at === 0) this.#input.focus();
    else if (event.key === "ArrowUp") this.#link(at - 1)?.focus();
    else return;
    event.preventDefault();
  }

  /** @param {number} at */
  #link(at) {
    return this.#list.querySelectorAll("a")[at];
  }
}
