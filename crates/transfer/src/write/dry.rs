//! What a put would come to, by reading alone.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chat_core::{
    id::{ConversationId, MessageId, UserId},
    ports::{Pin, StoreError},
};
use records::{
    ConversationRecord, DocumentId, DocumentVersion, MessageRecord, Put, SessionId, Suggestion,
    UserRecord,
};
use uuid::Uuid;

use crate::{
    Target,
    line::{Line, PinLine, RatingLine, SessionLine, SuggestionLine, ThreadViewLine},
};

/// What a dry run would have written so far: only the ids that later lines belong to, 16 bytes each.
#[derive(Debug, Default)]
pub(super) struct Foreseen {
    ids: Mutex<Ids>,
}

#[derive(Debug, Default)]
struct Ids {
    users: HashSet<UserId>,
    conversations: HashSet<ConversationId>,
}

impl Foreseen {
    pub(super) async fn user(
        &self,
        target: &Target,
        record: &UserRecord,
    ) -> Result<Put, StoreError> {
        let id = record.user.id;
        if has_user(target, id).await? {
            return Ok(Put::Known);
        }
        let other = target.users.find_user_by_email(&record.email_key).await?;
        if other.is_some() {
            return Ok(Put::Taken);
        }
        self.ids().users.insert(id);
        Ok(Put::New)
    }

    pub(super) async fn messages(
        &self,
        target: &Target,
        conversation: ConversationId,
        messages: &[MessageRecord],
    ) -> Result<Vec<Put>, StoreError> {
        if !self.has(target, conversation).await? {
            return Ok(vec![Put::Orphan; messages.len()]);
        }
        let mut puts = Vec::with_capacity(messages.len());
        for message in messages {
            puts.push(message_put(target, conversation, message).await?);
        }
        Ok(puts)
    }

    pub(super) async fn line(&self, target: &Target, line: Line) -> Result<Put, StoreError> {
        Ok(match line {
            Line::Session(line) => self.session(target, &line).await?,
            Line::Conversation(line) => {
                let record = ConversationRecord::from(*line);
                let id = record.conversation.id;
                if has_conversation(target, id).await? {
                    Put::Known
                } else if self.foresee(id) {
                    Put::New
                } else {
                    Put::Known
                }
            }
            Line::Rating(line) => rating(target, &line).await?,
            Line::Summary(line) => {
                if !self.has(target, line.conversation).await? {
                    Put::Orphan
                } else if target
                    .notes
                    .find_summary(line.conversation)
                    .await?
                    .is_some()
                {
                    Put::Known
                } else {
                    Put::New
                }
            }
            Line::Pin(line) => self.pin(target, line).await?,
            Line::Document(line) => match DocumentVersion::try_from(line) {
                Ok(version_) => version(target, &version_).await?,
                Err(_) => Put::Taken,
            },
            Line::Suggestion(line) => suggestion(target, line).await?,
            Line::ThreadView(ThreadViewLine { user, thread, .. }) => {
                match target.thread_views.find_thread_view(&user, &thread).await? {
                    Some(_) => Put::Known,
                    None => Put::New,
                }
            }
            // These are foreseen elsewhere.
            Line::User(_) | Line::Message(_) | Line::File(_) | Line::Bytes(_) => Put::Orphan,
        })
    }

    async fn session(&self, target: &Target, line: &SessionLine) -> Result<Put, StoreError> {
        let after = before(line.id).map(SessionId);
        let there = target.archive.scan_sessions(None, after, 1).await?;
        if there.first().is_some_and(|there| there.id.0 == line.id) {
            return Ok(Put::Known);
        }
        let foreseen = self.ids().users.contains(&line.user);
        Ok(if foreseen || has_user(target, line.user).await? {
            Put::New
        } else {
            Put::Orphan
        })
    }

    async fn pin(&self, target: &Target, line: PinLine) -> Result<Put, StoreError> {
        /// Nobody pins more than this; a prompt would not hold them.
        const MOST: u32 = 10_000;
        let Ok(pin) = Pin::try_from(line.clone()) else {
            return Ok(Put::Taken);
        };
        let pins = match (&line.owner, line.conversation) {
            (Some(owner), _) => target.notes.list_pins(owner, None, MOST).await?,
            (None, Some(conversation)) => {
                if !self.has(target, conversation).await? {
                    return Ok(Put::Orphan);
                }
                let nobody = chat_core::access::Owner::Browser(UserId::new(Uuid::nil()));
                let pins = target.notes.list_pins(&nobody, Some(conversation), MOST);
                pins.await?
            }
            (None, None) => Vec::new(),
        };
        let known = pins.iter().any(|there| there.id == pin.id);
        Ok(if known { Put::Known } else { Put::New })
    }

