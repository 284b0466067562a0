use serde_json::json;

use super::{about, call};
use crate::request::ChatRequest;

fn called(text: &str, offered: &[&str]) -> Option<(String, String)> {
    let tools: Vec<_> = offered
        .iter()
        .map(|name| json!({"type": "function", "function": {"name": name}}))
        .collect();
    let body =
        json!({"model": "demo", "messages": [{"role": "user", "content": text}], "tools": tools});
    let request = ChatRequest::parse(body.to_string().as_bytes()).unwrap();
    call(&request, text).map(|call| (call.name, call.arguments))
}

#[test]
fn phrases_call_what_is_offered() {
    let offered = ["getWeather", "createDocument"];
    for (text, name, arguments) in [
        (
            "What is the weather in Paris?",
            "getWeather",
            json!({"city": "Paris"}),
        ),
        (
            "weather for São Paulo, Brazil today",
            "getWeather",
            json!({"city": "São Paulo, Brazil"}),
        ),
        (
            "Write a document about rivers.",
            "createDocument",
            json!({"title": "Rivers", "kind": "text"}),
        ),
        (
            "write code that adds",
            "createDocument",
            json!({"title": "Write code that adds", "kind": "code"}),
        ),
        (
            "Make a table on planets",
            "createDocument",
            json!({"title": "Planets", "kind": "sheet"}),
        ),
    ] {
        let expected = Some((name.to_owned(), arguments.to_string()));
        assert_eq!(called(text, &offered), expected, "{text}");
        assert_eq!(called(text, &["other"]), None, "{text}");
    }
    for text in [
        "How is the weather?",
        "What is a document?",
        "I write every day.",
        "",
    ] {
        assert_eq!(called(text, &offered), None, "{text}");
    }
}

#[test]
fn outputs_are_told_in_words() {
    let weather =
        r#"{"current":{"temperature_2m":7.5},"timezone":"Europe/Paris","cityName":"Paris"}"#;
    assert_eq!(about(&[weather]).unwrap(), "It is 7.5 °C in Paris now.");
    let document = r#"{"id":"1","title":"Rivers","kind":"text","content":"x"}"#;
    assert!(about(&[document]).unwrap().contains("“Rivers”"));
    assert_eq!(
        about(&[r#"{"error":"Document not found"}"#]).unwrap(),
        "That did not work: Document not found."
    );
    assert_eq!(about(&[weather, "sunny"]), None);
}
