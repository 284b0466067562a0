//! Frames to events: the meaning of a stream, without any I/O.

use std::collections::VecDeque;

use chat_core::{
    event::FinishReason,
    ports::{ModelErrorKind, ModelEvent, ModelEventKind},
    run,
};

use crate::fault::{Failure, Fault, plain};

use super::{
    calls::Calls,
    think::{Piece, Splitter},
    wire::{Chunk, Delta},
};

/// Reads the frames of one answer, in order, and queues what they mean.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    queue: VecDeque<ModelEvent>,
    splitter: Splitter,
    calls: Calls,
    usage: Option<run::Usage>,
    finish: Option<Finish>,
    /// Whether anything of the answer was queued.
    produced: bool,
    id: Option<String>,
    model: Option<String>,
}

/// How a stream came to its end.
pub(crate) enum End {
    /// By `[DONE]`, or as a whole completion.
    Done,
    /// By the end of the body.
    Closed,
    /// By a failure.
    Failed(Failure),
}

/// A finish reason as it came.
#[derive(Debug)]
enum Finish {
    Known(FinishReason),
    /// The upstream says that it failed.
    GaveUp(String),
}

impl Decoder {
    /// The next event.
    pub(crate) fn pop(&mut self) -> Option<ModelEvent> {
        self.queue.pop_front()
    }

    /// Whether a finish reason has come, after which only the usage is missing.
    pub(crate) fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// The upstream's id for the answer, and the model it names, each as far as it has come.
    pub(crate) fn head(&self) -> (Option<String>, Option<String>) {
        (self.id.clone(), self.model.clone())
    }

