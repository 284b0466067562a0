use async_trait::async_trait;

use super::StoreError;

/// Files that messages refer to by a URL of this server's own, which a model's server could not reach.
#[async_trait]
pub trait Attachments: Send + Sync {
    /// The file of this URL as a `data:` URL with its bytes, or `None` when the URL is not one of ours or its file is gone.
    async fn inline(&self, url: &str) -> Result<Option<String>, StoreError>;
}

/// Attachments of a service that stores none: every URL is somebody else's.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAttachments;

#[async_trait]
impl Attachments for NoAttachments {
    async fn inline(&self, _url: &str) -> Result<Option<String>, StoreError> {
        Ok(None)
    }
}
