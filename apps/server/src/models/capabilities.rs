//! What models can do, as far as their names tell.

/// What a model can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// It calls functions.
    pub tools: bool,
    /// It sees images.
    pub vision: bool,
    /// It thinks before it answers.
    pub reasoning: bool,
}

/// What a model of a name that nothing is known of is taken for: most models that are served today call functions, and
/// an image for one that sees none is an error.
const UNKNOWN: Capabilities = Capabilities {
    tools: true,
    vision: false,
    reasoning: false,
};

/// Words in a name and what they say. Sources: the providers' model pages, and Ollama's library for the open ones.
const SIGHTED: &[&str] = &[
    "gpt-4o",
    "chatgpt-4o",
    "gpt-4.1",
    "gpt-4.5",
    "gpt-4-turbo",
    "gpt-5",
    "claude-3",
    "claude-haiku-4",
    "claude-sonnet-4",
    "claude-opus-4",
    "gemini",
    "gemma-3",
    "gemma3",
    "grok-4",
    "grok-2-vision",
    "kimi-k2.5",
    "llama-4",
    "llama4",
    "llava",
    "minicpm-v",
    "mistral-small3",
    "mistral-small-3",
    "mistral-medium-3",
    "molmo",
    "moondream",
    "pixtral",
    "vision",
    "-vl",
    "vl:",
    "2.5vl",
    "3vl",
    "internvl",
    // The demo model's other names.
    "mock-",
];

/// The demo model, which takes any part of a message. Others may have the word in their names.
const DEMO: &str = "demo";

const THINKING: &[&str] = &[
    "gpt-5",
    "gpt-oss",
    "deepseek-r1",
    "deepseek-reasoner",
    "gemini-2.5",
    "gemini-3",
    "grok-3-mini",
    "grok-4",
    "kimi-k2-thinking",
    "magistral",
    "qwq",
    "qwen3",
    "reasoning",
    "thinking",
];

/// Names, from their beginning, of `OpenAI`'s thinking models: too short to be looked for anywhere in a name.
const O_SERIES: &[&str] = &["o1", "o3", "o4"];

/// Those of the words above whose models do not think, or do not see, all the same.
const NOT_THINKING: &[&str] = &["non-reasoning", "gpt-5-chat", "grok-4-fast-non"];
const BLIND: &[&str] = &[
    "o1-mini",
    "o1-preview",
    "o3-mini",
    "gemma3:1b",
    "gemma-3-1b",
];

/// Models that refuse a request with functions.
const WITHOUT_TOOLS: &[&str] = &[
    "o1-mini",
    "o1-preview",
    "chatgpt-4o",
    "deepseek-r1",
    "gemma2",
    "gemma-2",
    "gemma3",
    "llava",
    "llama2",
    "llama3:",
    "moondream",
    "phi3",
    "embed",
];

impl Capabilities {
    /// What the model of this name can do. A provider's name before a slash counts as well.
    pub fn of(model: &str) -> Self {
        let name = model.trim().to_ascii_lowercase();
        let last = name.rsplit('/').next().unwrap_or_default();
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        let is_o = O_SERIES.iter().any(|series| last.starts_with(series));
        Self {
            tools: UNKNOWN.tools && !has(WITHOUT_TOOLS),
            vision: (UNKNOWN.vision || has(SIGHTED) || is_o || last == DEMO) && !has(BLIND),
            reasoning: (UNKNOWN.reasoning || has(THINKING) || is_o) && !has(NOT_THINKING),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(model: &str) -> (bool, bool, bool) {
        let found = Capabilities::of(model);
        (found.tools, found.vision, found.reasoning)
    }

    #[test]
    fn names_that_everybody_knows() {
        for (model, tools, vision, reasoning) in [
            ("gpt-4o-mini", true, true, false),
            ("openai/gpt-4.1-mini", true, true, false),
            ("gpt-4", true, false, false),
            ("gpt-3.5-turbo", true, false, false),
            ("gpt-5.2", true, true, true),
            ("gpt-5-chat-latest", true, true, false),
            ("o3-mini", true, false, true),
            ("o4-mini", true, true, true),
            ("o1-mini", false, false, true),
            ("anthropic/claude-sonnet-4.5", true, true, false),
            ("anthropic/claude-3.7-sonnet-thinking", true, true, true),
            ("google/gemini-3-pro-preview", true, true, true),
            ("xai/grok-4.1-fast-non-reasoning", true, true, false),
            ("xai/grok-code-fast-1-thinking", true, false, true),
            ("moonshotai/kimi-k2.5", true, true, false),
            ("openai/gpt-oss-120b", true, false, true),
            ("deepseek-r1:14b", false, false, true),
            ("qwen2.5vl:7b", true, true, false),
            ("qwen/qwen2.5-vl-72b-instruct", true, true, false),
            ("gemma3:1b", false, false, false),
            ("llama3.2-vision", true, true, false),
            ("mock-demo", true, true, false),
            ("demo", true, true, false),
            ("demonstrator", true, false, false),
            ("a-model-that-nobody-knows", true, false, false),
            ("", true, false, false),
        ] {
            assert_eq!(of(model), (tools, vision, reasoning), "{model}");
        }
    }
}
