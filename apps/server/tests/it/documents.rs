//! Documents and suggestions: versions, restoring one, and whose they are.

use records::{DocumentId, Suggestion};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Ask, BEGAN_MS, Person, Skein, new_id};

fn draft(title: &str, content: &str) -> Value {
    json!({"title": title, "content": content, "kind": "text"})
}

fn save(id: &str, body: &Value) -> Ask {
    // As the pages send it: JSON without saying so.
    Ask::post(format!("/api/document?id={id}"), body.to_string())
        .header("content-type", "text/plain;charset=UTF-8")
}

/// Saves a version, which must be taken, and gives it.
async fn saved(person: &Person, id: &str, body: &Value) -> Value {
    let answer = person.ask(save(id, body)).await;
    assert_eq!(answer.status(), 200);
    let answer: Value = answer.json().await.unwrap();
    let [version] = answer.as_array().unwrap().as_slice() else {
        panic!("an array with one version: {answer}");
    };
    version.clone()
}

async fn versions(person: &Person, id: &str) -> Vec<Value> {
    let answer = person.get(&format!("/api/document?id={id}")).await;
    answer.as_array().unwrap().clone()
}

fn restore(id: &str, timestamp: &str) -> Ask {
    Ask::new(
        "DELETE",
        format!("/api/document?id={id}&timestamp={timestamp}"),
    )
}

/// The versions that a restore deleted.
async fn deleted(person: &Person, id: &str, timestamp: &str) -> Vec<Value> {
    let answer = person.ask(restore(id, timestamp)).await;
    assert_eq!(answer.status(), 200, "{timestamp}");
    let answer: Value = answer.json().await.unwrap();
    answer.as_array().unwrap().clone()
}

fn texts(versions: &[Value]) -> Vec<&str> {
    versions
        .iter()
        .map(|version| version["content"].as_str().unwrap())
        .collect()
}

async fn refusal(person: &Person, ask: Ask) -> (u16, String) {
    let answer = person.ask(ask).await;
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    (status, body["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn each_save_adds_a_version_and_all_are_listed_oldest_first() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let id = new_id();
    let first = saved(&ann, &id, &draft("Notes", "one")).await;
    assert_eq!(
        first,
        json!({
            "id": id,
            "createdAt": "2026-01-02T03:04:05.678Z",
            "title": "Notes",
            "content": "one",
            "kind": "text",
            "userId": ann.id,
        })
    );
    // The clock stands still: the next version is a millisecond younger.
    let code = json!({"title": "Notes 2", "content": "", "kind": "code", "isManualEdit": false});
    let second = saved(&ann, &id, &code).await;
    assert_eq!(second["createdAt"], "2026-01-02T03:04:05.679Z");
    assert_eq!(versions(&ann, &id).await, [first, second]);
}

#[tokio::test]
async fn a_manual_edit_takes_the_place_of_the_newest_version() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let id = new_id();
    let manual = |content: &str| json!({"title": "T", "content": content, "kind": "sheet", "isManualEdit": true});
    // Of a document that is not there it makes the first version.
    let first = saved(&ann, &id, &manual("one")).await;
    skein.clock.move_by(5_000);
    let second = saved(&ann, &id, &draft("T", "two")).await;
    skein.clock.move_by(5_000);
    let edited = saved(&ann, &id, &manual("two, edited")).await;
    assert_eq!(edited["createdAt"], second["createdAt"]);
    assert_eq!(edited["kind"], "sheet");
    assert_eq!(versions(&ann, &id).await, [first, edited]);
}

#[tokio::test]
async fn a_version_is_restored_by_its_time_as_it_was_given() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let id = new_id();
    let mut times = Vec::new();
    for text in ["one", "two", "three"] {
        let version = saved(&ann, &id, &draft("T", text)).await;
        times.push(version["createdAt"].as_str().unwrap().to_owned());
    }
    assert_eq!(deleted(&ann, &id, &times[2]).await, [] as [Value; 0]);
    let gone = deleted(&ann, &id, &times[0]).await;
    assert_eq!(texts(&gone), ["two", "three"]);
    assert_eq!(texts(&versions(&ann, &id).await), ["one"]);
    // A page that asks again is told that there is nothing left to do.
    assert_eq!(deleted(&ann, &id, &times[0]).await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_date_as_pages_print_it_spares_the_version_of_that_second() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let id = new_id();
    // 03:04:05.678, and .679 of the same second.
    saved(&ann, &id, &draft("T", "one")).await;
    saved(&ann, &id, &draft("T", "two")).await;
    skein.clock.move_by(1_000);
    saved(&ann, &id, &draft("T", "three")).await;
    // A plus that is not escaped arrives as a blank.
    for (date, left) in [
        (
            "Fri%20Jan%2002%202026%2003:04:06%20GMT+0000%20(Coordinated%20Universal%20Time)",
            3,
        ),
        (
            "Fri%20Jan%2002%202026%2004:04:05%20GMT%2B0100%20(Central%20European%20Standard%20Time)",
            2,
        ),
        (
            "Fri%20Jan%2002%202026%2003:04:04%20GMT%200000%20(Coordinated%20Universal%20Time)",
            0,
        ),
    ] {
        deleted(&ann, &id, date).await;
        let listed = ann.ask(Ask::get(format!("/api/document?id={id}"))).await;
        let count = match listed.status().as_u16() {
            404 => 0,
            _ => listed.json::<Vec<Value>>().await.unwrap().len(),
        };
        assert_eq!(count, left, "{date}");
    }
}

#[tokio::test]
async fn saves_at_the_same_moment_are_versions_of_their_own() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let id = new_id();
    let saves = (0..12).map(|number| {
        let (ann, id) = (ann.clone(), id.clone());
        async move { saved(&ann, &id, &draft("T", &format!("text {number}"))).await }
    });
    let mut told: Vec<Value> = futures_util::future::join_all(saves).await;
    told.sort_by(|a, b| a["createdAt"].as_str().cmp(&b["createdAt"].as_str()));
    assert_eq!(versions(&ann, &id).await, told);
    let mut times: Vec<&str> = told
        .iter()
        .map(|version| version["createdAt"].as_str().unwrap())
        .collect();
    times.dedup();
    assert_eq!(times.len(), 12);
}

