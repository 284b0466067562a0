//! Puts staged lines into a target.

use futures_util::{StreamExt as _, stream::FuturesOrdered};

use chat_core::{
    cost::counted_cost,
    message::{MessageBody, Role},
    ports::{Pin, StoreError, Summary},
    terms::fold,
};
use records::{
    DocumentVersion, MessageRecord, Put, SessionRecord, Suggestion, UserRecord, email_key,
    exact_email_key,
};
use token_budget::Encoding;

use crate::{
    ImportError, Options, Progress, Target, Verdict,
    import::{PROGRESS_EVERY, temporary},
    line::{Line, SummaryLine},
    map::{body, text_part},
    report::Log,
    stage::{Placed, StagedLine},
};

mod dry;
mod file;

use dry::Foreseen;

/// Whether to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// To write.
    Live,
    /// To read only, and say what would come of it.
    Dry,
}

/// So many puts are under way at once. A store makes them durable together.
const LANES: usize = 8;

/// Messages are put together up to so many, up to so many bytes, and up to so many search terms: each of those may be a key of
/// an index, and a database holds all that one transaction writes in its cache.
const BATCH: Batch = Batch {
    messages: 256,
    bytes: 1024 * 1024,
    terms: 20_000,
};

#[derive(Debug, Clone, Copy)]
struct Batch {
    messages: usize,
    bytes: usize,
    terms: usize,
}

/// Messages are counted in the encoding of most models; for others they are counted when they are first read.
const ENCODING: Encoding = Encoding::O200kBase;

/// What is put in one call.
struct Unit {
    lines: Vec<StagedLine>,
    weight: usize,
    terms: usize,
}

/// A line that was put, and what came of it.
struct Settled {
    line: StagedLine,
    put: Put,
    /// What was changed of it.
    changed: Option<String>,
}

pub(crate) async fn write(
    mut staged: Placed,
    count: u64,
    target: &Target,
    mode: Mode,
    options: &Options,
    log: &mut Log<'_>,
) -> Result<(), ImportError> {
    let temporary = temporary(options);
    let foreseen = &Foreseen::default();
    let mut writer = Writer { count, put: 0, log };
    let mut flight = FuturesOrdered::new();
    let mut unit: Option<Unit> = None;
    let mut ahead = staged.next().map_err(&temporary)?;
    while let Some(line) = ahead.take() {
        if let Line::File(_) | Line::Bytes(_) = line.line {
            // Everything else comes before files.
            if let Some(unit) = unit.take() {
                flight.push_back(put_unit(target, mode, foreseen, unit));
            }
            while let Some(settled) = flight.next().await {
                writer.settle(settled?);
            }
            let (settled, next) = file::put(target, mode, line, &mut staged, &temporary).await?;
            writer.settle(settled);
            ahead = next;
            continue;
        }
        ahead = staged.next().map_err(&temporary)?;
        if let Some(unit) = &mut unit
            && let Some(terms) = unit.takes(&line)
        {
            unit.push(line, terms);
            continue;
        }
        if let Some(full) = unit.take() {
            let alone = full.record() != Some(line.line.record()) || full.goes_on_in(&line);
            flight.push_back(put_unit(target, mode, foreseen, full));
            while flight.len() >= LANES || (alone && !flight.is_empty()) {
                if let Some(settled) = flight.next().await {
                    writer.settle(settled?);
                }
            }
        }
        unit = Some(Unit::of(line));
    }
    if let Some(unit) = unit {
        flight.push_back(put_unit(target, mode, foreseen, unit));
    }
    while let Some(settled) = flight.next().await {
        writer.settle(settled?);
    }
    Ok(())
}

/// Counts what came of lines.
struct Writer<'w, 'l> {
    count: u64,
    put: u64,
    log: &'w mut Log<'l>,
}

