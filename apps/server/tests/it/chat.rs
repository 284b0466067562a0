//! Sending, and what is stored of it.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Ask, EventStream, Skein, answer_text, new_id, redacted, send_body};

#[tokio::test]
async fn a_new_chat_streams_and_is_stored_under_the_streamed_id() {
    let skein = Skein::start_with(&[("SKEIN_TOOLS", "off")]);
    let ann = skein.guest().await;
    let (chat, question) = (new_id(), new_id());
    let stream = ann
        .say_as(&chat, &question, "Count. [[mock: tokens=3]]")
        .await;
    let head = stream.response.headers().clone();
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-cache, no-transform"),
        ("x-accel-buffering", "no"),
        ("x-vercel-ai-ui-message-stream", "v1"),
    ] {
        assert_eq!(head[name], value, "[W60] {name}");
    }
    let answer = stream.answer_id();
    let read = stream.finish().await;

    let frames = read.frames();
    for (index, frame) in (0..).zip(&frames) {
        assert_eq!(frame.id, index, "[W2] numbers count from 0 without a gap");
    }
    let first = frames[0].chunk();
    assert_eq!(first, json!({"type": "start", "messageId": answer}), "[W7]");
    assert!(Uuid::try_parse(&answer).is_ok());
    assert_eq!(frames.last().unwrap().data, "[DONE]", "[W2]");
    insta::assert_snapshot!("stream", redacted(&read.text));

    let messages = ann.get(&format!("/api/messages?chatId={chat}")).await;
    assert_eq!(messages["messages"][0]["id"], question);
    assert_eq!(messages["messages"][1]["id"], answer);
    assert_eq!(answer_text(&messages["messages"][1]), read.said());
    insta::assert_snapshot!("messages", pretty(&messages));

    let history = ann.get("/api/history").await;
    assert_eq!(history["chats"][0]["id"], chat);
    insta::assert_snapshot!("history", pretty(&history));
}

#[tokio::test]
async fn the_whole_conversation_is_sent_to_the_model() {
    let skein = Skein::start_with(&[("SKEIN_SYSTEM_PROMPT", "Be brief."), ("SKEIN_TOOLS", "off")]);
    let ann = skein.guest().await;
    let chat = new_id();
    ann.talk(&chat, r#"One. [[mock: text="Uno."]]"#).await;
    ann.talk(&chat, "Two. [[mock: tokens=1]]").await;
    let requests = skein.llm.requests();
    let said: Vec<(Value, Value)> = requests[1].body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| (message["role"].clone(), message["content"].clone()))
        .collect();
    assert_eq!(
        json!(said),
        json!([
            ["system", "Be brief."],
            ["user", r#"One. [[mock: text="Uno."]]"#],
            ["assistant", "Uno."],
            ["user", "Two. [[mock: tokens=1]]"],
        ])
    );
}

#[tokio::test]
async fn history_is_paged_from_either_side() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let mut chats = Vec::new();
    for _ in 0..4 {
        let chat = new_id();
        ann.talk(&chat, "Hello. [[mock: tokens=1]]").await;
        skein.clock.move_by(1);
        chats.insert(0, chat);
    }
    let page = async |query: &str| {
        let page = ann.get(&format!("/api/history?{query}")).await;
        let ids = page["chats"].as_array().unwrap().iter();
        let ids: Vec<String> = ids
            .map(|chat| chat["id"].as_str().unwrap().to_owned())
            .collect();
        (ids, page["hasMore"].as_bool().unwrap())
    };
    // [W25, W42]
    assert_eq!(page("limit=3").await, (chats[..3].to_vec(), true));
    assert_eq!(page("limit=soon").await, (chats.clone(), false));
    assert_eq!(page("limit=0").await, (chats[..1].to_vec(), true));
    let older = format!("limit=2&ending_before={}", chats[1]);
    assert_eq!(page(&older).await, (chats[2..].to_vec(), false));
    let newer = format!("limit=5&starting_after={}", chats[2]);
    assert_eq!(page(&newer).await, (chats[..2].to_vec(), false));
}

