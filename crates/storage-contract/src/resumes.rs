//! What [`chat_core::ports::Conversations::resume_run`] says.

use std::sync::Arc;

use chat_core::{
    id::{LegId, MessageId},
    message::MessageStatus,
    ports::{CloseLeg, Closed, IdempotencyKey, LegRef, OpenLeg, Policy, ResumeRun, Resumed},
    run::{Leg, RunStatus},
};
use tokio::task::JoinSet;

use crate::{ChatStore, sample};

/// How many callers race.
const RACERS: usize = 24;

/// The next leg is found as it was opened, with its answers, and is the conversation's newest.
pub async fn a_resumed_leg_is_found_as_it_was_opened(store: Arc<dyn ChatStore>) {
    let (open, first) = sample::paused(&*store).await;
    let resume = sample::resume(&open.caller, sample::waiting(&open), "resumed");
    let leg = sample::resumed(&*store, &resume).await;
    assert_eq!(leg.index, 1);
    assert_eq!(leg.message, open.answer);
    assert_eq!(leg.message_seq, first.answer_seq);
    assert!(leg.epoch > first.epoch, "the epoch is raised");
    let expected = Leg {
        id: resume.leg,
        run: open.run,
        index: 1,
        conversation: open.conversation,
        message: open.answer,
        message_seq: first.answer_seq,
        node: resume.node,
        epoch: leg.epoch,
        opened_at_ms: resume.at_ms,
        settings: resume.settings,
        echo: resume.echo,
        answers: resume.answers,
        status: RunStatus::Queued,
        error: None,
        closed_at_ms: None,
    };
    let found = store.find_leg(resume.leg).await.unwrap();
    assert_eq!(found.as_ref(), Some(&expected));
    let newest = store.newest_leg(open.conversation).await.unwrap();
    assert_eq!(newest, Some(expected.clone()));
    let before = store.find_leg(open.leg).await.unwrap().unwrap();
    assert_eq!(before.status, RunStatus::Queued, "the status is the run's");
    assert!(before.closed_at_ms.is_some());
    assert_eq!(store.list_orphans(&[]).await.unwrap(), [expected]);
}

/// The answer message is what the resume says, at its old place, and in progress.
pub async fn a_resume_writes_the_answer(store: Arc<dyn ChatStore>) {
    let (open, first) = sample::paused(&*store).await;
    let before = store.find_message(open.answer).await.unwrap().unwrap();
    let resume = sample::resume(&open.caller, sample::waiting(&open), "resumed");
    sample::resumed(&*store, &resume).await;
    let message = store.find_message(open.answer).await.unwrap().unwrap();
    assert_eq!(message.body, resume.body);
    assert_eq!(message.body.status, MessageStatus::InProgress);
    assert_eq!(message.seq, first.answer_seq);
    assert_eq!(message.created_at_ms, before.created_at_ms);
    assert_eq!(sample::texts(&*store, open.conversation).await.len(), 2);
}

/// The run is active again: it holds the slot with its new leg, which is worked on by its node.
pub async fn a_resumed_run_holds_the_slot(store: Arc<dyn ChatStore>) {
    let (open, _) = sample::paused(&*store).await;
    let resume = sample::resume(&open.caller, sample::waiting(&open), "resumed");
    sample::resumed(&*store, &resume).await;
    assert_eq!(store.find_paused(open.conversation).await.unwrap(), None);
    let mut next = sample::send(&open.caller, open.conversation, "next");
    next.policy = Policy::Refuse;
    assert_eq!(
        store.open_leg(next.clone()).await.unwrap(),
        chat_core::ports::Opened::Refused(chat_core::ports::Refusal::Busy)
    );
    next.policy = Policy::Replace;
    let predecessor = sample::opened(&*store, &next).await.predecessor.unwrap();
    assert_eq!(
        (predecessor.leg, predecessor.node),
        (resume.leg, resume.node)
    );
}

