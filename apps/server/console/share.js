// @ts-check
// Who may read the open conversation, and the link to it.

import { byId } from "./dom.js";
import { confirmCopy } from "./message-view.js";
import { addressOf } from "./route.js";

export class Share {
  #dialog = /** @type {HTMLDialogElement} */ (byId("share-dialog"));
  #public = /** @type {HTMLInputElement} */ (byId("share-public"));
  #link = /** @type {HTMLInputElement} */ (byId("share-link"));
  #failed = byId("share-failed");

  /**
   * @param {import("./store.js").Store} store
   * @param {(visibility: import("./types/shapes.js").Visibility) => Promise<void>} share
   */
  constructor(store, share) {
    this.store = store;
    this.share = share;
    store.on(["chatId", "visibility"], () => this.#draw());
    this.#public.addEventListener("change", () => void this.#change());
    const copy = byId("share-copy");
    copy.addEventListener("click", () => void confirmCopy(copy, this.#link.value));
    this.#link.addEventListener("focus", () => this.#link.select());
    this.#draw();
  }

  open() {
    this.#failed.hidden = true;
    this.#draw();
    this.#dialog.showModal();
  }

  #draw() {
    const { chatId, visibility } = this.store.state;
    const shared = visibility === "public";
    this.#public.checked = shared;
    this.#link.value = location.origin + addressOf(chatId);
    byId("share-how").hidden = !shared;
    byId("shared-mark").hidden = !shared || chatId === null;
  }

  async #change() {
    this.#failed.hidden = true;
    this.#public.disabled = true;
    try {
      await this.share(this.#public.checked ? "public" : "private");
    } catch (error) {
      this.#failed.textContent = `Nothing was changed. ${error instanceof Error ? error.message : String(error)}`;
      this.#failed.hidden = false;
    } finally {
      this.#public.disabled = false;
      this.#public.focus();
      this.#draw();
    }
  }
}
