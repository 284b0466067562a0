//! One answer as it arrives: its numbered frames, each with the time its bytes came.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::load::{SILENCE, contains};

/// What a frame is, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A piece of the answer's text.
    Token,
    /// The last frame of a stream.
    Done,
    Other,
}

/// A frame of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Its number in the answer; the last frame of a stream has none.
    pub(super) id: Option<u64>,
    pub(super) kind: Kind,
    /// When its last bytes were read.
    pub(super) at: Instant,
}

/// A stream of server-sent events that is being read.
pub(super) struct Frames {
    socket: TcpStream,
    unread: Unread,
    at: Instant,
}

impl Frames {
    /// Asks and reads the head of the answer, which must be a stream.
    pub(super) async fn open(
        caller: &Caller,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<Self> {
        let mut socket = caller.ask(method, path, body).await?;
        let mut unread = Unread::default();
        let head = loop {
            if let Some(line) = unread.line() {
                break line;
            }
            read(&mut socket, &mut unread.bytes).await?;
        };
        ensure!(
            head.starts_with(b"HTTP/1.1 200"),
            "{method} {path} was answered with {}",
            String::from_utf8_lossy(&head).trim()
        );
        Ok(Self {
            socket,
            unread,
            at: Instant::now(),
        })
    }

    /// The next frame; fails when the stream ends without [`Kind::Done`] having been read.
    pub(super) async fn next(&mut self) -> Result<Frame> {
        loop {
            if let Some((id, kind)) = self.unread.frame() {
                return Ok(Frame {
                    id,
                    kind,
                    at: self.at,
                });
            }
            read(&mut self.socket, &mut self.unread.bytes).await?;
            self.at = Instant::now();
        }
    }

    /// Reads up to the next frame of this kind.
    pub(super) async fn until(&mut self, kind: Kind) -> Result<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Ok(frame);
            }
            ensure!(frame.kind != Kind::Done, "a stream ended too early");
        }
    }

    /// Reads to the end and gives all frames that are pieces of text.
    pub(super) async fn tokens(mut self) -> Result<Vec<Frame>> {
        let mut tokens = Vec::new();
        loop {
            let frame = self.next().await?;
            match frame.kind {
                Kind::Token => tokens.push(frame),
                Kind::Done => return Ok(tokens),
                Kind::Other => {}
            }
        }
    }
}

/// Somebody with a token who asks one server.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) address: SocketAddr,
    pub(super) token: String,
}

impl Caller {
    /// What a small answer says; fails unless its status is 200.
    pub(super) async fn call<T: DeserializeOwned>(&self, method: &str, path: &str) -> Result<T> {
        let mut socket = self.ask(method, path, "").await?;
        let mut answer = Vec::new();
        timeout(SILENCE, socket.read_to_end(&mut answer))
            .await
            .context("a server fell silent")??;
        let answer = String::from_utf8(answer)?;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .context("the answer has no end of its head")?;
        ensure!(
            head.starts_with("HTTP/1.1 200"),
            "{method} {path} was answered with {}",
            head.lines().next().unwrap_or_default()
        );
        let value: Value = serde_json::from_str(body)?;
        Ok(serde_json::from_value(value)?)
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> Result<TcpStream> {
        let mut socket = TcpStream::connect(self.address).await?;
        socket.set_nodelay(true)?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            self.token,
            body.len()
        );
        socket.write_all(request.as_bytes()).await?;
        Ok(socket)
    }
}

/// Bytes that came and were not looked at yet.
#[derive(Default)]
struct Unread {
    bytes: Vec<u8>,
    id: Option<u64>,
}

impl Unread {
    fn line(&mut self) -> Option<Vec<u8>> {
        let end = self.bytes.iter().position(|&byte| byte == b'\n')?;
        Some(self.bytes.drain(..=end).collect())
    }

    /// The next frame among them. The lines between chunks of the transfer are passed over.
    fn frame(&mut self) -> Option<(Option<u64>, Kind)> {
        while let Some(line) = self.line() {
            if let Some(id) = line.strip_prefix(b"id:") {
                self.id = String::from_utf8_lossy(id).trim().parse().ok();
            } else if line.starts_with(b"data:") {
                let kind = if contains(&line, br#""type":"text-delta""#) {
                    Kind::Token
                } else if contains(&line, b"data: [DONE]") {
                    Kind::Done
                } else {
                    Kind::Other
                };
                return Some((self.id.take(), kind));
            }
        }
        None
    }
}

async fn read(socket: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<()> {
    let count = timeout(SILENCE, socket.read_buf(bytes))
        .await
        .context("a stream fell silent")??;
    ensure!(count > 0, "a stream closed before its end");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_frames_with_their_numbers_once_they_are_whole() {
        let mut unread = Unread::default();
        unread.bytes.extend_from_slice(
            b"Content-Type: text/event-stream\r\n\r\n3a\r\nid: 1\ndata: {\"type\":\"start\"}\n\n\r\n",
        );
        assert_eq!(unread.frame(), Some((Some(1), Kind::Other)));
        unread
            .bytes
            .extend_from_slice(b": beat\n\nid: 2\ndata: {\"type\":\"text-d");
        assert_eq!(unread.frame(), None);
        unread
            .bytes
            .extend_from_slice(b"elta\",\"delta\":\"a\"}\n\ndata: [DONE]\n\n");
        assert_eq!(unread.frame(), Some((Some(2), Kind::Token)));
        assert_eq!(unread.frame(), Some((None, Kind::Done)));
        assert_eq!(unread.frame(), None);
    }
}
