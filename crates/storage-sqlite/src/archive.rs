use async_trait::async_trait;
use chat_core::{
    access::Owner,
    id::{ConversationId, MessageId, UserId},
};
use records::{
    Archive, ConversationRecord, MessageRecord, PasswordHash, Put, Rating, SessionId,
    SessionRecord, StoreError, UserRecord,
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::{
    SqliteStore,
    error::Failure,
    rows::{self, StoredId as _, signed},
    search, sessions, users,
};

#[async_trait]
impl Archive for SqliteStore {
    async fn put_user(&self, user: UserRecord) -> Result<Put, StoreError> {
        self.write(move |writing| put_user(writing.connection, &user))
            .await
    }

    async fn put_session(&self, session: SessionRecord) -> Result<Put, StoreError> {
        self.write(move |writing| sessions::put(writing.connection, &session))
            .await
    }

    async fn put_conversation(&self, conversation: ConversationRecord) -> Result<Put, StoreError> {
        self.write(move |writing| put_conversation(writing.connection, &conversation))
            .await
    }

    async fn put_messages(
        &self,
        conversation: ConversationId,
        messages: Vec<MessageRecord>,
    ) -> Result<Vec<Put>, StoreError> {
        // Written down here and not by the writer, whom everyone waits for.
        let messages = messages
            .into_iter()
            .map(|record| Written::new(conversation, record))
            .collect::<Result<Vec<_>, _>>()?;
        self.write(move |writing| put_messages(writing.connection, conversation, &messages))
            .await
    }

    async fn put_rating(&self, message: MessageId, rating: Rating) -> Result<Put, StoreError> {
        self.write(move |writing| {
            let connection = writing.connection;
            let rated = connection
                .prepare_cached("UPDATE message SET rating = ?2 WHERE id = ?1 AND rating IS NULL")?
                .execute(params![message.bytes(), rows::rating_number(rating)])?;
            if rated == 1 {
                return Ok(Put::New);
            }
            let is_there = connection
                .prepare_cached("SELECT 1 FROM message WHERE id = ?1")?
                .exists([message.bytes()])?;
            Ok(if is_there { Put::Known } else { Put::Orphan })
        })
        .await
    }

    async fn scan_users(
        &self,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<UserRecord>, StoreError> {
        let after = rows::after(after);
        self.query(move |connection| {
            connection
                .prepare_cached(
                    "SELECT id, email, kind, created_at, email_key, password FROM user
                     WHERE id > ?1 ORDER BY id LIMIT ?2",
                )?
                .query_and_then(params![after, limit], |row| {
                    let password: Option<String> = row.get(5)?;
                    Ok(UserRecord {
                        user: users::user(row)?,
                        email_key: row.get(4)?,
                        password: password.map(PasswordHash::new),
                    })
                })?
                .collect()
        })
        .await
    }

    async fn scan_sessions(
        &self,
        user: Option<UserId>,
        after: Option<SessionId>,
        limit: u32,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        self.query(move |connection| sessions::scan(connection, user, after, limit))
            .await
    }

    async fn scan_conversations(
        &self,
        owner: Option<&Owner>,
        after: Option<ConversationId>,
        limit: u32,
    ) -> Result<Vec<ConversationRecord>, StoreError> {
        let owner = owner.map(Owner::to_string);
        let after = rows::after(after);
        self.query(move |connection| match owner {
            Some(owner) => connection
                .prepare_cached(
                    "SELECT id, owner, title, visibility, origin, created_at, alias, metadata, tokens_used, next_seq
                     FROM conversation WHERE owner = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
                )?
                .query_and_then(params![owner, after, limit], conversation_record)?
                .collect(),
            None => connection
                .prepare_cached(
                    "SELECT id, owner, title, visibility, origin, created_at, alias, metadata, tokens_used, next_seq
                     FROM conversation WHERE id > ?1 ORDER BY id LIMIT ?2",
                )?
                .query_and_then(params![after, limit], conversation_record)?
                .collect(),
        })
        .await
    }

    async fn scan_messages(
        &self,
        conversation: ConversationId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<MessageRecord>, StoreError> {
        self.query(move |connection| {
            connection
                .prepare_cached(
                    "SELECT id, conversation, seq, role, created_at, body, alias, rating FROM message
                     WHERE conversation = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
                )?
                .query_and_then(
                    params![conversation.bytes(), signed(after), limit],
                    message_record,
                )?
                .collect()
        })
        .await
    }

    async fn scan_owners(
        &self,
        after: Option<&Owner>,
        limit: u32,
    ) -> Result<Vec<Owner>, StoreError> {
        let mut after = after.map(Owner::to_string).unwrap_or_default();
        self.query(move |connection| {
            // Each step looks into four indexes, so that an owner's thousands of records cost no more than one.
            let mut next = connection.prepare_cached(
                "SELECT min(owner) FROM (
                     SELECT min(owner) AS owner FROM conversation WHERE owner > ?1
                     UNION ALL SELECT min(owner) FROM pin WHERE owner > ?1
                     UNION ALL SELECT min(owner) FROM file WHERE owner > ?1
                     UNION ALL SELECT min(owner) FROM document_version WHERE owner > ?1)
                 HAVING min(owner) IS NOT NULL",
            )?;
            let mut owners = Vec::new();
            for _ in 0..limit {
                let found = next
                    .query_and_then([&after], |row| rows::owner(row, 0))?
                    .next()
                    .transpose()?;
                let Some(owner) = found else {
                    break;
                };
                after = owner.to_string();
                owners.push(owner);
            }
            Ok(owners)
        })
        .await
    }
}

/// A message record as it is stored.
struct Written {
    record: MessageRecord,
    body: String,
}

impl Written {
    fn new(conversation: ConversationId, record: MessageRecord) -> Result<Self, Failure> {
        if record.message.conversation != conversation {
            return Err(Failure::Misuse(
                "a message record names another conversation than the one it is put into",
            ));
        }
        if !(1..=MAX_SEQ).contains(&record.message.seq) {
            return Err(Failure::Misuse(
                "a message record has a place that is not from 1 to 2^53",
            ));
        }
        Ok(Self {
            body: rows::to_json("message", &record.message.body)?,
            record,
        })
    }
}

/// A place beyond this leaves too few for what follows it.
const MAX_SEQ: u64 = 1 << 53;

fn put_user(connection: &Connection, record: &UserRecord) -> Result<Put, Failure> {
    let known = connection
        .prepare_cached("SELECT 1 FROM user WHERE id = ?1")?
        .exists([record.user.id.bytes()])?;
    if known {
        return Ok(Put::Known);
    }
    let stored = connection
        .prepare_cached(
            "INSERT INTO user (id, email, email_key, kind, created_at, password)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            record.user.id.bytes(),
            record.user.email,
            record.email_key,
            record.user.kind.as_str(),
            record.user.created_at_ms,
            record.password.as_ref().map(PasswordHash::text),
        ])?;
    Ok(new_or_taken(stored))
}

fn put_conversation(connection: &Connection, record: &ConversationRecord) -> Result<Put, Failure> {
    let id = record.conversation.id.bytes();
    let known = connection
        .prepare_cached("SELECT 1 FROM conversation WHERE id = ?1")?
        .exists([id])?;
    if known {
        return Ok(Put::Known);
    }
    let stored = connection
        .prepare_cached(
            "INSERT INTO conversation
                 (id, owner, title, visibility, origin, created_at, alias, metadata, tokens_used, next_seq)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            id,
            record.conversation.owner.to_string(),
            record.conversation.title,
            record.conversation.visibility.as_str(),
            record.conversation.origin.as_str(),
            record.conversation.created_at_ms,
            record.alias,
            rows::to_json("conversation's metadata", &record.metadata)?,
            signed(record.tokens_used),
            signed(record.next_seq.max(1)),
        ])?;
    Ok(new_or_taken(stored))
}

