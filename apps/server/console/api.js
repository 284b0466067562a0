// @ts-check
// The calls to the server. Each carries the bearer token, which is renewed once when the server does not know it any longer.

import { ApiError, Unreachable, errorOf, send, toError, withJson } from "./http.js";
import { Session } from "./session.js";

/** @typedef {import("./types/shapes.js").DocumentRow} DocumentRow */
/** @typedef {import("./types/shapes.js").Message} Message */

/** How long an upload may go without a byte before it is given up. */
const UPLOAD_MS = 120_000;

export class Api {
  session = new Session();

  /**
   * Sends a request with the token and returns the response if it is a success.
   * @param {string} path
   * @param {RequestInit & { headers?: Record<string, string> }} [init]
   * @returns {Promise<Response>}
   */
  async fetch(path, init = {}) {
    let token = await this.session.token();
    let response = await send(path, withToken(init, token));
    if (response.status === 401) {
      token = await this.session.token(token);
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

  /** @returns {Promise<import("./types/shapes.js").Model[]>} the models to choose from, the default first */
  async models() {
    const response = await send("/api/models", {});
    return response.ok ? (await response.json()).models : [];
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

  async deleteHistory() {
    await this.fetch("/api/history", { method: "DELETE" });
  }

  /**
   * @param {string} words
   * @param {AbortSignal} signal
   * @returns {Promise<import("./types/shapes.js").SearchResult[]>}
   */
  async search(words, signal) {
    return (await (await this.fetch(`/api/search?${new URLSearchParams({ q: words })}`, { signal })).json()).results;
  }

  /**
   * @param {string} chatId
   * @param {AbortSignal} [signal]
   * @returns {Promise<import("./types/shapes.js").MessagesPage>}
   */
  async messages(chatId, signal) {
    return (await this.fetch(`/api/messages?chatId=${chatId}`, { signal: signal ?? null })).json();
  }

  /**
   * @param {string} chatId
   * @returns {Promise<import("./types/shapes.js").ChatRow>}
   */
  async chat(chatId) {
    return (await this.fetch(`/api/chat/${chatId}`)).json();
  }

  /**
   * @param {string} chatId
   * @param {{ title?: string, visibility?: "public" | "private" }} change
   * @returns {Promise<import("./types/shapes.js").ChatRow>}
   */
  async changeChat(chatId, change) {
    return (await this.fetch(`/api/chat/${chatId}`, withJson("PATCH", change))).json();
  }

  /** @param {string} chatId */
  async deleteChat(chatId) {
    await this.fetch(`/api/chat?id=${chatId}`, { method: "DELETE" });
  }

  /**
   * @param {string} chatId
   * @returns {Promise<import("./types/shapes.js").Vote[]>}
   */
  async votes(chatId) {
    return (await this.fetch(`/api/vote?chatId=${chatId}`)).json();
  }

  /**
   * @param {string} chatId
   * @param {string} messageId
   * @param {"up" | "down"} type
   */
  async vote(chatId, messageId, type) {
    await this.fetch("/api/vote", withJson("PATCH", { chatId, messageId, type }));
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
   * @param {{ chatId: string, message: Message, model: string, key: string }} what
   * @param {AbortSignal} signal
   */
  async send({ chatId, message, model, key }, signal) {
    /** @type {import("./types/shapes.js").ChatRequest} */
    const request = {
      id: chatId,
      message: { id: message.id, role: "user", parts: message.parts.flatMap(sentPart) },
      selectedChatModel: model,
      selectedVisibilityType: "private",
    };
    return this.#stream(request, key, signal);
  }

  /**
   * Sends what the reader said to the calls of an answer, which goes on with that; the response's body is its stream.
   * @param {{ chatId: string, message: Message, model: string, key: string }} what
   * @param {AbortSignal} signal
   */
  async reply({ chatId, message, model, key }, signal) {
    const { id, role, parts } = message;
    // Of the whole conversation only this counts; the server has the rest.
    const replies = parts.filter((part) => part.state === "approval-responded");
    return this.#stream({ id: chatId, messages: [{ id, role, parts: replies }], selectedChatModel: model }, key, signal);
  }

  /**
   * @param {object} request
   * @param {string} key
   * @param {AbortSignal} signal
   */
  #stream(request, key, signal) {
    const init = withJson("POST", request);
    init.headers["idempotency-key"] = key;
    return this.fetch("/api/chat", { ...init, signal });
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

  /**
   * @param {string} id
   * @returns {Promise<DocumentRow[]>} all versions, oldest first
   */
  async document(id) {
    return (await this.fetch(`/api/document?id=${encodeURIComponent(id)}`)).json();
  }

  /**
   * Stores a version of a document.
   * @param {string} id
   * @param {{ title: string, content: string, kind: DocumentRow["kind"] }} version
   */
  async saveDocument(id, version) {
    await this.fetch(`/api/document?id=${encodeURIComponent(id)}`, withJson("POST", version));
  }

  /**
   * Deletes the versions of a document that are newer than this one.
   * @param {string} id
   * @param {string} createdAt the version's time, exactly as the server told it
   */
  async restoreDocument(id, createdAt) {
    await this.fetch(`/api/document?${new URLSearchParams({ id, timestamp: createdAt })}`, { method: "DELETE" });
  }

  /**
   * @param {string} documentId
   * @returns {Promise<import("./types/shapes.js").Suggestion[]>}
   */
  async suggestions(documentId) {
    return (await this.fetch(`/api/suggestions?documentId=${encodeURIComponent(documentId)}`)).json();
  }

  /**
   * Brings a file to the server.
   * @param {File} file
   * @param {(share: number) => void} onProgress told how much of it is there, from 0 to 1
   * @param {AbortSignal} signal
   * @returns {Promise<import("./types/shapes.js").Upload>}
   */
  async upload(file, onProgress, signal) {
    let token = await this.session.token();
    let answer = await upload(file, token, onProgress, signal);
    if (answer.status === 401) {
      token = await this.session.token(token);
      answer = await upload(file, token, onProgress, signal);
    }
    if (answer.status !== 200) throw errorOf(answer.status, answer.body);
    return answer.body;
  }
}

/**
 * A part of a user's message as the server takes it.
 * @param {import("./types/shapes.js").Part} part
 * @returns {import("./types/shapes.js").SentPart[]}
 */
function sentPart({ type, text, mediaType, name, url }) {
  if (type === "text" && text) return [{ type, text }];
  if (type === "file" && mediaType && url) return [{ type, mediaType, name: name || "image", url }];
  return [];
}

/**
 * `fetch` does not tell how much of a body is sent, so this is an older kind of request.
 * @param {File} file
 * @param {string} token
 * @param {(share: number) => void} onProgress
 * @param {AbortSignal} signal
 * @returns {Promise<{ status: number, body: any }>}
 */
function upload(file, token, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/files/upload");
    request.setRequestHeader("authorization", `Bearer ${token}`);
    request.timeout = UPLOAD_MS;
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onload = () => resolve({ status: request.status, body: request.response ?? {} });
    request.onerror = () => reject(new Unreachable());
    request.ontimeout = () => reject(new ApiError(0, "", "It took too long.", ""));
    request.onabort = () => reject(new DOMException("The upload was taken back.", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    const form = new FormData();
    form.append("file", file);
    request.send(form);
  });
}

/**
 * @param {RequestInit & { headers?: Record<string, string> }} init
 * @param {string} token
 * @returns {RequestInit}
 */
function withToken(init, token) {
  return { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } };
}
