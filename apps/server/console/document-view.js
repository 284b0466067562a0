// @ts-check
// The pane with the open document.

import { parseCsv } from "./csv.js";
import { byId, h } from "./dom.js";
import { inFrame } from "./frame.js";
import { highlight } from "./highlight.js";
import { MarkdownView } from "./markdown-view.js";
import { confirmCopy } from "./message-view.js";

/** @typedef {import("./documents.js").OpenDocument} OpenDocument */

/** So many rows of a table are shown; the rest is told. */
const MOST_ROWS = 1_000;
const KINDS = { text: "Text", code: "Code", sheet: "Table", image: "Image" };

export class DocumentView {
  #body = byId("document-body");
  #note = byId("document-note");
  #versions = byId("document-versions");
  #back = /** @type {HTMLButtonElement} */ (byId("version-back"));
  #forward = /** @type {HTMLButtonElement} */ (byId("version-forward"));
  #restore = /** @type {HTMLButtonElement} */ (byId("document-restore"));
  #edit = /** @type {HTMLButtonElement} */ (byId("document-edit"));
  #copy = /** @type {HTMLButtonElement} */ (byId("document-copy"));
  #editor = /** @type {HTMLFormElement} */ (byId("document-editor"));
  #text = /** @type {HTMLTextAreaElement} */ (byId("document-text"));
  #suggestions = byId("document-suggestions");
  #markdown = new MarkdownView();
  /** What of the body was drawn last. @type {{ kind: string, content: string, done: boolean } | null} */
  #drawn = null;
  /** The document that is being edited. @type {string | null} */
  #editing = null;

  /**
   * @param {import("./store.js").Store} store
   * @param {import("./documents.js").Documents} documents
   */
  constructor(store, documents) {
    this.store = store;
    this.documents = documents;
    store.on(["document"], () => inFrame("document", () => this.#draw()));
    const at = () => store.state.document?.at ?? 0;
    this.#back.addEventListener("click", () => documents.show(at() - 1));
    this.#forward.addEventListener("click", () => documents.show(at() + 1));
    this.#restore.addEventListener("click", () => void documents.restore());
    this.#edit.addEventListener("click", () => this.#startEdit());
    this.#copy.addEventListener("click", () => void confirmCopy(this.#copy, store.state.document?.content ?? ""));
    byId("document-cancel").addEventListener("click", () => this.#endEdit());
    this.#editor.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#save();
    });
    this.#editor.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        this.#endEdit();
      } else if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) {
        event.preventDefault();
        void this.#save();
      }
    });
  }

  #draw() {
    const open = this.store.state.document;
    if (this.#editing !== null && this.#editing !== open?.id) this.#editing = null;
    if (!open) {
      this.#drawn = null;
      this.#body.replaceChildren();
      this.#suggestions.hidden = true;
      return;
    }
    const { phase, versions, at, kind, title, note, failed } = open;
    const editing = this.#editing !== null;
    const idle = phase === "idle" && versions.length > 0;
    const newest = at === versions.length - 1;
    byId("document-title").textContent = title;
    byId("document-kind").textContent = KINDS[kind];
    const words = { loading: "Loading…", writing: "Being written…", saving: "Saving…", idle: note || (editing ? "Editing" : "") };
    if (this.#note.textContent !== words[phase]) this.#note.textContent = words[phase];
    this.#note.hidden = words[phase] === "";
    this.#note.classList.toggle("over", phase === "idle" && failed);
    this.#versions.hidden = !idle || editing;
    byId("version-words").textContent = `Version ${at + 1} of ${versions.length}`;
    byId("version-time").textContent = versions[at] ? new Date(versions[at].createdAt).toLocaleString() : "";
    disable(this.#back, at === 0);
    disable(this.#forward, newest);
    this.#restore.hidden = newest;
    this.#edit.hidden = !idle || !newest || kind === "image" || editing;
    this.#copy.hidden = kind === "image" || open.content === "" || editing;
    this.#editor.hidden = !editing;
    this.#body.hidden = editing;
    this.#text.readOnly = phase === "saving";
    this.#drawBody(open);
    this.#drawSuggestions(open, idle && newest && !editing);
  }

  /** @param {OpenDocument} open */
  #drawBody({ kind, content, title, phase }) {
    const done = phase !== "writing";
    const drawn = this.#drawn;
    if (drawn?.kind === kind && drawn.content === content && drawn.done === done) return;
    const grows = drawn?.kind === kind && !drawn.done && content.startsWith(drawn.content);
    const end = this.#body.scrollHeight - this.#body.scrollTop - this.#body.clientHeight < 32;
    this.#drawn = { kind, content, done };
    if (kind === "text") {
      if (!grows) {
        this.#markdown = new MarkdownView();
        this.#body.replaceChildren(this.#markdown.element);
      }
      this.#markdown.update(content, done);
    } else if (kind === "code") this.#body.replaceChildren(drawCode(content, done));
    else if (kind === "sheet") this.#body.replaceChildren(...drawSheet(content, title));
    else this.#body.replaceChildren(...drawImage(content, title));
    if (!grows) this.#body.scrollTop = 0;
    else if (end) this.#body.scrollTop = this.#body.scrollHeight;
  }

  /**
   * @param {OpenDocument} open
   * @param {boolean} shown
   */
  #drawSuggestions({ suggestions }, shown) {
    this.#suggestions.hidden = !shown || suggestions.length === 0;
    byId("suggestion-count").textContent = suggestions.length === 1 ? "1 suggestion" : `${suggestions.length} suggestions`;
    byId("suggestion-list").replaceChildren(
      ...suggestions.map((suggestion) =>
        h(
          "li",
          { class: "suggestion", "data-testid": "suggestion" },
          suggestion.description ? h("p", { class: "suggestion-why" }, suggestion.description) : null,
          h("p", {}, h("del", {}, suggestion.originalText), " ", h("ins", {}, suggestion.suggestedText)),
          h(
            "div",
            { class: "suggestion-buttons" },
            h("button", { type: "button", class: "plain-button", onclick: () => void this.documents.apply(suggestion) }, "Apply"),
            h("button", { type: "button", class: "quiet-button", onclick: () => this.documents.dismiss(suggestion) }, "Dismiss"),
          ),
        ),
      ),
    );
  }

  #startEdit() {
    const open = this.store.state.document;
    if (!open) return;
    this.#editing = open.id;
    this.#text.value = open.content;
    this.#text.classList.toggle("document-code", open.kind !== "text");
    this.#draw();
    this.#text.focus();
    this.#text.setSelectionRange(0, 0);
  }

  #endEdit() {
    this.#editing = null;
    this.#draw();
    this.#edit.focus();
  }

  async #save() {
    if (await this.documents.save(this.#text.value)) this.#endEdit();
  }
}

