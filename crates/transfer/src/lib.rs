//! Brings conversations in from other backends and moves Skein's own between stores.
//!
//! [`import()`] reads a source of one [`Kind`] and puts what it finds into a [`Target`]; [`export()`] writes a target as JSON
//! lines, which `import` reads back as [`Kind::Skein`]. Stores are reached by the ports of `records` and `chat-core` alone,
//! and a foreign database by [`records::RawCollections`]: no driver is named here. Nothing is printed: findings and
//! progress go to a callback, sums into a [`Report`]. What each kind reads and makes is told in `docs/import.md`.
//!
//! ```no_run
//! # async fn run(target: transfer::Target) -> Result<(), Box<dyn std::error::Error>> {
//! use transfer::{Event, Kind, Options, Scope, Source, export, import};
//!
//! let mut on_event = |event: Event<'_>| match event {
//!     Event::Found(finding) => eprintln!("{finding}"),
//!     Event::Progress(progress) => eprintln!("{progress}"),
//! };
//! let options = Options { dry_run: true, ..Options::default() };
//! let source = Source::Path("old/conversations.json".into());
//! let report = import(Kind::WebChat, &source, &target, &options, &mut on_event).await?;
//! print!("{report}");
//! if !report.is_clean() {
//!     // Something stood in the way of a record: the exit code says so.
//! }
//!
//! let file = std::io::BufWriter::new(std::fs::File::create("skein.jsonl")?);
//! let counts = export(&target, &Scope::All, file).await?;
//! print!("{counts}");
//! # Ok(())
//! # }
//! ```
//!
//! # How an import works
//!
//! 1. The source is read once, record by record, and mapped to the lines of Skein's own format. They are staged: sorted in
//!    runs on disk, so that users come before their conversations and a conversation's messages stand together and in
//!    order, whatever the source's order. Memory stays within [`Options::memory_bytes`] and one record.
//! 2. A record that is broken, oversized or there twice is a [`Verdict::Faulty`] finding. With any of those nothing is
//!    written and the import ends with [`ImportError::Faulty`], unless [`Options::skip_faulty`] is set.
//! 3. The staged lines are put into the target. A put changes nothing that is there, so that a repetition changes
//!    nothing and an import that broke off is simply run again.

mod error;
mod export;
mod ids;
mod import;
mod line;
mod map;
mod report;
mod source;
mod stage;
mod target;
mod write;

pub use error::{ExportError, ImportError};
pub use export::{Counts, Scope, export};
pub use import::{Kind, Options, UnknownKind, import};
pub use report::{Event, Finding, Place, Progress, RecordType, Report, Tally, Verdict};
pub use source::Source;
pub use target::Target;
