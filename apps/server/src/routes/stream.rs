//! Resuming: the stream of the newest answer, from its first frame or after the last that the client saw.

use actix_web::{HttpRequest, HttpResponse, http::Method, web};
use chat_core::{
    access::Owner,
    error::EngineError,
    id::ConversationId,
    message::{Message, Role},
    ports::Wanted,
    run::{Leg, RunStatus},
};
use dialects::{
    ai_sdk::{AiSdkEncoder, ErrorBody, Surface, append_message},
    frame::{FrameSink, last_event_id},
};
use tokio::time::{Duration, timeout};

use super::{
    chat::{MESSAGE_ID, conversation_in_path, head, stream},
    query,
};
use crate::{caller, error::Fault, state::State};

/// An answer that ended at most this long ago is given whole to a client that came too late for its stream, in whole
/// seconds.
const JUST_FINISHED_S: i64 = 15;
/// A run that failed or was interrupted is replayed for this long.
const FAILED_REPLAY_MS: i64 = 10 * 60 * 1000;
/// With `wait=1` the answer waits at most this long for a run to start.
const WAIT: Duration = Duration::from_secs(25);

/// Streams the newest answer again and goes on live (`docs/wire/ai-sdk.md` W61 to W65).
#[utoipa::path(get, path = "/api/chat/{id}/stream", tag = "chat", security(("bearer" = [])),
    params(
        ("id" = String, Path, description = "The chat's id.", format = Uuid),
        ("wait" = Option<String>, Query, description = "`1` waits until a run starts, for 25 seconds at most."),
        ("Last-Event-ID" = Option<u64>, Header, description = "The last frame that was seen; only what follows is sent."),
        ("x-skein-message-id" = Option<String>, Header, description = "The answer that this frame was of."),
    ),
    responses(
        (status = 200, description = "The stream; empty when its answer ended a while ago.", content_type = "text/event-stream", body = String),
        (status = 204, description = "There is nothing to resume."),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
))]
pub async fn resume(
    request: HttpRequest,
    path: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Fault> {
    let caller = caller::owner(&request, &state, Surface::Chat).await?;
    let conversation = conversation_in_path(&path)?;
    let newest = state
        .engine
        .newest_leg(&caller, conversation)
        .await
        .map_err(Fault::engine(Surface::Chat))?;
    if request.method() == Method::HEAD {
        // The framework would read a stream to its end to throw it away.
        return Ok(match newest {
            Some(leg) => head()
                .insert_header((MESSAGE_ID, leg.message.to_string()))
                .finish(),
            None => HttpResponse::NoContent().finish(),
        });
    }
    let seen = newest.as_ref().and_then(|leg| seen(&request, leg));
    if query(&request, "wait").is_some_and(|wait| wait == "1") {
        return wait(&state, &caller, conversation, newest, seen).await;
    }
    match newest {
        None => Ok(HttpResponse::NoContent().finish()),
        Some(leg) if is_replayed(&leg, seen, state.clock.now_ms()) => {
            replay(&state, &caller, &leg, seen).await
        }
        Some(leg) => finished(&state, &caller, &leg).await,
    }
}

/// The last frame of this leg that the client says it saw. One that was of another answer counts for nothing.
fn seen(request: &HttpRequest, leg: &Leg) -> Option<u64> {
    let header = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let of_another = header(MESSAGE_ID).is_some_and(|id| id != leg.message.to_string());
    header("last-event-id")
        .filter(|_| !of_another)
        .and_then(last_event_id)
}

/// Whether the leg's own frames are the answer: it goes on, it fell short a moment ago, or the client had a part of it.
fn is_replayed(leg: &Leg, seen: Option<u64>, now_ms: i64) -> bool {
    let Some(closed_at_ms) = leg.closed_at_ms else {
        return true;
    };
    if seen.is_some() {
        return true;
    }
    match leg.status {
        RunStatus::Failed => now_ms - closed_at_ms <= FAILED_REPLAY_MS,
        RunStatus::Queued
        | RunStatus::InProgress
        | RunStatus::RequiresAction
        | RunStatus::Cancelling => true,
        RunStatus::Completed
        | RunStatus::Cancelled
        | RunStatus::Incomplete
        | RunStatus::Expired => false,
    }
}

/// The leg's frames, for readers of another's chat without those of documents, which are their owner's alone.
async fn replay(
    state: &State,
    caller: &Owner,
    leg: &Leg,
    seen: Option<u64>,
) -> Result<HttpResponse, Fault> {
    let conversation = state.engine.conversation(caller, leg.conversation).await;
    let conversation = conversation.map_err(Fault::engine(Surface::Chat))?;
    let encoder = AiSdkEncoder::new(leg);
    let encoder = if conversation.owner == *caller {
        encoder
    } else {
        encoder.without_documents()
    };
    let sink = seen.map_or_else(FrameSink::new, FrameSink::after);
    Ok(stream(state, leg, encoder, sink))
}

/// The answer to a client that came after the end: the whole message if that was just now, else an empty stream.
async fn finished(state: &State, caller: &Owner, leg: &Leg) -> Result<HttpResponse, Fault> {
    let newest = state
        .engine
        .messages(caller, leg.conversation, Wanted::Before(u64::MAX), 1)
        .await;
    let newest = newest.map_err(Fault::engine(Surface::Chat))?.messages.pop();
    let age_s = leg
        .closed_at_ms
        .map_or(0, |closed| (state.clock.now_ms() - closed) / 1000);
    let body = match newest {
        Some(message) if is_answer(&message) && age_s <= JUST_FINISHED_S => {
            append_message(&message, state.chunks)
        }
        Some(_) | None => Vec::new(),
    };
    Ok(head().body(body))
}

fn is_answer(message: &Message) -> bool {
    message.role == Role::Assistant
}

/// Waits until a run goes on in the conversation, and streams it.
async fn wait(
    state: &State,
    caller: &Owner,
    conversation: ConversationId,
    newest: Option<Leg>,
    seen: Option<u64>,
) -> Result<HttpResponse, Fault> {
    if let Some(leg) = newest.filter(|leg| leg.closed_at_ms.is_none()) {
        return replay(state, caller, &leg, seen).await;
    }
    match timeout(WAIT, state.engine.next_leg(caller, conversation)).await {
        Ok(Ok(leg)) => replay(state, caller, &leg, None).await,
        // The server is going down; the page asks again and finds the next one.
        Ok(Err(EngineError::Unavailable)) | Err(_) => Ok(HttpResponse::NoContent().finish()),
        Ok(Err(error)) => Err(Fault::engine(Surface::Chat)(error)),
    }
}
