//! What one request is answered with.

use std::time::Duration;

use crate::config::Pace;

/// Everything that can be asked of one answer.
///
/// The default is a whole, well-formed answer with the demo text. Build one by the constructors, by
/// setting fields, or from the text of a directive: `"tokens=5 cut_after=2".parse()`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Scenario {
    /// The words of the answer.
    pub say: Say,
    /// The functions to call, in parallel; with any, the demo text is left out.
    pub tool_calls: Vec<ToolCall>,
    /// How many times the functions are called, each time after the outputs of the last, before the
    /// answer is text; 0 means once. A pushed scenario calls them whatever the history.
    pub tool_rounds: usize,
    /// Thoughts before the answer.
    pub reasoning: Option<Reasoning>,
    /// The time between tokens, instead of the server's.
    pub pace: Option<Pace>,
    /// The time before the first frame.
    pub first: Duration,
    /// When the usage is reported.
    pub usage: UsageMode,
    /// The finish reason, instead of the fitting one.
    pub finish: Option<String>,
    /// How the stream ends.
    pub ending: Ending,
    /// A refusal of the whole request.
    pub failure: Option<Failure>,
    /// The failure, and any ending but [`Ending::Done`], hold for this many requests with the same key;
    /// after that the answer is whole. Not counted for a pushed scenario.
    pub times: Option<u32>,
    /// What [`times`](Self::times) is counted by; by default the model and the last user message.
    pub key: Option<String>,
    /// Request fields that are answered by a 400 naming them.
    pub rejects: Vec<String>,
    /// The context window; a longer prompt is refused with `context_length_exceeded`.
    pub context_tokens: Option<u64>,
    /// Strange frames among the good ones.
    pub frames: Frames,
    /// How the frames are put on the wire.
    pub wire: Wire,
}

/// The words of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Say {
    /// A friendly text made from the last user message.
    #[default]
    Demo,
    /// The last user message, without its directives.
    Echo,
    /// `tok0 tok1 …`, each of them one frame.
    Tokens(usize),
    /// This text, a frame per word.
    Text(String),
    /// A refusal with this text, in `delta.refusal`.
    Refusal(String),
}

/// One function call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ToolCall {
    /// The function.
    pub name: String,
    /// Its arguments, sent as they are, also when they are not JSON.
    pub arguments: String,
}

/// Thoughts before an answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reasoning {
    /// What is thought.
    pub say: Say,
    /// Where it stands.
    pub style: ReasoningStyle,
}

/// Where thoughts stand in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReasoningStyle {
    /// In `delta.reasoning_content`, as `DeepSeek` and vLLM do.
    Field,
    /// In the content, between `<think>` and `</think>`; each tag is split over two frames.
    ThinkTags,
}

/// When the usage is reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum UsageMode {
    /// As `OpenAI` does: in a stream when `stream_options.include_usage` is true, else always.
    #[default]
    AsAsked,
    /// Also in a stream that did not ask.
    Always,
    /// Not even when asked.
    Never,
}

/// How a stream ends. A token is one paced frame, be it of thoughts, content or arguments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Ending {
    /// A finish reason, then `[DONE]`.
    #[default]
    Done,
    /// A finish reason, no `[DONE]`.
    WithoutDone,
    /// Neither finish reason nor `[DONE]`; the HTTP response ends well.
    WithoutFinish,
    /// The connection closes after this many tokens; 0 sends the response head only.
    CutAfter(usize),
    /// Nothing comes after this many tokens, and the connection stays open; 0 sends the response head only.
    SilentAfter(usize),
    /// An `error` object comes after this many tokens, then the response ends.
    ErrorAfter(usize),
}

/// A refusal of the whole request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Failure {
    /// What happens.
    pub kind: FailureKind,
    /// Whether the body is an HTML page, as a proxy sends, instead of `OpenAI`'s error object.
    pub html: bool,
    /// The `retry-after` header, in seconds.
    pub retry_after_s: Option<u32>,
    /// The `code` in the error object, instead of the usual one of the status.
    pub code: Option<String>,
}

/// What happens to a request that is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// This status, 400 to 599, before any token.
    Status(u16),
    /// The connection closes without a byte.
    Drop,
    /// No byte comes, not even a status, and the connection stays open.
    Silent,
}

/// Strange frames among the good ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Frames {
    /// A first frame with `choices: []` and `prompt_filter_results`, as Azure sends.
    pub azure: bool,
    /// A frame whose choice has no `delta`, after the first token.
    pub without_delta: bool,
    /// A data line that is not JSON after this many tokens.
    pub malformed_after: Option<usize>,
    /// A first token so long that its `data:` line has this many bytes.
    pub huge_line_bytes: Option<usize>,
}

/// How frames are put on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Wire {
    /// The line end.
    pub line_end: LineEnd,
    /// Whether the space after `data:` is left out.
    pub tight: bool,
    /// Whether a comment, `: keep-alive`, stands before every token.
    pub comments: bool,
    /// The greatest number of bytes in one piece; pieces of 1 to this many bytes are sent one by one.
    pub dribble: Option<usize>,
    /// The time between comments while the answer is silent (see [`Ending::SilentAfter`]).
    pub keep_alive: Option<Duration>,
}

/// The line end of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum LineEnd {
    /// `\n`, as everybody sends.
    #[default]
    Lf,
    /// `\r\n`.
    CrLf,
    /// `\r`, which the standard allows.
    Cr,
}

impl Scenario {
    /// An answer with this text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            say: Say::Text(text.into()),
            ..Self::default()
        }
    }

    /// An answer with the text `tok0 tok1 …` of this many tokens.
    pub fn tokens(count: usize) -> Self {
        Self {
            say: Say::Tokens(count),
            ..Self::default()
        }
    }

    /// An answer that repeats the last user message.
    pub fn echo() -> Self {
        Self {
            say: Say::Echo,
            ..Self::default()
        }
    }

    /// A call of one function.
    pub fn tool(name: impl Into<String>, arguments: impl Into<String>) -> Self {
        let call = ToolCall {
            name: name.into(),
            arguments: arguments.into(),
        };
        Self {
            tool_calls: vec![call],
            ..Self::default()
        }
    }

    /// A refusal with this status, 400 to 599.
    pub fn status(status: u16) -> Self {
        Self {
            failure: Some(Failure::new(FailureKind::Status(status))),
            ..Self::default()
        }
    }

    /// The same answer with this time between tokens.
    #[must_use]
    pub fn paced(self, pause: Duration) -> Self {
        Self {
            pace: Some(Pace::Fixed(pause)),
            ..self
        }
    }

    /// The same answer with this ending.
    #[must_use]
    pub fn ending(self, ending: Ending) -> Self {
        Self { ending, ..self }
    }
}

impl Failure {
    /// A failure of this kind, with nothing special about its body.
    pub fn new(kind: FailureKind) -> Self {
        Self {
            kind,
            html: false,
            retry_after_s: None,
            code: None,
        }
    }
}

impl LineEnd {
    /// The bytes.
    pub(crate) fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Lf => b"\n",
            Self::CrLf => b"\r\n",
            Self::Cr => b"\r",
        }
    }
}
