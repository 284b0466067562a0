use std::{collections::VecDeque, io};

use chat_core::id::ConversationId;

use super::{Entry, Lines, Order, StagedLine, limits::MAX_RECORD_BYTES};
use crate::line::{Line, MessageLine};

/// So many bytes of messages of one time are turned round at most; more of them stay in the source's order.
const MAX_TURNED: usize = 2 * MAX_RECORD_BYTES;

/// Staged lines in the order in which they are put, every message with its place.
#[derive(Debug)]
pub(crate) struct Placed {
    lines: Lines,
    conversation: Option<ConversationId>,
    /// Whether the source gave the conversation's newer messages after its older ones.
    direction: i64,
    next_seq: u64,
    /// Messages whose turn it is.
    ready: VecDeque<StagedLine>,
    ahead: Option<Entry>,
}

impl Placed {
    pub(super) const fn new(lines: Lines) -> Self {
        Self {
            lines,
            conversation: None,
            direction: 0,
            next_seq: 1,
            ready: VecDeque::new(),
            ahead: None,
        }
    }

    /// The next line.
    pub(crate) fn next(&mut self) -> io::Result<Option<StagedLine>> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Ok(Some(self.with_place(line)));
            }
            let entry = match self.ahead.take() {
                Some(entry) => Some(entry),
                None => self.lines.next()?,
            };
            let (order, line) = match entry {
                None => return Ok(None),
                Some(Entry::Direction(conversation, direction)) => {
                    self.enter(conversation);
                    self.direction = self.direction.saturating_add(direction);
                    continue;
                }
                Some(Entry::Line { order, line }) => (order, line),
            };
            let Some(message) = unplaced(&line) else {
                return Ok(Some(line));
            };
            let conversation = message.conversation;
            self.enter(conversation);
            self.ready.push_back(line);
            if self.direction < 0 {
                self.gather(conversation, order)?;
                self.ready.make_contiguous().reverse();
            }
        }
    }

    /// Takes what was made at the same time: the source had it newest first, so its order is turned round.
    fn gather(&mut self, conversation: ConversationId, order: Order) -> io::Result<()> {
        let mut weight = 0;
        while let Some(entry) = self.lines.next()? {
            match entry {
                Entry::Line { order: other, line }
                    if other.0 == order.0
                        && weight < MAX_TURNED
                        && unplaced(&line)
                            .is_some_and(|message| message.conversation == conversation) =>
                {
                    weight += unplaced(&line).map_or(0, |message| message.body.weight());
                    self.ready.push_back(line);
                }
                Entry::Line { .. } | Entry::Direction(..) => {
                    self.ahead = Some(entry);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn enter(&mut self, conversation: ConversationId) {
        if self.conversation != Some(conversation) {
            self.conversation = Some(conversation);
            self.direction = 0;
            self.next_seq = 1;
        }
    }

    fn with_place(&mut self, mut staged: StagedLine) -> StagedLine {
        if let Line::Message(message) = &mut staged.line {
            message.seq = self.next_seq;
            self.next_seq += 1;
        }
        staged
    }
}

/// The message that a line is, if it has no place yet.
fn unplaced(staged: &StagedLine) -> Option<&MessageLine> {
    match &staged.line {
        Line::Message(message) if message.seq == 0 => Some(message),
        Line::User(_)
        | Line::Session(_)
        | Line::Conversation(_)
        | Line::Message(_)
        | Line::Rating(_)
        | Line::Summary(_)
        | Line::Pin(_)
        | Line::Document(_)
        | Line::Suggestion(_)
        | Line::ThreadView(_)
        | Line::File(_)
        | Line::Bytes(_) => None,
    }
}
