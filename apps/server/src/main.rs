//! The binary `skein`.

use std::{path::Path, process::ExitCode};

use anyhow::Context as _;
use clap::Parser as _;
use server::{
    cli::{Arguments, Command},
    commands::{self, Importing, say, tell},
    config::{self, Config, LogFormat, Source},
    health, openapi,
    startup::Application,
    telemetry,
};
use tokio::runtime::{Builder, Runtime};

/// Threads for house-keeping; answers and requests have their own.
const HOME_THREADS: usize = 2;
/// Threads for long counting, and what else would hold the others up.
const BLOCKING_THREADS: usize = 8;

fn main() -> ExitCode {
    match run(Arguments::parse().command.unwrap_or(Command::Serve)) {
        Ok(code) => code,
        Err(error) => {
            tell(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let settings = || Source::of_process(Path::new("."));
    match command {
        Command::Serve => serve()?,
        Command::Health => health::ask(&settings())?,
        Command::Migrate { dry_run } => {
            runtime()?.block_on(commands::migrate(&settings(), dry_run))?;
        }
        Command::Import {
            kind,
            source,
            dry_run,
            skip_faulty,
        } => {
            let importing = Importing {
                kind,
                source,
                dry_run,
                skip_faulty,
            };
            if !runtime()?.block_on(commands::import(&settings(), importing))? {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Export { user, file } => {
            runtime()?.block_on(commands::export(&settings(), user, &file))?;
        }
        Command::Openapi => say(&openapi::json())?,
        Command::Settings => say(&config::markdown())?,
        Command::Version => say(concat!("skein ", env!("CARGO_PKG_VERSION"), "\n"))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn serve() -> anyhow::Result<()> {
    let config = Config::read(&Source::of_process(Path::new(".")))?;
    telemetry::init(&config.log_filter, config.log_format);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let greeting = Greeting::of(&config);
    runtime()?.block_on(async {
        let application = Application::build(config).await?;
        greeting.give(&application)?;
        application.run_until(told_to_stop()).await
    })
}

/// The home runtime, with the process prepared for it.
fn runtime() -> anyhow::Result<Runtime> {
    // Before the first client is made: with two cryptographies compiled in, none would be chosen.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        tracing::debug!("a TLS provider was installed already");
    }
    Builder::new_multi_thread()
        .worker_threads(HOME_THREADS)
        .thread_name("home")
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .context("a runtime cannot be made")
}

/// What the terminal is told once the server listens.
struct Greeting {
    demo: bool,
    format: LogFormat,
}

impl Greeting {
    fn of(config: &Config) -> Self {
        Self {
            demo: config.upstream.is_none(),
            format: config.log_format,
        }
    }

    fn give(&self, application: &Application) -> anyhow::Result<()> {
        let address = application.address();
        if self.format == LogFormat::Json {
            tracing::info!(%address, data = application.place(), demo = self.demo, "listening");
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
            application.place()
        ))
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
