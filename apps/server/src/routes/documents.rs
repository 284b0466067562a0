//! Documents: their versions, a new one, and going back to an older one.

use actix_web::{HttpRequest, HttpResponse, web};
use dialects::ai_sdk::{
    DocumentRow, ErrorBody, ErrorKind, SaveDocumentRequest, Surface, decode_document, document_id,
    restore_point,
};
use records::DocumentVersion;

use super::{MAX_BODY, query, read_body};
use crate::{
    caller,
    documents::{Draft, NoDocument},
    error::Fault,
    state::State,
};

/// Lists a document's versions, oldest first; of a long history the newest 1,000, or about 32 MiB of them.
#[utoipa::path(get, path = "/api/document", operation_id = "documentVersions", tag = "documents", security(("bearer" = [])),
    params(("id" = String, Query, description = "The document's id.", format = Uuid)),
    responses(
        (status = 200, body = Vec<DocumentRow>),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
))]
pub async fn list(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Fault> {
    let id = document_id("id", query(&request, "id").as_deref())?;
    let caller = caller::owner(&request, &state, Surface::Document).await?;
    let versions = state.documents.versions(&caller, id).await;
    Ok(rows(versions.map_err(fault(Surface::Document))?))
}

/// Stores a version, of a new document if there is none of this id, and gives it in an array. The body is read as JSON
/// whatever its content type says.
#[utoipa::path(post, path = "/api/document", operation_id = "saveDocument", tag = "documents", security(("bearer" = [])),
    params(("id" = String, Query, description = "The document's id, chosen by the client.", format = Uuid)),
    request_body = SaveDocumentRequest,
    responses(
        (status = 200, description = "The version as it is stored.", body = Vec<DocumentRow>),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 413, body = ErrorBody),
))]
pub async fn save(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Fault> {
    let document = document_id("id", query(&request, "id").as_deref())?;
    let body = decode_document(&read_body(payload, MAX_BODY).await?)?;
    let caller = caller::owner(&request, &state, Surface::Document).await?;
    let draft = Draft {
        document,
        title: body.title,
        kind: body.kind,
        content: body.content,
        amends: body.is_manual_edit,
    };
    let saved = state.documents.save(&caller, draft).await;
    Ok(rows(vec![saved.map_err(fault(Surface::Document))?]))
}

/// Goes back to an older version: deletes those that are newer than `timestamp`, with the suggestions to them, and gives
/// them oldest first (`docs/wire/ai-sdk.md` W29).
#[utoipa::path(delete, path = "/api/document", operation_id = "restoreDocument", tag = "documents", security(("bearer" = [])),
    params(
        ("id" = String, Query, description = "The document's id.", format = Uuid),
        ("timestamp" = String, Query, description = "The `createdAt` of the version to go back to; JavaScript's own way to print a date is taken too."),
    ),
    responses(
        (status = 200, description = "The versions that were deleted.", body = Vec<DocumentRow>),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
))]
pub async fn delete(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Fault> {
    let id = document_id("id", query(&request, "id").as_deref())?;
    let after = restore_point(query(&request, "timestamp").as_deref())?;
    let caller = caller::owner(&request, &state, Surface::Document).await?;
    let deleted = state.documents.delete_after(&caller, id, after).await;
    Ok(rows(deleted.map_err(fault(Surface::Document))?))
}

/// What a use case of documents failed with, as this surface tells it.
pub(super) fn fault(surface: Surface) -> impl Fn(NoDocument) -> Fault {
    move |error| match error {
        NoDocument::NotFound => Fault::new(ErrorKind::NotFound, surface),
        NoDocument::Forbidden => Fault::new(ErrorKind::Forbidden, surface),
        NoDocument::Store(error) => Fault::store(surface)(error),
    }
}

fn rows(versions: Vec<DocumentVersion>) -> HttpResponse {
    let rows: Vec<DocumentRow> = versions.into_iter().map(DocumentRow::new).collect();
    HttpResponse::Ok().json(rows)
}
