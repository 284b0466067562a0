//! What the model that writes documents is told.
//!
//! None of these says "title": a demo model takes that word in a system prompt for a wish for a conversation's title.

use records::{DocumentKind, DocumentVersion};

use super::writing::Task;

const PROSE: &str = "\
Write about the given topic. Markdown is supported; use headings where they help. Answer with the text itself and nothing \
else: no preamble, no remark about the task.";

const CODE: &str = "\
Write the program that is asked for: complete, self-contained and runnable, in the language that is asked for, else in \
Python. Prefer the standard library, handle errors, keep it short, and show with its output that it works. Answer with the \
code alone: no Markdown fence, no words before or after it.";

const SHEET: &str = "\
Write the table that is asked for as CSV: a first row with the names of the columns, commas between the fields, double \
quotes around fields with commas, quotes or line breaks. Answer with the CSV alone: no Markdown fence, no words before or \
after it.";

const SUGGESTIONS: &str = "\
You help a writer. Read the document and suggest improvements to it, at most 5. Answer with a JSON array and nothing else; \
each item is an object with the keys \"original\" (a whole sentence, copied exactly from the document), \"suggested\" (the \
sentence to put in its place) and \"description\" (why, in a few words).";

/// A new document of this kind.
pub(crate) fn create(kind: DocumentKind, title: &str) -> Task {
    Task {
        instructions: kind_instructions(kind).to_owned(),
        material: title.to_owned(),
    }
}

/// A document, rewritten.
pub(crate) fn update(document: &DocumentVersion, description: &str) -> Task {
    let what = match document.kind {
        DocumentKind::Text | DocumentKind::Image => "text",
        DocumentKind::Code => "program",
        DocumentKind::Sheet => "table, in CSV",
    };
    Task {
        instructions: format!(
            "Rewrite the {what} below as the user wishes. Keep what the wish does not concern as it is, and answer with \
             the whole of the new version, not with the changed part alone.\n\n{}",
            kind_instructions(document.kind)
        ),
        material: format!(
            "The wish:\n{description}\n\nThe current version:\n{}",
            document.content
        ),
    }
}

/// Suggestions to a document.
pub(crate) fn suggestions(document: &DocumentVersion) -> Task {
    Task {
        instructions: SUGGESTIONS.to_owned(),
        material: document.content.clone(),
    }
}

const fn kind_instructions(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::Text | DocumentKind::Image => PROSE,
        DocumentKind::Code => CODE,
        DocumentKind::Sheet => SHEET,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_instruction_is_taken_for_a_wish_for_a_title() {
        for text in [PROSE, CODE, SHEET, SUGGESTIONS] {
            assert!(!text.to_lowercase().contains("title"), "{text}");
        }
    }
}
