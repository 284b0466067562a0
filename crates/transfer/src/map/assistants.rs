//! What Assistants frontends keep of threads: the shared collection `conversations`, and the nickname file of an older
//! fork.

use records::ThreadView;
use serde_json::{Map, Value};

use super::{Mapped, Mapper, Out, Problem, object, or_problem};
use crate::{
    Place,
    line::{Line, ThreadViewLine},
    source::{
        Input,
        extended::{id, object_id_ms, present, time_ms},
    },
};

/// Whose threads are where nobody signs in.
const NOBODY: &str = "default-user";

#[derive(Debug)]
pub(crate) struct Assistants {
    /// Whether the source is a database, of which only one collection is ours.
    pub(crate) collections: bool,
}

impl Mapper for Assistants {
    fn reads(&self, input: &Input) -> bool {
        !self.collections || input.stem == "conversations"
    }

    fn record(
        &mut self,
        _input: &Input,
        place: &Place,
        value: Value,
        out: &mut Out<'_, '_, '_>,
    ) -> Mapped {
        let document = or_problem!(object(value));
        if document.contains_key("threadId") {
            let line = or_problem!(view(&document));
            return out.put(place, &line).map(Ok);
        }
        if document.contains_key("conversation_id") {
            return Ok(Err(Problem::left_out(
                "a web chat's conversation; `skein import web-chat` reads it",
            )));
        }
        let Some(Value::Array(threads)) = document.get("threads") else {
            return Ok(Err(Problem::faulty(
                "a document with threadId, or a file with nickname and threads, is accepted",
            )));
        };
        for (number, thread) in (1..).zip(threads) {
            match nickname_view(thread) {
                Ok(line) => out.put(place, &line)?,
                Err(fault) => {
                    out.find(place, Problem::faulty(format!("thread {number}: {fault}")));
                }
            }
        }
        Ok(Ok(()))
    }
}

fn view(document: &Map<String, Value>) -> Result<Line, Problem> {
    let faulty =
        |key: &str, accepted: &str| Problem::faulty(format!("{key}: {accepted} is accepted"));
    let thread = present(document, "threadId")
        .and_then(id)
        .ok_or_else(|| faulty("threadId", "a text"))?;
    let user = match present(document, "userId") {
        None => NOBODY.to_owned(),
        Some(user) => id(user).ok_or_else(|| faulty("userId", "a text"))?,
    };
    let time = |key: &str| {
        present(document, key)
            .map(|value| time_ms(value).ok_or_else(|| faulty(key, "a date")))
            .transpose()
    };
    let created_at_ms = time("createdAt")?
        .or_else(|| object_id_ms(document.get("_id")?))
        .unwrap_or_default();
    let name = match present(document, "name") {
        None => default_name(created_at_ms),
        Some(Value::String(name)) if name.trim().is_empty() => default_name(created_at_ms),
        Some(Value::String(name)) => name.clone(),
        Some(_) => return Err(faulty("name", "a text")),
    };
    Ok(line(ThreadView {
        user,
        thread,
        name,
        is_group: is_group(document).ok_or_else(|| faulty("isGroup", "true or false"))?,
        created_at_ms,
        updated_at_ms: time("updatedAt")?.unwrap_or(created_at_ms),
    }))
}

fn nickname_view(thread: &Value) -> Result<Line, String> {
    let thread = thread.as_object().ok_or("an object is accepted")?;
    Ok(line(ThreadView {
        user: NOBODY.to_owned(),
        thread: present(thread, "id")
            .and_then(id)
            .ok_or("id: a text is accepted")?,
        name: match present(thread, "name") {
            None => default_name(0),
            Some(name) => name.as_str().ok_or("name: a text is accepted")?.to_owned(),
        },
        is_group: is_group(thread).ok_or("isGroup: true or false is accepted")?,
        created_at_ms: 0,
        updated_at_ms: 0,
    }))
}

fn is_group(document: &Map<String, Value>) -> Option<bool> {
    present(document, "isGroup").map_or(Some(false), Value::as_bool)
}

/// The name of a thread that was given none: the time it was made.
fn default_name(created_at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(created_at_ms)
        .unwrap_or_default()
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}

fn line(view: ThreadView) -> Line {
    Line::ThreadView(ThreadViewLine::from(view))
}
