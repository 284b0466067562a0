// @ts-check
// A button that opens a list of commands, by mouse and by keyboard.

import { byId } from "./dom.js";

/** A menu of index.html: `<name>-button` opens `<name>-menu`. */
export class Menu {
  #button;
  #list;

  /**
   * @param {string} name
   * @param {Record<string, () => void>} commands what each element of the menu does, by its id
   */
  constructor(name, commands) {
    this.#button = byId(`${name}-button`);
    this.#list = byId(`${name}-menu`);
    this.#button.addEventListener("click", () => (this.#list.hidden ? this.#open() : this.#close()));
    for (const [id, run] of Object.entries(commands)) {
      byId(id).addEventListener("click", () => {
        this.#close();
        this.#button.focus();
        run();
      });
    }
    this.#list.addEventListener("keydown", (event) => this.#key(event));
    addEventListener("pointerdown", (event) => {
      const outside = event.target instanceof Node && !this.#list.contains(event.target) && !this.#button.contains(event.target);
      if (outside) this.#close();
    });
    this.#list.addEventListener("focusout", (event) => {
      if (event.relatedTarget instanceof Node && !this.#list.contains(event.relatedTarget)) this.#close();
    });
  }

  #open() {
    this.#list.hidden = false;
    this.#button.setAttribute("aria-expanded", "true");
    this.#items()[0]?.focus();
  }

  #close() {
    this.#list.hidden = true;
    this.#button.setAttribute("aria-expanded", "false");
  }

  /** @returns {HTMLElement[]} */
  #items() {
    return [...this.#list.querySelectorAll("button")].filter((item) => !item.hidden && !item.disabled);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key === "Escape") {
      event.stopPropagation();
      this.#close();
      this.#button.focus();
      return;
    }
    const items = this.#items();
    const at = items.findIndex((item) => item === document.activeElement);
    const steps = /** @type {Record<string, number>} */ ({ ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 });
    const next = steps[event.key];
    if (next === undefined) return;
    event.preventDefault();
    items[(next + items.length) % items.length]?.focus();
  }
}