#[tokio::test]
async fn two_people_who_begin_one_document_are_told_whose_it_is() {
    let skein = Skein::start();
    for _round in 0..4 {
        let (ann, ben) = (skein.guest().await, skein.guest().await);
        let id = new_id();
        let body = draft("T", "mine");
        let (one, other) = tokio::join!(ann.ask(save(&id, &body)), ben.ask(save(&id, &body)));
        let mut statuses = [one.status().as_u16(), other.status().as_u16()];
        let owner = if statuses[0] == 200 { &ann } else { &ben };
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 403]);
        assert_eq!(versions(owner, &id).await.len(), 1);
    }
}

#[tokio::test]
async fn a_document_is_its_owners_alone() {
    let skein = Skein::start();
    let (ann, ben) = (skein.guest().await, skein.guest().await);
    let (id, unknown) = (new_id(), new_id());
    let time = "2026-01-01T00:00:00.000Z";
    saved(&ann, &id, &draft("T", "mine")).await;
    let manual = json!({"title": "T", "content": "his", "kind": "text", "isManualEdit": true});
    for (ask, status, code) in [
        (
            Ask::get(format!("/api/document?id={id}")),
            403,
            "forbidden:document",
        ),
        (save(&id, &draft("T", "his")), 403, "forbidden:document"),
        (save(&id, &manual), 403, "forbidden:document"),
        (restore(&id, time), 403, "forbidden:document"),
        (
            Ask::get(format!("/api/suggestions?documentId={id}")),
            403,
            "forbidden:api",
        ),
        (
            Ask::get(format!("/api/document?id={unknown}")),
            404,
            "not_found:document",
        ),
        (restore(&unknown, time), 404, "not_found:document"),
    ] {
        let path = format!("{} {}", ask.method, ask.path);
        assert_eq!(
            refusal(&ben, ask).await,
            (status, code.to_owned()),
            "{path}"
        );
    }
    assert_eq!(texts(&versions(&ann, &id).await), ["mine"]);
}

