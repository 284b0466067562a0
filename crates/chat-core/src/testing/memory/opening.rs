//! What a send checks and changes.

use std::collections::BTreeMap;

use super::{ConversationRow, LegRow, RunRow, State};
use crate::{
    access::Owner,
    id::MessageId,
    message::{Message, Role},
    ports::{FreshLeg, IdempotencyKey, LegRef, OpenLeg, Policy, Predecessor, Quota, Refusal},
    run::{Leg, RunStatus},
};

impl State {
    /// Why a send is refused, if it is.
    pub(super) fn refuses(&self, open: &OpenLeg, cut: Option<u64>) -> Option<Refusal> {
        if open
            .quota
            .is_some_and(|quota| self.is_spent(&open.caller, quota))
        {
            return Some(Refusal::QuotaSpent);
        }
        let row = self.conversations.get(&open.conversation);
        match row {
            None if open.create.is_none() => return Some(Refusal::NotFound),
            Some(row) if row.conversation.owner != open.caller => return Some(Refusal::Forbidden),
            None | Some(_) => {}
        }
        let stays = |conversation, seq| {
            conversation != open.conversation || cut.is_none_or(|cut| seq < cut)
        };
        let taken = |id: &MessageId| {
            let stored = self.messages.get(id);
            let awaited = self.legs.values().find(|row| row.leg.message == *id);
            stored.is_some_and(|message| stays(message.conversation, message.seq))
                || awaited.is_some_and(|row| stays(row.leg.conversation, row.leg.message_seq))
        };
        let mut ids: Vec<MessageId> = open.input.iter().map(|message| message.id).collect();
        ids.push(open.answer);
        ids.sort_unstable();
        if ids.iter().any(taken) || ids.windows(2).any(|pair| pair.first() == pair.last()) {
            return Some(Refusal::MessageTaken);
        }
        let holder = row.and_then(|row| row.slot);
        let is_cut = |row: &LegRow| cut.is_some_and(|cut| row.leg.message_seq >= cut);
        let stays = holder.is_some_and(|run| {
            !self
                .legs
                .values()
                .any(|row| row.leg.run == run && is_cut(row))
        });
        match (holder.filter(|_| stays), open.policy) {
            (None, _) => None,
            (Some(_), Policy::Refuse) => Some(Refusal::Busy),
            (Some(run), Policy::Replace) => {
                let paused = self.paused(run)?;
                let named = open.ends.as_ref().map(|end| (end.run, end.leg));
                (named != Some((paused.run, paused.leg))).then_some(Refusal::Paused(paused))
            }
        }
    }

    fn is_spent(&self, caller: &Owner, quota: Quota) -> bool {
        let is_own = |id| {
            let row = self.conversations.get(id);
            row.is_some_and(|row| row.conversation.owner == *caller)
        };
        let sent = self.messages.values().filter(|message| {
            message.role == Role::User
                && message.created_at_ms >= quota.since_ms
                && is_own(&message.conversation)
        });
        u64::try_from(sent.count()).unwrap_or(u64::MAX) > quota.limit
    }

    /// Does what a send asks for, once it was checked.
    pub(super) fn open(
        &mut self,
        open: OpenLeg,
        cut: Option<u64>,
        key: Option<(Owner, IdempotencyKey)>,
    ) -> FreshLeg {
        let dropped = cut
            .map(|seq| self.cut(open.conversation, seq))
            .unwrap_or_default();
        let holder = self
            .conversations
            .get(&open.conversation)
            .and_then(|row| row.slot);
        let predecessor = holder
            .and_then(|run| self.open_leg_of(run))
            .map(|leg| Predecessor {
                leg: leg.id,
                node: leg.node,
            });
        if predecessor.is_some() {
            if let Some(run) = holder.and_then(|run| self.runs.get_mut(&run)) {
                run.status = RunStatus::Cancelling;
            }
        } else if let (Some(_), Some(end)) = (holder, open.ends) {
            self.end(end);
        }
        let mut created = false;
        let row = self
            .conversations
            .entry(open.conversation)
            .or_insert_with(|| {
                created = true;
                ConversationRow::new(open.conversation, &open.caller, open.create, open.at_ms)
            });
        row.epoch += u64::from(cut.is_some());
        for message in open.input {
            self.messages.insert(
                message.id,
                Message {
                    id: message.id,
                    conversation: open.conversation,
                    seq: row.take_seq(),
                    role: message.role,
                    created_at_ms: open.at_ms,
                    body: message.body,
                },
            );
        }
        let answer_seq = row.take_seq();
        row.slot = Some(open.run);
        let fresh = FreshLeg {
            conversation: row.conversation.clone(),
            created,
            answer_seq,
            epoch: row.epoch,
            predecessor,
            dropped,
        };
        let status = RunStatus::Queued;
        self.runs.insert(
            open.run,
            RunRow {
                status,
                expires_at_ms: None,
            },
        );
        self.opened += 1;
        self.legs.insert(
            open.leg,
            LegRow {
                leg: Leg {
                    id: open.leg,
                    run: open.run,
                    index: 0,
                    conversation: open.conversation,
                    message: open.answer,
                    message_seq: answer_seq,
                    node: open.node,
                    epoch: fresh.epoch,
                    opened_at_ms: open.at_ms,
                    settings: open.settings,
                    echo: open.echo,
                    answers: Vec::new(),
                    status,
                    error: None,
                    closed_at_ms: None,
                },
                order: self.opened,
                log: BTreeMap::new(),
                seal: None,
            },
        );
        if let Some(key) = key {
            let first = LegRef {
                leg: open.leg,
                run: open.run,
                conversation: open.conversation,
            };
            self.keys.insert(key, first);
        }
        fresh
    }
}
