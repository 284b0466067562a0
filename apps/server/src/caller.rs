//! Who is calling: a user or a guest, by a bearer token.

use actix_web::{HttpRequest, http::header};
use chat_core::access::Owner;
use dialects::ai_sdk::{ErrorKind, Surface};
use records::User;

use crate::{accounts::NoCaller, error::Fault, state::State};

/// The user whose token the request carries. A missing, bad or expired token is 401, and so is one of a user who is
/// gone; the answer is about `surface`.
///
/// Called by handlers after they have checked the shape of the request (`docs/wire/ai-sdk.md` W36).
pub async fn user(request: &HttpRequest, state: &State, surface: Surface) -> Result<User, Fault> {
    let header = request.headers().get(header::AUTHORIZATION);
    let header = header.and_then(|value| value.to_str().ok());
    state
        .accounts
        .caller(header)
        .await
        .map_err(|error| match error {
            NoCaller::Store(error) => Fault::store(surface)(error),
            NoCaller::Token(_) | NoCaller::Gone => {
                Fault::new(ErrorKind::Unauthorized, surface).because(error)
            }
        })
}

/// The same as an owner of conversations.
pub async fn owner(request: &HttpRequest, state: &State, surface: Surface) -> Result<Owner, Fault> {
    Ok(Owner::User(user(request, state, surface).await?.id))
}
