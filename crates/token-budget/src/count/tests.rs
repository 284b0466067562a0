use proptest::prelude::*;

use super::runs::MAX_RUN;
use super::*;

const MEGABYTE: usize = 1024 * 1024;

fn plain_count(encoding: Encoding, text: &str) -> u32 {
    let tokens = vocabulary(encoding).encode_ordinary(text).len();
    u32::try_from(tokens).unwrap()
}

#[test]
fn texts_cost_what_the_published_vectors_say() {
    for (text, o200k, cl100k) in [
        ("", 0, 0),
        ("hello world", 2, 2),
        ("お誕生日おめでとう", 8, 9),
        ("antidisestablishmentarianism", 6, 6),
        ("2 + 2 = 4", 7, 7),
        ("<|endoftext|>", 7, 7),
    ] {
        assert_eq!(count(Encoding::O200kBase, text), o200k, "{text:?}");
        assert_eq!(count(Encoding::Cl100kBase, text), cl100k, "{text:?}");
    }
}

#[test]
fn special_tokens_are_ordinary_text_among_other_text() {
    for encoding in Encoding::ALL {
        for text in ["say <|endoftext|> now", "<|endofprompt|>", "<|fim_prefix|>"] {
            assert_eq!(count(encoding, text), plain_count(encoding, text));
        }
        let many = "<|endoftext|>".repeat(10_000);
        assert_eq!(count(encoding, &many), plain_count(encoding, &many));
    }
}

#[test]
fn every_role_is_one_token() {
    for encoding in Encoding::ALL {
        for role in ["system", "user", "assistant", "developer", "tool"] {
            assert_eq!(count(encoding, role), 1, "{role}");
            assert_eq!(
                message_cost(encoding, role, "hello world", None),
                MESSAGE_OVERHEAD + 2
            );
        }
    }
}

#[test]
fn a_name_costs_its_tokens_and_one() {
    let encoding = Encoding::Cl100kBase;
    let named = message_cost(encoding, "system", "hi", Some("example_user"));
    let plain = message_cost(encoding, "system", "hi", None);
    assert_eq!(named, plain + count(encoding, "example_user") + 1);
}

// The example of OpenAI's guide "How to count tokens with tiktoken".
#[test]
fn the_six_messages_of_the_counting_guide_cost_129_and_124() {
    let messages = [
        (
            None,
            "system",
            "You are a helpful, pattern-following assistant that translates corporate jargon into plain English.",
        ),
        (
            Some("example_user"),
            "system",
            "New synergies will help drive top-line growth.",
        ),
        (
            Some("example_assistant"),
            "system",
            "Things working well together will increase revenue.",
        ),
        (
            Some("example_user"),
            "system",
            "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
        ),
        (
            Some("example_assistant"),
            "system",
            "Let's talk later when we're less busy about how to do better.",
        ),
        (
            None,
            "user",
            "This late pivot means we don't have time to boil the ocean for the client deliverable.",
        ),
    ];
    for (encoding, tokens) in [(Encoding::Cl100kBase, 129), (Encoding::O200kBase, 124)] {
        let costs = messages.map(|(name, role, text)| message_cost(encoding, role, text, name));
        assert_eq!(prompt_cost(costs), tokens, "{encoding}");
    }
}

#[test]
fn an_empty_prompt_costs_its_overhead_and_a_sum_never_overflows() {
    assert_eq!(prompt_cost([]), PROMPT_OVERHEAD);
    assert_eq!(prompt_cost([u32::MAX, 5]), u32::MAX);
}

#[test]
fn a_vocabulary_is_loaded_after_warming_up() {
    for encoding in Encoding::ALL {
        warm_up(encoding);
        assert!(is_loaded(encoding));
    }
}

// Uncut, spaces overflow the tokenizer's pattern, and the others take seconds to minutes. That the
// count is that of the pieces shows that nothing longer than a piece was tokenized.
#[test]
fn four_megabytes_of_one_character_are_counted_in_pieces() {
    for one in [" ", "\n", "a", "é", "7", "!", "/", "😀", "\u{301}"] {
        let characters = 4 * MEGABYTE / one.len();
        let text = one.repeat(characters);
        for encoding in Encoding::ALL {
            let whole = plain_count(encoding, &one.repeat(MAX_RUN));
            let rest = plain_count(encoding, &one.repeat(characters % MAX_RUN));
            let pieces = u32::try_from(characters / MAX_RUN).unwrap();
            assert_eq!(
                count(encoding, &text),
                whole * pieces + rest,
                "{encoding} {one:?}"
            );
        }
    }
}

#[test]
fn four_megabytes_of_characters_that_form_one_long_part_are_counted_in_pieces() {
    for pair in ["\n/", "a\u{301}", "!\u{301}", "\r\n", " \n"] {
        let pairs = 4 * MEGABYTE / pair.len();
        let text = pair.repeat(pairs);
        for encoding in Encoding::ALL {
            let tokens = count(encoding, &text);
            assert!(tokens > 0, "{encoding} {pair:?}");
            assert!(tokens as usize <= text.len(), "{encoding} {pair:?}");
        }
    }
}

#[test]
fn four_megabytes_of_random_letters_are_counted_in_pieces() {
    let text = random_letters(4 * MEGABYTE);
    for encoding in Encoding::ALL {
        let expected: u32 = text
            .as_bytes()
            .chunks(MAX_RUN)
            .map(|piece| plain_count(encoding, std::str::from_utf8(piece).unwrap()))
            .sum();
        assert_eq!(count(encoding, &text), expected, "{encoding}");
    }
}

#[test]
fn a_run_of_the_limit_counts_as_tiktoken_counts_it() {
    for one in [" ", "\n", "a", "é", "7", "!", "😀", "\u{301}"] {
        let text = format!("Before x{}y after 1, 2.", one.repeat(MAX_RUN - 1));
        for encoding in Encoding::ALL {
            assert_eq!(
                count(encoding, &text),
                plain_count(encoding, &text),
                "{encoding} {one:?}"
            );
        }
    }
}

/// Text of many scripts, each fragment one character repeated a few times.
fn mixed_script(fragments: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    let characters: Vec<char> = "etaZQ éßЖΩאاहि日本ひアー한ʰ019٣½Ⅷ \t\r\n\u{a0}\u{3000}'!.,/_-<|>{}。、Ⓐ😀❤\u{fe0f}\u{200d}\u{301}"
        .chars()
        .collect();
    let known = prop::sample::select(characters);
    let character = prop_oneof![8 => known, 1 => any::<char>()];
    prop::collection::vec((character, 1_usize..6), fragments).prop_map(|fragments| {
        fragments
            .into_iter()
            .flat_map(|(character, times)| std::iter::repeat_n(character, times))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn counts_short_texts_as_tiktoken_does(text in mixed_script(0..60)) {
        for encoding in Encoding::ALL {
            prop_assert_eq!(count(encoding, &text), plain_count(encoding, &text));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    // Long enough to be searched for runs, of which there are none.
    #[test]
    fn counts_long_texts_as_tiktoken_does(text in mixed_script(2500..6000)) {
        prop_assert!(text.len() > MAX_RUN);
        for encoding in Encoding::ALL {
            prop_assert_eq!(count(encoding, &text), plain_count(encoding, &text));
        }
    }
}

// A linear congruential generator (Knuth's MMIX constants): the same letters in every run.
fn random_letters(bytes: usize) -> String {
    let mut state = 1_u64;
    std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + u8::try_from((state >> 33) % 26).unwrap())
    })
    .take(bytes)
    .collect()
}
