//! Images that people attach: brought with a token, read by anyone who has the address.

mod form;

use actix_web::{
    HttpRequest, HttpResponse,
    body::SizedStream,
    http::{
        Method, StatusCode,
        header::{
            self, ACCEPT_RANGES, ByteRangeSpec, ContentDisposition, ContentRange, ContentRangeSpec,
            DispositionParam, DispositionType, ETag, EntityTag, Header as _, IfNoneMatch, IfRange,
            Range,
        },
    },
    web,
};
use bytes::Bytes;
use chat_core::access::Owner;
use dialects::ai_sdk::{ApiError, ErrorBody, ErrorKind, Surface, UploadFault, UploadResponse};
use futures_util::stream;
use records::StoredFile;

use super::query;
use crate::{
    attachments::{ImageKind, NoImage, NoUpload},
    caller,
    error::Fault,
    state::State,
};
use form::{Form, Unread};

/// For a year, and not in caches that many share: who deletes an upload should not find it in one of those.
const CACHE: &str = "private, max-age=31536000, immutable";
/// What somebody brought runs nothing and loads nothing, should a browser open it as a page.
const POLICY: &str = "default-src 'none'; sandbox";

/// The form of an upload.
#[derive(Debug, utoipa::ToSchema)]
#[expect(dead_code, reason = "it describes a body that is read as it comes")]
pub struct UploadForm {
    /// A JPEG or PNG of at most 5242880 bytes.
    #[schema(value_type = String, format = Binary)]
    file: Bytes,
}

/// The bytes of a file.
#[derive(Debug, utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "it describes a body that is written as it comes")]
pub struct FileBytes(Bytes);

/// Stores an image for the next message (`docs/wire/ai-sdk.md` W37 and W57). What sort of image it is, its bytes say.
#[utoipa::path(post, path = "/api/files/upload", operation_id = "upload", tag = "files", security(("bearer" = [])),
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, body = UploadResponse),
        (status = 400, description = "No file, or one that is too large or no JPEG or PNG; `error` has a sentence for each.", body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 500, description = "The form could not be read, or the file could not be stored.", body = ErrorBody),
))]
pub async fn upload(
    request: HttpRequest,
    body: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Fault> {
    store(&request, body, &state)
        .await
        .map_err(Fault::with_cause_as_error)
}

async fn store(
    request: &HttpRequest,
    body: web::Payload,
    state: &State,
) -> Result<HttpResponse, Fault> {
    // Before the body: nobody's bytes are held for someone who may not bring them.
    let user = caller::user(request, state, Surface::Api).await?;
    let form = match form::read(request, body).await {
        Ok(Some(form)) => form,
        Ok(None) => return Err(ApiError::upload(&[UploadFault::NoFile]).into()),
        Err(Unread::TooLarge) => return Err(ApiError::upload(&[UploadFault::TooLarge]).into()),
        Err(error) => {
            return Err(Fault::from(ApiError::upload(&[UploadFault::Unreadable])).because(error));
        }
    };
    let kind = check(&form).map_err(|faults| refused(&faults))?;
    let owner = Owner::User(user.id);
    let stored = state
        .uploads
        .store(owner, &form.name, kind, form.bytes)
        .await;
    let upload = stored.map_err(|error| match error {
        NoUpload::TooMany(_) => refused(&[error.to_string()]),
        NoUpload::Refused(_) => {
            Fault::from(ApiError::upload(&[UploadFault::NotStored])).because(error)
        }
        NoUpload::Store(error) => Fault::store(Surface::Api)(error),
    })?;
    Ok(HttpResponse::Ok().json(UploadResponse {
        download_url: format!("{}?download=1", upload.url),
        url: upload.url,
        content_type: upload.kind.media_type().to_owned(),
        content_disposition: disposition(&upload.name, false).to_string(),
        pathname: upload.name,
    }))
}

/// What sort of image the form brought, or everything that is wrong with it.
fn check(form: &Form) -> Result<ImageKind, Vec<String>> {
    let mut faults = Vec::new();
    if form.is_too_large {
        faults.push(UploadFault::TooLarge.sentence().to_owned());
    }
    let declared = form.media_type.as_deref();
    let is_declared = declared.and_then(ImageKind::from_media_type).is_some();
    let found = if form.is_too_large {
        // What is left of it tells its type and not more.
        ImageKind::of(&form.bytes).ok_or(NoImage::OtherType)
    } else {
        ImageKind::check(&form.bytes)
    };
    match found {
        Ok(kind) if is_declared && faults.is_empty() => return Ok(kind),
        Ok(_) if is_declared => {}
        Ok(_) => faults.push(NoImage::OtherType.to_string()),
        Err(error) => faults.push(error.to_string()),
    }
    Err(faults)
}

fn refused(sentences: &[String]) -> Fault {
    ApiError::new(ErrorKind::BadRequest, Surface::Api)
        .with_cause(sentences.join(", "))
        .into()
}

/// Gives an uploaded image. No token is needed: whoever has the address may read it.
#[utoipa::path(get, path = "/api/files/blob/{id}/{name}", operation_id = "file", tag = "files",
    params(
        ("id" = String, Path, description = "The upload's id.", format = Uuid),
        ("name" = String, Path, description = "The upload's name; no other leads to it."),
        ("download" = Option<String>, Query, description = "`1` has browsers save it."),
        ("Range" = Option<String>, Header, description = "One range of bytes, such as `bytes=0-99`."),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of what the client has."),
    ),
    responses(
        (status = 200, description = "The image.", content((FileBytes = "image/jpeg"), (FileBytes = "image/png"))),
        (status = 206, description = "A range of its bytes.", content((FileBytes = "image/jpeg"), (FileBytes = "image/png"))),
        (status = 304, description = "The client has it."),
        (status = 404, description = "No upload has this address.", body = ErrorBody),
        (status = 416, description = "It has no such range; `Content-Range` has its size."),
))]
pub async fn blob(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    state: web::Data<State>,
) -> Result<HttpResponse, Fault> {
    let (id, name) = path.into_inner();
    let fault = Fault::store(Surface::Api);
    let file = state.uploads.find(&id, &name).await.map_err(&fault)?;
    let file = file.ok_or_else(not_found)?;
    let tag = EntityTag::new_strong(hex(&file.sha256));
    if is_known(&request, &tag) {
        return Ok(head(StatusCode::NOT_MODIFIED, &tag).finish());
    }
    let (status, range) = match wanted(&request, &tag, file.bytes) {
        Wanted::All => (StatusCode::OK, None),
        Wanted::Range(first, last) => (StatusCode::PARTIAL_CONTENT, Some((first, last))),
        Wanted::Nothing => {
            let mut answer = head(StatusCode::RANGE_NOT_SATISFIABLE, &tag);
            return Ok(answer.insert_header(content_range(None, &file)).finish());
        }
    };
    let mut answer = head(status, &tag);
    let saved = query(&request, "download").is_some_and(|download| download == "1");
    answer
        .content_type(file.media_type.as_str())
        .insert_header(disposition(&file.name, saved));
    if range.is_some() {
        answer.insert_header(content_range(range, &file));
    }
    let bytes = range.map_or(file.bytes, |(first, last)| last - first + 1);
    if request.method() == Method::HEAD {
        // The length is told; the framework would read the bytes to throw them away.
        return Ok(answer.body(SizedStream::new(
            bytes,
            stream::empty::<std::io::Result<Bytes>>(),
        )));
    }
    let range = range.map(|(first, last)| first..last + 1);
    let read = state.uploads.read(file.id, range).await.map_err(&fault)?;
    let read = read.ok_or_else(not_found)?;
    Ok(answer.body(SizedStream::new(bytes, read)))
}

