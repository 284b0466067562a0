// @ts-check
// A tool call: what went in and what came out, folded; the question whether it may run; and what it made, as far as people see it.

import { h, icon } from "./dom.js";
import { weatherCard } from "./weather-view.js";

/** @typedef {import("./types/shapes.js").Part} Part */
/** @typedef {import("./types/shapes.js").DocumentKind} DocumentKind */

/** Longer inputs and outputs of a tool are cut on the page. */
const LONGEST_TOOL_TEXT = 20_000;
const KINDS = ["text", "code", "sheet", "image"];
/** Kinds of documents in the reader's words. @type {Record<string, string>} */
const NAMES = { text: "Text", code: "Code", sheet: "Table", image: "Image" };

/**
 * @typedef {object} ToolActions
 * @property {(callId: string, approved: boolean) => void} reply
 * @property {(document: { id: string, title: string, kind: DocumentKind }) => void} openDocument
 */

/**
 * @param {string} type
 * @param {ToolActions} actions
 * @returns {import("./message-view.js").PartView}
 */
export function toolPart(type, actions) {
  const name = type.slice("tool-".length);
  const state = h("span", { class: "fold-state" });
  const body = h("div", { class: "fold-body" });
  const title = h("span", {}, "Tool ", h("code", {}, name));
  const fold = h("details", { class: "fold" }, h("summary", {}, icon("chevron"), title, state), body);
  const made = h("div", { class: "tool-made" });
  const element = h("div", { class: "tool", "data-testid": "tool" }, fold, made);
  let drawn = "";
  return {
    type,
    element,
    update: (part, done, free) => {
      const words = stateOf(part, done);
      const input = show(part.input ?? part.rawInput);
      const failed = part.state === "output-error";
      const output = show(part.errorText ?? part.output);
      const now = `${words}\n${part.state}\n${free}\n${input}\n${output}`;
      if (now === drawn) return;
      drawn = now;
      state.textContent = words;
      fold.classList.toggle("failed", failed);
      body.replaceChildren(
        h("h3", {}, "Input"),
        h("pre", { tabindex: "0" }, input || "–"),
        h("h3", {}, failed ? "Error" : "Output"),
        h("pre", { tabindex: "0" }, output || "–"),
      );
      const outcome = part.state === "approval-requested" ? question(name, part, free, actions) : result(name, part, actions);
      made.hidden = outcome === null;
      made.replaceChildren(...(outcome ? [outcome] : []));
    },
  };
}

/**
 * @param {Part} part
 * @param {boolean} done
 */
function stateOf(part, done) {
  switch (part.state) {
    case "output-available":
      return "done";
    case "output-error":
      return "failed";
    case "output-denied":
      return "denied";
    case "approval-requested":
      return "waits for you";
    case "approval-responded":
      return part.approval?.approved ? "allowed" : "denied";
    default:
      if (done) return "not finished";
      return part.state === "input-streaming" ? "being called…" : "running…";
  }
}

/**
 * @param {string} name
 * @param {Part} part
 * @param {boolean} free
 * @param {ToolActions} actions
 */
function question(name, part, free, actions) {
  const reply = (/** @type {boolean} */ approved) => () => actions.reply(part.toolCallId ?? "", approved);
  const what = brief(part.input);
  return h(
    "div",
    { class: "tool-ask", role: "group", "aria-label": `May ${name} run?`, "data-testid": "approval" },
    h("p", {}, "May ", h("code", {}, name), " run", what ? ` with ${what}` : "", "?"),
    free &&
      h(
        "div",
        { class: "tool-ask-buttons" },
        h("button", { type: "button", class: "plain-button primary", onclick: reply(true), "data-testid": "approve" }, "Allow"),
        h("button", { type: "button", class: "plain-button", onclick: reply(false), "data-testid": "deny" }, "Deny"),
      ),
  );
}

/**
 * The arguments of a call in a few words.
 * @param {unknown} input
 */
function brief(input) {
  if (typeof input !== "object" || input === null) return "";
  const pairs = Object.entries(input).map(([key, value]) => `${key} ${typeof value === "string" ? `“${value}”` : JSON.stringify(value)}`);
  const words = pairs.join(", ");
  return words.length > 200 ? `${words.slice(0, 200)}…` : words;
}

/**
 * @param {string} name
 * @param {Part} part
 * @param {ToolActions} actions
 * @returns {HTMLElement | null}
 */
function result(name, part, actions) {
  if (name === "getWeather" && part.state === "output-available") return weatherCard(part.output);
  const document = documentOf(part.output);
  if (!document || part.state !== "output-available") return null;
  const suggested = name === "requestSuggestions" ? "Suggestions to " : "";
  return h(
    "button",
    { type: "button", class: "document-card", onclick: () => actions.openDocument(document), "data-testid": "document-card" },
    icon("document"),
    h("span", { class: "document-card-title" }, `${suggested}${document.title}`),
    h("span", { class: "document-card-kind" }, NAMES[document.kind] ?? ""),
  );
}

/**
 * The document that a tool's output names.
 * @param {unknown} output
 * @returns {{ id: string, title: string, kind: DocumentKind } | null}
 */
function documentOf(output) {
  if (typeof output !== "object" || output === null || !("id" in output) || !("title" in output) || !("kind" in output)) return null;
  const { id, title, kind } = output;
  if (typeof id !== "string" || typeof title !== "string" || typeof kind !== "string" || !KINDS.includes(kind)) return null;
  return { id, title, kind: /** @type {DocumentKind} */ (kind) };
}

/** @param {unknown} value */
function show(value) {
  if (value === undefined || value === null) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return text.length > LONGEST_TOOL_TEXT ? `${text.slice(0, LONGEST_TOOL_TEXT)}…` : text;
}
