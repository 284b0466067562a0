use async_trait::async_trait;

use super::{LegRow, MemoryStore, State};
use crate::{
    id::{ConversationId, LegId, NodeId, RunId},
    ports::{
        Checkpoint, CloseLeg, Closed, EndPaused, PausedRun, Runs, Standing, StopAsked, StoreError,
    },
    run::{Leg, RunStatus},
};

#[async_trait]
impl Runs for MemoryStore {
    async fn find_leg(&self, id: LegId) -> Result<Option<Leg>, StoreError> {
        let state = self.lock();
        Ok(state.legs.get(&id).map(|row| state.snapshot(row)))
    }

    async fn newest_leg(&self, conversation: ConversationId) -> Result<Option<Leg>, StoreError> {
        let state = self.lock();
        let newest = state
            .legs
            .values()
            .filter(|row| row.leg.conversation == conversation)
            .max_by_key(|row| row.order);
        Ok(newest.map(|row| state.snapshot(row)))
    }

    async fn checkpoint(&self, checkpoint: Checkpoint) -> Result<Closed, StoreError> {
        let mut state = self.lock();
        let Some(leg) = open_with(&state, checkpoint.leg, checkpoint.epoch) else {
            return Ok(Closed::Lost);
        };
        if let Some(run) = state.runs.get_mut(&leg.run)
            && run.status != RunStatus::Cancelling
        {
            run.status = checkpoint.status;
        }
        if let Some(answer) = checkpoint.answer {
            state.write_answer(&leg, answer);
        }
        Ok(Closed::Done)
    }

    async fn close_leg(&self, close: CloseLeg) -> Result<Closed, StoreError> {
        let mut state = self.lock();
        let Some(leg) = open_with(&state, close.leg, close.epoch) else {
            return Ok(Closed::Lost);
        };
        let stops = state
            .runs
            .get(&leg.run)
            .is_some_and(|run| run.status == RunStatus::Cancelling);
        if stops && close.status == RunStatus::RequiresAction {
            return Ok(Closed::Lost);
        }
        if let Some(row) = state.legs.get_mut(&close.leg) {
            row.leg.closed_at_ms = Some(close.at_ms);
            row.leg.error = close.error;
            row.seal = Some(close.seal);
            row.log.clear();
        }
        if let Some(run) = state.runs.get_mut(&leg.run) {
            run.status = close.status;
            run.expires_at_ms = close.expires_at_ms;
        }
        if let Some(row) = state.conversations.get_mut(&leg.conversation)
            && row.slot == Some(leg.run)
            && close.status.is_terminal()
        {
            row.slot = None;
        }
        if let Some(answer) = close.answer {
            state.write_answer(&leg, answer);
        }
        Ok(Closed::Done)
    }

    async fn ask_stop(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<StopAsked>, StoreError> {
        let mut state = self.lock();
        let holder = state
            .conversations
            .get(&conversation)
            .and_then(|row| row.slot);
        let Some(asked) = holder
            .and_then(|run| state.open_leg_of(run))
            .map(|leg| StopAsked {
                leg: leg.id,
                node: leg.node,
            })
        else {
            return Ok(None);
        };
        if let Some(run) = holder.and_then(|run| state.runs.get_mut(&run)) {
            run.status = RunStatus::Cancelling;
        }
        Ok(Some(asked))
    }

    async fn end_paused(&self, end: EndPaused) -> Result<Closed, StoreError> {
        let mut state = self.lock();
        let paused = state.paused(end.run);
        if paused.is_none_or(|paused| paused.leg != end.leg) {
            return Ok(Closed::Lost);
        }
        state.end(end);
        Ok(Closed::Done)
    }

    async fn list_expired(&self, at_ms: i64, limit: u32) -> Result<Vec<PausedRun>, StoreError> {
        let state = self.lock();
        let mut expired: Vec<(i64, RunId)> = state
            .runs
            .iter()
            .filter_map(|(id, run)| Some((run.expires_at_ms?, *id)))
            .filter(|(expires_at_ms, _)| *expires_at_ms <= at_ms)
            .collect();
        expired.sort_unstable();
        let paused = expired.into_iter().filter_map(|(_, run)| state.paused(run));
        Ok(paused
            .take(usize::try_from(limit).unwrap_or(usize::MAX))
            .collect())
    }

    async fn find_paused(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<PausedRun>, StoreError> {
        let state = self.lock();
        let row = state.conversations.get(&conversation);
        let holder = row.and_then(|row| row.slot);
        Ok(holder.and_then(|run| state.paused(run)))
    }

    async fn list_orphans(&self, alive: &[NodeId]) -> Result<Vec<Leg>, StoreError> {
        let state = self.lock();
        let mut rows: Vec<&LegRow> = state
            .legs
            .values()
            .filter(|row| row.leg.closed_at_ms.is_none() && !alive.contains(&row.leg.node))
            .collect();
        rows.sort_by_key(|row| row.order);
        Ok(rows.into_iter().map(|row| state.snapshot(row)).collect())
    }

    async fn standing(&self, legs: &[LegId]) -> Result<Vec<Standing>, StoreError> {
        let state = self.lock();
        let standing = |leg: &LegId| match state.legs.get(leg).map(|row| state.snapshot(row)) {
            None => Standing::Gone,
            Some(leg) if leg.closed_at_ms.is_some() => Standing::Closed,
            Some(leg) if leg.status == RunStatus::Cancelling => Standing::Stopping,
            Some(_) => Standing::Open,
        };
        Ok(legs.iter().map(standing).collect())
    }

    async fn release_leg(&self, leg: LegId, epoch: u64) -> Result<Closed, StoreError> {
        let mut state = self.lock();
        let stops = open_with(&state, leg, epoch)
            .and_then(|leg| state.runs.get(&leg.run))
            .is_none_or(|run| run.status == RunStatus::Cancelling);
        let Some(row) = state.open_row(leg).filter(|_| !stops) else {
            return Ok(Closed::Lost);
        };
        row.leg.node = NodeId::NOBODY;
        Ok(Closed::Done)
    }

    async fn claim_leg(&self, leg: LegId, node: NodeId) -> Result<Option<Leg>, StoreError> {
        let mut state = self.lock();
        let Some(row) = state
            .open_row(leg)
            .filter(|row| row.leg.node == NodeId::NOBODY)
        else {
            return Ok(None);
        };
        row.leg.node = node;
        row.leg.epoch += 1;
        Ok(state.legs.get(&leg).map(|row| state.snapshot(row)))
    }
}

fn open_with(state: &State, leg: LegId, epoch: u64) -> Option<Leg> {
    let leg = &state.legs.get(&leg)?.leg;
    (leg.closed_at_ms.is_none() && leg.epoch == epoch).then(|| leg.clone())
}
