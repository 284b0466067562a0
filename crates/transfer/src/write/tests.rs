use chat_core::id::{ConversationId, MessageId};
use uuid::Uuid;

use super::*;
use crate::{Place, line::MessageLine};

fn said(number: u32, text: String) -> StagedLine {
    StagedLine {
        place: Place {
            input: "in.json".into(),
            line: 1,
        },
        line: Line::Message(Box::new(MessageLine {
            id: MessageId::new(Uuid::from_u128(number.into())),
            conversation: ConversationId::new(Uuid::nil()),
            seq: number.into(),
            role: Role::User,
            created_at_ms: 0,
            alias: None,
            rating: None,
            body: body([text_part(text)], 0),
        })),
        exact_email: false,
    }
}

/// How many of these texts go into one unit.
fn together(texts: impl IntoIterator<Item = String>) -> usize {
    let mut lines = (1..).zip(texts).map(|(number, text)| said(number, text));
    let mut unit = Unit::of(lines.next().unwrap());
    for line in lines {
        let Some(terms) = unit.takes(&line) else {
            break;
        };
        unit.push(line, terms);
    }
    unit.lines.len()
}

#[test]
fn messages_go_together_while_they_are_few_and_small_and_have_few_terms() {
    let words = |count: usize| "w ".repeat(count);
    assert_eq!(together(vec![words(1); 300]), 256);
    assert_eq!(together(vec![words(250); 300]), 80);
    assert_eq!(together(vec![".".repeat(300_000); 10]), 3);
    // One that is too much for itself goes alone.
    assert_eq!(together([words(30_000), words(1)]), 1);
}
