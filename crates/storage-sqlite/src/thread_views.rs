use async_trait::async_trait;
use records::{StoreError, ThreadView, ThreadViews};
use rusqlite::{OptionalExtension as _, Row, params};

use crate::{SqliteStore, error::Failure};

#[async_trait]
impl ThreadViews for SqliteStore {
    async fn insert_thread_view(&self, view: ThreadView) -> Result<bool, StoreError> {
        self.write(move |writing| {
            let stored = writing
                .connection
                .prepare_cached(
                    "INSERT INTO thread_view (user, thread, name, is_group, created_at, updated_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (user, thread) DO NOTHING",
                )?
                .execute(params![
                    view.user,
                    view.thread,
                    view.name,
                    view.is_group,
                    view.created_at_ms,
                    view.updated_at_ms,
                ])?;
            Ok(stored == 1)
        })
        .await
    }

    async fn find_thread_view(
        &self,
        user: &str,
        thread: &str,
    ) -> Result<Option<ThreadView>, StoreError> {
        let (user, thread) = (user.to_owned(), thread.to_owned());
        self.query(move |connection| {
            Ok(connection
                .prepare_cached(
                    "SELECT user, thread, name, is_group, created_at, updated_at FROM thread_view
                     WHERE user = ?1 AND thread = ?2",
                )?
                .query_row([user, thread], view)
                .optional()?)
        })
        .await
    }

    async fn list_thread_views(
        &self,
        user: Option<&str>,
        after: Option<(&str, &str)>,
        limit: u32,
    ) -> Result<Vec<ThreadView>, StoreError> {
        let user = user.map(str::to_owned);
        // Any text can be a user, also the empty one, so the beginning lies before that: the third number says whether
        // the pair itself was given out.
        let given = after.is_some();
        let (last_user, last_thread) = after
            .map(|(user, thread)| (user.to_owned(), thread.to_owned()))
            .unwrap_or_default();
        self.query(move |connection| {
            let views = match user {
                Some(user) => connection
                    .prepare_cached(
                        "SELECT user, thread, name, is_group, created_at, updated_at FROM thread_view
                         WHERE user = ?5 AND (user, thread, 1) > (?1, ?2, ?3)
                         ORDER BY user, thread LIMIT ?4",
                    )?
                    .query_map(params![last_user, last_thread, given, limit, user], view)?
                    .collect::<Result<Vec<_>, _>>(),
                None => connection
                    .prepare_cached(
                        "SELECT user, thread, name, is_group, created_at, updated_at FROM thread_view
                         WHERE (user, thread, 1) > (?1, ?2, ?3)
                         ORDER BY user, thread LIMIT ?4",
                    )?
                    .query_map(params![last_user, last_thread, given, limit], view)?
                    .collect(),
            };
            views.map_err(Failure::from)
        })
        .await
    }
}

fn view(row: &Row<'_>) -> Result<ThreadView, rusqlite::Error> {
    Ok(ThreadView {
        user: row.get(0)?,
        thread: row.get(1)?,
        name: row.get(2)?,
        is_group: row.get(3)?,
        created_at_ms: row.get(4)?,
        updated_at_ms: row.get(5)?,
    })
}
