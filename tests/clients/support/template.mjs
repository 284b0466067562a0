// What the template's page sends, and when it sends by itself; for every page of these tests.

/** The body of a request: the last message, or all of them where consent to a tool call is spoken of. */
export function prepareSendMessagesRequest({ id, messages, body }) {
  const answered = (part) => ["approval-responded", "output-denied"].includes(part.state);
  const speaksOfConsent =
    messages.at(-1)?.role !== "user" || messages.some((message) => message.parts.some(answered));
  return {
    body: {
      id,
      ...(speaksOfConsent ? { messages } : { message: messages.at(-1) }),
      selectedChatModel: "chat-model",
      selectedVisibilityType: "private",
      ...body,
    },
  };
}

/** Its `sendAutomaticallyWhen`: after consent, and not after a denial. */
export function consented({ messages }) {
  return messages.at(-1)?.parts.some((part) => part.state === "approval-responded" && part.approval?.approved) ?? false;
}
