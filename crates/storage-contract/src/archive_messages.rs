//! What [`records::Archive`] says of messages.

use std::sync::Arc;

use chat_core::{
    access::Owner,
    id::{ConversationId, MessageId},
    message::{Message, PartContent, Role},
    ports::{Closed, OpenLeg, Opened, Quota, Refusal},
};
use records::{MessageRecord, Put, Rating};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{WholeStore, archive, sample};

/// Messages that were put are read like any other, and scanned as they were put, in order.
pub async fn messages_are_stored_as_they_are_given(store: Arc<dyn WholeStore>) {
    let id = conversation(&store, &sample::owner()).await;
    let mut records = vec![message(id, 1, "one"), message(id, 2, "two")];
    records[0].rating = Some(Rating::Down);
    records[0].alias = None;
    records[1].message.role = Role::Assistant;
    records[1].message.created_at_ms = -1;
    records[1].rating = Some(Rating::Up);
    let part = &mut records[1].message.body.parts[0];
    part.alias = Some("part_$1".to_owned());
    part.content = PartContent::Data {
        name: "a.b".to_owned(),
        id: None,
        data: json!({"$where": {"\0": [9_223_372_036_854_775_808_u64, 0.1]}}),
    };
    records.push(message(id, 3, "with \0 and \u{FFFF} and 𝄞"));
    let reversed = records.iter().rev().cloned().collect();
    assert_eq!(put(&store, id, reversed).await, [Put::New; 3]);
    assert_eq!(store.scan_messages(id, 0, 9).await.unwrap(), records);
    for record in &records {
        let found = store.find_message(record.message.id).await.unwrap();
        assert_eq!(found.as_ref(), Some(&record.message));
    }
    let texts = sample::texts(&*store, id).await;
    let places: Vec<_> = texts.into_iter().map(|(seq, _)| seq).collect();
    assert_eq!(places, [1, 2, 3]);
}

/// Nothing is put where nothing is asked to be.
pub async fn no_messages_are_no_outcomes(store: Arc<dyn WholeStore>) {
    let id = conversation(&store, &sample::owner()).await;
    assert_eq!(put(&store, id, Vec::new()).await, []);
    assert_eq!(store.scan_messages(id, 0, 9).await.unwrap(), []);
}

/// A message that is there is known, however the two differ, and stays as it was; the others are stored.
pub async fn a_known_message_is_unchanged(store: Arc<dyn WholeStore>) {
    let owner = sample::owner();
    let id = conversation(&store, &owner).await;
    let first = message(id, 1, "apple first");
    assert_eq!(put(&store, id, vec![first.clone()]).await, [Put::New]);
    let mut second = message(id, 5, "apple second");
    second.message.id = first.message.id;
    second.rating = Some(Rating::Up);
    let new = message(id, 2, "pear");
    let batch = vec![second, new.clone(), first.clone(), new.clone()];
    assert_eq!(
        put(&store, id, batch).await,
        [Put::Known, Put::New, Put::Known, Put::Known]
    );
    assert_eq!(store.scan_messages(id, 0, 9).await.unwrap(), [first, new]);
    sample::finds(&*store, &owner, "apple", &["apple first"]).await;
}

/// The conversation goes on after the last message that was put, gaps left as they are.
pub async fn a_send_goes_on_after_the_last_message(store: Arc<dyn WholeStore>) {
    let owner = sample::owner();
    let id = conversation(&store, &owner).await;
    let records = vec![message(id, 7, "seven"), message(id, 3, "three")];
    assert_eq!(put(&store, id, records).await, [Put::New; 2]);
    let next = store.scan_conversations(None, None, 1).await.unwrap();
    assert_eq!(next[0].next_seq, 8);
    // One in a gap does not set it back, and one that is refused does not move it.
    let mut taken = message(id, 100, "a hundred");
    taken.message.id = elsewhere(&store).await.message.id;
    let records = vec![message(id, 5, "five"), taken];
    assert_eq!(put(&store, id, records).await, [Put::New, Put::Taken]);
    let leg = sample::opened(&*store, &sample::send(&owner, id, "eight")).await;
    assert_eq!(leg.answer_seq, 9);
    let expected = [(3, "three"), (5, "five"), (7, "seven"), (8, "eight")];
    assert_eq!(
        sample::texts(&*store, id).await,
        expected.map(|(seq, text)| (seq, text.to_owned()))
    );
}

