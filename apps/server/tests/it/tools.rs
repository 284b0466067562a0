//! The tools that the server runs, called by the model over HTTP.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use mock_llm::{Ending, Say, Scenario, ToolCall};
use serde_json::{Value, json};

use crate::support::{Ask, Person, Replay, Skein, new_id};

/// What a person says so that the model calls this.
fn call(tool: &str, arguments: &Value) -> String {
    format!("Please. [[mock: tool={tool} args={arguments}]]")
}

/// The call as a scenario that is pushed.
fn calling(tool: &str, arguments: &Value) -> Scenario {
    Scenario {
        tool_calls: vec![ToolCall {
            name: tool.to_owned(),
            arguments: arguments.to_string(),
        }],
        ..Scenario::default()
    }
}

/// The chunks of tools and their data, in order, a run of the same one told once.
fn of_tools(read: &Replay) -> Vec<String> {
    let kinds = read.kinds().into_iter();
    kinds
        .filter(|kind| {
            kind.starts_with("tool-") || kind.starts_with("data-") && kind != "data-usage"
        })
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// A new document of this kind, its id and what was streamed.
async fn created(person: &Person, kind: &str, title: &str) -> (String, Replay) {
    let arguments = json!({"title": title, "kind": kind});
    let read = person
        .talk(&new_id(), &call("createDocument", &arguments))
        .await;
    let id = text(&read.chunks("data-id")[0]["data"]);
    (id, read)
}

async fn versions(person: &Person, id: &str) -> Vec<Value> {
    let answer = person.get(&format!("/api/document?id={id}")).await;
    answer.as_array().unwrap().clone()
}

/// The output of the one call.
fn output(read: &Replay) -> Value {
    let outputs = read.chunks("tool-output-available");
    assert_eq!(outputs.len(), 1, "{}", read.text);
    outputs[0]["output"].clone()
}

#[tokio::test]
async fn who_reads_a_shared_chat_reads_no_document_of_its_owners() {
    let skein = Skein::start();
    let (ann, bob) = (skein.guest().await, skein.guest().await);
    let chat = new_id();
    let arguments = json!({"title": "Rivers of the north", "kind": "text"});
    let mine = ann.talk(&chat, &call("createDocument", &arguments)).await;
    let document = text(&mine.chunks("data-id")[0]["data"]);
    let shared = json!({"visibility": "public"}).to_string();
    let mut ask = Ask::new("PATCH", format!("/api/chat/{chat}"));
    ask.body = Some(shared.into());
    assert_eq!(ann.ask(ask).await.status(), 200);

    let theirs = bob.resume(&chat, Some(0)).await.text().await.unwrap();
    let read = bob
        .ask(Ask::get(format!("/api/document?id={document}")))
        .await;
    assert_eq!(read.status(), 403);
    for hidden in ["data-textDelta", "data-id", "data-finish"] {
        assert!(!theirs.contains(hidden), "{hidden}: {theirs}");
        assert!(!mine.chunks(hidden).is_empty(), "{hidden}");
    }
    // What they are told stands under the numbers that it has for its owner, who is told all of it.
    let again = ann.resume(&chat, Some(0)).await.text().await.unwrap();
    let frames: Vec<&str> = theirs.split_terminator("\n\n").collect();
    assert!(frames.len() > 5 && frames.last().unwrap().ends_with("[DONE]"));
    assert!(frames.iter().all(|frame| again.contains(frame)), "{theirs}");
    assert!(again.contains("data-textDelta"));
}

#[tokio::test]
async fn a_document_can_be_read_the_moment_its_end_is_told() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let arguments = json!({"title": "Rivers of the north", "kind": "text"});
    let chat = new_id();
    let mut stream = ann.say(&chat, &call("createDocument", &arguments)).await;
    let id = text(&stream.until("data-id").await.chunk()["data"]);
    stream.until("data-finish").await;
    let stored = versions(&ann, &id).await;
    let read = stream.finish().await;

    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0]["title"], "Rivers of the north");
    assert_eq!(stored[0]["kind"], "text");
    let pieces = read.chunks("data-textDelta");
    let shown: String = pieces.iter().map(|piece| text(&piece["data"])).collect();
    assert_eq!(stored[0]["content"], json!(shown));
    assert_eq!(
        of_tools(&read),
        [
            "tool-input-start",
            "tool-input-delta",
            "tool-input-available",
            "data-kind",
            "data-id",
            "data-title",
            "data-clear",
            "data-textDelta",
            "data-finish",
            "tool-output-available",
        ]
    );
    let output = output(&read);
    assert_eq!(
        (&output["id"], &output["kind"]),
        (&json!(id), &json!("text"))
    );
    assert!(read.said().contains("the user sees it"), "{}", read.said());

    let parts = ann.messages(&chat).await[1]["parts"].clone();
    let kinds: Vec<&str> = parts
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["step-start", "tool-createDocument", "step-start", "text"]
    );
}

