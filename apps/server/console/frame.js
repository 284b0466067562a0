// @ts-check
// One place that asks for animation frames, so that all views are drawn in the same frame and the page is laid out once in it.

/** @type {Map<string, () => void>} */
const waiting = new Map();
let asked = false;

/**
 * Runs `draw` in the next frame. Of several requests with one key only the newest is run.
 * @param {string} key
 * @param {() => void} draw
 */
export function inFrame(key, draw) {
  waiting.set(key, draw);
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    const draws = [...waiting.values()];
    waiting.clear();
    for (const each of draws) each();
  });
}
