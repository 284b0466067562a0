use super::*;

fn read(values: &[(&str, &str)]) -> Result<Config, Faults> {
    Config::read(&Source::of(values.iter().copied()))
}

fn faults(values: &[(&str, &str)]) -> Vec<String> {
    read(values).unwrap_err().0
}

#[test]
fn nothing_has_to_be_set() {
    let config = read(&[]).unwrap();
    assert_eq!(config.bind.to_string(), "127.0.0.1:8000");
    let Storage::Folder(folder) = config.storage else {
        panic!("a folder");
    };
    assert_eq!(folder, PathBuf::from("skein-data"));
    assert!(config.upstream.is_none());
    assert!(config.origins.allows("http://localhost:3000"));
    assert_eq!(config.tokens.lifetime, Duration::from_hours(720));
    assert!(config.warnings.is_empty());
}

#[test]
fn an_empty_value_counts_as_not_set() {
    let config = read(&[("OPENAI_API_KEY", " "), ("SKEIN_BIND", "")]).unwrap();
    assert!(config.upstream.is_none());
}

#[test]
fn all_faults_are_told_together_with_name_value_and_what_is_accepted() {
    let faults = faults(&[
        ("SKEIN_BIND", "nowhere"),
        ("PORT", "99999"),
        ("CORS_ORIGINS", "https://a.example, javascript:x"),
        ("SKEIN_AUTH", "maybe"),
        ("JWT_ALGORITHM", "none"),
        ("JWT_EXPIRES_IN", "soon"),
        ("OPENAI_BASE_URL", "ftp://x"),
        ("SKEIN_LOG_FORMAT", "xml"),
        ("SKEIN_MODLE", "x"),
        ("MONGODB_URI", "user:geheim@host/"),
        ("MONGODB_DB_NAME", "a.b"),
        ("SKEIN_MONGODB_WAIT_SECS", "soon"),
    ]);
    let expected = [
        "SKEIN_MODLE: there is no such setting; did you mean SKEIN_MODEL?",
        "SKEIN_AUTH: held \"maybe\"; optional or required is accepted",
        "OPENAI_BASE_URL: ",
        "SKEIN_BIND: held \"nowhere\"; an address such as 127.0.0.1:8000 or [::1]:8000 is accepted",
        "PORT: held \"99999\"; a whole number from 0 to 65535 is accepted",
        "MONGODB_URI: is no connection string; ",
        "MONGODB_DB_NAME: held \"a.b\"; a name of at most 63 bytes",
        "SKEIN_MONGODB_WAIT_SECS: held \"soon\"; a whole number from 0 to 3600 is accepted",
        "CORS_ORIGINS: held \"javascript:x\"; ",
        "JWT_ALGORITHM: held \"none\"; HS256, HS384 or HS512 is accepted",
        "JWT_EXPIRES_IN: held \"soon\"; ",
        "SKEIN_LOG_FORMAT: held \"xml\"; human or json is accepted",
    ];
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(fault.starts_with(expected), "{fault}\n{expected}");
        assert!(!fault.contains("geheim"), "{fault}");
        assert!(!fault.contains('\n'), "{fault}");
    }
}

#[test]
fn a_weak_secret_is_told_and_stops_the_start_only_where_tokens_are_required() {
    let weak = ("JWT_SECRET", "kurz");
    let config = read(&[weak]).unwrap();
    assert_eq!(config.warnings.len(), 1);
    assert!(!config.warnings[0].contains("kurz"));
    assert_eq!(faults(&[weak, ("AUTH_MODE", "required")]).len(), 1);
}

#[test]
fn both_secrets_count_and_the_first_name_signs() {
    let config = read(&[
        ("JWT_SECRET", &"b".repeat(32)),
        ("JWT_SECRET_KEY", &"a".repeat(48)),
    ])
    .unwrap();
    assert_eq!(
        config
            .tokens
            .secrets
            .iter()
            .map(Secret::len)
            .collect::<Vec<_>>(),
        [48, 32]
    );
}

#[test]
fn tokens_live_as_long_as_either_name_says() {
    for (name, value, seconds) in [
        ("JWT_ACCESS_TOKEN_EXPIRE_MINUTES", "30", 1_800),
        ("JWT_EXPIRES_IN", "7d", 604_800),
        ("JWT_EXPIRES_IN", "12h", 43_200),
        ("JWT_EXPIRES_IN", "3600", 3_600),
    ] {
        assert_eq!(
            read(&[(name, value)]).unwrap().tokens.lifetime,
            Duration::from_secs(seconds)
        );
    }
}

#[test]
fn port_changes_the_port_only() {
    for (bind, expected) in [
        ("0.0.0.0", "0.0.0.0:81"),
        ("[::1]:9", "[::1]:81"),
        ("127.0.0.1:9", "127.0.0.1:81"),
    ] {
        assert_eq!(
            read(&[("SKEIN_BIND", bind), ("PORT", "81")])
                .unwrap()
                .bind
                .to_string(),
            expected
        );
    }
}

#[test]
fn origins_are_the_union_of_both_lists() {
    let config = read(&[
        ("CORS_ORIGINS", "https://a.example/"),
        ("ALLOWED_ORIGINS", "[\"http://b:1\", \"*\"]"),
    ])
    .unwrap();
    assert!(
        config.origins.allows("https://a.example")
            && config.origins.allows("http://b:1")
            && config.origins.any
    );
    assert!(!config.origins.allows("http://localhost:3000"));
}

#[test]
fn the_default_model_follows_the_upstream() {
    let of = |values: &[(&str, &str)]| read(values).unwrap().model;
    assert_eq!(
        of(&[("OPENAI_API_KEY", "k")]).as_deref(),
        Some("gpt-4o-mini")
    );
    assert_eq!(
        of(&[("OPENAI_BASE_URL", "http://localhost:11434/v1")]),
        None
    );
    assert_eq!(
        of(&[("OPENAI_API_KEY", "k"), ("SKEIN_MODEL", "m")]).as_deref(),
        Some("m")
    );
}

#[test]
fn refuses_to_be_its_own_upstream() {
    for base in ["http://127.0.0.1:8000/v1", "http://localhost:8000/v1"] {
        assert_eq!(faults(&[("OPENAI_BASE_URL", base)]).len(), 1, "{base}");
    }
    assert!(read(&[("OPENAI_BASE_URL", "http://127.0.0.1:8001/v1")]).is_ok());
}

#[test]
fn the_files_lie_below_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("skein.toml"),
        "SKEIN_MODEL = \"toml\"\nSKEIN_LANES = 3\n",
    )
    .unwrap();
    std::fs::write(dir.path().join(".env"), "SKEIN_MODEL=dotenv\nUNRELATED=x\n").unwrap();
    let config = Config::read(&Source::of_process(dir.path())).unwrap();
    assert_eq!((config.model.as_deref(), config.lanes), (Some("dotenv"), 3));
    std::fs::write(dir.path().join("skein.toml"), "SKEIN_MODEL = \n").unwrap();
    let faults = Config::read(&Source::of_process(dir.path())).unwrap_err();
    assert_eq!(faults.0, ["skein.toml: line 1 is no TOML"]);
}

#[test]
fn the_document_of_all_settings_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == markdown(),
        "run: cargo run -- settings > docs/configuration.md"
    );
}
