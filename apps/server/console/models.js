// @ts-check
// The choice of a model, remembered in the browser.

import { byId, h } from "./dom.js";
import { inFrame } from "./frame.js";
import { recall, remember } from "./storage.js";

/** @typedef {import("./types/shapes.js").Model} Model */

export class Models {
  #select = /** @type {HTMLSelectElement} */ (byId("model"));

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./store.js").Store} store
   */
  constructor(api, store) {
    this.api = api;
    this.store = store;
    this.#select.addEventListener("change", () => {
      const first = store.state.models[0]?.id;
      // The default is not remembered: it is whatever the operator makes it.
      remember("model", this.#select.value === first ? null : this.#select.value);
      store.set({ model: this.#select.value });
    });
    store.on(["models", "model", "info", "readonly"], () => inFrame("models", () => this.#draw()));
  }

  async load() {
    try {
      const models = await this.api.models();
      const chosen = models.find((model) => model.id === recall("model")) ?? models[0];
      this.store.set({ models, model: chosen?.id ?? null });
    } catch {
      // Without a list the server's default answers.
    }
  }

  #draw() {
    const { models, model, info, readonly } = this.store.state;
    const name = byId("model-name");
    const only = models.length === 1 ? models[0] : null;
    const chosen = models.find((each) => each.id === model);
    const many = models.length > 1;
    this.#select.hidden = !many || readonly;
    name.hidden = many || readonly;
    name.textContent = only?.name ?? info?.model ?? "";
    if (many && this.#select.options.length !== models.length) {
      this.#select.replaceChildren(...models.map((each) => h("option", { value: each.id, title: about(each) }, each.name)));
    }
    if (chosen) {
      this.#select.value = chosen.id;
      this.#select.title = about(chosen);
    }
  }
}

/** @param {Model} model */
function about({ description, capabilities }) {
  const can = [capabilities.tools && "calls tools", capabilities.vision && "sees pictures", capabilities.reasoning && "shows its reasoning"];
  const words = can.filter((each) => each !== false).join(", ");
  return [description, words && `It ${words}.`].filter((each) => each).join(" ");
}