/// A person's message that was put counts for its owner's quota from its own time on, and no other message does.
pub async fn messages_that_were_put_count_for_a_quota(store: Arc<dyn WholeStore>) {
    let owner = sample::owner();
    let id = conversation(&store, &owner).await;
    let mut records = [1, 2, 3].map(|seq| message(id, seq, "put"));
    for (record, role) in records
        .iter_mut()
        .zip([Role::User, Role::Assistant, Role::System])
    {
        record.message.role = role;
        record.message.created_at_ms = 500;
    }
    assert_eq!(put(&store, id, records.to_vec()).await, [Put::New; 3]);
    for (limit, since_ms, spent) in [(0, 500, true), (1, 500, false), (0, 501, false)] {
        let mut open = sample::send(&owner, sample::conversation_id(), "a question");
        open.at_ms = 400;
        open.quota = Some(Quota { limit, since_ms });
        let refused = store.open_leg(open).await.unwrap() == Opened::Refused(Refusal::QuotaSpent);
        assert_eq!(refused, spent, "{limit} since {since_ms}");
    }
}

/// What was put is cut like any other message.
pub async fn a_cut_deletes_messages_that_were_put(store: Arc<dyn WholeStore>) {
    let owner = sample::owner();
    let id = conversation(&store, &owner).await;
    let records = [message(id, 1, "kept"), message(id, 2, "plum")];
    assert_eq!(put(&store, id, records.to_vec()).await, [Put::New; 2]);
    sample::finds(&*store, &owner, "plum", &["plum"]).await;
    let mut edit = sample::send(&owner, id, "edited");
    edit.cut_from = Some(records[1].message.id);
    sample::opened(&*store, &edit).await;
    assert_eq!(
        sample::texts(&*store, id).await,
        [(1, "kept".to_owned()), (3, "edited".to_owned())]
    );
    sample::finds(&*store, &owner, "plum", &[]).await;
}

/// What was put goes with its conversation, and can be put again then.
pub async fn deleting_takes_messages_that_were_put(store: Arc<dyn WholeStore>) {
    let owner = sample::owner();
    let record = archive::conversation(&owner);
    let id = record.conversation.id;
    let records = vec![message(id, 1, "plum"), message(id, 2, "cherry")];
    for _ in 0..2 {
        let stored = store.put_conversation(record.clone()).await.unwrap();
        assert_eq!(stored, Put::New);
        assert_eq!(put(&store, id, records.clone()).await, [Put::New; 2]);
        sample::finds(&*store, &owner, "plum", &["plum"]).await;
        store.delete_conversation(id).await.unwrap().unwrap();
        assert_eq!(store.scan_messages(id, 0, 9).await.unwrap(), []);
        sample::finds(&*store, &owner, "plum", &[]).await;
    }
    assert_eq!(put(&store, id, records).await, [Put::Orphan; 2]);
}

/// All messages are orphans when there is no such conversation, and none is stored, also when it comes to be later.
pub async fn messages_of_a_missing_conversation_are_orphans(store: Arc<dyn WholeStore>) {
    let record = archive::conversation(&sample::owner());
    let id = record.conversation.id;
    let orphan = message(id, 1, "one");
    let batch = vec![orphan.clone(), message(id, 2, "two")];
    assert_eq!(put(&store, id, batch).await, [Put::Orphan; 2]);
    assert_eq!(store.put_conversation(record).await.unwrap(), Put::New);
    assert_eq!(store.scan_messages(id, 0, 9).await.unwrap(), []);
    assert_eq!(put(&store, id, vec![orphan]).await, [Put::New]);
}

/// A message whose id stands in another conversation, or whose place or alias another message has, is not stored.
pub async fn a_message_with_something_taken_is_not_stored(store: Arc<dyn WholeStore>) {
    let owner = sample::owner();
    let id = conversation(&store, &owner).await;
    let other = elsewhere(&store).await;
    let first = message(id, 1, "first");
    assert_eq!(put(&store, id, vec![first.clone()]).await, [Put::New]);
    let mut same_id = message(id, 2, "of another conversation's id");
    same_id.message.id = other.message.id;
    let same_place = message(id, 1, "in the place of another");
    let mut same_alias = message(id, 2, "with the alias of another");
    same_alias.alias.clone_from(&first.alias);
    let mut foreign_alias = message(id, 2, "with the alias of another conversation's message");
    foreign_alias.alias.clone_from(&other.alias);
    let second = message(id, 2, "second");
    let mut within = message(id, 3, "with the alias of one before it");
    within.alias.clone_from(&second.alias);
    let third = message(id, 3, "third");
    let also_third = message(id, 3, "in the place of one before it");
    let batch = vec![
        same_id.clone(),
        same_place,
        same_alias,
        foreign_alias,
        second.clone(),
        within,
        third.clone(),
        also_third,
    ];
    let [new, taken] = [Put::New, Put::Taken];
    assert_eq!(
        put(&store, id, batch).await,
        [taken, taken, taken, taken, new, taken, new, taken]
    );
    let stored = store.scan_messages(id, 0, 9).await.unwrap();
    assert_eq!(stored, [first, second, third]);
    let found = store.find_message(other.message.id).await.unwrap();
    assert_eq!(found, Some(other.message));
}

