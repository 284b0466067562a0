//! The AI chatbot's `PostgreSQL` tables, as `COPY … TO STDOUT WITH (FORMAT csv, HEADER)` writes them.

use chat_core::{
    access::{Owner, Visibility},
    conversation::Origin,
    id::{ConversationId, MessageId, UserId},
    message::{MessageStatus, PartContent, Role},
};
use records::{DocumentKind, UserKind, email_key};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Mapped, Mapper, Out, Problem, object, or_problem, ui_parts, web_chat::password};
use crate::{
    Place,
    ids::uuid,
    line::{
        ConversationLine, DocumentLine, Line, MessageLine, RatingLine, RatingName, SuggestionLine,
        UserLine,
    },
    report::shown,
    source::{Input, extended::text_ms},
};

const TABLES: [&str; 6] = [
    "User",
    "Chat",
    "Message_v2",
    "Vote_v2",
    "Document",
    "Suggestion",
];

#[derive(Debug)]
pub(crate) struct AiChatbot;

impl Mapper for AiChatbot {
    fn reads(&self, input: &Input) -> bool {
        table(input).is_some()
    }

    fn record(
        &mut self,
        input: &Input,
        place: &Place,
        value: Value,
        out: &mut Out<'_, '_, '_>,
    ) -> Mapped {
        let mut row = Row(or_problem!(object(value)));
        match table(input) {
            Some("User") => user(place, &mut row, out),
            Some("Chat") => {
                let line = or_problem!(chat(&mut row));
                out.put(place, &line).map(Ok)
            }
            Some("Message_v2") => message(place, &mut row, out),
            Some("Vote_v2") => {
                let line = or_problem!(vote(&mut row));
                out.put(place, &line).map(Ok)
            }
            Some("Document") => {
                let line = or_problem!(document(&mut row));
                out.put(place, &line).map(Ok)
            }
            Some(_) => {
                let line = or_problem!(suggestion(&mut row));
                out.put(place, &line).map(Ok)
            }
            None => Ok(Ok(())),
        }
    }
}

/// The table that a file was written from, whatever its letters' case.
fn table(input: &Input) -> Option<&'static str> {
    TABLES
        .into_iter()
        .find(|table| table.eq_ignore_ascii_case(&input.stem))
}

/// A row's columns, all texts. A null is an empty one.
struct Row(Map<String, Value>);

