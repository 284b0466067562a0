use std::{fmt, io, path::PathBuf, str::FromStr};

use crate::{
    Event, ImportError, Progress, Report, Source, Target, Verdict,
    error::Amount,
    map::{
        Mapper, Out, Problem, ai_chatbot::AiChatbot, assistants::Assistants,
        assistants_export::AssistantsExport, skein::Skein, web_chat::WebChat,
    },
    report::Log,
    source::{Format, Reader, inputs},
    stage::{Placed, Stage},
    write::{Mode, write},
};

/// What a source holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The web chat's database: conversations of both generations, few-shot examples, users.
    WebChat,
    /// What Assistants frontends keep of threads: their collection `conversations`, or the older nickname file.
    Assistants,
    /// An export of the Assistants API: threads and messages as `/v1` objects.
    AssistantsExport,
    /// The AI chatbot's tables as CSV.
    AiChatbot,
    /// Skein's own export.
    Skein,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::WebChat,
        Self::Assistants,
        Self::AssistantsExport,
        Self::AiChatbot,
        Self::Skein,
    ];

    /// The name that a command knows it by.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WebChat => "web-chat",
            Self::Assistants => "assistants",
            Self::AssistantsExport => "assistants-export",
            Self::AiChatbot => "ai-chatbot",
            Self::Skein => "skein",
        }
    }

    const fn format(self) -> Format {
        match self {
            Self::AiChatbot => Format::Csv,
            Self::WebChat | Self::Assistants | Self::AssistantsExport | Self::Skein => Format::Json,
        }
    }

    /// Whether another database is read, or files only.
    const fn reads_collections(self) -> bool {
        match self {
            Self::WebChat | Self::Assistants => true,
            Self::AssistantsExport | Self::AiChatbot | Self::Skein => false,
        }
    }

    /// What it reads, as a sentence tells it.
    const fn accepted(self) -> &'static str {
        match self {
            Self::WebChat => {
                "web-chat reads the collections conversations, few_shot_examples and users, or files of these names (.json, .jsonl or .ndjson)"
            }
            Self::Assistants => {
                "assistants reads the collection conversations, or .json, .jsonl and .ndjson files"
            }
            Self::AssistantsExport => "assistants-export reads .json, .jsonl and .ndjson files",
            Self::AiChatbot => {
                "ai-chatbot reads User.csv, Chat.csv, Message_v2.csv, Vote_v2.csv, Document.csv and Suggestion.csv"
            }
            Self::Skein => "skein reads what `skein export` wrote",
        }
    }

    fn mapper(self, source: &Source) -> Box<dyn Mapper> {
        match self {
            Self::WebChat => Box::new(WebChat),
            Self::Assistants => Box::new(Assistants {
                collections: matches!(source, Source::Collections(_)),
            }),
            Self::AssistantsExport => Box::new(AssistantsExport::default()),
            Self::AiChatbot => Box::new(AiChatbot),
            Self::Skein => Box::new(Skein::default()),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that no kind has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no kind {0:?}: web-chat, assistants, assistants-export, ai-chatbot or skein is accepted"
)]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == name)
            .ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

/// How to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Tells what would happen and writes nothing.
    pub dry_run: bool,
    /// Leaves faulty records out and imports the rest. Otherwise one faulty record is enough for nothing to be written.
    pub skip_faulty: bool,
    /// How many bytes of records may be held in memory while they are sorted; 64 MiB by default.
    pub memory_bytes: usize,
    /// Where the rest is kept meanwhile, in files that only this user can read and that are gone when the import is: as many
    /// bytes as the source has, or twice as many. By default the system's folder for temporary files.
    pub temporary: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dry_run: false,
            skip_faulty: false,
            memory_bytes: 64 * 1024 * 1024,
            temporary: std::env::temp_dir(),
        }
    }
}

/// Progress is told once in so many records.
pub(crate) const PROGRESS_EVERY: u64 = 1000;

/// Reads a source and puts what it holds into a target, and says what became of it.
///
/// The source is only read. A put changes nothing that is there, so a second import of the same source changes nothing,
/// and one that broke off goes on when it is run again. Every record that is not imported, or not quite as it was, is told
/// to `on_event` with its place and the reason.
///
/// Nothing is written in a dry run, and none if a record is faulty (see [`Verdict::Faulty`]) and [`Options::skip_faulty`] is
/// not set.
pub async fn import(
    kind: Kind,
    source: &Source,
    target: &Target,
    options: &Options,
    on_event: &mut (dyn FnMut(Event<'_>) + Send),
) -> Result<Report, ImportError> {
    let mut log = Log::new(on_event, options.dry_run);
    let (staged, count) = stage(kind, source, options, &mut log).await?;
    if log.report.faulty > 0 && !options.skip_faulty {
        return Err(ImportError::Faulty {
            faults: Amount(log.report.faulty),
        });
    }
    let mode = if options.dry_run {
        Mode::Dry
    } else {
        Mode::Live
    };
    write(staged, count, target, mode, options, &mut log).await?;
    Ok(log.report)
}

/// Reads and maps everything.
async fn stage(
    kind: Kind,
    source: &Source,
    options: &Options,
    log: &mut Log<'_>,
) -> Result<(Placed, u64), ImportError> {
    let temporary = temporary(options);
    let mut mapper = kind.mapper(source);
    let nothing = || ImportError::Nothing {
        place: source.name(),
        accepted: kind.accepted(),
    };
    if matches!(source, Source::Collections(_)) && !kind.reads_collections() {
        return Err(nothing());
    }
    let mut inputs = inputs(source, kind.format()).await?;
    inputs.retain(|input| mapper.reads(input));
    if inputs.is_empty() {
        return Err(nothing());
    }
    let mut stage = Stage::new(&options.temporary, options.memory_bytes);
    for input in &inputs {
        let mut reader = Reader::open(source, input).await?;
        let (mut read, mut last) = (0, None);
        while let Some(raw) = reader.next().await? {
            log.report.read += 1;
            read += 1;
            let mut out = Out {
                stage: &mut stage,
                log,
            };
            match raw.value {
                Ok(value) => {
                    let mapped = mapper.record(input, &raw.place, value, &mut out);
                    if let Err(problem) = mapped.map_err(&temporary)? {
                        out.find(&raw.place, problem);
                    }
                }
                Err(broken) => out.find(&raw.place, Problem::faulty(broken.text)),
            }
            last = Some(raw.place);
            if log.report.read.is_multiple_of(PROGRESS_EVERY) {
                log.progress(Progress {
                    read: log.report.read,
                    ..Progress::default()
                });
            }
        }
        let mut out = Out {
            stage: &mut stage,
            log,
        };
        let ended = mapper.end(input, read, last.as_ref(), &mut out);
        ended.map_err(&temporary)?;
        if last.is_none() {
            let text = format!("{}: it is empty", input.name);
            // An export has two lines at least.
            let verdict = match kind {
                Kind::Skein => Verdict::Faulty,
                Kind::WebChat | Kind::Assistants | Kind::AssistantsExport | Kind::AiChatbot => {
                    Verdict::LeftOut
                }
            };
            out.log.find(None, verdict, text);
        }
    }
    let count = stage.count();
    let staged = stage.finish(log).map_err(temporary)?;
    Ok((staged, count))
}

/// The error of the temporary files.
pub(crate) fn temporary(options: &Options) -> impl Fn(io::Error) -> ImportError {
    |source| ImportError::Temporary {
        path: options.temporary.clone(),
        source,
    }
}

#[cfg(test)]
mod tests;
