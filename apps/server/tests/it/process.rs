//! The binary as a process: how it starts, ends, and what it says.

use std::time::{Duration, Instant};

use mock_llm::MockLlm;
use serde_json::json;

use crate::support::{Ask, Person, Process, answer_text, new_id};

#[tokio::test]
async fn nothing_has_to_be_set() {
    let dir = tempfile::tempdir().unwrap();
    // A free port and a folder, so that the test disturbs nothing; no upstream: the demo model answers.
    let skein = Process::start(dir.path(), &[]);
    let said = skein.said();
    assert!(said.contains("demo model; set OPENAI_API_KEY"), "{said}");
    assert!(
        said.contains(&format!("http://{}/docs/", skein.address)),
        "{said}"
    );
    let ann = Person::guest(skein.address).await;
    let read = ann.talk(&new_id(), "Hello!").await;
    assert!(read.said().contains("demo model"), "{}", read.said());
    assert_eq!(skein.terminate(), Some(0));
}

#[tokio::test]
async fn a_second_process_on_the_same_data_refuses_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let first = Process::start(dir.path(), &[]);
    let (code, said) = Process::refused(dir.path(), &[]);
    assert_eq!(code, Some(1));
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("skein: the data directory "), "{said}");
    assert!(said.contains("is in use by another process"), "{said}");
    // The first is none the worse.
    Person::guest(first.address).await;
    assert_eq!(first.terminate(), Some(0));
    // And its data can be opened again.
    let next = Process::start(dir.path(), &[]);
    assert_eq!(next.terminate(), Some(0));
}

#[tokio::test]
async fn a_bad_configuration_is_told_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (code, said) = Process::refused(
        dir.path(),
        &[
            ("SKEIN_BIND", "nowhere"),
            ("PORT", "99999"),
            ("JWT_ALGORITHM", "none"),
            ("SKEIN_MODLE", "x"),
            ("MONGODB_URI", "user:geheim@host/"),
        ],
    );
    assert_eq!(code, Some(1));
    for name in [
        "SKEIN_BIND",
        "PORT",
        "JWT_ALGORITHM",
        "SKEIN_MODLE",
        "MONGODB_URI",
    ] {
        let told = said.lines().filter(|line| {
            line.trim_start_matches("skein: ")
                .starts_with(&format!("{name}: "))
        });
        assert_eq!(told.count(), 1, "{name}: {said}");
    }
    assert!(!said.contains("geheim"), "{said}");
    assert!(!dir.path().join("data").exists(), "nothing was opened");
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_in_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let (code, said) = Process::refused(dir.path(), &[("SKEIN_BIND", &address)]);
    assert_eq!(code, Some(1));
    assert!(said.contains("SKEIN_BIND"), "{said}");
    assert!(said.contains(&address), "{said}");
}

#[tokio::test]
async fn an_unknown_command_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_skein"))
        .arg("surf")
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("surf"));
}

