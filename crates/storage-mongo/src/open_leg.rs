//! The transaction of a send.

use std::collections::HashSet;

use chat_core::{
    conversation::{Conversation, NewConversation},
    id::{LegId, NodeId, RunId},
    message::Role,
    ports::{DroppedLeg, FreshLeg, LegRef, OpenLeg, Opened, Policy, Predecessor, Refusal},
    run::RunStatus,
};
use mongodb::bson::{Uuid, doc};
use serde::Deserialize;

use crate::{
    MongoStore,
    blocking::{LONG, aside},
    cut,
    error::Failure,
    layout::{
        ConversationDocument, KeyDocument, LegDocument, MessageDocument, OpeningDocument,
        RunDocument, Stop, StoredId, date, signed, unsigned,
    },
    transaction::Tx,
};

/// What a send stores, made before its transaction, which holds others up.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    input: Vec<MessageDocument>,
    leg: LegDocument,
    key: Option<KeyDocument>,
}

impl Prepared {
    pub(crate) async fn new(open: &OpenLeg) -> Result<Self, Failure> {
        let weight: usize = open.input.iter().map(|message| message.body.weight()).sum();
        let open = open.clone();
        aside(weight >= LONG, move || {
            let owner = open.caller.to_string();
            let input = open.input.iter().map(|message| {
                let (id, conversation) = (message.id, open.conversation);
                MessageDocument::new(
                    id,
                    conversation,
                    &owner,
                    message.role,
                    open.at_ms,
                    &message.body,
                )
            });
            Ok(Self {
                input: input.collect::<Result<_, _>>()?,
                leg: LegDocument::new(&open)?,
                key: KeyDocument::of(&open),
            })
        })
        .await
    }
}

/// Opens a leg as [`chat_core::ports::Conversations::open_leg`] says: first all checks, then all changes.
pub(crate) async fn open_leg(
    store: &MongoStore,
    tx: &mut Tx,
    open: &OpenLeg,
    prepared: &Prepared,
) -> Result<Opened, Failure> {
    // An earlier run of this body may have been committed without our knowing.
    if tx.attempt > 0
        && let Some(fresh) = opened_before(store, tx, open).await?
    {
        return Ok(fresh);
    }
    if let Some(leg) = repeated(store, tx, prepared).await? {
        return Ok(Opened::Repeated(leg));
    }
    let found = find(store, tx, open).await?;
    if let Some(found) = &found
        && found.conversation.owner != open.caller
    {
        return Ok(Opened::Refused(Refusal::Forbidden));
    }
    if found.is_none() && open.create.is_none() {
        return Ok(Opened::Refused(Refusal::NotFound));
    }
    // What is not there holds nothing that could be cut or be replaced.
    let cut = match (&found, open.cut_from) {
        (Some(_), Some(_)) => cut_place(store, tx, open).await?,
        _ => None,
    };
    match taken(store, tx, open, cut).await? {
        Taken::No => {}
        Taken::Yes => return Ok(Opened::Refused(Refusal::MessageTaken)),
        // The caller repeats what it does not know to have been done.
        Taken::ByItself => {
            return Ok(opened_before(store, tx, open)
                .await?
                .unwrap_or(Opened::Refused(Refusal::MessageTaken)));
        }
    }
    let holder = match &found {
        Some(_) => holder(store, tx, open).await?,
        None => None,
    };
    let holder = holder.filter(|holder| cut.is_none_or(|from| holder.answer_seq < from));
    if open.policy == Policy::Refuse && holder.is_some() {
        return Ok(Opened::Refused(Refusal::Busy));
    }

    let created = found.is_none();
    let state = match (found, &open.create) {
        (Some(found), _) => found,
        (None, Some(new)) => Found::new(open, new),
        (None, None) => return Ok(Opened::Refused(Refusal::NotFound)),
    };
    let dropped = match cut {
        Some(from) => cut::cut_from(store, tx, open.conversation, from).await?,
        None => Vec::new(),
    };
    let predecessor = match &holder {
        Some(holder) => replace(store, tx, holder, open.at_ms).await?,
        None => None,
    };
    let mut prepared = prepared.clone();
    prepared.leg.opening = OpeningDocument::new(created, predecessor, &dropped);
    let (answer_seq, epoch) = write(store, tx, open, &state, created, prepared).await?;
    Ok(Opened::Fresh(Box::new(FreshLeg {
        conversation: state.conversation,
        created,
        answer_seq,
        epoch,
        predecessor,
        dropped,
    })))
}

/// A conversation with what a send needs to know of it.
struct Found {
    conversation: Conversation,
    next_seq: u64,
    epoch: u64,
}

impl Found {
    fn new(open: &OpenLeg, new: &NewConversation) -> Self {
        Self {
            conversation: Conversation {
                id: open.conversation,
                owner: open.caller.clone(),
                title: new.title.clone(),
                visibility: new.visibility,
                origin: new.origin,
                created_at_ms: open.at_ms,
            },
            next_seq: 1,
            epoch: 0,
        }
    }
}

