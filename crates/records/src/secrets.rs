use async_trait::async_trait;

use crate::StoreError;

/// Secrets that we make ourselves, kept beside the data they protect.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The secret of this name: the stored one or, when there is none yet, `candidate`, stored now.
    ///
    /// When callers race, all get the same one.
    async fn secret(&self, name: &str, candidate: Vec<u8>) -> Result<Vec<u8>, StoreError>;
}
