use std::time::Duration;

use super::{DirectiveError, apply_all, extract};
use crate::config::Pace;
use crate::scenario::{Ending, FailureKind, Say, Scenario};

#[test]
fn takes_directives_out_of_a_message() {
    let message =
        r#"Hello [[mock: tool=weather args={"city": "a ]] b"} pace_ms=0]] world [[mock:crlf]]"#;
    let (items, text) = extract(message).unwrap();
    assert_eq!(text, "Hello  world");
    let mut scenario = Scenario::default();
    apply_all(&mut scenario, &items, false).unwrap();
    assert_eq!(scenario.tool_calls[0].arguments, r#"{"city": "a ]] b"}"#);
    assert_eq!(scenario.pace, Some(Pace::Fixed(Duration::ZERO)));
    assert_eq!(scenario.wire.line_end.as_bytes(), b"\r\n");
}

#[test]
fn reads_the_text_form_of_a_scenario() {
    let scenario: Scenario = r#"text="two \"words\"" silent_after=4, 429 retry_after=7 "#
        .parse()
        .unwrap();
    assert_eq!(scenario.say, Say::Text("two \"words\"".to_owned()));
    assert_eq!(scenario.ending, Ending::SilentAfter(4));
    let failure = scenario.failure.unwrap();
    assert_eq!(
        (failure.kind, failure.retry_after_s),
        (FailureKind::Status(429), Some(7))
    );
}

#[test]
fn keeps_the_words_for_titles_apart() {
    let (items, _) = extract("[[mock: tokens=3 title.status=500]]").unwrap();
    let (mut answer, mut title) = (Scenario::default(), Scenario::default());
    apply_all(&mut answer, &items, false).unwrap();
    apply_all(&mut title, &items, true).unwrap();
    assert_eq!(answer, Scenario::tokens(3));
    assert_eq!(title, Scenario::status(500));
}

#[test]
fn says_what_is_wrong_with_a_directive() {
    let check = |text: &str, expected: &str| {
        let error = text.parse::<Scenario>().unwrap_err();
        assert!(error.to_string().contains(expected), "{text}: {error}");
    };
    check("tokns=3", "`tokns` is unknown");
    check("tokens=many", "`tokens` does not take `many`");
    check("tokens", "`tokens` does not take ``");
    check("tokens=100001", "limit");
    check("status=200", "400 to 599");
    check("args={}", "after `tool=`");
    check("text=\"open", "no end");
    check("tokens=1 ]] crlf", "`]] crlf` is unknown");
    assert!(matches!(
        extract("a [[mock: tokens=1").unwrap_err(),
        DirectiveError::NoEnd(_)
    ));
}
