use async_trait::async_trait;
use chat_core::{
    access::Visibility,
    conversation::Conversation,
    id::{ConversationId, MessageId},
    ports::{
        ConversationChange, Conversations, Cut, Deleted, HistoryCursor, HistoryPage, HistoryQuery,
        OpenLeg, Opened, ResumeRun, Resumed, StoreError,
    },
};
use rusqlite::{Connection, params};

use crate::{
    SqliteStore, cut,
    error::Failure,
    open_leg, paused,
    rows::{self, StoredId as _},
    writer::Writing,
};

#[async_trait]
impl Conversations for SqliteStore {
    async fn open_leg(&self, open: OpenLeg) -> Result<Opened, StoreError> {
        self.write(move |writing| open_leg::open_leg(writing, &open))
            .await
    }

    async fn resume_run(&self, resume: ResumeRun) -> Result<Resumed, StoreError> {
        self.write(move |writing| paused::resume(writing, &resume))
            .await
    }

    async fn cut(
        &self,
        conversation: ConversationId,
        from: MessageId,
    ) -> Result<Option<Cut>, StoreError> {
        self.write(move |writing| cut::cut(writing, conversation, from))
            .await
    }

    async fn change_conversation(
        &self,
        id: ConversationId,
        change: ConversationChange,
    ) -> Result<Option<Conversation>, StoreError> {
        self.write(move |writing| write_change(writing.connection, id, &change))
            .await
    }

    async fn find_conversation(
        &self,
        id: ConversationId,
    ) -> Result<Option<Conversation>, StoreError> {
        self.query(move |connection| find(connection, id)).await
    }

    async fn list_conversations(&self, query: HistoryQuery) -> Result<HistoryPage, StoreError> {
        self.query(move |connection| list(connection, &query)).await
    }

    async fn retitle(
        &self,
        id: ConversationId,
        was: Option<&str>,
        title: &str,
    ) -> Result<bool, StoreError> {
        let was = was.map(str::to_owned);
        let title = title.to_owned();
        self.write(move |writing| {
            let changed = writing
                .connection
                .prepare_cached("UPDATE conversation SET title = ?3 WHERE id = ?1 AND title IS ?2")?
                .execute(params![id.bytes(), was, title])?;
            Ok(changed == 1)
        })
        .await
    }

    async fn delete_conversation(&self, id: ConversationId) -> Result<Option<Deleted>, StoreError> {
        self.write(move |writing| delete(writing, id)).await
    }
}

fn find(connection: &Connection, id: ConversationId) -> Result<Option<Conversation>, Failure> {
    connection
        .prepare_cached(
            "SELECT id, owner, title, visibility, origin, created_at FROM conversation WHERE id = ?1",
        )?
        .query_and_then([id.bytes()], rows::conversation)?
        .next()
        .transpose()
}

fn write_change(
    connection: &Connection,
    id: ConversationId,
    change: &ConversationChange,
) -> Result<Option<Conversation>, Failure> {
    connection
        .prepare_cached(
            "UPDATE conversation SET title = coalesce(?2, title), visibility = coalesce(?3, visibility)
             WHERE id = ?1
             RETURNING id, owner, title, visibility, origin, created_at",
        )?
        .query_and_then(
            params![
                id.bytes(),
                change.title,
                change.visibility.map(Visibility::as_str)
            ],
            rows::conversation,
        )?
        .next()
        .transpose()
}

fn list(connection: &Connection, query: &HistoryQuery) -> Result<HistoryPage, Failure> {
    let owner = query.owner.to_string();
    // One more than wanted tells whether there are more.
    let limit = i64::from(query.limit) + 1;
    let mut conversations: Vec<_> = match query.cursor {
        HistoryCursor::Newest => connection
            .prepare_cached(
                "SELECT id, owner, title, visibility, origin, created_at FROM conversation
                 WHERE owner = ?1 ORDER BY created_at DESC, id DESC LIMIT ?2",
            )?
            .query_and_then(params![owner, limit], rows::conversation)?
            .collect::<Result<_, _>>()?,
        HistoryCursor::OlderThan(at_ms, id) => connection
            .prepare_cached(
                "SELECT id, owner, title, visibility, origin, created_at FROM conversation
                 WHERE owner = ?1 AND (created_at, id) < (?3, ?4)
                 ORDER BY created_at DESC, id DESC LIMIT ?2",
            )?
            .query_and_then(params![owner, limit, at_ms, id.bytes()], rows::conversation)?
            .collect::<Result<_, _>>()?,
        HistoryCursor::NewerThan(at_ms, id) => connection
            .prepare_cached(
                "SELECT id, owner, title, visibility, origin, created_at FROM conversation
                 WHERE owner = ?1 AND (created_at, id) > (?3, ?4)
                 ORDER BY created_at DESC, id DESC LIMIT ?2",
            )?
            .query_and_then(params![owner, limit, at_ms, id.bytes()], rows::conversation)?
            .collect::<Result<_, _>>()?,
    };
    let wanted = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let more = conversations.len() > wanted;
    conversations.truncate(wanted);
    Ok(HistoryPage {
        conversations,
        more,
    })
}

fn delete(writing: &Writing<'_>, id: ConversationId) -> Result<Option<Deleted>, Failure> {
    let connection = writing.connection;
    let Some(conversation) = find(connection, id)? else {
        return Ok(None);
    };
    let dropped = cut::release_from(writing, id, 0)?;
    // Everything else that belongs to it goes with it by its foreign key.
    connection
        .prepare_cached("DELETE FROM conversation WHERE id = ?1")?
        .execute([id.bytes()])?;
    Ok(Some(Deleted {
        conversation,
        dropped,
    }))
}
