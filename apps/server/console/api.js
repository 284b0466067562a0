// @ts-check
// The calls to the server. Each carries the bearer token; a guest is made when there is none, and once more when the server
// does not know the token any longer.

import { recall, remember } from "./storage.js";

/** @typedef {import("./types/shapes.js").User} User */

/** An answer of the server that is not a success. `message` is a sentence to show. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code such as `rate_limit:chat`, or empty
   * @param {string} message
   */
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Raised when the server could not be reached at all. */
export class Unreachable extends Error {}

/** @type {Record<string, string>} */
const SENTENCES = {
  "rate_limit:chat": "You have reached the number of messages for now. Please try again later.",
  "forbidden:chat": "This conversation belongs to someone else.",
  "not_found:chat": "There is no such conversation.",
  "offline:chat": "Skein cannot take messages at the moment.",
};

export class Api {
  /**
   * Called with the user whenever the page acts as another one than before.
   * @type {(user: User, fresh: boolean) => void}
   */
  onUser = () => {};

  /** @type {Promise<string> | null} */
  #making = null;

  /**
   * Returns a token, making a guest when there is none. `stale` is a token that the server refused.
   * @param {string | null} [stale]
   * @returns {Promise<string>}
   */
  async token(stale = null) {
    const known = recall("token");
    if (known !== null && known !== stale) return known;
    this.#making ??= this.#makeGuest(stale).finally(() => (this.#making = null));
    return this.#making;
  }

  /**
   * @param {string | null} stale
   * @returns {Promise<string>}
   */
  async #makeGuest(stale) {
    const make = async () => {
      // Another tab may have made one while this tab waited for the lock.
      const known = recall("token");
      if (known !== null && known !== stale) return known;
      const response = await send("/api/auth/guest", { method: "POST" });
      if (!response.ok) throw await toError(response);
      const answer = /** @type {import("./types/shapes.js").GuestAnswer} */ (await response.json());
      remember("token", answer.access_token);
      remember("user", JSON.stringify(answer.user));
      this.onUser(answer.user, stale !== null);
      return answer.access_token;
    };
    return navigator.locks ? await navigator.locks.request("skein.guest", make) : await make();
  }

  /**
   * Sends a request with the token and returns the response if it is a success.
   * @param {string} path
   * @param {RequestInit & { headers?: Record<string, string> }} [init]
   * @returns {Promise<Response>}
   */
  async fetch(path, init = {}) {
    let token = await this.token();
    let response = await send(path, withToken(init, token));
    if (response.status === 401) {
      token = await this.token(token);
      response = await send(path, withToken(init, token));
    }
    if (!response.ok) throw await toError(response);
    return response;
  }

  /** @returns {Promise<import("./types/shapes.js").Info | null>} null when the server does not tell */
  async info() {
    const response = await send("/api/console/info", {});
    return response.ok ? response.json() : null;
  }

  /**
   * @param {string | null} before the id of the chat before which the page ends
   * @returns {Promise<import("./types/shapes.js").HistoryPage>}
   */
  async history(before) {
    const query = new URLSearchParams({ limit: "40" });
    if (before !== null) query.set("ending_before", before);
    return (await this.fetch(`/api/history?${query}`)).json();
  }

  /**
   * @param {string} chatId
   * @param {AbortSignal} [signal]
   * @returns {Promise<import("./types/shapes.js").MessagesPage>}
   */
  async messages(chatId, signal) {
    return (await this.fetch(`/api/messages?chatId=${chatId}`, { signal: signal ?? null })).json();
  }

  /** @param {string} chatId */
  async deleteChat(chatId) {
    await this.fetch(`/api/chat?id=${chatId}`, { method: "DELETE" });
  }

  /**
   * @param {string} chatId
   * @returns {Promise<boolean>} whether a running answer was stopped
   */
  async stop(chatId) {
    const response = await this.fetch(`/api/chat/${chatId}/stop`, { method: "POST" });
    const { stopped } = /** @type {import("./types/shapes.js").StopAnswer} */ (await response.json());
    return stopped;
  }

  /**
   * Sends a user's message; the response's body is the stream of the answer.
   * @param {{ chatId: string, messageId: string, text: string, model: string, key: string }} message
   * @param {AbortSignal} signal
   */
  async send(message, signal) {
    /** @type {import("./types/shapes.js").ChatRequest} */
    const request = {
      id: message.chatId,
      message: { id: message.messageId, role: "user", parts: [{ type: "text", text: message.text }] },
      selectedChatModel: message.model,
      selectedVisibilityType: "private",
    };
    return this.fetch("/api/chat", {
      method: "POST",
      signal,
      headers: { "content-type": "application/json", "idempotency-key": message.key },
      body: JSON.stringify(request),
    });
  }

  /**
   * Joins the newest answer of a chat: from its first frame, or after the frame `after` if that was of this `answer`.
   * @param {string} chatId
   * @param {{ after: string | null, answer: string | null, wait: boolean, signal: AbortSignal }} options
   */
  async join(chatId, { after, answer, wait, signal }) {
    /** @type {Record<string, string>} */
    const headers = {};
    if (after !== null) headers["last-event-id"] = after;
    if (answer !== null) headers["x-skein-message-id"] = answer;
    return this.fetch(`/api/chat/${chatId}/stream${wait ? "?wait=1" : ""}`, { signal, headers });
  }
}

/** @returns {User | null} the user that the stored token belongs to */
export function storedUser() {
  try {
    return JSON.parse(recall("user") ?? "null");
  } catch {
    return null;
  }
}

/**
 * @param {string} path
 * @param {RequestInit} init
 */
async function send(path, init) {
  try {
    return await fetch(path, { cache: "no-store", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Unreachable("Skein could not be reached.");
  }
}

/**
 * @param {RequestInit & { headers?: Record<string, string> }} init
 * @param {string} token
 * @returns {RequestInit}
 */
function withToken(init, token) {
  return { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } };
}

/** @param {Response} response */
async function toError(response) {
  /** What a proxy in between answers may have any shape. @type {Partial<Record<keyof import("./types/shapes.js").ErrorAnswer, unknown>>} */
  let body = {};
  try {
    body = await response.json();
  } catch {
    // A proxy in between may answer with a page of its own; the status is all there is then.
  }
  const code = typeof body.code === "string" ? body.code : "";
  const told = [body.message, body.error].find((each) => typeof each === "string" && each !== "");
  const sentence = SENTENCES[code] ?? told ?? `The server answered with status ${response.status}.`;
  return new ApiError(response.status, code, String(sentence));
}
