//! The caller's conversations.

use actix_web::{HttpRequest, HttpResponse, web};
use chat_core::ports::{HistoryCursor, HistoryQuery};
use dialects::ai_sdk::{
    DeletedResponse, ErrorBody, HistoryFrom, HistoryRequest, HistoryResponse, Surface,
};

use super::query;
use crate::{caller, error::Fault, state::State};

/// Lists the caller's chats, newest first (`docs/wire/ai-sdk.md` W25 and W42).
#[utoipa::path(get, path = "/api/history", operation_id = "history", tag = "chat", security(("bearer" = [])),
    params(
        ("limit" = Option<u32>, Query, description = "1 to 100; 10 unless given."),
        ("ending_before" = Option<String>, Query, description = "Only chats older than this one.", format = Uuid),
        ("starting_after" = Option<String>, Query, description = "Only chats newer than this one.", format = Uuid),
    ),
    responses(
        (status = 200, body = HistoryResponse),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 404, description = "The chat that the page is to begin at is not there.", body = ErrorBody),
))]
pub async fn list(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Fault> {
    let parameter = |name| query(&request, name);
    let asked = HistoryRequest::decode(
        parameter("limit").as_deref(),
        parameter("starting_after").as_deref(),
        parameter("ending_before").as_deref(),
    )?;
    let owner = caller::owner(&request, &state, Surface::Chat).await?;
    // A place in another's list is no place of this one, and does not tell whether it exists.
    let place = async |id| {
        let found = state.engine.own_conversation(&owner, id).await;
        found
            .map(|found| (found.created_at_ms, id))
            .map_err(Fault::engine(Surface::Chat))
    };
    let cursor = match asked.from {
        HistoryFrom::Newest => HistoryCursor::Newest,
        HistoryFrom::OlderThan(id) => place(id)
            .await
            .map(|(at, id)| HistoryCursor::OlderThan(at, id))?,
        HistoryFrom::NewerThan(id) => place(id)
            .await
            .map(|(at, id)| HistoryCursor::NewerThan(at, id))?,
    };
    let limit = asked.limit;
    let page = state
        .engine
        .conversations(HistoryQuery {
            owner,
            cursor,
            limit,
        })
        .await;
    let page = page.map_err(Fault::engine(Surface::Chat))?;
    Ok(HttpResponse::Ok().json(HistoryResponse::new(&page)))
}

/// Deletes all of the caller's chats that were there, and says how many. Running answers among them are stopped, and nothing of
/// them is kept.
#[utoipa::path(delete, path = "/api/history", operation_id = "delete_history", tag = "chat", security(("bearer" = [])),
    responses(
        (status = 200, body = DeletedResponse),
        (status = 401, body = ErrorBody),
))]
pub async fn delete_all(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Fault> {
    let caller = caller::owner(&request, &state, Surface::Chat).await?;
    let count = state.engine.delete_all(&caller).await;
    let count = count.map_err(Fault::engine(Surface::Chat))?;
    Ok(HttpResponse::Ok().json(DeletedResponse::new(count)))
}