/// Neither the place nor the id of an answer that is still to come can be put; the answer is stored all the same.
pub async fn a_message_that_a_coming_answer_will_be_is_taken(store: Arc<dyn WholeStore>) {
    let open = sample::send(&sample::owner(), sample::conversation_id(), "question");
    let leg = sample::opened(&*store, &open).await;
    let id = open.conversation;
    let mut same_id = message(id, 9, "of its id");
    same_id.message.id = open.answer;
    let same_place = message(id, leg.answer_seq, "in its place");
    assert_eq!(
        put(&store, id, vec![same_id.clone(), same_place]).await,
        [Put::Taken; 2]
    );
    // Nor can its id be put into another conversation.
    let other = conversation(&store, &open.caller).await;
    same_id.message.conversation = other;
    assert_eq!(put(&store, other, vec![same_id]).await, [Put::Taken]);
    let close = sample::close(&open, &leg, "the answer");
    assert_eq!(store.close_leg(close).await.unwrap(), Closed::Done);
    let expected = [(1, "question"), (2, "the answer")];
    assert_eq!(
        sample::texts(&*store, id).await,
        expected.map(|(seq, text)| (seq, text.to_owned()))
    );
}

/// Messages that a run made are scanned too, and are known when they are put again.
pub async fn messages_of_runs_are_scanned_and_known(store: Arc<dyn WholeStore>) {
    let (open, records) = answered(&store).await;
    assert_eq!(records.len(), 2);
    for record in &records {
        let found = store.find_message(record.message.id).await.unwrap();
        assert_eq!(found.as_ref(), Some(&record.message));
        assert_eq!((&record.alias, record.rating), (&None, None));
    }
    let again = records.clone();
    assert_eq!(put(&store, open.conversation, again).await, [Put::Known; 2]);
    let after = store.scan_messages(open.conversation, 0, 9).await.unwrap();
    assert_eq!(after, records);
}

/// A search finds messages that were put, its owner's only.
pub async fn a_search_finds_messages_that_were_put(store: Arc<dyn WholeStore>) {
    let owner = sample::owner();
    let id = conversation(&store, &owner).await;
    let mut answer = message(id, 2, "An imported apple.");
    answer.message.role = Role::Assistant;
    answer.message.created_at_ms += 1;
    let records = vec![message(id, 1, "apple?"), answer, message(id, 3, "pear")];
    assert_eq!(put(&store, id, records).await, [Put::New; 3]);
    sample::finds(&*store, &owner, "apple", &["An imported apple.", "apple?"]).await;
    sample::finds(&*store, &sample::owner(), "apple", &[]).await;
}

/// When callers race to put the same messages, each is stored exactly once.
pub async fn racing_messages_are_stored_once_each(store: Arc<dyn WholeStore>) {
    let id = conversation(&store, &sample::owner()).await;
    let records: Vec<_> = (1..=20)
        .map(|seq| message(id, seq, &format!("message {seq}")))
        .collect();
    let mut racing = JoinSet::new();
    for racer in 0..8 {
        let store = Arc::clone(&store);
        let mut records = records.clone();
        if racer % 2 == 1 {
            records.reverse();
        }
        racing.spawn(async move {
            let outcomes = put(&store, id, records.clone()).await;
            let stored = outcomes.iter().filter(|put| **put == Put::New).count();
            assert!(
                outcomes
                    .iter()
                    .all(|put| matches!(put, Put::New | Put::Known)),
                "{outcomes:?}"
            );
            stored
        });
    }
    assert_eq!(racing.join_all().await.iter().sum::<usize>(), 20);
    assert_eq!(store.scan_messages(id, 0, 99).await.unwrap(), records);
}

