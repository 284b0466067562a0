//! What an event weighs, and a delta's place in few bits.

use crate::{
    event::{EventKind, Field, Reply},
    message::json_weight,
};

/// About how many bytes an event takes that is no compact delta.
pub(super) fn weight(kind: &EventKind) -> usize {
    let texts = match kind {
        EventKind::PartDelta { text, .. } | EventKind::DocumentDelta { text, .. } => text.len(),
        EventKind::PartFinished { content, .. } => content.weight(),
        EventKind::ToolFinished { result, .. } => result.weight(),
        EventKind::ToolOutput { output, .. } => json_weight(output),
        EventKind::Data { data, .. } => json_weight(data),
        EventKind::SuggestionMade {
            original,
            suggested,
            description,
            ..
        } => original.len() + suggested.len() + description.as_ref().map_or(0, String::len),
        EventKind::PartAnnotated { annotation, .. } => json_weight(annotation),
        EventKind::LegOpened { answers, .. } => answers
            .iter()
            .map(|answer| match &answer.reply {
                Reply::Result { result, .. } => result.weight(),
                Reply::Consent { reason } => reason.as_ref().map_or(0, String::len),
            })
            .sum(),
        EventKind::PartStarted { head, .. } => head.weight(),
        EventKind::LegTaken
        | EventKind::StepStarted { .. }
        | EventKind::ToolStatus { .. }
        | EventKind::ApprovalRequested { .. }
        | EventKind::DocumentOpened { .. }
        | EventKind::DocumentStored { .. }
        | EventKind::Retitled { .. }
        | EventKind::StepFinished { .. }
        | EventKind::StopRequested { .. }
        | EventKind::Paused { .. }
        | EventKind::Ended { .. }
        | EventKind::Foreign => 0,
    };
    size_of::<EventKind>() + texts
}

/// A part and a field in 31 bits, where they fit.
pub(super) fn compact(part: u32, field: Field) -> Option<u32> {
    const INDEXES: u8 = 120;
    let code = match field {
        Field::Text => 0,
        Field::Refusal => 1,
        Field::Arguments => 2,
        Field::Code => 3,
        Field::Reasoning(index) if index < INDEXES => 8 + index,
        Field::Summary(index) if index < INDEXES => 128 + index,
        Field::Reasoning(_) | Field::Summary(_) => return None,
    };
    (part < 1 << 23).then_some(part << 8 | u32::from(code))
}

/// The reverse of [`compact`].
pub(super) fn spread(tag: u32) -> (u32, Field) {
    let [code, ..] = tag.to_le_bytes();
    let field = match code {
        1 => Field::Refusal,
        2 => Field::Arguments,
        3 => Field::Code,
        8..=127 => Field::Reasoning(code - 8),
        128.. => Field::Summary(code - 128),
        0 | 4..=7 => Field::Text,
    };
    (tag >> 8, field)
}
