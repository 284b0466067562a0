//! The web chat's MongoDB database: `conversations` of both generations, `few_shot_examples`, `users`.

use std::io;

use chat_core::{
    access::{Owner, Visibility},
    conversation::Origin,
    id::{ConversationId, MessageId, PinId, UserId},
    message::Role,
};
use records::{UserKind, email_key};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Mapped, Mapper, Out, Problem, body, object, or_problem, text_part};
use crate::{
    Place,
    ids::{derived, own_or_derived, uuid, web_chat_user},
    line::{ConversationLine, Line, MessageLine, PinLine, SummaryLine, UserLine},
    report::shown,
    source::{
        Input,
        extended::{id, integer, object_id_ms, present, time_ms},
    },
};

/// How an old backend began the message that stood for what it had cut away.
const SUMMARY: &str = "Summary: ";

/// Whom old data names who is nobody.
const ANONYMOUS: &str = "anonymous";

#[derive(Debug)]
pub(crate) struct WebChat;

impl Mapper for WebChat {
    fn reads(&self, input: &Input) -> bool {
        input.alone
            || matches!(
                &*input.stem,
                "conversations" | "few_shot_examples" | "users"
            )
    }

    fn record(
        &mut self,
        input: &Input,
        place: &Place,
        value: Value,
        out: &mut Out<'_, '_, '_>,
    ) -> Mapped {
        let document = or_problem!(object(value));
        match &*input.stem {
            "users" => user(place, &document, out),
            "few_shot_examples" => pin(place, &document, out),
            _ => conversation(place, document, out),
        }
    }
}

fn conversation(
    place: &Place,
    mut document: Map<String, Value>,
    out: &mut Out<'_, '_, '_>,
) -> Mapped {
    if !document.contains_key("conversation_id") && document.contains_key("threadId") {
        return Ok(Err(Problem::left_out(
            "an Assistants frontend's thread; `skein import assistants` reads it",
        )));
    }
    let name = or_problem!(
        present(&document, "conversation_id")
            .and_then(id)
            .ok_or_else(|| {
                Problem::faulty("conversation_id: a UUID or another text is accepted")
            })
    );
    let shown_name = shown(&name);
    let history = or_problem!(
        history(&mut document)
            .map_err(|fault| { Problem::faulty(format!("conversation {shown_name}: {fault}")) })
    );
    let user = or_problem!(
        user_id(&document)
            .map_err(|fault| { Problem::faulty(format!("conversation {shown_name}: {fault}")) })
    );
    let whose = user.as_deref().unwrap_or(ANONYMOUS);
    let created_at_ms = or_problem!(
        first_time(&document, &["created_at", "createdAt"])
            .map_err(|fault| Problem::faulty(format!("conversation {shown_name}: {fault}")))
    )
    .or_else(|| object_id_ms(document.get("_id")?))
    .unwrap_or_default();
    let updated_at_ms = or_problem!(
        first_time(&document, &["updated_at", "updatedAt"])
            .map_err(|fault| Problem::faulty(format!("conversation {shown_name}: {fault}")))
    );
    let conversation = ConversationId::new(own_or_derived("web-chat/conversation", &name));
    out.stage
        .begin_group(whose, derived("web-chat/conversation", &[&name, whose]));
    let line = Line::Conversation(Box::new(ConversationLine {
        id: conversation,
        owner: user.as_deref().map_or_else(
            || Owner::Browser(UserId::new(derived("web-chat/browser", &[&name]))),
            |user| Owner::User(web_chat_user(user)),
        ),
        title: present(&document, "title")
            .and_then(Value::as_str)
            .filter(|title| !title.trim().is_empty())
            .map(str::to_owned),
        visibility: Visibility::Private,
        origin: Origin::WebChat,
        created_at_ms,
        alias: uuid(&name).is_none().then(|| name.clone()),
        metadata: Map::new(),
        tokens_used: present(&document, "total_tokens_used")
            .and_then(integer)
            .and_then(|tokens| u64::try_from(tokens).ok())
            .unwrap_or_default(),
        next_seq: 1,
    }));
    out.put(place, &line)?;
    let talk = Talk {
        place,
        conversation,
        name: &name,
        whose,
        created_at_ms,
        updated_at_ms,
    };
    let done = talk.history(history, out);
    out.stage.end_group();
    done.map(Ok)
}

