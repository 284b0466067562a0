//! The lines of Skein's own export, which are also what every foreign record is mapped to.
//!
//! A line is an object with one key, which says what it is. Absent keys are left out. Times are milliseconds since the
//! Unix epoch.

use std::collections::BTreeMap;

use chat_core::{
    access::{Owner, Visibility},
    conversation::{Conversation, Origin},
    id::{ConversationId, MessageId, PinId, UserId},
    message::{Message, MessageBody, Role, TokenCost},
    ports::{Pin, PinScope, Summary},
};
use records::{
    ConversationRecord, DocumentId, DocumentKind, DocumentVersion, FileId, MessageRecord,
    PasswordHash, Rating, SessionId, SessionRecord, StoredFile, Suggestion, ThreadView, User,
    UserKind, UserRecord,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::RecordType;

/// The version of the format.
pub(crate) const VERSION: u32 = 1;

/// The first line of an export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// The version of the format.
    pub(crate) skein_export: u32,
    /// Of whom: `all`, or an owner.
    pub(crate) of: String,
}

/// The last line of an export. One that was cut off has none, even where the cut is at a line's end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Footer {
    /// The version of the format.
    pub(crate) skein_export_end: u32,
    /// How many lines stand between the first and this one.
    pub(crate) lines: u64,
    /// How many records they are, by what several of a sort are called.
    #[serde(default)]
    pub(crate) counts: BTreeMap<String, u64>,
}

/// Any other line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    User(UserLine),
    Session(SessionLine),
    Conversation(Box<ConversationLine>),
    Message(Box<MessageLine>),
    Rating(RatingLine),
    Summary(SummaryLine),
    Pin(PinLine),
    Document(DocumentLine),
    Suggestion(SuggestionLine),
    ThreadView(ThreadViewLine),
    File(FileLine),
    Bytes(BytesLine),
}

impl Line {
    /// What sort of record it is, or is a piece of.
    pub(crate) const fn record(&self) -> RecordType {
        match self {
            Self::User(_) => RecordType::User,
            Self::Session(_) => RecordType::Session,
            Self::Conversation(_) => RecordType::Conversation,
            Self::Message(_) => RecordType::Message,
            Self::Rating(_) => RecordType::Rating,
            Self::Summary(_) => RecordType::Summary,
            Self::Pin(_) => RecordType::Pin,
            Self::Document(_) => RecordType::Document,
            Self::Suggestion(_) => RecordType::Suggestion,
            Self::ThreadView(_) => RecordType::ThreadView,
            Self::File(_) | Self::Bytes(_) => RecordType::File,
        }
    }

    /// What it is called in a finding.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::User(line) => format!("user {}", line.id),
            Self::Session(line) => format!("session {}", line.id),
            Self::Conversation(line) => format!("conversation {}", line.id),
            Self::Message(line) => format!("message {}", line.id),
            Self::Rating(line) => format!("rating of message {}", line.message),
            Self::Summary(line) => format!("summary of conversation {}", line.conversation),
            Self::Pin(line) => format!("pinned example {}", line.id),
            Self::Document(line) => {
                format!("version {} of document {}", line.created_at_ms, line.id)
            }
            Self::Suggestion(line) => format!("suggestion {}", line.id),
            Self::ThreadView(line) => {
                format!("name of thread {}", crate::report::shown(&line.thread))
            }
            Self::File(line) => format!("file {}", line.id),
            Self::Bytes(line) => format!("piece {} of file {}", line.n, line.file),
        }
    }
}

/// A name of a stored line is none that this release knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {accepted}")]
pub(crate) struct BadLine {
    key: &'static str,
    accepted: &'static str,
}

