//! The models that a client may choose.

use actix_web::{HttpResponse, http::header, web};
use dialects::ai_sdk::{ModelCapabilities, ModelRow, ModelsResponse};

use crate::{
    models::{Capabilities, KnownModel},
    state::State,
};

/// Lists the models. Names that stand for the default model because old clients send them have their capabilities told, and are
/// not offered.
#[utoipa::path(get, path = "/api/models", operation_id = "models", tag = "chat",
    responses((status = 200, body = ModelsResponse)))]
pub async fn list(state: web::Data<State>) -> HttpResponse {
    let known = state.models.known();
    let hidden: Vec<(String, ModelCapabilities)> = known
        .iter()
        .filter(|model| !model.is_choice)
        .map(|model| (model.id.clone(), view(model.capabilities)))
        .collect();
    let offered = known.into_iter().filter(|model| model.is_choice).map(row);
    let mut answer = ModelsResponse::new(offered);
    answer.capabilities.extend(hidden);
    let mut response = HttpResponse::Ok();
    if !answer.models.is_empty() {
        // Before the upstream told what it has there is nothing that is worth keeping.
        response.insert_header((header::CACHE_CONTROL, "public, max-age=86400"));
    }
    response.json(answer)
}

fn row(model: KnownModel) -> ModelRow {
    let provider = model
        .id
        .split_once('/')
        .map_or("skein", |(before, _)| before);
    ModelRow {
        provider: provider.to_owned(),
        id: model.id,
        name: model.name,
        description: model.description,
        capabilities: view(model.capabilities),
    }
}

const fn view(capabilities: Capabilities) -> ModelCapabilities {
    ModelCapabilities {
        tools: capabilities.tools,
        vision: capabilities.vision,
        reasoning: capabilities.reasoning,
    }
}
