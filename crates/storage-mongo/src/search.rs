use std::collections::{BTreeSet, HashMap, HashSet};

use chat_core::{
    message::Message,
    ports::{SearchHit, SearchQuery},
    terms,
};
use mongodb::bson::{Uuid, doc};
use serde::Deserialize;

use crate::{
    MongoStore,
    blocking::aside,
    error::Failure,
    layout::{ConversationDocument, MessageDocument, StoredId as _},
};

/// An owner's messages that hold every term of a text, newest first.
pub(crate) async fn find(
    store: &MongoStore,
    query: &SearchQuery,
) -> Result<Vec<SearchHit>, Failure> {
    let terms: BTreeSet<String> = terms::fold(&query.text).into_iter().collect();
    if terms.is_empty() || query.limit == 0 {
        return Ok(Vec::new());
    }
    let messages = store.retried(|| matching(store, query, &terms)).await?;
    let titles = store.retried(|| titles(store, &messages)).await?;
    Ok(messages
        .into_iter()
        .map(|message| SearchHit {
            title: titles
                .get(&message.conversation.stored())
                .cloned()
                .flatten(),
            message,
        })
        .collect())
}

/// How many terms the database looks for. It plans for each, and a pasted page has thousands; the others are looked for
/// in what it finds.
const ASKED_FOR: usize = 16;

async fn matching(
    store: &MongoStore,
    query: &SearchQuery,
    terms: &BTreeSet<String>,
) -> Result<Vec<Message>, Failure> {
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    // The longest ones are the rarest, as a rule, and the first one is the one that the index is asked for.
    let mut asked: Vec<&String> = terms.iter().collect();
    asked.sort_by_key(|term| std::cmp::Reverse(term.len()));
    asked.truncate(ASKED_FOR);
    let all = store.all::<MessageDocument>();
    let find = all
        .find(doc! {
            "owner": query.owner.to_string(),
            "terms": {"$all": asked, "$exists": true},
        })
        .projection(doc! {"terms": 0})
        .sort(doc! {"created_at": -1, "seq": -1, "_id": -1});
    let find = if terms.len() <= ASKED_FOR {
        find.limit(i64::from(query.limit))
    } else {
        find
    };
    let mut cursor = find.await?;
    let mut found = Vec::new();
    while found.len() < limit && cursor.advance().await? {
        let document = cursor.deserialize_current()?;
        let wanted = (terms.len() > ASKED_FOR).then(|| terms.clone());
        let is_long = document.body.is_long();
        let hit = aside(is_long, move || {
            let message = document.read()?;
            let holds_all = wanted.is_none_or(|wanted| {
                let there: HashSet<String> =
                    terms::fold(&message.body.text()).into_iter().collect();
                wanted.iter().all(|term| there.contains(term))
            });
            Ok(holds_all.then_some(message))
        });
        found.extend(hit.await?);
    }
    Ok(found)
}

async fn titles(
    store: &MongoStore,
    messages: &[Message],
) -> Result<HashMap<Uuid, Option<String>>, Failure> {
    #[derive(Deserialize)]
    struct Title {
        #[serde(rename = "_id")]
        id: Uuid,
        title: Option<String>,
    }
    let ids: HashSet<Uuid> = messages
        .iter()
        .map(|message| message.conversation.stored())
        .collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let all = store.part::<ConversationDocument, Title>();
    let find = all
        .find(doc! {"_id": {"$in": ids}})
        .projection(doc! {"title": 1});
    let found = store.read_all(find).await?;
    Ok(found.into_iter().map(|it| (it.id, it.title)).collect())
}
