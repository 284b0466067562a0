//! What the owner of a chat thinks of its messages.

use actix_web::{HttpRequest, HttpResponse, web};
use dialects::ai_sdk::{ErrorBody, Surface, VOTED, VoteRequest, VoteRow, decode_vote};

use super::{MAX_SMALL_BODY, chat::conversation_in_query, read_body};
use crate::{caller, error::Fault, state::State};

/// Lists the votes in a chat of the caller's, those on messages in order. Others do not see them, in a public chat neither.
#[utoipa::path(get, path = "/api/vote", operation_id = "votes", tag = "chat", security(("bearer" = [])),
    params(("chatId" = String, Query, description = "The chat's id.", format = Uuid)),
    responses(
        (status = 200, body = Vec<VoteRow>),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
))]
pub async fn list(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Fault> {
    let conversation = conversation_in_query(&request, "chatId")?;
    let caller = caller::owner(&request, &state, Surface::Vote).await?;
    let ratings = state.engine.ratings(&caller, conversation).await;
    // What is missing here is the chat.
    let ratings =
        ratings.map_err(|error| Fault::engine(Surface::Vote)(error).absent_as(Surface::Chat))?;
    let rows: Vec<VoteRow> = ratings
        .into_iter()
        .map(|(message, rating)| VoteRow::new(conversation, message, rating))
        .collect();
    Ok(HttpResponse::Ok().json(rows))
}

/// Votes on a message in a chat of the caller's; the last vote counts. The body is read as JSON whatever its content type says.
#[utoipa::path(patch, path = "/api/vote", operation_id = "vote", tag = "chat", security(("bearer" = [])),
    request_body = VoteRequest,
    responses(
        (status = 200, description = "`Message voted`", content_type = "text/plain", body = String),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 413, body = ErrorBody),
))]
pub async fn vote(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Fault> {
    let vote = decode_vote(&read_body(payload, MAX_SMALL_BODY).await?)?;
    let caller = caller::owner(&request, &state, Surface::Vote).await?;
    state
        .engine
        .rate(&caller, vote.conversation, vote.message, vote.rating)
        .await
        .map_err(Fault::engine(Surface::Vote))?;
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body(VOTED))
}
