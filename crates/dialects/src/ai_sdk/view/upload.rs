use serde::Serialize;
use utoipa::ToSchema;

/// A file that was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadResponse {
    /// Where it is read, without a token: absolute, for an image element and for the next message's file part.
    #[schema(format = Uri)]
    pub url: String,
    /// Where it is downloaded.
    #[schema(format = Uri)]
    pub download_url: String,
    /// Its name, 1 to 100 UTF-16 units: the `name` of the next message's file part.
    #[schema(min_length = 1, max_length = 100)]
    pub pathname: String,
    /// Its media type, exactly.
    pub content_type: String,
    /// What its bytes are served with as `Content-Disposition`.
    pub content_disposition: String,
}
