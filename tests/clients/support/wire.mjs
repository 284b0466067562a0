// The wire itself: frames of a server-sent event stream, and what every parser in the field accepts of a chunk.

import assert from "node:assert/strict";

/** Cuts a body into its complete frames; comments are left out, as they are in a replay. */
export function frames(body) {
  const found = [];
  for (const block of body.split("\n\n").slice(0, -1)) {
    const lines = block.split("\n").filter((line) => !line.startsWith(":"));
    if (lines.length === 0) continue;
    const field = (name) => {
      const values = lines.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2));
      assert.ok(values.length <= 1, `a frame has ${values.length} lines of ${name}: ${block}`);
      return values[0];
    };
    found.push({ raw: lines.join("\n"), id: field("id"), data: field("data") });
  }
  return found;
}

/** The chunks of a body, without the `[DONE]` at its end. */
export function chunks(body) {
  return frames(body)
    .filter((frame) => frame.data !== "[DONE]")
    .map((frame) => JSON.parse(frame.data));
}

/** The keys of each chunk, required and optional, that all parsers from 5.0.26 on accept; nothing else may be sent. */
const KEYS = {
  start: [["messageId"], []],
  "start-step": [[], []],
  "text-start": [["id"], []],
  "text-delta": [["id", "delta"], []],
  "text-end": [["id"], []],
  "reasoning-start": [["id"], []],
  "reasoning-delta": [["id", "delta"], []],
  "reasoning-end": [["id"], []],
  "tool-input-start": [["toolCallId", "toolName"], []],
  "tool-input-delta": [["toolCallId", "inputTextDelta"], []],
  "tool-input-available": [["toolCallId", "toolName", "input"], []],
  "tool-input-error": [["toolCallId", "toolName", "input", "errorText"], []],
  "tool-output-available": [["toolCallId", "output"], []],
  "tool-output-error": [["toolCallId", "errorText"], []],
  "finish-step": [[], []],
  finish: [[], []],
  error: [["errorText"], []],
  abort: [[], []],
};
const DATA_KEYS = [["data"], ["id", "transient"]];
/** What may be sent besides where all clients are of version 6 or newer. */
const KEYS_OF_CONSENT = {
  "tool-approval-request": [["approvalId", "toolCallId"], []],
  "tool-output-denied": [["toolCallId"], []],
};

/** The packages whose own schema refuses unknown keys; the newest patches have become lenient, old ones are in use. */
const STRICT = { all: ["ai5b", "ai6old", "ai7old"], v6: ["ai6old", "ai7old"], v7: ["ai7old"] };

/**
 * Fails unless `body` is a whole, well-formed stream: numbered frames, chunks that every parser accepts, one `[DONE]`
 * at the very end. `ai` is the package under test, `allowed` what SKEIN_AI_SDK_CHUNKS is.
 */
export async function checkStream(body, ai, allowed = "all") {
  const known = allowed === "all" ? KEYS : { ...KEYS, ...KEYS_OF_CONSENT };
  const all = frames(body);
  assert.ok(body.endsWith("\n\n"), "the stream ends inside a frame");
  assert.deepEqual(
    all.map((frame) => frame.id),
    all.map((_, index) => String(index)),
    "frames are numbered from 0",
  );
  assert.equal(all.findIndex((frame) => frame.data === "[DONE]"), all.length - 1, "one [DONE], at the end");
  const schemas = [ai, ...(await Promise.all(STRICT[allowed].map((name) => import(name))))]
    .filter((module) => module.uiMessageChunkSchema)
    .map((module) => module.uiMessageChunkSchema());
  for (const chunk of chunks(body)) {
    const [needed, optional] = chunk.type.startsWith("data-") ? DATA_KEYS : (known[chunk.type] ?? []);
    assert.ok(needed, `${chunk.type} is no chunk that every client accepts`);
    const keys = Object.keys(chunk);
    assert.equal(keys[0], "type", "`type` comes first");
    for (const key of needed) assert.ok(keys.includes(key), `${chunk.type} has no ${key}`);
    for (const key of keys) {
      assert.ok(["type", ...needed, ...optional].includes(key), `${chunk.type} may not have ${key}`);
      assert.ok(chunk[key] !== null || key === "data" || key === "output", `${chunk.type}.${key} is null`);
    }
    for (const schema of schemas) {
      const verdict = await schema.validate(chunk);
      assert.ok(verdict.success, `${JSON.stringify(chunk)} is refused: ${verdict.error}`);
    }
  }
}
