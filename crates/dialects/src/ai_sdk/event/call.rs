//! What calls gave, what their reader said to them, and what they wait for (`docs/wire/ai-sdk.md` W12, W18).

use chat_core::{
    event::{CallAnswer, Reply},
    message::ToolResult,
};

use super::{
    AiSdkEncoder,
    chunk::{chunk, text_json},
};
use crate::{ai_sdk::words::DENIED, frame::FrameSink};

impl AiSdkEncoder {
    /// What the client answered, with which the leg opens. It knows these calls from the stream before.
    pub(super) fn answered(&mut self, answers: &[CallAnswer], out: &mut FrameSink) {
        for answer in answers {
            self.know_call(answer.call, text_json(&answer.call_id));
            match &answer.reply {
                Reply::Result { result, .. } => self.tool_finished(answer.call, result, out),
                // What it gives is told once it ran.
                Reply::Consent { .. } => {}
            }
        }
    }

    pub(super) fn approval_requested(&self, part: u32, approval: &str, out: &mut FrameSink) {
        if !self.chunks.has_approvals() {
            return;
        }
        let Some(id) = self.call(part) else { return };
        out.frame(|to| {
            chunk(to, "tool-approval-request")
                .text("approvalId", approval)
                .raw("toolCallId", id)
                .end();
        });
    }

    pub(super) fn tool_finished(&self, part: u32, result: &ToolResult, out: &mut FrameSink) {
        // An output for a call that the client never saw would end its stream.
        let Some(id) = self.call(part) else { return };
        match result {
            ToolResult::Output { output } => out.frame(|to| {
                chunk(to, "tool-output-available")
                    .raw("toolCallId", id)
                    .json("output", output)
                    .end();
            }),
            ToolResult::Error { message } => out.frame(|to| {
                chunk(to, "tool-output-error")
                    .raw("toolCallId", id)
                    .text("errorText", message)
                    .end();
            }),
            ToolResult::Denied { .. } if self.chunks.has_approvals() => {
                out.frame(|to| chunk(to, "tool-output-denied").raw("toolCallId", id).end());
            }
            ToolResult::Denied { reason } => out.frame(|to| {
                chunk(to, "tool-output-error")
                    .raw("toolCallId", id)
                    .text("errorText", reason.as_deref().unwrap_or(DENIED))
                    .end();
            }),
        }
    }

    /// The client has heard of this call.
    pub(super) fn know_call(&mut self, part: u32, id: Vec<u8>) {
        self.calls.push((part, id));
    }

    fn call(&self, part: u32) -> Option<&[u8]> {
        self.calls
            .iter()
            .find(|(ordinal, _)| *ordinal == part)
            .map(|(_, id)| id.as_slice())
    }
}
