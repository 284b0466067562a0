//! Every route with an id in it, tried by everybody who does not own what the id names.

use crate::{
    support::Ask,
    table::{Case, Row, SECRET_WORD, Who, World, described, rows},
};

/// What others may read of a public chat.
const READABLE: &[(&str, &str)] = &[
    ("GET", "/api/chat/{id}"),
    ("GET", "/api/chat/{id}/stream"),
    ("GET", "/api/messages"),
];

/// A route whose id is an unguessable secret by which a file is given to anyone.
const OPEN_BY_URL: &str = "/api/files/blob/{id}/{name}";

#[tokio::test]
async fn nobody_but_the_owner_gets_at_anything_by_its_id() {
    let world = World::build().await;
    let mut wrong = Vec::new();
    let mut tried = Vec::new();
    for row in rows().filter(|row| row.who == Who::Owner && row.code.is_empty()) {
        for is_public in [false, true] {
            let case = if is_public {
                Case::in_public(&world)
            } else {
                Case::of(&world)
            };
            let ask = case.request(row).await;
            if !case.has_made() {
                continue;
            }
            tried.push(row);
            let before = case.state().await;
            for who in [Who::Stranger, Who::Guest, Who::Nobody] {
                let answer = case.ask(who, ask.clone()).await;
                let what = format!("{} as {who:?}, public: {is_public}", row.what);
                let expected = expected(row, who, is_public);
                if answer.status != expected {
                    wrong.push(format!(
                        "{what}: {} instead of {expected}: {}",
                        answer.status, answer.text
                    ));
                }
                if expected >= 400 && answer.text.contains(SECRET_WORD) {
                    wrong.push(format!("{what}: tells what is not theirs: {}", answer.text));
                }
            }
            let after = case.state().await;
            if after != before {
                wrong.push(format!(
                    "{}: changed what is stored\n{before:#}\n{after:#}",
                    row.what
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A route that nobody wrote a row for would be tried by nobody.
    let untried: Vec<String> = described()
        .into_iter()
        .filter(|(_, path, operation)| path != OPEN_BY_URL && has_id(path, operation))
        .filter(|(method, path, _)| !tried.iter().any(|row| row.is_of(method, path)))
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    assert!(
        untried.is_empty(),
        "routes with an id that no row of the owner's in table/ is of: {untried:#?}"
    );
}

/// Whether a route takes an id in its path or in its query.
fn has_id(path: &str, operation: &serde_json::Value) -> bool {
    let parameters = operation["parameters"].as_array();
    let in_query = parameters
        .into_iter()
        .flatten()
        .any(|parameter| parameter["in"] == "query" && parameter["schema"]["format"] == "uuid");
    in_query || path.contains('{')
}

fn expected(row: &Row, who: Who, is_public: bool) -> u16 {
    if who == Who::Nobody {
        return 401;
    }
    let is_any =
        |routes: &[(&str, &str)]| routes.iter().any(|(method, path)| row.is_of(method, path));
    if is_public && is_any(READABLE) {
        return row.status;
    }
    if is_any(&[("GET", "/api/history")]) {
        // A place in another's list is no place of one's own.
        return 404;
    }
    403
}

#[tokio::test]
async fn a_public_chat_is_not_listed_nor_found_by_others() {
    let world = World::build().await;
    let case = Case::in_public(&world);
    let owner = world.person(Who::Owner).unwrap();
    let row = rows().find(|row| row.what == "a chat").unwrap();
    let _made = case.request(row).await;
    for who in [Who::Stranger, Who::Guest] {
        let person = world.person(who).unwrap();
        assert!(person.chats().await.is_empty());
        let found = person.get(&format!("/api/search?q={SECRET_WORD}")).await;
        assert_eq!(found["results"], serde_json::json!([]));
    }
    assert_eq!(owner.chats().await.len(), 1);
    // Without a token there is no list at all.
    let list = Ask::get("/api/history").send(world.skein.address).await;
    assert_eq!(list.status(), 401);
}
