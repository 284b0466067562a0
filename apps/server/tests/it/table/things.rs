//! Documents, suggestions, files.

use serde_json::{Value, json};

use super::{Answer, Case, Row, SECRET_WORD, Who, row, shapes};
use crate::support::{Ask, Person, new_id};

use Who::{Guest, Nobody, Owner, Stranger};

const FORM: &str = "multipart/form-data; boundary=b";

pub(super) const ROWS: &[Row] = &[
    row("document: all versions", Owner, "GET", "/api/document?id={document}").shape(|answer| {
        let versions = answer.json.as_array().unwrap();
        assert_eq!(versions.len(), 2);
        versions.iter().for_each(document_row);
        assert_eq!(versions[0]["createdAt"], answer.made("first_time"));
        assert_eq!(versions[1]["createdAt"], answer.made("second_time"));
    }),
    row("document: no id", Owner, "GET", "/api/document").refused(400, "bad_request:api"),
    row("document: the id of a page that has none yet", Owner, "GET", "/api/document?id=init").refused(400, "bad_request:api"),
    row("document: no id and no token", Nobody, "GET", "/api/document").refused(400, "bad_request:api"),
    row("document: no token", Nobody, "GET", "/api/document?id={document}").refused(401, "unauthorized:document"),
    row("document: unknown", Owner, "GET", "/api/document?id={none}").refused(404, "not_found:document"),
    row("document: another's", Stranger, "GET", "/api/document?id={document}").refused(403, "forbidden:document"),
    row("document: a guest's try", Guest, "GET", "/api/document?id={document}").refused(403, "forbidden:document"),
    row("save: a new document", Owner, "POST", "/api/document?id={fresh}")
        .body(r#"{"title":"T","content":"text","kind":"code"}"#)
        .content_type("text/plain;charset=UTF-8")
        .shape(one_version),
    row("save: a new version", Owner, "POST", "/api/document?id={document}")
        .body(r#"{"title":"T","content":"","kind":"text","isManualEdit":false}"#)
        .shape(|answer| {
            one_version(answer);
            assert_ne!(answer.json[0]["createdAt"], answer.made("second_time"));
        }),
    row("save: the newest version anew", Owner, "POST", "/api/document?id={document}")
        .body(r#"{"title":"T","content":"text","kind":"sheet","isManualEdit":true}"#)
        .shape(|answer| {
            one_version(answer);
            assert_eq!(answer.json[0]["createdAt"], answer.made("second_time"));
        }),
    row("save: a guest's own", Guest, "POST", "/api/document?id={fresh}")
        .body(r#"{"title":"T","content":"iVBORw0KGgo=","kind":"image"}"#)
        .shape(one_version),
    row("save: no id", Owner, "POST", "/api/document")
        .body(r#"{"title":"T","content":"text","kind":"text"}"#)
        .refused(400, "bad_request:api"),
    row("save: no UUID", Owner, "POST", "/api/document?id=7")
        .body(r#"{"title":"T","content":"text","kind":"text"}"#)
        .refused(400, "bad_request:api"),
    row("save: no body", Owner, "POST", "/api/document?id={document}").refused(400, "bad_request:api"),
    row("save: no content", Owner, "POST", "/api/document?id={document}")
        .body(r#"{"title":"T","kind":"text"}"#)
        .refused(400, "bad_request:api"),
    row("save: an unknown kind", Owner, "POST", "/api/document?id={document}")
        .body(r#"{"title":"T","content":"text","kind":"prose"}"#)
        .refused(400, "bad_request:api"),
    row("save: an unknown kind and no token", Nobody, "POST", "/api/document?id={document}")
        .body(r#"{"title":"T","content":"text","kind":"prose"}"#)
        .refused(400, "bad_request:api"),
    row("save: no token", Nobody, "POST", "/api/document?id={document}")
        .body(r#"{"title":"T","content":"text","kind":"text"}"#)
        .refused(401, "unauthorized:document"),
    row("save: another's", Stranger, "POST", "/api/document?id={document}")
        .body(r#"{"title":"T","content":"text","kind":"text"}"#)
        .refused(403, "forbidden:document"),
    row("save: another's newest version", Stranger, "POST", "/api/document?id={document}")
        .body(r#"{"title":"T","content":"text","kind":"text","isManualEdit":true}"#)
        .refused(403, "forbidden:document"),
    row("restore: the first version", Owner, "DELETE", "/api/document?id={document}&timestamp={first_time}").shape(|answer| {
        one_version(answer);
        assert_eq!(answer.json[0]["createdAt"], answer.made("second_time"));
    }),
    row("restore: nothing is newer", Owner, "DELETE", "/api/document?id={document}&timestamp={second_time}")
        .shape(|answer| assert_eq!(answer.json, json!([]))),
    row(
        "restore: a date as pages print it",
        Owner,
        "DELETE",
        "/api/document?id={document}&timestamp=Thu%20Dec%2011%202025%2020:38:01%20GMT%200000%20(Coordinated%20Universal%20Time)",
    )
    .shape(|answer| assert_eq!(answer.json.as_array().unwrap().len(), 2)),
    row("restore: no id", Owner, "DELETE", "/api/document?timestamp=2025-12-11T20:38:01.007Z").refused(400, "bad_request:api"),
    row("restore: no time", Owner, "DELETE", "/api/document?id={document}").refused(400, "bad_request:api"),
    row("restore: no such time", Owner, "DELETE", "/api/document?id={document}&timestamp=yesterday")
        .refused(400, "bad_request:api"),
    row("restore: no token", Nobody, "DELETE", "/api/document?id={document}&timestamp={first_time}")
        .refused(401, "unauthorized:document"),
    row("restore: unknown", Owner, "DELETE", "/api/document?id={none}&timestamp=2025-12-11T20:38:01.007Z")
        .refused(404, "not_found:document"),
    row("restore: another's", Stranger, "DELETE", "/api/document?id={document}&timestamp={first_time}")
        .refused(403, "forbidden:document"),
    row("suggestions: none", Owner, "GET", "/api/suggestions?documentId={document}")
        .shape(|answer| assert_eq!(answer.json, json!([]))),
    row("suggestions: of an unknown document", Owner, "GET", "/api/suggestions?documentId={none}")
        .shape(|answer| assert_eq!(answer.json, json!([]))),
    row("suggestions: no id", Owner, "GET", "/api/suggestions").refused(400, "bad_request:api"),
    row("suggestions: no UUID", Owner, "GET", "/api/suggestions?documentId=7").refused(400, "bad_request:api"),
    row("suggestions: no token", Nobody, "GET", "/api/suggestions?documentId={document}")
        .refused(401, "unauthorized:suggestions"),
    row("suggestions: another's", Stranger, "GET", "/api/suggestions?documentId={document}").refused(403, "forbidden:api"),
    row("upload: an image", Owner, "POST", "/api/files/upload")
        .content_type(FORM)
        .body(concat!(
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b.png\"\r\nContent-Type: image/png\r\n\r\n",
            "\u{89}PNG\r\n\u{1a}\n\0\0\0\rIHDR\0\0\0\u{1}\0\0\0\u{1}\u{8}\u{6}\0\0\0\r\n--b--\r\n"
        ))
        .shape(|answer| {
            let body = &answer.json;
            shapes::keys(
                body,
                &["url", "downloadUrl", "pathname", "contentType", "contentDisposition"],
                &[],
            );
            assert_eq!(body["pathname"], "a_b.png");
            assert_eq!(body["contentType"], "image/png");
            let url = body["url"].as_str().unwrap();
            assert!(url.starts_with("http://") && url.ends_with("/a_b.png"), "{url}");
        }),
    row("upload: no token", Nobody, "POST", "/api/files/upload")
        .content_type(FORM)
        .body("--b--\r\n")
        .refused(401, "unauthorized:api"),
    row("upload: no file", Owner, "POST", "/api/files/upload")
        .content_type(FORM)
        .body("--b\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\ntext\r\n--b--\r\n")
        .refused(400, "bad_request:api"),
    row("upload: no image", Owner, "POST", "/api/files/upload")
        .content_type(FORM)
        .body("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\ntext\r\n--b--\r\n")
        .refused(400, "bad_request:api"),
    row("blob: anyone who has the address", Nobody, "GET", "/api/files/blob/{upload}/{upload_name}").shape(|answer| {
        assert_eq!(answer.header("content-type"), "image/jpeg");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("content-security-policy"), "default-src 'none'; sandbox");
        assert_eq!(answer.header("cross-origin-resource-policy"), "cross-origin");
    }),
    row("blob: an unknown id", Nobody, "GET", "/api/files/blob/{none}/a.png").refused(404, "not_found:api"),
    row("blob: no UUID", Nobody, "GET", "/api/files/blob/7/a.png").refused(404, "not_found:api"),
    row("blob: another name", Owner, "GET", "/api/files/blob/{upload}/other.jpg").refused(404, "not_found:api"),
];

/// Makes what a template names and [`Case`] does not know.
pub(super) async fn make(case: &Case<'_>, name: &str) {
    match name {
        // A document with two versions, and their times.
        "document" | "first_time" | "second_time" => {
            let id = new_id();
            for (key, text) in [("first_time", "one"), ("second_time", "two")] {
                let content = format!("A {SECRET_WORD}. {text}");
                let body = json!({"title": SECRET_WORD, "content": content, "kind": "text"});
                let ask = Ask::post(format!("/api/document?id={id}"), body.to_string());
                let saved = given(case.owner(), ask).await;
                case.keep(key, saved[0]["createdAt"].as_str().unwrap());
            }
            case.keep("document", id);
        }
        // An image that was brought.
        "upload" | "upload_name" => {
            let mut body = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n".to_vec();
            body.extend([0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 2, 0, 2, 1, 1, 0x11, 0]);
            body.extend(b"\r\n--b--\r\n");
            let ask = Ask::post("/api/files/upload", body).header("content-type", FORM);
            let stored = given(case.owner(), ask).await;
            let mut path = stored["url"].as_str().unwrap().rsplit('/');
            case.keep("upload_name", path.next().unwrap());
            case.keep("upload", path.next().unwrap());
        }
        _ => {}
    }
}

/// The paths that show what is stored of it.
pub(super) fn state_of(name: &str, id: &str) -> Vec<String> {
    match name {
        "document" => vec![
            format!("/api/document?id={id}"),
            format!("/api/suggestions?documentId={id}"),
        ],
        _ => Vec::new(),
    }
}

/// What someone is answered, who must be.
async fn given(person: &Person, ask: Ask) -> Value {
    let answer = person.ask(ask).await;
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

fn document_row(version: &Value) {
    shapes::keys(
        version,
        &["id", "createdAt", "title", "content", "kind", "userId"],
        &[],
    );
    shapes::time(&version["createdAt"]);
}

/// An array with one version.
fn one_version(answer: &Answer) {
    let versions = answer.json.as_array().unwrap();
    assert_eq!(versions.len(), 1);
    document_row(&versions[0]);
}
