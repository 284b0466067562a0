// @ts-check
// Markdown to elements: marked reads it, DOMPurify lets through what is on the list, and code and tables get their frames.

import { h, icon } from "./dom.js";
import purify from "./vendor/dompurify.js";
import { Marked } from "./vendor/marked.js";

/** @typedef {import("./vendor/marked.js").Token} Token */

const TAGS =
  "p h1 h2 h3 h4 h5 h6 ul ol li blockquote pre code em strong del a table thead tbody tr th td hr br sub sup kbd span".split(" ");
const ATTRIBUTES = ["href", "title", "class", "start", "align"];

/** The few elements of HTML that models write inside Markdown; all other HTML is shown as the text that it is. */
const INLINE_HTML = /^<\/?(?:br|sub|sup|kbd)\s*\/?>$/i;

const marked = new Marked({
  gfm: true,
  renderer: {
    html(token) {
      const html = INLINE_HTML.test(token.text.trim()) ? token.text : escapeHtml(token.text);
      return token.block ? `<p>${html}</p>` : html;
    },
    // An image from another host would tell that host who reads the answer, so it is only linked to.
    image(token) {
      return `<a href="${escapeHtml(token.href)}">${escapeHtml(token.text || "image")}</a>`;
    },
    checkbox(token) {
      return `<span class="task">${token.checked ? "☑" : "☐"}</span> `;
    },
    code(token) {
      const language = /^[\w+#.-]+/.exec(token.lang ?? "")?.[0] ?? "";
      const name = language ? ` class="language-${escapeHtml(language)}"` : "";
      return `<pre><code${name}>${escapeHtml(token.text)}\n</code></pre>\n`;
    },
  },
});

/**
 * Splits Markdown into its blocks.
 * @param {string} text
 */
export function blocksOf(text) {
  return marked.lexer(text);
}

/**
 * Makes the elements of blocks.
 * @param {Token[]} blocks
 * @param {number[]} outline the depths of the headings that the blocks stand under; it is brought up to date
 * @returns {DocumentFragment}
 */
export function renderBlocks(blocks, outline) {
  const fragment = sanitise(marked.parser(blocks));
  for (const heading of fragment.querySelectorAll("h1, h2, h3, h4, h5, h6")) placeHeading(heading, outline);
  for (const link of fragment.querySelectorAll("a")) {
    if (link.hasAttribute("href")) {
      link.target = "_blank";
      link.rel = "noopener noreferrer";
    } else {
      link.replaceWith(...link.childNodes);
    }
  }
  for (const pre of fragment.querySelectorAll("pre")) pre.replaceWith(frameCode(pre));
  for (const table of fragment.querySelectorAll("table")) {
    const frame = h("div", { class: "table-frame", tabindex: "0", role: "group", "aria-label": "Table" });
    table.replaceWith(frame);
    frame.append(table);
  }
  return fragment;
}

/**
 * Makes elements of HTML, without anything that could run, load or be styled.
 * @param {string} html
 * @returns {DocumentFragment}
 */
export function sanitise(html) {
  return purify.sanitize(html, {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ATTRIBUTES,
    ALLOW_DATA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
}

/**
 * Puts a block of code into its frame, with the language and a button to copy it.
 * @param {HTMLPreElement} pre
 * @returns {HTMLElement}
 */
export function frameCode(pre) {
  const code = pre.querySelector("code") ?? pre;
  const language = /language-(\S+)/.exec(code.className)?.[1] ?? "";
  const label = language ? `Code, ${language}` : "Code";
  const framed = pre.cloneNode(true);
  if (framed instanceof HTMLElement) {
    framed.tabIndex = 0;
    framed.setAttribute("role", "group");
    framed.setAttribute("aria-label", label);
  }
  return h(
    "div",
    { class: "code-frame" },
    h(
      "div",
      { class: "code-head" },
      h("span", {}, language || "text"),
      h("button", { type: "button", class: "copy-code quiet-button" }, icon("copy"), h("span", {}, "Copy")),
    ),
    framed,
  );
}

/**
 * Gives a heading its level on the page. The page has the first two levels for itself, and below them an answer's own outline
 * counts, not the depth at which it happens to begin.
 * @param {Element} heading
 * @param {number[]} outline
 */
function placeHeading(heading, outline) {
  const depth = Number(heading.tagName.slice(1));
  while ((outline.at(-1) ?? 0) >= depth) outline.pop();
  outline.push(depth);
  const placed = document.createElement(`h${Math.min(6, outline.length + 2)}`);
  placed.append(...heading.childNodes);
  heading.replaceWith(placed);
}

/** @param {string} text */
function escapeHtml(text) {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
