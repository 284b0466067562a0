// @ts-check
// Where messages are written: Enter sends, Shift+Enter makes a line, Esc stops the answer. A draft outlives a reload.

import { Attachments } from "./attachments.js";
import { byId } from "./dom.js";
import { LONGEST } from "./edit-view.js";
import { count } from "./format.js";

export class Composer {
  #form = /** @type {HTMLFormElement} */ (byId("composer-form"));
  #input = /** @type {HTMLTextAreaElement} */ (byId("composer"));
  #grow = byId("composer-grow");
  #counter = byId("composer-counter");
  #send = /** @type {HTMLButtonElement} */ (byId("send"));
  #stop = /** @type {HTMLButtonElement} */ (byId("stop"));
  #hint = byId("composer-hint");
  /** @type {string | null} */
  #draftOf = null;
  /** @type {Attachments} */
  #attachments;

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./store.js").Store} store
   * @param {{ send: (parts: import("./types/shapes.js").Part[]) => void, stop: () => void }} actions
   */
  constructor(api, store, actions) {
    this.store = store;
    this.actions = actions;
    this.#attachments = new Attachments(api, store, () => this.#draw());
    this.#input.addEventListener("input", () => this.#changed());
    this.#input.addEventListener("keydown", (event) => {
      // While an input method composes a word, Enter chooses it.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#submit();
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#stop.addEventListener("click", () => {
      actions.stop();
      this.focus();
    });
    store.on(["chatId"], () => this.#loadDraft());
    store.on(["phase", "readonly"], () => this.#draw());
    this.#loadDraft();
    this.#draw();
  }

  focus() {
    this.#input.focus();
  }

  /** Puts text into the field, for the reader to send or change. @param {string} text */
  fill(text) {
    this.#input.value = text;
    this.#changed();
    this.focus();
    this.#input.setSelectionRange(text.length, text.length);
  }

  #submit() {
    const text = this.#input.value.trim();
    const { readonly, phase } = this.store.state;
    const nothing = text === "" && this.#attachments.count === 0;
    if (nothing || !this.#attachments.ready || text.length > LONGEST || readonly || phase === "loading") return;
    // Pictures stand before the words about them.
    const parts = this.#attachments.take();
    if (text !== "") parts.push({ type: "text", text });
    this.#input.value = "";
    this.#changed();
    this.actions.send(parts);
    this.focus();
  }

  #changed() {
    this.#grow.dataset["value"] = this.#input.value;
    saveDraft(this.store.state.chatId, this.#input.value);
    this.#draw();
  }

  #loadDraft() {
    const { chatId } = this.store.state;
    const draft = readDraft(chatId);
    // A new conversation gets its id with its first message; what is typed meanwhile stays.
    if (this.#draftOf === null && chatId !== null && this.#input.value !== "" && draft === "") return;
    this.#draftOf = chatId;
    this.#input.value = draft;
    this.#grow.dataset["value"] = draft;
    this.#draw();
  }

  #draw() {
    const { phase, readonly } = this.store.state;
    const text = this.#input.value.trim();
    const running = phase === "sending" || phase === "streaming" || phase === "reconnecting" || phase === "stopping";
    const over = text.length - LONGEST;
    const nothing = text === "" && this.#attachments.count === 0;
    this.#form.hidden = readonly;
    byId("readonly-note").hidden = !readonly;
    byId("dock-foot").hidden = readonly;
    this.#stop.hidden = !running;
    this.#stop.disabled = phase === "stopping";
    this.#send.hidden = running && nothing;
    this.#send.disabled = nothing || !this.#attachments.ready || over > 0 || phase === "loading";
    this.#counter.hidden = text === "";
    this.#counter.textContent = `${count(text.length)} / ${count(LONGEST)}`;
    this.#counter.classList.toggle("over", over > 0);
    this.#input.setAttribute("aria-invalid", String(over > 0));
    this.#hint.textContent = over > 0 ? `Too long by ${count(over)} character${over === 1 ? "" : "s"}` : "";
  }
}

/** @param {string | null} chatId */
function readDraft(chatId) {
  try {
    return sessionStorage.getItem(`skein.draft.${chatId ?? "new"}`) ?? "";
  } catch {
    return "";
  }
}

/**
 * @param {string | null} chatId
 * @param {string} text
 */
function saveDraft(chatId, text) {
  const key = `skein.draft.${chatId ?? "new"}`;
  try {
    if (text === "") sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, text);
  } catch {
    // Without storage a draft lives as long as the page.
  }
}
