//! What answers look like.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Answer;

/// Exactly these keys, none of them `null` but for those that may be.
pub(super) fn keys(value: &Value, keys: &[&str], may_be_null: &[&str]) {
    let object = value.as_object().unwrap();
    let there: BTreeSet<&str> = object.keys().map(String::as_str).collect();
    assert_eq!(there, keys.iter().copied().collect());
    for (key, value) in object {
        assert!(
            !value.is_null() || may_be_null.contains(&key.as_str()),
            "{key}"
        );
    }
}

/// A time as every answer spells it.
pub(super) fn time(value: &Value) {
    let text = value.as_str().unwrap();
    assert_eq!(text.len(), 24, "{text}");
    assert!(text.ends_with('Z') && &text[19..20] == ".", "{text}");
}

/// A conversation's row.
pub(super) fn chat_row(value: &Value) {
    keys(
        value,
        &[
            "id",
            "createdAt",
            "title",
            "userId",
            "visibility",
            "lastContext",
        ],
        &["lastContext"],
    );
    time(&value["createdAt"]);
}

/// A stream's head and its last frame.
pub(super) fn stream(answer: &Answer) {
    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert_eq!(answer.header("cache-control"), "no-cache, no-transform");
    assert_eq!(answer.header("x-vercel-ai-ui-message-stream"), "v1");
    assert!(answer.text.ends_with("data: [DONE]\n\n"), "{}", answer.text);
}

/// A whole new answer.
pub(super) fn new_answer(answer: &Answer) {
    stream(answer);
    let first = format!(
        "id: 0\ndata: {{\"type\":\"start\",\"messageId\":\"{}\"}}\n\n",
        answer.header("x-skein-message-id")
    );
    assert!(answer.text.starts_with(&first), "{}", answer.text);
    assert!(!answer.text.contains("finishReason"));
}

/// What is wrong with the body of a refusal; section 3 of the contract.
pub(super) fn faults_of_refusal(answer: &Answer) -> impl Iterator<Item = &'static str> {
    let body = &answer.json;
    let kinds = [
        ("bad_request", 400),
        ("unauthorized", 401),
        ("forbidden", 403),
        ("not_found", 404),
        ("rate_limit", 429),
        ("offline", 503),
    ];
    let surfaces = [
        "chat",
        "auth",
        "api",
        "stream",
        "history",
        "vote",
        "document",
        "suggestions",
    ];
    let (kind, surface) = answer.code().split_once(':').unwrap_or_default();
    let oversized = answer.status == 413 && kind == "bad_request";
    let status_fits = oversized || kinds.contains(&(kind, answer.status));
    let sentence = body["message"].as_str().unwrap_or_default();
    let cause = body.get("cause");
    [
        (
            answer.header("content-type") == "application/json",
            "it is no JSON",
        ),
        (
            answer.header("cache-control") == "no-store",
            "it may be kept",
        ),
        (!answer.header("x-request-id").is_empty(), "it has no id"),
        (status_fits, "the status is not the kind's"),
        (surfaces.contains(&surface), "there is no such surface"),
        (!sentence.is_empty(), "there is no sentence"),
        (body["detail"].is_string(), "there is no detail"),
        (cause.is_none_or(Value::is_string), "the cause is no text"),
        (
            kind != "unauthorized" || cause.is_none(),
            "it says why the token is no good",
        ),
    ]
    .into_iter()
    .filter_map(|(holds, fault)| (!holds).then_some(fault))
}
