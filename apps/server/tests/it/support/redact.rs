use std::fmt::Write as _;

use uuid::Uuid;

/// The text with every id in it replaced: a UUID by `<id 1>`, `<id 2>` in the order in which they first appear, the
/// face of a part by `txt_<part>` and the like [W52].
pub(crate) fn redacted(text: &str) -> String {
    let mut out = String::new();
    let mut seen = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(id) = rest.get(..36).filter(|id| is_uuid(id)) {
            let known = seen.iter().position(|other| *other == id);
            let number = known.unwrap_or_else(|| {
                seen.push(id);
                seen.len() - 1
            });
            write!(out, "<id {}>", number + 1).unwrap();
            rest = &rest[36..];
        } else if let Some(face) = rest.get(..26).filter(|face| is_part(face)) {
            write!(out, "{}<part>", &face[..4]).unwrap();
            rest = &rest[26..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

fn is_uuid(text: &str) -> bool {
    text.as_bytes()[8] == b'-' && Uuid::try_parse(text).is_ok()
}

fn is_part(text: &str) -> bool {
    ["txt_", "rsn_", "src_"]
        .iter()
        .any(|prefix| text.starts_with(prefix))
        && text[4..].bytes().all(|byte| byte.is_ascii_alphanumeric())
}
