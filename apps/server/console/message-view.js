// @ts-check
// One message on the page.

import { outcome, textOf, waiting } from "./answer.js";
import { copyText, h, icon } from "./dom.js";
import { EditView } from "./edit-view.js";
import { fileView } from "./file-view.js";
import { MarkdownView } from "./markdown-view.js";
import { toolPart } from "./tool-view.js";

/** @typedef {import("./types/shapes.js").Message} Message */
/** @typedef {import("./types/shapes.js").Part} Part */

/**
 * What the reader can do with messages.
 * @typedef {object} MessageActions
 * @property {() => void} retry answers the last message anew
 * @property {(message: Message, text: string) => void} edit sends a message anew with another text
 * @property {(message: Message, callId: string, approved: boolean) => void} reply lets a call run, or not
 * @property {(messageId: string, up: boolean) => void} vote
 * @property {(document: { id: string, title: string, kind: import("./types/shapes.js").DocumentKind }) => void} openDocument
 */

/**
 * How a message stands on the page.
 * @typedef {object} Standing
 * @property {boolean} streaming whether more of it may follow
 * @property {boolean} last whether it is the last message
 * @property {boolean} free whether the reader may act on it: it is theirs, and nothing is on its way
 * @property {boolean | undefined} vote whether the reader found it good
 * @property {boolean} votable
 */

/**
 * The view of a part.
 * @typedef {object} PartView
 * @property {string} type
 * @property {HTMLElement} element
 * @property {(part: Part, done: boolean, free: boolean) => void} update
 */

export class MessageView {
  #parts = h("div", { class: "message-parts" });
  #note = h("div", { class: "message-end" });
  #actions = h("div", { class: "message-actions" });
  #buttons;
  /** @type {PartView[]} */
  #views = [];
  #drawn = "";
  /** @type {EditView | null} */
  #edit = null;

  /**
   * @param {Message} message
   * @param {MessageActions} actions
   */
  constructor(message, actions) {
    this.message = message;
    this.actions = actions;
    const user = message.role === "user";
    const vote = (/** @type {boolean} */ up) => actions.vote(this.message.id, up);
    this.#buttons = {
      copy: button("copy", "Copy", () => void confirmCopy(this.#buttons.copy, textOf(this.message)), "quiet-button copy-answer"),
      up: iconButton("thumb-up", "Good answer", () => vote(true), "vote-up"),
      down: iconButton("thumb-down", "Bad answer", () => vote(false), "vote-down"),
      retry: button("retry", "Try again", actions.retry, "quiet-button", "retry"),
      edit: button("pencil", "Edit", () => this.#startEdit(), "quiet-button edit-message", "edit"),
    };
    const { copy, up, down, retry, edit } = this.#buttons;
    this.#actions.append(...(user ? [edit] : [copy, up, down, retry]));
    this.element = h(
      "article",
      {
        class: `message ${user ? "message-user" : "message-assistant"}`,
        "data-testid": user ? "message-user" : "message-assistant",
        "data-id": message.id,
      },
      h("h2", { class: "visually-hidden" }, user ? "You said" : "Skein answered"),
      this.#parts,
      this.#note,
      this.#actions,
    );
  }

  /**
   * Draws the message as it is now.
   * @param {Standing} standing
   */
  update(standing) {
    const { streaming } = standing;
    if (this.message.role === "user") this.#drawUser(standing);
    else this.#drawAnswer(standing);
    this.element.classList.toggle("streaming", streaming);
    this.element.setAttribute("aria-busy", String(streaming));
  }

  /** @param {Standing} standing */
  #drawUser({ free }) {
    const text = textOf(this.message);
    const files = this.message.parts.filter((part) => part.type === "file");
    const now = JSON.stringify([text, files]);
    if (now !== this.#drawn) {
      this.#drawn = now;
      const shown = files.map((part) => fileView(part));
      const pictures = shown.length > 0 && h("div", { class: "message-files" }, ...shown);
      this.#parts.replaceChildren(...[pictures, text !== "" && h("div", { class: "user-text" }, text)].filter((each) => each !== false));
    }
    this.#buttons.edit.hidden = !free || text === "";
    if (!free) this.#endEdit();
    this.#settleActions();
  }

  /** @param {Standing} standing */
  #drawAnswer(standing) {
    const { streaming, last, free, vote, votable } = standing;
    const parts = this.message.parts.filter(isShown);
    while (this.#views.length > parts.length) this.#views.pop()?.element.remove();
    parts.forEach((part, index) => {
      let view = this.#views[index];
      if (view?.type !== part.type) {
        const made = this.#makePart(part);
        if (view) view.element.replaceWith(made.element);
        else this.#parts.append(made.element);
        this.#views[index] = view = made;
      }
      const prose = part.type === "text" || part.type === "reasoning";
      view.update(part, !streaming || (prose && part.state !== "streaming"), free && last);
    });
    this.element.classList.toggle("waiting", streaming && parts.length === 0);

    const ending = streaming ? null : outcome(this.message);
    this.#drawNote(ending);
    const { copy, up, down, retry } = this.#buttons;
    copy.hidden = streaming || textOf(this.message) === "";
    const waits = waiting(this.message).length > 0;
    up.hidden = down.hidden = !votable || streaming || waits || parts.length === 0;
    up.setAttribute("aria-pressed", String(vote === true));
    down.setAttribute("aria-pressed", String(vote === false));
    retry.hidden = !free || !last || streaming || waits;
    const failed = ending?.kind === "failed";
    const style = failed ? "plain-button" : "quiet-button";
    if (retry.className !== style) {
      retry.className = style;
      // What failed is first of all tried again.
      if (failed) this.#actions.prepend(retry);
      else this.#actions.append(retry);
    }
    setLabel(retry, ending ? "Try again" : "Regenerate");
    this.#settleActions();
  }

  /** @param {ReturnType<typeof outcome>} ending */
  #drawNote(ending) {
    const now = JSON.stringify(ending);
    if (now === this.#drawn) return;
    this.#drawn = now;
    const failed = ending?.kind === "failed";
    const note =
      ending &&
      h(
        "p",
        { class: `message-note ${ending.kind}`, role: failed ? "alert" : null, "data-testid": failed ? "error" : "stopped-note" },
        icon(failed ? "warning" : "stop"),
        h("span", {}, ending.sentence),
      );
    this.#note.replaceChildren(...(note ? [note] : []));
    this.element.classList.toggle("failed", failed);
  }

  #settleActions() {
    this.#actions.hidden = this.#edit !== null || [...this.#actions.children].every((each) => each instanceof HTMLElement && each.hidden);
  }

