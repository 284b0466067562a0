//! Running the tools that a model calls, and asking their reader first where that is needed.

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
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
    ports::{Model, Tool, ToolCallContext, ToolEvent, ToolEvents},
    run::{LegSettings, RunError},
};

/// So many events of tools wait to be written; a tool that tells more waits.
const TOLD_EVENTS: usize = 64;
/// So many calls of a step are run, or asked about; each may cost another model's answer.
pub(super) const MOST_CALLS: usize = 64;
/// So many of them run side by side.
const CALLS_AT_ONCE: usize = 8;

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
        let settings = &self.writer.live.leg.settings;
        settings.consent.contains(&call.name)
            && offered(self.writer.shared, settings, call).is_some()
            && serde_json::from_str::<Map<String, Value>>(&call.arguments).is_ok()
    }

    /// Runs the calls, some at a time; their outcomes are written as they come. `consented` says whether their reader
    /// has let them run. Those beyond [`MOST_CALLS`] fail.
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
        let runs: Vec<_> = calls
            .iter()
            .enumerate()
            .map(|(place, (ordinal, call))| {
                let context = &context;
                async move {
                    let result = if place < MOST_CALLS {
                        run_tool(shared, context, call, consented).await
                    } else {
                        let message = format!("At most {MOST_CALLS} calls are run at a time.");
                        ToolResult::Error { message }
                    };
                    (*ordinal, call.call_id.clone(), result)
                }
            })
            .collect();
        let mut running = stream::iter(runs).buffer_unordered(CALLS_AT_ONCE);
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
            self.check_size()?;
            outputs.push((call_id, result));
        }
        Ok(outputs)
    }

    fn write_told(&mut self, event: ToolEvent) -> Result<(), Halt> {
        self.writer.push(event.into(), None);
        self.writer.show();
        self.check_size()
    }
}

/// The tool that is called, if the model was offered it: it may name others that it knows of.
fn offered<'a>(shared: &'a Shared, settings: &LegSettings, call: &Call) -> Option<&'a dyn Tool> {
    let is_offered = settings.tools.contains(&call.name);
    let tool = shared.tools.get(&call.name).filter(|_| is_offered);
    tool.map(AsRef::as_ref)
}

async fn run_tool(
    shared: &Shared,
    context: &ToolCallContext<'_>,
    call: &Call,
    consented: bool,
) -> ToolResult {
    let name = &call.name;
    let tool = if consented {
        // This leg may be another model's, which is offered less.
        shared.tools.get(name).map(AsRef::as_ref)
    } else {
        offered(shared, context.settings, call)
    };
    match tool {
        // The others were asked about.
        Some(_) if context.settings.consent.contains(name) && !consented => ToolResult::Error {
            message: format!(
                "The reader could not be asked for consent: the arguments of {name} are not a JSON object, or there are \
                 too many calls at a time."
            ),
        },
        Some(tool) => tool.run(context, &call.arguments).await,
        None => ToolResult::Error {
            message: format!("There is no tool named {name}."),
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
