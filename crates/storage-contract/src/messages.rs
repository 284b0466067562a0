//! What [`chat_core::ports::Messages`] says.

use std::sync::Arc;

use chat_core::{
    id::{ConversationId, MessageId},
    ports::{Closed, MessageQuery, SearchQuery, Wanted},
};

use crate::{ChatStore, sample};

/// A message that is not there is `None`.
pub async fn an_unknown_message_is_not_found(store: Arc<dyn ChatStore>) {
    let id = MessageId::new(sample::uuid());
    assert_eq!(store.find_message(id).await.unwrap(), None);
}

/// Reading after a place gives greater sequence numbers, ascending, and says whether more follow.
pub async fn messages_after_a_place_ascend(store: Arc<dyn ChatStore>) {
    let id = ten(&store).await;
    assert_eq!(
        page(&store, id, Wanted::After(0), 100).await,
        ((1..=10).collect(), false)
    );
    assert_eq!(
        page(&store, id, Wanted::After(0), 10).await,
        ((1..=10).collect(), false)
    );
    assert_eq!(
        page(&store, id, Wanted::After(3), 4).await,
        (vec![4, 5, 6, 7], true)
    );
    assert_eq!(
        page(&store, id, Wanted::After(10), 4).await,
        (vec![], false)
    );
    assert_eq!(
        page(&store, id, Wanted::After(u64::MAX), 4).await,
        (vec![], false)
    );
}

/// Reading before a place gives smaller sequence numbers, descending, and says whether more precede.
pub async fn messages_before_a_place_descend(store: Arc<dyn ChatStore>) {
    let id = ten(&store).await;
    assert_eq!(
        page(&store, id, Wanted::Before(u64::MAX), 3).await,
        (vec![10, 9, 8], true)
    );
    assert_eq!(
        page(&store, id, Wanted::Before(4), 3).await,
        (vec![3, 2, 1], false)
    );
    assert_eq!(
        page(&store, id, Wanted::Before(1), 3).await,
        (vec![], false)
    );
}

/// A page holds messages of its conversation only, and a missing conversation has none.
pub async fn a_missing_conversation_has_no_messages(store: Arc<dyn ChatStore>) {
    ten(&store).await;
    let missing = sample::conversation_id();
    assert_eq!(
        page(&store, missing, Wanted::After(0), 5).await,
        (vec![], false)
    );
    assert_eq!(
        page(&store, missing, Wanted::Before(u64::MAX), 5).await,
        (vec![], false)
    );
}

/// A search gives messages that hold every term, in any order and spelling that folds alike, with the title.
pub async fn a_search_finds_messages_with_all_terms(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let open = sample::send(&owner, id, "The École opens at nine, says Zoë.");
    sample::opened(&*store, &open).await;
    sample::opened(
        &*store,
        &sample::send(&owner, id, "The school closes at five."),
    )
    .await;
    assert!(store.retitle(id, None, "Hours").await.unwrap());
    sample::finds(&*store, &owner, "closes", &["The school closes at five."]).await;
    let text = "The École opens at nine, says Zoë.";
    sample::finds(&*store, &owner, "école", &[text]).await;
    sample::finds(&*store, &owner, "NINE ÉCOLE zoë", &[text]).await;
    sample::finds(&*store, &owner, "ecole", &[]).await;
    sample::finds(&*store, &owner, "nine five", &[]).await;
    let hits = store
        .search_messages(SearchQuery {
            owner,
            text: "nine".to_owned(),
            limit: 5,
        })
        .await
        .unwrap();
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0].title.as_deref(), Some("Hours"));
    assert_eq!(hits[0].message.id, open.input[0].id);
    assert_eq!(hits[0].message.seq, 1);
}

/// A word of a script without spaces is found within a sentence.
pub async fn a_search_finds_words_of_unspaced_scripts(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let text = "明日は彼の誕生日です";
    let open = sample::send(&owner, sample::conversation_id(), text);
    sample::opened(&*store, &open).await;
    sample::finds(&*store, &owner, "誕生日", &[text]).await;
    sample::finds(&*store, &owner, "生誕", &[]).await;
}

/// A search finds answers as well as questions.
pub async fn a_search_finds_answers(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let open = sample::send(&owner, sample::conversation_id(), "question");
    let leg = sample::opened(&*store, &open).await;
    let close = sample::close(&open, &leg, "forty-two");
    assert_eq!(store.close_leg(close).await.unwrap(), Closed::Done);
    sample::finds(&*store, &owner, "forty two", &["forty-two"]).await;
}

