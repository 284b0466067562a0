//! How streams end (`docs/wire/ai-sdk.md` W14, W15).

use chat_core::run::{Outcome, RunError, Usage};

use super::{AiSdkEncoder, chunk::chunk};
use crate::{
    ai_sdk::{view::UsageView, words::error_text},
    frame::FrameSink,
};

impl AiSdkEncoder {
    pub(super) fn ended(
        &self,
        outcome: Outcome,
        error: Option<RunError>,
        usage: Option<Usage>,
        out: &mut FrameSink,
    ) {
        if error == Some(RunError::Interrupted) {
            out.stop_skipping();
        }
        match outcome {
            Outcome::Completed | Outcome::Incomplete => {
                out.frame(|to| chunk(to, "finish").end());
                if let Some(usage) = usage.or(self.usage) {
                    let usage = UsageView::new(&usage, Some(&self.model), Some(self.window));
                    out.frame(|to| {
                        chunk(to, "data-usage")
                            .json("data", &usage)
                            .flag("transient", true)
                            .end();
                    });
                }
            }
            Outcome::Failed => out.frame(|to| {
                chunk(to, "error")
                    .text("errorText", error_text(error))
                    .end();
            }),
            Outcome::Cancelled | Outcome::Expired => out.frame(|to| chunk(to, "abort").end()),
        }
        done(out);
    }
}

/// The leg waits for its reader.
pub(super) fn paused(out: &mut FrameSink) {
    out.frame(|to| chunk(to, "finish").end());
    done(out);
}

/// The last frame of every stream.
pub(in crate::ai_sdk) fn done(out: &mut FrameSink) {
    out.frame(|to| to.extend_from_slice(b"[DONE]"));
}
