//! Who is calling: a user or a guest, by a bearer token.

use actix_web::{HttpRequest, http::header};
use chat_core::access::Owner;
use dialects::ai_sdk::{ErrorKind, Surface};
use records::User;

use crate::{
    accounts::{NoCaller, Present},
    error::Fault,
    state::State,
};

/// The user whose token the request carries. A missing, bad or expired token is 401, and so is one of a user or a session
/// that is gone; the answer is about `surface`.
///
/// Called by handlers after they have checked the shape of the request (`docs/wire/ai-sdk.md` W36).
pub async fn user(request: &HttpRequest, state: &State, surface: Surface) -> Result<User, Fault> {
    let present = present(request, state, surface).await?;
    Ok(present.user)
}

/// The same with what the token says besides.
pub async fn present(
    request: &HttpRequest,
    state: &State,
    surface: Surface,
) -> Result<Present, Fault> {
    let present = state.accounts.present(authorization(request)).await;
    present.map_err(|error| fault(error, surface))
}

/// The same, or `None` where [`present`] would be 401.
pub async fn present_if_any(
    request: &HttpRequest,
    state: &State,
    surface: Surface,
) -> Result<Option<Present>, Fault> {
    match state.accounts.present(authorization(request)).await {
        Ok(present) => Ok(Some(present)),
        Err(NoCaller::Token(_) | NoCaller::Foreign(_) | NoCaller::Gone) => Ok(None),
        Err(error @ (NoCaller::NoKeys | NoCaller::Store(_))) => Err(fault(error, surface)),
    }
}

/// The same as an owner of conversations.
pub async fn owner(request: &HttpRequest, state: &State, surface: Surface) -> Result<Owner, Fault> {
    Ok(Owner::User(user(request, state, surface).await?.id))
}

/// The value of the `Authorization` header; `None` as well for one that is no text, which no token is.
pub fn authorization(request: &HttpRequest) -> Option<&str> {
    let header = request.headers().get(header::AUTHORIZATION);
    header.and_then(|value| value.to_str().ok())
}

fn fault(error: NoCaller, surface: Surface) -> Fault {
    match error {
        NoCaller::Store(error) => Fault::store(surface)(error),
        NoCaller::NoKeys => Fault::new(ErrorKind::Offline, surface).because(error),
        NoCaller::Token(_) | NoCaller::Foreign(_) | NoCaller::Gone => {
            Fault::new(ErrorKind::Unauthorized, surface).because(error)
        }
    }
}
