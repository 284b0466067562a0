//! Titles, for the requests that ask for one.

/// Words that say nothing about a subject.
const FILLERS: &[&str] = &[
    "a", "an", "and", "are", "about", "can", "could", "do", "does", "for", "how", "i", "in", "is",
    "it", "me", "my", "of", "on", "or", "please", "show", "tell", "that", "the", "this", "to",
    "want", "was", "what", "who", "why", "will", "with", "would", "write", "you", "your",
];

/// A title of two to five words made from the user's text; "New conversation" when there is none.
pub(crate) fn title(text: &str) -> String {
    let words = || {
        text.split_whitespace()
            .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
            .filter(|word| !word.is_empty())
    };
    let telling: Vec<&str> = words()
        .filter(|word| !FILLERS.contains(&word.to_lowercase().as_str()))
        .take(5)
        .collect();
    let chosen: Vec<&str> = if telling.len() >= 2 {
        telling
    } else {
        words().take(5).collect()
    };
    match chosen.as_slice() {
        [] => "New conversation".to_owned(),
        [only] => format!("About {}", shortened(only)),
        several => {
            let words: Vec<String> = several.iter().map(|word| shortened(word)).collect();
            capitalised(&words.join(" "))
        }
    }
}

/// A word without an end a title has no room for, such as that of an address.
fn shortened(word: &str) -> String {
    word.chars().take(30).collect()
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::title;

    #[test]
    fn takes_two_to_five_telling_words() {
        assert_eq!(
            title("How do I bake a sourdough bread in my oven?"),
            "Bake sourdough bread oven"
        );
        assert_eq!(title("hello"), "About hello");
        assert_eq!(title("what is this"), "What is this");
        assert_eq!(title(" \n"), "New conversation");
        assert_eq!(
            title("one two three four five six seven")
                .split(' ')
                .count(),
            5
        );
    }
}
