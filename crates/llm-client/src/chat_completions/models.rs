use chat_core::ports::ModelErrorKind;
use reqwest::Client;
use serde::Deserialize;

use crate::{
    UpstreamConfig,
    fault::{Failure, Fault},
    transport,
};

use super::wire::Text;

/// How large a list may be.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// The models that an upstream lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelList {
    /// Their names, in the upstream's order.
    pub ids: Vec<String>,
}

pub(super) async fn list(client: &Client, config: &UpstreamConfig) -> Result<ModelList, Failure> {
    let Some(url) = config.endpoint.models() else {
        return Err(Failure::new(ModelErrorKind::Rejected, Fault::NoModelList));
    };
    let asking = async {
        let response = transport::send(client.get(url.clone())).await?;
        let body = transport::whole(response, MOST_BYTES).await;
        match body.map_err(Failure::unsent)? {
            Some(body) => parse(&body).ok_or_else(|| Failure::malformed("not a list of models")),
            None => Err(Failure::new(
                ModelErrorKind::Broken,
                Fault::LineTooLong(MOST_BYTES),
            )),
        }
    };
    let limit = config.timeouts.list;
    tokio::time::timeout(limit, asking)
        .await
        .unwrap_or_else(|_| Err(Failure::silent("list of models", limit)))
}

/// Reads `OpenAI`'s list, or a bare array as some gateways send.
fn parse(body: &[u8]) -> Option<ModelList> {
    #[derive(Deserialize)]
    struct Entry<'a> {
        #[serde(borrow)]
        id: Text<'a>,
    }
    #[derive(Deserialize)]
    struct Listed<'a> {
        #[serde(borrow)]
        data: Vec<Entry<'a>>,
    }
    let entries = match serde_json::from_slice::<Listed<'_>>(body) {
        Ok(listed) => listed.data,
        Err(_) => serde_json::from_slice::<Vec<Entry<'_>>>(body).ok()?,
    };
    let ids = entries
        .into_iter()
        .filter_map(|entry| entry.id.filled().map(Into::into))
        .collect();
    Some(ModelList { ids })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn reads_the_lists_of_openai_and_of_gateways() {
        for body in [
            r#"{"object":"list","data":[{"id":"a","object":"model"},{"id":"b"},{"id":""}]}"#,
            r#"[{"id":"a"},{"id":"b"}]"#,
        ] {
            assert_eq!(parse(body.as_bytes()).unwrap().ids, ["a", "b"]);
        }
        assert_eq!(parse(b"{}"), None);
    }
}
