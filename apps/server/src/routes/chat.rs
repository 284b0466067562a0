//! Sending, stopping, deleting.

use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use chat_core::{
    conversation::{NewConversation, Origin},
    engine::{Send, SendInput},
    id::ConversationId,
    ports::{IdempotencyKey, Policy},
    run::Leg,
};
use dialects::{
    ai_sdk::{
        AiSdkEncoder, ChatRequest, ChatRow, ErrorBody, ErrorKind, StopResponse, Surface, decode,
    },
    frame::FrameSink,
};

use super::{MAX_BODY, query, read_body};
use crate::{caller, error::Fault, sse, state::State};

/// The longest idempotency key, in characters.
const MAX_KEY: usize = 255;

/// Stores a message and streams its answer (`docs/wire/ai-sdk.md` W20 to W24). A running answer is stopped, its text kept.
#[utoipa::path(post, path = "/api/chat", tag = "chat", security(("bearer" = [])),
    request_body = ChatRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "A repeat with the same key gives the first outcome.")),
    responses(
        (status = 200, description = "The answer as server-sent events.", content_type = "text/event-stream", body = String),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 413, body = ErrorBody),
        (status = 503, body = ErrorBody),
))]
pub async fn send(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Fault> {
    let message = decode(&read_body(payload, MAX_BODY).await?)?;
    let key = idempotency_key(&request)?;
    let caller = caller::owner(&request, &state, Surface::Chat).await?;
    let settings = state.models.resolve(message.model.as_deref()).await;
    let settings =
        settings.map_err(|error| Fault::new(ErrorKind::Offline, Surface::Chat).because(error))?;
    let send = Send {
        caller,
        conversation: message.conversation,
        create: Some(NewConversation {
            visibility: message.visibility,
            origin: Origin::AiSdk,
            title: None,
        }),
        input: SendInput {
            id: message.message,
            parts: message.parts,
        },
        policy: Policy::Replace,
        settings,
        echo: Some(state.chunks.echo()),
        key,
    };
    let sent = state
        .engine
        .send(send)
        .await
        .map_err(Fault::engine(Surface::Chat))?;
    Ok(stream(&state, &sent.leg, FrameSink::new()))
}

/// The header with the id of the answer that a stream is of.
pub(super) const MESSAGE_ID: &str = "x-skein-message-id";

/// The head of a stream of this dialect (`docs/wire/ai-sdk.md` W60).
pub(super) fn head() -> HttpResponseBuilder {
    let mut head = sse::head();
    head.insert_header(("x-vercel-ai-ui-message-stream", "v1"));
    head
}

/// A leg as a stream, from where the sink begins.
pub(super) fn stream(state: &State, leg: &Leg, sink: FrameSink) -> HttpResponse {
    let encoder = AiSdkEncoder::new(leg);
    let body = sse::body(state.engine.watch(leg.id), encoder, sink);
    head()
        .insert_header((MESSAGE_ID, leg.message.to_string()))
        .streaming(body)
}

/// Stops the running answer and keeps its text (`docs/wire/ai-sdk.md` W51). Asking again is no error.
#[utoipa::path(post, path = "/api/chat/{id}/stop", tag = "chat", security(("bearer" = [])),
    params(("id" = String, Path, description = "The chat's id.", format = Uuid)),
    responses(
        (status = 200, body = StopResponse),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
))]
pub async fn stop(
    request: HttpRequest,
    path: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Fault> {
    let caller = caller::owner(&request, &state, Surface::Chat).await?;
    let conversation = conversation_in_path(&path)?;
    let stopped = state
        .engine
        .stop(&caller, conversation)
        .await
        .map_err(Fault::engine(Surface::Chat))?;
    Ok(HttpResponse::Ok().json(StopResponse { stopped }))
}

/// Deletes a chat and gives it as it was. One that is not there is answered as one of another's (`docs/wire/ai-sdk.md` W33).
#[utoipa::path(delete, path = "/api/chat", tag = "chat", security(("bearer" = [])),
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

/// The chat that a path names. A malformed id names none.
pub(super) fn conversation_in_path(id: &str) -> Result<ConversationId, Fault> {
    id.parse()
        .map_err(|error| Fault::new(ErrorKind::NotFound, Surface::Chat).because(error))
}

/// The chat that a query parameter names.
pub(super) fn conversation_in_query(
    request: &HttpRequest,
    name: &str,
) -> Result<ConversationId, Fault> {
    let id = query(request, name)
        .ok_or_else(|| Fault::bad_request(format!("{name}: missing; a UUID is accepted")))?;
    id.parse().map_err(|_not_an_id| {
        Fault::bad_request(format!(
            "{name}: a UUID in its 36-character form is accepted"
        ))
    })
}

fn idempotency_key(request: &HttpRequest) -> Result<Option<IdempotencyKey>, Fault> {
    let Some(value) = request.headers().get("idempotency-key") else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= MAX_KEY => {
            Ok(Some(IdempotencyKey(key.to_owned())))
        }
        Ok(_) | Err(_) => Err(Fault::bad_request(format!(
            "Idempotency-Key: 1 to {MAX_KEY} visible ASCII characters are accepted"
        ))),
    }
}
