// @ts-check
// Colours for code, given when the browser has time. The library is loaded with the first block that needs it.

import { sanitise } from "./markdown.js";

/** Longer code stays plain: colouring it would take more than a frame. */
const LONGEST = 40_000;

/** @type {HTMLElement[]} */
const queue = [];
let working = false;

/**
 * Colours a block of finished code by the language in its class; `auto` has it guessed.
 * @param {HTMLElement} code
 */
export function highlight(code) {
  if (!code.className.includes("language-") || (code.textContent ?? "").length > LONGEST) return;
  queue.push(code);
  if (!working) void work();
}

async function work() {
  working = true;
  try {
    const { default: hljs } = await import("./vendor/highlight.js");
    for (let code = queue.shift(); code; code = queue.shift()) {
      await idle();
      const language = /language-(\S+)/.exec(code.className)?.[1] ?? "";
      const text = code.textContent ?? "";
      const guessed = language === "auto";
      if (!code.isConnected || (!guessed && !hljs.getLanguage(language))) continue;
      const { value } = guessed ? hljs.highlightAuto(text) : hljs.highlight(text, { language, ignoreIllegals: true });
      code.replaceChildren(sanitise(value));
    }
  } finally {
    working = false;
  }
}

/** @returns {Promise<void>} */
function idle() {
  return new Promise((resolve) => {
    if ("requestIdleCallback" in window) requestIdleCallback(() => resolve(), { timeout: 200 });
    else setTimeout(resolve, 16);
  });
}
