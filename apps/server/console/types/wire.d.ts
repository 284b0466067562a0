/**
 * The chunks of a chat stream, as far as the console reads them. Server-sent events lie outside OpenAPI, so these types are
 * written by hand; a chunk of another type is ignored, and so are keys that are not named here.
 */
import type { DocumentKind, Suggestion, Usage } from "./shapes.js";

export type Chunk =
  | { type: "start"; messageId?: string }
  | { type: "start-step" }
  | { type: "text-start" | "text-end" | "reasoning-start" | "reasoning-end"; id: string }
  | { type: "text-delta" | "reasoning-delta"; id: string; delta: string }
  | { type: "tool-input-start"; toolCallId: string; toolName: string }
  | { type: "tool-input-delta"; toolCallId: string; inputTextDelta: string }
  | { type: "tool-input-available"; toolCallId: string; toolName: string; input: unknown }
  | { type: "tool-input-error"; toolCallId: string; toolName: string; input: unknown; errorText: string }
  | { type: "tool-output-available"; toolCallId: string; output: unknown }
  | { type: "tool-output-error"; toolCallId: string; errorText: string }
  | { type: "tool-approval-request"; approvalId: string; toolCallId: string }
  | { type: "tool-output-denied"; toolCallId: string }
  | { type: "file"; url: string; mediaType: string }
  | { type: "data-kind"; data: DocumentKind }
  | { type: "data-id" | "data-title" | "data-textDelta" | "data-codeDelta" | "data-sheetDelta" | "data-imageDelta"; data: string }
  | { type: "data-clear" | "data-finish"; data: null }
  | { type: "data-suggestion"; data: SuggestionData }
  | { type: "data-usage"; data: Usage }
  | { type: "data-chat-title"; data: string }
  | { type: "data-appendMessage"; data: string }
  | { type: "finish-step" }
  | { type: "finish" }
  | { type: "error"; errorText: string }
  | { type: "abort" };

/** A suggestion as it is told while it is made; the rest of its row is stored at the end. */
export type SuggestionData = Pick<Suggestion, "id" | "documentId" | "originalText" | "suggestedText" | "isResolved"> &
  Partial<Suggestion>;