#[tokio::test]
async fn a_second_send_replaces_the_first_and_keeps_its_text() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    let mut first = ann
        .say(&chat, "One. [[mock: tokens=5000 pace_ms=10]]")
        .await;
    first.first_text().await;
    let second = ann.talk(&chat, "Two. [[mock: tokens=3]]").await;
    let first = first.finish().await;
    // [W61, W15]
    assert_eq!(ending(&first.frames()), [r#"{"type":"abort"}"#, "[DONE]"]);
    assert_eq!(second.kinds().last().unwrap(), "[DONE]");
    assert_eq!(second.chunks("finish").len(), 1);
    skein.llm_until(|stats| stats.hung_up == 1).await;

    let messages = ann.messages(&chat).await;
    let told: Vec<(&Value, &Value)> = messages
        .iter()
        .map(|message| (&message["role"], &message["metadata"]["status"]))
        .collect();
    assert_eq!(
        json!(told),
        json!([
            ["user", "completed"],
            ["assistant", "cancelled"],
            ["user", "completed"],
            ["assistant", "completed"],
        ])
    );
    assert_eq!(answer_text(&messages[1]), first.said());
    assert!(!first.said().is_empty());
    assert_eq!(answer_text(&messages[3]), second.said());
}

#[tokio::test]
async fn many_sends_at_once_leave_one_answer_running_and_every_message_stored() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    ann.talk(&chat, "Hello. [[mock: tokens=1]]").await;
    let sends = (0..8).map(|n| {
        let (ann, chat) = (ann.clone(), chat.clone());
        async move {
            ann.talk(&chat, &format!("Send {n}. [[mock: tokens=20 pace_ms=5]]"))
                .await
        }
    });
    let ends: Vec<String> = futures_util::future::join_all(sends)
        .await
        .iter()
        .map(|read| ending(&read.frames())[0].clone())
        .collect();
    let aborted = ends
        .iter()
        .filter(|end| *end == r#"{"type":"abort"}"#)
        .count();
    assert_eq!(aborted, 7, "{ends:?}");
    let messages = ann.messages(&chat).await;
    let users = messages
        .iter()
        .filter(|message| message["role"] == "user")
        .count();
    assert_eq!(users, 9);
    assert_eq!(messages.last().unwrap()["metadata"]["status"], "completed");
}

#[tokio::test]
async fn the_same_message_id_is_an_edit() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let (chat, question) = (new_id(), new_id());
    ann.talk(&chat, "Zero. [[mock: tokens=1]]").await;
    let first = ann
        .say_as(&chat, &question, "One. [[mock: tokens=2]]")
        .await;
    first.finish().await;
    ann.talk(&chat, "Later. [[mock: tokens=3]]").await;
    assert_eq!(ann.messages(&chat).await.len(), 6);

    let edited = ann
        .say_as(&chat, &question, "Uno. [[mock: tokens=4]]")
        .await;
    let answer = edited.answer_id();
    edited.finish().await;
    let messages = ann.messages(&chat).await;
    assert_eq!(messages.len(), 4, "[W61] that message and all after it");
    assert_eq!(messages[2]["id"], question);
    assert_eq!(answer_text(&messages[2]), "Uno. [[mock: tokens=4]]");
    assert_eq!(messages[3]["id"], answer);
    assert_eq!(answer_text(&messages[3]), "tok0 tok1 tok2 tok3");
}

#[tokio::test]
async fn an_edit_while_its_answer_runs_stops_that_answer() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let (chat, question) = (new_id(), new_id());
    let slow = "One. [[mock: tokens=5000 pace_ms=10]]";
    let mut first = ann.say_as(&chat, &question, slow).await;
    first.first_text().await;
    let second = ann
        .say_as(&chat, &question, "Uno. [[mock: tokens=2]]")
        .await;
    let second = second.finish().await;
    assert_eq!(ending(&first.finish().await.frames())[1], "[DONE]");
    skein.llm_until(|stats| stats.hung_up == 1).await;
    let messages = ann.messages(&chat).await;
    assert_eq!(messages.len(), 2);
    assert_eq!(answer_text(&messages[0]), "Uno. [[mock: tokens=2]]");
    assert_eq!(answer_text(&messages[1]), second.said());
}

#[tokio::test]
async fn a_repeat_with_the_same_key_gives_the_same_stream() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    let send = |text: &str| {
        let body = send_body(&chat, &new_id(), text).to_string();
        let ask = Ask::post("/api/chat", body).header("idempotency-key", "k 1");
        let ann = ann.clone();
        async move { EventStream::new(ann.ask(ask).await) }
    };
    let mut first = send("One. [[mock: tokens=30 pace_ms=10]]").await;
    first.first_text().await;
    // While it runs, and after its end [W61].
    let (first, second) = tokio::join!(first.finish(), async {
        send("One. [[mock: tokens=9]]").await.finish().await
    });
    assert_eq!(first, second);
    let third = send("One. [[mock: tokens=9]]").await.finish().await;
    assert_eq!(first, third);
    assert_eq!(ann.messages(&chat).await.len(), 2);
    assert_eq!(skein.llm.stats().requests, 1);
}

