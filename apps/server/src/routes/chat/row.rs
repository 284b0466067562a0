//! A conversation as such: reading, changing, deleting it.

use actix_web::{HttpRequest, HttpResponse, web};
use dialects::ai_sdk::{ChangeChatRequest, ChatRow, ErrorBody, Surface, decode_change};

use super::{conversation_in_path, conversation_in_query};
use crate::{
    caller,
    error::Fault,
    routes::{MAX_SMALL_BODY, read_body},
    state::State,
};

/// Gives a chat that the caller may read.
#[utoipa::path(get, path = "/api/chat/{id}", operation_id = "chat", tag = "chat", security(("bearer" = [])),
    params(("id" = String, Path, description = "The chat's id.", format = Uuid)),
    responses(
        (status = 200, body = ChatRow),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
))]
pub async fn read(
    request: HttpRequest,
    path: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Fault> {
    let caller = caller::owner(&request, &state, Surface::Chat).await?;
    let conversation = conversation_in_path(&path)?;
    let row = state.engine.conversation(&caller, conversation).await;
    let row = row.map_err(Fault::engine(Surface::Chat))?;
    Ok(HttpResponse::Ok().json(ChatRow::new(&row)))
}

/// Changes a chat's title or who may read it, and gives it as it is now.
#[utoipa::path(patch, path = "/api/chat/{id}", operation_id = "change_chat", tag = "chat", security(("bearer" = [])),
    params(("id" = String, Path, description = "The chat's id.", format = Uuid)),
    request_body = ChangeChatRequest,
    responses(
        (status = 200, body = ChatRow),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 413, body = ErrorBody),
))]
pub async fn change(
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Fault> {
    let change = decode_change(&read_body(payload, MAX_SMALL_BODY).await?)?;
    let caller = caller::owner(&request, &state, Surface::Chat).await?;
    let conversation = conversation_in_path(&path)?;
    let row = state.engine.change(&caller, conversation, change).await;
    let row = row.map_err(Fault::engine(Surface::Chat))?;
    Ok(HttpResponse::Ok().json(ChatRow::new(&row)))
}

/// Deletes a chat and gives it as it was. One that is not there is answered as one of another's (`docs/wire/ai-sdk.md` W33).
#[utoipa::path(delete, path = "/api/chat", operation_id = "delete_chat", tag = "chat", security(("bearer" = [])),
    params(("id" = String, Query, description = "The chat's id.", format = Uuid)),
    responses(
        (status = 200, body = ChatRow),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
))]
pub async fn delete(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Fault> {
    let conversation = conversation_in_query(&request, "id")?;
    let caller = caller::owner(&request, &state, Surface::Chat).await?;
    let deleted = state.engine.delete(&caller, conversation).await;
    let deleted = deleted.map_err(|error| Fault::engine(Surface::Chat)(error).hiding_absence())?;
    Ok(HttpResponse::Ok().json(ChatRow::new(&deleted)))
}
