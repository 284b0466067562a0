//! Health, readiness, the page, and what the page asks about the server.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use dialects::ai_sdk::Surface;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{caller, console as page, error::Fault, state::State};

/// How the process is.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthResponse {
    /// `ok`, or why not: `stopping`, `no database`.
    status: &'static str,
}

/// What the console tells its reader about the server.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsoleInfoResponse {
    /// The server's version.
    version: &'static str,
    /// The model that answers; empty while none is known.
    model: String,
    /// Whether that is the demo model.
    demo: bool,
    /// The model's window, in tokens.
    window: u32,
    /// The variable that brings a real model.
    how: &'static str,
    /// Where the API documentation is.
    docs: &'static str,
}

/// `GET /`: the console for browsers, the health for everyone else.
pub async fn root(request: HttpRequest) -> HttpResponse {
    let accepts = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    let mut answer = if accepts.is_some_and(|accepts| accepts.contains("text/html")) {
        page::page()
    } else {
        HttpResponse::Ok().json(HealthResponse { status: "ok" })
    };
    answer
        .headers_mut()
        .insert(header::VARY, header::HeaderValue::from_static("Accept"));
    answer
}

/// Says that the process lives.
#[utoipa::path(get, path = "/health", tag = "server", responses((status = 200, body = HealthResponse)))]
pub async fn health() -> HttpResponse {
    HttpResponse::Ok().json(HealthResponse { status: "ok" })
}

/// Says whether commands are taken: after recovery, until the server is told to stop, and while its database answers.
#[utoipa::path(get, path = "/ready", tag = "server", responses(
    (status = 200, description = "Commands are taken.", body = HealthResponse),
    (status = 503, description = "The server is starting or stopping, or cannot reach its database.", body = HealthResponse),
))]
pub async fn ready(state: web::Data<State>) -> HttpResponse {
    let status = match (state.ready.get(), state.engine.holds_lease()) {
        (true, true) => return HttpResponse::Ok().json(HealthResponse { status: "ok" }),
        (true, false) => "no database",
        (false, _) => "stopping",
    };
    HttpResponse::ServiceUnavailable().json(HealthResponse { status })
}

/// What the console tells its reader about the server.
#[utoipa::path(get, path = "/api/console/info", tag = "server", responses((status = 200, body = ConsoleInfoResponse)))]
pub async fn console(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Fault> {
    if state.auth_required {
        caller::user(&request, &state, Surface::Api).await?;
    }
    let model = state.models.default_model().unwrap_or_default();
    Ok(HttpResponse::Ok().json(ConsoleInfoResponse {
        version: env!("CARGO_PKG_VERSION"),
        window: state.models.window(&model),
        model,
        demo: state.demo,
        how: "OPENAI_API_KEY",
        docs: "/docs/",
    }))
}