#[tokio::test]
async fn code_and_tables_are_told_whole_again_and_again() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    for (kind, chunk) in [("code", "data-codeDelta"), ("sheet", "data-sheetDelta")] {
        let (id, read) = created(&ann, kind, "Big rivers").await;
        let stored = versions(&ann, &id).await;
        let snapshots = read.chunks(chunk);
        assert!(snapshots.len() > 1, "{}", read.text);
        assert_eq!(snapshots.last().unwrap()["data"], stored[0]["content"]);
    }
}

#[tokio::test]
async fn a_rewriting_and_an_edit_are_versions() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let (id, _) = created(&ann, "sheet", "Big rivers").await;

    let arguments = json!({"id": id, "description": "More rivers"});
    let read = ann
        .talk(&new_id(), &call("updateDocument", &arguments))
        .await;
    assert_eq!(
        of_tools(&read)[3..],
        [
            "data-clear",
            "data-sheetDelta",
            "data-finish",
            "tool-output-available"
        ]
    );
    let arguments = json!({"id": id, "old_string": "Word,", "new_string": "Name,"});
    let read = ann.talk(&new_id(), &call("editDocument", &arguments)).await;
    assert_eq!(
        of_tools(&read)[3..],
        [
            "data-clear",
            "data-sheetDelta",
            "data-finish",
            "tool-output-available"
        ]
    );

    let contents: Vec<String> = versions(&ann, &id)
        .await
        .iter()
        .map(|version| text(&version["content"]))
        .collect();
    assert_eq!(contents.len(), 3);
    assert!(contents[1].starts_with("Word,Letters\n") && contents[1].contains("More,4\n"));
    assert_eq!(contents[2], contents[1].replacen("Word,", "Name,", 1));
}

#[tokio::test]
async fn suggestions_are_shown_and_can_be_read_afterwards() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    skein.llm.push(calling(
        "createDocument",
        &json!({"title": "Rain", "kind": "text"}),
    ));
    skein.llm.push(Scenario {
        say: Say::Text("It rains. It pours.".to_owned()),
        ..Scenario::default()
    });
    let read = ann.talk(&new_id(), "Write about rain.").await;
    let id = text(&read.chunks("data-id")[0]["data"]);

    let arguments = json!({"documentId": id});
    let read = ann
        .talk(&new_id(), &call("requestSuggestions", &arguments))
        .await;
    let shown = read.chunks("data-suggestion");
    let stored = ann.get(&format!("/api/suggestions?documentId={id}")).await;
    let originals: Vec<&Value> = shown
        .iter()
        .map(|chunk| &chunk["data"]["originalText"])
        .collect();
    assert_eq!(originals, ["It rains.", "It pours."]);
    for (shown, stored) in shown.iter().zip(stored.as_array().unwrap()) {
        assert_eq!(shown["data"]["id"], stored["id"]);
        assert_eq!(shown["data"]["suggestedText"], stored["suggestedText"]);
    }
    assert_eq!(stored.as_array().unwrap().len(), 2);
    assert!(output(&read)["message"].is_string());
}