impl Row {
    /// A column that may be missing or null.
    fn optional(&mut self, column: &str) -> Option<String> {
        match self.0.remove(column) {
            Some(Value::String(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// A column that must be there, but may be empty.
    fn column(&mut self, column: &str) -> Result<String, Problem> {
        match self.0.remove(column) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(Problem::faulty(format!(
                "there is no column {column}; the first line of the file must name the columns"
            ))),
        }
    }

    fn uuid(&mut self, column: &str) -> Result<Uuid, Problem> {
        uuid(&self.column(column)?)
            .ok_or_else(|| Problem::faulty(format!("{column}: a UUID is accepted")))
    }

    fn time(&mut self, column: &str) -> Result<i64, Problem> {
        text_ms(&self.column(column)?).ok_or_else(|| {
            Problem::faulty(format!(
                "{column}: a time such as 2025-01-02 03:04:05.678 is accepted"
            ))
        })
    }

    fn bool(&mut self, column: &str) -> Result<bool, Problem> {
        match self.column(column)?.as_str() {
            "t" | "true" => Ok(true),
            "f" | "false" => Ok(false),
            _ => Err(Problem::faulty(format!("{column}: t or f is accepted"))),
        }
    }
}

fn within(name: String) -> impl Fn(Problem) -> Problem {
    move |problem| Problem {
        text: format!("{name}: {}", problem.text),
        ..problem
    }
}

fn user(place: &Place, row: &mut Row, out: &mut Out<'_, '_, '_>) -> Mapped {
    let id = or_problem!(row.uuid("id"));
    let within = within(format!("user {id}"));
    let email = or_problem!(row.column("email").map_err(&within));
    let email = email.trim();
    if email.is_empty() {
        return Ok(Err(within(Problem::faulty("email: a text is accepted"))));
    }
    let anonymous = row.optional("isAnonymous");
    let is_guest = anonymous.as_deref() == Some("t") || is_guest_address(email);
    let created_at_ms = match row.optional("createdAt") {
        None => 0,
        Some(text) => or_problem!(
            text_ms(&text).ok_or_else(|| within(Problem::faulty("createdAt: a time is accepted")))
        ),
    };
    let hash = row.optional("password").map(Value::String);
    let kind = if is_guest {
        UserKind::Guest
    } else {
        UserKind::Regular
    };
    let line = Line::User(UserLine {
        id: UserId::new(id),
        email: email.to_owned(),
        email_key: email_key(email),
        kind: kind.as_str().to_owned(),
        created_at_ms,
        password: password(place, id, hash.as_ref(), out),
    });
    out.put(place, &line).map(Ok)
}

fn is_guest_address(email: &str) -> bool {
    email
        .strip_prefix("guest-")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

fn chat(row: &mut Row) -> Result<Line, Problem> {
    let id = row.uuid("id")?;
    let within = within(format!("chat {id}"));
    let line = ConversationLine {
        id: ConversationId::new(id),
        owner: Owner::User(UserId::new(row.uuid("userId").map_err(&within)?)),
        title: Some(row.column("title").map_err(&within)?).filter(|title| !title.is_empty()),
        visibility: match row.optional("visibility").as_deref() {
            None | Some("private") => Visibility::Private,
            Some("public") => Visibility::Public,
            Some(_) => {
                let fault = "visibility: public or private is accepted";
                return Err(within(Problem::faulty(fault)));
            }
        },
        origin: Origin::AiSdk,
        created_at_ms: row.time("createdAt").map_err(&within)?,
        alias: None,
        metadata: Map::new(),
        tokens_used: 0,
        next_seq: 1,
    };
    Ok(Line::Conversation(Box::new(line)))
}

fn message(place: &Place, row: &mut Row, out: &mut Out<'_, '_, '_>) -> Mapped {
    let id = or_problem!(row.uuid("id"));
    let name = format!("message {id}");
    let message = or_problem!(message_line(id, row).map_err(within(name.clone())));
    out.put_message(place, &name, message, id.as_u128()).map(Ok)
}

fn message_line(id: Uuid, row: &mut Row) -> Result<MessageLine, Problem> {
    let role = row.column("role")?;
    let role = Role::from_name(&role).ok_or_else(|| {
        Problem::left_out(format!(
            "the role {}; user, assistant and system are imported",
            shown(&role)
        ))
    })?;
    let conversation = ConversationId::new(row.uuid("chatId")?);
    let at_ms = row.time("createdAt")?;
    let mut parts = json_array("parts", &row.column("parts")?)?;
    let attachments = row
        .optional("attachments")
        .unwrap_or_else(|| "[]".to_owned());
    for mut attachment in json_array("attachments", &attachments)? {
        if let Some(attachment) = attachment.as_object_mut() {
            attachment.insert("type".to_owned(), "file".into());
        }
        parts.push(attachment);
    }
    let body = ui_parts::body(role, parts, at_ms).map_err(Problem::faulty)?;
    let says_something = |content: &PartContent| !matches!(content, PartContent::Opaque { .. });
    if !body.parts.iter().any(|part| says_something(&part.content)) {
        return Err(Problem::left_out("it is empty"));
    }
    debug_assert_eq!(body.status, MessageStatus::Completed);
    Ok(MessageLine {
        id: MessageId::new(id),
        conversation,
        seq: 0,
        role,
        created_at_ms: at_ms,
        alias: None,
        rating: None,
        body,
    })
}

fn json_array(column: &str, text: &str) -> Result<Vec<Value>, Problem> {
    match serde_json::from_str(text) {
        Ok(Value::Array(values)) => Ok(values),
        // `json_agg` and its like give null for nothing.
        Ok(Value::Null) => Ok(Vec::new()),
        Ok(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) | Err(_) => {
            Err(Problem::faulty(format!(
                "{column}: a JSON array is accepted"
            )))
        }
    }
}

fn vote(row: &mut Row) -> Result<Line, Problem> {
    let message = row.uuid("messageId")?;
    let is_up = row
        .bool("isUpvoted")
        .map_err(within(format!("vote on message {message}")))?;
    Ok(Line::Rating(RatingLine {
        message: MessageId::new(message),
        rating: if is_up {
            RatingName::Up
        } else {
            RatingName::Down
        },
    }))
}

fn document(row: &mut Row) -> Result<Line, Problem> {
    let id = row.uuid("id")?;
    let within = within(format!("document {id}"));
    // The template's schema calls the column of the kind `text`; databases that were made by hand call it `kind`.
    let kind = row.optional("text").or_else(|| row.optional("kind"));
    let kind = kind.unwrap_or_else(|| DocumentKind::Text.as_str().to_owned());
    if DocumentKind::from_name(&kind).is_none() {
        let fault = "text (the kind): text, code, image or sheet is accepted";
        return Err(within(Problem::faulty(fault)));
    }
    Ok(Line::Document(DocumentLine {
        id,
        created_at_ms: row.time("createdAt").map_err(&within)?,
        owner: Owner::User(UserId::new(row.uuid("userId").map_err(&within)?)),
        title: row.column("title").map_err(&within)?,
        kind,
        content: row.column("content").map_err(&within)?,
    }))
}

fn suggestion(row: &mut Row) -> Result<Line, Problem> {
    let id = row.uuid("id")?;
    let within = within(format!("suggestion {id}"));
    Ok(Line::Suggestion(SuggestionLine {
        id,
        document: row.uuid("documentId").map_err(&within)?,
        version_at_ms: row.time("documentCreatedAt").map_err(&within)?,
        original: row.column("originalText").map_err(&within)?,
        suggested: row.column("suggestedText").map_err(&within)?,
        description: row.optional("description"),
        resolved: row.bool("isResolved").map_err(&within)?,
        user: UserId::new(row.uuid("userId").map_err(&within)?),
        created_at_ms: row.time("createdAt").map_err(&within)?,
    }))
}
