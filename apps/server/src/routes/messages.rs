//! A conversation's messages.

use actix_web::{HttpRequest, HttpResponse, web};
use chat_core::{
    access::Owner, error::EngineError, id::ConversationId, message::Message, ports::Wanted,
};
use dialects::ai_sdk::{DeletedResponse, ErrorBody, MessagesResponse, Surface, request};

use super::{chat::conversation_in_query, query};
use crate::{caller, error::Fault, state::State};

/// Messages are read from the store in pages of this many; each may have megabytes of images.
const PAGE: u32 = 16;
/// The newest so many messages are given; a page with more is of no use to anyone.
const MOST: usize = 10_000;
/// And so many bytes of them, about; the message that passes this is the last.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// Lists a chat's messages, oldest first (`docs/wire/ai-sdk.md` W43). A chat that is not there has none.
#[utoipa::path(get, path = "/api/messages", operation_id = "messages", tag = "chat", security(("bearer" = [])),
    params(("chatId" = String, Query, description = "The chat's id.", format = Uuid)),
    responses(
        (status = 200, body = MessagesResponse),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
))]
pub async fn list(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Fault> {
    answer(&request, &state).await.map_err(Fault::with_error)
}

/// Deletes a message of the caller's and all after it in its chat, whoever said them, and says how many. An answer that is
/// being written there is stopped, and nothing of it kept.
#[utoipa::path(delete, path = "/api/messages", operation_id = "delete_messages", tag = "chat", security(("bearer" = [])),
    params(("id" = String, Query, description = "The message's id.", format = Uuid)),
    responses(
        (status = 200, body = DeletedResponse),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
))]
pub async fn delete(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Fault> {
    delete_from(&request, &state)
        .await
        .map_err(Fault::with_error)
}

async fn delete_from(request: &HttpRequest, state: &State) -> Result<HttpResponse, Fault> {
    let message = request::id("id", query(request, "id").as_deref())?;
    let caller = caller::owner(request, state, Surface::Chat).await?;
    let count = state.engine.delete_from(&caller, message).await;
    let count = count.map_err(Fault::engine(Surface::Chat))?;
    Ok(HttpResponse::Ok().json(DeletedResponse::new(count)))
}

async fn answer(request: &HttpRequest, state: &State) -> Result<HttpResponse, Fault> {
    let id = conversation_in_query(request, "chatId")?;
    let caller = caller::owner(request, state, Surface::Chat).await?;
    let conversation = match state.engine.conversation(&caller, id).await {
        Ok(conversation) => conversation,
        Err(EngineError::NotFound { .. }) => {
            return Ok(HttpResponse::Ok().json(MessagesResponse::unknown()));
        }
        Err(error) => return Err(Fault::engine(Surface::Chat)(error)),
    };
    let messages = all(state, &caller, id)
        .await
        .map_err(Fault::engine(Surface::Chat))?;
    let answer = MessagesResponse::new(&conversation, &caller, &messages, state.chunks);
    Ok(HttpResponse::Ok().json(answer))
}

async fn all(
    state: &State,
    caller: &Owner,
    conversation: ConversationId,
) -> Result<Vec<Message>, EngineError> {
    let mut newest_first: Vec<Message> = Vec::new();
    let mut before = u64::MAX;
    let mut bytes = 0;
    loop {
        let page = state
            .engine
            .messages(caller, conversation, Wanted::Before(before), PAGE)
            .await?;
        before = page.messages.last().map_or(0, |message| message.seq);
        bytes += page
            .messages
            .iter()
            .map(|message| message.body.weight())
            .sum::<usize>();
        newest_first.extend(page.messages);
        if !page.more || newest_first.len() >= MOST || bytes > MOST_BYTES || before == 0 {
            break;
        }
    }
    newest_first.reverse();
    Ok(newest_first)
}