#[tokio::test]
async fn anothers_document_is_not_found() {
    let skein = Skein::start();
    let (ann, bob) = (skein.guest().await, skein.guest().await);
    let (id, _) = created(&ann, "sheet", "Mine").await;
    for (tool, arguments) in [
        ("updateDocument", json!({"id": id, "description": "x"})),
        (
            "editDocument",
            json!({"id": id, "old_string": "Mine", "new_string": "Yours"}),
        ),
        ("requestSuggestions", json!({"documentId": id})),
    ] {
        let read = bob.talk(&new_id(), &call(tool, &arguments)).await;
        assert_eq!(
            output(&read),
            json!({"error": "Document not found"}),
            "{tool}"
        );
        assert!(read.chunks("data-clear").is_empty());
    }
    assert_eq!(versions(&ann, &id).await.len(), 1);
}

#[tokio::test]
async fn a_document_that_breaks_off_is_not_there_and_the_page_waits_no_longer() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    skein.llm.push(calling(
        "createDocument",
        &json!({"title": "Rain", "kind": "text"}),
    ));
    skein
        .llm
        .push(Scenario::tokens(20).ending(Ending::CutAfter(5)));
    skein.llm.push(Scenario::tokens(2));
    let read = ann.talk(&new_id(), "Write about rain.").await;
    let id = text(&read.chunks("data-id")[0]["data"]);
    assert_eq!(
        of_tools(&read).last_chunk::<3>().unwrap(),
        &["data-clear", "data-finish", "tool-output-error"]
    );
    assert_eq!(read.said(), "tok0 tok1");
    assert_eq!(read.kinds().last().unwrap(), "[DONE]");
    let answer = ann.ask(Ask::get(format!("/api/document?id={id}"))).await;
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn stopping_leaves_no_half_of_a_document() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    skein.llm.push(calling(
        "createDocument",
        &json!({"title": "Rain", "kind": "text"}),
    ));
    skein
        .llm
        .push(Scenario::tokens(20).ending(Ending::SilentAfter(5)));
    let chat = new_id();
    let mut stream = ann.say(&chat, "Write about rain.").await;
    let id = text(&stream.until("data-id").await.chunk()["data"]);
    stream.until("data-textDelta").await;
    assert!(ann.stop(&chat).await);
    let read = stream.finish().await;
    assert_eq!(read.kinds().last().unwrap(), "[DONE]");
    skein.llm_until(|stats| stats.open_streams == 0).await;
    let answer = ann.ask(Ask::get(format!("/api/document?id={id}"))).await;
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn an_image_is_made_where_a_model_for_it_is_set() {
    let skein = Skein::start_with(&[("SKEIN_IMAGE_MODEL", "dall-e-3")]);
    let ann = skein.guest().await;
    let (id, read) = created(&ann, "image", "A cat").await;
    let stored = versions(&ann, &id).await;
    assert_eq!(stored[0]["kind"], "image");
    assert!(text(&stored[0]["content"]).starts_with("iVBORw0KGgo"));
    assert_eq!(
        read.chunks("data-imageDelta")[0]["data"],
        stored[0]["content"]
    );

    let without = Skein::start();
    let bob = without.guest().await;
    let arguments = json!({"title": "A cat", "kind": "image"});
    let read = bob
        .talk(&new_id(), &call("createDocument", &arguments))
        .await;
    let error = text(&read.chunks("tool-output-error")[0]["errorText"]);
    assert!(error.contains("one of"), "{error}");
}