#[tokio::test]
async fn whoever_has_no_token_is_told_so_after_a_bad_request() {
    let skein = Skein::start();
    let id = new_id();
    let good = draft("T", "text").to_string();
    for (ask, code) in [
        (
            Ask::get(format!("/api/document?id={id}")),
            "unauthorized:document",
        ),
        (
            Ask::post(format!("/api/document?id={id}"), good),
            "unauthorized:document",
        ),
        (
            restore(&id, "2026-01-01T00:00:00.000Z"),
            "unauthorized:document",
        ),
        (
            Ask::get(format!("/api/suggestions?documentId={id}")),
            "unauthorized:suggestions",
        ),
        (Ask::get("/api/document"), "bad_request:api"),
        (Ask::get("/api/suggestions"), "bad_request:api"),
        (
            Ask::post(format!("/api/document?id={id}"), "{}"),
            "bad_request:api",
        ),
    ] {
        let answer = ask.send(skein.address).await;
        let status = if code == "bad_request:api" { 400 } else { 401 };
        assert_eq!(answer.status(), status, "{code}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["code"], code);
    }
}

#[tokio::test]
async fn what_is_not_accepted_is_refused_with_its_cause() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let id = new_id();
    saved(&ann, &id, &draft("T", "text")).await;
    let post = |body: &str| Ask::post(format!("/api/document?id={id}"), body);
    let without = |key: &str| {
        let mut body = draft("T", "text");
        body.as_object_mut().unwrap().remove(key);
        post(&body.to_string())
    };
    let with = |key: &str, value: Value| {
        let mut body = draft("T", "text");
        body[key] = value;
        post(&body.to_string())
    };
    let long = "x".repeat(1024 * 1024 + 1);
    for ask in [
        Ask::get("/api/document"),
        Ask::get("/api/document?id="),
        Ask::get("/api/document?id=init"),
        Ask::post("/api/document", draft("T", "text").to_string()),
        Ask::post("/api/document?id=7", draft("T", "text").to_string()),
        post(""),
        post("[]"),
        post("{"),
        without("title"),
        without("content"),
        without("kind"),
        with("title", json!(7)),
        with("content", Value::Null),
        with("kind", json!("prose")),
        with("isManualEdit", json!("yes")),
        with("content", json!(long)),
        Ask::new("DELETE", format!("/api/document?id={id}")),
        Ask::new("DELETE", "/api/document?timestamp=2026-01-01T00:00:00.000Z"),
        restore(&id, ""),
        restore(&id, "yesterday"),
        restore(&id, "2026-13-01T00:00:00.000Z"),
        restore("7", "2026-01-01T00:00:00.000Z"),
        Ask::get("/api/suggestions"),
        Ask::get("/api/suggestions?documentId=7"),
    ] {
        let path = format!("{} {}", ask.method, ask.path);
        let answer = ann.ask(ask).await;
        assert_eq!(answer.status(), 400, "{path}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["code"], "bad_request:api", "{path}");
        assert!(!body["cause"].as_str().unwrap().is_empty(), "{path}");
    }
    assert_eq!(texts(&versions(&ann, &id).await), ["text"]);
    let most = "x".repeat(1024 * 1024);
    saved(&ann, &id, &draft("T", &most)).await;
    let over = post(&draft("T", &"x".repeat(4 * 1024 * 1024)).to_string());
    assert_eq!(ann.ask(over).await.status(), 413);
}

#[tokio::test]
async fn a_long_history_is_listed_by_its_newest_versions() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let id = new_id();
    let mebibyte = "x".repeat(1024 * 1024 - 4);
    for number in 0..40 {
        saved(&ann, &id, &draft("T", &format!("{number:04}{mebibyte}"))).await;
    }
    let listed = versions(&ann, &id).await;
    let numbers: Vec<&str> = texts(&listed).iter().map(|text| &text[..4]).collect();
    assert_eq!(numbers.first(), Some(&"0008"));
    assert_eq!(numbers.last(), Some(&"0039"));
}

#[tokio::test]
async fn suggestions_are_listed_for_their_owner_and_go_with_their_version() {
    let skein = Skein::start();
    let (ann, ben) = (skein.guest().await, skein.guest().await);
    let id = new_id();
    let document = DocumentId(Uuid::parse_str(&id).unwrap());
    saved(&ann, &id, &draft("T", "one")).await;
    saved(&ann, &id, &draft("T", "two")).await;
    let list = format!("/api/suggestions?documentId={id}");
    assert_eq!(ann.get(&list).await, json!([]));

    let suggestion = |number: u128, version_at_ms: i64| Suggestion {
        id: Uuid::from_u128(number),
        document,
        version_at_ms,
        original: "one".to_owned(),
        suggested: "won".to_owned(),
        description: (number == 1).then(|| "shorter".to_owned()),
        resolved: false,
        user: ann.id.parse().unwrap(),
        created_at_ms: BEGAN_MS,
    };
    let both = [suggestion(1, BEGAN_MS), suggestion(2, BEGAN_MS + 1)];
    let skein = skein
        .restart_after(async |stores| {
            for suggestion in both {
                let documents = &stores.documents;
                assert!(documents.insert_suggestion(suggestion).await.unwrap());
            }
        })
        .await;
    let (ann, ben) = (ann.at(skein.address), ben.at(skein.address));
    let row = |number: u128, version: &str, description: Value| {
        json!({
            "id": Uuid::from_u128(number).to_string(),
            "documentId": id,
            "documentCreatedAt": version,
            "originalText": "one",
            "suggestedText": "won",
            "description": description,
            "isResolved": false,
            "userId": ann.id,
            "createdAt": "2026-01-02T03:04:05.678Z",
        })
    };
    let first = row(1, "2026-01-02T03:04:05.678Z", json!("shorter"));
    let second = row(2, "2026-01-02T03:04:05.679Z", Value::Null);
    assert_eq!(ann.get(&list).await, json!([first, second]));
    assert_eq!(
        refusal(&ben, Ask::get(&list)).await,
        (403, "forbidden:api".to_owned())
    );
    // Of a document that is not there nobody has suggestions.
    let unknown = format!("/api/suggestions?documentId={}", new_id());
    assert_eq!(ben.get(&unknown).await, json!([]));

    let gone = deleted(&ann, &id, "2026-01-02T03:04:05.678Z").await;
    assert_eq!(texts(&gone), ["two"]);
    assert_eq!(ann.get(&list).await, json!([first]));
}
