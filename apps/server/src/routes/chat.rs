//! Sending and stopping.

pub mod row;

use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use chat_core::{
    access::Owner,
    conversation::{NewConversation, Origin},
    engine::{ApprovalAnswer, Resume, Send, SendInput},
    id::ConversationId,
    ports::{IdempotencyKey, Policy},
    run::{Leg, LegSettings},
};
use dialects::{
    ai_sdk::{
        AiSdkEncoder, ApprovalReply, ChatCommand, ChatRequest, ErrorBody, ErrorKind, StopResponse,
        Surface, decode_chat, request,
    },
    frame::FrameSink,
};

use super::{MAX_BODY, query, read_body};
use crate::{caller, error::Fault, origin, sse, state::State};

/// The longest idempotency key, in characters.
const MAX_KEY: usize = 255;

/// Stores a message and streams its answer, or goes on with an answer whose tool calls the reader has allowed or denied
/// (`docs/wire/ai-sdk.md` W20 to W24, W27). A running answer is stopped by a new message, its text kept.
#[utoipa::path(post, path = "/api/chat", tag = "chat", security(("bearer" = [])),
    request_body = ChatRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "A repeat with the same key gives the first outcome.")),
    responses(
        (status = 200, description = "The answer as server-sent events.", content_type = "text/event-stream", body = String),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, description = "There is no such answer that could go on.", body = ErrorBody),
        (status = 413, body = ErrorBody),
        (status = 429, description = "More messages than this user may send in 24 hours.", body = ErrorBody),
        (status = 503, body = ErrorBody),
))]
pub async fn send(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Fault> {
    let command = decode_chat(&read_body(payload, MAX_BODY).await?)?;
    let key = idempotency_key(&request)?;
    let user = caller::user(&request, &state, Surface::Chat).await?;
    let sent = match command {
        ChatCommand::Send(message) => {
            let send = Send {
                caller: Owner::User(user.id),
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
                answers: answers(message.replies),
                policy: Policy::Replace,
                quota: state.limits.quota(user.kind, state.clock.now_ms()),
                settings: settings(&request, &state, message.model.as_deref()).await?,
                echo: Some(state.chunks.echo()),
                key,
            };
            state.engine.send(send).await
        }
        ChatCommand::Answer(replies) => {
            let resume = Resume {
                caller: Owner::User(user.id),
                conversation: replies.conversation,
                message: replies.message,
                answers: answers(replies.replies),
                settings: settings(&request, &state, replies.model.as_deref()).await?,
                echo: Some(state.chunks.echo()),
                key,
            };
            state.engine.resume(resume).await
        }
    };
    let sent = sent.map_err(Fault::engine(Surface::Chat))?;
    let encoder = AiSdkEncoder::new(&sent.leg);
    Ok(stream(&state, &sent.leg, encoder, FrameSink::new()))
}

/// What the answer's leg is resolved to.
async fn settings(
    request: &HttpRequest,
    state: &State,
    model: Option<&str>,
) -> Result<LegSettings, Fault> {
    let origin = origin::origin(request.headers());
    let settings = state.models.resolve(model, &origin).await;
    settings.map_err(|error| Fault::new(ErrorKind::Offline, Surface::Chat).because(error))
}

fn answers(replies: Vec<ApprovalReply>) -> Vec<ApprovalAnswer> {
    let answers = replies.into_iter().map(|reply| ApprovalAnswer {
        call_id: reply.call_id,
        approved: reply.approved,
        reason: reply.reason,
    });
    answers.collect()
}

/// The header with the id of the answer that a stream is of.
pub(super) const MESSAGE_ID: &str = "x-skein-message-id";

/// The head of a stream of this dialect (`docs/wire/ai-sdk.md` W60).
pub(super) fn head() -> HttpResponseBuilder {
    let mut head = sse::head();
    head.insert_header(("x-vercel-ai-ui-message-stream", "v1"));
    head
}

/// A leg as this encoder of it tells it, from where the sink begins.
pub(super) fn stream(
    state: &State,
    leg: &Leg,
    encoder: AiSdkEncoder,
    sink: FrameSink,
) -> HttpResponse {
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
    Ok(request::id(name, query(request, name).as_deref())?)
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