/**
 * A button that is at its end stays where the focus is.
 * @param {HTMLButtonElement} button
 * @param {boolean} disabled
 */
function disable(button, disabled) {
  button.setAttribute("aria-disabled", String(disabled));
}

/**
 * @param {string} content
 * @param {boolean} done
 */
function drawCode(content, done) {
  const code = h("code", { class: "language-auto" }, content);
  if (done && content !== "") highlight(code);
  return h("pre", { class: "document-code" }, code);
}

/**
 * @param {string} content
 * @param {string} title
 */
function drawSheet(content, title) {
  const [head, ...rows] = parseCsv(content);
  if (!head) return [];
  const width = Math.max(head.length, ...rows.slice(0, MOST_ROWS).map((row) => row.length));
  const fields = Array.from({ length: width }, (_, index) => index);
  const table = h(
    "table",
    { class: "document-sheet" },
    h("caption", { class: "visually-hidden" }, title),
    h("thead", {}, h("tr", {}, ...fields.map((index) => h("th", { scope: "col" }, head[index] ?? "")))),
    h(
      "tbody",
      {},
      ...rows.slice(0, MOST_ROWS).map((row) => h("tr", {}, ...fields.map((index) => h("td", { class: isNumber(row[index]) ? "number" : null }, row[index] ?? "")))),
    ),
  );
  const more = rows.length - MOST_ROWS;
  return [table, ...(more > 0 ? [h("p", {}, `… and ${more} more rows.`)] : [])];
}

/** @param {string | undefined} field */
function isNumber(field) {
  return field !== undefined && /^\s*[-+]?[\d.,]*\d\s*%?\s*$/.test(field);
}

/**
 * @param {string} content
 * @param {string} title
 */
function drawImage(content, title) {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(content)) return [];
  return [h("img", { class: "document-image", alt: title, src: `data:image/png;base64,${content}` })];
}
