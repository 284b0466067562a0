//! What a reader said to calls that need consent, as it stands in the parts of an answer (`docs/wire/ai-sdk.md` W27).

use std::collections::BTreeSet;

use serde_json::value::RawValue;

use super::super::{
    InvalidRequest, is_within,
    wire::{self, Approval, Object, ToolPart},
};

/// So many calls are answered at once at most.
pub const MAX_REPLIES: usize = 64;

/// The longest reason, in UTF-16 units.
pub const MAX_REASON: usize = 500;

/// What a reader said to one call. The call itself is known to the store, and nothing else of what the client says of it
/// counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalReply {
    /// The call's own id.
    pub call_id: String,
    /// Whether it may run.
    pub approved: bool,
    /// Why, in the reader's words, 1 to [`MAX_REASON`] UTF-16 units.
    pub reason: Option<String>,
}

/// What was said to the calls among these parts of the message at `at`; at least one.
pub(super) fn of(at: &str, parts: &[&RawValue]) -> Result<Vec<ApprovalReply>, InvalidRequest> {
    let mut replies: Vec<ApprovalReply> = Vec::new();
    let mut calls = BTreeSet::new();
    for (index, part) in parts.iter().enumerate() {
        let at = format!("{at}.parts[{index}]");
        let Some(reply) = reply(&at, part)? else {
            continue;
        };
        if !calls.insert(reply.call_id.clone()) {
            return Err(InvalidRequest::new(format!(
                "{at}.toolCallId: one answer to each call is accepted"
            )));
        }
        if replies.len() == MAX_REPLIES {
            return Err(InvalidRequest::new(format!(
                "{at}: answers to at most {MAX_REPLIES} calls are accepted"
            )));
        }
        replies.push(reply);
    }
    if replies.is_empty() {
        return Err(InvalidRequest::new(format!(
            "{at}.parts: an answer to a tool approval is needed where the last message is not the user's"
        )));
    }
    Ok(replies)
}

/// The calls among these parts that were denied, as far as they can be read, each once.
pub(super) fn denials(parts: &[&RawValue]) -> Vec<ApprovalReply> {
    let mut calls = BTreeSet::new();
    parts
        .iter()
        .filter_map(|part| reply("", part).ok().flatten())
        .filter(|reply| !reply.approved && calls.insert(reply.call_id.clone()))
        .take(MAX_REPLIES)
        .collect()
}

/// What a part says to its call, if that is what it is for.
fn reply(at: &str, part: &RawValue) -> Result<Option<ApprovalReply>, InvalidRequest> {
    // An answer's other parts may be anything.
    if !part.get().starts_with('{') {
        return Ok(None);
    }
    let part: Object<ToolPart<'_>> = wire::parse(part.get().as_bytes(), at)?;
    let part = part.0;
    let text = |raw: Option<&RawValue>| {
        raw.and_then(|raw| serde_json::from_str::<String>(raw.get()).ok())
            .filter(|text| !text.is_empty())
    };
    let denied = match text(part.state).as_deref() {
        Some("approval-responded") => false,
        Some("output-denied") => true,
        Some(_) | None => return Ok(None),
    };
    let call_id = text(part.tool_call_id)
        .ok_or_else(|| InvalidRequest::new(format!("{at}.toolCallId: a string is accepted")))?;
    let approval = match part.approval {
        Some(raw) => {
            wire::parse::<Object<Approval>>(raw.get().as_bytes(), &format!("{at}.approval"))?.0
        }
        None => Approval::default(),
    };
    let approved = match (denied, approval.approved) {
        (false, Some(approved)) => approved,
        (true, None | Some(false)) => false,
        (false, None) => {
            return Err(InvalidRequest::new(format!(
                "{at}.approval.approved: true or false is accepted"
            )));
        }
        (true, Some(true)) => {
            return Err(InvalidRequest::new(format!(
                "{at}.approval.approved: false is accepted where the state is \"output-denied\""
            )));
        }
    };
    let reason = approval.reason.filter(|reason| !reason.is_empty());
    if reason
        .as_ref()
        .is_some_and(|reason| !is_within(reason, MAX_REASON))
    {
        return Err(InvalidRequest::new(format!(
            "{at}.approval.reason: a text of at most {MAX_REASON} characters (UTF-16 units) is accepted"
        )));
    }
    Ok(Some(ApprovalReply {
        call_id,
        approved,
        reason,
    }))
}