#[tokio::test]
async fn a_key_of_another_chat_or_of_a_message_that_is_gone_is_refused() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let send = |chat: &str, message: &str| {
        let body = send_body(chat, message, "One. [[mock: tokens=2]]").to_string();
        let ask = Ask::post("/api/chat", body).header("idempotency-key", "k");
        let ann = ann.clone();
        async move { ann.ask(ask).await }
    };
    let (chat, other, message) = (new_id(), new_id(), new_id());
    EventStream::new(send(&chat, &message).await).finish().await;
    let refused = async |chat: &str| {
        let answer = send(chat, &new_id()).await;
        assert_eq!(answer.status(), 400, "[W61]");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["code"], "bad_request:api");
        let cause = body["cause"].as_str().unwrap();
        assert!(cause.starts_with("Idempotency-Key: "), "{cause}");
    };
    refused(&other).await;
    let there = ann
        .ask(Ask::get(format!("/api/chat/{other}/stream")))
        .await
        .status();
    assert_eq!(there, 404, "nothing was made");

    let edited = ann.say_as(&chat, &message, "Uno. [[mock: tokens=2]]").await;
    edited.finish().await;
    refused(&chat).await;
    assert_eq!(ann.messages(&chat).await.len(), 2);
}

#[tokio::test]
async fn thoughts_are_told_apart_from_the_answer() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    for directive in ["reasoning=\"Let me see\"", "think=\"Let me see\""] {
        let chat = new_id();
        let text = format!("Why? [[mock: {directive} text=\"Because it is\"]]");
        let read = ann.talk(&chat, &text).await;
        // [W10]
        let expected = [
            "start",
            "start-step",
            "reasoning-start",
            "reasoning-delta",
            "reasoning-end",
            "text-start",
            "text-delta",
            "text-end",
            "finish-step",
            "finish",
            "data-usage",
            "[DONE]",
        ];
        assert_eq!(read.kinds(), expected, "{directive}");
        let parts = &ann.messages(&chat).await[1]["parts"];
        assert_eq!(
            *parts,
            json!([
                {"type": "step-start"},
                {"type": "reasoning", "text": "Let me see", "state": "done"},
                {"type": "text", "text": "Because it is", "state": "done"},
            ]),
            "{directive} [W45, W46]"
        );
    }
}

#[tokio::test]
async fn a_call_to_a_tool_that_nobody_has_fails_and_the_answer_goes_on() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    let read = ann
        .talk(
            &chat,
            r#"Weather? [[mock: tool=weather args={"city":"Paris"}]]"#,
        )
        .await;
    let expected = [
        "start",
        "start-step",
        "tool-input-start",
        "tool-input-delta",
        "tool-input-available",
        "tool-output-error",
        "finish-step",
        "start-step",
        "text-start",
        "text-delta",
        "text-end",
        "finish-step",
        "finish",
        "data-usage",
        "[DONE]",
    ];
    assert_eq!(read.kinds(), expected, "[W8, W11, W12]");
    assert_eq!(
        read.chunks("tool-input-available")[0]["input"],
        json!({"city": "Paris"})
    );
    let messages = ann.messages(&chat).await;
    assert_eq!(messages[1]["metadata"]["status"], "completed");
    let call = &messages[1]["parts"][1];
    assert_eq!(call["type"], "tool-weather", "[W47]");
    assert_eq!(call["state"], "output-error");
    assert_eq!(skein.llm.stats().requests, 2);
}

#[tokio::test]
async fn a_reader_who_leaves_does_not_end_the_answer() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    let mut stream = ann
        .say(&chat, "Count. [[mock: tokens=40 pace_ms=10]]")
        .await;
    stream.first_text().await;
    drop(stream);
    skein.llm_until(|stats| stats.completed == 1).await;
    // The rest of the stream is waited for, as a page does that comes back.
    let seen = Some(0);
    let read = ann.replay(&chat, seen).await;
    assert_eq!(read.chunks("finish").len(), 1);
    let whole: Vec<String> = (0..40).map(|n| format!("tok{n}")).collect();
    let messages = ann.messages(&chat).await;
    assert_eq!(answer_text(&messages[1]), whole.join(" "));
    assert_eq!(messages[1]["metadata"]["status"], "completed");
    assert_eq!(skein.llm.stats().hung_up, 0);
}

