// @ts-check
// The document beside the conversation: growing while it is written, its versions, and the suggestions to it.

import { ApiError } from "./http.js";
import { recall, remember } from "./storage.js";

/** @typedef {import("./types/shapes.js").DocumentRow} DocumentRow */
/** @typedef {import("./types/shapes.js").DocumentKind} DocumentKind */
/** @typedef {import("./types/wire.js").SuggestionData} SuggestionData */

/**
 * The open document. `content` is what is shown of it: what is written so far, or the version at `at`.
 * @typedef {object} OpenDocument
 * @property {string} id
 * @property {string} title
 * @property {DocumentKind} kind
 * @property {string} content
 * @property {"loading" | "writing" | "idle" | "saving"} phase
 * @property {DocumentRow[]} versions oldest first
 * @property {number} at
 * @property {SuggestionData[]} suggestions those that can still be dealt with
 * @property {string} note one sentence about the last thing that was done
 * @property {boolean} failed whether that sentence tells of a failure
 */

/** So many dismissed suggestions are remembered. */
const REMEMBERED = 200;

/** Tools whose call names the document that they change. */
const CHANGING = new Set(["updateDocument", "editDocument"]);

export class Documents {
  /** A new document that was announced and has not begun. @type {{ id: string, title: string, kind: DocumentKind } | null} */
  #announced = null;
  /** The document that the newest call changes. @type {string | null} */
  #changed = null;

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./store.js").Store} store
   */
  constructor(api, store) {
    this.api = api;
    this.store = store;
  }

