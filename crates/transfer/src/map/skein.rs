//! Skein's own export.

use std::{collections::HashMap, sync::Arc};

use chat_core::{
    message::{MessageStatus, PartStatus},
    ports::Pin,
    run::RunError,
};
use records::{DocumentVersion, UserRecord};
use serde_json::Value;

use super::{Mapped, Mapper, Out, Problem, or_problem};
use crate::{
    Place,
    line::{Header, Line, MessageLine, VERSION},
    source::Input,
};

#[derive(Debug, Default)]
pub(crate) struct Skein {
    /// Inputs whose first line was read, and whether it was one of ours.
    begun: HashMap<Arc<str>, bool>,
}

impl Mapper for Skein {
    fn reads(&self, _input: &Input) -> bool {
        true
    }

    fn record(
        &mut self,
        input: &Input,
        place: &Place,
        value: Value,
        out: &mut Out<'_, '_, '_>,
    ) -> Mapped {
        match self.begun.get(&input.name) {
            Some(true) => {}
            Some(false) => return Ok(Ok(())),
            None => {
                let header = header(&value);
                self.begun.insert(Arc::clone(&input.name), header.is_ok());
                return Ok(header);
            }
        }
        let mut line: Line = or_problem!(serde_json::from_value(value).map_err(|error| {
            // The words of serde may hold what was sent; the first of them do not.
            let text = error.to_string();
            let what = text.split([',', '"']).next().unwrap_or_default();
            Problem::faulty(format!("no line of an export: {what}"))
        }));
        or_problem!(check(&line));
        if let Line::Message(message) = &mut line {
            settle(message);
        }
        out.put(place, &line).map(Ok)
    }
}

fn header(value: &Value) -> Result<(), Problem> {
    let header: Option<Header> = serde_json::from_value(value.clone()).ok();
    let header = header.ok_or_else(|| {
        Problem::faulty("the file does not begin as an export of Skein does, with skein_export")
    })?;
    if header.skein_export != VERSION {
        return Err(Problem::faulty(format!(
            "an export in format {}; this release reads format {VERSION}",
            header.skein_export
        )));
    }
    Ok(())
}

/// Whether what was read is also what it should be.
fn check(line: &Line) -> Result<(), Problem> {
    let checked = match line {
        Line::User(line) => UserRecord::try_from(line.clone()).map(drop),
        Line::Pin(line) => Pin::try_from(line.clone()).map(drop),
        Line::Document(line) => DocumentVersion::try_from(line.clone()).map(drop),
        Line::Message(line) if line.seq == 0 => {
            return Err(Problem::faulty(format!(
                "message {}: seq: a number from 1 is accepted",
                line.id
            )));
        }
        Line::Conversation(_)
        | Line::Message(_)
        | Line::Rating(_)
        | Line::Summary(_)
        | Line::Suggestion(_)
        | Line::ThreadView(_)
        | Line::File(_)
        | Line::Bytes(_) => Ok(()),
    };
    checked.map_err(|fault| Problem::faulty(format!("{}: {fault}", line.label())))
}

/// Ends an answer that was being written when it was exported: nobody writes on at it here.
fn settle(message: &mut MessageLine) {
    let body = &mut message.body;
    if body.status != MessageStatus::InProgress {
        return;
    }
    body.status = MessageStatus::Failed;
    body.error = Some(RunError::Interrupted);
    for part in &mut body.parts {
        if part.status == PartStatus::InProgress {
            part.status = PartStatus::Incomplete;
            part.finished_at_ms.get_or_insert(part.started_at_ms);
        }
    }
}
