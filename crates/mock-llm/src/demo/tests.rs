use super::{Prompt, answer};

fn says(text: &str) -> String {
    answer(&Prompt {
        text,
        turns: 2,
        outputs: &[],
    })
}

#[test]
fn is_short_for_a_short_question() {
    let answer = says("What is rain?");
    assert!(answer.contains("Skein's demo model"), "{answer}");
    assert!(answer.contains("What is rain?"), "{answer}");
    assert!(answer.split_whitespace().count() < 40, "{answer}");
}

#[test]
fn shows_what_is_asked_for() {
    assert!(says("Give me a table of the planets").contains("| Longest word | planets |"));
    assert!(says("Give me a list of the planets").contains("1. It has **7 words**"));
    assert!(says("Write code that counts").contains("```rust\nfn main"));
    let everything = says("Tell me something about the way rivers find the sea");
    assert!(
        everything.contains("```rust") && everything.contains("1. It has"),
        "{everything}"
    );
    assert!(!everything.contains("| --- |"), "{everything}");
}

#[test]
fn says_the_same_for_the_same_words() {
    assert_eq!(
        says("Tell me a table and a list"),
        says("Tell me a table and a list")
    );
}

#[test]
fn mentions_what_the_tools_put_out() {
    let one = answer(&Prompt {
        text: "weather?",
        turns: 1,
        outputs: &["sunny"],
    });
    assert_eq!(one, "The tool answered: sunny");
    let two = answer(&Prompt {
        text: "weather?",
        turns: 1,
        outputs: &["sunny", "rain"],
    });
    assert_eq!(two, "The tools answered:\n\n1. sunny\n2. rain");
}
