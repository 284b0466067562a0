//! Puts a file with the pieces of its bytes.

use std::io;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::StreamExt as _;
use records::{ByteStream, FileRefusal, NewFile, Put};
use tokio::sync::mpsc;

use super::{Mode, Settled};
use crate::{
    ImportError, Target,
    line::{BytesLine, FileLine, Line, hex},
    stage::{Placed, StagedLine},
};

/// What came of a file, and the first line after it.
type PutFile = (Vec<Settled>, Option<StagedLine>);

/// Puts the file that begins with this line, and takes its pieces.
pub(super) async fn put(
    target: &Target,
    mode: Mode,
    first: StagedLine,
    staged: &mut Placed,
    temporary: &impl Fn(io::Error) -> ImportError,
) -> Result<PutFile, ImportError> {
    let Line::File(file) = &first.line else {
        // A piece without its file.
        let next = staged.next().map_err(temporary)?;
        return Ok((settled(first, Put::Orphan, None), next));
    };
    let known = target.files.find_file(file.file()).await?.is_some();
    let store = !known && mode == Mode::Live;
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(2);
    let take = async {
        let sender = sender;
        let mut whole = Whole {
            wanted: file.bytes,
            pieces: 0,
        };
        loop {
            let next = staged.next().map_err(temporary)?;
            let piece = match &next {
                Some(StagedLine {
                    line: Line::Bytes(piece),
                    ..
                }) if piece.file == file.id => whole.piece(piece),
                _ => {
                    let end = whole.end();
                    let complete = end.is_ok();
                    if let Err(error) = end {
                        // The store may have given up already.
                        let _unread = sender.send(Err(error)).await;
                    }
                    return Ok::<_, ImportError>((next, complete));
                }
            };
            if store {
                let _unread = sender.send(piece).await;
            } else if piece.is_err() {
                whole.wanted = u64::MAX;
            }
        }
    };
    if !store {
        let (next, complete) = take.await?;
        let put = match (known, complete) {
            (true, _) => Put::Known,
            (false, true) => Put::New,
            (false, false) => Put::Orphan,
        };
        return Ok((settled(first, put, None), next));
    }
    let bytes: ByteStream = Box::pin(futures_util::stream::unfold(receiver, |mut pieces| async {
        pieces.recv().await.map(|piece| (piece, pieces))
    }));
    let (taken, stored) = tokio::join!(take, target.files.insert_file(new(file), bytes.boxed()));
    let (next, _) = taken?;
    let put = match stored? {
        Ok(stored) if hex(&stored.sha256) == file.sha256 => Put::New,
        Ok(stored) => {
            // Its bytes are not those that were exported.
            target.files.delete_file(stored.id).await?;
            Put::Orphan
        }
        Err(FileRefusal::IdTaken) => Put::Known,
        Err(FileRefusal::BrokeOff | FileRefusal::TooLarge) => Put::Orphan,
    };
    Ok((settled(first, put, None), next))
}

fn settled(line: StagedLine, put: Put, changed: Option<String>) -> Vec<Settled> {
    vec![Settled { line, put, changed }]
}

fn new(file: &FileLine) -> NewFile {
    NewFile {
        id: file.file(),
        owner: file.owner.clone(),
        name: file.name.clone(),
        media_type: file.media_type.clone(),
        purpose: file.purpose.clone(),
        max_bytes: file.bytes,
        at_ms: file.created_at_ms,
    }
}

/// Watches that all pieces come, each after the one before.
struct Whole {
    wanted: u64,
    pieces: u64,
}

impl Whole {
    fn piece(&mut self, line: &BytesLine) -> io::Result<Bytes> {
        let broken = || io::Error::from(io::ErrorKind::InvalidData);
        if line.n != self.pieces {
            return Err(broken());
        }
        self.pieces += 1;
        let bytes = STANDARD.decode(&line.base64).ok().ok_or_else(broken)?;
        self.wanted = self
            .wanted
            .checked_sub(bytes.len() as u64)
            .ok_or_else(broken)?;
        Ok(bytes.into())
    }

    fn end(&self) -> io::Result<()> {
        if self.wanted == 0 {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}
