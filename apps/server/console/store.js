// @ts-check
// The state of the page and who wants to hear of its changes.

/** @typedef {import("./types/shapes.js").Message} Message */

/**
 * What the open conversation is doing: `idle`; `loading` its messages; `sending` until the server answers; `streaming`;
 * `reconnecting` after a lost connection; `stopping` after Esc.
 * @typedef {"idle" | "loading" | "sending" | "streaming" | "reconnecting" | "stopping"} Phase
 */

/**
 * Times of the newest answer, in milliseconds of `performance.now()`. An answer that was joined on its way has no start.
 * @typedef {object} Timing
 * @property {number | null} sentAt
 * @property {number | null} firstAt
 * @property {number | null} endedAt
 */

/**
 * @typedef {object} State
 * @property {import("./types/shapes.js").Info | null} info
 * @property {import("./types/shapes.js").User | null} user
 * @property {import("./types/shapes.js").ChatRow[]} chats
 * @property {boolean} hasMore
 * @property {string | null} chatId
 * @property {boolean} readonly whether the open conversation is somebody else's
 * @property {import("./types/shapes.js").Visibility} visibility who may read the open conversation
 * @property {string | null} foundTitle the title of an open conversation that is not in the list: an old one, or somebody else's
 * @property {Map<string, boolean>} votes whether the reader found an answer good, by its id
 * @property {Message[]} messages
 * @property {string | null} loadError
 * @property {Phase} phase
 * @property {string} notice one word about the newest answer, such as "Stopped"
 * @property {import("./types/shapes.js").Usage | null} usage
 * @property {import("./types/shapes.js").Model[]} models those to choose from, the default first
 * @property {string | null} model the one that was chosen
 * @property {import("./documents.js").OpenDocument | null} document
 * @property {Timing | null} timing
 */

export class Store {
  /** @type {State} */
  state = {
    info: null,
    user: null,
    chats: [],
    hasMore: false,
    chatId: null,
    readonly: false,
    visibility: "private",
    foundTitle: null,
    votes: new Map(),
    messages: [],
    loadError: null,
    phase: "idle",
    notice: "",
    usage: null,
    models: [],
    model: null,
    document: null,
    timing: null,
  };

  /** @type {Map<keyof State, Set<() => void>>} */
  #listeners = new Map();

  /**
   * Changes the state and tells the listeners of every named key, also when the value is the same object: messages are
   * changed in place while they stream.
   * @param {Partial<State>} patch
   */
  set(patch) {
    Object.assign(this.state, patch);
    /** @type {Set<() => void>} */
    const called = new Set();
    for (const key of /** @type {(keyof State)[]} */ (Object.keys(patch))) {
      for (const listener of this.#listeners.get(key) ?? []) called.add(listener);
    }
    for (const listener of called) listener();
  }

  /**
   * Calls `listener` after each change of one of `keys`.
   * @param {(keyof State)[]} keys
   * @param {() => void} listener
   */
  on(keys, listener) {
    for (const key of keys) {
      const set = this.#listeners.get(key) ?? new Set();
      set.add(listener);
      this.#listeners.set(key, set);
    }
  }
}
