use chat_core::run::Usage;
use serde::Serialize;
use utoipa::ToSchema;

/// What an answer cost, in tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageView {
    /// Of the prompt.
    pub input_tokens: u64,
    /// Of the answer, reasoning included.
    pub output_tokens: u64,
    /// Both.
    pub total_tokens: u64,
    /// Of the answer's, reasoning; left out when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    /// Of the prompt's, read from a cache; left out when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_input_tokens: Option<u64>,
    /// What there was to spend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<ContextView>,
    /// The model that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
}

/// What a model takes, in tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContextView {
    /// Its window: prompt and answer together.
    pub total_max: u32,
}

impl UsageView {
    /// This usage of this model, which has this window.
    pub fn new(usage: &Usage, model: Option<&str>, window: Option<u32>) -> Self {
        let positive = |tokens: u64| (tokens > 0).then_some(tokens);
        Self {
            input_tokens: usage.input,
            output_tokens: usage.output,
            total_tokens: usage.total(),
            reasoning_tokens: positive(usage.reasoning),
            cached_input_tokens: positive(usage.cached_input),
            context: window
                .filter(|window| *window > 0)
                .map(|total_max| ContextView { total_max }),
            model_id: model.map(str::to_owned),
        }
    }
}
