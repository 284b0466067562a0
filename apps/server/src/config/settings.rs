//! Every setting there is. `docs/configuration.md` is written from this list.

use std::fmt::Write as _;

/// A setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its names; the first that is set wins.
    pub names: &'static [&'static str],
    /// What holds when none is set.
    pub default: &'static str,
    /// What it does and what is accepted.
    pub meaning: &'static str,
}

const fn setting(
    names: &'static [&'static str],
    default: &'static str,
    meaning: &'static str,
) -> Setting {
    Setting {
        names,
        default,
        meaning,
    }
}

/// All settings, in the order in which people look for them.
pub const SETTINGS: &[Setting] = &[
    setting(
        &["OPENAI_API_KEY"],
        "none",
        "The key of the model's server. Without it and without `OPENAI_BASE_URL` a demo model answers.",
    ),
    setting(
        &["OPENAI_BASE_URL"],
        "OpenAI's",
        "The address of any server that speaks Chat Completions, up to and with `/v1`.",
    ),
    setting(
        &["SKEIN_MODEL"],
        "`gpt-4o-mini` on OpenAI, else the first that the server lists",
        "The model that answers when a client names none that is known.",
    ),
    setting(
        &["SKEIN_MODEL_WINDOW"],
        "what is known of the model, else 128000",
        "How many tokens the model of `SKEIN_MODEL` takes, prompt and answer together; local servers often have less than the model could.",
    ),
    setting(
        &["SKEIN_MODEL_ALIASES"],
        "none",
        "Names of models that clients may send and what they stand for, as JSON or as `@` and the path of a file with it: `{\"fast\": {\"model\": \"gpt-4o-mini\", \"tools\": true, \"vision\": true, \"reasoning\": false, \"name\": \"Fast\", \"description\": \"…\"}}`, every key optional. The names that the chatbot template's releases send stand for the default model unless they are given here.",
    ),
    setting(
        &["SKEIN_SYSTEM_PROMPT"],
        "none",
        "What every prompt begins with.",
    ),
    setting(
        &["SKEIN_TITLES"],
        "`on`",
        "Whether the model makes a title for a new conversation: `on` or `off`.",
    ),
    setting(
        &["SKEIN_BIND"],
        "`127.0.0.1:8000`",
        "Where the server listens: an address, with or without a port.",
    ),
    setting(
        &["PORT"],
        "that of `SKEIN_BIND`",
        "The port alone; 0 takes a free one.",
    ),
    setting(
        &["SKEIN_PUBLIC_URL"],
        "the address that `SKEIN_BIND` names",
        "The address that browsers know this server by, such as `https://chat.example.com`. Links to uploads begin with it.",
    ),
    setting(
        &["SKEIN_UPLOADS_PER_USER"],
        "1000",
        "A user or guest who has brought this many images, each of at most 5 MiB, brings no further one; 0 takes none at all.",
    ),
    setting(
        &["SKEIN_DATA_DIR"],
        "`./skein-data`",
        "The folder with the data, unless `MONGODB_URI` is set. One process at a time.",
    ),
    setting(
        &["MONGODB_URI"],
        "none",
        "A MongoDB replica set (one member is enough) that holds the data instead of the folder; any number of servers may share it.",
    ),
    setting(
        &["MONGODB_DB_NAME", "MONGODB_DB"],
        "`skein`",
        "The database's name, where `MONGODB_URI` has none.",
    ),
    setting(
        &["SKEIN_MONGODB_WAIT_SECS"],
        "60",
        "How long a start waits for a database that is not there yet.",
    ),
    setting(
        &["CORS_ORIGINS"],
        "`http://localhost:3000`, `http://127.0.0.1:3000`",
        "Origins whose pages may call, divided by commas; `*` allows all, without credentials. United with `ALLOWED_ORIGINS`.",
    ),
    setting(
        &["ALLOWED_ORIGINS"],
        "see `CORS_ORIGINS`",
        "The same under its other name.",
    ),
    setting(
        &["SKEIN_AUTH", "AUTH_MODE"],
        "`optional`",
        "`required` closes every route that is not needed to sign in.",
    ),
    setting(
        &["JWT_SECRET_KEY"],
        "a random one, kept with the data",
        "The secret that signs tokens, 32 bytes or more.",
    ),
    setting(
        &["JWT_SECRET"],
        "none",
        "A second secret: signs when the first is not set, and verifies in any case.",
    ),
    setting(
        &["JWT_ALGORITHM"],
        "`HS256`",
        "`HS256`, `HS384` or `HS512`.",
    ),
    setting(
        &["JWT_ACCESS_TOKEN_EXPIRE_MINUTES"],
        "43200 (30 days)",
        "How long a token lives, in minutes.",
    ),
    setting(
        &["JWT_EXPIRES_IN"],
        "`30d`",
        "The same as a time such as `30d`, `12h`, `45m` or a number of seconds.",
    ),
    setting(
        &["SKEIN_REFRESH_TOKEN_DAYS"],
        "90",
        "How long a refresh token lives, in days; a session lives as long, or as long as its access token if that is longer.",
    ),
    setting(
        &["SKEIN_JWKS_URL"],
        "none",
        "The public keys of another issuer of tokens, as a JSON Web Key Set: its users are users here. An `https` address, or one of this machine. Needs `SKEIN_JWKS_ISSUER` and `SKEIN_JWKS_AUDIENCE`.",
    ),
    setting(
        &["SKEIN_JWKS_ISSUER"],
        "none",
        "The issuer's name, as the claim `iss` of its tokens has it. Together with the claim `sub` it says who a user is.",
    ),
    setting(
        &["SKEIN_JWKS_AUDIENCE"],
        "none",
        "The name of this service with the issuer, as the claim `aud` has it.",
    ),
    setting(
        &["SKEIN_LOGINS_PER_MINUTE"],
        "10; `off` while `SKEIN_BIND` is this machine alone and `SKEIN_TRUSTED_PROXIES` is not set",
        "How many logins a minute are taken from one address and for one account, and how many registrations from one address: a number, or `off`. Counted by each process on its own.",
    ),
    setting(
        &["SKEIN_GUESTS_PER_MINUTE"],
        "30; `off` as above",
        "How many guests a minute are let in from one address, and how many tokens refreshed.",
    ),
    setting(
        &["SKEIN_TRUSTED_PROXIES"],
        "none",
        "Addresses and networks, divided by commas, whose `X-Forwarded-For` or `Forwarded` tells where a request comes from. Set it behind a proxy, or all callers count as one.",
    ),
    setting(
        &["SKEIN_AI_SDK_CHUNKS"],
        "`all`",
        "Which AI SDK clients there are: `all`, or `v6` or `v7` and newer, which take more kinds of chunks.",
    ),
    setting(
        &["SKEIN_TOOLS"],
        "`on`",
        "The tools that models are offered: `on` for all, `off`, or a list of `getWeather`, `createDocument`, `updateDocument`, `editDocument`, `requestSuggestions`, divided by commas.",
    ),
    setting(
        &["SKEIN_TOOL_APPROVALS"],
        "`getWeather` with `SKEIN_AI_SDK_CHUNKS` set to `v6` or `v7`, else none",
        "The tools that ask their reader before they run, divided by commas; `off` for none. Only where `SKEIN_AI_SDK_CHUNKS` is `v6` or `v7`: asking would end the stream of a version 5 client.",
    ),
    setting(
        &["SKEIN_WEATHER_URL"],
        "Open-Meteo's",
        "The forecasts of `getWeather`: a service that speaks as `https://api.open-meteo.com/v1/forecast` does. It is sent the place that was asked for, and nothing else.",
    ),
    setting(
        &["SKEIN_GEOCODING_URL"],
        "Open-Meteo's",
        "Where `getWeather` finds cities, as `https://geocoding-api.open-meteo.com/v1/search` does.",
    ),
    setting(
        &["SKEIN_ARTIFACT_MODEL"],
        "the model that answers",
        "The model that writes documents and suggestions.",
    ),
    setting(
        &["SKEIN_IMAGE_MODEL"],
        "none",
        "The model that makes images, on the same server; without it models are offered no image documents.",
    ),
    setting(
        &["SKEIN_TITLE_MODEL"],
        "the model that answers",
        "The model that makes titles.",
    ),
    setting(
        &["SKEIN_GUEST_MESSAGES_PER_DAY"],
        "20; `off` while `SKEIN_BIND` is this machine alone",
        "A guest who has more messages of the last 24 hours than this sends no further one: a number, or `off`.",
    ),
    setting(
        &["SKEIN_USER_MESSAGES_PER_DAY"],
        "100; `off` while `SKEIN_BIND` is this machine alone",
        "The same for someone who has signed up.",
    ),
    setting(
        &["SKEIN_LANES"],
        "one for each core",
        "How many threads work on answers.",
    ),
    setting(
        &["SKEIN_UPSTREAM_LINE_BYTES"],
        "1048576",
        "The longest line that a model's server may send.",
    ),
    setting(
        &["SKEIN_UPSTREAM_FIRST_EVENT_SECS"],
        "120",
        "How long a model may take for its first word.",
    ),
    setting(
        &["SKEIN_UPSTREAM_SILENCE_SECS"],
        "60",
        "How long it may be silent after that.",
    ),
    setting(
        &["SKEIN_DRAIN_SECS"],
        "25",
        "How long running answers may go on after SIGTERM.",
    ),
    setting(
        &["SKEIN_LOG"],
        "`info,actix_server=warn`",
        "What is logged: a level, or a filter such as `info,chat_core=debug`.",
    ),
    setting(&["SKEIN_LOG_FORMAT"], "`human`", "`human` or `json`."),
];

/// `docs/configuration.md`, whole.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Configuration\n\n\
        <!-- Written by `skein settings > docs/configuration.md`; edit apps/server/src/config/settings.rs instead. -->\n\n\
        Everything has a default; nothing has to be set. A setting is read from the environment, else from `./.env`, else\n\
        from `./skein.toml` (the same names, `NAME = \"value\"`). An empty value counts as not set. A bad value stops the start\n\
        with one line for each fault.\n\n\
        | names, first wins | default | meaning |\n|---|---|---|\n",
    );
    for setting in SETTINGS {
        let names: Vec<String> = setting
            .names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        // Writing to a text does not fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            names.join(", "),
            setting.default,
            setting.meaning
        );
    }
    text
}
