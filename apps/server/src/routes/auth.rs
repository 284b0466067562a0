//! Signing in. Guests come in here; accounts with passwords do not exist yet.

use actix_web::{HttpResponse, web};
use dialects::ai_sdk::{self, ErrorBody, ErrorKind, Surface, TokenResponse, UserView};
use records::UserKind;

use crate::{accounts::NoGuest, error::Fault, state::State};

/// Makes a guest and gives its token (`docs/wire/ai-sdk.md` W50). A body is ignored.
#[utoipa::path(post, path = "/api/auth/guest", tag = "auth", responses(
    (status = 200, body = TokenResponse),
    (status = 503, description = "Not right now.", body = ErrorBody),
))]
pub async fn guest(state: web::Data<State>) -> Result<HttpResponse, Fault> {
    let user = state.accounts.make_guest().await;
    let user = user.map_err(|error| match error {
        NoGuest::Store(error) => Fault::store(Surface::Auth)(error),
        NoGuest::NamesTaken => Fault::new(ErrorKind::Offline, Surface::Auth).because(error),
    })?;
    // The first message is near: the vocabulary that it is counted with is loaded meanwhile.
    state.engine.warm_up(state.models.encoding());
    let token = state.accounts.token(&user);
    let view = UserView::new(user.id, user.email, kind_name(user.kind));
    Ok(HttpResponse::Ok().json(TokenResponse::new(token, view)))
}

const fn kind_name(kind: UserKind) -> ai_sdk::UserKind {
    match kind {
        UserKind::Guest => ai_sdk::UserKind::Guest,
        UserKind::Regular => ai_sdk::UserKind::Regular,
    }
}
