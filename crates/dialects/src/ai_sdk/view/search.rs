use chat_core::{
    message::{PartContent, Role},
    ports::SearchHit,
    terms,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{RoleName, chat::title, timestamp};

/// The longest excerpt, in characters.
pub const MAX_EXCERPT: usize = 160;

/// How many characters of an excerpt stand before what was found, at most.
const LEAD: usize = 40;

/// So many words of a search are looked for in a text, since each is at every place of it.
const MAX_TERMS: usize = 16;

/// What was found, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SearchResponse {
    /// It.
    pub results: Vec<SearchResult>,
}

impl SearchResponse {
    /// The answer to a search for these words, as the person typed them.
    pub fn new(query: &str, hits: &[SearchHit]) -> Self {
        let mut terms = terms::fold(query);
        terms.truncate(MAX_TERMS);
        let result = |hit: &SearchHit| SearchResult {
            chat_id: hit.message.conversation.to_string(),
            title: title(hit.title.as_deref()),
            message_id: hit.message.id.to_string(),
            role: hit.message.role,
            created_at: timestamp(hit.message.created_at_ms),
            excerpt: excerpt(hit, &terms),
        };
        Self {
            results: hits.iter().map(result).collect(),
        }
    }
}

/// A message that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SearchResult {
    /// Its conversation.
    #[schema(format = Uuid)]
    pub chat_id: String,
    /// That conversation's title, `New chat` until it has one.
    pub title: String,
    /// It.
    #[schema(format = Uuid)]
    pub message_id: String,
    /// Who speaks.
    #[schema(value_type = RoleName)]
    pub role: Role,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Up to 160 characters around the first place where it was found, on one line; `…` where it was cut. Plain text: it is
    /// neither HTML nor Markdown, though the message may be.
    #[schema(max_length = 160)]
    pub excerpt: String,
}

fn excerpt(hit: &SearchHit, terms: &[String]) -> String {
    let mut text: Vec<char> = Vec::new();
    for part in &hit.message.body.parts {
        let (PartContent::Text { text: one, .. } | PartContent::Refusal { text: one }) =
            &part.content
        else {
            continue;
        };
        for word in one.split(|ch: char| ch.is_whitespace() || ch.is_control()) {
            if word.is_empty() {
                continue;
            }
            if !text.is_empty() {
                text.push(' ');
            }
            text.extend(word.chars());
        }
    }
    if text.len() <= MAX_EXCERPT {
        return text.into_iter().collect();
    }
    let found = first_of(&text, terms);
    // It begins at a word, where one begins soon enough.
    let mut from = found.saturating_sub(LEAD);
    if from > 0 {
        let lead = text.get(from..found).unwrap_or_default();
        from += lead.iter().position(|ch| *ch == ' ').map_or(0, |at| at + 1);
    }
    let room = MAX_EXCERPT - 1 - usize::from(from > 0);
    let rest = text.len() - from;
    // The end of the text is shown whole rather than cut by a mark that is no shorter.
    let (taken, cut) = if rest <= room + 1 && rest + usize::from(from > 0) <= MAX_EXCERPT {
        (rest, false)
    } else {
        (room, true)
    };
    let mut excerpt = String::new();
    if from > 0 {
        excerpt.push('…');
    }
    excerpt.extend(text.iter().skip(from).take(taken));
    if cut {
        excerpt.truncate(excerpt.trim_end().len());
        excerpt.push('…');
    }
    excerpt
}

/// Where one of the terms begins first: as a whole word, else anywhere, else at the beginning.
fn first_of(text: &[char], terms: &[String]) -> usize {
    let mut anywhere = None;
    let is_word = |at: Option<&char>| at.is_some_and(|ch| ch.is_alphanumeric());
    for from in 0..text.len() {
        let rest = text.get(from..).unwrap_or_default();
        for term in terms {
            let Some(length) = begins_with(rest, term) else {
                continue;
            };
            let begins = from == 0 || !is_word(text.get(from - 1));
            if begins && !is_word(rest.get(length)) {
                return from;
            }
            anywhere.get_or_insert(from);
        }
    }
    anywhere.unwrap_or(0)
}

/// How many characters of the text a term takes that it begins with. Terms are lower-case.
fn begins_with(text: &[char], term: &str) -> Option<usize> {
    let mut wanted = term.chars().peekable();
    for (length, ch) in text.iter().enumerate() {
        if wanted.peek().is_none() {
            return Some(length);
        }
        for lower in ch.to_lowercase() {
            if wanted.next() != Some(lower) {
                return None;
            }
        }
    }
    wanted.peek().is_none().then_some(text.len())
}
