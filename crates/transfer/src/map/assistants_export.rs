//! An export of the Assistants API: threads and messages as `/v1` objects.

use std::io;

use chat_core::{
    access::{Owner, Visibility},
    conversation::Origin,
    id::{ConversationId, MessageId},
    message::{MessageBody, MessageStatus, PartContent, Role},
    run::RunError,
};
use serde_json::{Map, Value, json};

use super::{Mapped, Mapper, Out, Problem, body, object, or_problem, text_part};
use crate::{
    Place,
    ids::derived,
    line::{ConversationLine, Line, MessageLine},
    report::shown,
    source::{
        Input,
        extended::{present, time_ms},
    },
};

/// Objects of the API that have no place here.
const IGNORED: [&str; 10] = [
    "thread.run",
    "thread.run.step",
    "assistant",
    "file",
    "vector_store",
    "vector_store.file",
    "vector_store.files_batch",
    "vector_store.file_batch",
    "thread.deleted",
    "thread.message.deleted",
];

#[derive(Debug, Default)]
pub(crate) struct AssistantsExport {
    /// Counts messages, in the order of the source.
    messages: u64,
    stretch: Option<Stretch>,
}

/// Messages of one thread that stand together.
#[derive(Debug)]
struct Stretch {
    thread: String,
    place: Place,
    /// How often a later time followed an earlier one, less how often it was the other way round.
    direction: i64,
    last_ms: i64,
    first_ms: i64,
}

impl Mapper for AssistantsExport {
    fn reads(&self, _input: &Input) -> bool {
        true
    }

    fn record(
        &mut self,
        _input: &Input,
        place: &Place,
        value: Value,
        out: &mut Out<'_, '_, '_>,
    ) -> Mapped {
        let mut record = or_problem!(object(value));
        if record.get("object").and_then(Value::as_str) != Some("list") {
            return self.one(place, record, out);
        }
        let Some(Value::Array(data)) = record.remove("data") else {
            return Ok(Err(Problem::faulty("a list has an array as its data")));
        };
        for (number, value) in (1..).zip(data) {
            let done = match object(value) {
                Ok(record) => self.one(place, record, out)?,
                Err(problem) => Err(problem),
            };
            if let Err(problem) = done {
                let text = format!("element {number} of the list: {}", problem.text);
                out.find(place, Problem { text, ..problem });
            }
        }
        Ok(Ok(()))
    }

    fn end(
        &mut self,
        _input: &Input,
        _read: u64,
        _last: Option<&Place>,
        out: &mut Out<'_, '_, '_>,
    ) -> io::Result<()> {
        self.end_stretch(out)
    }
}

impl AssistantsExport {
    fn one(
        &mut self,
        place: &Place,
        record: Map<String, Value>,
        out: &mut Out<'_, '_, '_>,
    ) -> Mapped {
        match record.get("object").and_then(Value::as_str) {
            Some("thread") => {
                let line = or_problem!(thread(record));
                out.put(place, &line).map(Ok)
            }
            Some("thread.message") => self.message(place, record, out),
            Some(other) if IGNORED.contains(&other) => {
                out.log.ignore(other);
                Ok(Ok(()))
            }
            Some(other) => Ok(Err(Problem::left_out(format!(
                "an object {}; thread and thread.message are imported",
                shown(other)
            )))),
            None => Ok(Err(Problem::faulty(
                "an object of the API says in the key object what it is: thread, thread.message or list",
            ))),
        }
    }

