//! A stored message's parts as the `useChat` hook holds them.

use std::borrow::Cow;

use chat_core::{
    id::LegId,
    message::{Approval, Call, Message, Part, PartContent, PartStatus, Role, ToolResult},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    ai_sdk::{
        AiSdkChunks,
        event::input,
        words::{CUT_SHORT, DENIED, NOT_JSON, SECTION_BREAK, SOURCE_PREFIX},
    },
    ids,
};

/// The state of a call that waits for its reader.
const REQUESTED: &str = "approval-requested";

/// A part of a message. `type` says which of the other keys are there; no key is ever `null` for being absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UiPart {
    /// `step-start`, `text`, `reasoning`, `file`, `source-url`, `tool-<name>` or `data-<name>`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: Cow<'static, str>,
    /// The text of a text or a reasoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The id of a tool call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// Of a text or a reasoning, `done`; of a tool call, `input-available`, `output-available` or `output-error`, and for
    /// frontends that know approvals `approval-requested`, `approval-responded` or `output-denied`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub state: Option<&'static str>,
    /// The arguments of a tool call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    pub input: Option<Value>,
    /// The arguments of a tool call as the model wrote them, where they are not valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_input: Option<String>,
    /// What a tool call gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    pub output: Option<Value>,
    /// Why a tool call failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_text: Option<String>,
    /// Whether the reader lets a tool call run; for frontends that know approvals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<UiApproval>,
    /// The media type of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The name of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The id of a source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_id: Option<String>,
    /// Where a file or a source is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The title of a source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The id of a data part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The data of a data part.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    pub data: Option<Value>,
}

/// Whether a reader lets a tool call run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UiApproval {
    /// The id under which it was asked.
    pub id: String,
    /// What the reader said; left out while they have not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved: Option<bool>,
    /// Why, in the reader's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl UiPart {
    /// A call that still waits for its reader is shown as one that they denied.
    pub(super) fn take_as_denied(&mut self) {
        if self.state == Some(REQUESTED)
            && let Some(approval) = &mut self.approval
        {
            approval.approved = Some(false);
            self.state = Some("output-denied");
        }
    }
}

/// The parts of a message in progress as they were when it paused last, or `None` when its reader has answered nothing yet:
/// its stream tells such a message whole.
///
/// While another call waits there is nothing that a stream would add. Otherwise what comes after the last leg with an
/// answered call is of the leg that goes on.
pub(super) fn before_its_answers(parts: &[Part]) -> Option<&[Part]> {
    let call = |part: &Part| {
        part.content
            .as_call()
            .and_then(|call| call.approval.clone())
    };
    let answered = parts
        .iter()
        .rfind(|part| call(part).is_some_and(|approval| approval.approved.is_some()))?;
    if parts
        .iter()
        .any(|part| part.content.as_call().is_some_and(Call::waits_for_consent))
    {
        return Some(parts);
    }
    let end = parts.iter().rposition(|part| part.leg == answered.leg)?;
    parts.get(..=end)
}

/// How these of a message's parts are shown.
pub(super) fn of(message: &Message, parts: &[Part], chunks: AiSdkChunks) -> Vec<UiPart> {
    let mut shown = Vec::with_capacity(parts.len() + 1);
    let mut last_step: Option<(Option<LegId>, u32)> = None;
    for part in parts {
        let Some(ui) = ui_part(message, parts, part, chunks) else {
            continue;
        };
        // A leg's steps are never another leg's, though a run that continues a message counts from 0 again.
        let step = part.step.map(|step| (part.leg, step));
        if message.role == Role::Assistant && step.is_some() && step != last_step {
            shown.push(UiPart {
                kind: "step-start".into(),
                ..UiPart::default()
            });
            last_step = step;
        }
        shown.push(ui);
    }
    shown
}

