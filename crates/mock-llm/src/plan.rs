//! The whole of a response before its first byte is sent: its bytes, and when each part is due.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::compose::{Answer, Piece};
use crate::config::Pace;
use crate::frame::{CREATED, FINGERPRINT, FrameWriter, call_id};
use crate::scenario::{Ending, Scenario, UsageMode};

/// The most bytes of one step: what is due together is sent together, up to this.
const STEP_BYTES: usize = 16 * 1024;

/// A response body and its timetable. Shared by all equal answers.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) bytes: Bytes,
    pub(crate) steps: Box<[Step]>,
    pub(crate) end: End,
    /// Whether each step has to leave on its own.
    pub(crate) dribble: bool,
}

/// A part of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// Where the part ends in the bytes.
    pub(crate) end: usize,
    /// When it is due, counted from the start of the response.
    pub(crate) at: Duration,
}

/// What follows the last step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// The response ends well.
    Complete,
    /// The connection closes.
    Cut,
    /// Nothing, or a comment every now and then.
    Silence(Option<(Duration, Bytes)>),
}

/// What an answer says about itself.
#[derive(Debug)]
pub(crate) struct Envelope<'a> {
    pub(crate) id: &'a str,
    pub(crate) model: &'a str,
    pub(crate) prompt_tokens: u64,
    pub(crate) wants_usage: bool,
    /// The pace where the scenario has none.
    pub(crate) pace: Pace,
}

/// The response to a request with `stream: true`.
pub(crate) fn stream(scenario: &Scenario, answer: &Answer, envelope: &Envelope<'_>) -> Plan {
    let usage_null = envelope.wants_usage && scenario.usage != UsageMode::Never;
    let writer = FrameWriter::new(&scenario.wire, envelope.id, envelope.model, usage_null);
    let pace = scenario.pace.unwrap_or(envelope.pace);
    let count = answer.pieces.len();
    let (stop_after, mut end) = match scenario.ending {
        Ending::Done | Ending::WithoutDone | Ending::WithoutFinish => (count, End::Complete),
        Ending::CutAfter(tokens) => (tokens, End::Cut),
        Ending::SilentAfter(tokens) => (tokens, End::Silence(None)),
        Ending::ErrorAfter(tokens) => (tokens, End::Complete),
    };
    let mut table = Timetable {
        bytes: Vec::new(),
        steps: Vec::new(),
        at: scenario.first,
    };
    // A stop after no token means that not even the frames before it are sent.
    let nothing = stop_after == 0 && end != End::Complete;
    if !nothing {
        table.step(|out| open(scenario, answer, &writer, out));
        for (index, piece) in answer.pieces.iter().enumerate().take(stop_after) {
            table.at += pace.before(index);
            table.step(|out| {
                if scenario.wire.comments {
                    writer.comment(out);
                }
                if scenario.frames.malformed_after == Some(index) {
                    writer.malformed(out);
                }
                writer.piece(out, piece, envelope.id);
                if index == 0 && scenario.frames.without_delta {
                    writer.without_delta(out);
                }
            });
        }
    }
    match scenario.ending {
        Ending::Done | Ending::WithoutDone | Ending::WithoutFinish => table.step(|out| {
            // Also when the answer is shorter than that.
            if scenario
                .frames
                .malformed_after
                .is_some_and(|after| after >= count)
            {
                writer.malformed(out);
            }
            close(scenario, answer, envelope, &writer, out);
        }),
        Ending::ErrorAfter(_) => table.step(|out| writer.data(out, &server_error().to_string())),
        Ending::SilentAfter(_) => {
            end = End::Silence(scenario.wire.keep_alive.map(|every| {
                let mut comment = Vec::new();
                writer.comment(&mut comment);
                (every, Bytes::from(comment))
            }));
        }
        Ending::CutAfter(_) => {}
    }
    let Timetable {
        bytes, mut steps, ..
    } = table;
    if let Some(most) = scenario.wire.dribble {
        steps = dribbled(&steps, most);
    }
    Plan {
        bytes: bytes.into(),
        steps: steps.into(),
        end,
        dribble: scenario.wire.dribble.is_some(),
    }
}

/// The response to a request without `stream`, and how long the model takes for it.
pub(crate) fn whole(
    scenario: &Scenario,
    answer: &Answer,
    envelope: &Envelope<'_>,
) -> (Plan, Duration) {
    let pace = scenario.pace.unwrap_or(envelope.pace);
    let takes = scenario.first
        + (0..answer.pieces.len())
            .map(|index| pace.before(index))
            .sum::<Duration>();
    let mut bytes = completion(scenario, answer, envelope)
        .to_string()
        .into_bytes();
    let mut end = End::Complete;
    if let Ending::CutAfter(_) = scenario.ending {
        bytes.truncate(bytes.len() / 2);
        end = End::Cut;
    } else if scenario.frames.malformed_after.is_some() {
        bytes.truncate(bytes.len() / 2);
    }
    let steps = Box::from([Step {
        end: bytes.len(),
        at: Duration::ZERO,
    }]);
    (
        Plan {
            bytes: bytes.into(),
            steps,
            end,
            dribble: false,
        },
        takes,
    )
}

