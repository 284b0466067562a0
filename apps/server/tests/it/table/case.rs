//! The people of the table, and what is made for one row.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::{Row, Who};
use crate::support::{Ask, EventStream, Person, Skein, new_id, send_body};

/// A guest may have this many messages before the next one is refused.
const GUEST_LIMIT: u32 = 2;

/// A word that stands in everything that is made as the owner's, and in nothing that a stranger may be told.
pub(crate) const SECRET_WORD: &str = "heron";

/// A server and the people who ask.
pub(crate) struct World {
    pub(crate) skein: Skein,
    owner: Person,
    stranger: Person,
    guest: Person,
    spent: Person,
}

impl World {
    pub(crate) async fn build() -> Self {
        let limit = GUEST_LIMIT.to_string();
        let skein = Skein::start_with(&[("SKEIN_GUEST_MESSAGES_PER_DAY", &limit)]);
        let spent = skein.guest().await;
        for _ in 0..=GUEST_LIMIT {
            spent.talk(&new_id(), "Hello. [[mock: tokens=1]]").await;
        }
        Self {
            owner: Person::user(skein.address, "owner@example.com").await,
            stranger: Person::user(skein.address, "stranger@example.com").await,
            guest: skein.guest().await,
            spent,
            skein,
        }
    }

    pub(crate) const fn person(&self, who: Who) -> Option<&Person> {
        match who {
            Who::Owner => Some(&self.owner),
            Who::Stranger => Some(&self.stranger),
            Who::Guest => Some(&self.guest),
            Who::Spent => Some(&self.spent),
            Who::Nobody => None,
        }
    }
}

/// What is made for one row: each thing when it is first named.
pub(crate) struct Case<'w> {
    pub(crate) world: &'w World,
    is_public: bool,
    made: Mutex<BTreeMap<&'static str, String>>,
}

impl<'w> Case<'w> {
    pub(crate) fn of(world: &'w World) -> Self {
        Self {
            world,
            is_public: false,
            made: Mutex::default(),
        }
    }

    /// The same, but the owner's chats are public.
    pub(crate) fn in_public(world: &'w World) -> Self {
        Self {
            is_public: true,
            ..Self::of(world)
        }
    }

    /// The row's request, with all that it names made.
    pub(crate) async fn request(&self, row: &Row) -> Ask {
        let mut ask = Ask::new(row.method, self.filled(row.path).await);
        if !row.body.is_empty() {
            ask = ask.header("content-type", row.content_type);
            let body = self.filled(row.body).await;
            ask.body = Some(if row.content_type.starts_with("multipart/") {
                // A form holds bytes that are no text; a template has them as the characters of these numbers.
                body.chars().map(|ch| u8::try_from(ch).unwrap()).collect()
            } else {
                body.into_bytes()
            });
        }
        ask
    }

    /// Sends a request as one of the people.
    pub(crate) async fn ask(&self, who: Who, ask: Ask) -> Answer {
        let ask = match self.world.person(who) {
            Some(person) => ask.token(&person.token),
            None => ask,
        };
        let response = ask.send(self.world.skein.address).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        Answer {
            status,
            headers,
            json: serde_json::from_str(&text).unwrap_or_default(),
            text,
            made: self
                .made
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
    }

    /// Whether something of the owner's was made.
    pub(crate) fn has_made(&self) -> bool {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.keys()
            .any(|name| !["none", "fresh", "long"].contains(name))
    }

    /// The template with everything in it that stands in braces, but for JSON's own.
    async fn filled(&self, template: &'static str) -> String {
        let mut out = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let name = after.split_once('}').map_or("", |(name, _)| name);
            if name.is_empty()
                || !name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            {
                out.push('{');
                rest = after;
                continue;
            }
            if self.made(name).is_none() {
                self.make(name).await;
            }
            out.push_str(
                &self
                    .made(name)
                    .unwrap_or_else(|| panic!("{{{name}}} is not made by anything")),
            );
            rest = &after[name.len() + 1..];
        }
        out + rest
    }

