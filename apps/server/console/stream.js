// @ts-check
// Following one answer to its end, over as many connections as that takes.

import { ApiError, Unreachable } from "./http.js";
import { readEvents } from "./sse.js";

/** @typedef {import("./types/wire.js").Chunk} Chunk */

/** The server sends a comment every 10 s, so this long a silence means that the connection is gone. */
const SILENCE_MS = 25_000;
const BACKOFF_MS = [250, 500, 1_000, 2_000, 4_000, 8_000];

/**
 * @typedef {object} Following
 * @property {string} chatId
 * @property {import("./api.js").Api} api
 * @property {AbortSignal} signal ends the reading; the server goes on with the answer
 * @property {((signal: AbortSignal) => Promise<Response>) | null} open the first request when it is not a join
 * @property {() => void} onOpen called once, when the server has taken the first request
 * @property {(chunk: Chunk) => void | Promise<void>} onChunk called for each chunk, in order, each once
 * @property {() => void} onLost called when the connection is lost
 */

/**
 * Reads an answer until its end. After a lost connection it joins again behind the last frame that it has seen. Returns
 * `done` at the closing frame, `nothing` when the server has no (more) frames, and `another` when another answer has taken
 * the place of this one: the stored messages then tell the rest. Throws `ApiError` when the server refuses, and
 * `Unreachable` when the very first request did not get through.
 * @param {Following} following
 * @returns {Promise<"done" | "nothing" | "another">}
 */
export async function follow(following) {
  const { api, chatId, signal } = following;
  /** @type {string | null} */
  let last = null;
  /** @type {string | null} */
  let answer = null;
  let failures = 0;
  let opened = false;

  for (;;) {
    try {
      /** @type {Response} */
      const response =
        !opened && following.open
          ? await following.open(signal)
          : await api.join(chatId, { after: last, answer, wait: false, signal });
      if (response.status === 204 || !response.body) return "nothing";

      // Frames are counted anew for each answer, so a cursor means nothing in another one.
      const named = response.headers.get("x-skein-message-id");
      if (answer !== null && named !== null && named !== answer) {
        await response.body.cancel();
        return "another";
      }
      answer = named ?? answer;
      if (!opened) {
        opened = true;
        following.onOpen();
      }

      const after = last;
      let first = true;
      let repeats = false;
      /** @type {AsyncIterable<import("./sse.js").SseEvent>} */
      const events = readEvents(response.body, SILENCE_MS, signal);
      for await (const event of events) {
        // A server that does not know the cursor replays everything, which shows by its first frame; what is known is skipped.
        if (first) repeats = after !== null && event.id === "0";
        first = false;
        failures = 0;
        if (event.data === "[DONE]") return "done";
        if (repeats && Number(event.id) <= Number(after)) continue;
        last = event.id;
        const handled = following.onChunk(JSON.parse(event.data));
        if (handled) await handled;
      }
      if (first) return "nothing";
    } catch (error) {
      if (signal.aborted) throw error;
      if (error instanceof ApiError && (!opened || (error.status < 500 && error.status !== 429))) throw error;
      if (error instanceof Unreachable && !opened && following.open) throw error;
      if (error instanceof SyntaxError) throw error;
    }
    following.onLost();
    await pause(BACKOFF_MS[Math.min(failures, BACKOFF_MS.length - 1)] ?? 1_000, signal);
    failures += 1;
  }
}

/**
 * Waits, but not past the moment at which the browser says that it is online again.
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener("online", end);
      signal.removeEventListener("abort", end);
      if (signal.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(end, ms);
    addEventListener("online", end);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}
