//! Skein's own export.

use std::{collections::HashMap, io, sync::Arc};

use chat_core::{
    message::{MessageStatus, PartStatus},
    ports::Pin,
    run::RunError,
};
use records::{DocumentVersion, SessionRecord, UserRecord, email_key, exact_email_key};
use serde_json::Value;

use super::{Mapped, Mapper, Out, Problem, or_problem};
use crate::{
    Place,
    line::{Footer, Header, Line, MessageLine, VERSION},
    source::Input,
};

#[derive(Debug, Default)]
pub(crate) struct Skein {
    /// Inputs whose first line was read.
    begun: HashMap<Arc<str>, Begun>,
}

/// What is known of an input.
#[derive(Debug)]
enum Begun {
    /// What is wrong with the whole of it was told, and nothing more of it is read.
    Told,
    /// It is an export, and its last line, if that was read.
    Ours(Option<Footer>),
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
        match self.begun.get_mut(&input.name) {
            Some(begun @ Begun::Ours(Some(_))) => {
                *begun = Begun::Told;
                let text = "nothing is accepted after the last line of an export";
                return Ok(Err(Problem::faulty(text)));
            }
            Some(begun @ Begun::Ours(None)) if value.get("skein_export_end").is_some() => {
                let footer = footer(value);
                *begun = match &footer {
                    Ok(footer) => Begun::Ours(Some(footer.clone())),
                    Err(_) => Begun::Told,
                };
                return Ok(footer.map(drop));
            }
            Some(Begun::Ours(None)) => {}
            Some(Begun::Told) => return Ok(Ok(())),
            None => {
                let header = header(&value);
                let begun = match header {
                    Ok(()) => Begun::Ours(None),
                    Err(_) => Begun::Told,
                };
                self.begun.insert(Arc::clone(&input.name), begun);
                return Ok(header);
            }
        }
        let mut line: Line = or_problem!(serde_json::from_value(value).map_err(|error| {
            // The words of serde may hold what was sent; the first of them do not.
            let text = error.to_string();
            let what = text.split([',', '"', '`']).next().unwrap_or_default();
            Problem::faulty(format!("no line of an export: {}", what.trim_end()))
        }));
        or_problem!(check(&line));
        if let Line::Message(message) = &mut line {
            settle(message);
        }
        out.put(place, &line).map(Ok)
    }

    fn end(
        &mut self,
        input: &Input,
        read: u64,
        last: Option<&Place>,
        out: &mut Out<'_, '_, '_>,
    ) -> io::Result<()> {
        let (Some(Begun::Ours(end)), Some(last)) = (self.begun.get(&input.name), last) else {
            return Ok(());
        };
        let Some(end) = end else {
            let text = "the export was cut off: its last line, with skein_export_end, is not there";
            out.find(last, Problem::faulty(text));
            return Ok(());
        };
        // The first line and the last are not among them.
        let lines = read.saturating_sub(2);
        if end.lines != lines {
            let text = format!(
                "the export is not whole: it has {lines} of {} lines",
                end.lines
            );
            out.find(last, Problem::faulty(text));
        }
        Ok(())
    }
}

fn footer(value: Value) -> Result<Footer, Problem> {
    serde_json::from_value(value).map_err(|_quoting| {
        Problem::faulty("skein_export_end: a line as `skein export` ends with is accepted")
    })
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
        Line::User(line)
            if line.email_key != email_key(&line.email)
                && line.email_key != exact_email_key(&line.email) =>
        {
            // Any other would give somebody's address to another.
            return Err(Problem::faulty(format!(
                "user {}: email_key: the one of the e-mail address is accepted",
                line.id
            )));
        }
        Line::User(line) => UserRecord::try_from(line.clone()).map(drop),
        Line::Session(line) => SessionRecord::try_from(line.clone()).map(drop),
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