#[tokio::test]
async fn a_short_answer_finishes_before_the_process_ends() {
    let llm = MockLlm::start(mock_llm::Config::default()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let base = llm.base_url();
    let settings = [
        ("OPENAI_BASE_URL", base.as_str()),
        ("SKEIN_DRAIN_SECS", "20"),
    ];
    let skein = Process::start(dir.path(), &settings);
    let ann = Person::guest(skein.address).await;
    let chat = new_id();
    let mut stream = ann
        .say(&chat, "Count. [[mock: tokens=40 pace_ms=20]]")
        .await;
    stream.first_text().await;
    let ending = std::thread::spawn(move || skein.terminate());
    let read = stream.finish().await;
    assert_eq!(read.chunks("finish").len(), 1, "{:?}", read.kinds());
    assert_eq!(read.chunks("text-delta").len(), 40);
    assert_eq!(ending.join().unwrap(), Some(0));

    let next = Process::start(dir.path(), &settings);
    let messages = ann.at(next.address).messages(&chat).await;
    assert_eq!(answer_text(&messages[1]), read.said());
    assert_eq!(next.terminate(), Some(0));
}

#[tokio::test]
async fn a_long_answer_is_closed_as_interrupted_when_the_patience_ends() {
    let llm = MockLlm::start(mock_llm::Config::default()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let base = llm.base_url();
    let settings = [
        ("OPENAI_BASE_URL", base.as_str()),
        ("SKEIN_DRAIN_SECS", "1"),
    ];
    let skein = Process::start(dir.path(), &settings);
    let ann = Person::guest(skein.address).await;
    let chat = new_id();
    let mut stream = ann
        .say(&chat, "Count. [[mock: tokens=5000 pace_ms=20]]")
        .await;
    stream.first_text().await;
    let asked = Instant::now();
    let ending = std::thread::spawn(move || skein.terminate());
    let read = stream.finish().await;
    assert_eq!(
        read.kinds().last_chunk(),
        Some(&["error".to_owned(), "[DONE]".to_owned()])
    );
    let error = &read.chunks("error")[0]["errorText"];
    assert!(
        error
            .as_str()
            .unwrap()
            .starts_with("The server was restarted"),
        "{error}"
    );
    assert_eq!(ending.join().unwrap(), Some(0));
    let took = asked.elapsed();
    println!("ended {took:?} after SIGTERM");
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_secs(10),
        "{took:?}"
    );
    llm.wait_for(|stats| stats.hung_up == 1, Duration::from_secs(5))
        .await
        .unwrap();

    let next = Process::start(dir.path(), &settings);
    let ann = ann.at(next.address);
    let answer = &ann.messages(&chat).await[1];
    assert_eq!(answer["metadata"]["status"], "failed");
    assert_eq!(answer["metadata"]["error"]["code"], "interrupted");
    assert_eq!(answer_text(answer), read.said());
    assert_eq!(ann.replay(&chat, None).await, read, "[W63]");
    assert_eq!(next.terminate(), Some(0));
}

#[tokio::test]
async fn the_log_holds_no_text_and_no_token() {
    for format in ["human", "json"] {
        let llm = MockLlm::start(mock_llm::Config::default()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let base = llm.base_url();
        let skein = Process::start(
            dir.path(),
            &[
                ("OPENAI_BASE_URL", &base),
                ("OPENAI_API_KEY", "sk-geheim-key"),
                ("JWT_SECRET_KEY", "geheim-secret-of-32-bytes-and-more"),
                ("SKEIN_LOG", "debug"),
                ("SKEIN_LOG_FORMAT", format),
            ],
        );
        let ann = Person::guest(skein.address).await;
        let chat = new_id();
        let asked = "Geheim-Frage [[mock: text=\"Geheim-Antwort\"]]";
        ann.talk(&chat, asked).await;
        ann.talk(&chat, "Geheim-Frage [[mock: tokens=5 malformed_after=2]]")
            .await;
        ann.talk(&chat, "Geheim-Frage [[mock: 401]]").await;
        ann.talk(&chat, "Geheim-Frage [[mock: tokens=5 error_after=2]]")
            .await;
        let bad = "{\"id\":\"Geheim-Rumpf\"}";
        ann.ask(Ask::post("/api/chat", bad).header("idempotency-key", "geheim-key"))
            .await;
        ann.ask(Ask::get("/api/messages?chatId=geheim-abfrage"))
            .await;
        ann.messages(&chat).await;
        // Whoever knows an upload's address may read it.
        let upload = format!("/api/files/blob/{}/geheim.png", new_id());
        for path in [&upload, "/api/search?q=geheim"] {
            ann.ask(Ask::get(path)).await;
        }
        let signs = json!({"email": "geheim@x.example", "password": "geheim-wort"}).to_string();
        for path in ["/api/auth/register", "/api/auth/login"] {
            Ask::post(path, signs.clone()).send(skein.address).await;
        }
        let draft = json!({"title": "Geheim", "content": "Geheim", "kind": "text"}).to_string();
        ann.ask(Ask::post(format!("/api/document?id={}", new_id()), draft))
            .await;
        Ask::get("/api/history")
            .token("geheim.token.forged")
            .send(skein.address)
            .await;
        let log = skein.log_after_termination();
        assert!(log.contains("request"), "{log}");
        if format == "json" {
            for line in log.lines() {
                let line: Result<serde_json::Value, _> = serde_json::from_str(line);
                assert!(line.is_ok_and(|line| line.is_object()), "{log}");
            }
        }
        let found = log.lines().find(|line| {
            line.to_lowercase().contains("geheim")
                || line.contains(&ann.token)
                || line.contains("tok0")
        });
        assert_eq!(found, None);
    }
}