    fn message(
        &mut self,
        place: &Place,
        mut record: Map<String, Value>,
        out: &mut Out<'_, '_, '_>,
    ) -> Mapped {
        let id = or_problem!(text(&record, "id", "message"));
        let name = format!("message {}", shown(&id));
        let in_message = |problem: Problem| Problem {
            text: format!("{name}: {}", problem.text),
            ..problem
        };
        let thread = or_problem!(text(&record, "thread_id", "message").map_err(in_message));
        let at_ms = or_problem!(created_at(&record).map_err(in_message));
        let role = match record.get("role").and_then(Value::as_str) {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            _ => {
                let problem = Problem::faulty("role: user or assistant is accepted");
                return Ok(Err(in_message(problem)));
            }
        };
        let content = record.remove("content");
        let mut contents = or_problem!(contents(content).map_err(in_message));
        if let Some(rest) = rest(&record) {
            contents.push(rest);
        }
        if contents.is_empty() {
            return Ok(Err(in_message(Problem::left_out("it is empty"))));
        }
        self.note(place, &thread, at_ms, out)?;
        let message = MessageLine {
            id: MessageId::new(derived("assistants/message", &[&id])),
            conversation: conversation_id(&thread),
            seq: 0,
            role,
            created_at_ms: at_ms,
            alias: Some(id),
            rating: None,
            body: with_status(body(contents, at_ms), role, &record),
        };
        self.messages += 1;
        out.put_message(place, &name, message, u128::from(self.messages))?;
        Ok(Ok(()))
    }

    /// Notes in which direction the messages of a thread stand.
    fn note(
        &mut self,
        place: &Place,
        thread: &str,
        at_ms: i64,
        out: &mut Out<'_, '_, '_>,
    ) -> io::Result<()> {
        if let Some(stretch) = &mut self.stretch
            && stretch.thread == thread
        {
            stretch.direction += (at_ms - stretch.last_ms).signum();
            stretch.last_ms = at_ms;
            stretch.first_ms = stretch.first_ms.min(at_ms);
            return Ok(());
        }
        self.end_stretch(out)?;
        self.stretch = Some(Stretch {
            thread: thread.to_owned(),
            place: place.clone(),
            direction: 0,
            last_ms: at_ms,
            first_ms: at_ms,
        });
        Ok(())
    }

    /// Stages what a stretch told: the direction, and that there is such a thread, of which the export may have the messages
    /// only.
    fn end_stretch(&mut self, out: &mut Out<'_, '_, '_>) -> io::Result<()> {
        let Some(stretch) = self.stretch.take() else {
            return Ok(());
        };
        let line = conversation(stretch.thread, stretch.first_ms, Map::new());
        if let Line::Conversation(conversation) = &line {
            out.stage
                .push_direction(conversation.id, stretch.direction)?;
        }
        out.stage
            .push_implied(&stretch.place, &line, stretch.first_ms)
    }
}

fn conversation_id(thread: &str) -> ConversationId {
    ConversationId::new(derived("assistants/thread", &[thread]))
}

fn conversation(thread: String, created_at_ms: i64, metadata: Map<String, Value>) -> Line {
    Line::Conversation(Box::new(ConversationLine {
        id: conversation_id(&thread),
        owner: Owner::Tenant,
        title: None,
        visibility: Visibility::Private,
        origin: Origin::Assistants,
        created_at_ms,
        alias: Some(thread),
        metadata,
        tokens_used: 0,
        next_seq: 1,
    }))
}

fn thread(mut record: Map<String, Value>) -> Result<Line, Problem> {
    let id = text(&record, "id", "thread")?;
    let in_thread = |problem: Problem| Problem {
        text: format!("thread {}: {}", shown(&id), problem.text),
        ..problem
    };
    let created_at_ms = created_at(&record).map_err(in_thread)?;
    let metadata = match record.remove("metadata") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(metadata)) => metadata,
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            return Err(in_thread(Problem::faulty(
                "metadata: an object is accepted",
            )));
        }
    };
    Ok(conversation(id, created_at_ms, metadata))
}

fn text(record: &Map<String, Value>, key: &str, what: &str) -> Result<String, Problem> {
    record
        .get(key)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| Problem::faulty(format!("{key} of a {what}: a text is accepted")))
}

fn created_at(record: &Map<String, Value>) -> Result<i64, Problem> {
    present(record, "created_at")
        .and_then(time_ms)
        .ok_or_else(|| Problem::faulty("created_at: seconds since 1970 are accepted"))
}

