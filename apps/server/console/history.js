// @ts-check
// The list of conversations.

/** @typedef {import("./types/shapes.js").ChatRow} ChatRow */

/** The title that the server gives a conversation until it has found a better one. */
const PLACEHOLDER = "New chat";

export class History {
  /** Conversations whose first message is on its way, so that the server need not know them yet. @type {Map<string, ChatRow>} */
  #expected = new Map();
  /** Counts the conversations taken off, to notice a page that was read before. */
  #forgotten = 0;

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./store.js").Store} store
   */
  constructor(api, store) {
    this.api = api;
    this.store = store;
  }

  /**
   * Reads the newest conversations again. Those that were read from further back stay.
   * @returns {Promise<void>}
   */
  async refresh() {
    try {
      const forgotten = this.#forgotten;
      const page = await this.api.history(null);
      if (forgotten !== this.#forgotten) return await this.refresh();
      const fresh = new Set(page.chats.map((chat) => chat.id));
      for (const id of fresh) this.#expected.delete(id);
      const oldest = page.chats.at(-1);
      const { chats, hasMore } = this.store.state;
      const older = page.hasMore && oldest ? chats.filter((chat) => !fresh.has(chat.id) && chat.createdAt < oldest.createdAt) : [];
      this.store.set({ chats: [...this.#expected.values(), ...page.chats, ...older], hasMore: older.length > 0 ? hasMore : page.hasMore });
    } catch {
      // The list on the page stays; the next answer or reload reads it again.
    }
  }

  /** Reads the next conversations further back. */
  async more() {
    const { chats } = this.store.state;
    const page = await this.api.history(chats.at(-1)?.id ?? null);
    const known = new Set(chats.map((chat) => chat.id));
    this.store.set({ chats: [...chats, ...page.chats.filter((chat) => !known.has(chat.id))], hasMore: page.hasMore });
  }

  /**
   * Lists a conversation that is about to be made by its first message.
   * @param {string} id
   */
  expect(id) {
    /** @type {ChatRow} */
    const row = { id, createdAt: new Date().toISOString(), title: PLACEHOLDER, userId: "", visibility: "private" };
    this.#expected.set(id, row);
    this.store.set({ chats: [row, ...this.store.state.chats] });
  }

  /** Leaves it to the server whether a conversation exists, now that it has answered. @param {string} id */
  settle(id) {
    this.#expected.delete(id);
  }

  /**
   * @param {string} id
   * @param {string} title
   */
  retitle(id, title) {
    if (this.store.state.chatId === id && this.store.state.foundTitle !== null) this.store.set({ foundTitle: title });
    const chats = this.store.state.chats.map((chat) => (chat.id === id ? { ...chat, title } : chat));
    this.store.set({ chats });
  }

  /**
   * Gives a conversation another title. It is shown at once, and taken back when the server does not take it.
   * @param {string} id
   * @param {string} title
   */
  async rename(id, title) {
    const before = this.store.state.chats.find((chat) => chat.id === id)?.title ?? title;
    this.retitle(id, title);
    try {
      this.retitle(id, (await this.api.changeChat(id, { title })).title);
    } catch (error) {
      this.retitle(id, before);
      throw error;
    }
  }

  /** Deletes all conversations. */
  async removeAll() {
    await this.api.deleteHistory();
    this.#forgotten += 1;
    this.#expected.clear();
    this.store.set({ chats: [], hasMore: false });
  }

  /** @param {string} id */
  async remove(id) {
    await this.api.deleteChat(id);
    this.forget(id);
  }

  /** Takes a conversation off the list that is gone already. @param {string} id */
  forget(id) {
    this.#forgotten += 1;
    this.#expected.delete(id);
    this.store.set({ chats: this.store.state.chats.filter((chat) => chat.id !== id) });
  }
}