/// The new leg is closed like any other, and with it the run; the legs before keep their seals.
pub async fn a_resumed_leg_is_closed(store: Arc<dyn ChatStore>) {
    let (open, first) = sample::paused(&*store).await;
    let sealed = store.read(open.leg, 0, 100).await.unwrap();
    let resume = sample::resume(&open.caller, sample::waiting(&open), "resumed");
    let leg = sample::resumed(&*store, &resume).await;
    let close = CloseLeg {
        leg: resume.leg,
        epoch: leg.epoch,
        ..sample::close(&open, &first, "whole")
    };
    let with_the_first_epoch = CloseLeg {
        epoch: first.epoch,
        ..close.clone()
    };
    assert_eq!(
        store.close_leg(with_the_first_epoch).await.unwrap(),
        Closed::Lost
    );
    assert_eq!(store.close_leg(close).await.unwrap(), Closed::Done);
    for leg in [open.leg, resume.leg] {
        let leg = store.find_leg(leg).await.unwrap().unwrap();
        assert_eq!(leg.status, RunStatus::Completed);
    }
    let message = store.find_message(open.answer).await.unwrap().unwrap();
    assert_eq!(message.body.text(), "whole");
    assert_eq!(store.read(open.leg, 0, 100).await.unwrap(), sealed);
    assert_eq!(sealed.len(), 5);
}

/// A run may wait and be resumed again and again.
pub async fn a_run_is_resumed_twice(store: Arc<dyn ChatStore>) {
    let (open, first) = sample::paused(&*store).await;
    let mut waiting = sample::waiting(&open);
    let mut epoch = first.epoch;
    for index in 1..4 {
        let resume = sample::resume(&open.caller, waiting, "resumed");
        let leg = sample::resumed(&*store, &resume).await;
        assert_eq!(leg.index, index);
        assert!(leg.epoch > epoch);
        epoch = leg.epoch;
        let pause = CloseLeg {
            leg: resume.leg,
            epoch,
            ..sample::pause(&open, &first)
        };
        assert_eq!(store.close_leg(pause).await.unwrap(), Closed::Done);
        waiting.leg = resume.leg;
        let found = store.find_paused(open.conversation).await.unwrap();
        assert_eq!(found, Some(waiting));
    }
}

/// A late answer takes the slot again, as long as nothing came after its run.
pub async fn a_late_answer_resumes_its_run(store: Arc<dyn ChatStore>) {
    for ended in [RunStatus::Expired, RunStatus::Cancelled] {
        let (open, _) = sample::paused(&*store).await;
        let waiting = sample::waiting(&open);
        let end = sample::end(waiting, ended, "ended");
        assert_eq!(store.end_paused(end).await.unwrap(), Closed::Done);
        let resume = sample::resume(&open.caller, waiting, "late");
        let leg = sample::resumed(&*store, &resume).await;
        assert_eq!((leg.index, leg.message), (1, open.answer));
        let found = store.find_leg(resume.leg).await.unwrap().unwrap();
        assert_eq!(found.status, RunStatus::Queued);
        let asked = store.ask_stop(open.conversation).await.unwrap().unwrap();
        assert_eq!(asked.leg, resume.leg, "it holds the slot");
    }
}

/// A late answer is lost once another run holds the slot, or has had it.
pub async fn an_answer_to_a_run_that_was_followed_is_lost(store: Arc<dyn ChatStore>) {
    let (open, _) = sample::paused(&*store).await;
    let waiting = sample::waiting(&open);
    let mut next = sample::send(&open.caller, open.conversation, "next");
    next.ends = Some(sample::end(waiting, RunStatus::Cancelled, "denied"));
    let leg = sample::opened(&*store, &next).await;
    let resume = sample::resume(&open.caller, waiting, "late");
    lost(&store, &resume).await;
    let mut close = sample::close(&next, &leg, "");
    close.answer = None;
    assert_eq!(store.close_leg(close).await.unwrap(), Closed::Done);
    lost(&store, &resume).await;
    // Also once what came after it was cut away: its place is not the last one given.
    store
        .cut(open.conversation, next.input[0].id)
        .await
        .unwrap()
        .unwrap();
    lost(&store, &resume).await;
    let message = store.find_message(open.answer).await.unwrap().unwrap();
    assert_eq!(message.body.text(), "denied");
}

