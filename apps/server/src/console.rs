//! The built-in page and the API documentation, embedded in the binary.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use rust_embed::RustEmbed;

use crate::{openapi, routes::not_found};

#[derive(RustEmbed)]
#[folder = "console"]
#[exclude = "types/*"]
#[exclude = "tsconfig.json"]
#[exclude = "*.md"]
#[exclude = "*.d.ts"]
struct Files;

/// The documentation's page styles itself inline; it holds no data of anyone.
const DOCS_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
base-uri 'none'; frame-ancestors 'none'; object-src 'none'";

/// The page itself.
pub fn page() -> HttpResponse {
    file("index.html").unwrap_or_else(|| HttpResponse::NotFound().finish())
}

/// `GET /_console/{file}`: a file of the page.
pub async fn asset(path: web::Path<String>, request: HttpRequest) -> HttpResponse {
    match file(&path) {
        Some(found) => found,
        None => not_found(&request),
    }
}

fn file(path: &str) -> Option<HttpResponse> {
    let found = Files::get(path)?;
    let media_type = mime_guess::from_path(path).first_or_octet_stream();
    let content_type = match media_type.type_() {
        mime_guess::mime::TEXT => format!("{media_type}; charset=utf-8"),
        _ => media_type.to_string(),
    };
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, content_type));
    Some(response.body(found.data.into_owned()))
}

/// `GET /docs/{file}`: the API documentation.
pub async fn docs(path: web::Path<String>, request: HttpRequest) -> HttpResponse {
    let config = utoipa_swagger_ui::Config::from("/openapi.json").into();
    match utoipa_swagger_ui::serve(&path, config) {
        Ok(Some(found)) => HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, found.content_type))
            .insert_header((header::CONTENT_SECURITY_POLICY, DOCS_POLICY))
            .body(found.bytes.into_owned()),
        Ok(None) | Err(_) => not_found(&request),
    }
}

/// `GET /docs`: to the documentation's first page.
pub async fn docs_root() -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, "/docs/"))
        .finish()
}

/// `GET /openapi.json`: the description of this API.
pub async fn document() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(openapi::json())
}
