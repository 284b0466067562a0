//! What each model can hold, and how its text is counted.

mod builtin;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::Encoding;

/// The window in tokens that a model without an entry is given.
pub const DEFAULT_WINDOW: u32 = 128_000;

/// The limits of one model, in tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelLimits {
    /// Prompt and reply together.
    pub window: u32,
    /// The most a prompt may have, where that is less than the window leaves.
    pub input_cap: Option<u32>,
    /// The most a reply may have, where that is less than the window leaves.
    pub output_cap: Option<u32>,
    /// The encoding to count in.
    pub encoding: Encoding,
    /// Whether `encoding` only stands in for one that is not public; the budget then keeps a greater
    /// margin.
    pub encoding_is_guess: bool,
    /// Whether `window` comes from an entry; false only in [`ModelLimits::unknown`].
    pub known: bool,
}

impl ModelLimits {
    /// The limits of a model whose encoding is `encoding` and whose only cap is its window.
    pub const fn new(window: u32, encoding: Encoding) -> Self {
        Self {
            window,
            input_cap: None,
            output_cap: None,
            encoding,
            encoding_is_guess: false,
            known: true,
        }
    }

    /// The limits of a model whose encoding is not public: counted in `o200k_base`, as a guess.
    pub const fn guessed(window: u32) -> Self {
        Self {
            encoding_is_guess: true,
            ..Self::new(window, Encoding::O200kBase)
        }
    }

    /// The limits assumed for a model that nobody has described: [`DEFAULT_WINDOW`], guessed
    /// `o200k_base`.
    pub const fn unknown() -> Self {
        Self {
            known: false,
            ..Self::guessed(DEFAULT_WINDOW)
        }
    }

    /// The same with at most `tokens` in a prompt.
    #[must_use]
    pub const fn with_input_cap(self, tokens: u32) -> Self {
        Self {
            input_cap: Some(tokens),
            ..self
        }
    }

    /// The same with at most `tokens` in a reply.
    #[must_use]
    pub const fn with_output_cap(self, tokens: u32) -> Self {
        Self {
            output_cap: Some(tokens),
            ..self
        }
    }
}

/// The limits of models by name.
///
/// An entry stands for the model of exactly its name and for every name that begins with it; the
/// exact one wins, then the longest. Names are compared without regard to ASCII case. An entry
/// without a slash is compared with what follows the last slash of the model's name, so that
/// `openai/gpt-4.1-mini` is found as `gpt-4.1-mini`; an entry with a slash is compared with the
/// whole. `ft:` before a name (`OpenAI`'s fine-tuned models) is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelTable {
    entries: BTreeMap<String, ModelLimits>,
}

impl ModelTable {
    /// The table that comes with this crate, from the providers' public model pages.
    pub fn builtin() -> Self {
        let entries = builtin::ENTRIES
            .iter()
            .map(|(name, limits)| ((*name).to_owned(), limits.clone()))
            .collect();
        Self { entries }
    }

    /// A table without entries: every model is unknown until an override describes it.
    pub const fn empty() -> Self {
        Self {
            entries: BTreeMap::new(),
        }
    }

    /// The same table with `limits` for `name`, in place of an entry of that name if there is one.
    ///
    /// `name` follows the rules of the table: `gpt-4o` also covers `gpt-4o-mini` unless a longer
    /// entry does.
    #[must_use]
    pub fn with_override(mut self, name: &str, limits: ModelLimits) -> Self {
        self.entries.insert(normalized(name), limits);
        self
    }

    /// The limits of the model called `name`, or [`ModelLimits::unknown`].
    pub fn find(&self, name: &str) -> ModelLimits {
        self.lookup(&normalized(name))
            .cloned()
            .unwrap_or_else(ModelLimits::unknown)
    }

    fn lookup(&self, name: &str) -> Option<&ModelLimits> {
        let segment = name.rsplit('/').next().unwrap_or(name);
        self.entries
            .iter()
            .filter_map(|(entry, limits)| {
                let compared = if entry.contains('/') { name } else { segment };
                let compared = compared.strip_prefix("ft:").unwrap_or(compared);
                compared
                    .starts_with(entry.as_str())
                    .then_some(((compared == entry, entry.len()), limits))
            })
            .max_by_key(|(rank, _)| *rank)
            .map(|(_, limits)| limits)
    }
}

impl Default for ModelTable {
    fn default() -> Self {
        Self::builtin()
    }
}

fn normalized(name: &str) -> String {
    name.trim().to_ascii_lowercase()
}