/// Only a run that waits, or ended waiting, is resumed, and only after its newest leg.
pub async fn a_resume_of_anything_else_is_lost(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let going = sample::send(&owner, sample::conversation_id(), "going");
    let leg = sample::opened(&*store, &going).await;
    let resume = sample::resume(&owner, sample::waiting(&going), "no");
    lost(&store, &resume).await;
    assert_eq!(
        store
            .close_leg(sample::close(&going, &leg, "whole"))
            .await
            .unwrap(),
        Closed::Done
    );
    lost(&store, &resume).await;
    let message = store.find_message(going.answer).await.unwrap().unwrap();
    assert_eq!(message.body.text(), "whole");

    let (open, _) = sample::paused(&*store).await;
    let waiting = sample::waiting(&open);
    let resume = sample::resume(&open.caller, waiting, "no");
    let of_another_leg = ResumeRun {
        after: going.leg,
        ..resume.clone()
    };
    lost(&store, &of_another_leg).await;
    let of_another_conversation = ResumeRun {
        conversation: going.conversation,
        ..resume.clone()
    };
    lost(&store, &of_another_conversation).await;
    sample::resumed(&*store, &resume).await;
    // The first leg is not the newest any more, and the newest is open.
    for after in [open.leg, resume.leg] {
        let again = ResumeRun {
            after,
            leg: LegId::new(sample::uuid()),
            ..resume.clone()
        };
        lost(&store, &again).await;
    }
}

/// A run or a conversation that is gone is lost.
pub async fn a_resume_of_what_was_deleted_is_lost(store: Arc<dyn ChatStore>) {
    let (deleted, _) = sample::paused(&*store).await;
    let resume = sample::resume(&deleted.caller, sample::waiting(&deleted), "late");
    store
        .delete_conversation(deleted.conversation)
        .await
        .unwrap();
    lost(&store, &resume).await;
    assert_eq!(store.find_message(deleted.answer).await.unwrap(), None);

    let (cut, _) = sample::paused(&*store).await;
    let resume = sample::resume(&cut.caller, sample::waiting(&cut), "late");
    cut_from(&store, &cut, cut.answer).await;
    lost(&store, &resume).await;
    assert_eq!(store.find_message(cut.answer).await.unwrap(), None);
}

/// A repeated key gives the leg that was opened then, before anything else is looked at.
pub async fn a_repeated_key_gives_the_resumed_leg(store: Arc<dyn ChatStore>) {
    let (open, _) = sample::paused(&*store).await;
    let mut resume = sample::resume(&open.caller, sample::waiting(&open), "resumed");
    resume.key = Some(IdempotencyKey("key".to_owned()));
    sample::resumed(&*store, &resume).await;
    let again = ResumeRun {
        leg: LegId::new(sample::uuid()),
        ..resume.clone()
    };
    let first = LegRef {
        leg: resume.leg,
        run: open.run,
        conversation: open.conversation,
    };
    assert_eq!(
        store.resume_run(again.clone()).await.unwrap(),
        Resumed::Repeated(first)
    );
    assert_eq!(store.find_leg(again.leg).await.unwrap(), None);
    // A send with the same key meets it as well.
    let mut send = sample::send(&open.caller, open.conversation, "same key");
    send.key.clone_from(&resume.key);
    assert_eq!(
        store.open_leg(send).await.unwrap(),
        chat_core::ports::Opened::Repeated(first)
    );
}

/// A resume that is lost leaves no key behind.
pub async fn a_lost_resume_does_not_use_up_its_key(store: Arc<dyn ChatStore>) {
    let (open, _) = sample::paused(&*store).await;
    let mut resume = sample::resume(&open.caller, sample::waiting(&open), "resumed");
    resume.key = Some(IdempotencyKey("key".to_owned()));
    let stale = ResumeRun {
        after: LegId::new(sample::uuid()),
        ..resume.clone()
    };
    lost(&store, &stale).await;
    sample::resumed(&*store, &resume).await;
}

