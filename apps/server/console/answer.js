// @ts-check
// How the chunks of a stream become the parts of a message.

/** @typedef {import("./types/shapes.js").Message} Message */
/** @typedef {import("./types/shapes.js").Part} Part */
/** @typedef {import("./types/wire.js").Chunk} Chunk */

export class AnswerFold {
  /** @type {Message} */
  message;
  /** @type {Map<string, Part>} */
  #open = new Map();
  /** @type {Map<string, string>} */
  #rawInput = new Map();

  /**
   * Starts to write into `message`; parts that it already has stay (an answer may continue an earlier one).
   * @param {Message} message
   */
  constructor(message) {
    this.message = message;
  }

  /**
   * Applies one chunk and tells whether it brought something of the answer itself, as opposed to its frame.
   * @param {Chunk} chunk
   * @returns {boolean}
   */
  apply(chunk) {
    const parts = this.message.parts;
    switch (chunk.type) {
      case "start-step":
        parts.push({ type: "step-start" });
        return false;
      case "text-start":
      case "reasoning-start": {
        const type = chunk.type === "text-start" ? "text" : "reasoning";
        const part = { type, text: "", state: "streaming" };
        this.#open.set(`${type} ${chunk.id}`, part);
        parts.push(part);
        return false;
      }
      case "text-delta":
      case "reasoning-delta": {
        const part = this.#open.get(`${chunk.type === "text-delta" ? "text" : "reasoning"} ${chunk.id}`);
        if (!part) return false;
        part.text += chunk.delta;
        return true;
      }
      case "text-end":
      case "reasoning-end": {
        const key = `${chunk.type === "text-end" ? "text" : "reasoning"} ${chunk.id}`;
        const part = this.#open.get(key);
        if (part) part.state = "done";
        this.#open.delete(key);
        return false;
      }
      case "finish-step":
        this.close();
        return false;
      case "tool-input-start":
        this.#tool(chunk.toolCallId, chunk.toolName).state = "input-streaming";
        return true;
      case "tool-input-delta": {
        const raw = (this.#rawInput.get(chunk.toolCallId) ?? "") + chunk.inputTextDelta;
        this.#rawInput.set(chunk.toolCallId, raw);
        this.#tool(chunk.toolCallId).rawInput = raw;
        return true;
      }
      case "tool-input-available":
        Object.assign(this.#tool(chunk.toolCallId, chunk.toolName), { state: "input-available", input: chunk.input });
        return true;
      case "tool-input-error":
        Object.assign(this.#tool(chunk.toolCallId, chunk.toolName), {
          state: "output-error",
          rawInput: chunk.input,
          errorText: chunk.errorText,
        });
        return true;
      case "tool-output-available":
        Object.assign(this.#tool(chunk.toolCallId), { state: "output-available", output: chunk.output });
        return true;
      case "tool-output-error":
        Object.assign(this.#tool(chunk.toolCallId), { state: "output-error", errorText: chunk.errorText });
        return true;
      case "tool-approval-request":
        Object.assign(this.#tool(chunk.toolCallId), { state: "approval-requested", approval: { id: chunk.approvalId } });
        return true;
      case "tool-output-denied":
        this.#tool(chunk.toolCallId).state = "output-denied";
        return true;
      case "file":
        parts.push({ type: "file", mediaType: chunk.mediaType, url: chunk.url });
        return true;
      default:
        return false;
    }
  }

  /** Closes the parts that are still open; nothing more will be added to them. */
  close() {
    for (const part of this.#open.values()) part.state = "done";
    this.#open.clear();
  }

  /**
   * @param {string} id
   * @param {string} [name]
   * @returns {Part}
   */
  #tool(id, name = "tool") {
    const known = this.message.parts.find((part) => part.toolCallId === id);
    if (known) return known;
    /** @type {Part} */
    const part = { type: `tool-${name}`, toolCallId: id, state: "input-streaming" };
    this.message.parts.push(part);
    return part;
  }
}

/**
 * The text of a message as its author sees it, without reasoning and tool calls.
 * @param {Message} message
 * @returns {string}
 */
export function textOf(message) {
  return message.parts
    .filter((part) => part.type === "text")
    .map((part) => part.text ?? "")
    .join("\n\n");
}

/**
 * The calls of a message that wait for the reader's consent.
 * @param {Message} message
 * @returns {Part[]}
 */
export function waiting(message) {
  return message.parts.filter((part) => part.state === "approval-requested");
}

/**
 * Joins the stored messages with those on the page. A message that is on the page keeps its object, so that its view stays;
 * a tail that the server does not hold stays while it tells of a failure, or waits for the reader, right behind the server's
 * last message.
 * @param {Message[]} stored
 * @param {Message[]} shown
 * @returns {Message[]}
 */
export function reconcile(stored, shown) {
  const byId = new Map(shown.map((message) => [message.id, message]));
  const merged = stored.map((message) => {
    const known = byId.get(message.id);
    if (!known) return message;
    known.parts = message.parts;
    known.metadata = { ...known.metadata, ...message.metadata };
    known.local = false;
    return known;
  });
  const lastStored = stored.at(-1)?.id;
  const at = lastStored === undefined ? -1 : shown.findIndex((message) => message.id === lastStored);
  const tail = at >= 0 || stored.length === 0 ? shown.slice(at + 1) : [];
  return tail.some((message) => outcome(message) !== null || waiting(message).length > 0) ? [...merged, ...tail] : merged;
}

/**
 * What there is to say about the end of an answer: null for one that went well or is still being written.
 * @param {Message} message
 * @returns {{ kind: "stopped" | "failed", sentence: string } | null}
 */
export function outcome(message) {
  const { status, error } = message.metadata ?? {};
  const told = error?.message ?? "";
  switch (status) {
    case "stopped":
    case "cancelled":
      return { kind: "stopped", sentence: "Stopped." };
    case "failed":
      return { kind: "failed", sentence: told || "The model could not finish this answer." };
    case "interrupted":
      return { kind: "failed", sentence: told || "This answer was interrupted because the server stopped." };
    case "incomplete":
      return { kind: "failed", sentence: told || "This answer was cut at its length limit." };
    case "expired":
      return { kind: "failed", sentence: told || "This answer waited too long for its tool and was ended." };
    case "missing":
      return { kind: "failed", sentence: "This message has no answer." };
    default:
      return null;
  }
}
