//! Signing in. Guests come in here; accounts with passwords do not exist yet.

use actix_web::{HttpResponse, web};
use auth::{Caller, CallerKind, guest_email};
use chat_core::id::UserId;
use dialects::ai_sdk::{self, ErrorBody, ErrorKind, Surface, TokenResponse, UserView};
use records::{NewUser, User, UserKind, UserRefusal};

use crate::{error::Fault, state::State};

/// How often a guest is given another name when the first is taken.
const ATTEMPTS: u32 = 8;

/// Makes a guest and gives its token (`docs/wire/ai-sdk.md` W50). A body is ignored.
#[utoipa::path(post, path = "/api/auth/guest", tag = "auth", responses(
    (status = 200, body = TokenResponse),
    (status = 503, description = "Not right now.", body = ErrorBody),
))]
pub async fn guest(state: web::Data<State>) -> Result<HttpResponse, Fault> {
    let user = make_guest(&state).await?;
    // The first message is near: the vocabulary that it is counted with is loaded meanwhile.
    state.engine.warm_up(state.models.encoding());
    let caller = Caller {
        user: user.id.uuid(),
        kind: CallerKind::Guest,
        email: Some(user.email.clone()),
    };
    Ok(HttpResponse::Ok().json(TokenResponse::new(
        state.keys.issue(&caller, state.clock.now_ms()).token,
        UserView::new(user.id, user.email, kind_name(user.kind)),
    )))
}

async fn make_guest(state: &State) -> Result<User, Fault> {
    let now_ms = state.clock.now_ms();
    for attempt in 0..ATTEMPTS {
        // The bare time is the name that frontends know; when two come in one millisecond a random number tells them apart.
        let salt = if attempt == 0 {
            0
        } else {
            state.ids.random().as_fields().0
        };
        let user = NewUser {
            id: UserId::new(state.ids.random()),
            email: guest_email(now_ms, salt),
            kind: UserKind::Guest,
            at_ms: now_ms,
        };
        match state
            .users
            .insert_user(user)
            .await
            .map_err(Fault::store(Surface::Auth))?
        {
            Ok(user) => return Ok(user),
            Err(UserRefusal::EmailTaken) => {}
        }
    }
    Err(Fault::new(ErrorKind::Offline, Surface::Auth))
}

const fn kind_name(kind: UserKind) -> ai_sdk::UserKind {
    match kind {
        UserKind::Guest => ai_sdk::UserKind::Guest,
        UserKind::Regular => ai_sdk::UserKind::Regular,
    }
}
