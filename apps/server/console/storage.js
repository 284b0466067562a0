// @ts-check
// What the page remembers in the browser. A browser may refuse storage altogether; the page then works until it is closed.

/** @type {Map<string, string>} */
const fallback = new Map();

/**
 * Reads a remembered value.
 * @param {string} key
 * @returns {string | null}
 */
export function recall(key) {
  try {
    return localStorage.getItem(`skein.${key}`);
  } catch {
    return fallback.get(key) ?? null;
  }
}

/**
 * Remembers a value, or forgets it when `value` is null.
 * @param {string} key
 * @param {string | null} value
 */
export function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(`skein.${key}`);
    else localStorage.setItem(`skein.${key}`, value);
  } catch {
    if (value === null) fallback.delete(key);
    else fallback.set(key, value);
  }
}
