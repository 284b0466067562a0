//! Images that people attach: bringing them, reading them, and what the model is shown.

use std::fmt::Write as _;

use reqwest::Response;
use serde_json::{Value, json};

use crate::support::{Ask, Person, RawConnection, Skein, new_id};

/// The most bytes of an upload.
const MOST: usize = 5_242_880;

/// An image of that many bytes: its head, and zeros behind it.
fn png(width: u32, height: u32, bytes: usize) -> Vec<u8> {
    let mut image = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    image.extend(width.to_be_bytes());
    image.extend(height.to_be_bytes());
    image.extend([8, 6, 0, 0, 0, 0, 0, 0, 0]);
    image.resize(bytes, 0);
    image
}

fn jpeg(bytes: usize) -> Vec<u8> {
    let mut image = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xc0, 0, 11, 8];
    image.extend([0, 2, 0, 2, 1, 1, 0x11, 0, 0xff, 0xd9]);
    image.resize(bytes.max(image.len()), 0);
    image
}

/// One field of a form.
struct Field<'a> {
    name: &'a str,
    file: Option<&'a str>,
    media_type: Option<&'a str>,
    bytes: &'a [u8],
}

impl<'a> Field<'a> {
    const fn image(file: &'a str, media_type: &'a str, bytes: &'a [u8]) -> Self {
        Self {
            name: "file",
            file: Some(file),
            media_type: Some(media_type),
            bytes,
        }
    }
}

fn form(fields: &[Field<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for field in fields {
        let mut head = format!(
            "--of-the-test\r\nContent-Disposition: form-data; name=\"{}\"",
            field.name
        );
        if let Some(file) = field.file {
            write!(head, "; filename=\"{file}\"").unwrap();
        }
        if let Some(media_type) = field.media_type {
            write!(head, "\r\nContent-Type: {media_type}").unwrap();
        }
        body.extend(head.bytes().chain(*b"\r\n\r\n"));
        body.extend(field.bytes);
        body.extend(b"\r\n");
    }
    body.extend(b"--of-the-test--\r\n");
    body
}

fn upload(body: Vec<u8>) -> Ask {
    Ask::post("/api/files/upload", body)
        .header("content-type", "multipart/form-data; boundary=of-the-test")
}

/// Brings an image, which must be taken.
async fn bring(person: &Person, name: &str, media_type: &str, bytes: &[u8]) -> Value {
    let answer = person
        .ask(upload(form(&[Field::image(name, media_type, bytes)])))
        .await;
    assert_eq!(answer.status(), 200, "{name}");
    answer.json().await.unwrap()
}

/// The path of an upload.
fn path(upload: &Value, skein: &Skein) -> String {
    let url = upload["url"].as_str().unwrap();
    let base = format!("http://{}", skein.address);
    url.strip_prefix(&base).unwrap().to_owned()
}

async fn error(answer: Response) -> (u16, String, String) {
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["content-type"], "application/json");
    let body: Value = answer.json().await.unwrap();
    // docs/wire/ai-sdk.md W37: whoever shows `detail` shows the same.
    assert_eq!(body["detail"], body["error"]);
    let text = |key: &str| body[key].as_str().unwrap().to_owned();
    (status, text("code"), text("error"))
}

#[tokio::test]
async fn an_image_is_stored_and_read_by_anyone_who_has_its_address() {
    for settings in [&[][..], &[("SKEIN_AUTH", "required")]] {
        let skein = Skein::start_with(settings);
        let ann = skein.guest().await;
        let image = png(2, 2, 700_000);
        let stored = bring(&ann, "my cat.png", "image/png", &image).await;
        assert_eq!(stored["pathname"], "my_cat.png");
        assert_eq!(stored["contentType"], "image/png");
        assert_eq!(
            stored["contentDisposition"],
            "inline; filename=\"my_cat.png\""
        );
        let path = path(&stored, &skein);
        assert_eq!(
            stored["downloadUrl"],
            format!("http://{}{path}?download=1", skein.address)
        );

        let read = Ask::get(&path).send(skein.address).await;
        assert_eq!(read.status(), 200);
        for (name, value) in [
            ("content-type", "image/png"),
            ("content-length", "700000"),
            ("content-disposition", "inline; filename=\"my_cat.png\""),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'none'; sandbox"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("cache-control", "private, max-age=31536000, immutable"),
            ("accept-ranges", "bytes"),
        ] {
            assert_eq!(read.headers()[name], value, "{name}");
        }
        let tag = read.headers()["etag"].clone();
        assert_eq!(read.bytes().await.unwrap(), image);

        let head = Ask::new("HEAD", &path).send(skein.address).await;
        assert_eq!(head.status(), 200);
        assert_eq!(head.headers()["content-length"], "700000");
        assert_eq!(head.headers()["content-type"], "image/png");
        assert_eq!(head.headers()["etag"], tag);
        assert!(head.bytes().await.unwrap().is_empty());

        let saved = Ask::get(format!("{path}?download=1"))
            .send(skein.address)
            .await;
        assert_eq!(
            saved.headers()["content-disposition"],
            "attachment; filename=\"my_cat.png\""
        );
    }
}

