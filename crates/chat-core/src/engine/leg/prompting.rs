//! What a leg asks the model: the history first, then each step with what its calls gave.

use token_budget::TooLong;

use super::{Halt, Task, halted};
use crate::{
    engine::{prompt, step::Step, writer::End},
    message::{MessageBody, Role, ToolResult},
    ports::{ModelRequest, PromptCall, PromptItem},
    run::RunError,
};

impl Task<'_> {
    /// What the model is asked first: the history, and the answer as far as earlier legs have written it.
    pub(super) async fn prompt(&mut self) -> Result<prompt::Prompt, Halt> {
        let shared = self.writer.shared;
        let leg = &self.writer.live.leg;
        let settings = &leg.settings;
        let history = if let Some(alone) = self.alone.take() {
            alone
        } else {
            let messages = shared.ports.messages.as_ref();
            let read = prompt::read(messages, leg.conversation, leg.message_seq, settings);
            tokio::select! {
                biased;
                halt = halted(self.writer.live, false) => return Err(halt),
                read = read => read.map_err(|error| self.log_unread(&error))?,
            }
        };
        let so_far = self.so_far().await;
        let mut prompt = prompt::build(history, so_far.as_ref(), settings)
            .map_err(|too_long| self.log_too_long(too_long))?;
        let attachments = shared.ports.attachments.as_ref();
        tokio::select! {
            biased;
            halt = halted(self.writer.live, false) => return Err(halt),
            inlined = prompt::inline_images(&mut prompt, attachments) => {
                if !inlined.map_err(|error| self.log_unread(&error))? {
                    tracing::info!(leg = %self.writer.live.leg.id, "the images of a message are too large for a prompt");
                    return Err(End::failed(RunError::PromptTooLong).into());
                }
            }
        }
        Ok(prompt)
    }

    /// The answer as far as earlier legs have written it, and what it costs.
    async fn so_far(&self) -> Option<(MessageBody, u32)> {
        let leg = &self.writer.live.leg;
        let body = self.writer.fold().body(leg)?;
        let encoding = prompt::encoding_of(&leg.settings);
        let cost = prompt::cost_of(&body, Role::Assistant, encoding).await;
        Some((body, cost))
    }

    /// Adds a step and its tools' outcomes to the prompt, as long as that fits.
    pub(super) fn continue_prompt(
        &self,
        request: &mut ModelRequest,
        step: Step,
        outputs: Vec<(String, ToolResult)>,
        tokens: u32,
    ) -> Result<u32, Halt> {
        let settings = &self.writer.live.leg.settings;
        let encoding = prompt::encoding_of(settings);
        let mut tokens = tokens.saturating_add(prompt::output_cost(encoding, &step.text));
        for (_, call) in &step.calls {
            tokens = tokens.saturating_add(prompt::output_cost(encoding, &call.arguments));
        }
        request.items.push(PromptItem::Assistant {
            text: step.text,
            calls: step
                .calls
                .iter()
                .map(|(_, call)| PromptCall::from(call))
                .collect(),
        });
        for (call_id, result) in outputs {
            let text = serde_json::to_string(&result).unwrap_or_default();
            tokens = tokens.saturating_add(prompt::output_cost(encoding, &text));
            request.items.push(PromptItem::Output { call_id, result });
        }
        if tokens > settings.prompt_budget {
            return Err(End::incomplete(RunError::PromptTooLong).into());
        }
        Ok(tokens)
    }

    fn log_too_long(&self, too_long: TooLong) -> Halt {
        let leg = self.writer.live.leg.id;
        tracing::info!(%leg, needed = too_long.needed, allowed = too_long.allowed, "a prompt does not fit");
        End::failed(RunError::PromptTooLong).into()
    }
}
