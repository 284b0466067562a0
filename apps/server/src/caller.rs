//! Who is calling: a user or a guest, by a bearer token.

use actix_web::{HttpRequest, http::header};
use chat_core::{access::Owner, id::UserId};
use dialects::ai_sdk::{ErrorKind, Surface};
use records::User;

use crate::{error::Fault, state::State};

/// The user whose token the request carries. A missing, bad or expired token is 401, and so is one of a user who is
/// gone; the answer is about `surface`.
///
/// Called by handlers after they have checked the shape of the request (`docs/wire/ai-sdk.md` W36).
pub async fn user(request: &HttpRequest, state: &State, surface: Surface) -> Result<User, Fault> {
    let unauthorized = || Fault::new(ErrorKind::Unauthorized, surface);
    let header = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let caller = auth::bearer(header)
        .and_then(|token| state.keys.verify(token, state.clock.now_ms()))
        .map_err(|error| unauthorized().because(error))?;
    let user = state
        .users
        .find_user(UserId::new(caller.user))
        .await
        .map_err(Fault::store(surface))?;
    user.ok_or_else(unauthorized)
}

/// The same as an owner of conversations.
pub async fn owner(request: &HttpRequest, state: &State, surface: Surface) -> Result<Owner, Fault> {
    Ok(Owner::User(user(request, state, surface).await?.id))
}
