use chat_core::{
    message::ToolResult,
    ports::{ModelRequest, PromptCall, PromptItem, ToolSpec},
};
use serde_json::{Value, json};

use super::{body, is_reasoning};
use crate::chat_completions::quirks::Quirks;

const PLAIN: Quirks = Quirks {
    tools: true,
    new_limit: false,
    stream_options: true,
};

fn sent(request: &ModelRequest, quirks: Quirks) -> Value {
    serde_json::from_slice(&body(request, quirks)).unwrap()
}

fn messages(model: &str, items: Vec<PromptItem>) -> Value {
    let request = ModelRequest {
        model: model.to_owned(),
        items,
        ..ModelRequest::default()
    };
    sent(&request, PLAIN)["messages"].take()
}

fn user(text: &str) -> PromptItem {
    PromptItem::User {
        text: text.to_owned(),
        images: Vec::new(),
    }
}

#[test]
fn sends_no_more_than_is_asked() {
    let request = ModelRequest {
        model: "m".to_owned(),
        items: vec![user("hi")],
        ..ModelRequest::default()
    };
    assert_eq!(
        sent(&request, PLAIN),
        json!({
            "model": "m",
            "messages": [{"role": "user", "content": "hi"}],
            "stream": true,
            "stream_options": {"include_usage": true},
        })
    );
}

#[test]
fn minds_the_quirks() {
    let request = ModelRequest {
        max_output: Some(9),
        ..ModelRequest::default()
    };
    let old = sent(&request, PLAIN);
    assert_eq!(
        (&old["max_tokens"], old.get("max_completion_tokens")),
        (&json!(9), None)
    );
    let new = sent(
        &request,
        Quirks {
            new_limit: true,
            stream_options: false,
            tools: true,
        },
    );
    assert_eq!(
        (&new["max_completion_tokens"], new.get("max_tokens")),
        (&json!(9), None)
    );
    assert_eq!(new.get("stream_options"), None);
}

#[test]
fn spells_every_item() {
    let call = PromptCall {
        call_id: "c".to_owned(),
        name: "f".to_owned(),
        arguments: " ".to_owned(),
    };
    let output = |result| PromptItem::Output {
        call_id: "c".to_owned(),
        result,
    };
    let items = vec![
        PromptItem::System("be brief".to_owned()),
        PromptItem::User {
            text: "see".to_owned(),
            images: vec!["data:image/png;base64,AA==".to_owned()],
        },
        PromptItem::User {
            text: String::new(),
            images: vec!["https://h/i".to_owned()],
        },
        PromptItem::Assistant {
            text: String::new(),
            calls: vec![call.clone()],
        },
        output(ToolResult::Output {
            output: json!("plain"),
        }),
        output(ToolResult::Output {
            output: json!({"a": 1}),
        }),
        output(ToolResult::Error {
            message: "it broke".to_owned(),
        }),
        output(ToolResult::Denied { reason: None }),
        PromptItem::Assistant {
            text: "so".to_owned(),
            calls: Vec::new(),
        },
    ];
    let tool = |content: &str| json!({"role": "tool", "tool_call_id": "c", "content": content});
    assert_eq!(
        messages("m", items),
        json!([
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [
                {"type": "text", "text": "see"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
            ]},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://h/i"}}]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            ]},
            tool("plain"),
            tool(r#"{"a":1}"#),
            tool(r#"{"error":"it broke"}"#),
            tool(r#"{"error":"The user did not allow this call."}"#),
            {"role": "assistant", "content": "so"},
        ])
    );
}

#[test]
fn the_first_reasoning_models_know_no_system_role() {
    let role = |model| messages(model, vec![PromptItem::System("s".to_owned())])[0]["role"].take();
    assert_eq!(role("o1-mini-2024-09-12"), "user");
    assert_eq!(role("openai/o1-preview"), "user");
    assert_eq!(role("o1"), "system");
}

#[test]
fn offers_functions() {
    let request = ModelRequest {
        tools: vec![ToolSpec {
            name: "f".to_owned(),
            description: "d".to_owned(),
            parameters: json!({"type": "object"}),
        }],
        ..ModelRequest::default()
    };
    assert_eq!(
        sent(&request, PLAIN)["tools"],
        json!([{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}])
    );
}

#[test]
fn knows_reasoning_models_by_name() {
    for (model, reasoning) in [
        ("o1", true),
        ("o3-mini", true),
        ("openai/o4-mini", true),
        ("gpt-5.1-chat", true),
        ("gpt-4o-mini", false),
        ("llama3", false),
    ] {
        assert_eq!(is_reasoning(model), reasoning, "{model}");
    }
}