  /**
   * Takes what an answer tells of documents.
   * @param {import("./types/wire.js").Chunk} chunk
   */
  take(chunk) {
    const open = this.store.state.document;
    switch (chunk.type) {
      case "tool-input-available":
        if (CHANGING.has(chunk.toolName)) this.#changed = idOf(chunk.input);
        return;
      case "data-kind":
        this.#announced = { id: "", title: "", kind: chunk.data };
        return;
      case "data-id":
        if (this.#announced) this.#announced.id = chunk.data;
        return;
      case "data-title":
        if (this.#announced) this.#announced.title = chunk.data;
        return;
      case "data-clear":
        this.#begin();
        return;
      case "data-textDelta":
        if (open?.phase === "writing") this.#grow("text", open.content + chunk.data);
        return;
      case "data-codeDelta":
        this.#grow("code", chunk.data);
        return;
      case "data-sheetDelta":
        this.#grow("sheet", chunk.data);
        return;
      case "data-imageDelta":
        this.#grow("image", chunk.data);
        return;
      case "data-suggestion":
        this.#suggested(chunk.data);
        return;
      case "data-finish":
        if (open?.phase === "writing") void this.#read(open.id);
        return;
    }
  }

  /** Ends what an answer wrote when that ends early: what is stored counts. */
  settle() {
    const open = this.store.state.document;
    this.#announced = null;
    this.#changed = null;
    if (open?.phase === "writing") void this.#read(open.id);
  }

  /**
   * Opens a document that is stored.
   * @param {{ id: string, title: string, kind: DocumentKind }} document
   */
  async open({ id, title, kind }) {
    if (this.store.state.document?.id === id && this.store.state.document.phase !== "idle") return;
    this.store.set({ document: blank({ id, title, kind, phase: "loading" }) });
    await this.#read(id);
  }

  close() {
    if (this.store.state.document) this.store.set({ document: null });
  }

  /**
   * Shows another version.
   * @param {number} at
   */
  show(at) {
    const open = this.store.state.document;
    const version = open?.versions[at];
    if (open?.phase !== "idle" || !version) return;
    this.#change({ at, content: version.content, title: version.title, kind: version.kind, note: "" });
  }

  /**
   * Stores a text as the newest version.
   * @param {string} content
   * @returns {Promise<boolean>} whether that worked
   */
  async save(content) {
    const open = this.store.state.document;
    if (open?.phase !== "idle") return false;
    const { id, title, kind } = open;
    return this.#do("Saved", () => this.api.saveDocument(id, { title, kind, content }));
  }

  /** Makes the version that is shown the newest, by deleting those after it. */
  async restore() {
    const open = this.store.state.document;
    const version = open?.versions[open.at];
    if (open?.phase !== "idle" || !version) return;
    await this.#do("Restored", () => this.api.restoreDocument(open.id, version.createdAt));
  }

  /** @param {SuggestionData} suggestion one whose words stand in the newest version */
  async apply(suggestion) {
    const newest = this.store.state.document?.versions.at(-1)?.content ?? "";
    // As a function, since a text could hold `$&`.
    const content = newest.replace(suggestion.originalText, () => suggestion.suggestedText);
    if (await this.save(content)) this.dismiss(suggestion);
  }

  /** @param {SuggestionData} suggestion */
  dismiss(suggestion) {
    remember("dismissed", [...dismissed(), suggestion.id].slice(-REMEMBERED).join(" "));
    const suggestions = this.store.state.document?.suggestions.filter((each) => each.id !== suggestion.id);
    if (suggestions) this.#change({ suggestions });
  }

  #begin() {
    const open = this.store.state.document;
    const begun = this.#announced;
    this.#announced = null;
    if (begun?.id) this.store.set({ document: blank({ ...begun, phase: "writing" }) });
    else if (this.#changed && open?.id === this.#changed) this.#change({ content: "", phase: "writing", note: "" });
    else if (this.#changed) {
      this.store.set({ document: blank({ id: this.#changed, title: "Document", kind: "text", phase: "writing" }) });
    }
  }

  /**
   * @param {DocumentKind} kind
   * @param {string} content
   */
  #grow(kind, content) {
    if (this.store.state.document?.phase === "writing") this.#change({ kind, content });
  }

  /** @param {SuggestionData} suggestion */
  #suggested(suggestion) {
    const open = this.store.state.document;
    if (open?.id !== suggestion.documentId) {
      void this.open({ id: suggestion.documentId, title: "Document", kind: "text" });
    } else if (!open.suggestions.some((each) => each.id === suggestion.id)) {
      this.#change({ suggestions: [...open.suggestions, suggestion] });
    }
  }

  /**
   * Reads the versions and the suggestions, and shows the newest version.
   * @param {string} id
   * @param {string} [note]
   */
  async #read(id, note = "") {
    try {
      const [versions, suggestions] = await Promise.all([this.api.document(id), this.api.suggestions(id)]);
      const newest = versions.at(-1);
      const open = this.store.state.document;
      if (open?.id !== id || !newest) return;
      const told = note && `${note} as version ${versions.length}.`;
      const { title, kind, content } = newest;
      // Those of an answer that is still being written are not stored yet.
      const fresh = open.suggestions.filter((each) => !suggestions.some((stored) => stored.id === each.id));
      const left = [...suggestions, ...fresh].filter((each) => isLeft(each, content));
      this.#change({ title, kind, content, versions, at: versions.length - 1, suggestions: left, phase: "idle", note: told, failed: false });
    } catch (error) {
      const open = this.store.state.document;
      if (open?.id !== id) return;
      const never = open.phase === "writing" && error instanceof ApiError && error.status === 404;
      const sentence = error instanceof Error ? error.message : String(error);
      this.#change({ phase: "idle", note: never ? "It was not finished, and is not kept." : sentence, failed: true });
    }
  }

  /**
   * @param {string} what
   * @param {() => Promise<void>} work
   */
  async #do(what, work) {
    const id = this.store.state.document?.id ?? "";
    this.#change({ phase: "saving", note: "" });
    try {
      await work();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (this.store.state.document?.id === id) this.#change({ phase: "idle", note: `Nothing was changed. ${reason}`, failed: true });
      return false;
    }
    await this.#read(id, what);
    return true;
  }

  /** @param {Partial<OpenDocument>} change */
  #change(change) {
    const open = this.store.state.document;
    if (open) this.store.set({ document: { ...open, ...change } });
  }
}

/**
 * @param {Pick<OpenDocument, "id" | "title" | "kind" | "phase">} document
 * @returns {OpenDocument}
 */
function blank(document) {
  return { ...document, content: "", versions: [], at: 0, suggestions: [], note: "", failed: false };
}

/** @param {unknown} input */
function idOf(input) {
  const id = typeof input === "object" && input !== null && "id" in input ? input.id : null;
  return typeof id === "string" ? id : null;
}

function dismissed() {
  return (recall("dismissed") ?? "").split(" ").filter((id) => id !== "");
}

/**
 * Whether a suggestion can still be dealt with.
 * @param {SuggestionData} suggestion
 * @param {string} content
 */
function isLeft(suggestion, content) {
  return !suggestion.isResolved && content.includes(suggestion.originalText) && !dismissed().includes(suggestion.id);
}
