//! Where an import reads from: files, folders, or another database's collections, as records of JSON.

use std::{
    fmt,
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::StreamExt as _;
use records::{BrokenDocument, RawCollections, RawDocuments};
use serde_json::Value;

use crate::{ImportError, Place, report::shown};

mod csv_rows;
pub(crate) mod extended;
mod json_values;

use csv_rows::CsvRows;
use json_values::JsonValues;

/// A record of a source has no more bytes than this.
pub(crate) const MAX_RAW_BYTES: usize = 64 * 1024 * 1024;

/// Where to import from. It is only ever read.
#[derive(Clone)]
pub enum Source {
    /// A file, or a folder of files that are named after what they hold.
    Path(PathBuf),
    /// Another database.
    Collections(Arc<dyn RawCollections>),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.debug_tuple("Path").field(path).finish(),
            Self::Collections(database) => f
                .debug_tuple("Collections")
                .field(&database.name())
                .finish(),
        }
    }
}

impl Source {
    /// What it is called in a message.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Path(path) => path.display().to_string(),
            Self::Collections(database) => database.name(),
        }
    }
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Csv,
}

/// One file or collection of a source.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    /// The file's name, or the collection's.
    pub(crate) name: Arc<str>,
    /// The name without its ending: the collection or the table that a file was written from.
    pub(crate) stem: String,
    /// Whether the operator named this very file, rather than a folder or a database that it is in.
    pub(crate) alone: bool,
    at: At,
}

#[derive(Debug, Clone)]
enum At {
    File(PathBuf, Format),
    Collection,
}

/// The inputs of a source in the order of their names: a single file whatever its name, files of this format in a folder,
/// collections.
pub(crate) async fn inputs(source: &Source, format: Format) -> Result<Vec<Input>, ImportError> {
    match source {
        Source::Path(path) => files(path, format),
        Source::Collections(database) => {
            let names = database
                .list_collections()
                .await
                .map_err(ImportError::Source)?;
            Ok(names
                .into_iter()
                .map(|name| Input {
                    name: name.as_str().into(),
                    stem: name,
                    alone: false,
                    at: At::Collection,
                })
                .collect())
        }
    }
}

fn files(path: &Path, format: Format) -> Result<Vec<Input>, ImportError> {
    let unreadable = |source| ImportError::Unreadable {
        path: path.to_owned(),
        source,
    };
    if !path.metadata().map_err(unreadable)?.is_dir() {
        return Ok(vec![file(path, format, true)]);
    }
    let endings: &[&str] = match format {
        Format::Json => &["json", "jsonl", "ndjson"],
        Format::Csv => &["csv"],
    };
    let mut files = Vec::new();
    for entry in path.read_dir().map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let fits = path
            .extension()
            .and_then(|ending| ending.to_str())
            .is_some_and(|ending| endings.contains(&ending.to_ascii_lowercase().as_str()));
        if fits && path.is_file() {
            files.push(file(&path, format, false));
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

fn file(path: &Path, format: Format, alone: bool) -> Input {
    let text = |part: Option<&std::ffi::OsStr>| {
        part.map_or_else(String::new, |part| part.to_string_lossy().into_owned())
    };
    Input {
        name: text(path.file_name()).into(),
        stem: text(path.file_stem()),
        alone,
        at: At::File(path.to_owned(), format),
    }
}

/// A record as it was read.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) place: Place,
    /// The record; or what is wrong with it, and whether what comes after it could be read all the same.
    pub(crate) value: Result<Value, Broken>,
}

/// What is wrong with a record that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) text: String,
    /// Nothing after it can be told apart.
    pub(crate) last: bool,
}

impl Broken {
    fn one(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            last: false,
        }
    }

    fn last(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            last: true,
        }
    }
}

/// What a reader of a file gives: the line that a record begins in, and the record.
type Read = Result<Option<(u64, Result<Value, Broken>)>, std::io::Error>;

/// Reads the records of one input.
pub(crate) struct Reader {
    input: Arc<str>,
    path: PathBuf,
    records: Records,
}

enum Records {
    Json(Box<JsonValues<BufReader<File>>>),
    Csv(Box<CsvRows<File>>),
    Documents(RawDocuments, u64),
    Ended,
}

impl Reader {
    pub(crate) async fn open(source: &Source, input: &Input) -> Result<Self, ImportError> {
        let open = |path: &PathBuf| {
            File::open(path).map_err(|source| ImportError::Unreadable {
                path: path.clone(),
                source,
            })
        };
        let (path, records) = match (&input.at, source) {
            (At::File(path, Format::Json), _) => {
                let file = BufReader::with_capacity(256 * 1024, open(path)?);
                let values = JsonValues::new(file, MAX_RAW_BYTES);
                (path.clone(), Records::Json(Box::new(values)))
            }
            (At::File(path, Format::Csv), _) => {
                let rows = CsvRows::new(open(path)?, MAX_RAW_BYTES);
                (path.clone(), Records::Csv(Box::new(rows)))
            }
            (At::Collection, Source::Collections(database)) => {
                let documents = database
                    .read_collection(&input.stem)
                    .await
                    .map_err(ImportError::Source)?;
                (PathBuf::new(), Records::Documents(documents, 0))
            }
            (At::Collection, Source::Path(_)) => (PathBuf::new(), Records::Ended),
        };
        Ok(Self {
            input: Arc::clone(&input.name),
            path,
            records,
        })
    }

    /// The next record; `None` at the end, and after one that is broken so that nothing after it can be told apart.
    ///
    /// Files are read where this is called: it is for a command, which does nothing else meanwhile.
    pub(crate) async fn next(&mut self) -> Result<Option<Raw>, ImportError> {
        let read = match &mut self.records {
            Records::Json(values) => values.next(),
            Records::Csv(rows) => rows.next(),
            Records::Documents(documents, number) => match documents.next().await {
                None => Ok(None),
                Some(document) => {
                    *number += 1;
                    let document = document.map_err(ImportError::Source)?;
                    Ok(Some((*number, document.map_err(|broken| unread(&broken)))))
                }
            },
            Records::Ended => Ok(None),
        };
        let read = read.map_err(|source| ImportError::Unreadable {
            path: self.path.clone(),
            source,
        })?;
        let Some((line, value)) = read else {
            return Ok(None);
        };
        if matches!(&value, Err(broken) if broken.last) {
            self.records = Records::Ended;
        }
        Ok(Some(Raw {
            place: Place {
                input: Arc::clone(&self.input),
                line,
            },
            value,
        }))
    }
}

fn unread(broken: &BrokenDocument) -> Broken {
    let id = broken.id.as_ref().map_or_else(String::new, |id| {
        format!(" with the _id {}", shown(&id.to_string()))
    });
    Broken::one(format!(
        "the document{id} cannot be read: it is no valid BSON; a text in it may be no UTF-8"
    ))
}
