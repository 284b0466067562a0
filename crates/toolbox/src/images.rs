use async_trait::async_trait;
use chat_core::ports::ModelError;

/// A model that makes images.
#[async_trait]
pub trait ImageModel: Send + Sync {
    /// Makes one image of what is described and gives it as base64, as a PNG where the model lets one choose.
    ///
    /// Errs like [`Model::answer`](chat_core::ports::Model::answer). Dropping the future hangs up on the upstream.
    async fn draw(&self, description: &str) -> Result<String, ModelError>;
}
