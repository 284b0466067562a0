use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Write},
    str::FromStr as _,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chat_core::{
    access::Owner,
    id::{ConversationId, UserId},
    ports::PinScope,
};
use futures_util::StreamExt as _;
use records::{DocumentId, FileId, SessionId, ThreadView, UserRecord, email_key, exact_email_key};
use uuid::Uuid;

use crate::{
    ExportError, RecordType, Target,
    line::{
        BytesLine, ConversationLine, DocumentLine, FileLine, Footer, Header, Line, MessageLine,
        PIECE_BYTES, PinLine, SessionLine, SuggestionLine, SummaryLine, ThreadViewLine, UserLine,
        VERSION,
    },
};

/// Whose to export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everyone's.
    All,
    /// One user's, by e-mail address or id; or one owner's, as `user:<uuid>`, `browser:<uuid>` or `tenant:default`.
    One(String),
}

/// How many records of each sort were exported.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts(pub BTreeMap<RecordType, u64>);

impl fmt::Display for Counts {
    /// A line for each sort, with its line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (record, count) in &self.0 {
            writeln!(f, "{}: {count}", record.plural())?;
        }
        Ok(())
    }
}

/// Records are read in pages of so many; messages in smaller ones, since they may be large.
const PAGE: u32 = 256;
const MESSAGE_PAGE: u32 = 32;

/// No owner and no conversation has more pins than this; a prompt would not hold them.
const MAX_PINS: u32 = 100_000;

/// Whose names of threads belong to nobody who signs in.
const NOBODY: &str = "default-user";

/// Writes everything of one owner, or of all, as JSON lines, which [`import`](crate::import()) reads back as
/// [`Kind::Skein`](crate::Kind::Skein).
///
/// The same records give the same bytes. What comes or changes meanwhile may be in it or not; runs, their logs and the
/// store's own secrets are not. Password hashes are: whoever has the file can try passwords. Sessions are, expired ones too,
/// with the hashes of their refresh tokens, which sign nobody in.
pub async fn export(
    target: &Target,
    scope: &Scope,
    to: impl Write + Send,
) -> Result<Counts, ExportError> {
    let mut exporter = Exporter {
        target,
        to,
        counts: Counts::default(),
        lines: 0,
    };
    match scope {
        Scope::All => exporter.all().await?,
        Scope::One(name) => {
            let (owner, user) = find(target, name).await?;
            exporter.header(&owner.to_string())?;
            if let Some(user) = user {
                let id = user.user.id;
                exporter.line(&Line::User(UserLine::from(user)))?;
                exporter.sessions(Some(id)).await?;
            }
            exporter.conversations(Some(&owner)).await?;
            exporter.belongings(&owner).await?;
            let name = match &owner {
                Owner::User(id) => Some(id.to_string()),
                Owner::Tenant => Some(NOBODY.to_owned()),
                Owner::Browser(_) => None,
            };
            if let Some(name) = name {
                exporter.thread_views(Some(&name)).await?;
            }
        }
    }
    exporter.footer()?;
    exporter.to.flush()?;
    Ok(exporter.counts)
}

/// The owner of this name, and the user who it is.
async fn find(target: &Target, name: &str) -> Result<(Owner, Option<UserRecord>), ExportError> {
    let unknown = || ExportError::NoSuchUser(name.to_owned());
    let by_id = Owner::from_str(name)
        .ok()
        .or_else(|| UserId::from_str(name).ok().map(Owner::User));
    let owner = if let Some(owner) = by_id {
        owner
    } else {
        // An address that was imported beside another in other letters is found by its exact spelling.
        let exact = exact_email_key(name);
        let user = match target.users.find_user_by_email(&exact).await? {
            Some(user) => Some(user),
            None => target.users.find_user_by_email(&email_key(name)).await?,
        };
        Owner::User(user.ok_or_else(unknown)?.id)
    };
    let Owner::User(id) = owner else {
        return Ok((owner, None));
    };
    let before = id.uuid().as_u128().checked_sub(1).map(Uuid::from_u128);
    let page = target
        .archive
        .scan_users(before.map(UserId::new), 1)
        .await?;
    let user = page.into_iter().find(|record| record.user.id == id);
    // One without an account can still own what was imported.
    if user.is_none() {
        let archive = &target.archive;
        let owned = archive.scan_conversations(Some(&owner), None, 1).await?;
        if owned.is_empty() {
            return Err(unknown());
        }
    }
    Ok((owner, user))
}

struct Exporter<'t, W> {
    target: &'t Target,
    to: W,
    counts: Counts,
    /// Lines after the header.
    lines: u64,
}