/// The run that holds the slot.
struct Holder {
    run: RunId,
    answer_seq: u64,
    /// Its open leg and that one's place in the run; `None` while it is paused.
    open: Option<(LegId, NodeId, i64)>,
}

/// Whether ids of a send are another's.
enum Taken {
    No,
    Yes,
    /// The answer's id is that of the very same run.
    ByItself,
}

async fn opened_before(
    store: &MongoStore,
    tx: &mut Tx,
    open: &OpenLeg,
) -> Result<Option<Opened>, Failure> {
    #[derive(Deserialize)]
    struct Before {
        answer_seq: i64,
        epoch: i64,
        opening: OpeningDocument,
    }
    let same = doc! {
        "_id": open.leg.stored(),
        "run": open.run.stored(),
        "conversation": open.conversation.stored(),
    };
    let leg = store
        .part::<LegDocument, Before>()
        .find_one(same)
        .projection(doc! {"answer_seq": 1, "epoch": 1, "opening": 1})
        .session(&mut tx.session)
        .await?;
    let (Some(leg), Some(found)) = (leg, find(store, tx, open).await?) else {
        return Ok(None);
    };
    Ok(Some(Opened::Fresh(Box::new(FreshLeg {
        conversation: found.conversation,
        created: leg.opening.created,
        answer_seq: unsigned(leg.answer_seq)?,
        epoch: unsigned(leg.epoch)?,
        predecessor: leg.opening.predecessor(),
        dropped: leg.opening.dropped(),
    }))))
}

async fn repeated(
    store: &MongoStore,
    tx: &mut Tx,
    prepared: &Prepared,
) -> Result<Option<LegRef>, Failure> {
    let Some(key) = &prepared.key else {
        return Ok(None);
    };
    let found = store
        .all::<KeyDocument>()
        .find_one(doc! {"owner": &key.owner, "name": &key.name})
        .session(&mut tx.session)
        .await?;
    Ok(found.map(|found| found.read()))
}

async fn find(store: &MongoStore, tx: &mut Tx, open: &OpenLeg) -> Result<Option<Found>, Failure> {
    let found = store
        .all::<ConversationDocument>()
        .find_one(doc! {"_id": open.conversation.stored()})
        .session(&mut tx.session)
        .await?;
    let Some(found) = found else {
        return Ok(None);
    };
    Ok(Some(Found {
        next_seq: unsigned(found.next_seq)?,
        epoch: unsigned(found.epoch)?,
        conversation: found.read()?,
    }))
}

/// Where the cut begins: at a person's message of the conversation, and at no other.
async fn cut_place(
    store: &MongoStore,
    tx: &mut Tx,
    open: &OpenLeg,
) -> Result<Option<u64>, Failure> {
    #[derive(Deserialize)]
    struct Place {
        seq: i64,
    }
    let Some(from) = open.cut_from else {
        return Ok(None);
    };
    let found = store
        .part::<MessageDocument, Place>()
        .find_one(doc! {
            "_id": from.stored(),
            "conversation": open.conversation.stored(),
            "role": Role::User.as_str(),
        })
        .projection(doc! {"seq": 1})
        .session(&mut tx.session)
        .await?;
    found.map(|place| unsigned(place.seq)).transpose()
}

/// Whether an id of an input message or of the answer is another's: a stored message's that stays, one that an answer
/// will have, or that of an input message before it.
///
/// The ids of answers that are still to come count, since an answer that cannot be stored could never be closed.
async fn taken(
    store: &MongoStore,
    tx: &mut Tx,
    open: &OpenLeg,
    cut: Option<u64>,
) -> Result<Taken, Failure> {
    #[derive(Deserialize)]
    struct Message {
        conversation: Uuid,
        seq: i64,
    }
    #[derive(Deserialize)]
    struct Run {
        #[serde(rename = "_id")]
        id: Uuid,
        conversation: Uuid,
        answer_seq: i64,
    }
    let mut ids = HashSet::from([open.answer]);
    if !open.input.iter().all(|message| ids.insert(message.id)) {
        return Ok(Taken::Yes);
    }
    let ids: Vec<Uuid> = ids.into_iter().map(StoredId::stored).collect();
    let stays = |conversation: Uuid, seq: i64| {
        conversation != open.conversation.stored() || cut.is_none_or(|cut| seq < signed(cut))
    };
    let all = store.part::<RunDocument, Run>();
    let runs = all
        .find(doc! {"answer": {"$in": ids.clone()}})
        .projection(doc! {"conversation": 1, "answer_seq": 1});
    let runs = tx.read_all(runs).await?;
    if runs.iter().any(|run| run.id == open.run.stored()) {
        return Ok(Taken::ByItself);
    }
    let all = store.part::<MessageDocument, Message>();
    let messages = all
        .find(doc! {"_id": {"$in": ids}})
        .projection(doc! {"conversation": 1, "seq": 1});
    let messages = tx.read_all(messages).await?;
    let any = runs
        .iter()
        .any(|run| stays(run.conversation, run.answer_seq))
        || messages
            .iter()
            .any(|message| stays(message.conversation, message.seq));
    Ok(if any { Taken::Yes } else { Taken::No })
}

