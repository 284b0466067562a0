//! What every request and every answer has: an id, a line in the log, safe headers, an error's body.

use actix_web::{
    Error, HttpMessage as _, HttpResponse,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};
use chat_core::ports::IdSource as _;
use tokio::time::Instant;

use crate::{attachments::loggable, error::Fault, state::State, system::RandomIds};

/// The header with the request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that a proxy may give a request.
const MAX_REQUEST_ID: usize = 128;

/// Pages may load what this server serves and nothing else, but for images that stand in a message or a document themselves.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// The id of a request, as the log and the answer have it.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Gives the request an id, logs its answer, writes an error's body.
pub async fn wrap<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let began = Instant::now();
    let id = request_id(&request);
    request.extensions_mut().insert(RequestId(id.clone()));
    let (method, path) = (
        request.method().clone(),
        loggable(request.path()).to_owned(),
    );
    let response = next.call(request).await?;
    let mut response = match fault_of(response.response().error(), &id) {
        Some(answer) => response.into_response(answer).map_into_right_body(),
        None => response.map_into_left_body(),
    };
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    let status = response.status();
    let ms = began.elapsed().as_millis();
    tracing::info!(%method, path, status = status.as_u16(), ms, request_id = id, "request");
    Ok(response)
}

/// The answer for a fault of ours, its cause logged.
fn fault_of(error: Option<&Error>, id: &str) -> Option<HttpResponse> {
    let fault = error?.as_error::<Fault>()?;
    let status = error.map_or(StatusCode::INTERNAL_SERVER_ERROR, |error| {
        error.as_response_error().status_code()
    });
    if status.is_server_error() {
        let cause = fault.cause();
        tracing::error!(error = cause, request_id = id, status = status.as_u16(), fault = %fault, "a request failed");
    }
    let mut answer = HttpResponse::build(status);
    answer.content_type("application/json");
    if let Some(seconds) = fault.retry_after_s() {
        answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        // The rest of the body may never come; the connection does not wait for it.
        answer.force_close();
    }
    Some(answer.body(fault.body(id)))
}

/// The id that a proxy gave the request, if it is a harmless one, else a new one.
fn request_id(request: &ServiceRequest) -> String {
    let given = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    let harmless = |id: &&str| {
        !id.is_empty()
            && id.len() <= MAX_REQUEST_ID
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    given
        .filter(harmless)
        .map_or_else(|| RandomIds.ordered().to_string(), str::to_owned)
}

/// Tells cross-origin pages whether they may read the answer, and answers their preflights.
pub async fn cross_origin<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let origins = request
        .app_data::<web::Data<State>>()
        .map(|state| state.origins.clone());
    let grant = origins.and_then(|origins| crate::cors::grant(&origins, request.head()));
    let mut response = if crate::cors::is_preflight(request.head()) {
        request
            .into_response(HttpResponse::NoContent().finish())
            .map_into_right_body()
    } else {
        next.call(request).await?.map_into_left_body()
    };
    crate::cors::apply(grant, response.headers_mut());
    Ok(response)
}
