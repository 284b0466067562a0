// @ts-check
// What the page says before the first message, and the banner that is up while the demo model answers.

import { byId, h } from "./dom.js";

/** @type {{ title: string, hint: string, text: string }[]} */
const IDEAS = [
  {
    title: "Reload in the middle of an answer",
    hint: "It goes on where it was, also in a second tab.",
    text: "Explain in detail, with headings and a list, how a message travels through a chat server. Make it long.",
  },
  {
    title: "Have a document written",
    hint: "It grows beside the conversation, and keeps its versions.",
    text: "Write a document about the history of tea.",
  },
  {
    title: "Stop an answer",
    hint: "Press Esc while it is written. What is there stays.",
    text: "Count from one to three hundred in words, one number per line.",
  },
];

/**
 * Keeps the start of a conversation and the banner up to date.
 * @param {import("./store.js").Store} store
 * @param {(text: string) => void} fill puts an idea into the composer
 */
export function showEmpty(store, fill) {
  const ideas = byId("ideas");
  ideas.append(
    ...IDEAS.map((idea) =>
      h(
        "li",
        {},
        h(
          "button",
          { type: "button", class: "idea", onclick: () => fill(idea.text) },
          h("strong", {}, idea.title),
          h("span", {}, idea.hint),
        ),
      ),
    ),
  );
  const draw = () => {
    const { chatId, messages, loadError, phase, info } = store.state;
    byId("empty").hidden = messages.length > 0 || loadError !== null || (phase !== "idle" && chatId !== null);
    const failure = byId("load-error");
    failure.hidden = loadError === null;
    byId("load-error-words").textContent = loadError ?? "";
    byId("empty-model").textContent = info ? modelSentence(info) : "";
    byId("version").textContent = info ? `Skein ${info.version}` : "Skein";
    drawBanner(info);
  };
  store.on(["chatId", "messages", "loadError", "phase", "info"], draw);
  draw();
}

/** @param {import("./types/shapes.js").Info} info */
function modelSentence(info) {
  return info.demo ? "Answers come from a demo model that only pretends." : `Answers come from ${info.model}.`;
}

/** @param {import("./types/shapes.js").Info | null} info */
function drawBanner(info) {
  const banner = byId("demo-banner");
  banner.hidden = !info?.demo;
  if (!info?.demo || banner.childElementCount > 0) return;
  const variable = info.how && /^[A-Z][A-Z0-9_]*$/.test(info.how) ? info.how : "OPENAI_API_KEY";
  banner.append(
    h("strong", {}, "Demo model."),
    " Set ",
    h("code", {}, variable),
    " (or ",
    h("code", {}, "OPENAI_BASE_URL"),
    ") and restart Skein for real answers.",
  );
}
