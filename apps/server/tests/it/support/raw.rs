use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A connection whose bytes a test writes itself.
#[derive(Debug)]
pub(crate) struct RawConnection(TcpStream);

impl RawConnection {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Writes as much as the server takes before it refuses.
    pub(crate) async fn try_write(&mut self, bytes: &[u8]) {
        let _refused = self.0.write_all(bytes).await;
    }

    /// Says that nothing more comes, and goes on reading.
    pub(crate) async fn end_writing(&mut self) {
        self.0.shutdown().await.unwrap();
    }

    /// What comes next, as it came; empty at the end.
    pub(crate) async fn read(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 64 * 1024];
        let length = self.0.read(&mut bytes).await.unwrap();
        bytes.truncate(length);
        bytes
    }

    /// Has this end acknowledge late, as one that has nothing to say does: a server that holds small segments back until
    /// the ones before are acknowledged is then seen to do so. The system forgets it with every read.
    pub(crate) fn acknowledge_late(&self) {
        socket2::SockRef::from(&self.0)
            .set_tcp_quickack(false)
            .unwrap();
    }

    /// What comes until the head of an answer is whole, or until the server closes.
    pub(crate) async fn read_head(&mut self) -> String {
        let mut bytes = Vec::new();
        while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
            let more = self.read().await;
            if more.is_empty() {
                break;
            }
            bytes.extend_from_slice(&more);
        }
        String::from_utf8(bytes).unwrap()
    }

    /// All that comes until the server closes.
    pub(crate) async fn read_to_end(&mut self) -> String {
        let mut bytes = Vec::new();
        // A server that refuses a body that it has not read may reset the connection behind its answer.
        let _reset = self.0.read_to_end(&mut bytes).await;
        String::from_utf8(bytes).unwrap()
    }
}