/// An answer that was overwritten is found by what it says now, and by nothing that it said before.
pub async fn a_search_finds_an_answer_as_it_is_now(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let open = sample::send(&owner, sample::conversation_id(), "question");
    let leg = sample::opened(&*store, &open).await;
    let mut pause = sample::pause(&open, &leg);
    pause.answer = Some(sample::answer(&open, "perhaps"));
    let checkpoint = chat_core::ports::Checkpoint {
        leg: open.leg,
        epoch: leg.epoch,
        status: chat_core::run::RunStatus::InProgress,
        answer: Some(sample::answer(&open, "certainly")),
    };
    assert_eq!(store.checkpoint(checkpoint).await.unwrap(), Closed::Done);
    sample::finds(&*store, &owner, "certainly", &["certainly"]).await;
    assert_eq!(store.close_leg(pause).await.unwrap(), Closed::Done);
    sample::finds(&*store, &owner, "perhaps", &["perhaps"]).await;
    sample::finds(&*store, &owner, "certainly", &[]).await;
}

/// Hits come newest first, at most as many as were asked for.
pub async fn a_search_gives_the_newest_first(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    for (at_ms, text) in [
        (2_000, "apple two"),
        (3_000, "apple three"),
        (1_000, "apple one"),
    ] {
        let mut open = sample::send(&owner, sample::conversation_id(), text);
        open.at_ms = at_ms;
        sample::opened(&*store, &open).await;
    }
    let all = ["apple three", "apple two", "apple one"];
    sample::finds(&*store, &owner, "apple", &all).await;
    let hits = store
        .search_messages(SearchQuery {
            owner,
            text: "apple".to_owned(),
            limit: 2,
        })
        .await
        .unwrap();
    let texts: Vec<_> = hits.iter().map(|hit| hit.message.body.text()).collect();
    assert_eq!(texts, all[..2]);
}

/// A search finds its owner's messages only.
pub async fn a_search_finds_only_the_owners_messages(store: Arc<dyn ChatStore>) {
    let owners = [sample::owner(), sample::owner()];
    for (owner, text) in owners.iter().zip(["pear mine", "pear yours"]) {
        let open = sample::send(owner, sample::conversation_id(), text);
        sample::opened(&*store, &open).await;
    }
    sample::finds(&*store, &owners[0], "pear", &["pear mine"]).await;
    sample::finds(&*store, &owners[1], "pear", &["pear yours"]).await;
}

/// A deleted message is found no longer, at once, and a new one in its place is.
pub async fn a_search_does_not_find_deleted_messages(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let first = sample::send(&owner, id, "plum before");
    sample::opened(&*store, &first).await;
    sample::finds(&*store, &owner, "plum", &["plum before"]).await;
    let mut edit = sample::send(&owner, id, "cherry after");
    edit.cut_from = Some(first.input[0].id);
    sample::opened(&*store, &edit).await;
    assert_eq!(
        sample::found(&*store, &owner, "plum").await,
        Vec::<String>::new()
    );
    sample::finds(&*store, &owner, "cherry", &["cherry after"]).await;
    store.delete_conversation(id).await.unwrap().unwrap();
    assert_eq!(
        sample::found(&*store, &owner, "cherry").await,
        Vec::<String>::new()
    );
    let next = sample::send(&owner, sample::conversation_id(), "date");
    sample::opened(&*store, &next).await;
    sample::finds(&*store, &owner, "date", &["date"]).await;
    sample::finds(&*store, &owner, "cherry", &[]).await;
}

/// A query without a term finds nothing, and one that looks like a query language is only text.
pub async fn a_search_takes_its_text_as_text(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let text = "NOT a \"query\": terms^2 OR (none*) -- 'x'";
    let open = sample::send(&owner, sample::conversation_id(), text);
    sample::opened(&*store, &open).await;
    sample::finds(&*store, &owner, text, &[text]).await;
    for nothing in ["", "  ", "\"", "*", "--", "(", "'"] {
        sample::finds(&*store, &owner, nothing, &[]).await;
    }
    for hostile in [
        "none OR missing",
        "nothing*",
        "terms:missing",
        "\" OR \"\" missing",
    ] {
        sample::finds(&*store, &owner, hostile, &[]).await;
    }
}

/// A conversation of ten messages without an answer between them.
async fn ten(store: &Arc<dyn ChatStore>) -> ConversationId {
    let mut open = sample::send(&sample::owner(), sample::conversation_id(), "1");
    for number in 2..=10 {
        open.input.push(sample::input(&number.to_string()));
    }
    sample::opened(&**store, &open).await;
    open.conversation
}

async fn page(
    store: &Arc<dyn ChatStore>,
    conversation: ConversationId,
    wanted: Wanted,
    limit: u32,
) -> (Vec<u64>, bool) {
    let page = store
        .list_messages(MessageQuery {
            conversation,
            wanted,
            limit,
        })
        .await
        .unwrap();
    let seqs = page
        .messages
        .iter()
        .map(|message| {
            assert_eq!(message.conversation, conversation);
            assert_eq!(message.body.text(), message.seq.to_string());
            message.seq
        })
        .collect();
    (seqs, page.more)
}