/// The error object of a server that fails.
pub(crate) fn server_error() -> Value {
    json!({"error": {
        "message": "The server had an error while processing your request. Sorry about that!",
        "type": "server_error",
        "param": null,
        "code": null,
    }})
}

struct Timetable {
    bytes: Vec<u8>,
    steps: Vec<Step>,
    at: Duration,
}

impl Timetable {
    /// Adds what `write` writes, due now.
    fn step(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let end = self.bytes.len();
        let before = self.steps.iter().rev().nth(1).map_or(0, |step| step.end);
        match self.steps.last_mut() {
            Some(last) if last.at == self.at && end - before <= STEP_BYTES => last.end = end,
            Some(_) | None if end > start => self.steps.push(Step { end, at: self.at }),
            Some(_) | None => {}
        }
    }
}

fn open(scenario: &Scenario, answer: &Answer, writer: &FrameWriter<'_>, out: &mut Vec<u8>) {
    if scenario.wire.comments {
        writer.comment(out);
    }
    if scenario.frames.azure {
        writer.azure_opening(out);
    }
    writer.opening(
        out,
        matches!(answer.pieces.first(), Some(Piece::Call { .. })),
    );
    if let Some(bytes) = scenario.frames.huge_line_bytes {
        writer.huge(out, bytes);
    }
}

fn close(
    scenario: &Scenario,
    answer: &Answer,
    envelope: &Envelope<'_>,
    writer: &FrameWriter<'_>,
    out: &mut Vec<u8>,
) {
    if scenario.ending != Ending::WithoutFinish {
        writer.finish(out, &answer.finish);
    }
    let with_usage = match scenario.usage {
        UsageMode::AsAsked => envelope.wants_usage,
        UsageMode::Always => true,
        UsageMode::Never => false,
    };
    if with_usage {
        writer.usage(out, &usage(answer, envelope));
    }
    if scenario.ending == Ending::Done {
        writer.data(out, "[DONE]");
    }
}

/// Cuts steps into pieces of 1 to `most` bytes, the sizes in a fixed but uneven order.
fn dribbled(steps: &[Step], most: usize) -> Vec<Step> {
    let mut pieces = Vec::new();
    let mut position = 0;
    for step in steps {
        while position < step.end {
            let size = 1 + (pieces.len() * 7 + pieces.len() / 3) % most;
            position = (position + size).min(step.end);
            pieces.push(Step {
                end: position,
                at: step.at,
            });
        }
    }
    pieces
}

fn usage(answer: &Answer, envelope: &Envelope<'_>) -> Value {
    let completion = answer.pieces.len() as u64;
    let reasoning = answer
        .pieces
        .iter()
        .filter(|piece| matches!(piece, Piece::Reasoning(_)))
        .count();
    json!({
        "prompt_tokens": envelope.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": envelope.prompt_tokens + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

/// The `chat.completion` object.
fn completion(scenario: &Scenario, answer: &Answer, envelope: &Envelope<'_>) -> Value {
    let mut content = String::new();
    let mut reasoning = String::new();
    let mut refusal = String::new();
    let mut calls: Vec<(&str, String)> = Vec::new();
    for piece in &answer.pieces {
        match piece {
            Piece::Reasoning(text) => reasoning.push_str(text),
            Piece::Content(text) => content.push_str(text),
            Piece::Refusal(text) => refusal.push_str(text),
            Piece::Call { name, .. } => calls.push((name, String::new())),
            Piece::Arguments { text, .. } => {
                if let Some((_, arguments)) = calls.last_mut() {
                    arguments.push_str(text);
                }
            }
        }
    }
    let or_null = |text: String| {
        if text.is_empty() {
            Value::Null
        } else {
            Value::from(text)
        }
    };
    // An answer without words is an empty one, unless something else stands in for it.
    let speechless = content.is_empty() && !(calls.is_empty() && refusal.is_empty());
    let mut message = json!({
        "role": "assistant",
        "content": if speechless { Value::Null } else { Value::from(content) },
        "refusal": or_null(refusal),
        "annotations": [],
    });
    if let Some(message) = message.as_object_mut() {
        if !reasoning.is_empty() {
            message.insert("reasoning_content".to_owned(), reasoning.into());
        }
        if !calls.is_empty() {
            let call = |(index, (name, arguments)): (usize, (&str, String))| {
                json!({
                    "id": call_id(envelope.id, index),
                    "type": "function",
                    "function": {"name": name, "arguments": arguments},
                })
            };
            message.insert(
                "tool_calls".to_owned(),
                calls.into_iter().enumerate().map(call).collect(),
            );
        }
    }
    let finish = match scenario.ending {
        Ending::WithoutFinish => Value::Null,
        Ending::Done
        | Ending::WithoutDone
        | Ending::CutAfter(_)
        | Ending::SilentAfter(_)
        | Ending::ErrorAfter(_) => Value::from(answer.finish.as_str()),
    };
    let mut completion = json!({
        "id": envelope.id,
        "object": "chat.completion",
        "created": CREATED,
        "model": envelope.model,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish}],
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    });
    if let Some(completion) = completion
        .as_object_mut()
        .filter(|_| scenario.usage != UsageMode::Never)
    {
        completion.insert("usage".to_owned(), usage(answer, envelope));
    }
    completion
}
