// @ts-check
// The numbers of the open conversation: the budget bar above the composer and the pane beside the messages.

import { byId, h } from "./dom.js";
import { count, duration, percent, rate } from "./format.js";
import { inFrame } from "./frame.js";

export class Pane {
  #details = byId("pane-details");
  #budget = byId("budget");
  #bar = /** @type {HTMLProgressElement} */ (byId("budget-bar"));
  #words = byId("budget-words");

  /** @param {import("./store.js").Store} store */
  constructor(store) {
    this.store = store;
    store.on(["usage", "timing", "messages", "info", "phase"], () => inFrame("pane", () => this.#draw()));
    this.#draw();
  }

  #draw() {
    const { usage, info } = this.store.state;
    const window = usage?.context?.totalMax ?? info?.window ?? 0;
    const used = usage?.totalTokens ?? 0;
    this.#budget.hidden = window === 0;
    this.#bar.max = Math.max(window, 1);
    this.#bar.value = Math.min(used, window);
    this.#bar.classList.toggle("nearly-full", used > 0.9 * window);
    const words = `${count(used)} of ${count(window)} tokens`;
    if (this.#words.textContent !== words) {
      this.#words.textContent = words;
      this.#bar.setAttribute("aria-label", `Context used: ${words}`);
    }
    this.#drawDetails(used, window);
  }

  /**
   * @param {number} used
   * @param {number} window
   */
  #drawDetails(used, window) {
    const { usage, timing, messages, info, phase } = this.store.state;
    const usages = messages.map((message) => message.metadata?.usage).filter((each) => each !== null && each !== undefined);
    const input = sum(usages.map((each) => each.inputTokens));
    const output = sum(usages.map((each) => each.outputTokens));
    const first = timing?.sentAt && timing.firstAt ? timing.firstAt - timing.sentAt : null;
    const writing = timing?.firstAt && timing.endedAt ? timing.endedAt - timing.firstAt : null;
    const total = timing?.sentAt && timing.endedAt ? timing.endedAt - timing.sentAt : null;
    const speed = phase === "idle" && usage && writing ? usage.outputTokens / (writing / 1_000) : null;

    /** @type {[string, [string, string | null][]][]} */
    const groups = [
      [
        "Last answer",
        [
          ["Model", usage?.modelId ?? info?.model ?? null],
          ["Time to first token", first === null ? null : duration(first)],
          ["Tokens per second", speed === null ? null : rate(speed)],
          ["Duration", total === null ? null : duration(total)],
          ["Input tokens", usage ? count(usage.inputTokens) : null],
          ["Output tokens", usage ? count(usage.outputTokens) : null],
          ["Reasoning tokens", usage?.reasoningTokens ? count(usage.reasoningTokens) : null],
          ["Cached input tokens", usage?.cachedInputTokens ? count(usage.cachedInputTokens) : null],
        ],
      ],
      [
        "This conversation",
        [
          ["Messages", count(messages.filter((message) => !message.local).length)],
          ["Context in use", window > 0 ? `${percent(used / window)} %` : null],
          ["Input tokens", usages.length > 0 ? count(input) : null],
          ["Output tokens", usages.length > 0 ? count(output) : null],
        ],
      ],
    ];
    const optional = new Set(["Reasoning tokens", "Cached input tokens"]);
    this.#details.replaceChildren(
      ...groups.flatMap(([title, rows]) => [
        h("h3", {}, title),
        h(
          "dl",
          {},
          ...rows
            .filter(([name, value]) => value !== null || !optional.has(name))
            .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value ?? "–"))),
        ),
      ]),
    );
  }
}

/** @param {number[]} values */
function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
