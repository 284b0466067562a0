//! The query of `GET /api/history` (`docs/wire/ai-sdk.md` W25).

use chat_core::id::ConversationId;

use super::request::InvalidRequest;

/// How many conversations a page holds unless the query says otherwise.
pub const DEFAULT_LIMIT: u32 = 10;

/// How many conversations a page holds at most.
pub const MAX_LIMIT: u32 = 100;

/// Which page of the caller's conversations is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryRequest {
    /// From where on.
    pub from: HistoryFrom,
    /// At most this many, 1 to [`MAX_LIMIT`].
    pub limit: u32,
}

/// From where on, by a conversation whose place the caller has to look up: one that is not there is not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryFrom {
    /// From the newest on.
    Newest,
    /// Strictly older than this conversation.
    OlderThan(ConversationId),
    /// Strictly newer than this conversation.
    NewerThan(ConversationId),
}

impl HistoryRequest {
    /// Reads the query's parameters, where they are given.
    ///
    /// A limit that is no whole number is taken for [`DEFAULT_LIMIT`], one beyond the bounds for the nearer bound.
    pub fn decode(
        limit: Option<&str>,
        starting_after: Option<&str>,
        ending_before: Option<&str>,
    ) -> Result<Self, InvalidRequest> {
        let id = |name: &str, text: &str| {
            text.parse().map_err(|error| InvalidRequest {
                cause: format!("{name}: {error}"),
            })
        };
        let from = match (starting_after, ending_before) {
            (None, None) => HistoryFrom::Newest,
            (Some(text), None) => HistoryFrom::NewerThan(id("starting_after", text)?),
            (None, Some(text)) => HistoryFrom::OlderThan(id("ending_before", text)?),
            (Some(_), Some(_)) => {
                return Err(InvalidRequest {
                    cause: "starting_after, ending_before: only one of them is accepted".to_owned(),
                });
            }
        };
        let limit = limit
            .and_then(|limit| limit.parse::<i64>().ok())
            .map_or(DEFAULT_LIMIT, |limit| {
                u32::try_from(limit.clamp(1, i64::from(MAX_LIMIT))).unwrap_or(MAX_LIMIT)
            });
        Ok(Self { from, limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

    #[test]
    fn a_limit_is_kept_within_bounds() {
        for (text, limit) in [
            (None, 10),
            (Some("20"), 20),
            (Some("0"), 1),
            (Some("-3"), 1),
            (Some("101"), 100),
            (Some("9223372036854775807"), 100),
            (Some("ten"), 10),
            (Some(""), 10),
            (Some("2.5"), 10),
        ] {
            let request = HistoryRequest::decode(text, None, None).unwrap();
            assert_eq!((request.from, request.limit), (HistoryFrom::Newest, limit));
        }
    }

    #[test]
    fn a_cursor_is_one_conversation() {
        let id = ID.parse().unwrap();
        let from = |after, before| HistoryRequest::decode(None, after, before).map(|it| it.from);
        assert_eq!(from(Some(ID), None), Ok(HistoryFrom::NewerThan(id)));
        assert_eq!(from(None, Some(ID)), Ok(HistoryFrom::OlderThan(id)));
        assert!(from(Some(ID), Some(ID)).is_err());
        for bad in ["", "7", "67e5504410b1426f9247bb680e5fe0c8"] {
            let cause = from(None, Some(bad)).unwrap_err().cause;
            assert!(cause.starts_with("ending_before: not an id"), "{cause}");
        }
    }
}