impl Writer<'_, '_> {
    fn settle(&mut self, settled: Vec<Settled>) {
        for Settled { line, put, changed } in settled {
            let label = line.line.label();
            let tally = self
                .log
                .report
                .tallies
                .entry(line.line.record())
                .or_default();
            let refusal = match put {
                Put::New => {
                    tally.new += 1;
                    None
                }
                Put::Known => {
                    tally.known += 1;
                    None
                }
                Put::Taken => {
                    tally.refused += 1;
                    Some("what must be unique of it is another's in the store")
                }
                Put::Orphan => {
                    tally.refused += 1;
                    Some("what it belongs to is not there")
                }
            };
            let place = line.place;
            if let Some(refusal) = refusal {
                let text = format!("{label}: {refusal}");
                self.log.find(Some(place.clone()), Verdict::Refused, text);
            }
            if let Some(changed) = changed {
                let text = format!("{label}: {changed}");
                self.log.find(Some(place), Verdict::Changed, text);
            }
            self.put += 1;
            if self.put.is_multiple_of(PROGRESS_EVERY) {
                self.log.progress(Progress {
                    read: self.log.report.read,
                    put: self.put,
                    of: Some(self.count),
                });
            }
        }
    }
}

impl Unit {
    fn of(line: StagedLine) -> Self {
        let mut unit = Self {
            lines: Vec::new(),
            weight: 0,
            terms: 0,
        };
        let terms = terms(&line);
        unit.push(line, terms);
        unit
    }

    fn push(&mut self, line: StagedLine, terms: usize) {
        self.terms += terms;
        if let Line::Message(message) = &line.line {
            self.weight += message.body.weight();
        }
        self.lines.push(line);
    }

    /// Whether a line goes in here, a message of the same conversation while there is room: its search terms if so.
    fn takes(&self, line: &StagedLine) -> Option<usize> {
        let Line::Message(message) = &line.line else {
            return None;
        };
        let room = self.goes_on_in(line)
            && self.lines.len() < BATCH.messages
            && self.weight + message.body.weight() <= BATCH.bytes;
        if !room {
            return None;
        }
        let terms = terms(line);
        (self.terms + terms <= BATCH.terms).then_some(terms)
    }

    /// Whether a line is of the same conversation. Puts into one conversation would only stand in each other's way.
    fn goes_on_in(&self, line: &StagedLine) -> bool {
        match (self.lines.first().map(|line| &line.line), &line.line) {
            (Some(Line::Message(first)), Line::Message(message)) => {
                first.conversation == message.conversation
            }
            _ => false,
        }
    }

    fn record(&self) -> Option<crate::RecordType> {
        self.lines.first().map(|line| line.line.record())
    }
}

/// By how many terms a message is found.
fn terms(line: &StagedLine) -> usize {
    if let Line::Message(message) = &line.line
        && message.role != Role::System
    {
        fold(&message.body.text()).len()
    } else {
        0
    }
}

async fn put_unit(
    target: &Target,
    mode: Mode,
    foreseen: &Foreseen,
    unit: Unit,
) -> Result<Vec<Settled>, StoreError> {
    if matches!(
        unit.lines.first().map(|line| &line.line),
        Some(Line::Message(_))
    ) {
        return put_messages(target, mode, foreseen, unit.lines).await;
    }
    let mut settled = Vec::with_capacity(unit.lines.len());
    for line in unit.lines {
        let (put, changed) = put_line(target, mode, foreseen, &line).await?;
        settled.push(Settled { line, put, changed });
    }
    Ok(settled)
}

async fn put_messages(
    target: &Target,
    mode: Mode,
    foreseen: &Foreseen,
    lines: Vec<StagedLine>,
) -> Result<Vec<Settled>, StoreError> {
    let mut messages = Vec::with_capacity(lines.len());
    for line in &lines {
        if let Line::Message(message) = &line.line {
            let mut record = MessageRecord::from((**message).clone());
            if mode == Mode::Live && record.message.body.costs.is_empty() {
                let body = &record.message.body;
                let cost = counted_cost(body, record.message.role, ENCODING).await;
                record.message.body.costs.push(cost);
            }
            messages.push(record);
        }
    }
    let Some(conversation) = messages.first().map(|first| first.message.conversation) else {
        return Ok(Vec::new());
    };
    let puts = match mode {
        Mode::Live => target.archive.put_messages(conversation, messages).await?,
        Mode::Dry => foreseen.messages(target, conversation, &messages).await?,
    };
    Ok(lines
        .into_iter()
        .zip(puts)
        .map(|(line, put)| Settled {
            line,
            put,
            changed: None,
        })
        .collect())
}

type PutLine = Result<(Put, Option<String>), StoreError>;

