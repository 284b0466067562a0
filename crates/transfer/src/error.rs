use std::{io, path::PathBuf};

use records::StoreError;

/// Why an import ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file of the source cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The source holds nothing that this kind reads.
    #[error("{place} holds nothing to import: {accepted}")]
    Nothing {
        /// Where was looked.
        place: String,
        /// What this kind reads.
        accepted: &'static str,
    },
    /// Records of the source are faulty, and nothing was written. Each was told as a finding.
    #[error(
        "{faults} faulty; nothing was imported. Mend them, or leave them out with --skip-faulty"
    )]
    Faulty {
        /// How many, as in "1 record is".
        faults: Amount,
    },
    /// The temporary files that records are sorted in cannot be written or read.
    #[error("the temporary files in {} cannot be used; it must be writable and hold as much as the source", path.display())]
    Temporary {
        /// Where they are.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The foreign database failed.
    #[error("the source cannot be read on")]
    Source(#[source] StoreError),
    /// The target failed. What was imported so far stays; the import can be run again.
    #[error("the store failed while it was imported to; run the import again to go on")]
    Target(#[from] StoreError),
}

/// A number of records, for a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount(pub u64);

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == 1 {
            f.write_str("1 record is")
        } else {
            write!(f, "{} records are", self.0)
        }
    }
}

/// Why an export ended before its end. What was written is not whole.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Nobody of this e-mail address or id is known.
    #[error(
        "there is no user {0:?}: an e-mail address, an id, or an owner such as tenant:default is accepted"
    )]
    NoSuchUser(String),
    /// The file cannot be written.
    #[error("the export cannot be written")]
    Write(#[from] io::Error),
    /// The store failed.
    #[error("the store cannot be read")]
    Store(#[from] StoreError),
}
