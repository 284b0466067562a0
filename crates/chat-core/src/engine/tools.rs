//! Running the tools that a model calls, and asking their reader first where that is needed.

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use serde_json::{Map, Value};
use tokio::{sync::mpsc, time::sleep_until};

use super::{
    Shared,
    leg::{Halt, Task, stopped},
    writer::End,
};
use crate::{
    event::{EventKind, Reply},
    message::{Call, ToolResult},
    ports::{Model, ToolCallContext, ToolEvent, ToolEvents},
    run::{LegSettings, RunError},
};

/// So many events of tools wait to be written; a tool that tells more waits.
const TOLD_EVENTS: usize = 64;

impl Task<'_> {
    /// Runs the calls of earlier legs that this leg's answers consent to and that have no outcome yet.
    pub(super) async fn run_consented(&mut self, model: &dyn Model) -> Result<(), Halt> {
        let fold = self.writer.fold();
        let is_open = |call: u32| {
            let mut outputs = fold
                .parts()
                .iter()
                .filter_map(|part| part.content.as_output());
            outputs.all(|(of, _)| of != call)
        };
        let calls: Vec<(u32, Call)> = self
            .writer
            .live
            .leg
            .answers
            .iter()
            .filter(|answer| matches!(answer.reply, Reply::Consent { .. }) && is_open(answer.call))
            .filter_map(|answer| {
                let call = fold.part(answer.call)?.content.as_call()?;
                Some((answer.call, call.clone()))
            })
            .collect();
        if calls.is_empty() {
            return Ok(());
        }
        self.run_tools(model, &calls, true).await?;
        Ok(self.writer.commit().await?)
    }

    /// Whether this call waits for its reader's consent before it runs. One that cannot be run at all is not asked about.
    pub(super) fn needs_consent(&self, call: &Call) -> bool {
        let shared = self.writer.shared;
        is_consented_to(&self.writer.live.leg.settings, call)
            && shared.tools.contains_key(&call.name)
            && serde_json::from_str::<Map<String, Value>>(&call.arguments).is_ok()
    }

    /// Runs the calls side by side; their outcomes are written as they come. `consented` says whether their reader has
    /// let them run.
    pub(super) async fn run_tools(
        &mut self,
        model: &dyn Model,
        calls: &[(u32, Call)],
        consented: bool,
    ) -> Result<Vec<(String, ToolResult)>, Halt> {
        let shared = self.writer.shared;
        let leg = &self.writer.live.leg;
        let conversation = shared
            .ports
            .conversations
            .find_conversation(leg.conversation)
            .await;
        let owner = match conversation {
            Ok(Some(conversation)) => conversation.owner,
            Ok(None) => return Err(Halt::Lost),
            Err(error) => return Err(self.log_unread(&error)),
        };
        let (teller, mut told) = Teller::new();
        let context = ToolCallContext {
            owner: &owner,
            conversation: leg.conversation,
            message: leg.message,
            settings: &leg.settings,
            model,
            events: &teller,
        };
        let mut running: FuturesUnordered<_> = calls
            .iter()
            .map(|(ordinal, call)| {
                let context = &context;
                async move {
                    (
                        *ordinal,
                        call.call_id.clone(),
                        run_tool(shared, context, call, consented).await,
                    )
                }
            })
            .collect();
        let mut outputs = Vec::with_capacity(calls.len());
        loop {
            let done = tokio::select! {
                biased;
                halt = stopped(self.writer.live) => return Err(halt),
                () = sleep_until(self.deadline) => return Err(End::failed(RunError::Timeout).into()),
                Some(event) = told.recv() => {
                    self.write_told(event)?;
                    continue;
                }
                done = running.next() => done,
            };
            // What a tool told comes before what it gave, also what it told right before.
            while let Ok(event) = told.try_recv() {
                self.write_told(event)?;
            }
            let Some((part, call_id, result)) = done else {
                break;
            };
            let output_part = self.writer.fold().next_ordinal();
            self.writer.push(
                EventKind::ToolFinished {
                    part,
                    output_part,
                    result: result.clone(),
                },
                None,
            );
            self.writer.show();
            outputs.push((call_id, result));
        }
        Ok(outputs)
    }

    fn write_told(&mut self, event: ToolEvent) -> Result<(), Halt> {
        self.writer.push(event.into(), None);
        self.writer.show();
        if self.writer.live.log.bytes() > self.writer.shared.settings.max_leg_bytes {
            return Err(End::incomplete(RunError::TooLarge).into());
        }
        Ok(())
    }
}

fn is_consented_to(settings: &LegSettings, call: &Call) -> bool {
    settings.consent.contains(&call.name)
}

async fn run_tool(
    shared: &Shared,
    context: &ToolCallContext<'_>,
    call: &Call,
    consented: bool,
) -> ToolResult {
    match shared.tools.get(&call.name) {
        // Those that can be run were asked about.
        Some(_) if is_consented_to(context.settings, call) && !consented => ToolResult::Error {
            message: format!(
                "The arguments of {} are not a JSON object, so its reader could not be asked for consent.",
                call.name
            ),
        },
        Some(tool) => tool.run(context, &call.arguments).await,
        None => ToolResult::Error {
            message: format!("There is no tool named {}.", call.name),
        },
    }
}

/// Takes what tools tell while they work, to the leg's own task: only that writes the leg.
struct Teller(mpsc::Sender<ToolEvent>);

impl Teller {
    fn new() -> (Self, mpsc::Receiver<ToolEvent>) {
        let (sender, receiver) = mpsc::channel(TOLD_EVENTS);
        (Self(sender), receiver)
    }
}

#[async_trait]
impl ToolEvents for Teller {
    async fn tell(&self, event: ToolEvent) {
        // The leg's task is the caller of whoever tells: it is there.
        let _gone = self.0.send(event).await;
    }
}