    /// Whether a conversation is there, or would be by now.
    async fn has(&self, target: &Target, id: ConversationId) -> Result<bool, StoreError> {
        let foreseen = self.ids().conversations.contains(&id);
        Ok(foreseen || has_conversation(target, id).await?)
    }

    fn foresee(&self, id: ConversationId) -> bool {
        self.ids().conversations.insert(id)
    }

    fn ids(&self) -> MutexGuard<'_, Ids> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a user is there.
async fn has_user(target: &Target, id: UserId) -> Result<bool, StoreError> {
    let after = before(id.uuid()).map(UserId::new);
    let there = target.archive.scan_users(after, 1).await?;
    Ok(there.first().is_some_and(|there| there.user.id == id))
}

/// Whether a conversation is there.
pub(super) async fn has_conversation(
    target: &Target,
    id: ConversationId,
) -> Result<bool, StoreError> {
    let after = before(id.uuid()).map(ConversationId::new);
    let there = target.archive.scan_conversations(None, after, 1).await?;
    Ok(there
        .first()
        .is_some_and(|there| there.conversation.id == id))
}

/// What came, or would come, of a version that is not new: known, or another owner's document has its id.
pub(super) async fn version(target: &Target, version: &DocumentVersion) -> Result<Put, StoreError> {
    let documents = &target.documents;
    let before = version.created_at_ms.checked_sub(1);
    let next = documents.next_version(version.document, before).await?;
    let known = next
        .as_ref()
        .is_some_and(|there| there.created_at_ms == version.created_at_ms);
    // All versions of a document have one owner.
    let any = match next {
        Some(there) => Some(there),
        None => documents.next_version(version.document, None).await?,
    };
    if any.is_some_and(|there| there.owner != version.owner) {
        return Ok(Put::Taken);
    }
    Ok(if known { Put::Known } else { Put::New })
}

async fn message_put(
    target: &Target,
    conversation: ConversationId,
    record: &MessageRecord,
) -> Result<Put, StoreError> {
    let MessageRecord { message, .. } = record;
    if let Some(there) = target.messages.find_message(message.id).await? {
        let same = there.conversation == conversation;
        return Ok(if same { Put::Known } else { Put::Taken });
    }
    let after = message.seq.saturating_sub(1);
    let there = target.archive.scan_messages(conversation, after, 1).await?;
    let taken = there
        .first()
        .is_some_and(|there| there.message.seq == message.seq);
    Ok(if taken { Put::Taken } else { Put::New })
}

async fn rating(target: &Target, line: &RatingLine) -> Result<Put, StoreError> {
    let Some(message) = find(target, line.message).await? else {
        // It comes with this import, or it was left out; a dry run does not remember which.
        return Ok(Put::New);
    };
    Ok(match message.rating {
        Some(_) => Put::Known,
        None => Put::New,
    })
}

async fn find(target: &Target, id: MessageId) -> Result<Option<MessageRecord>, StoreError> {
    let Some(message) = target.messages.find_message(id).await? else {
        return Ok(None);
    };
    let after = message.seq.saturating_sub(1);
    let page = target
        .archive
        .scan_messages(message.conversation, after, 1)
        .await?;
    Ok(page.into_iter().find(|record| record.message.id == id))
}

async fn suggestion(target: &Target, line: SuggestionLine) -> Result<Put, StoreError> {
    let suggestion = Suggestion::from(line);
    let there = target
        .documents
        .list_suggestions(DocumentId(suggestion.document.0))
        .await?;
    let known = there.iter().any(|there| there.id == suggestion.id);
    Ok(if known { Put::Known } else { Put::New })
}

/// The id just before this one, so that a scan after it begins here; none before the first.
fn before(id: Uuid) -> Option<Uuid> {
    id.as_u128().checked_sub(1).map(Uuid::from_u128)
}
