//! Configuration: everything has a default that works with no file and no variable.
//!
//! A setting is read from the environment, else from `./.env`, else from `./skein.toml`; an empty value counts as not set.
//! All faults are reported together, one line each, and never show a secret's value.

mod chat;
mod files;
mod settings;
mod sign_in;
mod source;
mod tools;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use auth::{Algorithm, Secret, check_secret_strength};
use dialects::ai_sdk::AiSdkChunks;
use llm_client::{Endpoint, UpstreamConfig};
use token_budget::{ModelLimits, ModelTable};

pub use chat::{Chat, MessageLimits};
pub use files::Files;
pub use settings::{SETTINGS, Setting, markdown};
pub use sign_in::SignIn;
pub use source::Source;
pub use tools::ToolsConfig;

/// What the server is told at its start.
#[derive(Debug)]
pub struct Config {
    /// Where it listens.
    pub bind: SocketAddr,
    /// Where its data are.
    pub storage: Storage,
    /// Which pages of other origins may call it.
    pub origins: Origins,
    /// How tokens are made.
    pub tokens: Tokens,
    /// How people sign in.
    pub sign_in: SignIn,
    /// Whether strangers are kept out everywhere.
    pub auth_required: bool,
    /// The model's server; `None` starts the demo model.
    pub upstream: Option<UpstreamConfig>,
    /// The default model; `None` leaves it to the upstream.
    pub model: Option<String>,
    /// What is known about models.
    pub models: ModelTable,
    /// Whether conversations get titles from the model.
    pub titles: bool,
    /// What every prompt begins with.
    pub system_prompt: Option<String>,
    /// What people may send, and to which models.
    pub chat: Chat,
    /// Which chunks the AI SDK clients take.
    pub chunks: AiSdkChunks,
    /// The tools that this server runs, and the models that work beside the one that answers.
    pub tools: ToolsConfig,
    /// Where uploads are read from outside, and how many of them anyone may store.
    pub files: Files,
    /// How many lanes work on answers.
    pub lanes: usize,
    /// How long running answers may go on after the server was told to stop.
    pub drain: Duration,
    /// What is logged.
    pub log_filter: String,
    /// How it is logged.
    pub log_format: LogFormat,
    /// What an operator should know and may ignore, one line each.
    pub warnings: Vec<String>,
}

/// Where the data are.
#[derive(Debug)]
pub enum Storage {
    /// In a folder of this machine, with the embedded store.
    Folder(PathBuf),
    /// In a MongoDB database, which other nodes may share.
    Mongo(storage_mongo::Config),
}

/// How tokens are made.
#[derive(Debug)]
pub struct Tokens {
    /// The secrets: the first signs, all verify. None: one is made and kept with the data.
    pub secrets: Vec<Secret>,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// How long a token lives.
    pub lifetime: Duration,
}

/// How lines of the log look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Which pages of other origins may call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origins {
    listed: BTreeSet<String>,
    /// Any page, without credentials.
    pub any: bool,
}

impl Origins {
    /// Whether this origin is one of the list.
    pub fn allows(&self, origin: &str) -> bool {
        self.listed.contains(origin)
    }
}

/// Everything that is wrong with a configuration, one line each.
#[derive(Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<String>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Faults {}

const DEFAULT_PORT: u16 = 8000;
const MINUTES_OF_30_DAYS: u64 = 30 * 24 * 60;
const OPENAI: &str = "https://api.openai.com/v1";

/// Reads a configuration and collects what is wrong with it.
struct Reader<'a> {
    source: &'a Source,
    faults: Vec<String>,
    warnings: Vec<String>,
}

