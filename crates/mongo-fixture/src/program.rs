//! Finding `mongod`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::FixtureError;

const SETTING: &str = "SKEIN_MONGOD";

/// The `mongod` to start: what `SKEIN_MONGOD` names, else the one in `.tools/mongo`, else the one on the search path.
pub(crate) fn find() -> Result<PathBuf, FixtureError> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/mongo");
    find_in(
        std::env::var_os(SETTING).as_deref(),
        &tools,
        std::env::var_os("PATH").as_deref(),
    )
}

fn find_in(
    chosen: Option<&OsStr>,
    tools: &Path,
    path: Option<&OsStr>,
) -> Result<PathBuf, FixtureError> {
    if let Some(chosen) = chosen {
        let chosen = PathBuf::from(chosen);
        if chosen.is_file() {
            return Ok(chosen);
        }
        return Err(FixtureError::NoMongod(format!(
            "{SETTING} names {}, which is no file",
            chosen.display()
        )));
    }
    below(tools)
        .or_else(|| {
            std::env::split_paths(path?)
                .map(|folder| folder.join("mongod"))
                .find(|file| file.is_file())
        })
        .ok_or_else(|| {
            FixtureError::NoMongod(format!(
                "mongod is missing: run `cargo xtask setup --mongo`, or set {SETTING}=/path"
            ))
        })
}

/// The first file named `mongod` in `folder` or below it; a folder that cannot be read holds none.
fn below(folder: &Path) -> Option<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    entries.sort();
    entries.into_iter().find_map(|entry| {
        if entry.is_dir() {
            below(&entry)
        } else {
            (entry.file_name()? == "mongod").then_some(entry)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{find_in, fs};

    #[test]
    fn prefers_the_setting_then_the_clone_then_the_search_path() {
        let folder = tempfile::tempdir().unwrap();
        let at = |relative: &str| {
            let file = folder.path().join(relative);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "").unwrap();
            file
        };
        let chosen = at("chosen/server");
        let ours = at("tools/a/b/bin/mongod");
        let theirs = at("system/mongod");
        let tools = folder.path().join("tools");
        let path = theirs.parent().map(AsRef::as_ref);
        assert_eq!(
            find_in(Some(chosen.as_ref()), &tools, path).unwrap(),
            chosen
        );
        assert_eq!(find_in(None, &tools, path).unwrap(), ours);
        assert_eq!(
            find_in(None, &folder.path().join("none"), path).unwrap(),
            theirs
        );
    }

    #[test]
    fn says_in_one_line_how_to_get_it() {
        let folder = tempfile::tempdir().unwrap();
        let fault = find_in(None, folder.path(), None).unwrap_err().to_string();
        assert_eq!(
            fault,
            "mongod is missing: run `cargo xtask setup --mongo`, or set SKEIN_MONGOD=/path"
        );
        let fault = find_in(Some("/nowhere/mongod".as_ref()), folder.path(), None).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "SKEIN_MONGOD names /nowhere/mongod, which is no file"
        );
    }
}
