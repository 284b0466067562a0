// @ts-check
// Reading server-sent events from a fetch body. `EventSource` cannot send a body or a header, so the page reads them itself,
// by the rules of the HTML standard ("Interpreting an event stream").

/**
 * @typedef {object} SseEvent
 * @property {string} data
 * @property {string | null} id the last id seen so far, also when this event carries none of its own
 */

export class SseParser {
  #rest = "";
  #afterCr = false;
  #started = false;
  /** @type {string[]} */
  #data = [];
  /** @type {string | null} */
  #id = null;

  /**
   * Takes the next piece of text, cut anywhere, and returns the events that it completes.
   * @param {string} piece
   * @returns {SseEvent[]}
   */
  push(piece) {
    if (piece === "") return [];
    if (!this.#started) {
      this.#started = true;
      if (piece.startsWith("\uFEFF")) piece = piece.slice(1);
    }
    // A line end may be cut between its CR and its LF; the CR has ended the line already.
    if (this.#afterCr && piece.startsWith("\n")) piece = piece.slice(1);
    this.#afterCr = piece.endsWith("\r");

    /** @type {SseEvent[]} */
    const events = [];
    const lines = piece.split(/\r\n|\n|\r/);
    lines[0] = this.#rest + (lines[0] ?? "");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const event = this.#line(line);
      if (event) events.push(event);
    }
    return events;
  }

  /**
   * @param {string} line
   * @returns {SseEvent | null}
   */
  #line(line) {
    if (line === "") {
      if (this.#data.length === 0) return null;
      const event = { data: this.#data.join("\n"), id: this.#id };
      this.#data = [];
      return event;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return null;
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "data") this.#data.push(value);
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return null;
  }
}

/**
 * Yields the events of a body as they arrive and returns at its end. Throws when the body breaks off, and when it stays silent
 * for `silenceMs`: a connection that was lost on its way need not be reported by anyone. `signal` ends the reading.
 * @param {ReadableStream<Uint8Array>} body
 * @param {number} silenceMs
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<SseEvent, void, void>}
 */
export async function* readEvents(body, silenceMs, signal) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new SseParser();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let watch;
  let silent = false;
  const cancel = () => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", cancel);
  const restart = () => {
    clearTimeout(watch);
    watch = setTimeout(() => {
      silent = true;
      cancel();
    }, silenceMs);
  };
  try {
    for (;;) {
      restart();
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (silent) throw new Error("the stream fell silent");
      if (done) return;
      for (const event of parser.push(decoder.decode(value, { stream: true }))) yield event;
    }
  } finally {
    clearTimeout(watch);
    signal.removeEventListener("abort", cancel);
    cancel();
  }
}