async fn holder(
    store: &MongoStore,
    tx: &mut Tx,
    open: &OpenLeg,
) -> Result<Option<Holder>, Failure> {
    #[derive(Deserialize)]
    struct Run {
        #[serde(rename = "_id")]
        id: Uuid,
        answer_seq: i64,
    }
    #[derive(Deserialize)]
    struct Leg {
        #[serde(rename = "_id")]
        id: Uuid,
        node: Uuid,
        idx: i64,
    }
    let run = store
        .part::<RunDocument, Run>()
        .find_one(doc! {"slot": open.conversation.stored()})
        .projection(doc! {"answer_seq": 1})
        .session(&mut tx.session)
        .await?;
    let Some(run) = run else {
        return Ok(None);
    };
    let leg = store
        .part::<LegDocument, Leg>()
        .find_one(doc! {"run": run.id, "open": true})
        .projection(doc! {"node": 1, "idx": 1})
        .session(&mut tx.session)
        .await?;
    Ok(Some(Holder {
        run: StoredId::from_stored(run.id),
        answer_seq: unsigned(run.answer_seq)?,
        open: leg.map(|leg| {
            (
                StoredId::from_stored(leg.id),
                StoredId::from_stored(leg.node),
                leg.idx,
            )
        }),
    }))
}

/// Takes the slot from its holder.
async fn replace(
    store: &MongoStore,
    tx: &mut Tx,
    holder: &Holder,
    at_ms: i64,
) -> Result<Option<Predecessor>, Failure> {
    let run = doc! {"_id": holder.run.stored()};
    let legs = doc! {"run": holder.run.stored()};
    let Some((leg, node, index)) = holder.open else {
        let status = RunStatus::Cancelled.as_str();
        let ended = doc! {
            "$set": {"status": status, "ended_at": date(at_ms)},
            "$unset": {"slot": ""},
        };
        store
            .all::<RunDocument>()
            .update_one(run, ended)
            .session(&mut tx.session)
            .await?;
        store
            .all::<LegDocument>()
            .update_many(legs, doc! {"$set": {"status": status}})
            .session(&mut tx.session)
            .await?;
        return Ok(None);
    };
    let status = RunStatus::Cancelling.as_str();
    let marked = doc! {"$set": {"status": status}, "$unset": {"slot": ""}};
    store
        .all::<RunDocument>()
        .update_one(run, marked)
        .session(&mut tx.session)
        .await?;
    let stopped = doc! {
        "$set": {"status": status, "stop": Stop::Replaced.as_str()},
        "$inc": {"writes": 1_i64},
    };
    store
        .all::<LegDocument>()
        .update_one(doc! {"_id": leg.stored()}, stopped)
        .session(&mut tx.session)
        .await?;
    if index > 0 {
        store
            .all::<LegDocument>()
            .update_many(legs, doc! {"$set": {"status": status}})
            .session(&mut tx.session)
            .await?;
    }
    Ok(Some(Predecessor { leg, node }))
}

/// Writes what the send brings and gives the answer's place and the leg's epoch.
async fn write(
    store: &MongoStore,
    tx: &mut Tx,
    open: &OpenLeg,
    state: &Found,
    created: bool,
    prepared: Prepared,
) -> Result<(u64, u64), Failure> {
    let mut seq = state.next_seq;
    let mut input = Vec::with_capacity(prepared.input.len());
    for message in prepared.input {
        input.push(message.at(seq));
        seq += 1;
    }
    let epoch = state.epoch + 1;
    let conversations = store.all::<ConversationDocument>();
    if created {
        let mut conversation = ConversationDocument::new(&state.conversation);
        conversation.next_seq = signed(seq + 1);
        conversation.epoch = signed(epoch);
        conversations
            .insert_one(conversation)
            .session(&mut tx.session)
            .await?;
    } else {
        let moved = doc! {"$set": {"next_seq": signed(seq + 1), "epoch": signed(epoch)}};
        conversations
            .update_one(doc! {"_id": open.conversation.stored()}, moved)
            .session(&mut tx.session)
            .await?;
    }
    if !input.is_empty() {
        store
            .all::<MessageDocument>()
            .insert_many(input)
            .session(&mut tx.session)
            .await?;
    }
    store
        .all::<RunDocument>()
        .insert_one(RunDocument::new(open, seq, epoch))
        .session(&mut tx.session)
        .await?;
    let mut leg = prepared.leg;
    leg.answer_seq = signed(seq);
    leg.epoch = signed(epoch);
    store
        .all::<LegDocument>()
        .insert_one(leg)
        .session(&mut tx.session)
        .await?;
    if let Some(key) = prepared.key {
        store
            .all::<KeyDocument>()
            .insert_one(key)
            .session(&mut tx.session)
            .await?;
    }
    Ok((seq, epoch))
}

/// Legs whose messages were cut away, as ids to sweep their logs by.
pub(crate) fn dropped_ids(dropped: &[DroppedLeg]) -> Vec<LegId> {
    dropped.iter().map(|dropped| dropped.leg).collect()
}
