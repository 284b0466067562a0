//! Which messages of a history go into the prompt.
//!
//! The functions only add costs that were counted before: a message is tokenized once in its life,
//! not once per turn. They never change the history; what does not fit is left out of one prompt.

#[cfg(test)]
mod tests;

use thiserror::Error;

use crate::count::{MESSAGE_OVERHEAD, PROMPT_OVERHEAD};

/// What fitting has to know about one message of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its cost in tokens, as [`message_cost`](crate::message_cost) gives it.
    pub cost: u32,
    /// Whether the user wrote it; a turn begins with such a message.
    pub is_user: bool,
}

/// The messages of one turn: pinned ones, the history, and the new message, in that order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn<'a> {
    /// The sum of the costs of what is always kept, such as the system prompt and few-shot pairs;
    /// without [`PROMPT_OVERHEAD`].
    pub pinned: u32,
    /// The history, oldest first, without the new message.
    pub live: &'a [Item],
    /// The cost of the new message, which is always kept and comes last.
    pub new: u32,
}

/// What goes into the prompt beside the pinned messages and the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// The index of the first live message that is kept; the length of the history if none is. The
    /// message there is a user's.
    pub start: usize,
    /// How many live messages are kept: all from `start` on.
    pub kept: usize,
    /// The sum of their costs.
    pub live: u32,
    /// What the whole prompt costs: pinned, kept, new and [`PROMPT_OVERHEAD`]. Never over the budget.
    pub prompt: u32,
}

/// The new message does not fit, even with no history at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the message is too long: {needed} tokens, at most {allowed} fit")]
pub struct TooLong {
    /// The most tokens that the text of the message may have beside the pinned messages; 0 when these
    /// fill the prompt alone.
    pub allowed: u32,
    /// The tokens that its text has: its cost without [`MESSAGE_OVERHEAD`].
    pub needed: u32,
}

/// Keeps as much of the newest history as `budget` tokens of prompt hold, in whole turns.
///
/// A prompt of exactly `budget` fits. The kept messages are the longest end of the history that
/// begins with a user message; messages before the first user message are never kept. Takes as
/// many additions as messages are kept, and one turn more.
pub fn whole_budget(budget: u32, turn: &Turn<'_>) -> Result<Fit, TooLong> {
    last_n(usize::MAX, budget, turn)
}

/// Keeps at most the `n` newest messages, the new one included, as far as `budget` tokens hold them.
///
/// As [`whole_budget`] otherwise: whole turns, so fewer than `n` where the `n`-th newest is not a
/// user message. The new message is kept also when `n` is 0.
pub fn last_n(n: usize, budget: u32, turn: &Turn<'_>) -> Result<Fit, TooLong> {
    let length = turn.live.len();
    let fixed = PROMPT_OVERHEAD.saturating_add(turn.pinned);
    let mut prompt = fixed
        .checked_add(turn.new)
        .filter(|prompt| *prompt <= budget)
        .ok_or_else(|| TooLong {
            allowed: budget
                .saturating_sub(fixed)
                .saturating_sub(MESSAGE_OVERHEAD),
            needed: turn.new.saturating_sub(MESSAGE_OVERHEAD),
        })?;
    let mut fit = Fit {
        start: length,
        kept: 0,
        live: 0,
        prompt,
    };
    let without_history = prompt;
    let newest_first = turn.live.iter().enumerate().rev();
    for (start, item) in newest_first.take(n.saturating_sub(1)) {
        match prompt.checked_add(item.cost) {
            Some(sum) if sum <= budget => prompt = sum,
            Some(_) | None => break,
        }
        if item.is_user {
            fit = Fit {
                start,
                kept: length - start,
                live: prompt - without_history,
                prompt,
            };
        }
    }
    Ok(fit)
}
