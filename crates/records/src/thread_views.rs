use async_trait::async_trait;

use crate::StoreError;

/// What Assistants frontends keep of a thread on their own: its name and whose it is. The thread itself may be elsewhere,
/// or nowhere any more.
#[async_trait]
pub trait ThreadViews: Send + Sync {
    /// Stores a view unless its user has one of this thread, and says whether it did.
    async fn insert_thread_view(&self, view: ThreadView) -> Result<bool, StoreError>;

    /// The view that this user has of a thread, or `None`.
    async fn find_thread_view(
        &self,
        user: &str,
        thread: &str,
    ) -> Result<Option<ThreadView>, StoreError>;

    /// Views ordered by user and thread, those after this pair, at most `limit`: of one user, or of all.
    async fn list_thread_views(
        &self,
        user: Option<&str>,
        after: Option<(&str, &str)>,
        limit: u32,
    ) -> Result<Vec<ThreadView>, StoreError>;
}

/// A thread as an Assistants frontend lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadView {
    /// Whose it is, as the frontend names its users; `default-user` without accounts.
    pub user: String,
    /// The thread's id as the frontend knows it, such as `thread_abc123`.
    pub thread: String,
    /// What it is called.
    pub name: String,
    /// Whether several people share it.
    pub is_group: bool,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    /// When it was last written to, in milliseconds since the Unix epoch.
    pub updated_at_ms: i64,
}
