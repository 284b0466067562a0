//! Folds text into search terms: one pure function for index and query, so that both stores find the same.

/// The terms of a text, in order, repeats included: words in lower case, and overlapping pairs
/// for scripts that are written without spaces.
///
/// A word is a run of letters and digits; it is lower-cased. In Han, Hiragana, Katakana, Thai, Lao, Khmer and Burmese
/// text every two neighbouring characters are a term, and a character that stands alone is one too. Terms are cut at
/// 64 characters, so that a hostile text makes no giant ones.
pub fn fold(text: &str) -> Vec<String> {
    let mut terms = Vec::new();
    let mut word = String::new();
    let mut length = 0;
    let mut previous: Option<char> = None;
    let mut paired = false;
    for ch in text.chars() {
        if is_unspaced(ch) {
            flush(&mut word, &mut length, &mut terms);
            if let Some(before) = previous {
                terms.push(String::from_iter([before, ch]));
                paired = true;
            }
            previous = Some(ch);
            continue;
        }
        end_pairs(&mut previous, &mut paired, &mut terms);
        if ch.is_alphanumeric() {
            if length == MAX_TERM_CHARS {
                flush(&mut word, &mut length, &mut terms);
            }
            word.extend(ch.to_lowercase());
            length += 1;
        } else {
            flush(&mut word, &mut length, &mut terms);
        }
    }
    end_pairs(&mut previous, &mut paired, &mut terms);
    flush(&mut word, &mut length, &mut terms);
    terms
}

/// Beyond this a word is cut into several terms.
const MAX_TERM_CHARS: usize = 64;

fn flush(word: &mut String, length: &mut usize, terms: &mut Vec<String>) {
    *length = 0;
    if !word.is_empty() {
        terms.push(std::mem::take(word));
    }
}

/// Ends a run of unspaced script; a character without a neighbour becomes a term of its own.
fn end_pairs(previous: &mut Option<char>, paired: &mut bool, terms: &mut Vec<String>) {
    if let Some(alone) = previous.take()
        && !*paired
    {
        terms.push(alone.to_string());
    }
    *paired = false;
}

/// Whether a script writes its words without spaces between them.
const fn is_unspaced(ch: char) -> bool {
    matches!(ch,
        '\u{0E00}'..='\u{0EFF}'      // Thai, Lao
        | '\u{1000}'..='\u{109F}'    // Burmese
        | '\u{1780}'..='\u{17FF}'    // Khmer
        | '\u{3005}'..='\u{3007}'    // Han marks
        | '\u{3040}'..='\u{30FF}'    // Hiragana, Katakana
        | '\u{31F0}'..='\u{31FF}'    // Katakana extensions
        | '\u{3400}'..='\u{4DBF}'    // Han extension A
        | '\u{4E00}'..='\u{9FFF}'    // Han
        | '\u{F900}'..='\u{FAFF}'    // Han compatibility
        | '\u{FF66}'..='\u{FF9D}'    // half-width Katakana
        | '\u{20000}'..='\u{3FFFF}'  // Han extensions B and later
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(fold(text), expected, "{text}");
    }

    #[test]
    fn folds_words_and_pairs() {
        check("Hello, World 42!", &["hello", "world", "42"]);
        check("ÉCOLE straße", &["école", "straße"]);
        check("お誕生日", &["お誕", "誕生", "生日"]);
        check("日 x日本", &["日", "x", "日本"]);
        check("", &[]);
        check("--- !!", &[]);
    }

    #[test]
    fn a_sentence_holds_the_terms_of_a_word_in_it() {
        let sentence = fold("明日は彼の誕生日です");
        assert!(fold("誕生日").iter().all(|term| sentence.contains(term)));
    }

    #[test]
    fn a_giant_word_is_cut() {
        let terms = fold(&"a".repeat(1000));
        assert!(terms.iter().all(|term| term.len() <= MAX_TERM_CHARS));
        assert_eq!(terms.concat().len(), 1000);
    }
}