/// The messages, whichever of its two names they have.
fn history(document: &mut Map<String, Value>) -> Result<Vec<Value>, String> {
    let mut found = Vec::new();
    for key in ["conversation_history", "messages"] {
        match document.remove(key) {
            None | Some(Value::Null) => {}
            Some(Value::Array(messages)) if found.is_empty() => found = messages,
            Some(Value::Array(messages)) if messages.is_empty() => {}
            Some(Value::Array(_)) => {
                return Err("it has both conversation_history and messages".to_owned());
            }
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
                return Err(format!("{key}: an array is accepted"));
            }
        }
    }
    Ok(found)
}

/// Whose it is; none for nobody's.
fn user_id(document: &Map<String, Value>) -> Result<Option<String>, String> {
    let Some(user) = present(document, "user_id") else {
        return Ok(None);
    };
    if user.as_str() == Some("") {
        return Ok(None);
    }
    let user = id(user).ok_or("user_id: an id is accepted")?;
    Ok((user != ANONYMOUS).then_some(user))
}

/// The time under the first of these keys that is there.
fn first_time(document: &Map<String, Value>, keys: &[&str]) -> Result<Option<i64>, String> {
    keys.iter()
        .find_map(|key| Some((key, present(document, key)?)))
        .map(|(key, value)| time_ms(value).ok_or(format!("{key}: a date is accepted")))
        .transpose()
}

/// A conversation whose messages are mapped.
struct Talk<'a> {
    place: &'a Place,
    conversation: ConversationId,
    name: &'a str,
    whose: &'a str,
    created_at_ms: i64,
    updated_at_ms: Option<i64>,
}

impl Talk<'_> {
    fn history(&self, history: Vec<Value>, out: &mut Out<'_, '_, '_>) -> io::Result<()> {
        let last = history.len().saturating_sub(1);
        // Messages are numbered without the summary, so that the first turn stands in place 1.
        let mut seq = 0;
        for (index, value) in history.into_iter().enumerate() {
            seq += 1;
            match self.entry(index, index == last, value) {
                Ok(Entry::Turn(mut message)) => {
                    message.seq = seq;
                    let line = Line::Message(message);
                    if let Err(fault) = out.stage.push(self.place, &line)? {
                        out.find(self.place, self.problem(index, &Problem::faulty(fault)));
                    }
                }
                Ok(Entry::Summary(summary)) => {
                    seq -= 1;
                    out.put(self.place, &Line::Summary(summary))?;
                }
                Err(problem) => out.find(self.place, self.problem(index, &problem)),
            }
        }
        Ok(())
    }

    fn problem(&self, index: usize, problem: &Problem) -> Problem {
        Problem {
            verdict: problem.verdict,
            text: format!(
                "message {} of conversation {}: {}",
                index + 1,
                shown(self.name),
                problem.text
            ),
        }
    }

    fn entry(&self, index: usize, last: bool, value: Value) -> Result<Entry, Problem> {
        let mut message = object(value)
            .ok()
            .ok_or_else(|| Problem::faulty("an object with role and content is accepted"))?;
        let at_ms = first_time(&message, &["timestamp", "created_at"])
            .map_err(Problem::faulty)?
            .unwrap_or_else(|| self.time_of(last));
        let text = content(message.remove("content"))?;
        let role = message
            .get("role")
            .and_then(Value::as_str)
            .ok_or_else(|| Problem::faulty("role: a text is accepted"))?;
        if index == 0
            && role == "system"
            && let Some(summary) = text.strip_prefix(SUMMARY)
        {
            return Ok(Entry::Summary(SummaryLine {
                conversation: self.conversation,
                text: summary.to_owned(),
                covers_upto: 0,
                costs: Vec::new(),
                model: None,
                created_at_ms: at_ms,
            }));
        }
        let role = Role::from_name(role).ok_or_else(|| {
            Problem::left_out(format!(
                "the role {}; user, assistant and system are imported",
                shown(role)
            ))
        })?;
        if text.is_empty() {
            return Err(Problem::left_out("it is empty"));
        }
        let index = index.to_string();
        let key = [self.name, self.whose, &index, role.as_str(), &text];
        Ok(Entry::Turn(Box::new(MessageLine {
            id: MessageId::new(derived("web-chat/message", &key)),
            conversation: self.conversation,
            seq: 0,
            role,
            created_at_ms: at_ms,
            alias: None,
            rating: None,
            body: body([text_part(text)], at_ms),
        })))
    }

    /// When a message was made that does not say so: with its conversation; the last of them at its last change.
    fn time_of(&self, last: bool) -> i64 {
        self.updated_at_ms
            .filter(|updated| last && *updated > self.created_at_ms)
            .unwrap_or(self.created_at_ms)
    }
}