/// Messages that race for a place or an alias: exactly one gets it.
pub async fn racing_for_a_place_has_one_winner(store: Arc<dyn WholeStore>) {
    let id = conversation(&store, &sample::owner()).await;
    for by_alias in [false, true] {
        let mut racing = JoinSet::new();
        for racer in 0..12 {
            let store = Arc::clone(&store);
            let mut record = message(id, if by_alias { 10 + racer } else { 1 }, "me");
            if by_alias {
                record.alias = Some("one".to_owned());
            }
            racing.spawn(async move { put(&store, id, vec![record]).await[0] });
        }
        let outcomes = racing.join_all().await;
        let count = |wanted| outcomes.iter().filter(|put| **put == wanted).count();
        assert_eq!(count(Put::New), 1, "{outcomes:?}");
        assert_eq!(count(Put::Taken), 11, "{outcomes:?}");
    }
}

/// Puts that race sends: every message has a place of its own.
pub async fn puts_that_race_sends_share_no_place(store: Arc<dyn WholeStore>) {
    let owner = sample::owner();
    let id = conversation(&store, &owner).await;
    let mut racing = JoinSet::new();
    for seq in 1..=8 {
        let (putting, sending) = (Arc::clone(&store), Arc::clone(&store));
        let open = sample::send(&owner, id, &format!("sent {seq}"));
        racing.spawn(async move {
            let outcome = put(&putting, id, vec![message(id, seq * 2, "put")]).await;
            usize::from(outcome == [Put::New])
        });
        racing.spawn(async move {
            sample::opened(&*sending, &open).await;
            1
        });
    }
    let stored: usize = racing.join_all().await.iter().sum();
    let records = store.scan_messages(id, 0, 99).await.unwrap();
    assert_eq!(records.len(), stored);
    assert!(records.is_sorted_by(|a, b| a.message.seq < b.message.seq));
    let next = store.scan_conversations(None, None, 1).await.unwrap()[0].next_seq;
    assert!(records.iter().all(|record| record.message.seq < next));
}

/// A message of 8 MiB comes back as it was put.
pub async fn a_message_of_eight_mebibytes_is_stored(store: Arc<dyn WholeStore>) {
    let id = conversation(&store, &sample::owner()).await;
    let record = message(
        id,
        1,
        &"a line of text, \"é\"\n".repeat(8 * 1024 * 1024 / 20),
    );
    assert_eq!(put(&store, id, vec![record.clone()]).await, [Put::New]);
    assert!(store.scan_messages(id, 0, 9).await.unwrap() == [record]);
}

/// A message that names another conversation, and one whose place is none, is an error, and nothing is stored.
pub async fn a_message_out_of_place_is_an_error(store: Arc<dyn WholeStore>) {
    let id = conversation(&store, &sample::owner()).await;
    let other = conversation(&store, &sample::owner()).await;
    for wrong in [
        message(other, 2, "foreign"),
        message(id, 0, "nowhere"),
        message(id, u64::MAX, "far away"),
    ] {
        let batch = vec![message(id, 1, "right"), wrong];
        let refused = store.put_messages(id, batch).await;
        assert!(
            matches!(refused, Err(records::StoreError::Fatal(_))),
            "{refused:?}"
        );
        assert_eq!(store.scan_messages(id, 0, 9).await.unwrap(), []);
    }
}

/// Messages are given page by page in order, those of their conversation only, while others come.
pub async fn messages_are_scanned_in_order_while_others_come(store: Arc<dyn WholeStore>) {
    let id = conversation(&store, &sample::owner()).await;
    elsewhere(&store).await;
    let records: Vec<_> = (1..=30)
        .map(|seq| message(id, 3 * seq, &format!("message {seq}")))
        .collect();
    let stored = put(&store, id, records.clone()).await;
    assert_eq!(stored, [Put::New; 30]);
    let coming = Arc::clone(&store);
    let mut others = JoinSet::new();
    others.spawn(async move {
        for seq in 0..30 {
            let other = message(id, 3 * (29 - seq) + 1, "other");
            assert_eq!(put(&coming, id, vec![other]).await, [Put::New]);
        }
    });
    let mut scanned: Vec<MessageRecord> = Vec::new();
    loop {
        let after = scanned.last().map_or(0, |record| record.message.seq);
        let page = store.scan_messages(id, after, 4).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 4);
        scanned.extend(page);
    }
    others.join_all().await;
    assert!(scanned.is_sorted_by(|a, b| a.message.seq < b.message.seq));
    scanned.retain(|record| record.message.seq % 3 == 0);
    assert_eq!(scanned, records);
    assert_eq!(store.scan_messages(id, u64::MAX, 4).await.unwrap(), []);
    let missing = sample::conversation_id();
    assert_eq!(store.scan_messages(missing, 0, 4).await.unwrap(), []);
}

