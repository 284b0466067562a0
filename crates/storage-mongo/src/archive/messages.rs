use std::collections::{HashMap, HashSet};

use chat_core::id::ConversationId;
use mongodb::bson::{Document, Uuid, doc};
use records::{MessageRecord, Put};
use serde::Deserialize;

use crate::{
    MongoStore,
    blocking::{LONG, aside},
    error::Failure,
    layout::{
        ConversationDocument, MessageDocument, RunDocument, StoredId as _, read_rating,
        stored_rating,
    },
    transaction::Tx,
};

/// Messages to put into a conversation, as they are stored but for their owner. Made before the transaction, which holds
/// others up.
#[derive(Debug)]
pub(super) struct Batch {
    conversation: Uuid,
    messages: Vec<MessageDocument>,
}

impl Batch {
    pub(super) async fn new(
        conversation: ConversationId,
        records: Vec<MessageRecord>,
    ) -> Result<Self, Failure> {
        let weights = records.iter().map(|record| record.message.body.weight());
        aside(weights.sum::<usize>() >= LONG, move || {
            let messages = records.iter().map(|record| written(conversation, record));
            Ok(Self {
                conversation: conversation.stored(),
                messages: messages.collect::<Result<_, _>>()?,
            })
        })
        .await
    }

    /// Puts them, as [`records::Archive::put_messages`] says.
    pub(super) async fn put(&self, store: &MongoStore, tx: &mut Tx) -> Result<Vec<Put>, Failure> {
        #[derive(Deserialize)]
        struct Conversation {
            owner: String,
            next_seq: i64,
        }
        let found = store
            .part::<ConversationDocument, Conversation>()
            .find_one(doc! {"_id": self.conversation})
            .projection(doc! {"owner": 1, "next_seq": 1})
            .session(&mut tx.session)
            .await?;
        let Some(found) = found else {
            return Ok(vec![Put::Orphan; self.messages.len()]);
        };
        let mut there = There::read(store, tx, self).await?;
        let mut outcomes = Vec::with_capacity(self.messages.len());
        let mut new = Vec::new();
        let mut next_seq = found.next_seq;
        for message in &self.messages {
            let put = there.put(message);
            if put == Put::New {
                next_seq = next_seq.max(message.seq.saturating_add(1));
                new.push(MessageDocument {
                    owner: found.owner.clone(),
                    ..message.clone()
                });
            }
            outcomes.push(put);
        }
        if new.is_empty() {
            return Ok(outcomes);
        }
        // Also when the place stays: a send, a cut or a deletion that races this is a conflict, and one is done again.
        store
            .all::<ConversationDocument>()
            .update_one(
                doc! {"_id": self.conversation},
                doc! {"$set": {"next_seq": next_seq}, "$inc": {"writes": 1_i64}},
            )
            .session(&mut tx.session)
            .await?;
        store
            .all::<MessageDocument>()
            .insert_many(new)
            .session(&mut tx.session)
            .await?;
        Ok(outcomes)
    }
}

/// What a stored message says.
pub(super) fn read(mut document: MessageDocument) -> Result<MessageRecord, Failure> {
    Ok(MessageRecord {
        alias: document.alias.take(),
        rating: document.rating.map(read_rating).transpose()?,
        message: document.read()?,
    })
}

/// A place beyond this leaves too few for what follows it.
const MAX_SEQ: u64 = 1 << 53;

fn written(
    conversation: ConversationId,
    record: &MessageRecord,
) -> Result<MessageDocument, Failure> {
    let message = &record.message;
    if message.conversation != conversation {
        return Err(Failure::Misuse(
            "a message record names another conversation than the one it is put into".to_owned(),
        ));
    }
    if !(1..=MAX_SEQ).contains(&message.seq) {
        return Err(Failure::Misuse(
            "a message record has a place that is not from 1 to 2^53".to_owned(),
        ));
    }
    let document = MessageDocument::new(
        message.id,
        conversation,
        "",
        message.role,
        message.created_at_ms,
        &message.body,
    )?;
    Ok(MessageDocument {
        alias: record.alias.clone(),
        rating: record.rating.map(stored_rating),
        ..document.at(message.seq)
    })
}

/// What is there of what a batch wants.
#[derive(Debug)]
struct There {
    conversation: Uuid,
    /// The conversations of messages, by their ids.
    messages: HashMap<Uuid, Uuid>,
    /// Ids that answers have or will have.
    answers: HashSet<Uuid>,
    /// Places in the conversation that messages and answers have or will have.
    places: HashSet<i64>,
    aliases: HashSet<String>,
}

impl There {
    async fn read(store: &MongoStore, tx: &mut Tx, batch: &Batch) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        struct Message {
            #[serde(rename = "_id")]
            id: Uuid,
            conversation: Uuid,
            seq: i64,
            #[serde(default)]
            alias: Option<String>,
        }
        #[derive(Deserialize)]
        struct Run {
            conversation: Uuid,
            answer: Uuid,
            answer_seq: i64,
        }
        let conversation = batch.conversation;
        let ids: Vec<Uuid> = batch.messages.iter().map(|message| message.id).collect();
        let places: Vec<i64> = batch.messages.iter().map(|message| message.seq).collect();
        let aliases: Vec<&String> = batch
            .messages
            .iter()
            .filter_map(|message| message.alias.as_ref())
            .collect();
        let mut there = Self {
            conversation,
            messages: HashMap::new(),
            answers: HashSet::new(),
            places: HashSet::new(),
            aliases: HashSet::new(),
        };
        // Each is a query of its own, since each has an index of its own.
        let mut filters: Vec<Document> = vec![
            doc! {"_id": {"$in": ids.clone()}},
            doc! {"conversation": conversation, "seq": {"$in": places.clone()}},
        ];
        if !aliases.is_empty() {
            filters.push(doc! {"alias": {"$in": aliases, "$exists": true}});
        }
        let all = store.part::<MessageDocument, Message>();
        for filter in filters {
            let find = all
                .find(filter)
                .projection(doc! {"conversation": 1, "seq": 1, "alias": 1});
            for message in tx.read_all(find).await? {
                if message.conversation == conversation {
                    there.places.insert(message.seq);
                }
                there.messages.insert(message.id, message.conversation);
                there.aliases.extend(message.alias);
            }
        }
        let all = store.part::<RunDocument, Run>();
        for filter in [
            doc! {"answer": {"$in": ids}},
            doc! {"conversation": conversation, "answer_seq": {"$in": places}},
        ] {
            let find = all
                .find(filter)
                .projection(doc! {"_id": 0, "conversation": 1, "answer": 1, "answer_seq": 1});
            for run in tx.read_all(find).await? {
                if run.conversation == conversation {
                    there.places.insert(run.answer_seq);
                }
                there.answers.insert(run.answer);
            }
        }
        Ok(there)
    }

    /// What becomes of a message; what is new is there from now on.
    fn put(&mut self, message: &MessageDocument) -> Put {
        if let Some(holder) = self.messages.get(&message.id) {
            return if *holder == self.conversation {
                Put::Known
            } else {
                Put::Taken
            };
        }
        let is_taken = self.answers.contains(&message.id)
            || self.places.contains(&message.seq)
            || message
                .alias
                .as_ref()
                .is_some_and(|alias| self.aliases.contains(alias));
        if is_taken {
            return Put::Taken;
        }
        self.messages.insert(message.id, self.conversation);
        self.places.insert(message.seq);
        self.aliases.extend(message.alias.clone());
        Put::New
    }
}
