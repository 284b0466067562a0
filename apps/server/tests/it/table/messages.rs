//! Messages, votes, search.

use super::{
    Row,
    Who::{Guest, Nobody, Owner, Stranger},
    row,
    shapes::{keys, time},
};

const UP: &str = r#"{"chatId":"{chat}","messageId":"{answer}","type":"up"}"#;

pub(super) const ROWS: &[Row] = &[
    // GET /api/messages
    row("messages", Owner, "GET", "/api/messages?chatId={chat}").shape(|answer| {
        keys(
            &answer.json,
            &["messages", "visibility", "userId", "isReadonly"],
            &[],
        );
        assert_eq!(answer.json["isReadonly"], false);
        let messages = answer.json["messages"].as_array().unwrap();
        assert_eq!(messages.len(), 2);
        for message in messages {
            keys(message, &["id", "role", "parts", "metadata"], &[]);
            time(&message["metadata"]["createdAt"]);
        }
        assert_eq!(messages[0]["id"], answer.made("question"));
        assert_eq!(messages[1]["id"], answer.made("answer"));
    }),
    row(
        "messages of an unknown chat",
        Owner,
        "GET",
        "/api/messages?chatId={none}",
    )
    .shape(|answer| {
        assert_eq!(
            answer.text,
            r#"{"messages":[],"visibility":"private","userId":null,"isReadonly":false}"#
        );
    }),
    row("messages without a chat", Nobody, "GET", "/api/messages").refused(400, "bad_request:api"),
    row(
        "messages of no UUID",
        Nobody,
        "GET",
        "/api/messages?chatId=chat-1",
    )
    .refused(400, "bad_request:api"),
    row(
        "messages without a token",
        Nobody,
        "GET",
        "/api/messages?chatId={chat}",
    )
    .refused(401, "unauthorized:chat"),
    row(
        "messages of another's chat",
        Stranger,
        "GET",
        "/api/messages?chatId={chat}",
    )
    .refused(403, "forbidden:chat"),
    row(
        "messages of another's chat for a guest",
        Guest,
        "GET",
        "/api/messages?chatId={chat}",
    )
    .refused(403, "forbidden:chat"),
    // DELETE /api/messages
    row(
        "messages deleted from the question on",
        Owner,
        "DELETE",
        "/api/messages?id={question}",
    )
    .shape(|answer| assert_eq!(answer.json["deletedCount"], 2)),
    row(
        "messages deleted from the answer on",
        Owner,
        "DELETE",
        "/api/messages?id={answer}",
    )
    .shape(|answer| assert_eq!(answer.json["deletedCount"], 1)),
    row(
        "messages deleted without an id",
        Nobody,
        "DELETE",
        "/api/messages",
    )
    .refused(400, "bad_request:api"),
    row(
        "messages deleted from no UUID on",
        Nobody,
        "DELETE",
        "/api/messages?id=m",
    )
    .refused(400, "bad_request:api"),
    row(
        "messages deleted without a token",
        Nobody,
        "DELETE",
        "/api/messages?id={question}",
    )
    .refused(401, "unauthorized:chat"),
    row(
        "messages deleted from an unknown one on",
        Owner,
        "DELETE",
        "/api/messages?id={none}",
    )
    .refused(404, "not_found:chat"),
    row(
        "messages of another's deleted",
        Stranger,
        "DELETE",
        "/api/messages?id={question}",
    )
    .refused(403, "forbidden:chat"),
    // GET /api/vote
    row(
        "votes of a chat without any",
        Owner,
        "GET",
        "/api/vote?chatId={chat}",
    )
    .shape(|answer| assert_eq!(answer.text, "[]")),
    row("votes without a chat", Nobody, "GET", "/api/vote").refused(400, "bad_request:api"),
    row("votes of no UUID", Nobody, "GET", "/api/vote?chatId=chat-1")
        .refused(400, "bad_request:api"),
    row(
        "votes without a token",
        Nobody,
        "GET",
        "/api/vote?chatId={chat}",
    )
    .refused(401, "unauthorized:vote"),
    row(
        "votes of an unknown chat",
        Owner,
        "GET",
        "/api/vote?chatId={none}",
    )
    .refused(404, "not_found:chat"),
    row(
        "votes of another's chat",
        Stranger,
        "GET",
        "/api/vote?chatId={chat}",
    )
    .refused(403, "forbidden:vote"),
    // PATCH /api/vote
    row("a vote", Owner, "PATCH", "/api/vote")
        .body(UP)
        .shape(|answer| {
            assert!(answer.header("content-type").starts_with("text/plain"));
            assert_eq!(answer.text, "Message voted");
        }),
    row("a vote that arrives as a text", Owner, "PATCH", "/api/vote")
        .body(UP)
        .content_type("text/plain;charset=UTF-8")
        .shape(|answer| assert_eq!(answer.text, "Message voted")),
    row("a vote that is no JSON", Nobody, "PATCH", "/api/vote")
        .body("up")
        .refused(400, "bad_request:api"),
    row("a vote of an unknown type", Nobody, "PATCH", "/api/vote")
        .body(r#"{"chatId":"{none}","messageId":"{fresh}","type":"sideways"}"#)
        .refused(400, "bad_request:api"),
    row("a vote without a message", Nobody, "PATCH", "/api/vote")
        .body(r#"{"chatId":"{none}","type":"up"}"#)
        .refused(400, "bad_request:api"),
    row("a vote without a token", Nobody, "PATCH", "/api/vote")
        .body(UP)
        .refused(401, "unauthorized:vote"),
    row("a vote in an unknown chat", Owner, "PATCH", "/api/vote")
        .body(r#"{"chatId":"{none}","messageId":"{answer}","type":"up"}"#)
        .refused(404, "not_found:vote"),
    row("a vote on an unknown message", Owner, "PATCH", "/api/vote")
        .body(r#"{"chatId":"{chat}","messageId":"{fresh}","type":"up"}"#)
        .refused(404, "not_found:vote"),
    row(
        "a vote on another chat's message",
        Owner,
        "PATCH",
        "/api/vote",
    )
    .body(r#"{"chatId":"{other}","messageId":"{answer}","type":"up"}"#)
    .refused(404, "not_found:vote"),
    row("a vote in another's chat", Stranger, "PATCH", "/api/vote")
        .body(UP)
        .refused(403, "forbidden:vote"),
    // GET /api/search
    row("a search", Owner, "GET", "/api/search?q=heron&limit=5").shape(|answer| {
        keys(&answer.json, &["results"], &[]);
        for result in answer.json["results"].as_array().unwrap() {
            keys(
                result,
                &[
                    "chatId",
                    "title",
                    "messageId",
                    "role",
                    "createdAt",
                    "excerpt",
                ],
                &[],
            );
        }
    }),
    row("a search for nothing", Nobody, "GET", "/api/search?q=%20").refused(400, "bad_request:api"),
    row("a search without words", Nobody, "GET", "/api/search").refused(400, "bad_request:api"),
    row(
        "a search without a token",
        Nobody,
        "GET",
        "/api/search?q=heron",
    )
    .refused(401, "unauthorized:chat"),
];