/// A rating is set where there is none, and never changed; a message that is not there makes it an orphan.
pub async fn a_rating_is_set_once(store: Arc<dyn WholeStore>) {
    let (open, records) = answered(&store).await;
    let id = open.answer;
    for (rating, put) in [
        (Rating::Down, Put::New),
        (Rating::Up, Put::Known),
        (Rating::Down, Put::Known),
    ] {
        assert_eq!(store.put_rating(id, rating).await.unwrap(), put);
    }
    let missing = MessageId::new(sample::uuid());
    assert_eq!(
        store.put_rating(missing, Rating::Up).await.unwrap(),
        Put::Orphan
    );
    let mut expected = records;
    expected[1].rating = Some(Rating::Down);
    let rated = store.scan_messages(open.conversation, 0, 9).await.unwrap();
    assert_eq!(rated, expected);
}

/// One that came with its message is known.
pub async fn a_rating_that_came_with_its_message_is_known(store: Arc<dyn WholeStore>) {
    let id = conversation(&store, &sample::owner()).await;
    let mut record = message(id, 1, "one");
    record.rating = Some(Rating::Up);
    assert_eq!(put(&store, id, vec![record.clone()]).await, [Put::New]);
    let again = store.put_rating(record.message.id, Rating::Down).await;
    assert_eq!(again.unwrap(), Put::Known);
    assert_eq!(store.scan_messages(id, 0, 9).await.unwrap(), [record]);
}

/// When callers race to rate one message, exactly one does.
pub async fn racing_ratings_have_one_winner(store: Arc<dyn WholeStore>) {
    let (open, _) = answered(&store).await;
    let mut racing = JoinSet::new();
    for racer in 0..16 {
        let store = Arc::clone(&store);
        let rating = if racer % 2 == 0 {
            Rating::Up
        } else {
            Rating::Down
        };
        let id = open.answer;
        racing.spawn(async move { (store.put_rating(id, rating).await.unwrap(), rating) });
    }
    let winners: Vec<_> = racing
        .join_all()
        .await
        .into_iter()
        .filter(|(put, _)| *put == Put::New)
        .map(|(_, rating)| rating)
        .collect();
    assert_eq!(winners.len(), 1);
    let rated = store.scan_messages(open.conversation, 1, 1).await.unwrap();
    assert_eq!(rated[0].rating, Some(winners[0]));
}

/// A conversation that was put, without messages.
async fn conversation(store: &Arc<dyn WholeStore>, owner: &Owner) -> ConversationId {
    let record = archive::conversation(owner);
    let id = record.conversation.id;
    assert_eq!(store.put_conversation(record).await.unwrap(), Put::New);
    id
}

/// A message that was put into a conversation of another owner.
async fn elsewhere(store: &Arc<dyn WholeStore>) -> MessageRecord {
    // With an id that is scanned behind those that tests look at.
    let mut record = archive::conversation(&sample::owner());
    let id = ConversationId::new(uuid::Uuid::from_u128(
        u128::MAX - sample::uuid().as_u128() % (1 << 64),
    ));
    record.conversation.id = id;
    assert_eq!(store.put_conversation(record).await.unwrap(), Put::New);
    let message = message(id, 1, "elsewhere");
    assert_eq!(put(store, id, vec![message.clone()]).await, [Put::New]);
    message
}

/// A send that was answered, and its messages.
async fn answered(store: &Arc<dyn WholeStore>) -> (OpenLeg, Vec<MessageRecord>) {
    let open = sample::send(&sample::owner(), sample::conversation_id(), "question");
    let leg = sample::opened(&**store, &open).await;
    let close = sample::close(&open, &leg, "the answer");
    assert_eq!(store.close_leg(close).await.unwrap(), Closed::Done);
    let records = store.scan_messages(open.conversation, 0, 9).await.unwrap();
    (open, records)
}

async fn put(
    store: &Arc<dyn WholeStore>,
    conversation: ConversationId,
    messages: Vec<MessageRecord>,
) -> Vec<Put> {
    store.put_messages(conversation, messages).await.unwrap()
}

fn message(conversation: ConversationId, seq: u64, text: &str) -> MessageRecord {
    let id = MessageId::new(sample::uuid());
    MessageRecord {
        message: Message {
            id,
            conversation,
            seq,
            role: Role::User,
            created_at_ms: 1_600_000_000_000,
            body: sample::body(text),
        },
        alias: Some(format!("msg_{id}")),
        rating: None,
    }
}