  #startEdit() {
    this.#edit = new EditView(textOf(this.message), {
      send: (text) => {
        this.#endEdit();
        this.actions.edit(this.message, text);
      },
      cancel: () => {
        this.#endEdit();
        this.#buttons.edit.focus();
      },
    });
    this.element.classList.add("editing");
    this.#parts.after(this.#edit.element);
    this.#settleActions();
    this.#edit.focus();
  }

  #endEdit() {
    if (!this.#edit) return;
    this.#edit.element.remove();
    this.#edit = null;
    this.element.classList.remove("editing");
    this.#settleActions();
  }

  /**
   * @param {Part} part
   * @returns {PartView}
   */
  #makePart(part) {
    if (part.type === "text") return textPart(part.type);
    if (part.type === "reasoning") return reasoningPart(part.type);
    if (part.type === "file") return { type: part.type, element: fileView(part), update: () => {} };
    return toolPart(part.type, {
      reply: (callId, approved) => this.actions.reply(this.message, callId, approved),
      openDocument: this.actions.openDocument,
    });
  }
}

/**
 * Copies text and says so on the button for a moment.
 * @param {HTMLElement} button
 * @param {string} text
 */
export async function confirmCopy(button, text) {
  setLabel(button, (await copyText(text)) ? "Copied" : "Not copied");
  setTimeout(() => setLabel(button, "Copy"), 1_600);
}

/**
 * @param {HTMLElement} button
 * @param {string} words
 */
function setLabel(button, words) {
  const label = button.querySelector("span");
  if (label && label.textContent !== words) label.textContent = words;
}

/**
 * @param {string} picture
 * @param {string} words
 * @param {() => void} onclick
 * @param {string} style
 * @param {string} [testid]
 */
function button(picture, words, onclick, style, testid) {
  return h("button", { type: "button", class: style, onclick, "data-testid": testid, hidden: true }, icon(picture), h("span", {}, words));
}

/**
 * @param {string} picture
 * @param {string} words
 * @param {() => void} onclick
 * @param {string} testid
 */
function iconButton(picture, words, onclick, testid) {
  const about = { "aria-label": words, title: words, "aria-pressed": "false", "data-testid": testid };
  return h("button", { type: "button", class: "icon-button vote", onclick, hidden: true, ...about }, icon(picture));
}

/** @param {Part} part */
function isShown(part) {
  return (
    ((part.type === "text" || part.type === "reasoning") && part.text !== "") ||
    part.type === "file" ||
    (part.type.startsWith("tool-") && part.toolCallId !== undefined)
  );
}

/**
 * @param {string} type
 * @returns {PartView}
 */
function textPart(type) {
  const view = new MarkdownView();
  view.element.dataset["testid"] = "answer-text";
  return { type, element: view.element, update: (part, done) => view.update(part.text ?? "", done) };
}

/**
 * @param {string} type
 * @returns {PartView}
 */
function reasoningPart(type) {
  const view = new MarkdownView();
  const title = h("span", {}, "Reasoning");
  const element = h("details", { class: "fold" }, h("summary", {}, icon("chevron"), title), h("div", { class: "fold-body" }, view.element));
  return {
    type,
    element,
    update: (part, done) => {
      const words = done ? "Reasoning" : "Reasoning…";
      if (title.textContent !== words) title.textContent = words;
      view.update(part.text ?? "", done);
    },
  };
}
