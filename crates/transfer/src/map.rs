//! From foreign records to lines: one mapper for each kind.

use std::io;

use chat_core::message::{MessageBody, MessageStatus, Part, PartContent, PartStatus};
use serde_json::{Map, Value};

use crate::{
    Place, Verdict,
    line::{Line, MessageLine},
    report::Log,
    source::Input,
    stage::Stage,
};

pub(crate) mod ai_chatbot;
pub(crate) mod assistants;
pub(crate) mod assistants_export;
pub(crate) mod skein;
mod ui_parts;
pub(crate) mod web_chat;

/// Maps the records of a source.
pub(crate) trait Mapper: Send {
    /// Whether an input holds what this kind reads.
    fn reads(&self, input: &Input) -> bool;

    /// Maps one record.
    fn record(
        &mut self,
        input: &Input,
        place: &Place,
        value: Value,
        out: &mut Out<'_, '_, '_>,
    ) -> Mapped;

    /// Called after the last record of an input, broken ones included, with how many there were and where the last stands.
    fn end(
        &mut self,
        _input: &Input,
        _read: u64,
        _last: Option<&Place>,
        _out: &mut Out<'_, '_, '_>,
    ) -> io::Result<()> {
        Ok(())
    }
}

/// What came of a record: an error of the temporary files; or else what is wrong with the record.
pub(crate) type Mapped = io::Result<Result<(), Problem>>;

/// What is wrong with a record, or why it has no place here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) verdict: Verdict,
    pub(crate) text: String,
}

impl Problem {
    pub(crate) fn faulty(text: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Faulty,
            text: text.into(),
        }
    }

    pub(crate) fn left_out(text: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::LeftOut,
            text: text.into(),
        }
    }
}

/// Where mapped lines and findings go.
pub(crate) struct Out<'a, 'd, 'l> {
    pub(crate) stage: &'a mut Stage<'d>,
    pub(crate) log: &'a mut Log<'l>,
}

impl Out<'_, '_, '_> {
    pub(crate) fn find(&mut self, place: &Place, problem: Problem) {
        self.log
            .find(Some(place.clone()), problem.verdict, problem.text);
    }

    pub(crate) fn changed(&mut self, place: &Place, text: String) {
        self.log.find(Some(place.clone()), Verdict::Changed, text);
    }

    /// Stages a line. One that is too large is a finding.
    pub(crate) fn put(&mut self, place: &Place, line: &Line) -> io::Result<()> {
        if let Err(fault) = self.stage.push(place, line)? {
            self.find(place, Problem::faulty(format!("{}: {fault}", line.label())));
        }
        Ok(())
    }

    /// Stages a message that gets its place by its time and `tie`.
    pub(crate) fn put_message(
        &mut self,
        place: &Place,
        name: &str,
        message: MessageLine,
        tie: u128,
    ) -> io::Result<()> {
        if let Err(fault) = self.stage.push_message(place, message, tie)? {
            self.find(place, Problem::faulty(format!("{name}: {fault}")));
        }
        Ok(())
    }
}

/// Ends a mapper's function with a problem, or goes on with what is there.
macro_rules! or_problem {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(problem) => return Ok(Err(problem)),
        }
    };
}
pub(crate) use or_problem;

/// The record as an object.
pub(crate) fn object(value: Value) -> Result<Map<String, Value>, Problem> {
    match value {
        Value::Object(object) => Ok(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Problem::faulty("an object is accepted as a record"))
        }
    }
}

/// A finished body of these contents, written at this time.
pub(crate) fn body(contents: impl IntoIterator<Item = PartContent>, at_ms: i64) -> MessageBody {
    MessageBody {
        parts: contents
            .into_iter()
            .zip(0..)
            .map(|(content, ordinal)| Part {
                ordinal,
                leg: None,
                step: None,
                status: PartStatus::Completed,
                started_at_ms: at_ms,
                finished_at_ms: Some(at_ms),
                alias: None,
                content,
            })
            .collect(),
        status: MessageStatus::Completed,
        ..MessageBody::default()
    }
}

/// A text part.
pub(crate) const fn text_part(text: String) -> PartContent {
    PartContent::Text {
        text,
        annotations: Vec::new(),
    }
}
