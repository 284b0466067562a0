//! How many tokens a text, a message and a prompt cost.

mod runs;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::OnceLock;

use tiktoken_rs::{CoreBPE, cl100k_base_singleton, o200k_base_singleton};

use crate::Encoding;

/// The length in bytes above which a text is counted off the async threads.
///
/// Counting is synchronous work: about twenty megabytes a second of prose and four of the worst
/// input, in a release build. Up to this length it takes some milliseconds; callers in an async
/// service hand longer texts to a blocking thread.
pub const LARGE_TEXT_BYTES: usize = 64 * 1024;

/// What a message costs above its text: three tokens of framing and one for its role.
///
/// Each of `system`, `user`, `assistant`, `developer` and `tool` is one token in both encodings, so
/// a message without a name costs this plus the tokens of its text.
pub const MESSAGE_OVERHEAD: u32 = FRAMING + 1;

/// What a prompt costs above its messages: the tokens that open the reply.
pub const PROMPT_OVERHEAD: u32 = 3;

const FRAMING: u32 = 3;

static O200K_BASE: OnceLock<&CoreBPE> = OnceLock::new();
static CL100K_BASE: OnceLock<&CoreBPE> = OnceLock::new();

/// The number of tokens that `text` takes as ordinary text.
///
/// Special tokens have no meaning here: `<|endoftext|>` is seven tokens. The result equals
/// tiktoken's unless the text holds more than 4,096 successive characters of one class: white
/// space; letters; digits; all others; or line ends and slashes mixed. A mark belongs to the
/// letters and to the others, as in the tokenizers' own patterns. Such a run is counted in pieces of
/// 4,096 characters, which moves the count by a token or two per piece and keeps time and memory
/// linear on any input.
///
/// The first call per encoding loads its vocabulary, which takes about a tenth of a second: see
/// [`warm_up`]. See [`LARGE_TEXT_BYTES`] for use in async code. A count over `u32::MAX` is given as
/// `u32::MAX`.
pub fn count(encoding: Encoding, text: &str) -> u32 {
    let vocabulary = vocabulary(encoding);
    let no_special = HashSet::new();
    let tokens = runs::pieces(text)
        // `encode_ordinary` panics where this answers an error. Cut pieces stay far below the
        // limits that raise it; should one not, its bytes are the most tokens it can have.
        .map(|piece| vocabulary.count(piece, &no_special).unwrap_or(piece.len()))
        .fold(0_usize, usize::saturating_add);
    u32::try_from(tokens).unwrap_or(u32::MAX)
}

/// The number of tokens that a message takes in a prompt: text, role, name and framing.
///
/// `3 + tokens(role) + tokens(content) + (name ? tokens(name) + 1 : 0)`, after `OpenAI`'s counting
/// guide. Keep the result with the message and add; a message need not be counted twice in the same
/// encoding.
pub fn message_cost(encoding: Encoding, role: &str, content: &str, name: Option<&str>) -> u32 {
    let name = name.map_or(0, |name| count(encoding, name).saturating_add(1));
    FRAMING
        .saturating_add(count(encoding, role))
        .saturating_add(count(encoding, content))
        .saturating_add(name)
}

/// The number of tokens that a prompt of messages with these costs takes.
///
/// Their sum and [`PROMPT_OVERHEAD`].
pub fn prompt_cost(costs: impl IntoIterator<Item = u32>) -> u32 {
    costs.into_iter().fold(PROMPT_OVERHEAD, u32::saturating_add)
}

/// Loads the vocabulary of `encoding` and prepares its tables, if that is not done yet.
///
/// It takes about a tenth of a second, and tens of megabytes for the life of the process; run it in
/// the background at start so that the first message does not wait. Calls from several threads load
/// once; the later ones wait for the first.
///
/// ```standalone_crate
/// use token_budget::{Encoding, is_loaded, warm_up};
///
/// assert!(!is_loaded(Encoding::Cl100kBase));
/// warm_up(Encoding::Cl100kBase);
/// assert!(is_loaded(Encoding::Cl100kBase));
/// assert!(!is_loaded(Encoding::O200kBase)); // only what is used is loaded
/// ```
pub fn warm_up(encoding: Encoding) {
    vocabulary(encoding);
    runs::warm_up();
}

/// Whether the vocabulary of `encoding` is in memory, so that counting starts at once.
///
/// False while another thread is still loading it.
pub fn is_loaded(encoding: Encoding) -> bool {
    slot(encoding).get().is_some()
}

fn vocabulary(encoding: Encoding) -> &'static CoreBPE {
    slot(encoding).get_or_init(|| match encoding {
        Encoding::O200kBase => o200k_base_singleton(),
        Encoding::Cl100kBase => cl100k_base_singleton(),
    })
}

// tiktoken-rs does not tell whether it has loaded a vocabulary, so we remember it.
fn slot(encoding: Encoding) -> &'static OnceLock<&'static CoreBPE> {
    match encoding {
        Encoding::O200kBase => &O200K_BASE,
        Encoding::Cl100kBase => &CL100K_BASE,
    }
}