async fn put_line(
    target: &Target,
    mode: Mode,
    foreseen: &Foreseen,
    staged: &StagedLine,
) -> PutLine {
    let line = staged.line.clone();
    if let Line::User(user) = line {
        let Ok(mut record) = UserRecord::try_from(user) else {
            return Ok((Put::Taken, None));
        };
        if staged.exact_email {
            record.email_key = exact_email_key(&record.user.email);
        }
        return put_user(target, mode, foreseen, record).await;
    }
    let put = match mode {
        Mode::Live => put_live(target, line).await?,
        Mode::Dry => foreseen.line(target, line).await?,
    };
    Ok((put, None))
}

/// Stores a user. One whose address differs in case only from that of a user who is there is kept under its exact spelling.
async fn put_user(
    target: &Target,
    mode: Mode,
    foreseen: &Foreseen,
    mut record: UserRecord,
) -> PutLine {
    let put = put_record(target, mode, foreseen, record.clone()).await?;
    if put != Put::Taken || record.email_key != email_key(&record.user.email) {
        return Ok((put, None));
    }
    let other = target.users.find_user_by_email(&record.email_key).await?;
    if other.is_none_or(|other| other.email.trim() == record.user.email.trim()) {
        return Ok((put, None));
    }
    record.email_key = exact_email_key(&record.user.email);
    let put = put_record(target, mode, foreseen, record).await?;
    let changed = "its e-mail address differs in case only from another user's; it is found by its exact spelling";
    Ok((put, (put == Put::New).then(|| changed.to_owned())))
}

async fn put_record(
    target: &Target,
    mode: Mode,
    foreseen: &Foreseen,
    record: UserRecord,
) -> Result<Put, StoreError> {
    match mode {
        Mode::Live => target.archive.put_user(record).await,
        Mode::Dry => foreseen.user(target, &record).await,
    }
}

async fn put_live(target: &Target, line: Line) -> Result<Put, StoreError> {
    let new = |stored: bool| if stored { Put::New } else { Put::Known };
    Ok(match line {
        Line::Session(line) => {
            let Ok(session) = SessionRecord::try_from(line) else {
                return Ok(Put::Taken);
            };
            target.archive.put_session(session).await?
        }
        Line::Conversation(line) => target.archive.put_conversation((*line).into()).await?,
        Line::Rating(line) => {
            target
                .archive
                .put_rating(line.message, line.rating.into())
                .await?
        }
        Line::Summary(line) => put_summary(target, line).await?,
        Line::Pin(line) => {
            let scope = line.conversation;
            let Ok(pin) = Pin::try_from(line) else {
                return Ok(Put::Taken);
            };
            if target.notes.insert_pin(pin).await? {
                Put::New
            } else if let Some(conversation) = scope
                && !dry::has_conversation(target, conversation).await?
            {
                Put::Orphan
            } else {
                Put::Known
            }
        }
        Line::Document(line) => {
            let Ok(version) = DocumentVersion::try_from(line) else {
                return Ok(Put::Taken);
            };
            if target.documents.insert_version(version.clone()).await? {
                Put::New
            } else {
                dry::version(target, &version).await?
            }
        }
        Line::Suggestion(line) => {
            let suggestion = Suggestion::from(line);
            let (id, document) = (suggestion.id, suggestion.document);
            if target.documents.insert_suggestion(suggestion).await? {
                Put::New
            } else {
                let known = target.documents.list_suggestions(document).await?;
                let known = known.iter().any(|suggestion| suggestion.id == id);
                if known { Put::Known } else { Put::Orphan }
            }
        }
        Line::ThreadView(line) => new(target.thread_views.insert_thread_view(line.into()).await?),
        // These are put elsewhere.
        Line::User(_) | Line::Message(_) | Line::File(_) | Line::Bytes(_) => Put::Orphan,
    })
}

async fn put_summary(target: &Target, line: SummaryLine) -> Result<Put, StoreError> {
    let conversation = line.conversation;
    let mut summary = line.summary();
    if summary.costs.is_empty() {
        let cost = counted_cost(&summary_body(&summary), Role::System, ENCODING).await;
        summary.costs.push(cost);
    }
    if target
        .notes
        .store_summary(conversation, None, summary)
        .await?
    {
        return Ok(Put::New);
    }
    let there = target.notes.find_summary(conversation).await?;
    Ok(if there.is_some() {
        Put::Known
    } else {
        Put::Orphan
    })
}

/// A summary as it stands in a prompt.
fn summary_body(summary: &Summary) -> MessageBody {
    let text = format!("Summary: {}", summary.text);
    body([text_part(text)], summary.created_at_ms)
}

#[cfg(test)]
mod tests;
