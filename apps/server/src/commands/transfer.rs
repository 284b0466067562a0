use std::{
    fs::OpenOptions,
    io::{self, BufWriter},
    path::Path,
    sync::Arc,
};

use anyhow::Context as _;
use storage_mongo::RawDatabase;
use transfer::{Event, Kind, Options, Scope, Target};

use super::{say, tell};
use crate::{
    config::{Config, Source},
    stores::Stores,
};

/// What `skein import` was asked for.
#[derive(Debug)]
pub struct Importing {
    /// What the source is.
    pub kind: String,
    /// Where it is.
    pub source: String,
    /// Whether nothing is to be written.
    pub dry_run: bool,
    /// Whether faulty records are passed over.
    pub skip_faulty: bool,
}

/// `skein import`: says whether nothing stood in the way of any record.
pub async fn import(settings: &Source, importing: Importing) -> anyhow::Result<bool> {
    let kind: Kind = importing.kind.parse()?;
    let target = target(settings).await?;
    let source = source_of(&importing.source).await?;
    let options = Options {
        dry_run: importing.dry_run,
        skip_faulty: importing.skip_faulty,
        ..Options::default()
    };
    let mut on_event = |event: Event<'_>| match event {
        Event::Found(finding) => tell(&finding.to_string()),
        Event::Progress(progress) => tell(&progress.to_string()),
    };
    let report = transfer::import(kind, &source, &target, &options, &mut on_event).await?;
    say(&report.to_string())?;
    Ok(report.is_clean())
}

/// `skein export`: writes one user's data, or everyone's, to a file that is not there yet, or to standard output.
pub async fn export(settings: &Source, user: Option<String>, file: &Path) -> anyhow::Result<()> {
    let target = target(settings).await?;
    let scope = user.map_or(Scope::All, Scope::One);
    let counts = if file == Path::new("-") {
        transfer::export(&target, &scope, BufWriter::new(io::stdout())).await?
    } else {
        write_new(file, &target, &scope).await?
    };
    for line in counts.to_string().lines() {
        tell(line);
    }
    Ok(())
}

/// An export into a new file. What a failure leaves of it is deleted: half an export looks like a whole one.
async fn write_new(
    file: &Path,
    target: &Target,
    scope: &Scope,
) -> anyhow::Result<transfer::Counts> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    // It holds password hashes.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let opened = options
        .open(file)
        .with_context(|| format!("{} cannot be made", file.display()))?;
    let exported = async {
        let counts = transfer::export(target, scope, BufWriter::new(&opened)).await?;
        opened.sync_all()?;
        anyhow::Ok(counts)
    };
    let exported = exported.await;
    if exported.is_err() {
        // The export's own error is what the operator has to know.
        let _left = std::fs::remove_file(file);
    }
    exported
}

/// The store of these settings, to import into or to export from.
async fn target(settings: &Source) -> anyhow::Result<Target> {
    let stores = Stores::open(Config::read(settings)?.storage, tell).await?;
    Ok(Target {
        archive: stores.archive,
        messages: stores.messages,
        users: stores.users,
        notes: stores.notes,
        documents: stores.documents,
        thread_views: stores.thread_views,
        files: stores.files,
    })
}

async fn source_of(text: &str) -> anyhow::Result<transfer::Source> {
    if text.starts_with("mongodb://") || text.starts_with("mongodb+srv://") {
        let database = RawDatabase::connect(&storage_mongo::Config::new(text))
            .await
            .context("the source")?;
        return Ok(transfer::Source::Collections(Arc::new(database)));
    }
    Ok(transfer::Source::Path(text.into()))
}
