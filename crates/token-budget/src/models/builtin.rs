//! The models that everybody knows.

use super::ModelLimits;
use crate::Encoding::{Cl100kBase, O200kBase};

/// Name, in lower case, and limits; the order has no meaning.
///
/// Windows and caps: the providers' model pages. `OpenAI`'s encodings: the table of its `tiktoken`.
pub(super) const ENTRIES: &[(&str, ModelLimits)] = &[
    // o200k_base
    (
        "gpt-4o",
        ModelLimits::new(128_000, O200kBase).with_output_cap(16_384),
    ),
    (
        "gpt-4o-2024-05-13",
        ModelLimits::new(128_000, O200kBase).with_output_cap(4_096),
    ),
    (
        "chatgpt-4o",
        ModelLimits::new(128_000, O200kBase).with_output_cap(16_384),
    ),
    (
        "gpt-4.1",
        ModelLimits::new(1_047_576, O200kBase).with_output_cap(32_768),
    ),
    (
        "gpt-4.5",
        ModelLimits::new(128_000, O200kBase).with_output_cap(16_384),
    ),
    ("gpt-5", gpt_5()),
    ("gpt-5-chat", gpt_5_chat()),
    ("gpt-5.1-chat", gpt_5_chat()),
    ("gpt-5.2-chat", gpt_5_chat()),
    ("o1", reasoning()),
    (
        "o1-mini",
        ModelLimits::new(128_000, O200kBase).with_output_cap(65_536),
    ),
    (
        "o1-preview",
        ModelLimits::new(128_000, O200kBase).with_output_cap(32_768),
    ),
    ("o3", reasoning()),
    ("o4-mini", reasoning()),
    ("codex-mini", reasoning()),
    // Its o200k_harmony differs in special tokens only.
    ("gpt-oss", ModelLimits::new(131_072, O200kBase)),
    // cl100k_base
    ("gpt-4", ModelLimits::new(8_192, Cl100kBase)),
    ("gpt-4-32k", ModelLimits::new(32_768, Cl100kBase)),
    ("gpt-4-turbo", gpt_4_turbo()),
    ("gpt-4-1106", gpt_4_turbo()),
    ("gpt-4-0125", gpt_4_turbo()),
    ("gpt-3.5-turbo", gpt_35_turbo()),
    // The same on Azure, which allows no dot in a name.
    ("gpt-35-turbo", gpt_35_turbo()),
    ("text-embedding-3", ModelLimits::new(8_192, Cl100kBase)),
    (
        "text-embedding-ada-002",
        ModelLimits::new(8_192, Cl100kBase),
    ),
    // Encodings that are not public.
    ("grok-3", ModelLimits::guessed(131_072)),
    ("grok-4", ModelLimits::guessed(256_000)),
    ("grok-code-fast-1", ModelLimits::guessed(256_000)),
    ("grok-4-fast", ModelLimits::guessed(2_000_000)),
    ("grok-4.1-fast", ModelLimits::guessed(2_000_000)),
    ("grok-4-1-fast", ModelLimits::guessed(2_000_000)),
    ("grok-4.20", ModelLimits::guessed(2_000_000)),
    // Deployments of these often allow less.
    ("llama-3.1", ModelLimits::guessed(128_000)),
    ("llama-3.3", ModelLimits::guessed(128_000)),
    ("meta-llama-3.1", ModelLimits::guessed(128_000)),
    ("mistral-large", ModelLimits::guessed(128_000)),
];

const fn gpt_5() -> ModelLimits {
    ModelLimits::new(400_000, O200kBase)
        .with_input_cap(272_000)
        .with_output_cap(128_000)
}

const fn gpt_5_chat() -> ModelLimits {
    ModelLimits::new(128_000, O200kBase).with_output_cap(16_384)
}

const fn reasoning() -> ModelLimits {
    ModelLimits::new(200_000, O200kBase).with_output_cap(100_000)
}

const fn gpt_4_turbo() -> ModelLimits {
    ModelLimits::new(128_000, Cl100kBase).with_output_cap(4_096)
}

const fn gpt_35_turbo() -> ModelLimits {
    ModelLimits::new(16_385, Cl100kBase).with_output_cap(4_096)
}
