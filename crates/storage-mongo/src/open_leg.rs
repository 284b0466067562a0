//! The transaction of a send.

mod checks;

use chat_core::{
    conversation::{Conversation, NewConversation},
    id::LegId,
    message::MessageBody,
    ports::{DroppedLeg, FreshLeg, LegRef, OpenLeg, Opened, Policy, Predecessor, Refusal},
    run::RunStatus,
};
use mongodb::bson::doc;
use serde::Deserialize;

use crate::{
    MongoStore,
    answer::Content,
    blocking::{LONG, aside},
    cut,
    error::Failure,
    layout::{
        ConversationDocument, KeyDocument, LegDocument, MessageDocument, OpeningDocument,
        QuotaDocument, RunDocument, Stop, StoredId, signed, unsigned,
    },
    paused,
    slot::{self, RunNow},
    transaction::Tx,
};

use self::checks::{Taken, cut_place, is_spent, taken};

/// What a send stores, made before its transaction, which holds others up.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    input: Vec<MessageDocument>,
    leg: LegDocument,
    key: Option<KeyDocument>,
    /// The answer of the paused run that it ends.
    ended: Option<Content>,
}

impl Prepared {
    pub(crate) async fn new(open: &OpenLeg) -> Result<Self, Failure> {
        let bodies = open.input.iter().map(|message| &message.body);
        let bodies = bodies.chain(open.ends.as_ref().map(|end| &end.body));
        let weight: usize = bodies.map(MessageBody::weight).sum();
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
                ended: match &open.ends {
                    Some(end) => Content::of(&end.body)?,
                    None => None,
                },
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
    if tx.may_be_done
        && let Some(fresh) = opened_before(store, tx, open).await?
    {
        return Ok(fresh);
    }
    if let Some(leg) = repeated(store, tx, prepared.key.as_ref()).await? {
        return Ok(Opened::Repeated(leg));
    }
    if is_spent(store, tx, open).await? {
        // It may be its own message that is one too many.
        return Ok(opened_before(store, tx, open)
            .await?
            .unwrap_or(Opened::Refused(Refusal::QuotaSpent)));
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
        Some(_) => slot::holder(store, tx, open.conversation).await?,
        None => None,
    };
    let holder = holder.filter(|holder| cut.is_none_or(|from| holder.answer_seq < signed(from)));
    if open.policy == Policy::Refuse && holder.is_some() {
        return Ok(Opened::Refused(Refusal::Busy));
    }
    if let Some(paused) = holder.as_ref().filter(|holder| !holder.is_open)
        && !is_ended_by(paused, open)
    {
        return Ok(Opened::Refused(Refusal::Paused(paused.paused())));
    }

    let created = found.is_none();
    let state = match (found, &open.create) {
        (Some(found), _) => found,
        (None, Some(new)) => Found::new(open, new),
        (None, None) => return Ok(Opened::Refused(Refusal::NotFound)),
    };
    let dropped = match cut {
        Some(from) => {
            cut::cut_from(store, tx, open.conversation, from)
                .await?
                .dropped
        }
        None => Vec::new(),
    };
    let predecessor = match &holder {
        Some(holder) => replace(store, tx, holder, open, prepared).await?,
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

/// What a client's key opened before, if it was used.
pub(crate) async fn repeated(
    store: &MongoStore,
    tx: &mut Tx,
    key: Option<&KeyDocument>,
) -> Result<Option<LegRef>, Failure> {
    let Some(key) = key else {
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

/// Whether the send says how this paused run ends, as it waits now.
fn is_ended_by(paused: &RunNow, open: &OpenLeg) -> bool {
    let end = open.ends.as_ref();
    end.is_some_and(|end| end.run == paused.run && end.leg == paused.leg)
}

/// Takes the slot from its holder.
async fn replace(
    store: &MongoStore,
    tx: &mut Tx,
    holder: &RunNow,
    open: &OpenLeg,
    prepared: &Prepared,
) -> Result<Option<Predecessor>, Failure> {
    if !holder.is_open {
        if let Some(end) = &open.ends {
            paused::write_end(store, tx, holder, end, prepared.ended.as_ref()).await?;
        }
        return Ok(None);
    }
    let status = RunStatus::Cancelling.as_str();
    let marked = doc! {"$set": {"status": status}, "$unset": {"slot": ""}};
    store
        .all::<RunDocument>()
        .update_one(doc! {"_id": holder.run.stored()}, marked)
        .session(&mut tx.session)
        .await?;
    let stopped = doc! {
        "$set": {"status": status, "stop": Stop::Replaced.as_str()},
        "$inc": {"writes": 1_i64},
    };
    let legs = store.all::<LegDocument>();
    legs.update_one(doc! {"_id": holder.leg.stored()}, stopped)
        .session(&mut tx.session)
        .await?;
    if holder.index > 0 {
        legs.update_many(
            doc! {"run": holder.run.stored()},
            doc! {"$set": {"status": status}},
        )
        .session(&mut tx.session)
        .await?;
    }
    Ok(Some(Predecessor {
        leg: holder.leg,
        node: holder.node,
    }))
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
    if open.quota.is_some() {
        store
            .all::<QuotaDocument>()
            .update_one(
                doc! {"_id": open.caller.to_string()},
                doc! {"$inc": {"sends": 1_i64}},
            )
            .upsert(true)
            .session(&mut tx.session)
            .await?;
    }
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
