/**
 * The one place from which the console takes the shapes of the API: names for the types in `api.d.ts`, which is generated from
 * openapi.json by `cargo xtask openapi`, and the little that the page adds to them.
 */

import type { components } from "./api.js";

type Schemas = components["schemas"];

export type User = Schemas["UserView"];
export type SignInAnswer = Schemas["TokenResponse"];
export type Usage = Schemas["UsageView"];
export type ChatRow = Schemas["ChatRow"];
export type ChatRequest = Schemas["ChatRequest"];
export type SentPart = Schemas["ChatRequestPart"];
export type Visibility = Schemas["VisibilityName"];
export type SearchResult = Schemas["SearchResult"];
export type Vote = Schemas["VoteRow"];
export type Model = Schemas["ModelRow"];
export type DocumentRow = Schemas["DocumentRow"];
export type DocumentKind = Schemas["DocumentKindName"];
export type Suggestion = Schemas["SuggestionRow"];
export type Upload = Schemas["UploadResponse"];
export type HistoryPage = Schemas["HistoryResponse"];
export type StopAnswer = Schemas["StopResponse"];
export type ErrorAnswer = Schemas["ErrorBody"];
/** What `GET /api/console/info` tells about the running server. */
export type Info = Schemas["ConsoleInfoResponse"];

/** A part of a message. What a tool takes and gives is any JSON, which OpenAPI's objects do not say. */
export type Part = Omit<Schemas["UiPart"], "input" | "output" | "rawInput"> & {
  input?: unknown;
  output?: unknown;
  /** While a call is read, its arguments so far; of one that failed, whatever the stream held. */
  rawInput?: unknown;
};

/**
 * What is known about a message; of one that is being written only little is. Beside the server's states there are the page's
 * own: `streaming`, `stopped` for one whose end the page saw itself, and `missing` for an answer that never came.
 */
export type Metadata = Partial<Schemas["UiMetadata"]>;

export type Message = Omit<Schemas["UiMessage"], "parts" | "metadata"> & {
  parts: Part[];
  metadata?: Metadata;
  /** Set by the console on a message which it made itself and the server does not hold. */
  local?: boolean;
};

export type MessagesPage = Omit<Schemas["MessagesResponse"], "messages"> & { messages: Message[] };