fn not_found() -> Fault {
    Fault::new(ErrorKind::NotFound, Surface::Api).with_error()
}

/// What every answer with an upload says.
fn head(status: StatusCode, tag: &EntityTag) -> actix_web::HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header(ETag(tag.clone()))
        .insert_header((header::CACHE_CONTROL, CACHE))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        // Pages of frontends that are served from elsewhere show it.
        .insert_header((header::CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin"))
        .insert_header((ACCEPT_RANGES, "bytes"));
    answer
}

fn disposition(name: &str, saved: bool) -> ContentDisposition {
    ContentDisposition {
        disposition: if saved {
            DispositionType::Attachment
        } else {
            DispositionType::Inline
        },
        parameters: vec![DispositionParam::Filename(name.to_owned())],
    }
}

fn content_range(range: Option<(u64, u64)>, file: &StoredFile) -> ContentRange {
    ContentRange(ContentRangeSpec::Bytes {
        range,
        instance_length: Some(file.bytes),
    })
}

/// Whether the client has it already.
fn is_known(request: &HttpRequest, tag: &EntityTag) -> bool {
    if !request.headers().contains_key(header::IF_NONE_MATCH) {
        return false;
    }
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(tag)),
        Err(_) => false,
    }
}

/// How much of a file is wanted.
enum Wanted {
    All,
    /// From the first to the last byte.
    Range(u64, u64),
    /// A range that the file does not have.
    Nothing,
}

/// One range is given; several at once, and what is no range, is the whole file, as RFC 9110 (14.2) allows.
fn wanted(request: &HttpRequest, tag: &EntityTag, bytes: u64) -> Wanted {
    if !request.headers().contains_key(header::RANGE) {
        return Wanted::All;
    }
    if request.headers().contains_key(header::IF_RANGE) {
        match IfRange::parse(request) {
            Ok(IfRange::EntityTag(known)) if known.strong_eq(tag) => {}
            // No date is told of a file, so that none is the right one.
            Ok(IfRange::EntityTag(_) | IfRange::Date(_)) | Err(_) => return Wanted::All,
        }
    }
    let ranges = match Range::parse(request) {
        Ok(Range::Bytes(ranges)) => ranges,
        Ok(Range::Unregistered(..)) | Err(_) => return Wanted::All,
    };
    match ranges.as_slice() {
        // Its end before its beginning is no range at all.
        [ByteRangeSpec::FromTo(first, last)] if last < first => Wanted::All,
        [range] => range
            .to_satisfiable_range(bytes)
            .map_or(Wanted::Nothing, |(first, last)| Wanted::Range(first, last)),
        _ => Wanted::All,
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS.get(usize::from(value)).copied().unwrap_or(b'0'));
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