    fn made(&self, name: &str) -> Option<String> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.get(name).cloned()
    }

    pub(super) fn keep(&self, name: &'static str, value: impl Into<String>) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.insert(name, value.into());
    }

    pub(super) fn owner(&self) -> &Person {
        &self.world.owner
    }

    async fn make(&self, name: &str) {
        match name {
            // An id that nobody has; a second one; a text that is too long.
            "none" => self.keep("none", new_id()),
            "fresh" => self.keep("fresh", new_id()),
            "long" => self.keep("long", "x".repeat(2001)),
            // A chat with a question and its answer.
            "chat" | "question" | "answer" => {
                let (chat, question) = (new_id(), new_id());
                let stream = self
                    .send(&chat, &question, "[[mock: text=\"Grey heron.\"]]")
                    .await;
                self.keep("answer", stream.answer_id());
                stream.finish().await;
                self.keep("chat", chat);
                self.keep("question", question);
            }
            // One more.
            "other" => {
                let chat = new_id();
                self.send(&chat, &new_id(), "[[mock: tokens=1]]")
                    .await
                    .finish()
                    .await;
                self.keep("other", chat);
            }
            // One that is being answered.
            "live" => {
                let chat = new_id();
                let mut stream = self
                    .send(&chat, &new_id(), "[[mock: tokens=60 pace_ms=10]]")
                    .await;
                stream.first_text().await;
                self.keep("live", chat);
            }
            // One that was answered a while ago.
            "done" => {
                let chat = new_id();
                self.send(&chat, &new_id(), "[[mock: tokens=1]]")
                    .await
                    .finish()
                    .await;
                self.world.skein.clock.move_by(16_000);
                self.keep("done", chat);
            }
            // One whose messages were all deleted.
            "silent" => {
                let (chat, question) = (new_id(), new_id());
                self.send(&chat, &question, "[[mock: tokens=1]]")
                    .await
                    .finish()
                    .await;
                let ask = Ask::new("DELETE", format!("/api/messages?id={question}"));
                assert_eq!(self.owner().ask(ask).await.status(), 200);
                self.keep("silent", chat);
            }
            // A chat of the stranger's, and a message in it.
            "theirs" | "their_question" => {
                let (chat, question) = (new_id(), new_id());
                let stranger = &self.world.stranger;
                stranger
                    .say_as(&chat, &question, "Hi. [[mock: tokens=1]]")
                    .await
                    .finish()
                    .await;
                self.keep("theirs", chat);
                self.keep("their_question", question);
            }
            _ => super::things::make(self, name).await,
        }
    }

    async fn send(&self, chat: &str, question: &str, directive: &str) -> EventStream {
        let mut body = send_body(chat, question, &format!("A {SECRET_WORD}. {directive}"));
        body["selectedVisibilityType"] = json!(if self.is_public { "public" } else { "private" });
        EventStream::new(
            self.owner()
                .ask(Ask::post("/api/chat", body.to_string()))
                .await,
        )
    }

    /// What is stored of what was made, as its owner sees it.
    pub(crate) async fn state(&self) -> Value {
        let made = self
            .made
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut state = json!({});
        for (name, id) in made {
            let paths = match name {
                "chat" | "other" | "done" | "silent" => vec![
                    format!("/api/chat/{id}"),
                    format!("/api/messages?chatId={id}"),
                    format!("/api/vote?chatId={id}"),
                ],
                "live" => vec![format!("/api/chat/{id}")],
                _ => super::things::state_of(name, &id),
            };
            for path in paths {
                state[&path] = self.owner().get(&path).await;
            }
        }
        state
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// The body as JSON; `null` if it is none.
    pub(crate) json: Value,
    made: BTreeMap<&'static str, String>,
}

impl Answer {
    /// The code of a refusal; empty for anything else.
    pub(crate) fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }

    /// The value of a header; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// What was made under this name.
    pub(crate) fn made(&self, name: &str) -> &str {
        &self.made[name]
    }
}
