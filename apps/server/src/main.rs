//! The binary `skein`.

use std::{
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use anyhow::Context as _;
use server::{
    config::{self, Config, LogFormat, Source},
    openapi,
    startup::Application,
    telemetry,
};
use tokio::runtime::Builder;

const HELP: &str = "\
Skein: one server behind the chat frontends that teams already run.

Usage: skein [COMMAND]

Commands:
  serve      Serves; also without a command.
  openapi    Prints the description of the API as JSON.
  settings   Prints every setting as Markdown.
  help       Prints this.
  version    Prints the version.

Settings are environment variables, or lines of ./.env or ./skein.toml; none is needed.
";

/// Threads for house-keeping; answers and requests have their own.
const HOME_THREADS: usize = 2;
/// Threads for long counting, and what else would hold the others up.
const BLOCKING_THREADS: usize = 8;

fn main() -> ExitCode {
    let command = std::env::args().nth(1);
    let done = match command.as_deref() {
        None | Some("serve") => serve(),
        Some("openapi") => say(&openapi::json()),
        Some("settings") => say(&config::markdown()),
        Some("help" | "--help" | "-h") => say(HELP),
        Some("version" | "--version" | "-V") => {
            say(concat!("skein ", env!("CARGO_PKG_VERSION"), "\n"))
        }
        Some(unknown) => Err(anyhow::anyhow!(
            "there is no command {unknown:?}; `skein help` lists them"
        )),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; there is nowhere else to tell.
            let _ = writeln!(io::stderr(), "skein: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> anyhow::Result<()> {
    let config = Config::read(&Source::of_process(Path::new(".")))?;
    telemetry::init(&config.log_filter, config.log_format);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    // Before the first client is made: with two cryptographies compiled in, none would be chosen.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        tracing::debug!("a TLS provider was installed already");
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(HOME_THREADS)
        .thread_name("home")
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .context("a runtime cannot be made")?;
    runtime.block_on(async {
        let greeting = Greeting::of(&config);
        let application = Application::build(config).await?;
        greeting.give(&application)?;
        application.run_until(told_to_stop()).await
    })
}

/// What the terminal is told once the server listens.
struct Greeting {
    data: String,
    demo: bool,
    format: LogFormat,
}

impl Greeting {
    fn of(config: &Config) -> Self {
        Self {
            data: config.data_dir.display().to_string(),
            demo: config.upstream.is_none(),
            format: config.log_format,
        }
    }

    fn give(&self, application: &Application) -> anyhow::Result<()> {
        let address = application.address();
        if self.format == LogFormat::Json {
            tracing::info!(%address, data = self.data, demo = self.demo, "listening");
            return Ok(());
        }
        let model = if self.demo {
            "\n  Model      a demo model; set OPENAI_API_KEY (and OPENAI_BASE_URL) for a real one"
        } else {
            ""
        };
        say(&format!(
            "Skein is ready.\n\n  Console    http://{address}/\n  API        http://{address}/docs/\n  Data       {}{model}\n\n\
            Stop with Ctrl-C: running answers may finish first, a second Ctrl-C does not wait.\n",
            self.data
        ))
    }
}

fn say(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        // A reader that has had enough, such as `head`, is no fault.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        Err(_) | Ok(()) => Ok(()),
    }
}

/// Returns once the process is told to stop. A second time ends it at once.
async fn told_to_stop() {
    signal().await;
    #[expect(
        clippy::disallowed_methods,
        reason = "it ends the process, so nothing has to wait for it"
    )]
    tokio::spawn(async {
        signal().await;
        std::process::exit(130);
    });
}

async fn signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut terminate) => {
                terminate.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
