use std::{collections::BTreeMap, fmt, sync::Arc};

/// What an import tells while it works.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// Something about one record that the operator should know.
    Found(&'a Finding),
    /// Where it stands, once every 1,000 records.
    Progress(Progress),
}

/// How many records were read so far, and how many of what they came to was put into the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Records of the source that were read.
    pub read: u64,
    /// Records that were put.
    pub put: u64,
    /// How many there are to put; known once all were read.
    pub of: Option<u64>,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.of {
            None => write!(f, "{} records read", self.read),
            Some(of) => write!(f, "{} of {of} records imported", self.put),
        }
    }
}

/// Something about one record that the operator should know: one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where the record stands; `None` where it stands nowhere in particular.
    pub place: Option<Place>,
    /// What became of it.
    pub verdict: Verdict,
    /// Which record, and what about it. Never holds the text of a message.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        let word = match self.verdict {
            Verdict::Changed => "changed",
            Verdict::LeftOut => "left out",
            Verdict::Faulty => "faulty",
            Verdict::Refused => "refused",
        };
        write!(f, "{word}: {}", self.text)
    }
}

/// Where a record stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, or the collection.
    pub input: Arc<str>,
    /// The line that it begins in, from 1; in a collection, the document's number.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.input, self.line)
    }
}

/// What became of a record that there is something to say about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is imported, but not quite as it was.
    Changed,
    /// It has no place here, and is not imported. Nothing is wrong with it.
    LeftOut,
    /// It is broken, oversized, or there twice in the source. It is not imported.
    Faulty,
    /// The target has something else in its place. It is not imported.
    Refused,
}

/// The sorts of records that are imported and exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordType {
    /// A user.
    User,
    /// A session of a user.
    Session,
    /// A conversation.
    Conversation,
    /// A message.
    Message,
    /// A rating of a message that came apart from it.
    Rating,
    /// A summary of the beginning of a conversation.
    Summary,
    /// A pinned exchange.
    Pin,
    /// A version of a document.
    Document,
    /// A suggestion to a version of a document.
    Suggestion,
    /// What a frontend keeps of a thread.
    ThreadView,
    /// A file with its bytes.
    File,
}

impl RecordType {
    /// All of them, in the order in which they are put.
    pub const ALL: [Self; 11] = [
        Self::User,
        Self::Session,
        Self::Conversation,
        Self::Message,
        Self::Rating,
        Self::Summary,
        Self::Pin,
        Self::Document,
        Self::Suggestion,
        Self::ThreadView,
        Self::File,
    ];

    /// What several of them are called.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::User => "users",
            Self::Session => "sessions",
            Self::Conversation => "conversations",
            Self::Message => "messages",
            Self::Rating => "ratings",
            Self::Summary => "summaries",
            Self::Pin => "pinned examples",
            Self::Document => "document versions",
            Self::Suggestion => "suggestions",
            Self::ThreadView => "thread names",
            Self::File => "files",
        }
    }
}

/// How many records of a sort came to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Stored, or to be stored by an import that is no dry run.
    pub new: u64,
    /// There already, and left as they are.
    pub known: u64,
    /// Not stored: the target has something else in their place, or not what they belong to.
    pub refused: u64,
}

/// What an import came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Whether it was a dry run, which wrote nothing.
    pub dry_run: bool,
    /// Records of the source that were read.
    pub read: u64,
    /// What became of the records that were put, by sort.
    pub tallies: BTreeMap<RecordType, Tally>,
    /// Records of sorts that are not imported, by what the source calls them.
    pub ignored: BTreeMap<String, u64>,
    /// Records that were imported changed; each was told.
    pub changed: u64,
    /// Records that have no place here; each was told.
    pub left_out: u64,
    /// Records that were faulty and skipped; each was told.
    pub faulty: u64,
}

impl Report {
    /// Whether there was something to import, and nothing stood in the way of any record: none was faulty, none refused. A
    /// command's exit code is 0 then.
    pub fn is_clean(&self) -> bool {
        self.read > 0 && self.faulty == 0 && self.tallies.values().all(|tally| tally.refused == 0)
    }

    /// How many records were, or would be, stored.
    pub fn new_records(&self) -> u64 {
        self.tallies.values().map(|tally| tally.new).sum()
    }
}

impl fmt::Display for Report {
    /// A few lines for the operator, each with its line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.read == 0 {
            writeln!(f, "nothing to import: the source holds no record at all")?;
        }
        let new = if self.dry_run {
            "to import"
        } else {
            "imported"
        };
        for (record, tally) in &self.tallies {
            write!(
                f,
                "{}: {} {new}, {} known",
                record.plural(),
                tally.new,
                tally.known
            )?;
            if tally.refused > 0 {
                write!(f, ", {} refused", tally.refused)?;
            }
            writeln!(f)?;
        }
        for (name, count) in &self.ignored {
            writeln!(f, "{name}: {count} not imported")?;
        }
        writeln!(
            f,
            "{} records read; {} changed, {} left out, {} faulty{}",
            self.read,
            self.changed,
            self.left_out,
            self.faulty,
            if self.dry_run {
                "; nothing was written"
            } else {
                ""
            }
        )
    }
}

/// Counts findings and hands them on.
pub(crate) struct Log<'a> {
    on_event: &'a mut (dyn FnMut(Event<'_>) + Send),
    pub(crate) report: Report,
}

/// More names of ignored records than this are one.
const MAX_IGNORED_NAMES: usize = 32;

impl<'a> Log<'a> {
    pub(crate) fn new(on_event: &'a mut (dyn FnMut(Event<'_>) + Send), dry_run: bool) -> Self {
        Self {
            on_event,
            report: Report {
                dry_run,
                ..Report::default()
            },
        }
    }

    pub(crate) fn find(&mut self, place: Option<Place>, verdict: Verdict, text: String) {
        match verdict {
            Verdict::Changed => self.report.changed += 1,
            Verdict::LeftOut => self.report.left_out += 1,
            Verdict::Faulty => self.report.faulty += 1,
            // Counted by sort.
            Verdict::Refused => {}
        }
        (self.on_event)(Event::Found(&Finding {
            place,
            verdict,
            text,
        }));
    }

    pub(crate) fn ignore(&mut self, name: &str) {
        let ignored = &mut self.report.ignored;
        let name = if ignored.contains_key(name) || ignored.len() < MAX_IGNORED_NAMES {
            shown(name)
        } else {
            "others".to_owned()
        };
        *ignored.entry(name).or_default() += 1;
    }

    pub(crate) fn progress(&mut self, progress: Progress) {
        (self.on_event)(Event::Progress(progress));
    }
}

/// A foreign name as a line may show it: short, without control characters.
pub(crate) fn shown(name: &str) -> String {
    const MOST: usize = 64;
    let mut text: String = name
        .chars()
        .filter(|ch| !ch.is_control())
        .take(MOST)
        .collect();
    if name.chars().nth(MOST).is_some() {
        text.push('…');
    }
    text
}
