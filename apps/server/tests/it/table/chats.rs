//! Sending, chats as such, their streams, the list of them, the models, health.

use super::{
    Row,
    Who::{Guest, Nobody, Owner, Spent, Stranger},
    row,
    shapes::{chat_row, keys, new_answer, stream},
};

const SEND: &str = r#"{"id":"{chat}","message":{"id":"{fresh}","role":"user","parts":[{"type":"text","text":"And? [[mock: tokens=2]]"}]}}"#;
const SEND_NEW: &str = r#"{"id":"{none}","message":{"id":"{fresh}","role":"user","parts":[{"type":"text","text":"Hello. [[mock: tokens=2]]"}]},"selectedChatModel":"chat-model","selectedVisibilityType":"private"}"#;
const SEND_WHOLE: &str = r#"{"id":"{chat}","messages":[{"id":"{answer}","role":"assistant","parts":[]},{"id":"{fresh}","role":"user","parts":[{"type":"text","text":"And? [[mock: tokens=2]]"}]}]}"#;
const EDIT: &str = r#"{"id":"{chat}","message":{"id":"{question}","role":"user","parts":[{"type":"text","text":"Again. [[mock: tokens=2]]"}]}}"#;
const TAKEN: &str = r#"{"id":"{theirs}","message":{"id":"{question}","role":"user","parts":[{"type":"text","text":"Mine."}]}}"#;
const APPROVE: &str = r#"{"id":"{chat}","messages":[{"id":"{answer}","role":"assistant","parts":[{"type":"tool-getWeather","toolCallId":"c","state":"approval-responded","approval":{"id":"a","approved":true}}]}]}"#;
const APPROVE_NOWHERE: &str = r#"{"id":"{none}","messages":[{"id":"{fresh}","role":"assistant","parts":[{"type":"tool-getWeather","toolCallId":"c","state":"approval-responded","approval":{"id":"a","approved":true}}]}]}"#;