fn put_messages(
    connection: &Connection,
    conversation: ConversationId,
    messages: &[Written],
) -> Result<Vec<Put>, Failure> {
    let found: Option<(i64, String)> = connection
        .prepare_cached("SELECT next_seq, owner FROM conversation WHERE id = ?1")?
        .query_row([conversation.bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((next_seq, owner)) = found else {
        return Ok(vec![Put::Orphan; messages.len()]);
    };
    let mut after_last = next_seq;
    let mut outcomes = Vec::with_capacity(messages.len());
    for message in messages {
        let put = put_message(connection, &owner, message)?;
        if put == Put::New {
            after_last = after_last.max(signed(message.record.message.seq + 1));
        }
        outcomes.push(put);
    }
    if after_last != next_seq {
        connection
            .prepare_cached("UPDATE conversation SET next_seq = ?2 WHERE id = ?1")?
            .execute(params![conversation.bytes(), after_last])?;
    }
    Ok(outcomes)
}

fn put_message(connection: &Connection, owner: &str, written: &Written) -> Result<Put, Failure> {
    let message = &written.record.message;
    let holder: Option<ConversationId> = connection
        .prepare_cached("SELECT conversation FROM message WHERE id = ?1")?
        .query_and_then([message.id.bytes()], |row| rows::id(row, 0))?
        .next()
        .transpose()?;
    if let Some(holder) = holder {
        return Ok(if holder == message.conversation {
            Put::Known
        } else {
            Put::Taken
        });
    }
    let awaited = connection
        .prepare_cached(
            "SELECT 1 FROM run WHERE answer = ?1
             UNION ALL SELECT 1 FROM run WHERE conversation = ?2 AND answer_seq = ?3",
        )?
        .exists(params![
            message.id.bytes(),
            message.conversation.bytes(),
            signed(message.seq)
        ])?;
    if awaited {
        return Ok(Put::Taken);
    }
    let stored = connection
        .prepare_cached(
            "INSERT INTO message (id, conversation, seq, role, created_at, alias, rating, body, sent_by)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            message.id.bytes(),
            message.conversation.bytes(),
            signed(message.seq),
            message.role.as_str(),
            message.created_at_ms,
            written.record.alias,
            written.record.rating.map(rows::rating_number),
            written.body,
            rows::sent_by(message.role, owner),
        ])?;
    if stored == 1 {
        search::note(connection, connection.last_insert_rowid())?;
    }
    Ok(new_or_taken(stored))
}

fn new_or_taken(stored: usize) -> Put {
    if stored == 1 { Put::New } else { Put::Taken }
}

/// A conversation from what [`rows::conversation`] reads and `alias, metadata, tokens_used, next_seq`.
fn conversation_record(row: &Row<'_>) -> Result<ConversationRecord, Failure> {
    let metadata: String = row.get(7)?;
    Ok(ConversationRecord {
        conversation: rows::conversation(row)?,
        alias: row.get(6)?,
        metadata: rows::from_json("conversation's metadata", &metadata)?,
        tokens_used: rows::unsigned(row, 8)?,
        next_seq: rows::unsigned(row, 9)?,
    })
}

/// A message from what [`rows::message`] reads and `alias, rating`.
fn message_record(row: &Row<'_>) -> Result<MessageRecord, Failure> {
    Ok(MessageRecord {
        message: rows::message(row)?,
        alias: row.get(6)?,
        rating: rows::rating(row, 7)?,
    })
}