fn contents(content: Option<Value>) -> Result<Vec<PartContent>, Problem> {
    match content {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text_part(text)]),
        Some(Value::Array(parts)) => (1..)
            .zip(parts)
            .filter_map(|(number, part)| {
                part_content(part)
                    .map_err(|fault| Problem::faulty(format!("content part {number}: {fault}")))
                    .transpose()
            })
            .collect(),
        Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            Err(Problem::faulty("content: a text or an array is accepted"))
        }
    }
}

/// One part; none for an empty text.
fn part_content(mut part: Value) -> Result<Option<PartContent>, &'static str> {
    let Some(kind) = part.get("type").and_then(Value::as_str).map(str::to_owned) else {
        return Err("an object with type is accepted");
    };
    let inner = part.get_mut(&kind).map(Value::take);
    match (kind.as_str(), inner) {
        ("text", Some(Value::String(text))) => Ok((!text.is_empty()).then(|| text_part(text))),
        ("text", Some(Value::Object(mut inner))) => {
            let Some(Value::String(text)) = inner.remove("value") else {
                return Err("text.value: a text is accepted");
            };
            let annotations = match inner.remove("annotations") {
                Some(Value::Array(annotations)) => annotations,
                None | Some(Value::Null) => Vec::new(),
                Some(_) => return Err("text.annotations: an array is accepted"),
            };
            let empty = text.is_empty();
            Ok((!empty).then_some(PartContent::Text { text, annotations }))
        }
        ("text", _) => Err("text: a text or an object is accepted"),
        ("refusal", Some(Value::String(text))) => Ok(Some(PartContent::Refusal { text })),
        ("image_url", Some(Value::Object(inner))) => {
            let url = inner.get("url").and_then(Value::as_str);
            Ok(Some(PartContent::File {
                // The API does not say which.
                media_type: "image/*".to_owned(),
                name: None,
                url: url.ok_or("image_url.url: a text is accepted")?.to_owned(),
            }))
        }
        // A file is only known where it was uploaded; and what was not foreseen is kept as it came.
        (_, inner) => {
            if let (Some(slot), Some(inner)) = (part.get_mut(&kind), inner) {
                *slot = inner;
            }
            Ok(Some(PartContent::Opaque {
                name: kind,
                raw: part,
            }))
        }
    }
}

/// What a message says besides its content, if anything.
fn rest(record: &Map<String, Value>) -> Option<PartContent> {
    let kept: Map<String, Value> = ["attachments", "metadata", "assistant_id", "run_id"]
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), present(record, key)?.clone())))
        .filter(|(_, value)| *value != json!([]) && *value != json!({}))
        .collect();
    (!kept.is_empty()).then(|| PartContent::Opaque {
        name: "thread.message".to_owned(),
        raw: Value::Object(kept),
    })
}

fn with_status(mut body: MessageBody, role: Role, record: &Map<String, Value>) -> MessageBody {
    if role != Role::Assistant {
        return body;
    }
    let reason = record
        .get("incomplete_details")
        .and_then(|details| details.get("reason"))
        .and_then(Value::as_str);
    (body.status, body.error) = match (record.get("status").and_then(Value::as_str), reason) {
        (Some("incomplete"), Some("content_filter")) => {
            (MessageStatus::Incomplete, Some(RunError::ContentFilter))
        }
        (Some("incomplete"), Some("max_tokens")) => {
            (MessageStatus::Incomplete, Some(RunError::MaxOutputTokens))
        }
        (Some("incomplete"), Some("run_cancelled")) => (MessageStatus::Cancelled, None),
        (Some("incomplete"), Some("run_expired")) => {
            (MessageStatus::Failed, Some(RunError::Timeout))
        }
        (Some("incomplete"), _) => (MessageStatus::Failed, Some(RunError::UpstreamBroken)),
        (Some("in_progress"), _) => (MessageStatus::Failed, Some(RunError::Interrupted)),
        _ => (MessageStatus::Completed, None),
    };
    body
}