/// When callers race, exactly one opens the leg.
pub async fn racing_resumes_have_one_winner(store: Arc<dyn ChatStore>) {
    let (open, _) = sample::paused(&*store).await;
    let mut racing = JoinSet::new();
    for number in 0..RACERS {
        let text = format!("resume {number}");
        let resume = sample::resume(&open.caller, sample::waiting(&open), &text);
        let store = Arc::clone(&store);
        racing.spawn(async move {
            let leg = resume.leg;
            let resumed = store.resume_run(resume).await.unwrap();
            matches!(resumed, Resumed::Fresh(_)).then_some((leg, text))
        });
    }
    let won: Vec<_> = racing.join_all().await.into_iter().flatten().collect();
    assert_eq!(won.len(), 1);
    let newest = store.newest_leg(open.conversation).await.unwrap().unwrap();
    assert_eq!((newest.id, newest.index), (won[0].0, 1));
    let message = store.find_message(open.answer).await.unwrap().unwrap();
    assert_eq!(message.body.text(), won[0].1);
    assert_eq!(store.list_orphans(&[]).await.unwrap().len(), 1);
}

/// When a replacing send races a resume, one of them finds the run waiting, and the slot is held once.
pub async fn a_resume_that_races_a_send_leaves_one_holder(store: Arc<dyn ChatStore>) {
    for _ in 0..8 {
        let (open, _) = sample::paused(&*store).await;
        let waiting = sample::waiting(&open);
        let mut next = sample::send(&open.caller, open.conversation, "next");
        next.ends = Some(sample::end(waiting, RunStatus::Cancelled, "denied"));
        let resume = sample::resume(&open.caller, waiting, "resumed");
        let mut racing = JoinSet::new();
        let (sending, resuming) = (Arc::clone(&store), Arc::clone(&store));
        let (send, answer) = (next.clone(), resume.clone());
        racing.spawn(async move {
            let leg = sample::opened(&*sending, &send).await;
            leg.predecessor.map(|predecessor| predecessor.leg)
        });
        racing.spawn(async move {
            let resumed = resuming.resume_run(answer.clone()).await.unwrap();
            matches!(resumed, Resumed::Fresh(_)).then_some(answer.leg)
        });
        let outcomes = racing.join_all().await;
        assert_eq!(outcomes[0], outcomes[1], "who resumed first is replaced");
        let holder = store.ask_stop(open.conversation).await.unwrap().unwrap();
        assert_eq!(holder.leg, next.leg);
    }
}

/// A deleted conversation takes all legs of a run with it and gives the open one.
pub async fn deleting_takes_every_leg_of_a_run(store: Arc<dyn ChatStore>) {
    let (open, _) = sample::paused(&*store).await;
    let resume = sample::resume(&open.caller, sample::waiting(&open), "resumed");
    sample::resumed(&*store, &resume).await;
    let deleted = store.delete_conversation(open.conversation).await.unwrap();
    let dropped: Vec<LegId> = deleted
        .unwrap()
        .dropped
        .iter()
        .map(|dropped| dropped.leg)
        .collect();
    assert_eq!(dropped, [resume.leg]);
    for leg in [open.leg, resume.leg] {
        assert_eq!(store.find_leg(leg).await.unwrap(), None);
        assert!(store.read(leg, 0, 100).await.unwrap().is_empty());
    }
}

async fn lost(store: &Arc<dyn ChatStore>, resume: &ResumeRun) {
    let newest = store.newest_leg(resume.conversation).await.unwrap();
    let texts = sample::texts(&**store, resume.conversation).await;
    assert_eq!(
        store.resume_run(resume.clone()).await.unwrap(),
        Resumed::Lost
    );
    assert_eq!(store.newest_leg(resume.conversation).await.unwrap(), newest);
    assert_eq!(
        sample::texts(&**store, resume.conversation).await,
        texts,
        "nothing is changed"
    );
}

async fn cut_from(store: &Arc<dyn ChatStore>, open: &OpenLeg, from: MessageId) {
    let cut = store.cut(open.conversation, from).await.unwrap();
    assert!(cut.is_some());
}
