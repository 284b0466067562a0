use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// The models to choose from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct ModelsResponse {
    /// What each can do, by its id.
    pub capabilities: BTreeMap<String, ModelCapabilities>,
    /// They, in the operator's order.
    pub models: Vec<ModelRow>,
}

impl ModelsResponse {
    /// The answer with these models, in this order. Of several with one id the first counts.
    pub fn new(models: impl IntoIterator<Item = ModelRow>) -> Self {
        let mut answer = Self::default();
        for model in models {
            if !answer.capabilities.contains_key(&model.id) {
                answer
                    .capabilities
                    .insert(model.id.clone(), model.capabilities);
                answer.models.push(model);
            }
        }
        answer
    }
}

/// A model to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ModelRow {
    /// The name that `selectedChatModel` takes.
    pub id: String,
    /// The name that people see.
    pub name: String,
    /// Who serves it.
    pub provider: String,
    /// One sentence about it; empty when there is none.
    pub description: String,
    /// What it can do.
    pub capabilities: ModelCapabilities,
}

/// What a model can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct ModelCapabilities {
    /// Call tools; without it the model is offered none.
    pub tools: bool,
    /// See images; without it a frontend takes no attachments.
    pub vision: bool,
    /// Show its thinking.
    pub reasoning: bool,
}
