// @ts-check
// Puts the page together.

import { Api, storedUser } from "./api.js";
import { Chat } from "./chat.js";
import { Composer } from "./composer.js";
import { byId } from "./dom.js";
import { Drawers } from "./drawers.js";
import { showEmpty } from "./empty.js";
import { inFrame } from "./frame.js";
import { History } from "./history.js";
import { HistoryView } from "./history-view.js";
import { Messages } from "./messages.js";
import { Pane } from "./pane.js";
import { onRoute, routeChat, setRoute } from "./route.js";
import { FollowEnd } from "./scroll.js";
import { Store } from "./store.js";
import { onTabs, tellTabs } from "./tabs.js";
import { startTheme } from "./theme.js";

const store = new Store();
const api = new Api();
const conversations = new History(api, store);
const chat = new Chat(api, store, conversations);
const drawers = new Drawers();
const end = new FollowEnd(byId("messages"), byId("message-list"), byId("to-end"));
const composer = new Composer(store, {
  send: (text) => {
    end.toEnd();
    void chat.send(text);
  },
  stop: () => void chat.stop(),
});

new Messages(store, () => {
  end.toEnd();
  void chat.retry();
  composer.focus();
});
new Pane(store);
new HistoryView(store, {
  open: (id) => {
    setRoute(id);
    void show(id);
  },
  remove: (id, title) => askToDelete(id, title),
  more: () => conversations.more(),
});
showEmpty(store, (text) => composer.fill(text));
startTheme();
store.on(["chatId", "chats", "phase", "notice", "user", "timing"], () => inFrame("head", drawHead));
drawHead();

/**
 * Shows a conversation and is ready to write in it.
 * @param {string | null} chatId
 */
async function show(chatId) {
  drawers.close();
  const opened = chat.open(chatId);
  end.toEnd();
  // On a touch screen the focus would bring up the keyboard.
  if (matchMedia("(pointer: fine)").matches) composer.focus();
  await opened;
}

function newChat() {
  setRoute(null);
  void show(null);
  composer.focus();
}

/** The title above the messages and the word on the state of the answer. */
function drawHead() {
  const { chats, chatId, phase, notice, user, timing } = store.state;
  const title = chats.find((row) => row.id === chatId)?.title ?? (chatId === null ? "New chat" : "Conversation");
  byId("title").textContent = title;
  document.title = chatId === null ? "Skein" : `${title} · Skein`;
  byId("user").textContent = user ? user.email : "";
  const words = {
    idle: notice,
    loading: "",
    sending: "Thinking…",
    streaming: notice || (timing?.firstAt ? "Answering…" : "Thinking…"),
    reconnecting: "Connection lost, reconnecting…",
    stopping: "Stopping…",
  };
  const status = byId("status");
  if (status.textContent !== words[phase]) status.textContent = words[phase];
  status.dataset["phase"] = phase;
}

/**
 * @param {string} id
 * @param {string} title
 */
function askToDelete(id, title) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("delete-dialog"));
  byId("delete-title").textContent = title;
  byId("delete-failed").hidden = true;
  dialog.returnValue = "";
  dialog.onclose = () => {
    if (dialog.returnValue === "delete") void remove(id, dialog);
  };
  dialog.showModal();
}

/**
 * @param {string} id
 * @param {HTMLDialogElement} dialog
 */
async function remove(id, dialog) {
  try {
    await conversations.remove(id);
    tellTabs({ type: "deleted", chatId: id });
    if (store.state.chatId === id) newChat();
  } catch {
    byId("delete-failed").hidden = false;
    dialog.showModal();
  }
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.isComposing && !document.querySelector("dialog[open]")) {
    if (drawers.close()) return;
    if (chat.busy) {
      event.preventDefault();
      void chat.stop();
    }
  } else if (event.key.toLowerCase() === "k" && (event.metaKey || event.ctrlKey) && !event.shiftKey && !event.altKey) {
    event.preventDefault();
    newChat();
  }
});
for (const shortcut of document.querySelectorAll(".shortcut")) {
  shortcut.textContent = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘K" : "Ctrl K";
}
byId("new-chat").addEventListener("click", newChat);
byId("new-chat-top").addEventListener("click", newChat);
byId("load-again").addEventListener("click", () => void show(routeChat()));
onRoute(() => {
  if (routeChat() !== store.state.chatId) void show(routeChat());
});
onTabs((message) => {
  if (message.type === "deleted") {
    conversations.forget(message.chatId);
    if (store.state.chatId === message.chatId) newChat();
    return;
  }
  void conversations.refresh();
  if (message.type === "run") void chat.announced(message.chatId, message.question);
});
/** @type {Api["onUser"]} */
const changeUser = (user, fresh) => {
  store.set({ user });
  // The conversations of a user whom the server has forgotten are out of reach.
  if (fresh) {
    store.set({ chats: [], hasMore: false });
    newChat();
  }
};
api.onUser = changeUser;

store.set({ user: storedUser() });
void api.info().then(
  (info) => store.set({ info }),
  () => {},
);
void show(routeChat());
void conversations.refresh();