impl Config {
    /// The configuration that a source holds, or all its faults.
    pub fn read(source: &Source) -> Result<Self, Faults> {
        let mut reader = Reader {
            source,
            faults: source.faults(),
            warnings: Vec::new(),
        };
        let auth_required = reader.auth_required();
        let upstream = reader.upstream();
        let model = reader.text(&["SKEIN_MODEL"]).or_else(|| {
            let is_openai = upstream.is_some() && reader.text(&["OPENAI_BASE_URL"]).is_none();
            is_openai.then(|| crate::models::OPENAI_DEFAULT.to_owned())
        });
        let chunks = reader.chunks();
        let bind = reader.bind();
        let config = Self {
            bind,
            storage: reader.storage(),
            origins: reader.origins(),
            tokens: reader.tokens(auth_required),
            sign_in: reader.sign_in(bind),
            auth_required,
            upstream,
            models: reader.models(model.as_deref()),
            model,
            titles: reader
                .choice(&["SKEIN_TITLES"], &[("on", true), ("off", false)])
                .unwrap_or(true),
            system_prompt: reader.text(&["SKEIN_SYSTEM_PROMPT"]),
            chat: reader.chat(bind),
            chunks,
            tools: reader.tools(chunks),
            files: reader.files(bind),
            lanes: reader.lanes(),
            drain: Duration::from_secs(
                reader
                    .number(&["SKEIN_DRAIN_SECS"], 0..=3_600)
                    .unwrap_or(25),
            ),
            log_filter: reader.log_filter(),
            log_format: reader
                .choice(
                    &["SKEIN_LOG_FORMAT"],
                    &[("human", LogFormat::Human), ("json", LogFormat::Json)],
                )
                .unwrap_or(LogFormat::Human),
            warnings: Vec::new(),
        };
        if !config.bind.ip().is_loopback()
            && config.upstream.is_some()
            && config.chat.limits.guest.is_none()
        {
            reader.warnings.push(
                "SKEIN_GUEST_MESSAGES_PER_DAY: is off, and whoever reaches this server may chat as a guest on your key \
                 without a limit"
                    .to_owned(),
            );
        }
        for name in ["XAI_API_KEY", "AZURE_OPENAI_API_KEY", "AZURE_API_URL"] {
            if reader.text(&[name]).is_some() {
                reader.warnings.push(format!(
                    "{name}: is set, but this release knows OPENAI_API_KEY and OPENAI_BASE_URL only"
                ));
            }
        }
        if let Some(upstream) = &config.upstream
            && is_own_address(upstream, config.bind)
        {
            reader.faults.push(format!(
                "OPENAI_BASE_URL: is this server's own address, {}; the address of a model's server is accepted",
                config.bind
            ));
        }
        if reader.faults.is_empty() {
            Ok(Self {
                warnings: reader.warnings,
                ..config
            })
        } else {
            Err(Faults(reader.faults))
        }
    }
}

