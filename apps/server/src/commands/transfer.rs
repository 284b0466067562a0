use std::{
    io::{self, BufWriter},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use storage_mongo::RawDatabase;
use transfer::{Event, Kind, Options, Scope, Target};

use super::{say, tell};
use crate::{
    config::{Config, Source, Storage},
    stores::Stores,
};

/// How long one operation of an import or an export may take.
const PATIENCE: Duration = Duration::from_secs(100);

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
    let storage = storage(settings)?;
    // A dry run into a store that is not there yet is one into an empty store.
    let empty = tempfile::tempdir().context("a temporary folder cannot be made")?;
    let stores = if importing.dry_run {
        match Stores::open_existing(storage, tell).await? {
            Some(stores) => stores,
            None => Stores::open(Storage::Folder(empty.path().to_owned()), tell).await?,
        }
    } else {
        Stores::open(storage, tell).await?
    };
    let imported = import_into(&stores, kind, importing).await;
    stores.close().await;
    imported
}

async fn import_into(stores: &Stores, kind: Kind, importing: Importing) -> anyhow::Result<bool> {
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
    let target = target(stores);
    let report = transfer::import(kind, &source, &target, &options, &mut on_event).await?;
    say(&report.to_string())?;
    Ok(report.is_clean())
}

/// `skein export`: writes one user's data, or everyone's, to a file that is not there yet, or to standard output.
pub async fn export(settings: &Source, user: Option<String>, file: &Path) -> anyhow::Result<()> {
    let Some(stores) = Stores::open_existing(storage(settings)?, tell).await? else {
        anyhow::bail!(
            "there is nothing to export: the settings name a store that is not there yet"
        );
    };
    let exported = export_from(&stores, user, file).await;
    stores.close().await;
    exported
}

async fn export_from(stores: &Stores, user: Option<String>, file: &Path) -> anyhow::Result<()> {
    let target = target(stores);
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

/// An export into a new file. It has its name only once it is whole, and only its owner may read it: it holds password
/// hashes.
async fn write_new(
    file: &Path,
    target: &Target,
    scope: &Scope,
) -> anyhow::Result<transfer::Counts> {
    let unwritable = || format!("{} cannot be written", file.display());
    let parent = file.parent().filter(|parent| *parent != Path::new(""));
    let draft = tempfile::Builder::new()
        .prefix(".skein-export-")
        .tempfile_in(parent.unwrap_or(Path::new(".")))
        .with_context(unwritable)?;
    let counts = transfer::export(target, scope, BufWriter::new(draft.as_file())).await?;
    draft.as_file().sync_all().with_context(unwritable)?;
    draft
        .persist_noclobber(file)
        .map_err(|refused| refused.error)
        .with_context(unwritable)?;
    Ok(counts)
}

/// Where the data are, with more patience than a server has: a transaction that a killed process left open locks what
/// it wrote for up to a minute.
fn storage(settings: &Source) -> anyhow::Result<Storage> {
    let mut storage = Config::read(settings)?.storage;
    if let Storage::Mongo(config) = &mut storage {
        config.deadline = PATIENCE;
    }
    Ok(storage)
}

fn target(stores: &Stores) -> Target {
    let stores = stores.clone();
    Target {
        archive: stores.archive,
        messages: stores.messages,
        users: stores.users,
        notes: stores.notes,
        documents: stores.documents,
        thread_views: stores.thread_views,
        files: stores.files,
    }
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
