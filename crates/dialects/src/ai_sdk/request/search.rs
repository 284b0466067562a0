//! The query of `GET /api/search` (`docs/wire/ai-sdk.md` W28).

use super::{InvalidRequest, bounded};

/// The longest search, in UTF-16 units.
pub const MAX_QUERY: usize = 200;

/// The most results.
pub const MAX_RESULTS: u32 = 50;

/// How many results there are unless the query says otherwise.
const DEFAULT_RESULTS: u32 = 20;

/// What to search for in the caller's own messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchRequest {
    /// What the person typed.
    pub text: String,
    /// At most so many results, 1 to [`MAX_RESULTS`].
    pub limit: u32,
}

impl SearchRequest {
    /// Reads the query's parameters, where they are given. A limit that is no whole number counts as none.
    pub fn decode(q: Option<&str>, limit: Option<&str>) -> Result<Self, InvalidRequest> {
        let text = bounded("q", q.map(|q| q.trim().to_owned()), MAX_QUERY)?;
        let limit = limit
            .and_then(|limit| limit.parse::<i64>().ok())
            .map_or(DEFAULT_RESULTS, |limit| {
                u32::try_from(limit.clamp(1, i64::from(MAX_RESULTS))).unwrap_or(MAX_RESULTS)
            });
        Ok(Self { text, limit })
    }
}