impl Reader<'_> {
    /// The value of the first of these names that is set.
    fn text(&self, names: &[&str]) -> Option<String> {
        self.named(names).map(|(_, value)| value)
    }

    /// The first of these names that is set, with its value.
    fn named<'n>(&self, names: &[&'n str]) -> Option<(&'n str, String)> {
        names
            .iter()
            .find_map(|name| self.source.get(name).map(|value| (*name, value.to_owned())))
    }

    fn fault(&mut self, name: &str, held: &str, accepted: &str) {
        self.faults
            .push(format!("{name}: held {held:?}; {accepted} is accepted"));
    }

    fn number(&mut self, names: &[&str], accepted: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let (name, held) = self.named(names)?;
        match held.parse() {
            Ok(number) if accepted.contains(&number) => Some(number),
            Ok(_) | Err(_) => {
                let range = format!(
                    "a whole number from {} to {}",
                    accepted.start(),
                    accepted.end()
                );
                self.fault(name, &held, &range);
                None
            }
        }
    }

    fn choice<T: Copy>(&mut self, names: &[&str], choices: &[(&str, T)]) -> Option<T> {
        let (name, held) = self.named(names)?;
        let found = choices
            .iter()
            .find(|(choice, _)| held.eq_ignore_ascii_case(choice));
        if found.is_none() {
            let accepted: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
            self.fault(name, &held, &accepted.join(" or "));
        }
        found.map(|(_, value)| *value)
    }

    /// `SKEIN_BIND` as address and port or as either; `PORT` changes the port only.
    fn bind(&mut self) -> SocketAddr {
        let mut bind = SocketAddr::from(([127, 0, 0, 1], DEFAULT_PORT));
        if let Some(held) = self.text(&["SKEIN_BIND"]) {
            if let Ok(address) = held.parse() {
                bind = address;
            } else if let Ok(address) = held.parse::<IpAddr>() {
                bind.set_ip(address);
            } else {
                self.fault(
                    "SKEIN_BIND",
                    &held,
                    "an address such as 127.0.0.1:8000 or [::1]:8000",
                );
            }
        }
        if let Some(port) = self.number(&["PORT"], 0..=65_535) {
            bind.set_port(u16::try_from(port).unwrap_or(DEFAULT_PORT));
        }
        bind
    }

    /// MongoDB if `MONGODB_URI` is set, else a folder.
    fn storage(&mut self) -> Storage {
        let Some(uri) = self.text(&["MONGODB_URI"]) else {
            let folder = self.text(&["SKEIN_DATA_DIR"]);
            return Storage::Folder(folder.unwrap_or_else(|| "skein-data".to_owned()).into());
        };
        if !uri.starts_with("mongodb://") && !uri.starts_with("mongodb+srv://") {
            // What it held may be a password.
            self.faults.push(
                "MONGODB_URI: is no connection string; mongodb://host:27017/name?replicaSet=rs0 or mongodb+srv://… is \
                 accepted"
                    .to_owned(),
            );
        }
        let mut config = storage_mongo::Config::new(uri);
        if let Some((name, held)) = self.named(&["MONGODB_DB_NAME", "MONGODB_DB"]) {
            if !is_database_name(&held) {
                self.fault(
                    name,
                    &held,
                    "a name of at most 63 bytes without spaces and without any of /\\.\"$*<>:|?, and not admin, \
                     local or config,",
                );
            }
            config.database = Some(held);
        }
        if let Some(seconds) = self.number(&["SKEIN_MONGODB_WAIT_SECS"], 0..=3_600) {
            config.wait = Duration::from_secs(seconds);
        }
        Storage::Mongo(config)
    }

    /// Both lists united; each entry is an origin or `*`.
    fn origins(&mut self) -> Origins {
        let mut origins = Origins::default();
        let lists: Vec<(&str, String)> = ["CORS_ORIGINS", "ALLOWED_ORIGINS"]
            .into_iter()
            .filter_map(|name| self.named(&[name]))
            .collect();
        if lists.is_empty() {
            origins.listed = ["http://localhost:3000", "http://127.0.0.1:3000"]
                .map(str::to_owned)
                .into();
        }
        for (name, list) in lists {
            // Some backends wrote the list as JSON.
            let parts = list
                .trim_matches(['[', ']'])
                .split(',')
                .map(|part| part.trim().trim_matches('"'));
            for part in parts.filter(|part| !part.is_empty()) {
                let origin = part.trim_end_matches('/');
                if origin == "*" {
                    origins.any = true;
                } else if is_origin(origin) {
                    origins.listed.insert(origin.to_ascii_lowercase());
                } else {
                    self.fault(name, part, "a list of origins such as https://chat.example.com, divided by commas, or *");
                }
            }
        }
        origins
    }

    fn auth_required(&mut self) -> bool {
        self.choice(
            &["SKEIN_AUTH", "AUTH_MODE"],
            &[("optional", false), ("required", true)],
        )
        .unwrap_or(false)
    }

    fn tokens(&mut self, auth_required: bool) -> Tokens {
        let mut secrets = Vec::new();
        for name in ["JWT_SECRET_KEY", "JWT_SECRET"] {
            let Some(held) = self.text(&[name]) else {
                continue;
            };
            let secret = Secret::new(held.into_bytes());
            if let Err(weak) = check_secret_strength(&secret) {
                let line = format!("{name}: {weak}");
                if auth_required {
                    &mut self.faults
                } else {
                    &mut self.warnings
                }
                .push(line);
            }
            secrets.push(secret);
        }
        let algorithm = self.text(&["JWT_ALGORITHM"]).map(|held| {
            Algorithm::from_name(&held).unwrap_or_else(|| {
                self.fault("JWT_ALGORITHM", &held, "HS256, HS384 or HS512");
                Algorithm::Hs256
            })
        });
        let most = 10 * 365 * 24 * 60;
        let minutes = match self.number(&["JWT_ACCESS_TOKEN_EXPIRE_MINUTES"], 1..=most) {
            Some(minutes) => Duration::from_secs(minutes * 60),
            None => self
                .expires_in()
                .unwrap_or(Duration::from_secs(MINUTES_OF_30_DAYS * 60)),
        };
        Tokens {
            secrets,
            algorithm: algorithm.unwrap_or(Algorithm::Hs256),
            lifetime: minutes,
        }
    }

    /// `JWT_EXPIRES_IN` as the old backends wrote it: a number of seconds, or one with `s`, `m`, `h`, `d` or `w`.
    fn expires_in(&mut self) -> Option<Duration> {
        let held = self.text(&["JWT_EXPIRES_IN"])?;
        let digits = held
            .trim_end_matches(|ch: char| ch.is_ascii_alphabetic())
            .trim();
        let unit: Option<u64> = match held.get(digits.len()..).map(str::trim) {
            Some("" | "s") => Some(1),
            Some("m") => Some(60),
            Some("h") => Some(3_600),
            Some("d") => Some(86_400),
            Some("w") => Some(604_800),
            Some(_) | None => None,
        };
        let seconds = digits
            .parse::<u64>()
            .ok()
            .zip(unit)
            .and_then(|(number, unit)| number.checked_mul(unit));
        if seconds.is_none_or(|seconds| seconds == 0) {
            self.fault(
                "JWT_EXPIRES_IN",
                &held,
                "a time such as 30d, 12h, 45m or 3600",
            );
            return None;
        }
        seconds.map(Duration::from_secs)
    }

    /// The upstream that `OPENAI_API_KEY` and `OPENAI_BASE_URL` name; either is enough.
    fn upstream(&mut self) -> Option<UpstreamConfig> {
        let key = self.text(&["OPENAI_API_KEY"]).map(llm_client::Secret::new);
        let base = self.text(&["OPENAI_BASE_URL"]);
        if key.is_none() && base.is_none() {
            return None;
        }
        let endpoint = match Endpoint::base(base.as_deref().unwrap_or(OPENAI)) {
            Ok(endpoint) => endpoint,
            Err(error) => {
                self.faults.push(format!("OPENAI_BASE_URL: {error}"));
                return None;
            }
        };
        let mut upstream = UpstreamConfig::new(endpoint, key);
        if let Some(bytes) = self.number(&["SKEIN_UPSTREAM_LINE_BYTES"], 1_024..=64 * 1024 * 1024) {
            upstream.max_line_bytes = usize::try_from(bytes).unwrap_or(upstream.max_line_bytes);
        }
        for (name, timeout) in [
            (
                "SKEIN_UPSTREAM_FIRST_EVENT_SECS",
                &mut upstream.timeouts.first_event,
            ),
            (
                "SKEIN_UPSTREAM_SILENCE_SECS",
                &mut upstream.timeouts.silence,
            ),
        ] {
            if let Some(seconds) = self.number(&[name], 1..=3_600) {
                *timeout = Duration::from_secs(seconds);
            }
        }
        upstream.timeouts.deadline = upstream
            .timeouts
            .deadline
            .max(upstream.timeouts.first_event);
        Some(upstream)
    }

    /// The built-in table, with the window that the operator gave the default model.
    fn models(&mut self, model: Option<&str>) -> ModelTable {
        let table = ModelTable::builtin();
        let Some(window) = self.number(&["SKEIN_MODEL_WINDOW"], 1_024..=100_000_000) else {
            return table;
        };
        let Some(model) = model else {
            self.faults.push(
                "SKEIN_MODEL_WINDOW: is set without SKEIN_MODEL; the window of a named model is accepted".to_owned(),
            );
            return table;
        };
        let limits = ModelLimits {
            window: u32::try_from(window).unwrap_or(u32::MAX),
            ..table.find(model)
        };
        table.with_override(model, limits)
    }

    fn chunks(&mut self) -> AiSdkChunks {
        let Some(held) = self.text(&["SKEIN_AI_SDK_CHUNKS"]) else {
            return AiSdkChunks::All;
        };
        AiSdkChunks::from_name(&held).unwrap_or_else(|| {
            self.fault("SKEIN_AI_SDK_CHUNKS", &held, "all, v6 or v7");
            AiSdkChunks::All
        })
    }

    fn lanes(&mut self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let lanes = self.number(&["SKEIN_LANES"], 1..=256);
        lanes
            .and_then(|lanes| usize::try_from(lanes).ok())
            .unwrap_or(cores)
    }

    fn log_filter(&mut self) -> String {
        let filter = self
            .text(&["SKEIN_LOG"])
            .unwrap_or_else(|| "info,actix_server=warn".to_owned());
        if tracing_subscriber::EnvFilter::try_new(&filter).is_err() {
            self.fault(
                "SKEIN_LOG",
                &filter,
                "a level such as info, or a filter such as info,chat_core=debug",
            );
        }
        filter
    }
}

/// What MongoDB takes as a database's name, on every platform.
fn is_database_name(name: &str) -> bool {
    let forbidden = |byte: u8| byte.is_ascii_whitespace() || b"/\\.\"$*<>:|?\0".contains(&byte);
    let is_servers_own = ["admin", "local", "config"].contains(&name);
    !name.is_empty() && name.len() <= 63 && !is_servers_own && !name.bytes().any(forbidden)
}

fn is_origin(text: &str) -> bool {
    let authority = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    authority.is_some_and(|rest| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte))
    })
}

/// Whether a model's server would be this one: answers would ask themselves for answers.
fn is_own_address(upstream: &UpstreamConfig, bind: SocketAddr) -> bool {
    let url = upstream.endpoint.chat_url();
    let authority = url
        .split_once("://")
        .map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "80"));
    let host = host.trim_matches(['[', ']']);
    let is_here = host == "localhost"
        || host.parse::<IpAddr>().is_ok_and(|ip| {
            ip == bind.ip()
                || ip.is_loopback() && (bind.ip().is_loopback() || bind.ip().is_unspecified())
        });
    is_here && port.parse() == Ok(bind.port()) && bind.port() != 0
}
