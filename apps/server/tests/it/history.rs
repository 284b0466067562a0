//! The list of chats, while chats come and go; and emptying it.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::support::{Ask, Person, Skein, new_id};

/// What happens while a page is asked for.
#[derive(Debug, Clone)]
enum Change {
    /// A chat is made, after so many milliseconds: 0 makes it in the same one as the chat before it.
    Make(i64),
    /// One of the chats is deleted.
    Delete(prop::sample::Index),
}

/// Between two pages: what happens beside the request, and how large the page is.
#[derive(Debug, Clone)]
struct Step {
    changes: Vec<Change>,
    limit: usize,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let change = prop_oneof![
        (0..3_i64).prop_map(Change::Make),
        any::<prop::sample::Index>().prop_map(Change::Delete),
    ];
    let step = (prop::collection::vec(change, 0..4), 1..4_usize);
    let step = step.prop_map(|(changes, limit)| Step { changes, limit });
    prop::collection::vec(step, 1..8)
}

/// A person's chats as they must be: by id the time they were made at.
struct Walk<'s> {
    skein: &'s Skein,
    ann: Person,
    chats: BTreeMap<String, i64>,
}

/// A page as it came.
struct Page {
    chats: Vec<(String, String)>,
    more: bool,
}

impl Walk<'_> {
    async fn make(&mut self, later_ms: i64) -> String {
        self.skein.clock.move_by(later_ms);
        let (chat, at) = (
            new_id(),
            chat_core::ports::Clock::now_ms(self.skein.clock.as_ref()),
        );
        self.ann.talk(&chat, "Hello. [[mock: tokens=1]]").await;
        self.chats.insert(chat.clone(), at);
        chat
    }

    async fn delete(&mut self, chat: &str) {
        self.chats.remove(chat);
        let ask = Ask::new("DELETE", format!("/api/chat?id={chat}"));
        assert_eq!(self.ann.ask(ask).await.status(), 200);
    }

    async fn apply(&mut self, change: &Change) {
        match change {
            Change::Make(later_ms) => {
                self.make(*later_ms).await;
            }
            Change::Delete(which) if !self.chats.is_empty() => {
                let at = which.index(self.chats.len());
                let chat = self.chats.keys().nth(at).unwrap().clone();
                self.delete(&chat).await;
            }
            Change::Delete(_) => {}
        }
    }

    /// The chats, newest first, the order that pages have.
    fn sorted(&self) -> Vec<String> {
        let mut chats: Vec<(&i64, &String)> = self.chats.iter().map(|(id, at)| (at, id)).collect();
        chats.sort_unstable();
        chats.into_iter().rev().map(|(_, id)| id.clone()).collect()
    }
}

/// `None` when the chat that the page is to begin at is gone.
async fn page(ann: &Person, limit: usize, cursor: &str) -> Option<Page> {
    let answer = ann
        .ask(Ask::get(format!("/api/history?limit={limit}{cursor}")))
        .await;
    if answer.status() == 404 {
        return None;
    }
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let chats = body["chats"].as_array().unwrap().iter();
    Some(Page {
        chats: chats
            .map(|chat| (text(&chat["createdAt"]), text(&chat["id"])))
            .collect(),
        more: body["hasMore"].as_bool().unwrap(),
    })
}

/// Reads page after page towards older chats, while the steps happen beside the requests.
async fn walk(skein: &Skein, begin_with: usize, steps: Vec<Step>) {
    let ann = skein.guest().await;
    let mut walk = Walk {
        skein,
        ann: ann.clone(),
        chats: BTreeMap::new(),
    };
    for n in 0..begin_with {
        walk.make(i64::from(n % 3 == 0)).await;
    }
    // Those that are there from the first request to the last must all be seen.
    let mut stable: BTreeSet<String> = walk.chats.keys().cloned().collect();
    let mut seen: Vec<(String, String)> = Vec::new();
    let mut steps = steps.into_iter();
    loop {
        let step = steps.next().unwrap_or(Step {
            changes: Vec::new(),
            limit: 2,
        });
        // A cursor may be deleted before it is used; the page then goes on from the chat before it.
        let mut from: Vec<String> = seen.iter().map(|(_, id)| id.clone()).collect();
        let page = loop {
            let cursor = from
                .last()
                .map_or_else(String::new, |id| format!("&ending_before={id}"));
            let changing = async {
                for change in &step.changes {
                    walk.apply(change).await;
                }
            };
            let (page, ()) = tokio::join!(page(&ann, step.limit, &cursor), changing);
            match page {
                Some(page) => break page,
                None => assert!(
                    from.pop().is_some(),
                    "a list from the beginning needs no cursor"
                ),
            }
        };
        stable.retain(|chat| walk.chats.contains_key(chat));
        assert!(page.chats.len() <= step.limit);
        let known: BTreeSet<&String> = seen.iter().map(|(_, id)| id).collect();
        let fresh: Vec<(String, String)> = page
            .chats
            .iter()
            .filter(|(_, id)| !known.contains(id))
            .cloned()
            .collect();
        if from.len() == seen.len() {
            assert_eq!(fresh.len(), page.chats.len(), "a chat stands on two pages");
        }
        for chat in fresh {
            if let Some(last) = seen.last() {
                // Times are texts of one length; ids are compared as texts as well.
                assert!(
                    chat < *last || from.len() < seen.len(),
                    "{chat:?} after {last:?}"
                );
            }
            seen.push(chat);
        }
        if !page.more {
            break;
        }
    }
    let seen: BTreeSet<String> = seen.into_iter().map(|(_, id)| id).collect();
    let skipped: Vec<&String> = stable.difference(&seen).collect();
    assert!(skipped.is_empty(), "skipped: {skipped:?}");
}

