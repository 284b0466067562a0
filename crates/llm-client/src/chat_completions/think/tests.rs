use super::{Piece, Splitter};

/// The two texts that come of these pieces: thinking, answer.
fn split<'a>(pieces: impl IntoIterator<Item = &'a str>) -> (String, String) {
    let mut splitter = Splitter::default();
    let (mut thinking, mut answer) = (String::new(), String::new());
    let mut out = |piece| {
        let (text, into) = match piece {
            Piece::Thinking(text) => (text, &mut thinking),
            Piece::Answer(text) => (text, &mut answer),
        };
        assert!(!text.is_empty());
        into.push_str(&text);
    };
    for piece in pieces {
        splitter.push(piece, &mut out);
    }
    splitter.finish(&mut out);
    (thinking, answer)
}

/// Whole, cut in two at every place, and character by character.
#[track_caller]
fn check(text: &str, thinking: &str, answer: &str) {
    let expected = (thinking.to_owned(), answer.to_owned());
    assert_eq!(split([text]), expected, "{text:?}");
    for (at, _) in text.char_indices() {
        assert_eq!(
            split([&text[..at], &text[at..]]),
            expected,
            "{text:?} cut at {at}"
        );
    }
    let characters: Vec<&str> = text.split_inclusive(|_| true).collect();
    assert_eq!(split(characters), expected, "{text:?} by characters");
}

#[test]
fn parts_thinking_from_the_answer() {
    check("<think>hm, é</think>yes", "hm, é", "yes");
    check(
        "\n <think>\nhm\n\nwell \n</think>\n\nyes  \n",
        "hm\n\nwell",
        "yes  \n",
    );
    check("<thinking>hm</thinking>yes", "hm", "yes");
    check(
        "<think>a < b </thin k></think>yes",
        "a < b </thin k>",
        "yes",
    );
    check("<think>a</thinking>b</think>c", "a</thinking>b", "c");
}

#[test]
fn drops_empty_thinking() {
    check("<think>\n\n</think>\n\nyes", "", "yes");
    check("<think></think>", "", "");
}

#[test]
fn leaves_later_tags_to_the_answer() {
    check("yes <think>no</think>", "", "yes <think>no</think>");
    check(
        "<think>a</think>b<think>c</think>",
        "a",
        "b<think>c</think>",
    );
    check("<think>a</think><think>c</think>", "a", "<think>c</think>");
}

#[test]
fn leaves_an_answer_that_only_begins_like_a_tag() {
    for text in [
        "<thin",
        "<b>yes</b>",
        " <",
        "  yes",
        " ",
        "<thinker>no",
        "</think>no",
    ] {
        check(text, "", text);
    }
}

#[test]
fn keeps_thinking_that_never_ends() {
    check("<think>hm </thi", "hm </thi", "");
    check("<think>hm \n", "hm", "");
    check("<think>", "", "");
}

#[test]
fn gives_thinking_as_soon_as_it_is_sure() {
    let mut splitter = Splitter::default();
    let mut pieces = Vec::new();
    splitter.push("<think>one two <", &mut |piece| pieces.push(piece));
    assert_eq!(pieces, [Piece::Thinking("one two".to_owned())]);
    splitter.push("b>", &mut |piece| pieces.push(piece));
    assert_eq!(pieces.last(), Some(&Piece::Thinking(" <b>".to_owned())));
}