#[tokio::test]
async fn a_client_that_has_an_image_is_told_so_and_ranges_are_given() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let mut image = png(2, 2, 600_000);
    for (place, byte) in image.iter_mut().enumerate().skip(40) {
        *byte = u8::try_from(place % 251).unwrap();
    }
    let path = path(&bring(&ann, "a.png", "image/png", &image).await, &skein);
    let get = |headers: &[(&'static str, String)]| {
        let mut ask = Ask::get(&path);
        for (name, value) in headers {
            ask = ask.header(name, value.clone());
        }
        ask.send(skein.address)
    };
    let whole = get(&[]).await;
    let tag = whole.headers()["etag"].to_str().unwrap().to_owned();

    for known in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"other\", {tag}"),
        "*".to_owned(),
    ] {
        let answer = get(&[("if-none-match", known), ("range", "bytes=0-1".to_owned())]).await;
        assert_eq!(answer.status(), 304);
        assert_eq!(answer.headers()["etag"], tag);
        assert_eq!(
            answer.headers()["cache-control"],
            "private, max-age=31536000, immutable"
        );
        assert!(answer.bytes().await.unwrap().is_empty());
    }
    let other = get(&[("if-none-match", "\"other\"".to_owned())]).await;
    assert_eq!(other.status(), 200);

    for (range, first, last) in [
        ("bytes=0-0", 0, 0),
        ("bytes=5-299999", 5, 299_999),
        ("bytes=262143-262144", 262_143, 262_144),
        ("bytes=599990-", 599_990, 599_999),
        ("bytes=-10", 599_990, 599_999),
        ("bytes=-9999999", 0, 599_999),
        ("bytes=599999-9999999", 599_999, 599_999),
    ] {
        let answer = get(&[("range", range.to_owned())]).await;
        assert_eq!(answer.status(), 206, "{range}");
        assert_eq!(
            answer.headers()["content-range"],
            format!("bytes {first}-{last}/600000")
        );
        assert_eq!(
            answer.headers()["content-length"],
            (last - first + 1).to_string()
        );
        assert_eq!(
            answer.bytes().await.unwrap(),
            image[first..=last],
            "{range}"
        );
        let head = Ask::new("HEAD", &path)
            .header("range", range)
            .send(skein.address)
            .await;
        assert_eq!(head.status(), 206, "{range}");
        assert_eq!(
            head.headers()["content-length"],
            (last - first + 1).to_string()
        );
    }
    for range in ["bytes=600000-", "bytes=-0"] {
        let answer = get(&[("range", range.to_owned())]).await;
        assert_eq!(answer.status(), 416, "{range}");
        assert_eq!(answer.headers()["content-range"], "bytes */600000");
    }
    // What is no range, or more than one, is no error.
    for range in ["bytes=9-5", "bytes=0-1,5-6", "lines=1-2", "bytes=x", "7"] {
        let answer = get(&[("range", range.to_owned())]).await;
        assert_eq!(answer.status(), 200, "{range}");
        assert_eq!(answer.bytes().await.unwrap().len(), 600_000, "{range}");
    }
    for (condition, status) in [
        (tag.clone(), 206),
        (format!("W/{tag}"), 200),
        ("\"other\"".to_owned(), 200),
        ("Sat, 29 Oct 1994 19:43:31 GMT".to_owned(), 200),
    ] {
        let range = ("range", "bytes=0-1".to_owned());
        let answer = get(&[range, ("if-range", condition)]).await;
        assert_eq!(answer.status(), status);
    }
}

