//! A server between a handle and its database that loses answers, as a network may.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    port: u16,
    /// Commands to spoil: what stands in the request, and what becomes of it.
    spoiled: Spoiled,
    _serving: JoinSet<()>,
}

/// What is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// The request, so that nothing was done.
    Request,
    /// The answer, so that it was done.
    Answer,
    /// The answer, so that it was done, and the connection stays open.
    Silent,
}

impl Proxy {
    /// One that leads to this port of the loopback.
    pub(super) async fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let spoiled = Arc::default();
        let mut serving = JoinSet::new();
        let shared = Arc::clone(&spoiled);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
                connections.spawn(relay(client, server, Arc::clone(&shared)));
            }
        });
        Self {
            port,
            spoiled,
            _serving: serving,
        }
    }

    /// The connection string of a database behind it.
    pub(super) fn uri_for(&self, database: &str) -> String {
        format!(
            "mongodb://127.0.0.1:{}/{database}?directConnection=true",
            self.port
        )
    }

    /// Ends the connection of the next command that holds all these words, before or after it was done.
    pub(super) fn spoil(&self, words: &[&'static str], loss: Loss) {
        self.spoiled.lock().unwrap().push((words.to_vec(), loss));
    }

    /// Whether everything that was to be spoiled is.
    pub(super) fn is_done(&self) -> bool {
        self.spoiled.lock().unwrap().is_empty()
    }
}

type Spoiled = Arc<Mutex<Vec<Spoil>>>;
/// Words that a request holds, and what is lost of it.
type Spoil = (Vec<&'static str>, Loss);

async fn relay(mut client: TcpStream, mut server: TcpStream, spoiled: Spoiled) {
    // A client that asks for a streamed answer gets several, so the two ways are independent.
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let losing = Mutex::new(None);
    let requests = async {
        while let Some(request) = message(&mut from_client).await {
            let loss = lost(&spoiled, &request);
            if loss == Some(Loss::Request) {
                return;
            }
            *losing.lock().unwrap() = loss;
            if to_server.write_all(&request).await.is_err() {
                return;
            }
        }
    };
    let answers = async {
        while let Some(answer) = message(&mut from_server).await {
            let losing = *losing.lock().unwrap();
            if losing == Some(Loss::Silent) {
                return std::future::pending().await;
            }
            if losing.is_some() || to_client.write_all(&answer).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = requests => {}
        () = answers => {}
    }
}

fn lost(spoiled: &Spoiled, request: &[u8]) -> Option<Loss> {
    let mut spoiled = spoiled.lock().unwrap();
    let holds = |word: &&str| {
        request
            .windows(word.len())
            .any(|window| window == word.as_bytes())
    };
    let found = spoiled
        .iter()
        .position(|(words, _)| words.iter().all(holds))?;
    Some(spoiled.remove(found).1)
}

/// A message of the wire protocol: its length, which counts itself, then the rest.
async fn message(from: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let length = from.read_i32_le().await.ok()?;
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.resize(usize::try_from(length).ok()?, 0);
    from.read_exact(bytes.get_mut(4..)?).await.ok()?;
    Some(bytes)
}