impl<W: Write + Send> Exporter<'_, W> {
    async fn all(&mut self) -> Result<(), ExportError> {
        self.header("all")?;
        // Before users: one who signs in for the first time meanwhile comes without a session, never a session without them.
        self.sessions(None).await?;
        let mut after = None;
        loop {
            let page = self.target.archive.scan_users(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.user.id);
            for record in page {
                self.line(&Line::User(UserLine::from(record)))?;
            }
        }
        self.conversations(None).await?;
        let mut after: Option<Owner> = None;
        loop {
            let page = self
                .target
                .archive
                .scan_owners(after.as_ref(), PAGE)
                .await?;
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            for owner in &page {
                self.belongings(owner).await?;
            }
        }
        self.thread_views(None).await
    }

    async fn sessions(&mut self, user: Option<UserId>) -> Result<(), ExportError> {
        let mut after: Option<SessionId> = None;
        loop {
            let archive = &self.target.archive;
            let page = archive.scan_sessions(user, after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.id);
            for record in page {
                self.line(&Line::Session(SessionLine::from(record)))?;
            }
        }
    }

    async fn conversations(&mut self, owner: Option<&Owner>) -> Result<(), ExportError> {
        let mut after = None;
        loop {
            let archive = &self.target.archive;
            let page = archive.scan_conversations(owner, after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.conversation.id);
            for record in page {
                let (id, owner) = (record.conversation.id, record.conversation.owner.clone());
                self.line(&Line::Conversation(Box::new(ConversationLine::from(
                    record,
                ))))?;
                self.conversation(id, &owner).await?;
            }
        }
    }

    /// What a conversation holds.
    async fn conversation(&mut self, id: ConversationId, owner: &Owner) -> Result<(), ExportError> {
        let mut after = 0;
        loop {
            let archive = &self.target.archive;
            let page = archive.scan_messages(id, after, MESSAGE_PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.message.seq;
            for record in page {
                self.line(&Line::Message(Box::new(MessageLine::from(record))))?;
            }
        }
        if let Some(summary) = self.target.notes.find_summary(id).await? {
            self.line(&Line::Summary(SummaryLine::of(id, summary)))?;
        }
        let pins = self.target.notes.list_pins(owner, Some(id), MAX_PINS);
        for pin in pins.await? {
            if matches!(pin.scope, PinScope::Conversation(_)) {
                self.line(&Line::Pin(PinLine::from(pin)))?;
            }
        }
        Ok(())
    }

    /// What an owner has besides conversations.
    async fn belongings(&mut self, owner: &Owner) -> Result<(), ExportError> {
        let pins = self.target.notes.list_pins(owner, None, MAX_PINS);
        for pin in pins.await? {
            self.line(&Line::Pin(PinLine::from(pin)))?;
        }
        let mut after: Option<DocumentId> = None;
        loop {
            let documents = &self.target.documents;
            let page = documents.list_documents(Some(owner), after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(*last);
            for id in page {
                self.document(id).await?;
            }
        }
        let mut after: Option<FileId> = None;
        loop {
            let page = self.target.files.list_files(owner, after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.id);
            for file in page {
                self.file(FileLine::from(file)).await?;
            }
        }
    }

    async fn document(&mut self, id: DocumentId) -> Result<(), ExportError> {
        let mut after = None;
        while let Some(version) = self.target.documents.next_version(id, after).await? {
            after = Some(version.created_at_ms);
            self.line(&Line::Document(DocumentLine::from(version)))?;
        }
        for suggestion in self.target.documents.list_suggestions(id).await? {
            self.line(&Line::Suggestion(SuggestionLine::from(suggestion)))?;
        }
        Ok(())
    }

    async fn file(&mut self, file: FileLine) -> Result<(), ExportError> {
        let Some(mut bytes) = self.target.files.read_file(file.file(), None).await? else {
            // It was deleted meanwhile.
            return Ok(());
        };
        let id = file.id;
        self.line(&Line::File(file))?;
        let mut piece = Vec::new();
        let mut n = 0;
        while let Some(chunk) = bytes.next().await {
            let chunk = chunk?;
            let mut rest = chunk.as_ref();
            while !rest.is_empty() {
                let room = PIECE_BYTES - piece.len();
                let (taken, after) = rest.split_at(room.min(rest.len()));
                piece.extend_from_slice(taken);
                rest = after;
                if piece.len() == PIECE_BYTES {
                    self.piece(id, &mut n, &mut piece)?;
                }
            }
        }
        if !piece.is_empty() {
            self.piece(id, &mut n, &mut piece)?;
        }
        Ok(())
    }

    fn piece(&mut self, file: Uuid, n: &mut u64, piece: &mut Vec<u8>) -> Result<(), ExportError> {
        let line = BytesLine {
            file,
            n: *n,
            base64: STANDARD.encode(&*piece),
        };
        *n += 1;
        piece.clear();
        self.lines += 1;
        self.write(&Line::Bytes(line))
    }

    async fn thread_views(&mut self, user: Option<&str>) -> Result<(), ExportError> {
        let mut after: Option<ThreadView> = None;
        loop {
            let place = after
                .as_ref()
                .map(|view| (view.user.as_str(), view.thread.as_str()));
            let views = &self.target.thread_views;
            let page = views.list_thread_views(user, place, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.clone());
            for view in page {
                self.line(&Line::ThreadView(ThreadViewLine::from(view)))?;
            }
        }
    }

    fn header(&mut self, of: &str) -> Result<(), ExportError> {
        let header = Header {
            skein_export: VERSION,
            of: of.to_owned(),
        };
        self.write(&header)
    }

    /// Says that the export is whole.
    fn footer(&mut self) -> Result<(), ExportError> {
        let counts = self.counts.0.iter();
        let footer = Footer {
            skein_export_end: VERSION,
            lines: self.lines,
            counts: counts
                .map(|(record, count)| (record.plural().to_owned(), *count))
                .collect(),
        };
        self.write(&footer)
    }

    fn line(&mut self, line: &Line) -> Result<(), ExportError> {
        self.lines += 1;
        *self.counts.0.entry(line.record()).or_default() += 1;
        self.write(line)
    }

    fn write(&mut self, line: &impl serde::Serialize) -> Result<(), ExportError> {
        serde_json::to_writer(&mut self.to, line).map_err(io::Error::from)?;
        self.to.write_all(b"\n")?;
        Ok(())
    }
}