#[tokio::test]
async fn no_other_address_leads_to_an_image() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let path = path(
        &bring(&ann, "a.png", "image/png", &png(1, 1, 100)).await,
        &skein,
    );
    let id = path.split('/').nth(4).unwrap();
    for other in [
        format!("/api/files/blob/{}/a.png", new_id()),
        format!("/api/files/blob/{id}/b.png"),
        format!("/api/files/blob/{}/a.png", id.to_uppercase()),
        format!("/api/files/blob/{}/a.png", id.replace('-', "")),
        "/api/files/blob/x/a.png".to_owned(),
    ] {
        let answer = Ask::get(&other).send(skein.address).await;
        let headers = answer.headers().clone();
        let (status, code, _) = error(answer).await;
        assert_eq!((status, code.as_str()), (404, "not_found:api"), "{other}");
        assert_eq!(headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn an_upload_may_have_5_mib_and_not_a_byte_more() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    for image in [png(1, 1, MOST), jpeg(MOST)] {
        let media_type = if image[0] == 0xff {
            "image/jpeg"
        } else {
            "image/png"
        };
        let stored = bring(&ann, "most", media_type, &image).await;
        assert_eq!(stored["contentType"], media_type);
        let read = Ask::get(path(&stored, &skein)).send(skein.address).await;
        assert!(read.bytes().await.unwrap() == image);
    }
    // The second would be too large for any JSON body, and the last for any form; all are answered alike.
    for bytes in [MOST + 1, 3 * MOST, 5 * MOST] {
        let body = form(&[Field::image("a.png", "image/png", &png(1, 1, bytes))]);
        let answer = error(ann.ask(upload(body)).await).await;
        assert_eq!(
            answer,
            (
                400,
                "bad_request:api".to_owned(),
                "File size should be at most 5 MB".to_owned()
            ),
            "{bytes}"
        );
    }
}

#[tokio::test]
async fn the_bytes_say_what_an_upload_is_and_every_fault_is_told() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    // Neither the name nor which of the two types was declared counts.
    let stored = bring(&ann, "cat.jpg", "image/jpeg", &png(1, 1, 99)).await;
    assert_eq!(stored["contentType"], "image/png");
    assert_eq!(stored["pathname"], "cat.jpg");
    let read = Ask::get(path(&stored, &skein)).send(skein.address).await;
    assert_eq!(read.headers()["content-type"], "image/png");

    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>".as_slice();
    let large = vec![b'x'; MOST + 1];
    let huge = png(20_000, 20_000, 200);
    let wrong_type = "File type should be JPEG or PNG";
    let too_large = "File size should be at most 5 MB";
    let both = format!("{too_large}, {wrong_type}");
    let image = png(1, 1, 99);
    for (declared, bytes, told) in [
        (Some("image/png"), b"only text".as_slice(), wrong_type),
        (Some("image/svg+xml"), svg, wrong_type),
        (Some("image/png"), svg, wrong_type),
        (Some("image/png"), b"GIF89a\x01\0\x01\0\0\0\0;", wrong_type),
        (Some("image/png"), b"", wrong_type),
        (Some("text/html"), &image, wrong_type),
        (None, &image, wrong_type),
        (Some("image/png"), &image[..20], wrong_type),
        (Some("text/plain"), &large, &both),
        (Some("image/png"), &large, &both),
        (
            Some("image/png"),
            &huge,
            "Image should have at most 16384 pixels a side and 100 million pixels in all",
        ),
    ] {
        let field = Field {
            name: "file",
            file: Some("a.png"),
            media_type: declared,
            bytes,
        };
        let (status, code, sentence) = error(ann.ask(upload(form(&[field]))).await).await;
        assert_eq!((status, code.as_str()), (400, "bad_request:api"));
        assert_eq!(sentence, told, "{declared:?}");
    }
}

#[tokio::test]
async fn the_field_is_found_among_others_and_must_be_there() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let image = png(1, 1, 99);
    let text = || Field {
        name: "comment",
        file: None,
        media_type: None,
        bytes: b"my cat",
    };
    let answer = ann
        .ask(upload(form(&[
            text(),
            Field::image("first.png", "image/png", &image),
            Field::image("second.png", "image/png", &image),
        ])))
        .await;
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["pathname"], "first.png");

    for fields in [vec![text()], vec![]] {
        let (status, code, sentence) = error(ann.ask(upload(form(&fields))).await).await;
        assert_eq!((status, code.as_str()), (400, "bad_request:api"));
        assert_eq!(sentence, "No file uploaded");
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_told_so() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let whole = form(&[Field::image("a.png", "image/png", &png(1, 1, 9_000))]);
    let many: Vec<Field<'_>> = (0..40)
        .map(|_| Field {
            name: "x",
            file: None,
            media_type: None,
            bytes: b"",
        })
        .collect();
    let long = "x".repeat(100_000);
    for ask in [
        upload(whole[..whole.len() - 100].to_vec()),
        upload(whole[..100].to_vec()),
        upload(b"no form".to_vec()),
        upload(form(&many)),
        upload(form(&[Field::image(&long, "image/png", &png(1, 1, 99))])),
        Ask::post("/api/files/upload", whole.clone()).header("content-type", "multipart/form-data"),
        Ask::post("/api/files/upload", "{}").header("content-type", "application/json"),
        Ask::post("/api/files/upload", whole),
    ] {
        let (status, code, sentence) = error(ann.ask(ask).await).await;
        assert_eq!((status, code.as_str()), (500, "internal:api"));
        assert_eq!(sentence, "The upload could not be read");
    }
}

