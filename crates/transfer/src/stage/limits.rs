use std::io;

use serde::Serialize as _;
use serde_json::ser::{CharEscape, Formatter, Serializer};

use crate::line::Line;

/// A message, or any other text that goes into one record, has no more bytes than this.
pub(super) const MAX_RECORD_BYTES: usize = 8 * 1024 * 1024;

/// What surrounds that text in a line (names, ids, the parts that hold it) has no more bytes than this.
const MAX_AROUND_BYTES: usize = 1024 * 1024;

/// What a record is found by, or what names one of a few, has no more bytes than this: a store's index holds it.
const MAX_KEY_BYTES: usize = 1024;

/// Says what is too large of a line.
pub(super) fn within_limits(line: &Line) -> Result<(), String> {
    keys_within_limits(line)?;
    let (what, bytes) = match line {
        Line::Message(line) => ("a message", line.body.weight()),
        Line::Summary(line) => ("a summary", line.text.len()),
        Line::Pin(line) => ("a pinned example", line.prompt.len() + line.answer.len()),
        Line::Document(line) => ("a document", line.content.len() + line.title.len()),
        Line::Suggestion(line) => (
            "a suggestion",
            line.original.len()
                + line.suggested.len()
                + line.description.as_ref().map_or(0, String::len),
        ),
        Line::Conversation(line) => (
            "a conversation's title and metadata",
            line.title.as_ref().map_or(0, String::len)
                + serde_json::to_vec(&line.metadata).map_or(0, |json| json.len()),
        ),
        Line::User(line) => ("a user's e-mail address", line.email.len()),
        Line::Session(line) => ("a session's token", line.token.len()),
        Line::ThreadView(line) => ("a thread's name", line.name.len()),
        Line::File(line) => ("a file's name", line.name.len()),
        Line::Rating(_) => ("a rating", 0),
        Line::Bytes(line) => ("a piece of a file", line.base64.len()),
    };
    if bytes > MAX_RECORD_BYTES {
        return Err(format!(
            "{} of {}; at most 8 MiB is accepted",
            what,
            megabytes(bytes)
        ));
    }
    let whole = weight(line);
    if whole > MAX_RECORD_BYTES + MAX_AROUND_BYTES {
        return Err(format!(
            "a record of {}; at most 9 MiB with everything is accepted",
            megabytes(whole)
        ));
    }
    Ok(())
}

fn keys_within_limits(line: &Line) -> Result<(), String> {
    let within = |name: &str, key: Option<&String>| match key.map_or(0, String::len) {
        ..=MAX_KEY_BYTES => Ok(()),
        bytes => Err(format!(
            "{name} of {bytes} bytes; at most 1 KiB is accepted"
        )),
    };
    match line {
        Line::User(line) => {
            within("email", Some(&line.email))?;
            within("email_key", Some(&line.email_key))?;
            within("kind", Some(&line.kind))?;
            within("password", line.password.as_ref())
        }
        Line::Session(line) => within("token", Some(&line.token)),
        Line::Conversation(line) => within("alias", line.alias.as_ref()),
        Line::Message(line) => {
            within("alias", line.alias.as_ref())?;
            within("model", line.body.model.as_ref())?;
            for cost in &line.body.costs {
                within("encoding", Some(&cost.encoding))?;
            }
            line.body
                .parts
                .iter()
                .try_for_each(|part| within("alias of a part", part.alias.as_ref()))
        }
        Line::Summary(line) => {
            for cost in &line.costs {
                within("encoding", Some(&cost.encoding))?;
            }
            within("model", line.model.as_ref())
        }
        Line::ThreadView(line) => {
            within("user", Some(&line.user))?;
            within("thread", Some(&line.thread))
        }
        Line::File(line) => {
            within("media_type", Some(&line.media_type))?;
            within("purpose", Some(&line.purpose))?;
            within("sha256", Some(&line.sha256))
        }
        // The rest of their fields are numbers, ids and texts.
        Line::Rating(_)
        | Line::Pin(_)
        | Line::Document(_)
        | Line::Suggestion(_)
        | Line::Bytes(_) => Ok(()),
    }
}

/// How many bytes a line has as JSON, with every escaped character as one: how many of them must be escaped says nothing
/// about how much a store has to hold.
fn weight(line: &Line) -> usize {
    let mut count = Count(0);
    let mut serializer = Serializer::with_formatter(&mut count, Unescaped);
    match line.serialize(&mut serializer) {
        Ok(()) => count.0,
        // What cannot be written cannot be staged.
        Err(_) => usize::MAX,
    }
}

struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Unescaped;

impl Formatter for Unescaped {
    fn write_char_escape<W>(&mut self, writer: &mut W, _escape: CharEscape) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        writer.write_all(b"?")
    }
}

/// A size as a person reads it: in millions of bytes.
fn megabytes(bytes: usize) -> String {
    let tenths = bytes / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}
