// @ts-check
// Puts the page together.

import { Account } from "./account.js";
import { Api } from "./api.js";
import { Chat } from "./chat.js";
import { Composer } from "./composer.js";
import { Documents } from "./documents.js";
import { DocumentView } from "./document-view.js";
import { byId } from "./dom.js";
import { Drawers } from "./drawers.js";
import { showEmpty } from "./empty.js";
import { inFrame } from "./frame.js";
import { History } from "./history.js";
import { HistoryView } from "./history-view.js";
import { Menu } from "./menu.js";
import { Messages } from "./messages.js";
import { Models } from "./models.js";
import { Pane } from "./pane.js";
import { onRoute, routeChat, setRoute } from "./route.js";
import { FollowEnd } from "./scroll.js";
import { Search } from "./search.js";
import { storedUser } from "./session.js";
import { Share } from "./share.js";
import { Store } from "./store.js";
import { onTabs, tellTabs } from "./tabs.js";
import { startTheme } from "./theme.js";
import { Title, isOwn, titleOf } from "./title.js";

const store = new Store();
const api = new Api();
const conversations = new History(api, store);
const documents = new Documents(api, store);
const chat = new Chat(api, store, conversations, documents);
const drawers = new Drawers(store, () => documents.close());
const end = new FollowEnd(byId("messages"), byId("message-list"), byId("to-end"));
const composer = new Composer(api, store, {
  send: (parts) => {
    end.toEnd();
    void chat.send(parts);
  },
  stop: () => void chat.stop(),
});
const messages = new Messages(store, {
  retry: () => {
    end.toEnd();
    void chat.retry();
    composer.focus();
  },
  edit: (message, text) => {
    end.toEnd();
    void chat.edit(message, text);
    composer.focus();
  },
  reply: (message, callId, approved) => {
    void chat.reply(message, callId, approved);
    composer.focus();
  },
  vote: (id, up) => void chat.vote(id, up),
  openDocument: (document) => void documents.open(document),
});
new Pane(store);
new DocumentView(store, documents);
new HistoryView(store, {
  open: (id) => {
    setRoute(id);
    void show(id);
  },
  remove: (id, title) => askToDelete(id, title),
  more: () => conversations.more(),
});
const title = new Title(store, async (id, words) => {
  try {
    await conversations.rename(id, words);
    tellTabs({ type: "changed", chatId: id });
  } catch {
    store.set({ notice: "The title was not changed" });
  }
});
const share = new Share(store, (visibility) => chat.share(visibility));
const account = new Account(api.session, store);
const models = new Models(api, store);
new Search(api, (chatId, messageId) => {
  setRoute(chatId);
  void show(chatId).then(() => {
    if (store.state.chatId !== chatId) return;
    end.leave();
    messages.reveal(messageId);
  });
});
new Menu("chat", {
  "menu-rename": () => title.start(),
  "menu-share": () => share.open(),
  "menu-delete": () => {
    if (store.state.chatId) askToDelete(store.state.chatId, titleOf(store.state));
  },
});
new Menu("history", { "menu-delete-all": askToDeleteAll });
showEmpty(store, (text) => composer.fill(text));
startTheme();
store.on(["chatId", "chats", "messages", "readonly", "phase", "notice", "timing"], () => inFrame("head", drawHead));
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

/** The word on the state of the answer, and what can be done with the conversation. */
function drawHead() {
  const { chats, phase, notice, timing } = store.state;
  byId("chat-menu-frame").hidden = !isOwn(store.state);
  byId("history-menu-frame").hidden = chats.length === 0;
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

function askToDeleteAll() {
  const dialog = /** @type {HTMLDialogElement} */ (byId("delete-all-dialog"));
  byId("delete-all-failed").hidden = true;
  dialog.returnValue = "";
  dialog.onclose = () => {
    if (dialog.returnValue === "delete") void removeAll(dialog);
  };
  dialog.showModal();
}

/** @param {HTMLDialogElement} dialog */
async function removeAll(dialog) {
  try {
    await conversations.removeAll();
    tellTabs({ type: "emptied" });
    newChat();
  } catch {
    byId("delete-all-failed").hidden = false;
    dialog.showModal();
  }
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
  if (message.type === "emptied") {
    store.set({ chats: [], hasMore: false });
    newChat();
    return;
  }
  void conversations.refresh();
  if (message.type === "run") void chat.announced(message.chatId, message.question);
});
/** @type {import("./session.js").Session["onUser"]} */
const changeUser = (user, change) => {
  store.set({ user });
  if (change === "first" || change === "same") {
    if (change === "same") void conversations.refresh();
    return;
  }
  // Another user's conversations are another list; one that is open may still be read if it is shared.
  store.set({ chats: [], hasMore: false });
  newChat();
  void conversations.refresh();
  if (change === "lost") account.open("Your session has ended. Please sign in again.");
};
api.session.onUser = changeUser;

store.set({ user: storedUser() });
void models.load();
void api.info().then(
  (info) => store.set({ info }),
  () => {},
);
void show(routeChat());
void conversations.refresh();
