//! Asking members what they are.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use mongodb::Client;
use mongodb::bson::{Document, doc};
use mongodb::options::{ClientOptions, Credential, ServerAddress};

use crate::FixtureError;

/// How long a member may take to answer before it counts as down.
const ANSWER: Duration = Duration::from_secs(2);

/// What a member says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It does not answer.
    Down,
    /// It answers, but follows nobody yet.
    Starting,
    /// It follows a primary, or is ready to.
    Secondary,
    /// It accepts writes.
    Primary,
}

/// A connection to each member by itself; it belongs to the runtime that made it.
pub(crate) struct Probe {
    members: Vec<(SocketAddr, Client)>,
}

impl Probe {
    /// Prepares to ask the members on these ports; nothing is sent yet.
    pub(crate) fn new(ports: impl IntoIterator<Item = u16>) -> Result<Self, FixtureError> {
        let members = ports
            .into_iter()
            .map(|port| {
                Ok((
                    SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
                    direct(port, None)?,
                ))
            })
            .collect::<Result<_, FixtureError>>()?;
        Ok(Self { members })
    }

    /// What each member is now.
    pub(crate) async fn states(&self) -> Vec<State> {
        let mut states = Vec::with_capacity(self.members.len());
        for (address, client) in &self.members {
            // The driver waits half a second between two attempts; a refused connection is known at once.
            if TcpStream::connect_timeout(address, ANSWER).is_err() {
                states.push(State::Down);
                continue;
            }
            let admin = client.database("admin");
            let hello = admin.run_command(doc! { "hello": 1 });
            states.push(match tokio::time::timeout(ANSWER, hello).await {
                Ok(Ok(hello)) => state(&hello),
                Ok(Err(_)) | Err(_) => State::Down,
            });
        }
        states
    }
}

/// A client of one member by itself, also when that is no primary; it connects when it is used.
pub(crate) fn direct(port: u16, credential: Option<Credential>) -> Result<Client, FixtureError> {
    let options = ClientOptions::builder()
        .hosts(vec![ServerAddress::Tcp {
            host: Ipv4Addr::LOCALHOST.to_string(),
            port: Some(port),
        }])
        .direct_connection(true)
        .server_selection_timeout(Duration::from_secs(10))
        .credential(credential)
        .build();
    Ok(Client::with_options(options)?)
}

fn state(hello: &Document) -> State {
    let says = |field| hello.get_bool(field).unwrap_or(false);
    if says("isWritablePrimary") {
        State::Primary
    } else if says("secondary") {
        State::Secondary
    } else {
        State::Starting
    }
}
