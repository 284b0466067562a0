// @ts-check
// The field in which a message that was sent is changed.

import { h } from "./dom.js";

/** The longest message that the server takes, in UTF-16 units, which is what `length` counts. */
export const LONGEST = 2_000;

export class EditView {
  #text = h("textarea", { class: "edit-text", rows: 3, "aria-label": "Change the message", maxlength: LONGEST, "data-testid": "edit-text" });

  /**
   * @param {string} text
   * @param {{ send: (text: string) => void, cancel: () => void }} actions
   */
  constructor(text, actions) {
    this.#text.value = text;
    this.element = h(
      "form",
      { class: "edit" },
      this.#text,
      h(
        "div",
        { class: "edit-buttons" },
        h("span", { class: "edit-hint" }, "What came after it is replaced."),
        h("button", { type: "button", class: "quiet-button", onclick: actions.cancel }, "Cancel"),
        h("button", { type: "submit", class: "plain-button", "data-testid": "edit-send" }, "Send"),
      ),
    );
    const submit = () => {
      const changed = this.#text.value.trim();
      if (changed !== "") actions.send(changed);
    };
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      submit();
    });
    this.#text.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        actions.cancel();
      } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
        event.preventDefault();
        submit();
      }
    });
  }

  focus() {
    this.#text.focus();
    this.#text.setSelectionRange(this.#text.value.length, this.#text.value.length);
  }
}