const fn bad(key: &'static str, accepted: &'static str) -> BadLine {
    BadLine { key, accepted }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct UserLine {
    pub(crate) id: UserId,
    pub(crate) email: String,
    pub(crate) email_key: String,
    pub(crate) kind: String,
    pub(crate) created_at_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<String>,
}

impl From<UserRecord> for UserLine {
    fn from(record: UserRecord) -> Self {
        Self {
            id: record.user.id,
            email: record.user.email,
            email_key: record.email_key,
            kind: record.user.kind.as_str().to_owned(),
            created_at_ms: record.user.created_at_ms,
            password: record.password.map(|hash| hash.text().to_owned()),
        }
    }
}

impl TryFrom<UserLine> for UserRecord {
    type Error = BadLine;

    fn try_from(line: UserLine) -> Result<Self, BadLine> {
        Ok(Self {
            user: User {
                id: line.id,
                email: line.email,
                kind: UserKind::from_name(&line.kind)
                    .ok_or(bad("kind", "regular or guest is accepted"))?,
                created_at_ms: line.created_at_ms,
            },
            email_key: line.email_key,
            password: line.password.map(PasswordHash::new),
        })
    }
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SessionLine {
    pub(crate) id: Uuid,
    pub(crate) user: UserId,
    /// The SHA-256 of its refresh token, in lower-case hexadecimal digits.
    pub(crate) token: String,
    pub(crate) created_at_ms: i64,
    pub(crate) expires_at_ms: i64,
}

impl std::fmt::Debug for SessionLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionLine")
            .field("id", &self.id)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl From<SessionRecord> for SessionLine {
    fn from(record: SessionRecord) -> Self {
        Self {
            id: record.id.0,
            user: record.user,
            token: hex(&record.token),
            created_at_ms: record.created_at_ms,
            expires_at_ms: record.expires_at_ms,
        }
    }
}

impl TryFrom<SessionLine> for SessionRecord {
    type Error = BadLine;

    fn try_from(line: SessionLine) -> Result<Self, BadLine> {
        Ok(Self {
            id: SessionId(line.id),
            user: line.user,
            token: unhex(&line.token).ok_or(bad(
                "token",
                "64 lower-case hexadecimal digits are accepted",
            ))?,
            created_at_ms: line.created_at_ms,
            expires_at_ms: line.expires_at_ms,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ConversationLine {
    pub(crate) id: ConversationId,
    pub(crate) owner: Owner,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    pub(crate) visibility: Visibility,
    pub(crate) origin: Origin,
    pub(crate) created_at_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alias: Option<String>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) metadata: Map<String, Value>,
    #[serde(default)]
    pub(crate) tokens_used: u64,
    pub(crate) next_seq: u64,
}

impl From<ConversationRecord> for ConversationLine {
    fn from(record: ConversationRecord) -> Self {
        let conversation = record.conversation;
        Self {
            id: conversation.id,
            owner: conversation.owner,
            title: conversation.title,
            visibility: conversation.visibility,
            origin: conversation.origin,
            created_at_ms: conversation.created_at_ms,
            alias: record.alias,
            metadata: record.metadata,
            tokens_used: record.tokens_used,
            next_seq: record.next_seq,
        }
    }
}

impl From<ConversationLine> for ConversationRecord {
    fn from(line: ConversationLine) -> Self {
        Self {
            conversation: Conversation {
                id: line.id,
                owner: line.owner,
                title: line.title,
                visibility: line.visibility,
                origin: line.origin,
                created_at_ms: line.created_at_ms,
            },
            alias: line.alias,
            metadata: line.metadata,
            tokens_used: line.tokens_used,
            next_seq: line.next_seq.max(1),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct MessageLine {
    pub(crate) id: MessageId,
    pub(crate) conversation: ConversationId,
    /// Its place, from 1. While it is staged, 0 is a place that its order will give.
    pub(crate) seq: u64,
    pub(crate) role: Role,
    pub(crate) created_at_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alias: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rating: Option<RatingName>,
    pub(crate) body: MessageBody,
}

impl From<MessageRecord> for MessageLine {
    fn from(record: MessageRecord) -> Self {
        let message = record.message;
        Self {
            id: message.id,
            conversation: message.conversation,
            seq: message.seq,
            role: message.role,
            created_at_ms: message.created_at_ms,
            alias: record.alias,
            rating: record.rating.map(RatingName::from),
            body: message.body,
        }
    }
}

impl From<MessageLine> for MessageRecord {
    fn from(line: MessageLine) -> Self {
        Self {
            message: Message {
                id: line.id,
                conversation: line.conversation,
                seq: line.seq,
                role: line.role,
                created_at_ms: line.created_at_ms,
                body: line.body,
            },
            alias: line.alias,
            rating: line.rating.map(Rating::from),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RatingName {
    Up,
    Down,
}

impl From<Rating> for RatingName {
    fn from(rating: Rating) -> Self {
        match rating {
            Rating::Up => Self::Up,
            Rating::Down => Self::Down,
        }
    }
}

impl From<RatingName> for Rating {
    fn from(name: RatingName) -> Self {
        match name {
            RatingName::Up => Self::Up,
            RatingName::Down => Self::Down,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RatingLine {
    pub(crate) message: MessageId,
    pub(crate) rating: RatingName,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SummaryLine {
    pub(crate) conversation: ConversationId,
    pub(crate) text: String,
    pub(crate) covers_upto: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) costs: Vec<TokenCost>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    pub(crate) created_at_ms: i64,
}

impl SummaryLine {
    pub(crate) fn of(conversation: ConversationId, summary: Summary) -> Self {
        Self {
            conversation,
            text: summary.text,
            covers_upto: summary.covers_upto,
            costs: summary.costs,
            model: summary.model,
            created_at_ms: summary.created_at_ms,
        }
    }

    pub(crate) fn summary(self) -> Summary {
        Summary {
            text: self.text,
            covers_upto: self.covers_upto,
            costs: self.costs,
            model: self.model,
            created_at_ms: self.created_at_ms,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PinLine {
    pub(crate) id: PinId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<Owner>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) conversation: Option<ConversationId>,
    pub(crate) prompt: String,
    pub(crate) answer: String,
    pub(crate) created_at_ms: i64,
}

impl From<Pin> for PinLine {
    fn from(pin: Pin) -> Self {
        let (owner, conversation) = match pin.scope {
            PinScope::Owner(owner) => (Some(owner), None),
            PinScope::Conversation(conversation) => (None, Some(conversation)),
        };
        Self {
            id: pin.id,
            owner,
            conversation,
            prompt: pin.prompt,
            answer: pin.answer,
            created_at_ms: pin.created_at_ms,
        }
    }
}

impl TryFrom<PinLine> for Pin {
    type Error = BadLine;

    fn try_from(line: PinLine) -> Result<Self, BadLine> {
        Ok(Self {
            id: line.id,
            scope: match (line.owner, line.conversation) {
                (Some(owner), None) => PinScope::Owner(owner),
                (None, Some(conversation)) => PinScope::Conversation(conversation),
                (None, None) | (Some(_), Some(_)) => {
                    return Err(bad("owner", "either owner or conversation is accepted"));
                }
            },
            prompt: line.prompt,
            answer: line.answer,
            created_at_ms: line.created_at_ms,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DocumentLine {
    pub(crate) id: Uuid,
    pub(crate) created_at_ms: i64,
    pub(crate) owner: Owner,
    pub(crate) title: String,
    pub(crate) kind: String,
    pub(crate) content: String,
}

impl From<DocumentVersion> for DocumentLine {
    fn from(version: DocumentVersion) -> Self {
        Self {
            id: version.document.0,
            created_at_ms: version.created_at_ms,
            owner: version.owner,
            title: version.title,
            kind: version.kind.as_str().to_owned(),
            content: version.content,
        }
    }
}

impl TryFrom<DocumentLine> for DocumentVersion {
    type Error = BadLine;

    fn try_from(line: DocumentLine) -> Result<Self, BadLine> {
        Ok(Self {
            document: DocumentId(line.id),
            created_at_ms: line.created_at_ms,
            owner: line.owner,
            title: line.title,
            kind: DocumentKind::from_name(&line.kind)
                .ok_or(bad("kind", "text, code, image or sheet is accepted"))?,
            content: line.content,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SuggestionLine {
    pub(crate) id: Uuid,
    pub(crate) document: Uuid,
    pub(crate) version_at_ms: i64,
    pub(crate) original: String,
    pub(crate) suggested: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) resolved: bool,
    pub(crate) user: UserId,
    pub(crate) created_at_ms: i64,
}

impl From<Suggestion> for SuggestionLine {
    fn from(suggestion: Suggestion) -> Self {
        Self {
            id: suggestion.id,
            document: suggestion.document.0,
            version_at_ms: suggestion.version_at_ms,
            original: suggestion.original,
            suggested: suggestion.suggested,
            description: suggestion.description,
            resolved: suggestion.resolved,
            user: suggestion.user,
            created_at_ms: suggestion.created_at_ms,
        }
    }
}

impl From<SuggestionLine> for Suggestion {
    fn from(line: SuggestionLine) -> Self {
        Self {
            id: line.id,
            document: DocumentId(line.document),
            version_at_ms: line.version_at_ms,
            original: line.original,
            suggested: line.suggested,
            description: line.description,
            resolved: line.resolved,
            user: line.user,
            created_at_ms: line.created_at_ms,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ThreadViewLine {
    pub(crate) user: String,
    pub(crate) thread: String,
    pub(crate) name: String,
    pub(crate) is_group: bool,
    pub(crate) created_at_ms: i64,
    pub(crate) updated_at_ms: i64,
}

impl From<ThreadView> for ThreadViewLine {
    fn from(view: ThreadView) -> Self {
        Self {
            user: view.user,
            thread: view.thread,
            name: view.name,
            is_group: view.is_group,
            created_at_ms: view.created_at_ms,
            updated_at_ms: view.updated_at_ms,
        }
    }
}

impl From<ThreadViewLine> for ThreadView {
    fn from(line: ThreadViewLine) -> Self {
        Self {
            user: line.user,
            thread: line.thread,
            name: line.name,
            is_group: line.is_group,
            created_at_ms: line.created_at_ms,
            updated_at_ms: line.updated_at_ms,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FileLine {
    pub(crate) id: Uuid,
    pub(crate) owner: Owner,
    pub(crate) name: String,
    pub(crate) media_type: String,
    pub(crate) purpose: String,
    pub(crate) bytes: u64,
    /// In lower-case hexadecimal digits.
    pub(crate) sha256: String,
    pub(crate) created_at_ms: i64,
}

impl From<StoredFile> for FileLine {
    fn from(file: StoredFile) -> Self {
        Self {
            id: file.id.uuid(),
            owner: file.owner,
            name: file.name,
            media_type: file.media_type,
            purpose: file.purpose,
            bytes: file.bytes,
            sha256: hex(&file.sha256),
            created_at_ms: file.created_at_ms,
        }
    }
}

impl FileLine {
    pub(crate) const fn file(&self) -> FileId {
        FileId::new(self.id)
    }
}

/// A piece of a file's bytes, at most [`PIECE_BYTES`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct BytesLine {
    pub(crate) file: Uuid,
    /// Which piece, from 0.
    pub(crate) n: u64,
    /// The bytes, in base64 with padding.
    pub(crate) base64: String,
}

/// A line holds no more of a file than this.
pub(crate) const PIECE_BYTES: usize = 1024 * 1024;

/// Bytes in lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of exactly twice as many lower-case hexadecimal digits; of anything else, none.
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = (digit(*high)? << 4) | digit(*low)?;
    }
    Some(bytes)
}
