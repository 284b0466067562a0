//! What `skein` does besides serving: each command says what it did on standard output, and what stood in the way on
//! standard error.

mod migrate;
mod transfer;

pub use migrate::migrate;
pub use transfer::{Importing, export, import};

use std::io::{self, Write as _};

/// Writes to standard output. A reader that has had enough, such as `head`, is no fault.
pub fn say(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        Err(_) | Ok(()) => Ok(()),
    }
}

/// Writes a line to standard error. When that is closed there is nowhere else to tell.
pub fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "skein: {line}");
}