/// A weather service on this machine, which answers as long as the tests go on.
fn weather_service() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let forecast = json!({
        "latitude": 48.86, "longitude": 2.36, "timezone": "Europe/Paris", "elevation": 43.0,
        "current_units": {"temperature_2m": "°C"},
        "current": {"time": "2026-01-02T03:00", "temperature_2m": 7.5},
        "hourly_units": {"temperature_2m": "°C"},
        "hourly": {"time": ["2026-01-02T03:00"], "temperature_2m": [7.5]},
        "daily_units": {"sunrise": "iso8601"},
        "daily": {"time": ["2026-01-02"], "sunrise": ["2026-01-02T08:40"], "sunset": ["2026-01-02T17:00"]},
    });
    let places = json!({"results": [{"name": "Paris", "latitude": 48.85, "longitude": 2.35}]});
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut request = Vec::new();
            let mut bytes = [0; 1024];
            while !request.ends_with(b"\r\n\r\n") {
                match stream.read(&mut bytes) {
                    Ok(count) if count > 0 => request.extend_from_slice(&bytes[..count]),
                    _ => break,
                }
            }
            let asks_for_place = request.starts_with(b"GET /search");
            let body = if asks_for_place { &places } else { &forecast }.to_string();
            let length = body.len();
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            stream.write_all((head + &body).as_bytes()).unwrap();
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn the_weather_is_what_the_card_reads() {
    let service = weather_service();
    let skein = Skein::start_with(&[
        ("SKEIN_WEATHER_URL", &format!("{service}/forecast")),
        ("SKEIN_GEOCODING_URL", &format!("{service}/search")),
    ]);
    let ann = skein.guest().await;
    let read = ann
        .talk(&new_id(), &call("getWeather", &json!({"city": "Paris"})))
        .await;
    let output = output(&read);
    assert_eq!(output["cityName"], "Paris");
    assert_eq!(output["hourly"]["temperature_2m"], json!([7.5]));
    assert_eq!(output["daily"]["sunset"], json!(["2026-01-02T17:00"]));
}

#[tokio::test]
async fn a_weather_service_that_is_not_there_is_an_error_and_no_output() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let skein = Skein::start_with(&[("SKEIN_WEATHER_URL", &gone), ("SKEIN_GEOCODING_URL", &gone)]);
    let ann = skein.guest().await;
    let read = ann
        .talk(&new_id(), &call("getWeather", &json!({"city": "Paris"})))
        .await;
    assert!(read.chunks("tool-output-available").is_empty());
    let error = text(&read.chunks("tool-output-error")[0]["errorText"]);
    assert!(
        error.starts_with("The weather service cannot be reached"),
        "{error}"
    );
}

#[tokio::test]
async fn the_model_is_offered_what_is_configured_and_nothing_else() {
    for (setting, expected) in [
        (
            "on",
            vec![
                "getWeather",
                "createDocument",
                "updateDocument",
                "editDocument",
                "requestSuggestions",
            ],
        ),
        (
            "createDocument, updateDocument",
            vec!["createDocument", "updateDocument"],
        ),
        ("off", vec![]),
    ] {
        let skein = Skein::start_with(&[("SKEIN_TOOLS", setting)]);
        let ann = skein.guest().await;
        ann.talk(&new_id(), "Hello").await;
        let body = &skein.llm.requests()[0].body;
        let none = Vec::new();
        let offered = body["tools"].as_array().unwrap_or(&none);
        let names: Vec<&str> = offered
            .iter()
            .map(|tool| tool["function"]["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, expected, "{setting}");
    }
}

#[tokio::test]
async fn the_demo_model_writes_a_document_when_it_is_asked_for_one() {
    let skein = Skein::start_with(&[("OPENAI_BASE_URL", "")]);
    let ann = skein.guest().await;
    let read = ann.talk(&new_id(), "Write code for me").await;
    let id = text(&read.chunks("data-id")[0]["data"]);
    assert_eq!(versions(&ann, &id).await[0]["kind"], "code");
    assert!(
        read.said().contains("Done: “Write code for me”"),
        "{}",
        read.said()
    );
}
