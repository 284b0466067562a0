// @ts-check
// The open conversation stands in the address, as `/?c=<id>`, so that reload, bookmarks and the browser's buttons work.

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** @returns {string | null} the conversation of the address; null for a new one */
export function routeChat() {
  const id = new URLSearchParams(location.search).get("c");
  return id !== null && UUID.test(id) ? id.toLowerCase() : null;
}

/**
 * @param {string | null} chatId
 * @returns {string}
 */
export function addressOf(chatId) {
  return chatId === null ? "/" : `/?c=${chatId}`;
}

/**
 * Puts a conversation into the address, as a step that the back button undoes.
 * @param {string | null} chatId
 */
export function setRoute(chatId) {
  if (routeChat() !== chatId) history.pushState(null, "", addressOf(chatId));
}

/** @param {() => void} listener called after back and forward */
export function onRoute(listener) {
  addEventListener("popstate", listener);
}
