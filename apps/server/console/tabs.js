// @ts-check
// What the tabs of one browser tell each other. Other browsers learn of a new answer from the server.

/**
 * `run`: the answer to a message has started. `changed`: an answer has ended or a title has come. `deleted`: the chat is gone,
 * `emptied`: all are.
 * @typedef {{ type: "run", chatId: string, question: string } | { type: "changed" | "deleted", chatId: string } | { type: "emptied" }} TabMessage
 */

const channel = "BroadcastChannel" in window ? new BroadcastChannel("skein") : null;

/** @param {TabMessage} message */
export function tellTabs(message) {
  channel?.postMessage(message);
}

/** @param {(message: TabMessage) => void} listener */
export function onTabs(listener) {
  channel?.addEventListener("message", (event) => listener(event.data));
}