    /// Takes in a frame; true if it was the last. An error ends the stream.
    pub(crate) fn frame(&mut self, event: &str, data: &str) -> Result<bool, Failure> {
        let data = data.trim();
        if data.is_empty() {
            return Ok(false);
        }
        if data == "[DONE]" {
            return Ok(true);
        }
        if event == "error" {
            return Err(Failure::in_stream(&value(data)));
        }
        match serde_json::from_str::<Chunk<'_>>(data) {
            // A list would be read as the fields in their order.
            Ok(chunk) if data.starts_with('{') => self.chunk(chunk).map(|()| false),
            // A named event is a server's own, such as a ping.
            _ if event != "message" => Ok(false),
            // The parser's message would quote the text.
            _ => Err(Failure::malformed("not the JSON of a chunk")),
        }
    }

    /// Takes in a whole completion.
    pub(crate) fn completion(&mut self, body: &[u8]) -> Result<(), Failure> {
        match serde_json::from_slice::<Chunk<'_>>(body) {
            Ok(chunk) => self.chunk(chunk),
            Err(_) => Err(Failure::malformed("not the JSON of a completion")),
        }
    }

    /// Queues what the end decides, and gives the error if the answer is not whole.
    ///
    /// A failure after the finish reason is none: the answer was whole by then.
    pub(crate) fn end(&mut self, end: End) -> Option<Failure> {
        self.flush_text();
        let unnamed = self.calls.has_unnamed();
        let reason = match (self.finish.take(), end) {
            _ if unnamed => Err(Failure::malformed("a call without a name")),
            (Some(Finish::Known(reason)), _) => Ok(self.settle(reason)),
            // An error object says more than the finish reason beside it.
            (Some(Finish::GaveUp(_)) | None, End::Failed(failure)) => Err(failure),
            (Some(Finish::GaveUp(name)), _) => Err(Failure::passing(
                ModelErrorKind::Broken,
                Fault::GaveUp(name),
            )),
            (None, End::Done) if self.produced => Ok(self.settle(FinishReason::Stop)),
            (None, End::Done | End::Closed) => {
                Err(Failure::passing(ModelErrorKind::Broken, Fault::CutOff))
            }
        };
        // What was spent counts, also when the answer broke off; but before its first event it may be asked again.
        if let Some(usage) = self.usage.take()
            && (self.produced || reason.is_ok())
        {
            self.queue_event(ModelEventKind::Usage(usage));
        }
        match reason {
            Ok(reason) => {
                self.queue_event(ModelEventKind::Finished(reason));
                None
            }
            Err(failure) => Some(failure),
        }
    }

    fn chunk(&mut self, chunk: Chunk<'_>) -> Result<(), Failure> {
        if self.id.is_none() {
            self.id = chunk.id.filled().map(Into::into);
        }
        if self.model.is_none() {
            self.model = chunk.model.filled().map(Into::into);
        }
        if let Some(usage) = chunk.usage {
            self.usage = Some(usage.into());
        }
        for choice in chunk.choices.into_iter().flatten() {
            if choice.index.0 != 0 {
                continue;
            }
            if let Some(delta) = choice.delta {
                self.delta(delta)?;
            }
            if let Some(name) = choice.finish_reason.filled() {
                self.finished(&name);
            }
        }
        match chunk.error {
            Some(error) => Err(Failure::in_stream(&value(error.get()))),
            None => Ok(()),
        }
    }

    fn delta(&mut self, delta: Delta<'_>) -> Result<(), Failure> {
        // Servers that send both fields send the same in both.
        let thought = delta
            .reasoning_content
            .filled()
            .or_else(|| delta.reasoning.filled());
        if let Some(thought) = thought {
            self.produce(ModelEventKind::Reasoning(thought.into_owned()));
        }
        if let Some(text) = delta.content.filled() {
            if self.splitter.is_through() {
                self.produce(ModelEventKind::Text(text.into_owned()));
            } else {
                self.split(|splitter, out| splitter.push(&text, out));
            }
        }
        if let Some(words) = delta.refusal.filled() {
            self.produce(ModelEventKind::Refusal(words.into_owned()));
        }
        let calls = delta.tool_calls.unwrap_or_default();
        if !calls.is_empty() {
            // What was held comes before the calls.
            self.flush_text();
        }
        for call in calls {
            let (queue, produced) = (&mut self.queue, &mut self.produced);
            self.calls.push(call, &mut |kind| {
                *produced = true;
                queue.push_back(ModelEvent { kind, raw: None });
            })?;
        }
        Ok(())
    }

    fn finished(&mut self, name: &str) {
        let reason = match name {
            "length" | "max_tokens" | "model_length" => FinishReason::Length,
            "content_filter" => FinishReason::ContentFilter,
            "tool_calls" | "function_call" => FinishReason::ToolCalls,
            "error" | "abort" | "insufficient_system_resource" => {
                self.finish = Some(Finish::GaveUp(name.to_owned()));
                return;
            }
            "stop" => FinishReason::Stop,
            _ if self.produced => FinishReason::Stop,
            _ => {
                let name = plain(name).unwrap_or_else(|| "?".to_owned());
                self.finish = Some(Finish::GaveUp(name));
                return;
            }
        };
        // Some servers say `stop` once more with the usage; Azure's filter may object after the fact.
        if self.finish.is_none() || reason == FinishReason::ContentFilter {
            self.finish = Some(Finish::Known(reason));
        }
    }

    /// The reason as the calls bear it out: servers say `stop` after calls, or `tool_calls` without any.
    fn settle(&self, reason: FinishReason) -> FinishReason {
        match reason {
            FinishReason::Stop if !self.calls.is_empty() => FinishReason::ToolCalls,
            FinishReason::ToolCalls if self.calls.is_empty() => FinishReason::Stop,
            FinishReason::Stop
            | FinishReason::ToolCalls
            | FinishReason::Length
            | FinishReason::ContentFilter => reason,
        }
    }

    fn flush_text(&mut self) {
        if !self.splitter.is_through() {
            self.split(|splitter, out| splitter.finish(out));
        }
    }

    fn split(&mut self, step: impl FnOnce(&mut Splitter, &mut dyn FnMut(Piece))) {
        let (queue, produced) = (&mut self.queue, &mut self.produced);
        step(&mut self.splitter, &mut |piece| {
            let kind = match piece {
                Piece::Thinking(text) => ModelEventKind::Reasoning(text),
                Piece::Answer(text) => ModelEventKind::Text(text),
            };
            *produced = true;
            queue.push_back(ModelEvent { kind, raw: None });
        });
    }

    fn produce(&mut self, kind: ModelEventKind) {
        self.produced = true;
        self.queue_event(kind);
    }

    fn queue_event(&mut self, kind: ModelEventKind) {
        self.queue.push_back(ModelEvent { kind, raw: None });
    }
}

/// An error object, wrapped as an error body is.
fn value(error: &str) -> serde_json::Value {
    serde_json::from_str(error).unwrap_or_default()
}

#[cfg(test)]
mod tests;