enum Entry {
    Turn(Box<MessageLine>),
    Summary(SummaryLine),
}

/// The text of a message: a string, or the texts of a list of content parts.
fn content(value: Option<Value>) -> Result<String, Problem> {
    match value {
        Some(Value::String(text)) => Ok(text),
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::Array(parts)) => parts
            .iter()
            .map(|part| part.get("text").and_then(Value::as_str))
            .collect::<Option<String>>()
            .ok_or_else(|| Problem::faulty("content: a text is accepted")),
        Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            Err(Problem::faulty("content: a text is accepted"))
        }
    }
}

fn pin(place: &Place, document: &Map<String, Value>, out: &mut Out<'_, '_, '_>) -> Mapped {
    let text = |key: &str| {
        present(document, key)
            .and_then(Value::as_str)
            .filter(|text| !text.trim().is_empty())
            .ok_or_else(|| Problem::faulty(format!("{key}: a text is accepted")))
    };
    let prompt = or_problem!(text("user_prompt"));
    let answer = or_problem!(text("assistant_response"));
    let user = or_problem!(user_id(document).map_err(Problem::faulty));
    let conversation = present(document, "conversation_id").and_then(id);
    let (owner, conversation) = match (&user, &conversation) {
        (_, Some(name)) => {
            let id = own_or_derived("web-chat/conversation", name);
            (None, Some(ConversationId::new(id)))
        }
        (Some(user), None) => (Some(Owner::User(web_chat_user(user))), None),
        (None, None) => {
            return Ok(Err(Problem::left_out(
                "an example of nobody's: it would reach other people's prompts",
            )));
        }
    };
    let created_at_ms =
        or_problem!(first_time(document, &["created_at", "createdAt"]).map_err(Problem::faulty))
            .or_else(|| object_id_ms(document.get("_id")?))
            .unwrap_or_default();
    let id = present(document, "_id").and_then(id).map_or_else(
        || {
            let time = created_at_ms.to_string();
            let whose = user.as_deref().unwrap_or_default();
            derived("web-chat/pin", &[whose, prompt, answer, &time])
        },
        |id| own_or_derived("web-chat/pin", &id),
    );
    let line = Line::Pin(PinLine {
        id: PinId::new(id),
        owner,
        conversation,
        prompt: prompt.to_owned(),
        answer: answer.to_owned(),
        created_at_ms,
    });
    out.put(place, &line).map(Ok)
}

fn user(place: &Place, document: &Map<String, Value>, out: &mut Out<'_, '_, '_>) -> Mapped {
    let id = or_problem!(
        present(document, "_id")
            .and_then(id)
            .ok_or_else(|| Problem::faulty("_id: an id is accepted"))
    );
    let email = or_problem!(
        present(document, "email")
            .and_then(Value::as_str)
            .map(str::trim)
            .filter(|email| !email.is_empty())
            .ok_or_else(|| {
                Problem::faulty(format!("user {}: email: a text is accepted", shown(&id)))
            })
    );
    let created_at_ms = or_problem!(
        first_time(document, &["createdAt", "created_at"])
            .map_err(|fault| Problem::faulty(format!("user {}: {fault}", shown(&id))))
    )
    .or_else(|| object_id_ms(document.get("_id")?))
    .unwrap_or_default();
    let user = web_chat_user(&id);
    let line = Line::User(UserLine {
        id: user,
        email: email.to_owned(),
        email_key: email_key(email),
        kind: UserKind::Regular.as_str().to_owned(),
        created_at_ms,
        password: password(place, user.uuid(), document.get("passwordHash"), out),
    });
    out.put(place, &line).map(Ok)
}

/// A password's hash, if it is one that can be checked here. Another is told and left out.
pub(super) fn password(
    place: &Place,
    user: Uuid,
    hash: Option<&Value>,
    out: &mut Out<'_, '_, '_>,
) -> Option<String> {
    const KNOWN: [&str; 4] = ["$2a$", "$2b$", "$2y$", "$argon2id$"];
    let hash = hash
        .and_then(Value::as_str)
        .filter(|hash| !hash.is_empty())?;
    if KNOWN.iter().any(|prefix| hash.starts_with(prefix)) {
        return Some(hash.to_owned());
    }
    out.changed(
        place,
        format!("user {user}: its password is not hashed with bcrypt or Argon2id and is left out"),
    );
    None
}
