//! The routes: each path is one resource with all its methods; a known path with another method is 405 with `Allow`.

pub mod auth;
pub mod chat;
pub mod documents;
pub mod files;
pub mod history;
pub mod info;
pub mod messages;
pub mod models;
pub mod search;
pub mod stream;
pub mod suggestions;
pub mod votes;

use actix_web::{
    Handler, HttpMessage as _, HttpRequest, HttpResponse, Resource, Responder, Route, guard,
    http::{Method, header},
    web,
};
use dialects::ai_sdk::PathErrorBody;
use futures_util::StreamExt as _;
use tokio::time::{Duration, timeout};

use crate::{console, edge::RequestId, error::Fault};

/// The largest JSON body of the AI SDK chat's routes (`docs/wire/ai-sdk.md` W20).
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// The largest JSON body of the other routes, which take a few short keys.
pub const MAX_SMALL_BODY: usize = 1024 * 1024;

/// A body that takes longer than this to arrive is given up.
const BODY_WAIT: Duration = Duration::from_secs(30);

/// All routes.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .configure(signing_in)
        .service(Path::new("/").get(info::root).into_resource())
        .service(Path::new("/health").get(info::health).into_resource())
        .service(Path::new("/ready").get(info::ready).into_resource())
        .service(
            Path::new("/openapi.json")
                .get(console::document)
                .into_resource(),
        )
        .service(Path::new("/docs").get(console::docs_root).into_resource())
        .service(
            Path::new("/docs/{file:.*}")
                .get(console::docs)
                .into_resource(),
        )
        .service(
            Path::new("/_console/{file:.*}")
                .get(console::asset)
                .into_resource(),
        )
        .service(
            Path::new("/api/console/info")
                .get(info::console)
                .into_resource(),
        )
        .service(
            Path::new("/api/chat")
                .post(chat::send)
                .delete(chat::row::delete)
                .into_resource(),
        )
        .service(
            Path::new("/api/chat/{id}")
                .get(chat::row::read)
                .patch(chat::row::change)
                .into_resource(),
        )
        .service(
            Path::new("/api/chat/{id}/stream")
                .get(stream::resume)
                .into_resource(),
        )
        .service(
            Path::new("/api/chat/{id}/stop")
                .post(chat::stop)
                .into_resource(),
        )
        .service(
            Path::new("/api/history")
                .get(history::list)
                .delete(history::delete_all)
                .into_resource(),
        )
        .service(Path::new("/api/search").get(search::find).into_resource())
        .service(Path::new("/api/models").get(models::list).into_resource())
        .service(
            Path::new("/api/messages")
                .get(messages::list)
                .delete(messages::delete)
                .into_resource(),
        )
        .service(
            Path::new("/api/vote")
                .get(votes::list)
                .patch(votes::vote)
                .into_resource(),
        )
        .service(
            Path::new("/api/document")
                .get(documents::list)
                .post(documents::save)
                .delete(documents::delete)
                .into_resource(),
        )
        .service(
            Path::new("/api/suggestions")
                .get(suggestions::list)
                .into_resource(),
        )
        .service(
            Path::new("/api/files/upload")
                .post(files::upload)
                .into_resource(),
        )
        .service(
            Path::new("/api/files/blob/{id}/{name}")
                .get(files::blob)
                .into_resource(),
        )
        .default_service(web::to(|request: HttpRequest| async move {
            not_found(&request)
        }));
}

fn signing_in(config: &mut web::ServiceConfig) {
    config
        .service(
            Path::new("/api/auth/guest")
                .post(auth::guest)
                .into_resource(),
        )
        .service(
            Path::new("/api/auth/register")
                .post(auth::register)
                .into_resource(),
        )
        .service(
            Path::new("/api/auth/login")
                .post(auth::login)
                .into_resource(),
        )
        .service(
            Path::new("/api/auth/refresh")
                .post(auth::refresh)
                .into_resource(),
        )
        .service(
            Path::new("/api/auth/logout")
                .post(auth::logout)
                .into_resource(),
        )
        .service(Path::new("/api/auth/me").get(auth::me).into_resource())
        .service(
            Path::new("/api/auth/session")
                .get(auth::session)
                .into_resource(),
        );
}

/// A path and its methods.
struct Path {
    pattern: &'static str,
    routes: Vec<Route>,
    methods: Vec<&'static str>,
}

