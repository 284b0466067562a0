//! What was found. docs/wire/ai-sdk.md W59.

use chat_core::ports::SearchHit;
use proptest::prelude::*;

use super::*;

fn hit(texts: &[&str]) -> SearchHit {
    let parts = texts.iter().map(|one| (None, DONE, text(one))).collect();
    SearchHit {
        message: message(Role::User, parts),
        title: None,
    }
}

fn excerpt(query: &str, said: &str) -> String {
    let found = SearchResponse::new(query, &[hit(&[said])]);
    found.results[0].excerpt.clone()
}

#[test]
fn a_result_names_its_message_and_its_chat() {
    let found = SearchResponse::new(
        "bonn",
        &[hit(&["Trains\n\nto **Bonn**", "and <b>back</b>"])],
    );
    insta::assert_snapshot!(serde_json::to_string(&found).unwrap());
}

#[test]
fn an_excerpt_stands_around_the_first_whole_word() {
    let before = "aa bb ".repeat(50);
    let after = " yy zz".repeat(50);
    let found = excerpt("BONN", &format!("{before}Bonner Bonn{after}"));
    assert!((150..=160).contains(&found.chars().count()), "{found}");
    assert!(
        found.starts_with("…aa bb") && found.ends_with('…'),
        "{found}"
    );
    assert!(found.find("Bonner Bonn yy").unwrap() < 60, "{found}");
    let only_within = excerpt("onn", &format!("{before}Bonner{after}"));
    assert!(only_within.contains("Bonner"), "{only_within}");
    let end = excerpt("bonn", &format!("{before}Bonn"));
    assert!(end.ends_with("aa bb Bonn"), "{end}");
}

#[test]
fn an_excerpt_of_a_script_without_spaces_is_found_too() {
    let before = "あ".repeat(300);
    let found = excerpt("誕生日", &format!("{before}明日は彼の誕生日です"));
    assert!(
        found.starts_with('…') && found.ends_with("誕生日です"),
        "{found}"
    );
}

#[test]
fn what_is_found_nowhere_shows_the_beginning() {
    let found = excerpt("nothing", &"word ".repeat(100));
    assert!(
        found.starts_with("word word") && found.ends_with('…'),
        "{found}"
    );
    assert_eq!(excerpt("x", ""), "");
}

proptest! {
    #[test]
    fn an_excerpt_is_short_and_on_one_line(query in "\\PC{0,20}", said in "(\\PC|\\s|b){0,400}") {
        let found = excerpt(&query, &said);
        prop_assert!(found.chars().count() <= MAX_EXCERPT);
        prop_assert!(!found.chars().any(char::is_control));
        let core = found.trim_matches('…').trim();
        let one_line: Vec<&str> = said.split(|ch: char| ch.is_whitespace() || ch.is_control()).filter(|word| !word.is_empty()).collect();
        prop_assert!(one_line.join(" ").contains(core));
    }
}
