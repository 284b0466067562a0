// @ts-check
// Pictures that go with the next message: chosen, pasted or dropped, brought to the server at once, and shown above the field.

import { byId, h, icon } from "./dom.js";
import { ownAddress } from "./file-view.js";

const TYPES = ["image/png", "image/jpeg"];
const LARGEST = 5 * 1024 * 1024;
const MOST = 8;

/**
 * @typedef {object} Attachment
 * @property {File} file
 * @property {"uploading" | "ready" | "failed"} state
 * @property {number} share how much of it is brought, from 0 to 1
 * @property {string} error
 * @property {import("./types/shapes.js").Upload | null} upload
 * @property {AbortController} abort
 */

export class Attachments {
  #list = byId("attachments");
  #note = byId("attachments-note");
  #button = /** @type {HTMLButtonElement} */ (byId("attach"));
  #input = /** @type {HTMLInputElement} */ (byId("attach-input"));
  /** @type {Attachment[]} */
  #items = [];

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./store.js").Store} store
   * @param {() => void} onChange
   */
  constructor(api, store, onChange) {
    this.api = api;
    this.store = store;
    this.onChange = onChange;
    this.#button.addEventListener("click", () => this.allowed && this.#input.click());
    this.#input.addEventListener("change", () => {
      this.add([...(this.#input.files ?? [])]);
      this.#input.value = "";
    });
    byId("composer").addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length === 0) return;
      event.preventDefault();
      this.add(files);
    });
    const main = byId("main");
    const carriesFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
    main.addEventListener("dragover", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      main.classList.add("dropping");
    });
    main.addEventListener("dragleave", (event) => {
      if (!(event.relatedTarget instanceof Node) || !main.contains(event.relatedTarget)) main.classList.remove("dropping");
    });
    main.addEventListener("drop", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      main.classList.remove("dropping");
      this.add([...(event.dataTransfer?.files ?? [])]);
    });
    store.on(["models", "model", "readonly"], () => this.#drawButton());
    store.on(["chatId"], () => this.#left());
    this.#drawButton();
  }

  /** Whether the chosen model sees pictures. One that nothing is known of is not kept from them. */
  get allowed() {
    const { models, model, readonly } = this.store.state;
    const chosen = models.find((each) => each.id === model) ?? models[0];
    return !readonly && (chosen?.capabilities.vision ?? true);
  }

  /** Whether all that is there can be sent. */
  get ready() {
    return this.#items.every((item) => item.state === "ready");
  }

  get count() {
    return this.#items.length;
  }

  /**
   * Takes pictures, and says which it did not take.
   * @param {File[]} files
   */
  add(files) {
    if (!this.allowed) {
      this.#say("The chosen model takes no pictures.");
      return;
    }
    this.#say("");
    for (const file of files) {
      if (!TYPES.includes(file.type)) this.#say(`“${file.name}” is neither a PNG nor a JPEG.`);
      else if (file.size > LARGEST) this.#say(`“${file.name}” is larger than 5 MiB.`);
      else if (this.#items.length >= MOST) this.#say(`A message takes ${MOST} pictures at most.`);
      else void this.#bring(file);
    }
  }

  /**
   * Gives what is there as parts of a message, and begins anew.
   * @returns {import("./types/shapes.js").Part[]}
   */
  take() {
    const parts = this.#items.flatMap(({ upload }) =>
      upload ? [{ type: "file", mediaType: upload.contentType, name: upload.pathname, url: upload.url }] : [],
    );
    this.#items = [];
    this.#say("");
    this.#changed();
    return parts;
  }

  /** @param {File} file */
  async #bring(file) {
    /** @type {Attachment} */
    const item = { file, state: "uploading", share: 0, error: "", upload: null, abort: new AbortController() };
    this.#items.push(item);
    this.#changed();
    const onProgress = (/** @type {number} */ share) => {
      item.share = share;
      const bar = this.#list.querySelectorAll("li")[this.#items.indexOf(item)]?.querySelector("progress");
      if (bar) bar.value = share;
    };
    try {
      item.upload = await this.api.upload(file, onProgress, item.abort.signal);
      item.state = "ready";
    } catch (error) {
      item.state = "failed";
      item.error = error instanceof Error ? error.message : String(error);
      if (!item.abort.signal.aborted) this.#say(`“${file.name}” was not brought to the server. ${item.error}`);
    }
    if (this.#items.includes(item)) this.#changed();
  }

  /** @param {Attachment} item */
  #remove(item) {
    item.abort.abort();
    this.#items = this.#items.filter((each) => each !== item);
    this.#say("");
    this.#changed();
    byId("composer").focus();
  }

  /** Another conversation was opened. One that gets its id with its first message has sent what there was. */
  #left() {
    if (this.#items.length === 0) return;
    for (const item of this.#items) item.abort.abort();
    this.#items = [];
    this.#changed();
  }

  #changed() {
    this.#list.hidden = this.#items.length === 0;
    this.#list.replaceChildren(...this.#items.map((item) => this.#draw(item)));
    this.onChange();
  }

  /** @param {Attachment} item */
  #draw(item) {
    const { file, state, upload } = item;
    const address = upload && ownAddress(upload.url);
    return h(
      "li",
      { class: `attachment ${state}`, "data-testid": "attachment", "data-state": state },
      address ? h("img", { src: address, alt: file.name }) : h("span", { class: "attachment-name" }, file.name),
      state === "uploading" && h("progress", { max: 1, value: item.share, "aria-label": `Bringing ${file.name} to the server` }),
      state === "failed" && h("span", { class: "attachment-failed" }, "Failed"),
      h(
        "button",
        { type: "button", class: "attachment-remove", "aria-label": `Remove ${file.name}`, title: "Remove", onclick: () => this.#remove(item) },
        icon("close"),
      ),
    );
  }

  #drawButton() {
    const words = this.allowed ? "Attach a picture" : "The chosen model takes no pictures";
    this.#button.setAttribute("aria-disabled", String(!this.allowed));
    this.#button.setAttribute("aria-label", words);
    this.#button.title = words;
  }

  /** @param {string} words */
  #say(words) {
    this.#note.textContent = words;
  }
}
