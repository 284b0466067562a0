// A chat page without a page: the client package's own chat and transport, over a state as the frameworks keep it.

import { setTimeout as pause } from "node:timers/promises";

import { consented, prepareSendMessagesRequest } from "./template.mjs";

/**
 * Opens a chat of the package `ai`, shaped like the template's page: what it sends, and when it sends by itself, are the
 * template's.
 *
 * @param {any} ai the module of one version of the npm package
 * @param {{ url: string, guest: any, id?: string, messages?: any[], onData?: (part: any) => void, continues?: any }} options
 *   `messages` is what the page was rendered with; `continues` is `sendAutomaticallyWhen`
 */
export function openChat(ai, { url, guest, id = crypto.randomUUID(), messages = [], onData, continues = consented }) {
  const bodies = [];
  const data = [];
  const fetchAndRecord = async (input, init) => {
    const sent = init?.body ? JSON.parse(init.body) : undefined;
    const answer = await fetch(input, init);
    const record = { method: init?.method ?? "GET", sent, status: answer.status, headers: answer.headers, text: "" };
    bodies.push(record);
    if (!answer.body) return answer;
    const decoder = new TextDecoder();
    const recorder = new TransformStream({
      transform(bytes, controller) {
        record.text += decoder.decode(bytes, { stream: true });
        controller.enqueue(bytes);
      },
    });
    return new Response(answer.body.pipeThrough(recorder), answer);
  };
  const transport = new ai.DefaultChatTransport({
    api: `${url}/api/chat`,
    headers: guest.headers,
    fetch: fetchAndRecord,
    prepareSendMessagesRequest,
  });
  const state = new PageState(messages);
  const chat = new (chatClass(ai))({
    id,
    state,
    transport,
    generateId: () => crypto.randomUUID(),
    sendAutomaticallyWhen: continues,
    onData: (part) => {
      data.push(part);
      onData?.(part);
    },
  });
  const settled = (predicate, what) => until(predicate, () => `${what}; the chat is ${chat.status}: ${chat.error ?? ""}`);
  const calls = () => chat.messages.flatMap((message) => message.parts.filter((part) => part.type.startsWith("tool-")));
  return {
    id,
    chat,
    /** What each request sent and was answered with: status, headers and the body as far as it has come. */
    bodies,
    /** The data parts that reached the page. */
    data,
    /** Sends a text and resolves when its answer has ended. */
    send: (text) => chat.sendMessage({ role: "user", parts: [{ type: "text", text }] }),
    /**
     * Sends the user's message `message` again as the template's editor does, with another text if one is given: what
     * follows it goes, on the server if `cut`, and the same id is sent.
     */
    resend: async (message, { text, cut = true } = {}) => {
      if (cut) await guest.call("DELETE", `/api/messages?id=${message.id}`);
      const before = chat.messages.slice(0, chat.messages.findIndex((each) => each.id === message.id));
      const parts = text === undefined ? message.parts : [{ type: "text", text }];
      chat.messages = [...before, { ...message, parts }];
      await chat.regenerate();
    },
    /** Says what its reader thinks of the one call that asks, and resolves when what it sends by itself was answered. */
    answer: async (approved, reason) => {
      const asking = calls().filter((call) => call.state === "approval-requested");
      if (asking.length !== 1) throw new Error(`${asking.length} calls ask: ${JSON.stringify(calls())}`);
      const [{ approval }] = asking;
      const { length } = bodies;
      await chat.addToolApprovalResponse({ id: approval.id, approved, ...(reason && { reason }) });
      // Some versions decide a moment later whether they send.
      if (await continues({ messages: chat.messages })) await settled(() => bodies.length > length, "nothing was sent");
      await settled(() => ["ready", "error"].includes(chat.status), "the chat never came to rest");
    },
    /** The tool calls on the page. */
    calls,
    /** The last answer's text as the page shows it. */
    text: () => textOf(chat.messages.findLast((message) => message.role === "assistant")),
    /** Waits until the page shows at least `count` characters of an answer. */
    shows: (count) => settled(() => textOf(chat.lastMessage).length >= count, `${count} characters never came`),
    /** Waits until the chat is neither sending nor receiving. */
    rests: () => settled(() => ["ready", "error"].includes(chat.status), "the chat never came to rest"),
  };
}

/** The text parts of a message, joined; empty for what is no answer. */
export function textOf(message) {
  if (message?.role !== "assistant") return "";
  return message.parts
    .filter((part) => part.type === "text")
    .map((part) => part.text)
    .join("");
}

/** The directive for `count` tokens, and the text that mock-llm makes of it. */
export function tokens(count, paceMs) {
  return {
    prompt: `[[mock: tokens=${count} pace_ms=${paceMs}]] Count, please.`,
    text: Array.from({ length: count }, (_, index) => `tok${index}`).join(" "),
  };
}

const classes = new WeakMap();

function chatClass(ai) {
  if (!classes.has(ai)) classes.set(ai, class PageChat extends ai.AbstractChat {});
  return classes.get(ai);
}

/** As in the frameworks' packages: every change is a new array, and what is stored is a copy. */
class PageState {
  status = "ready";
  error = undefined;

  constructor(messages) {
    this.messages = structuredClone(messages);
  }

  pushMessage = (message) => {
    this.messages = [...this.messages, this.snapshot(message)];
  };

  popMessage = () => {
    this.messages = this.messages.slice(0, -1);
  };

  replaceMessage = (index, message) => {
    this.messages = this.messages.with(index, this.snapshot(message));
  };

  snapshot = (thing) => structuredClone(thing);
}

async function until(predicate, complaint) {
  const deadline = Date.now() + 20_000;
  while (!predicate()) {
    if (Date.now() > deadline) throw new Error(complaint());
    await pause(5);
  }
}
