//! What was suggested for a document.

use actix_web::{HttpRequest, HttpResponse, web};
use dialects::ai_sdk::{ErrorBody, SuggestionRow, Surface, document_id};

use super::{documents::fault, query};
use crate::{caller, error::Fault, state::State};

/// Lists the suggestions to all versions of a document, oldest first, the newest 1,000 of them. A document that is not
/// there has none.
#[utoipa::path(get, path = "/api/suggestions", operation_id = "suggestions", tag = "documents", security(("bearer" = [])),
    params(("documentId" = String, Query, description = "The document's id.", format = Uuid)),
    responses(
        (status = 200, body = Vec<SuggestionRow>),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
))]
pub async fn list(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Fault> {
    let id = document_id("documentId", query(&request, "documentId").as_deref())?;
    let caller = caller::owner(&request, &state, Surface::Suggestions).await?;
    // The template's word for what is another's is `forbidden:api` here.
    let suggestions = state.documents.suggestions(&caller, id).await;
    let suggestions = suggestions.map_err(fault(Surface::Api))?;
    let rows: Vec<SuggestionRow> = suggestions.into_iter().map(SuggestionRow::new).collect();
    Ok(HttpResponse::Ok().json(rows))
}
