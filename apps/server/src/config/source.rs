use std::{cmp::Reverse, collections::BTreeMap, path::Path};

use super::settings::SETTINGS;

/// Settings of this project's tests, which may stand in the environment of a developer.
const OF_THE_TESTS: [&str; 7] = [
    "SKEIN_BIN",
    "SKEIN_CHROMIUM",
    "SKEIN_CONSOLE_PNG",
    "SKEIN_CRASH_SEED",
    "SKEIN_MONGOD",
    "SKEIN_TEST_MONGODB_URI",
    "SKEIN_TEST_STORE",
];

/// Names and values, before they are read: the environment, below it `./.env`, below that `./skein.toml`.
#[derive(Debug, Clone, Default)]
pub struct Source {
    values: BTreeMap<String, String>,
    faults: Vec<String>,
}

impl Source {
    /// The values of this process, its files looked for in `dir`.
    ///
    /// A file that is not there is passed over; one that cannot be read is a fault.
    pub fn of_process(dir: &Path) -> Self {
        let mut source = Self::default();
        source.take_toml(&dir.join("skein.toml"));
        source.take_dotenv(&dir.join(".env"));
        source
            .values
            .extend(std::env::vars_os().filter_map(|(name, value)| {
                // A variable that is no text is none of ours, and an empty one leaves it to the files.
                let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
                (!value.trim().is_empty()).then_some((name, value))
            }));
        source
    }

    /// These values and no others, for tests and for other programs.
    pub fn of<N: Into<String>, V: Into<String>>(values: impl IntoIterator<Item = (N, V)>) -> Self {
        Self {
            values: values
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            faults: Vec::new(),
        }
    }

    /// The value of a name; an empty one counts as not set.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// What is wrong before any value is read: unreadable files, and names of ours that do not exist.
    pub(super) fn faults(&self) -> Vec<String> {
        let known = |name: &str| SETTINGS.iter().any(|setting| setting.names.contains(&name));
        let ours = |name: &str| name.starts_with("SKEIN_") && !OF_THE_TESTS.contains(&name);
        let unknown = self.values.keys().filter(|name| ours(name) && !known(name));
        let lines = unknown.map(|name| {
            let nearest = nearest(name);
            format!("{name}: there is no such setting; did you mean {nearest}?")
        });
        self.faults.iter().cloned().chain(lines).collect()
    }

    fn take_dotenv(&mut self, path: &Path) {
        let lines = match dotenvy::from_path_iter(path) {
            Ok(lines) => lines,
            Err(error) if error.not_found() => return,
            Err(_) => {
                self.faults.push(
                    ".env: the file cannot be opened; one readable by this process is accepted"
                        .to_owned(),
                );
                return;
            }
        };
        for (number, line) in (1..).zip(lines) {
            match line {
                Ok((name, value)) => {
                    self.values.insert(name, value);
                }
                // The parser's own words quote the line, which may hold a secret.
                Err(_) => self.faults.push(format!(
                    ".env: entry {number} is not of the form NAME=value"
                )),
            }
        }
    }

    fn take_toml(&mut self, path: &Path) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => {
                self.faults
                    .push(format!("skein.toml: the file cannot be read: {error}"));
                return;
            }
        };
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                let at = toml::de::Error::span(&error).map_or(0, |span| span.start);
                let line = 1 + text.get(..at).unwrap_or_default().matches('\n').count();
                self.faults
                    .push(format!("skein.toml: line {line} is no TOML"));
                return;
            }
        };
        for (name, value) in table {
            let value = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(flag) => flag.to_string(),
                toml::Value::Float(_)
                | toml::Value::Datetime(_)
                | toml::Value::Array(_)
                | toml::Value::Table(_) => {
                    self.faults.push(format!("skein.toml: {name} is a text or a number, under the name it has in the environment"));
                    continue;
                }
            };
            if !SETTINGS
                .iter()
                .any(|setting| setting.names.contains(&name.as_str()))
            {
                self.faults.push(format!(
                    "skein.toml: {name}: there is no such setting; did you mean {}?",
                    nearest(&name)
                ));
            }
            self.values.insert(name, value);
        }
    }
}

/// The name of a setting that begins most like this one, and of those the one that is nearest in length.
fn nearest(name: &str) -> &'static str {
    let likeness = |other: &&&str| {
        let shared = other.bytes().zip(name.bytes()).take_while(|(a, b)| a == b);
        (shared.count(), Reverse(other.len().abs_diff(name.len())))
    };
    let names = SETTINGS.iter().flat_map(|setting| setting.names);
    names.max_by_key(likeness).copied().unwrap_or("SKEIN_MODEL")
}
