/// The longest name of an upload, in characters.
const MAX_CHARS: usize = 100;
/// A longer ending than this is no ending of a file's name.
const MAX_ENDING: usize = 10;

/// A name that is safe in a path, a header and a page: every character outside of `[A-Za-z0-9._-]` becomes `_`, and at
/// most 100 are left, the ending among them. `fallback` stands for an empty one.
pub fn safe_name(given: &str, fallback: &str) -> String {
    // Some clients send the whole path.
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut name: String = last
        .chars()
        .map(|ch| if is_safe(ch) { ch } else { '_' })
        .take(4 * MAX_CHARS)
        .collect();
    // `.` and `..` are places and not names, and what begins with a point is hidden when it is saved.
    if name.starts_with('.') {
        name.replace_range(..1, "_");
    }
    if name.is_empty() {
        return fallback.to_owned();
    }
    if name.len() > MAX_CHARS {
        let ending = name.rfind('.').map_or(name.len(), |at| at.max(1));
        let ending = name.split_off(ending);
        let ending = if ending.len() > MAX_ENDING {
            ""
        } else {
            &ending
        };
        name.truncate(MAX_CHARS - ending.len());
        name.push_str(ending);
    }
    name
}

const fn is_safe(ch: char) -> bool {
    ch.is_ascii_alphanumeric() || matches!(ch, '.' | '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_safe_and_keep_their_ending() {
        let long = "x".repeat(300);
        for (given, name) in [
            ("cat.png", "cat.png".to_owned()),
            ("my cat (1).png", "my_cat__1_.png".to_owned()),
            ("写真.jpg", "__.jpg".to_owned()),
            ("a\"; x=\"b\r\n.png", "a___x__b__.png".to_owned()),
            ("C:\\photos\\cat.png", "cat.png".to_owned()),
            ("../../etc/passwd", "passwd".to_owned()),
            ("..", "_.".to_owned()),
            (".", "_".to_owned()),
            (".png", "_png".to_owned()),
            ("", "image.png".to_owned()),
            ("folder/", "image.png".to_owned()),
            ("\u{0}", "_".to_owned()),
            (&long, "x".repeat(100)),
            (&format!("{long}.png"), format!("{}.png", "x".repeat(96))),
            (&format!("a.{long}"), "a".to_owned()),
        ] {
            let made = safe_name(given, "image.png");
            assert_eq!(made, name, "{given}");
            assert!((1..=100).contains(&made.len()));
        }
    }
}
