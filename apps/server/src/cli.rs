//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// What the process was started with.
#[derive(Debug, Parser)]
#[command(
    name = "skein",
    version,
    about = "Skein: one server behind the chat frontends that teams already run.",
    after_help = "Settings are environment variables, or lines of ./.env or ./skein.toml; none is needed.",
    disable_help_subcommand = false
)]
pub struct Arguments {
    /// What to do; without one, serve.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serves; also without a command.
    Serve,
    /// Asks the server that these settings start whether it is ready; fails if it is not.
    Health,
    /// Brings the layout of the MongoDB database up to date, and says what it does. `serve` does the same at its start.
    Migrate {
        /// Says what would be done, and does nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Brings in the conversations of another backend, or an export of Skein's. May be repeated: what is there stays.
    Import {
        /// What the source is: web-chat, assistants, assistants-export, ai-chatbot or skein.
        kind: String,
        /// Where it is: a file, a folder, or a MongoDB URI with the database's name.
        source: String,
        /// Says what would be done, and changes nothing.
        #[arg(long)]
        dry_run: bool,
        /// Goes on without records that are broken or too large, instead of refusing the whole source.
        #[arg(long)]
        skip_faulty: bool,
    },
    /// Writes conversations and all that belongs to them as JSON lines, which `import skein` reads.
    Export {
        /// Of one user only: an e-mail address, an id, or an owner such as `tenant:default`.
        #[arg(long)]
        user: Option<String>,
        /// The file to write, which must not be there yet; `-` for standard output.
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// Prints the description of the API as JSON.
    Openapi,
    /// Prints every setting as Markdown.
    Settings,
    /// Prints the version.
    Version,
}
