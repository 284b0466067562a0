/**
 * The one place from which the console takes the shapes of the API. They are written by hand until `api.d.ts` is generated
 * from openapi.json; then each becomes an alias of its generated type and no other file changes.
 */

export interface User {
  id: string;
  email: string;
  type: "guest" | "regular";
}

export interface GuestAnswer {
  access_token: string;
  token_type: string;
  user: User;
}

export interface Usage {
  inputTokens: number;
  outputTokens: number;
  totalTokens: number;
  reasoningTokens?: number;
  cachedInputTokens?: number;
  context?: { totalMax?: number; combinedMax?: number; inputMax?: number; outputMax?: number };
  costUSD?: { totalUSD?: number };
  modelId?: string;
}

export interface ChatRow {
  id: string;
  createdAt: string;
  title: string;
  userId: string;
  visibility: "public" | "private";
  lastContext?: Usage | null;
}

export interface HistoryPage {
  chats: ChatRow[];
  hasMore: boolean;
}

/** A part of a message. The keys that are present depend on `type`; a type that is not known is not shown. */
export interface Part {
  type: string;
  text?: string;
  state?: string;
  toolCallId?: string;
  input?: unknown;
  rawInput?: unknown;
  output?: unknown;
  errorText?: string;
}

export interface Metadata {
  createdAt?: string;
  status?: string;
  error?: string | { message?: string } | null;
  usage?: Usage | null;
}

export interface Message {
  id: string;
  role: string;
  parts: Part[];
  metadata?: Metadata;
  /** Set by the console on a message which it made itself and the server does not hold. */
  local?: boolean;
}

export interface MessagesPage {
  messages: Message[];
  visibility: "public" | "private";
  userId: string | null;
  isReadonly: boolean;
}

/** What `GET /api/console/info` tells about the running server. */
export interface Info {
  version: string;
  model: string;
  demo: boolean;
  window: number;
  how?: string;
  docs: string;
}
