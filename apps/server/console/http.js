// @ts-check
// Requests as such, and what goes wrong with them.

/** An answer of the server that is not a success. `message` is a sentence to show. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code such as `rate_limit:chat`, or empty
   * @param {string} message
   * @param {string} detail which parameter was wrong and how, such as `email: …`, or empty
   */
  constructor(status, code, message, detail) {
    super(message);
    this.status = status;
    this.code = code;
    this.detail = detail;
  }
}

/** Raised when the server could not be reached at all. */
export class Unreachable extends Error {
  constructor() {
    super("Skein could not be reached.");
  }
}

/** @type {Record<string, string>} */
const SENTENCES = {
  "rate_limit:chat": "You have reached the number of messages for now. Please try again later.",
  "rate_limit:auth": "Too many tries. Please wait a moment.",
  "forbidden:chat": "This conversation belongs to someone else.",
  "not_found:chat": "There is no such conversation.",
  "not_found:document": "There is no such document.",
  "forbidden:document": "This document belongs to someone else.",
  "offline:chat": "Skein cannot take messages at the moment.",
};

/**
 * Sends a request. Throws `Unreachable` when nothing answers.
 * @param {string} path
 * @param {RequestInit} init
 */
export async function send(path, init) {
  try {
    return await fetch(path, { cache: "no-store", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Unreachable();
  }
}

/**
 * @param {string} method
 * @param {unknown} body
 * @returns {{ method: string, headers: Record<string, string>, body: string }}
 */
export function withJson(method, body) {
  return { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

/**
 * Reads an answer that is not a success.
 * @param {Response} response
 */
export async function toError(response) {
  let body = {};
  try {
    body = await response.json();
  } catch {
    // A proxy in between may answer with a page of its own; the status is all there is then.
  }
  return errorOf(response.status, body);
}

/**
 * @param {number} status
 * @param {Partial<Record<keyof import("./types/shapes.js").ErrorAnswer, unknown>>} body what a proxy in between answers may have any shape
 */
export function errorOf(status, body) {
  const text = (/** @type {unknown} */ value) => (typeof value === "string" ? value : "");
  const code = text(body.code);
  const sentence = SENTENCES[code] ?? (text(body.message) || text(body.error) || `The server answered with status ${status}.`);
  return new ApiError(status, code, sentence, text(body.cause));
}
