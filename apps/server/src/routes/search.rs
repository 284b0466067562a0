//! Searching the caller's own messages.

use actix_web::{HttpRequest, HttpResponse, web};
use chat_core::ports::SearchQuery;
use dialects::ai_sdk::{ErrorBody, SearchRequest, SearchResponse, Surface};

use super::query;
use crate::{caller, error::Fault, state::State};

/// Finds the caller's own messages that hold every word, newest first (`docs/wire/ai-sdk.md` W28).
#[utoipa::path(get, path = "/api/search", operation_id = "search", tag = "chat", security(("bearer" = [])),
    params(
        ("q" = String, Query, description = "Words, 1 to 200 characters."),
        ("limit" = Option<u32>, Query, description = "1 to 50; 20 unless given."),
    ),
    responses(
        (status = 200, body = SearchResponse),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
))]
pub async fn find(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Fault> {
    let asked = SearchRequest::decode(
        query(&request, "q").as_deref(),
        query(&request, "limit").as_deref(),
    )?;
    let owner = caller::owner(&request, &state, Surface::Chat).await?;
    let wanted = SearchQuery {
        owner,
        text: asked.text.clone(),
        limit: asked.limit,
    };
    let hits = state
        .engine
        .search(wanted)
        .await
        .map_err(Fault::engine(Surface::Chat))?;
    Ok(HttpResponse::Ok().json(SearchResponse::new(&asked.text, &hits)))
}
