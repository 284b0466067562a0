//! Runs that wait for their client.

use super::{LegRow, RunRow, State};
use crate::{
    id::RunId,
    ports::{EndPaused, LegRef, PausedRun, ResumeRun, Resumed, ResumedLeg},
    run::{Leg, RunStatus},
};

impl State {
    /// The run, if it waits for its client.
    pub(super) fn paused(&self, run: RunId) -> Option<PausedRun> {
        let waits = self.runs.get(&run)?.status == RunStatus::RequiresAction;
        let leg = &self.newest_of(run).filter(|_| waits)?.leg;
        Some(PausedRun {
            conversation: leg.conversation,
            run,
            leg: leg.id,
            message: leg.message,
        })
    }

    /// Ends a run that waits.
    pub(super) fn end(&mut self, end: EndPaused) {
        let Some(leg) = self.newest_of(end.run).map(|row| row.leg.clone()) else {
            return;
        };
        if let Some(run) = self.runs.get_mut(&end.run) {
            run.status = end.status;
            run.expires_at_ms = None;
        }
        if let Some(message) = self.messages.get_mut(&leg.message) {
            message.body = end.body;
        }
        if let Some(row) = self.conversations.get_mut(&leg.conversation)
            && row.slot == Some(end.run)
        {
            row.slot = None;
        }
    }

    /// Opens the next leg of a run, if it may.
    pub(super) fn resume(&mut self, resume: ResumeRun) -> Resumed {
        let key = resume.key.map(|key| (resume.caller, key));
        if let Some(first) = key.as_ref().and_then(|key| self.keys.get(key)) {
            return Resumed::Repeated(*first);
        }
        let Some(before) = self
            .newest_of(resume.run)
            .map(|row| row.leg.clone())
            .filter(|leg| leg.id == resume.after && leg.closed_at_ms.is_some())
            .filter(|leg| leg.conversation == resume.conversation)
        else {
            return Resumed::Lost;
        };
        let (Some(run), Some(row), Some(message)) = (
            self.runs.get_mut(&resume.run),
            self.conversations.get_mut(&resume.conversation),
            self.messages.get_mut(&before.message),
        ) else {
            return Resumed::Lost;
        };
        let is_late = matches!(run.status, RunStatus::Expired | RunStatus::Cancelled)
            && row.slot.is_none()
            && before.message_seq + 1 == row.next_seq;
        if run.status != RunStatus::RequiresAction && !is_late {
            return Resumed::Lost;
        }
        *run = RunRow {
            status: RunStatus::Queued,
            expires_at_ms: None,
        };
        row.slot = Some(resume.run);
        row.epoch += 1;
        message.body = resume.body;
        let resumed = ResumedLeg {
            index: before.index + 1,
            epoch: row.epoch,
            message: before.message,
            message_seq: before.message_seq,
        };
        self.opened += 1;
        let leg = Leg {
            id: resume.leg,
            index: resumed.index,
            node: resume.node,
            epoch: resumed.epoch,
            opened_at_ms: resume.at_ms,
            settings: resume.settings,
            echo: resume.echo,
            answers: resume.answers,
            status: RunStatus::Queued,
            error: None,
            closed_at_ms: None,
            ..before
        };
        let row = LegRow {
            leg,
            order: self.opened,
            log: std::collections::BTreeMap::new(),
            seal: None,
        };
        self.legs.insert(resume.leg, row);
        if let Some(key) = key {
            let first = LegRef {
                leg: resume.leg,
                run: resume.run,
                conversation: resume.conversation,
            };
            self.keys.insert(key, first);
        }
        Resumed::Fresh(resumed)
    }

    fn newest_of(&self, run: RunId) -> Option<&LegRow> {
        let legs = self.legs.values().filter(|row| row.leg.run == run);
        legs.max_by_key(|row| row.order)
    }
}