#[tokio::test]
async fn a_new_chat_gets_a_title() {
    let skein = Skein::start_with(&[("SKEIN_TITLES", "on"), ("SKEIN_MODEL", "mock-demo")]);
    let ann = skein.guest().await;
    let chat = new_id();
    let read = ann
        .talk(&chat, "The rivers of Europe [[mock: tokens=30 pace_ms=10]]")
        .await;
    let told = read.chunks("data-chat-title");
    assert_eq!(told.len(), 1, "[W13] {:?}", read.kinds());
    assert_eq!(told[0]["transient"], true);
    let chats = ann.chats().await;
    assert_eq!(chats[0]["title"], told[0]["data"]);
    assert_ne!(chats[0]["title"], "New chat");
}

#[tokio::test]
async fn a_title_that_fails_leaves_the_answer_alone() {
    let skein = Skein::start_with(&[("SKEIN_TITLES", "on"), ("SKEIN_MODEL", "mock-demo")]);
    let ann = skein.guest().await;
    let text = "Rivers [[mock: tokens=5]] [[mock: title.status=400]]";
    let read = ann.talk(&new_id(), text).await;
    assert_eq!(read.chunks("finish").len(), 1);
    assert!(read.chunks("data-chat-title").is_empty());
    assert_eq!(ann.chats().await[0]["title"], "New chat", "[W41]");
}

#[tokio::test]
async fn deleting_a_chat_ends_its_running_answer_and_leaves_nothing() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    let mut stream = ann
        .say(&chat, "Count. [[mock: tokens=5000 pace_ms=10]]")
        .await;
    stream.first_text().await;
    let deleted = ann
        .ask(Ask::new("DELETE", format!("/api/chat?id={chat}")))
        .await;
    assert_eq!(deleted.status(), 200);
    let row: Value = deleted.json().await.unwrap();
    assert_eq!(row["id"], chat);
    skein.llm_until(|stats| stats.hung_up == 1).await;
    let read = stream.finish().await;
    assert_eq!(ending(&read.frames()), [r#"{"type":"abort"}"#, "[DONE]"]);
    assert!(ann.chats().await.is_empty());
    assert!(ann.messages(&chat).await.is_empty(), "[W43]");
    assert_eq!(ann.resume(&chat, None).await.status(), 404);
    // Its id is free again.
    let again = ann.talk(&chat, "Hello. [[mock: tokens=1]]").await;
    assert_eq!(again.chunks("finish").len(), 1);
    assert_eq!(ann.messages(&chat).await.len(), 2);
}

#[tokio::test]
async fn a_public_chat_is_read_by_others_and_written_by_its_owner_only() {
    let skein = Skein::start();
    let (ann, ben) = (skein.guest().await, skein.guest().await);
    let chat = new_id();
    let mut body = send_body(&chat, &new_id(), "Hello. [[mock: tokens=30 pace_ms=10]]");
    body["selectedVisibilityType"] = json!("public");
    let ask = Ask::post("/api/chat", body.to_string());
    let mut stream = EventStream::new(ann.ask(ask).await);
    stream.first_text().await;
    let (own, other) = tokio::join!(stream.finish(), ben.replay(&chat, None));
    assert_eq!(own, other);
    let read = ben.get(&format!("/api/messages?chatId={chat}")).await;
    assert_eq!(read["isReadonly"], true);
    assert_eq!(read["visibility"], "public");
    assert_eq!(read["messages"].as_array().unwrap().len(), 2);
    let send = Ask::post(
        "/api/chat",
        send_body(&chat, &new_id(), "Me too").to_string(),
    );
    assert_eq!(ben.ask(send).await.status(), 403);
    assert!(ben.chats().await.is_empty());
}

#[tokio::test]
async fn what_was_said_is_there_after_a_restart() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    ann.talk(&chat, "Hello. [[mock: tokens=5]]").await;
    let (chats, messages) = (ann.chats().await, ann.messages(&chat).await);
    let skein = skein.restart();
    let ann = ann.at(skein.address);
    assert_eq!(ann.chats().await, chats);
    assert_eq!(ann.messages(&chat).await, messages);
    let read = ann.talk(&chat, "And now? [[mock: tokens=2]]").await;
    assert_eq!(read.chunks("finish").len(), 1);
}

/// The last two chunks of a stream.
fn ending(frames: &[crate::support::Frame]) -> [String; 2] {
    let [.., before, last] = frames else {
        panic!("a stream of fewer than two frames: {frames:?}");
    };
    [before.data.clone(), last.data.clone()]
}

fn pretty(value: &Value) -> String {
    redacted(&serde_json::to_string_pretty(value).unwrap())
}