impl Path {
    const fn new(path: &'static str) -> Self {
        Self {
            pattern: path,
            routes: Vec::new(),
            methods: Vec::new(),
        }
    }

    /// A GET, which is a HEAD as well.
    fn get<F: Handler<Args>, Args: actix_web::FromRequest + 'static>(mut self, handler: F) -> Self
    where
        F::Output: Responder + 'static,
    {
        self.methods.extend(["GET", "HEAD"]);
        let either = guard::Any(guard::Get()).or(guard::Head());
        self.routes.push(Route::new().guard(either).to(handler));
        self
    }

    fn post<F: Handler<Args>, Args: actix_web::FromRequest + 'static>(self, handler: F) -> Self
    where
        F::Output: Responder + 'static,
    {
        self.method(Method::POST, "POST", handler)
    }

    fn patch<F: Handler<Args>, Args: actix_web::FromRequest + 'static>(self, handler: F) -> Self
    where
        F::Output: Responder + 'static,
    {
        self.method(Method::PATCH, "PATCH", handler)
    }

    fn delete<F: Handler<Args>, Args: actix_web::FromRequest + 'static>(self, handler: F) -> Self
    where
        F::Output: Responder + 'static,
    {
        self.method(Method::DELETE, "DELETE", handler)
    }

    fn method<F: Handler<Args>, Args: actix_web::FromRequest + 'static>(
        mut self,
        method: Method,
        name: &'static str,
        handler: F,
    ) -> Self
    where
        F::Output: Responder + 'static,
    {
        self.methods.push(name);
        self.routes.push(web::method(method).to(handler));
        self
    }

    fn into_resource(self) -> Resource {
        let allow = self.methods.join(", ");
        let mut resource = web::resource(self.pattern);
        for route in self.routes {
            resource = resource.route(route);
        }
        resource.default_service(web::to(move |request: HttpRequest| {
            let answer = wrong_method(&request, &allow);
            async move { answer }
        }))
    }
}

/// The answer for a path that is none of ours (`docs/wire/ai-sdk.md` W35).
pub fn not_found(request: &HttpRequest) -> HttpResponse {
    let mut answer = HttpResponse::NotFound();
    answer.content_type("application/json");
    if is_api(request) {
        answer.body(PathErrorBody::unknown_path(&request_id(request)).to_json())
    } else {
        answer.body(r#"{"detail":"Not Found"}"#)
    }
}

fn wrong_method(request: &HttpRequest, allow: &str) -> HttpResponse {
    let mut answer = HttpResponse::MethodNotAllowed();
    answer
        .content_type("application/json")
        .insert_header((header::ALLOW, allow));
    if is_api(request) {
        answer.body(PathErrorBody::wrong_method(&request_id(request)).to_json())
    } else {
        answer.body(r#"{"detail":"Method Not Allowed"}"#)
    }
}

fn is_api(request: &HttpRequest) -> bool {
    request.path() == "/api" || request.path().starts_with("/api/")
}

fn request_id(request: &HttpRequest) -> String {
    request
        .extensions()
        .get::<RequestId>()
        .map(|id| id.0.clone())
        .unwrap_or_default()
}

/// The whole body, whatever its content type says; at most `limit` bytes, and within half a minute.
async fn read_body(mut payload: web::Payload, limit: usize) -> Result<Vec<u8>, Fault> {
    let reading = async {
        let mut body = Vec::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|error| {
                Fault::bad_request("the body ended early").because(Unread(error))
            })?;
            if body.len() + chunk.len() > limit {
                return Err(Fault::too_large(limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    };
    timeout(BODY_WAIT, reading)
        .await
        .unwrap_or_else(|_| Err(Fault::bad_request("the body did not arrive in time")))
}

/// Why a body could not be read. The framework's own error cannot be sent between threads in every version.
#[derive(Debug, thiserror::Error)]
#[error("the body could not be read: {0}")]
struct Unread(actix_web::error::PayloadError);

/// The value of a query parameter; the first one if it is given twice.
fn query(request: &HttpRequest, name: &str) -> Option<String> {
    let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string()).ok()?;
    pairs
        .into_inner()
        .into_iter()
        .find_map(|(key, value)| (key == name).then_some(value))
}