/// Asks for the pages on either side of each chat, with nothing going on, and compares them with the whole list.
async fn both_sides(skein: &Skein, ages: Vec<i64>, limit: usize) {
    let ann = skein.guest().await;
    let mut walk = Walk {
        skein,
        ann: ann.clone(),
        chats: BTreeMap::new(),
    };
    for later_ms in ages {
        walk.make(later_ms).await;
    }
    let all = walk.sorted();
    for (at, chat) in all.iter().enumerate() {
        let ids = |page: &Page| {
            page.chats
                .iter()
                .map(|(_, id)| id.clone())
                .collect::<Vec<_>>()
        };
        let older = page(&ann, limit, &format!("&ending_before={chat}"))
            .await
            .unwrap();
        let expected = &all[at + 1..];
        assert_eq!(ids(&older), expected[..limit.min(expected.len())]);
        assert_eq!(older.more, expected.len() > limit);
        let newer = page(&ann, limit, &format!("&starting_after={chat}"))
            .await
            .unwrap();
        let expected = &all[..at];
        assert_eq!(ids(&newer), expected[..limit.min(expected.len())]);
        assert_eq!(newer.more, expected.len() > limit);
    }
}

/// Runs a property some times, on one server.
fn check<T: std::fmt::Debug>(
    cases: u32,
    strategy: &impl Strategy<Value = T>,
    property: &impl AsyncFn(&Skein, T),
) {
    let skein = Skein::start();
    let runtime = Runtime::new().unwrap();
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(strategy, |input| {
        runtime.block_on(property(&skein, input));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn no_page_skips_or_repeats_a_chat_while_chats_come_and_go() {
    check(
        24,
        &(0..8_usize, steps()),
        &async |skein: &Skein, (begin_with, steps)| {
            walk(skein, begin_with, steps).await;
        },
    );
}

#[test]
fn pages_on_either_side_of_a_chat_are_those_of_the_whole_list() {
    let ages = prop::collection::vec(0..2_i64, 1..7);
    check(
        8,
        &(ages, 1..4_usize),
        &async |skein: &Skein, (ages, limit)| {
            both_sides(skein, ages, limit).await;
        },
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_all_takes_the_caller_s_own_and_ends_what_runs() {
    let skein = Skein::start();
    let (ann, ben) = (skein.guest().await, skein.guest().await);
    let chats: Vec<String> = (0..4).map(|_| new_id()).collect();
    join_all(
        chats
            .iter()
            .map(|chat| ann.talk(chat, "Hello. [[mock: tokens=1]]")),
    )
    .await;
    let (live, foreign) = (new_id(), new_id());
    let mut running = ann
        .say(&live, "Count. [[mock: tokens=5000 pace_ms=10]]")
        .await;
    running.first_text().await;
    ben.talk(&foreign, "Hello. [[mock: tokens=1]]").await;
    let delete = async |person: &Person| -> Value {
        let answer = person.ask(Ask::new("DELETE", "/api/history")).await;
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    };
    assert_eq!(delete(&ann).await["deletedCount"], 5);
    assert!(ann.chats().await.is_empty());
    let read = running.finish().await;
    assert_eq!(
        read.kinds().last_chunk(),
        Some(&["abort".to_owned(), "[DONE]".to_owned()])
    );
    assert!(ann.messages(&live).await.is_empty());
    assert_eq!(ben.chats().await.len(), 1);
    assert_eq!(delete(&ann).await["deletedCount"], 0);
    // Their ids are free again.
    ann.talk(&live, "Hello. [[mock: tokens=1]]").await;
    assert_eq!(ann.chats().await.len(), 1);
}

#[tokio::test]
async fn a_title_that_a_person_gave_is_kept() {
    let skein = Skein::start_with(&[("SKEIN_TITLES", "on"), ("SKEIN_MODEL", "mock-demo")]);
    let ann = skein.guest().await;
    let chat = new_id();
    let mut stream = ann
        .say(
            &chat,
            "Rivers [[mock: tokens=40 pace_ms=10]] [[mock: title.first_ms=200]]",
        )
        .await;
    stream.first_text().await;
    let ask = Ask::new("PATCH", format!("/api/chat/{chat}"));
    let ask = Ask {
        body: Some(br#"{"title":"My rivers"}"#.to_vec()),
        ..ask
    };
    assert_eq!(ann.ask(ask).await.status(), 200);
    stream.finish().await;
    assert_eq!(ann.chats().await[0]["title"], "My rivers");
}
