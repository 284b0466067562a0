//! The model server as a program of its own; see the crate's README.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use mock_llm::{Config, MockLlm, Pace};

const USAGE: &str = "\
mock-llm: a model server that speaks Chat Completions and fails on demand

  --host IP          address to listen on (127.0.0.1)
  --port N           port, 0 for any free one (8089)
  --pace-ms N        milliseconds between tokens (25 to 40, varied)
  --default WORDS    what is answered by default, in the words of a directive,
                     such as \"tokens=200\" (the demo text)
";

fn main() -> ExitCode {
    let config = match config(std::env::args().skip(1)) {
        Ok(Some(config)) => config,
        Ok(None) => return say(USAGE, ExitCode::SUCCESS),
        Err(fault) => return complain(&format!("{fault}\n\n{USAGE}")),
    };
    match MockLlm::start(config) {
        Ok(server) => {
            let code = say(
                &format!("mock-llm listens on {}\n", server.base_url()),
                ExitCode::SUCCESS,
            );
            server.join();
            code
        }
        Err(error) => {
            let reason =
                std::error::Error::source(&error).map_or_else(String::new, |e| format!(": {e}"));
            complain(&format!("{error}{reason}\n"))
        }
    }
}

/// The settings the arguments ask for; `None` when they ask for help.
fn config(mut args: impl Iterator<Item = String>) -> Result<Option<Config>, String> {
    let mut config = Config {
        port: 8089,
        ..Config::demo()
    };
    while let Some(name) = args.next() {
        if name == "--help" || name == "-h" {
            return Ok(None);
        }
        if !["--host", "--port", "--pace-ms", "--default"].contains(&name.as_str()) {
            return Err(format!("unknown argument `{name}`"));
        }
        let value = args
            .next()
            .ok_or_else(|| format!("`{name}` needs a value"))?;
        let bad = |accepted: &str| format!("`{name}` takes {accepted}, not `{value}`");
        match name.as_str() {
            "--host" => config.host = value.parse().map_err(|_error| bad("an IP address"))?,
            "--port" => config.port = value.parse().map_err(|_error| bad("a port, 0 to 65535"))?,
            "--pace-ms" => {
                let pause = value.parse().map_err(|_error| bad("whole milliseconds"))?;
                config.pace = Pace::Fixed(Duration::from_millis(pause));
            }
            _ => {
                config.fallback = value
                    .parse()
                    .map_err(|error| format!("`{name}`: {error}"))?;
            }
        }
    }
    Ok(Some(config))
}

fn say(text: &str, code: ExitCode) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

fn complain(text: &str) -> ExitCode {
    // There is nobody left to tell when this fails.
    let _ = io::stderr().write_all(text.as_bytes());
    ExitCode::FAILURE
}
