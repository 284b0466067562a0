use crate::line::Line;

/// A message, or any other text that goes into one record, has no more bytes than this.
pub(super) const MAX_RECORD_BYTES: usize = 8 * 1024 * 1024;

/// Says what is too large of a line.
pub(super) fn within_limits(line: &Line) -> Result<(), String> {
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
    Ok(())
}

/// A size as a person reads it: in millions of bytes.
fn megabytes(bytes: usize) -> String {
    let tenths = bytes / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}