pub(super) const ROWS: &[Row] = &[
    // POST /api/chat
    row("a send to a new chat", Owner, "POST", "/api/chat").body(SEND_NEW).shape(new_answer),
    row("a guest's send to a new chat", Guest, "POST", "/api/chat").body(SEND_NEW).shape(new_answer),
    row("a send to a chat", Owner, "POST", "/api/chat").body(SEND).shape(new_answer),
    row("a send that arrives as a text", Owner, "POST", "/api/chat").body(SEND).content_type("text/plain;charset=UTF-8").shape(new_answer),
    row("a send with the whole conversation", Owner, "POST", "/api/chat").body(SEND_WHOLE).shape(new_answer),
    row("an edit", Owner, "POST", "/api/chat").body(EDIT).shape(new_answer),
    row("a send that is no JSON", Nobody, "POST", "/api/chat").body("{").refused(400, "bad_request:api"),
    row("a send without a message", Nobody, "POST", "/api/chat").body(r#"{"id":"{none}"}"#).refused(400, "bad_request:api"),
    row("a send to no UUID", Nobody, "POST", "/api/chat").body(r#"{"id":"chat-1","message":{"id":"{fresh}","role":"user","parts":[{"type":"text","text":"x"}]}}"#).refused(400, "bad_request:api"),
    row("a send of an empty text", Nobody, "POST", "/api/chat").body(r#"{"id":"{none}","message":{"id":"{fresh}","role":"user","parts":[{"type":"text","text":""}]}}"#).refused(400, "bad_request:api"),
    row("a send of no parts", Nobody, "POST", "/api/chat").body(r#"{"id":"{none}","message":{"id":"{fresh}","role":"user","parts":[]}}"#).refused(400, "bad_request:api"),
    row("a send of 2001 characters", Nobody, "POST", "/api/chat").body(r#"{"id":"{none}","message":{"id":"{fresh}","role":"user","parts":[{"type":"text","text":"{long}"}]}}"#).refused(400, "bad_request:api"),
    row("a send of an unknown visibility", Nobody, "POST", "/api/chat").body(r#"{"id":"{none}","message":{"id":"{fresh}","role":"user","parts":[{"type":"text","text":"x"}]},"selectedVisibilityType":"friends"}"#).refused(400, "bad_request:api"),
    row("a send under the id of a message elsewhere", Stranger, "POST", "/api/chat").body(TAKEN).refused(400, "bad_request:api"),
    row("an approval of a call that does not wait", Owner, "POST", "/api/chat").body(APPROVE).refused(400, "bad_request:api"),
    row("a send without a token", Nobody, "POST", "/api/chat").body(SEND).refused(401, "unauthorized:chat"),
    row("an approval without a token", Nobody, "POST", "/api/chat").body(APPROVE).refused(401, "unauthorized:chat"),
    row("a send beyond the limit", Spent, "POST", "/api/chat").body(SEND_NEW).refused(429, "rate_limit:chat"),
    // The limit comes before the question whose chat it is.
    row("a send to another's chat beyond the limit", Spent, "POST", "/api/chat").body(SEND).refused(429, "rate_limit:chat"),
    row("an approval in no chat", Owner, "POST", "/api/chat").body(APPROVE_NOWHERE).refused(404, "not_found:chat"),
    row("a send to another's chat", Stranger, "POST", "/api/chat").body(SEND).refused(403, "forbidden:chat"),
    row("a guest's send to another's chat", Guest, "POST", "/api/chat").body(SEND).refused(403, "forbidden:chat"),
    row("an edit in another's chat", Stranger, "POST", "/api/chat").body(EDIT).refused(403, "forbidden:chat"),
    row("an approval in another's chat", Stranger, "POST", "/api/chat").body(APPROVE).refused(403, "forbidden:chat"),
    // DELETE /api/chat
    row("a delete", Owner, "DELETE", "/api/chat?id={chat}").shape(|answer| {
        chat_row(&answer.json);
        assert_eq!(answer.json["id"], answer.made("chat"));
    }),
    row("a delete without an id", Nobody, "DELETE", "/api/chat").refused(400, "bad_request:api"),
    row("a delete of no UUID", Nobody, "DELETE", "/api/chat?id=chat-1").refused(400, "bad_request:api"),
    row("a delete without a token", Nobody, "DELETE", "/api/chat?id={chat}").refused(401, "unauthorized:chat"),
    row("a delete of another's", Stranger, "DELETE", "/api/chat?id={chat}").refused(403, "forbidden:chat"),
    row("a delete of an unknown chat", Owner, "DELETE", "/api/chat?id={none}").refused(403, "forbidden:chat"),
    // GET and PATCH /api/chat/{id}
    row("a chat", Owner, "GET", "/api/chat/{chat}").shape(|answer| {
        chat_row(&answer.json);
        assert_eq!(answer.json["id"], answer.made("chat"));
        assert_eq!(answer.json["visibility"], "private");
    }),
    row("a chat without a token", Nobody, "GET", "/api/chat/{chat}").refused(401, "unauthorized:chat"),
    row("an unknown chat", Owner, "GET", "/api/chat/{none}").refused(404, "not_found:chat"),
    row("a chat of no UUID", Owner, "GET", "/api/chat/chat-1").refused(404, "not_found:chat"),
    row("another's chat", Stranger, "GET", "/api/chat/{chat}").refused(403, "forbidden:chat"),
    row("a chat that is shared", Owner, "PATCH", "/api/chat/{chat}").body(r#"{"visibility":"public"}"#).shape(|answer| {
        chat_row(&answer.json);
        assert_eq!(answer.json["visibility"], "public");
    }),
    row("a chat that is renamed", Owner, "PATCH", "/api/chat/{chat}").body(r#"{"title":" Birds "}"#).content_type("text/plain").shape(|answer| {
        chat_row(&answer.json);
        assert_eq!(answer.json["title"], "Birds");
        assert_eq!(answer.json["visibility"], "private");
    }),
    row("a change of nothing", Nobody, "PATCH", "/api/chat/{chat}").body("{}").refused(400, "bad_request:api"),
    row("a change to an unknown visibility", Nobody, "PATCH", "/api/chat/{chat}").body(r#"{"visibility":"friends"}"#).refused(400, "bad_request:api"),
    row("a change without a token", Nobody, "PATCH", "/api/chat/{chat}").body(r#"{"visibility":"public"}"#).refused(401, "unauthorized:chat"),
    row("a change of an unknown chat", Owner, "PATCH", "/api/chat/{none}").body(r#"{"visibility":"public"}"#).refused(404, "not_found:chat"),
    row("a change of another's chat", Stranger, "PATCH", "/api/chat/{chat}").body(r#"{"visibility":"public"}"#).refused(403, "forbidden:chat"),
    // POST /api/chat/{id}/stop
    row("a stop", Owner, "POST", "/api/chat/{live}/stop").shape(|answer| assert_eq!(answer.text, r#"{"stopped":true}"#)),
    row("a stop of nothing", Owner, "POST", "/api/chat/{chat}/stop").shape(|answer| assert_eq!(answer.text, r#"{"stopped":false}"#)),
    row("a stop without a token", Nobody, "POST", "/api/chat/{live}/stop").refused(401, "unauthorized:chat"),
    row("a stop of an unknown chat", Owner, "POST", "/api/chat/{none}/stop").refused(404, "not_found:chat"),
    row("a stop of another's chat", Stranger, "POST", "/api/chat/{live}/stop").refused(403, "forbidden:chat"),
    // GET /api/chat/{id}/stream
    row("a stream that goes on", Owner, "GET", "/api/chat/{live}/stream").shape(new_answer),
    row("a stream that ended just now", Owner, "GET", "/api/chat/{chat}/stream").shape(|answer| {
        stream(answer);
        assert!(answer.text.contains("data-appendMessage"), "{}", answer.text);
    }),
    row("a stream that ended a while ago", Owner, "GET", "/api/chat/{done}/stream").shape(|answer| {
        assert_eq!(answer.header("content-type"), "text/event-stream");
        assert_eq!(answer.text, "");
    }),
    row("a stream of a chat without answers", Owner, "GET", "/api/chat/{silent}/stream").gives(204),
    row("a stream without a token", Nobody, "GET", "/api/chat/{chat}/stream").refused(401, "unauthorized:chat"),
    row("a stream of an unknown chat", Owner, "GET", "/api/chat/{none}/stream").refused(404, "not_found:chat"),
    row("a stream of no UUID", Owner, "GET", "/api/chat/chat-1/stream").refused(404, "not_found:chat"),
    row("a stream of another's chat", Stranger, "GET", "/api/chat/{chat}/stream").refused(403, "forbidden:chat"),
    // /api/history
    row("a list", Owner, "GET", "/api/history").shape(|answer| {
        keys(&answer.json, &["chats", "hasMore"], &[]);
        answer.json["chats"].as_array().unwrap().iter().for_each(chat_row);
    }),
    row("a list from a chat on", Owner, "GET", "/api/history?limit=20&ending_before={chat}").shape(|answer| keys(&answer.json, &["chats", "hasMore"], &[])),
    row("a list up to a chat", Owner, "GET", "/api/history?starting_after={chat}").shape(|answer| keys(&answer.json, &["chats", "hasMore"], &[])),
    row("a list with both cursors", Nobody, "GET", "/api/history?starting_after={chat}&ending_before={chat}").refused(400, "bad_request:api"),
    row("a list without a token", Nobody, "GET", "/api/history").refused(401, "unauthorized:chat"),
    row("a list from an unknown chat on", Owner, "GET", "/api/history?ending_before={none}").refused(404, "not_found:chat"),
    row("a list from another's chat on", Stranger, "GET", "/api/history?ending_before={chat}").refused(404, "not_found:chat"),
    row("all chats deleted", Stranger, "DELETE", "/api/history").shape(|answer| assert!(answer.json["deletedCount"].is_u64())),
    row("no chats deleted", Guest, "DELETE", "/api/history").shape(|answer| assert!(answer.json["deletedCount"].is_u64())),
    row("all chats deleted by their owner", Owner, "DELETE", "/api/history").shape(|answer| assert!(answer.json["deletedCount"].as_u64().unwrap() > 0)),
    row("all chats deleted without a token", Nobody, "DELETE", "/api/history").refused(401, "unauthorized:chat"),
    // The models, health
    row("the models", Nobody, "GET", "/api/models").shape(|answer| {
        assert_eq!(answer.header("cache-control"), "public, max-age=86400");
        keys(&answer.json, &["capabilities", "models"], &[]);
        keys(&answer.json["capabilities"]["chat-model"], &["tools", "vision", "reasoning"], &[]);
        keys(&answer.json["models"][0], &["id", "name", "provider", "description", "capabilities"], &[]);
    }),
    row("health", Nobody, "GET", "/health").shape(|answer| assert_eq!(answer.text, r#"{"status":"ok"}"#)),
];
