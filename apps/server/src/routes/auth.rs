//! Signing in, up and out. Bearer tokens only: nothing here reads or sets a cookie.

use actix_web::{HttpRequest, HttpResponse, web};
use dialects::ai_sdk::{
    ApiError, CredentialsRequest, ErrorBody, ErrorKind, InvalidRequest, RefreshRequest,
    SessionResponse, SignedOut, Surface, TokenResponse, UserView, decode_login, decode_refresh,
    decode_register,
};

use super::{MAX_SMALL_BODY, read_body};
use crate::{
    accounts::{Attempt, NotSignedIn, SignedIn},
    caller,
    error::Fault,
    state::State,
};

/// Makes a guest and gives its token (`docs/wire/ai-sdk.md` W50). A body is ignored.
#[utoipa::path(post, path = "/api/auth/guest", tag = "auth", responses(
    (status = 200, body = TokenResponse),
    (status = 429, description = "Too many from this address; `Retry-After` says when.", body = ErrorBody),
    (status = 503, description = "Not right now.", body = ErrorBody),
))]
pub async fn guest(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Fault> {
    admit(&request, &state, Attempt::Guest)?;
    let signed_in = state.accounts.make_guest().await.map_err(fault)?;
    Ok(answer(&state, signed_in))
}

/// Makes an account. With a guest's token it is the guest's, and they keep their chats; their earlier tokens end.
#[utoipa::path(post, path = "/api/auth/register", tag = "auth", security((), ("bearer" = [])),
    request_body = CredentialsRequest,
    responses(
        (status = 200, body = TokenResponse),
        (status = 400, description = "Not an e-mail address or a password that is accepted, or the address is taken.", body = ErrorBody),
        (status = 429, description = "Too many from this address; `Retry-After` says when.", body = ErrorBody),
        (status = 503, description = "Not right now.", body = ErrorBody),
    ),
)]
pub async fn register(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Fault> {
    let body = read_body(payload, MAX_SMALL_BODY).await?;
    let asked = decode_register(&body).map_err(unfit)?;
    admit(&request, &state, Attempt::Register)?;
    let header = caller::authorization(&request);
    let signed_in = state
        .accounts
        .register(header, asked.email, asked.password)
        .await
        .map_err(fault)?;
    Ok(answer(&state, signed_in))
}

/// Signs in with an e-mail address and a password. Whichever of them is wrong, the answer is the same.
#[utoipa::path(post, path = "/api/auth/login", tag = "auth", request_body = CredentialsRequest, responses(
    (status = 200, body = TokenResponse),
    (status = 400, body = ErrorBody),
    (status = 401, description = "The address or the password is wrong.", body = ErrorBody),
    (status = 429, description = "Too many from this address or for this account; `Retry-After` says when.", body = ErrorBody),
    (status = 503, description = "Not right now.", body = ErrorBody),
))]
pub async fn login(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Fault> {
    let body = read_body(payload, MAX_SMALL_BODY).await?;
    let asked = decode_login(&body).map_err(unfit)?;
    admit(&request, &state, Attempt::Login(&asked.email))?;
    let signed_in = state
        .accounts
        .login(&asked.email, asked.password)
        .await
        .map_err(login_fault)?;
    Ok(answer(&state, signed_in))
}

/// The next pair of tokens for a refresh token, which is good for one use: a second one ends its session.
#[utoipa::path(post, path = "/api/auth/refresh", tag = "auth", request_body = RefreshRequest, responses(
    (status = 200, body = TokenResponse),
    (status = 400, body = ErrorBody),
    (status = 401, description = "The token is none, was used, or its session ended.", body = ErrorBody),
    (status = 429, description = "Too many from this address; `Retry-After` says when.", body = ErrorBody),
    (status = 503, description = "Not right now.", body = ErrorBody),
))]
pub async fn refresh(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Fault> {
    let body = read_body(payload, MAX_SMALL_BODY).await?;
    let asked = decode_refresh(&body).map_err(invalid)?;
    admit(&request, &state, Attempt::Refresh)?;
    let signed_in = state.accounts.refresh(&asked.0).await.map_err(fault)?;
    Ok(answer(&state, signed_in))
}

/// Ends the session of the bearer token, and that of the refresh token if the body has one. It is no error when there is
/// none.
#[utoipa::path(post, path = "/api/auth/logout", tag = "auth", security((), ("bearer" = [])),
    request_body(content = Option<RefreshRequest>),
    responses(
        (status = 200, body = SignedOut),
        (status = 503, description = "Not right now; the session goes on.", body = ErrorBody),
    ),
)]
pub async fn logout(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Fault> {
    let body = read_body(payload, MAX_SMALL_BODY).await?;
    // Whatever else stands there is no refresh token.
    let refresh = decode_refresh(&body).ok();
    state
        .accounts
        .logout(
            caller::authorization(&request),
            refresh.as_ref().map(|token| token.0.as_str()),
        )
        .await
        .map_err(Fault::store(Surface::Auth))?;
    Ok(HttpResponse::Ok().json(SignedOut {}))
}

/// Who the caller is.
#[utoipa::path(get, path = "/api/auth/me", tag = "auth", security(("bearer" = [])), responses(
    (status = 200, body = UserView),
    (status = 401, body = ErrorBody),
))]
pub async fn me(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Fault> {
    let user = caller::user(&request, &state, Surface::Auth).await?;
    Ok(HttpResponse::Ok().json(UserView::from(&user)))
}

/// Who the caller is and until when, or `null`: the chatbot template asks on load and on focus.
#[utoipa::path(get, path = "/api/auth/session", tag = "auth", security((), ("bearer" = [])), responses(
    (status = 200, body = Option<SessionResponse>),
))]
pub async fn session(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Fault> {
    let present = caller::present_if_any(&request, &state, Surface::Auth).await?;
    let session = present
        .map(|present| SessionResponse::new(UserView::from(&present.user), present.expires_at_ms));
    Ok(HttpResponse::Ok().json(session))
}

/// Counts a try from where the request comes from.
fn admit(request: &HttpRequest, state: &State, attempt: Attempt<'_>) -> Result<(), Fault> {
    let from = state.proxies.client(request);
    let admitted = state.accounts.limits.admit(attempt, from);
    admitted.map_err(|refused| Fault::too_often(Surface::Auth, refused.after))
}

fn answer(state: &State, signed_in: SignedIn) -> HttpResponse {
    // The first message is near: the vocabulary that it is counted with is loaded meanwhile.
    state.engine.warm_up(state.models.encoding());
    let view = UserView::from(&signed_in.user);
    let tokens = TokenResponse::new(signed_in.access_token, view)
        .renewable(signed_in.refresh_token, signed_in.expires_in_s);
    HttpResponse::Ok().json(tokens)
}

fn invalid(error: InvalidRequest) -> Fault {
    refused(error.cause).into()
}

/// An address or a password that is not accepted.
fn unfit(error: InvalidRequest) -> Fault {
    refused(error.cause)
        .with_sentence("The e-mail address or the password is not what is accepted.")
        .into()
}

/// What is not accepted at a sign-in: the frontend has words of its own for this code.
fn refused(cause: impl Into<String>) -> ApiError {
    ApiError::new(ErrorKind::BadRequest, Surface::Auth).with_cause(cause)
}

fn fault(error: NotSignedIn) -> Fault {
    match error {
        // The usual sentence: who presents a token has to sign in again.
        NotSignedIn::Refused => Fault::new(ErrorKind::Unauthorized, Surface::Auth),
        NotSignedIn::Taken => {
            refused("email: another account has the address; one that is not taken is accepted")
                .with_sentence("Another account has this e-mail address.")
                .into()
        }
        NotSignedIn::Reserved => {
            refused("email: an address that does not begin with = is accepted")
                .with_sentence("An e-mail address that begins with = is not accepted.")
                .into()
        }
        NotSignedIn::Store(error) => Fault::store(Surface::Auth)(error),
        NotSignedIn::NamesTaken | NotSignedIn::Unworked(_) | NotSignedIn::NoRandomness => {
            Fault::new(ErrorKind::Offline, Surface::Auth).because(error)
        }
    }
}

/// The same at a login, where it is the address or the password that is wrong.
fn login_fault(error: NotSignedIn) -> Fault {
    match error {
        NotSignedIn::Refused => ApiError::new(ErrorKind::Unauthorized, Surface::Auth)
            .with_sentence("The e-mail address or the password is wrong.")
            .into(),
        NotSignedIn::Taken
        | NotSignedIn::Reserved
        | NotSignedIn::NamesTaken
        | NotSignedIn::Unworked(_)
        | NotSignedIn::NoRandomness
        | NotSignedIn::Store(_) => fault(error),
    }
}
