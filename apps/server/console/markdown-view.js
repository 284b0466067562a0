// @ts-check
// Markdown that grows. Blocks that can no longer change are rendered once and left alone; only what follows them is rendered
// again as text arrives, and of that only the nodes that differ are touched. An open code fence takes its text as it comes.

import { highlight } from "./highlight.js";
import { blocksOf, frameCode, renderBlocks } from "./markdown.js";
import { h } from "./dom.js";
import { morph } from "./morph.js";

/** @typedef {import("./vendor/marked.js").Token} Token */

/** Blocks that a blank line ends for good; a list may go on behind one. */
const ENDED_BY_BLANK = new Set(["paragraph", "heading", "hr", "table", "blockquote", "html"]);

export class MarkdownView {
  element = h("div", { class: "markdown" });
  #tail = h("div", { class: "markdown-tail" });
  #text = "";
  /** How much of the text stands in finished blocks. */
  #settled = 0;
  /** How much of the text had been looked at when blocks were last settled. */
  #looked = 0;
  /** The open code fence at the end, and how much of the text it has taken. @type {{ node: Text, marker: string, taken: number } | null} */
  #fence = null;
  #final = false;
  /** The depths of the headings under which the finished blocks end. @type {number[]} */
  #outline = [];
  /** How many characters at the end of the open fence belong to a line that is not complete yet. */
  #partialLength = 0;

  constructor() {
    this.element.append(this.#tail);
  }

  /**
   * Shows `text`. While `final` is false more may follow; when it is true everything is settled.
   * @param {string} text
   * @param {boolean} final
   */
  update(text, final) {
    // marked counts a line end as one character, and what is settled is counted by its tokens.
    if (text.includes("\r")) text = text.replace(/\r\n?/g, "\n");
    if (text === this.#text && final === this.#final) return;
    if (!text.startsWith(this.#text) || this.#final) this.#reset();
    this.#text = text;
    this.#final = final;
    if (final) {
      // A reference may be used before it is defined, so a text that defines some is read once more as a whole.
      if (this.#settled > 0 && /^ {0,3}\[[^\]]+\]:/m.test(text)) this.#settled = 0;
      if (this.#settled === 0) {
        this.#outline = [];
        this.element.replaceChildren(this.#tail);
      }
      this.#fence = null;
      this.#settle(blocksOf(text.slice(this.#settled)));
      this.#tail.replaceChildren();
      return;
    }
    if (this.#fence && this.#feedFence()) return;
    this.#settleLines();
    if (this.#openFence()) return;
    morph(this.#tail, renderBlocks(blocksOf(text.slice(this.#settled)), [...this.#outline]));
  }

  #reset() {
    this.#text = "";
    this.#settled = 0;
    this.#looked = 0;
    this.#fence = null;
    this.#outline = [];
    this.#final = false;
    this.#tail.replaceChildren();
    this.element.replaceChildren(this.#tail);
  }

  /** Settles the blocks that the complete lines so far have ended. */
  #settleLines() {
    const end = this.#text.lastIndexOf("\n") + 1;
    if (end <= Math.max(this.#looked, this.#settled)) return;
    this.#looked = end;
    const blocks = blocksOf(this.#text.slice(this.#settled, end));
    let last = blocks.findLastIndex((block) => block.type !== "space");
    const block = blocks[last];
    if (!block) return;
    const blank = blocks.length > last + 1 || block.raw.endsWith("\n\n");
    const ended = block.type === "code" ? isClosed(block.raw) : blank && ENDED_BY_BLANK.has(block.type);
    if (ended) last += 1;
    this.#settle(blocks.slice(0, last));
  }

  /** @param {Token[]} blocks */
  #settle(blocks) {
    if (blocks.length === 0) return;
    const nodes = [...renderBlocks(blocks, this.#outline).children];
    for (const node of nodes) {
      const shown = this.#tail.firstElementChild;
      // What the tail shows already is moved, not replaced, so that a selection in it stays.
      const same = shown?.isEqualNode(node) ?? false;
      const kept = same && shown ? shown : node;
      if (!same) shown?.remove();
      this.element.insertBefore(kept, this.#tail);
      for (const code of kept.querySelectorAll("pre code")) highlight(/** @type {HTMLElement} */ (code));
    }
    for (const block of blocks) this.#settled += block.raw.length;
  }

  /** Starts to feed a code fence at the end of the text and tells whether there is one. */
  #openFence() {
    const rest = this.#text.slice(this.#settled);
    const opening = /^(`{3,}(?=[^`\n]*\n)|~{3,})([^\n]*)\n/.exec(rest);
    if (!opening?.[1]) return false;
    const language = /^[\w+#.-]+/.exec((opening[2] ?? "").trim())?.[0];
    const code = h("code", { class: language ? `language-${language}` : null });
    const node = document.createTextNode("");
    code.append(node);
    const frame = frameCode(h("pre", {}, code));
    const fed = frame.querySelector("code")?.firstChild ?? node;
    this.#tail.replaceChildren(frame);
    this.#partialLength = 0;
    this.#fence = { node: /** @type {Text} */ (fed), marker: opening[1], taken: this.#settled + opening[0].length };
    return this.#feedFence();
  }

  /** Adds new text to the open fence; tells false, and forgets the fence, when it has been closed. */
  #feedFence() {
    const fence = this.#fence;
    if (!fence) return false;
    const fresh = this.#text.slice(fence.taken);
    const end = fresh.lastIndexOf("\n") + 1;
    const lines = fresh.slice(0, end);
    const sign = fence.marker[0];
    const closing = new RegExp(`^ {0,3}\\${sign}{${fence.marker.length},}[ \\t]*$`, "m");
    if (closing.test(lines)) {
      this.#fence = null;
      return false;
    }
    // The last line is held back while it could still become the closing one; lines before it are final.
    const partial = fresh.slice(end);
    const held = new RegExp(`^ {0,3}\\${sign}*[ \\t]*$`).test(partial);
    const taken = this.#append(fence.node, lines, held ? "" : partial);
    fence.taken += taken;
    return true;
  }

  /**
   * @param {Text} node
   * @param {string} lines
   * @param {string} partial
   * @returns {number} how many characters of the text are final
   */
  #append(node, lines, partial) {
    const kept = node.data.length - Math.min(this.#partialLength, node.data.length);
    const shown = node.data.slice(kept);
    const next = lines + partial;
    if (next.startsWith(shown)) node.appendData(next.slice(shown.length));
    else node.replaceData(kept, shown.length, next);
    this.#partialLength = partial.length;
    return lines.length;
  }
}

/**
 * Tells whether a fenced block has its closing fence. Indented code has none and may always go on.
 * @param {string} raw
 */
function isClosed(raw) {
  const opening = /^ {0,3}(`{3,}|~{3,})/.exec(raw);
  if (!opening?.[1]) return false;
  const last = raw.trimEnd().split("\n").slice(1).at(-1) ?? "";
  const closing = /^ {0,3}(`{3,}|~{3,})[ \t]*$/.exec(last);
  const marker = closing?.[1] ?? "";
  return marker[0] === opening[1][0] && marker.length >= opening[1].length;
}
