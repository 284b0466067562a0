// @ts-check
// Waiting for an answer that somebody else asks for in the open conversation. The server holds the request until one starts.

import { readEvents } from "./sse.js";

/** A request without a stream that comes back sooner than this was not held. */
const HELD_MS = 1_500;
const SILENCE_MS = 25_000;
const PAUSE_MS = 20_000;
/** After so many requests in a row that were not held, the server is taken not to know how to wait. */
const PATIENCE = 3;

export class Watch {
  /** @type {AbortController | null} */
  #abort = null;
  #notHeld = 0;

  /**
   * @param {import("./api.js").Api} api
   * @param {(chatId: string, response: Response) => void} onStream called with the stream of an answer that has started
   */
  constructor(api, onStream) {
    this.api = api;
    this.onStream = onStream;
  }

  /** @param {string} chatId */
  start(chatId) {
    this.stop();
    if (this.#notHeld >= PATIENCE) return;
    this.#abort = new AbortController();
    void this.#wait(chatId, this.#abort);
  }

  stop() {
    this.#abort?.abort();
    this.#abort = null;
  }

  /**
   * @param {string} chatId
   * @param {AbortController} abort
   */
  async #wait(chatId, abort) {
    while (!abort.signal.aborted && this.#notHeld < PATIENCE) {
      const asked = performance.now();
      try {
        const response = await this.api.join(chatId, { after: null, answer: null, wait: true, signal: abort.signal });
        if (await starts(response, abort.signal)) {
          this.#notHeld = 0;
          this.#abort = null;
          this.onStream(chatId, response);
          return;
        }
        await response.body?.cancel();
        const held = performance.now() - asked > HELD_MS;
        this.#notHeld = held ? 0 : this.#notHeld + 1;
        if (held) continue;
      } catch {
        if (abort.signal.aborted) return;
        this.#notHeld += 1;
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

/**
 * Tells whether a response is the stream of an answer, by its first event. The response stays unread: a copy is looked at.
 * @param {Response} response
 * @param {AbortSignal} signal
 * @returns {Promise<boolean>}
 */
async function starts(response, signal) {
  if (response.status !== 200) return false;
  const copy = response.clone().body;
  if (!copy) return false;
  for await (const event of readEvents(copy, SILENCE_MS, signal)) {
    return event.data !== "[DONE]" && JSON.parse(event.data).type === "start";
  }
  return false;
}