fn ui_part(message: &Message, parts: &[Part], part: &Part, chunks: AiSdkChunks) -> Option<UiPart> {
    match &part.content {
        PartContent::Text { text, .. } | PartContent::Refusal { text } => {
            prose("text", text.clone())
        }
        PartContent::Reasoning { summary, text, .. } => {
            let sections: Vec<&str> = summary
                .iter()
                .chain(text)
                .map(String::as_str)
                .filter(|section| !section.is_empty())
                .collect();
            prose("reasoning", sections.join(SECTION_BREAK))
        }
        PartContent::Call(call) => Some(tool(parts, part, call, chunks)),
        PartContent::File {
            media_type,
            name,
            url,
        } => Some(UiPart {
            kind: "file".into(),
            media_type: Some(media_type.clone()),
            name: name.clone(),
            url: Some(url.clone()),
            ..UiPart::default()
        }),
        PartContent::Source { url, title } => Some(UiPart {
            kind: "source-url".into(),
            source_id: Some(ids::encode(SOURCE_PREFIX, message.id.uuid(), part.ordinal)),
            url: Some(url.clone()),
            title: title.clone(),
            ..UiPart::default()
        }),
        PartContent::Data { name, id, data } => Some(UiPart {
            kind: format!("data-{name}").into(),
            id: id.clone(),
            data: Some(data.clone()),
            ..UiPart::default()
        }),
        // An output stands with its call.
        PartContent::CallOutput { .. }
        | PartContent::ToolList { .. }
        | PartContent::Opaque { .. } => None,
    }
}

fn prose(kind: &'static str, text: String) -> Option<UiPart> {
    (!text.is_empty()).then(|| UiPart {
        kind: kind.into(),
        text: Some(text),
        // A stored part that is not done shows as an endless "thinking".
        state: Some("done"),
        ..UiPart::default()
    })
}

fn tool(parts: &[Part], part: &Part, call: &Call, chunks: AiSdkChunks) -> UiPart {
    let result = parts.iter().find_map(|other| {
        other
            .content
            .as_output()
            .filter(|(of, _)| *of == part.ordinal)
            .map(|(_, result)| result)
    });
    let whole = part.status == PartStatus::Completed;
    let input = input(&call.arguments).filter(|_| whole);
    let raw_input = input.is_none().then(|| call.arguments.clone());
    let mut approval = call
        .approval
        .as_ref()
        .filter(|_| chunks.has_approvals())
        .map(said);
    let (state, output, error_text) = match result {
        Some(ToolResult::Output { output }) => ("output-available", Some(output.clone()), None),
        Some(ToolResult::Error { message }) => ("output-error", None, Some(message.clone())),
        Some(ToolResult::Denied { reason }) => {
            if let Some(approval) = &mut approval {
                approval.approved = Some(false);
                approval.reason.clone_from(reason);
                ("output-denied", None, None)
            } else {
                let why = reason.clone().unwrap_or_else(|| DENIED.to_owned());
                ("output-error", None, Some(why))
            }
        }
        None if !whole => ("output-error", None, Some(CUT_SHORT.to_owned())),
        None if input.is_none() => ("output-error", None, Some(NOT_JSON.to_owned())),
        None => match approval.as_ref().map(|approval| approval.approved) {
            Some(Some(_)) => ("approval-responded", None, None),
            Some(None) => (REQUESTED, None, None),
            None => ("input-available", None, None),
        },
    };
    // The frontend's own check takes nothing but a consent beside what a call gave.
    if state == "output-available" || state == "output-error" {
        approval = approval.filter(|approval| approval.approved == Some(true));
    }
    UiPart {
        kind: format!("tool-{}", call.name).into(),
        tool_call_id: Some(call.call_id.clone()),
        state: Some(state),
        input,
        raw_input,
        output,
        error_text,
        approval,
        ..UiPart::default()
    }
}

fn said(approval: &Approval) -> UiApproval {
    UiApproval {
        id: approval.id.clone(),
        approved: approval.approved,
        reason: approval.reason.clone(),
    }
}