#[tokio::test]
async fn an_upload_whose_connection_breaks_leaves_nothing_and_no_harm() {
    let skein = Skein::start_with(&[("SKEIN_UPLOADS_PER_USER", "1")]);
    let ann = skein.guest().await;
    let whole = form(&[Field::image("a.png", "image/png", &png(1, 1, 90_000))]);
    let head = format!(
        "POST /api/files/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: multipart/form-data; \
         boundary=of-the-test\r\nContent-Length: {}\r\n\r\n",
        ann.token,
        whole.len()
    );
    let mut broken = RawConnection::to(skein.address).await;
    broken.write(head.as_bytes()).await;
    broken.write(&whole[..50_000]).await;
    drop(broken);
    // Nothing was stored: there is room for the one that is allowed.
    bring(&ann, "a.png", "image/png", &png(1, 1, 90_000)).await;
}

#[tokio::test]
async fn who_has_no_token_is_refused_in_the_shape_of_uploads() {
    let skein = Skein::start();
    let body = form(&[Field::image("a.png", "image/png", &png(1, 1, 99))]);
    for ask in [upload(body.clone()), upload(body).token("no token")] {
        let (status, code, sentence) = error(ask.send(skein.address).await).await;
        assert_eq!((status, code.as_str()), (401, "unauthorized:api"));
        assert_eq!(sentence, "Please sign in and try again.");
    }
}

#[tokio::test]
async fn a_user_stores_so_many_uploads_and_others_as_many() {
    let skein = Skein::start_with(&[("SKEIN_UPLOADS_PER_USER", "2")]);
    let (ann, ben) = (skein.guest().await, skein.guest().await);
    let image = png(1, 1, 99);
    for person in [&ann, &ben, &ann, &ben] {
        bring(person, "a.png", "image/png", &image).await;
    }
    let body = form(&[Field::image("a.png", "image/png", &image)]);
    let (status, code, sentence) = error(ann.ask(upload(body)).await).await;
    assert_eq!((status, code.as_str()), (400, "bad_request:api"));
    assert_eq!(sentence, "At most 2 uploads are kept for one user");
}

#[tokio::test]
async fn addresses_begin_with_the_public_one_and_outlive_a_restart() {
    let skein = Skein::start_with(&[("SKEIN_PUBLIC_URL", "https://chat.example.com/skein/")]);
    let ann = skein.guest().await;
    let image = png(1, 1, 99);
    let stored = bring(&ann, "../up.png", "image/png", &image).await;
    let url = stored["url"].as_str().unwrap();
    let path = url
        .strip_prefix("https://chat.example.com/skein")
        .unwrap()
        .to_owned();
    assert!(path.ends_with("/up.png"), "{path}");
    let skein = skein.restart();
    let read = Ask::get(&path).send(skein.address).await;
    assert_eq!(read.bytes().await.unwrap(), image);
}

#[tokio::test]
async fn a_model_is_shown_the_bytes_of_an_upload_and_not_its_address() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let image = png(1, 1, 60);
    let stored = bring(&ann, "cat.png", "image/png", &image).await;
    let chat = new_id();
    let body = |message: &str, url: &Value| {
        json!({
            "id": chat,
            "message": {"id": message, "role": "user", "parts": [
                {"type": "file", "mediaType": "image/png", "name": "cat.png", "url": url},
                {"type": "text", "text": "What is that?"},
            ]},
        })
    };
    let send = async |body: Value| {
        let answer = ann.ask(Ask::post("/api/chat", body.to_string())).await;
        assert_eq!(answer.status(), 200);
        answer.text().await.unwrap()
    };
    send(body(&new_id(), &stored["url"])).await;
    let foreign = json!("https://elsewhere.example/cat.png");
    send(body(&new_id(), &foreign)).await;

    let requests = skein.llm.requests();
    let last = requests.last().unwrap().body.to_string();
    assert!(last.contains("data:image/png;base64,iVBORw0KGgo"), "{last}");
    assert!(!last.contains("/api/files/blob/"), "{last}");
    // A link that is not ours is the model's own business.
    assert!(last.contains("https://elsewhere.example/cat.png"), "{last}");
    // What is stored, and what clients see, is the address.
    let messages = ann.messages(&chat).await;
    assert_eq!(messages[0]["parts"][0]["url"], stored["url"]);
}
