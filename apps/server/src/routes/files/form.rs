use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix_multipart::{Field, Multipart};
use actix_web::{HttpRequest, error::PayloadError, web};
use bytes::{Bytes, BytesMut};
use dialects::ai_sdk::MAX_UPLOAD;
use futures_util::{Stream, StreamExt as _};
use tokio::time::{Duration, timeout};

/// A form is read up to here. It is far more than an upload may have, so that one that is too large by mistake is read to
/// its end and the client reads the answer; a connection that closes while it still sends would show it none.
const MAX_FORM: usize = 4 * MAX_UPLOAD;
/// A form has at most this many fields. The parser bounds the headers of each: 32 of them, 64 KiB together.
const MAX_FIELDS: usize = 32;
/// A form that takes longer than this to arrive is given up.
const FORM_WAIT: Duration = Duration::from_mins(2);

/// The field `file` of a form.
#[derive(Debug)]
pub(super) struct Form {
    /// The name that the client gave it.
    pub(super) name: String,
    /// The media type that the client said it has.
    pub(super) media_type: Option<String>,
    /// The bytes; the first of them only when there are too many.
    pub(super) bytes: Bytes,
    /// Whether there are more than an upload may have.
    pub(super) is_too_large: bool,
}

/// Why a form was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    /// It is larger than any form is read.
    #[error("the form has more than {MAX_FORM} bytes")]
    TooLarge,
    /// It has too many fields.
    #[error("the form has more than {MAX_FIELDS} fields")]
    TooManyFields,
    /// It did not come to its end in time.
    #[error("the form did not arrive in time")]
    TooSlow,
    /// It is no form, or broke off. The parser's own error cannot be sent between threads.
    #[error("the form could not be read: {0}")]
    Broken(String),
}

/// Reads a form to its end and gives its first field `file`, or `None` when it has none.
pub(super) async fn read(
    request: &HttpRequest,
    body: web::Payload,
) -> Result<Option<Form>, Unread> {
    let is_over = Rc::new(Cell::new(false));
    let counted = Counted {
        body,
        left: MAX_FORM,
        is_over: Rc::clone(&is_over),
    };
    let fields = Multipart::new(request.headers(), counted);
    match timeout(FORM_WAIT, file(fields)).await {
        Err(_elapsed) => Err(Unread::TooSlow),
        Ok(Err(_)) if is_over.get() => Err(Unread::TooLarge),
        Ok(read) => read,
    }
}

async fn file(mut fields: Multipart) -> Result<Option<Form>, Unread> {
    let (mut form, mut count) = (None, 0);
    while let Some(field) = fields.next().await {
        let mut field = field.map_err(broken)?;
        count += 1;
        if count > MAX_FIELDS {
            return Err(Unread::TooManyFields);
        }
        if form.is_none() && field.name() == Some("file") {
            form = Some(whole(&mut field).await?);
        } else {
            while let Some(piece) = field.next().await {
                piece.map_err(broken)?;
            }
        }
    }
    Ok(form)
}

async fn whole(field: &mut Field) -> Result<Form, Unread> {
    let name = field
        .content_disposition()
        .and_then(|disposition| disposition.get_filename())
        .unwrap_or_default()
        .to_owned();
    let media_type = field
        .content_type()
        .map(|name| name.essence_str().to_owned());
    let mut bytes = BytesMut::new();
    let mut is_too_large = false;
    while let Some(piece) = field.next().await {
        let piece = piece.map_err(broken)?;
        if bytes.len() + piece.len() > MAX_UPLOAD {
            is_too_large = true;
        }
        if !is_too_large {
            bytes.extend_from_slice(&piece);
        }
    }
    Ok(Form {
        name,
        media_type,
        bytes: bytes.freeze(),
        is_too_large,
    })
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is called where errors are turned into others"
)]
fn broken(error: actix_multipart::MultipartError) -> Unread {
    Unread::Broken(error.to_string())
}

/// A body that ends with an error behind so many bytes.
struct Counted {
    body: web::Payload,
    left: usize,
    is_over: Rc<Cell<bool>>,
}

impl Stream for Counted {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = ready!(self.body.poll_next_unpin(cx));
        let Some(Ok(bytes)) = piece else {
            return Poll::Ready(piece);
        };
        let Some(left) = self.left.checked_sub(bytes.len()) else {
            self.is_over.set(true);
            return Poll::Ready(Some(Err(PayloadError::Overflow)));
        };
        self.left = left;
        Poll::Ready(Some(Ok(bytes)))
    }
}
