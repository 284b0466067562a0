// @ts-check
// One message on the page.

import { outcome, textOf } from "./answer.js";
import { copyText, h, icon } from "./dom.js";
import { MarkdownView } from "./markdown-view.js";

/** @typedef {import("./types/shapes.js").Message} Message */
/** @typedef {import("./types/shapes.js").Part} Part */

/** Longer inputs and outputs of a tool are cut on the page. */
const LONGEST_TOOL_TEXT = 20_000;

export class MessageView {
  #parts = h("div", { class: "message-parts" });
  #foot = h("div", { class: "message-foot" });
  /** @type {{ type: string, element: HTMLElement, update: (part: Part, done: boolean) => void }[]} */
  #views = [];
  #drawn = "";

  /**
   * @param {Message} message
   * @param {() => void} onRetry
   */
  constructor(message, onRetry) {
    this.message = message;
    this.onRetry = onRetry;
    const user = message.role === "user";
    this.element = h(
      "article",
      { class: `message ${user ? "message-user" : "message-assistant"}`, "data-testid": user ? "message-user" : "message-assistant" },
      h("h2", { class: "visually-hidden" }, user ? "You said" : "Skein answered"),
      this.#parts,
      !user && this.#foot,
    );
  }

  /**
   * Draws the message as it is now.
   * @param {boolean} streaming whether more of it may follow
   * @param {boolean} last whether it is the last message, which can be answered anew
   */
  update(streaming, last) {
    if (this.message.role === "user") this.#drawUser();
    else this.#drawAnswer(streaming);
    this.element.classList.toggle("streaming", streaming);
    this.element.setAttribute("aria-busy", String(streaming));
    if (this.message.role !== "user") this.#drawFoot(streaming, last);
  }

  #drawUser() {
    const text = textOf(this.message);
    if (this.#parts.textContent !== text) this.#parts.textContent = text;
  }

  /** @param {boolean} streaming */
  #drawAnswer(streaming) {
    const parts = this.message.parts.filter(isShown);
    while (this.#views.length > parts.length) this.#views.pop()?.element.remove();
    parts.forEach((part, index) => {
      let view = this.#views[index];
      if (view?.type !== part.type) {
        const made = makePart(part);
        if (view) view.element.replaceWith(made.element);
        else this.#parts.append(made.element);
        this.#views[index] = view = made;
      }
      view.update(part, !streaming || part.state !== "streaming");
    });
    this.element.classList.toggle("waiting", streaming && parts.length === 0);
  }

  /**
   * @param {boolean} streaming
   * @param {boolean} last
   */
  #drawFoot(streaming, last) {
    const ending = streaming ? null : outcome(this.message);
    const text = streaming ? "" : textOf(this.message);
    const now = JSON.stringify([ending, text !== "", last && ending !== null, streaming]);
    if (now === this.#drawn) return;
    this.#drawn = now;
    const failed = ending?.kind === "failed";
    const retry =
      ending &&
      last &&
      h("button", { type: "button", class: `${failed ? "plain" : "quiet"}-button`, "data-testid": "retry", onclick: this.onRetry }, icon("retry"), h("span", {}, "Try again"));
    const note =
      ending &&
      h(
        "p",
        { class: `message-note ${ending.kind}`, role: failed ? "alert" : null, "data-testid": failed ? "error" : "stopped-note" },
        icon(failed ? "warning" : "stop"),
        h("span", {}, ending.sentence),
      );
    const copy = text !== "" && h("button", { type: "button", class: "quiet-button copy-answer" }, icon("copy"), h("span", {}, "Copy"));
    if (copy) copy.addEventListener("click", () => void confirmCopy(copy, textOf(this.message)));
    this.#foot.replaceChildren(...[note, h("div", { class: "message-actions" }, copy, retry)].filter((each) => each !== null));
  }
}

/**
 * Copies text and says so on the button for a moment.
 * @param {HTMLElement} button
 * @param {string} text
 */
export async function confirmCopy(button, text) {
  const label = button.querySelector("span");
  if (!label) return;
  label.textContent = (await copyText(text)) ? "Copied" : "Not copied";
  setTimeout(() => (label.textContent = "Copy"), 1_600);
}

/** @param {Part} part */
function isShown(part) {
  return (
    (part.type === "text" && part.text !== "") ||
    (part.type === "reasoning" && part.text !== "") ||
    (part.type.startsWith("tool-") && part.toolCallId !== undefined)
  );
}

/** @param {Part} part */
function makePart(part) {
  if (part.type === "text") return textPart(part.type);
  return part.type === "reasoning" ? reasoningPart(part.type) : toolPart(part.type);
}

/** @param {string} type */
function textPart(type) {
  const view = new MarkdownView();
  view.element.dataset["testid"] = "answer-text";
  return {
    type,
    element: view.element,
    update: (/** @type {Part} */ part, /** @type {boolean} */ done) => view.update(part.text ?? "", done),
  };
}

/** @param {string} type */
function reasoningPart(type) {
  const view = new MarkdownView();
  const title = h("span", {}, "Reasoning");
  const element = h("details", { class: "fold" }, h("summary", {}, icon("chevron"), title), h("div", { class: "fold-body" }, view.element));
  return {
    type,
    element,
    update: (/** @type {Part} */ part, /** @type {boolean} */ done) => {
      const words = done ? "Reasoning" : "Reasoning…";
      if (title.textContent !== words) title.textContent = words;
      view.update(part.text ?? "", done);
    },
  };
}

/** @param {string} type */
function toolPart(type) {
  const state = h("span", { class: "fold-state" });
  const body = h("div", { class: "fold-body" });
  const title = h("span", {}, "Tool ", h("code", {}, type.slice("tool-".length)));
  const element = h("details", { class: "fold" }, h("summary", {}, icon("chevron"), title, state), body);
  let drawn = "";
  return {
    type,
    element,
    update: (/** @type {Part} */ part, /** @type {boolean} */ done) => {
      const failed = part.state === "output-error";
      const ended = failed || part.state === "output-available";
      const words = failed ? "failed" : ended ? "done" : done ? "not finished" : "running…";
      const input = show(part.input ?? part.rawInput);
      const output = show(part.errorText ?? part.output);
      const now = `${words}\n${input}\n${output}`;
      if (now === drawn) return;
      drawn = now;
      state.textContent = words;
      element.classList.toggle("failed", failed);
      body.replaceChildren(
        h("h3", {}, "Input"),
        h("pre", { tabindex: "0" }, input || "–"),
        h("h3", {}, failed ? "Error" : "Output"),
        h("pre", { tabindex: "0" }, output || "–"),
      );
    },
  };
}

/** @param {unknown} value */
function show(value) {
  if (value === undefined || value === null) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return text.length > LONGEST_TOOL_TEXT ? `${text.slice(0, LONGEST_TOOL_TEXT)}…` : text;
}
