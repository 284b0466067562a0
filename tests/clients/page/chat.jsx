// The template's chat page, cut down to what talks to the server: the same hook with the same options, the same rules of
// when it sends, resumes and fetches, and nothing to look at. `@ai-sdk/react` and `ai` are whatever version is bundled.

import { useChat } from "@ai-sdk/react";
import { DefaultChatTransport } from "ai";
import { StrictMode, useEffect, useReducer, useState } from "react";
import { createRoot } from "react-dom/client";

import { consented, prepareSendMessagesRequest } from "../support/template.mjs";

/**
 * Renders the page of a chat into `root`; returns what closes it.
 *
 * @param {Element} root
 * @param {{ api: string, token: string, chat: string }} session the server, the visitor's token and the chat's id
 * @param {typeof fetch} ask what requests are made with
 */
export function mount(root, { api, token, chat }, ask = (input, init) => fetch(input, init)) {
  const call = async (path, init = {}) => {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${token}`);
    const answer = await ask(path.startsWith("http") ? path : api + path, { ...init, headers });
    // As the template does: the code is all it looks at, and a body without one is a fault of the page.
    if (!answer.ok) throw new Error((await answer.json()).code.toString());
    return answer;
  };
  const tree = createRoot(root);
  tree.render(
    <StrictMode>
      <Page id={chat} api={api} call={call} />
    </StrictMode>,
  );
  return () => tree.unmount();
}

function Page({ id, api, call }) {
  const [messages, setMessages] = useState();
  useEffect(() => {
    let wanted = true;
    read(call, `/api/messages?chatId=${id}`).then((answer) => wanted && setMessages(answer.messages));
    return () => {
      wanted = false;
    };
  }, [id, call]);
  return messages ? <Chat id={id} api={api} call={call} initialMessages={messages} /> : null;
}

function Chat({ id, api, call, initialMessages }) {
  const [title, setTitle] = useState("");
  const [artifact, tellArtifact] = useReducer(artifactAfter, null);
  const chat = useChat({
    id,
    messages: initialMessages,
    experimental_throttle: 100,
    generateId: () => crypto.randomUUID(),
    sendAutomaticallyWhen: consented,
    transport: new DefaultChatTransport({
      api: `${api}/api/chat`,
      fetch: call,
      prepareSendMessagesRequest,
    }),
    onData: (part) => {
      tellArtifact(part);
      if (part.type === "data-appendMessage") setMessages([...initialMessages, JSON.parse(part.data)]);
      if (part.type === "data-chat-title") {
        read(call, "/api/history?limit=20").then(({ chats }) => setTitle(chats.find((each) => each.id === id).title));
      }
    },
  });
  const { messages, setMessages, sendMessage, status, error, stop, regenerate, resumeStream } = chat;

  useEffect(() => {
    if (initialMessages.at(-1)?.role === "user") resumeStream();
  }, [initialMessages, resumeStream]);

  // A person clicks after the page's effects have run; strict mode runs them, undoes them and runs them again.
  const [mounted, setMounted] = useState(false);
  useEffect(() => setMounted(true), []);

  const [stored, setStored] = useState("");
  const written = artifact?.done ? artifact.id : undefined;
  useEffect(() => {
    if (written) read(call, `/api/document?id=${written}`).then((versions) => setStored(versions.at(-1).content));
  }, [written, call]);

  const send = (event) => {
    event.preventDefault();
    const { composer } = event.currentTarget.elements;
    sendMessage({ role: "user", parts: [{ type: "text", text: composer.value }] });
    composer.value = "";
  };
  const resend = async (message, text) => {
    await call(`/api/messages?id=${message.id}`, { method: "DELETE" });
    setMessages((all) => {
      const before = all.slice(0, all.findIndex((each) => each.id === message.id));
      return [...before, text ? { ...message, parts: [{ type: "text", text }] } : message];
    });
    regenerate();
  };

  return (
    <main>
      <h1 data-testid="title">{title}</h1>
      <output data-testid="status">{mounted ? status : "mounting"}</output>
      <p data-testid="error">{error?.message}</p>
      {messages.map((message) => (
        <article key={message.id} data-testid="message" data-id={message.id} data-role={message.role}>
          {message.parts.map((part, index) => (
            <Part key={index} part={part} answer={chat.addToolApprovalResponse} />
          ))}
          {message.role === "user" && (
            <button type="button" data-testid="resend" onClick={() => resend(message, document.querySelector("textarea").value)}>
              Send again
            </button>
          )}
        </article>
      ))}
      {artifact && (
        <aside data-testid="artifact" data-kind={artifact.kind} data-done={artifact.done}>
          <h2>{artifact.title}</h2>
          <pre data-testid="written">{artifact.content}</pre>
          <pre data-testid="stored">{stored}</pre>
        </aside>
      )}
      <form onSubmit={send}>
        <textarea name="composer" data-testid="composer" />
        <button type="submit" data-testid="send">
          Send
        </button>
        <button type="button" data-testid="stop" onClick={() => stop()}>
          Stop
        </button>
      </form>
    </main>
  );
}

function Part({ part, answer }) {
  if (part.type === "text") return <p data-testid="text">{part.text}</p>;
  if (!part.type.startsWith("tool-")) return null;
  return (
    <section data-testid="tool" data-name={part.type.slice(5)} data-state={part.state}>
      {part.state === "approval-requested" && (
        <>
          <button type="button" data-testid="allow" onClick={() => answer({ id: part.approval.id, approved: true })}>
            Allow
          </button>
          <button
            type="button"
            data-testid="deny"
            onClick={() => answer({ id: part.approval.id, approved: false, reason: "User denied it" })}
          >
            Deny
          </button>
        </>
      )}
      {part.state === "output-error" && <p>{part.errorText}</p>}
      {part.state === "output-available" && part.type === "tool-getWeather" && <Weather of={part.output} />}
    </section>
  );
}

/** It reads the forecast as the template's card does, which stands no other output. */
function Weather({ of: { cityName, current, current_units, hourly, daily } }) {
  const highest = Math.max(...hourly.temperature_2m.slice(0, 24));
  const sun = new Date(daily.sunrise[0]) < new Date(daily.sunset[0]) ? "day" : "night";
  return <p>{`${cityName}: ${current.temperature_2m} ${current_units.temperature_2m}, at most ${highest}, ${sun}`}</p>;
}

/** The document's pane after another data part. */
function artifactAfter(artifact, { type, data }) {
  switch (type) {
    case "data-kind":
      return { kind: data, content: "", done: false };
    case "data-id":
      return { ...artifact, id: data };
    case "data-title":
      return { ...artifact, title: data };
    case "data-clear":
      return { ...artifact, content: "" };
    case "data-textDelta":
      return { ...artifact, content: artifact.content + data };
    case "data-codeDelta":
    case "data-sheetDelta":
      return { ...artifact, content: data };
    case "data-finish":
      return { ...artifact, done: true };
    default:
      return artifact;
  }
}

const read = async (call, path) => (await call(path)).json();
