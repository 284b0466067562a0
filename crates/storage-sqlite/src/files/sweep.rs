use std::{
    error::Error,
    fs, io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use records::FileId;
use rusqlite::Connection;
use tokio::sync::RwLock;
use uuid::Uuid;

use super::folder::{remove, shard_of};

/// Removes the drafts of the process before: nothing has begun a new one yet.
pub(super) fn clear_drafts(drafts: &Path) -> io::Result<()> {
    for entry in fs::read_dir(drafts)? {
        let entry = entry?;
        if named::<u64>(&entry).is_some() {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes the bytes in all shards that have no row, and says how many those were.
///
/// A shard is held while it is looked through, so that no upload is between its bytes and its row then: what has no row
/// will have none. Each file costs one look into an index. Names that are not ours are left alone.
pub(super) fn sweep(
    root: &Path,
    shards: &[Arc<RwLock<()>>],
    rows: &Connection,
    closing: &AtomicBool,
) -> Result<usize, Box<dyn Error + Send + Sync>> {
    let mut has_row = rows.prepare("SELECT 1 FROM file WHERE id = ?1")?;
    let mut swept = 0;
    for (number, shard) in (0..=u8::MAX).zip(shards) {
        let path = root.join(format!("{number:02x}"));
        let _alone = shard.blocking_write();
        let entries = match fs::read_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            if closing.load(Ordering::Relaxed) {
                return Ok(swept);
            }
            let entry = entry?;
            let Some(id) = named::<Uuid>(&entry).map(FileId::new) else {
                continue;
            };
            if shard_of(id) == number && !has_row.exists([id.uuid().into_bytes()])? {
                remove(&entry.path())?;
                swept += 1;
            }
        }
    }
    Ok(swept)
}

/// What the name of a plain file says, if we write it so.
fn named<T: std::str::FromStr + ToString>(entry: &fs::DirEntry) -> Option<T> {
    let name = entry.file_name();
    let name = name.to_str()?;
    let said: T = name.parse().ok()?;
    let is_plain = entry.file_type().is_ok_and(|kind| kind.is_file());
    (is_plain && said.to_string() == name).then_some(said)
}
