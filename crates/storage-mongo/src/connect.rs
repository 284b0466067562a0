use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mongodb::{
    Client, Database,
    bson::{Document, doc},
    error::{Error, ErrorKind},
    event::{EventHandler, sdam::SdamEvent},
    options::{ClientOptions, ReadConcern, ReadPreference, SelectionCriteria},
};
use secrecy::ExposeSecret as _;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

use crate::{Config, MongoStore, OpenError, error, transaction::durable};

impl MongoStore {
    /// A handle on the database of this configuration, once a primary answers there.
    ///
    /// `on_wait` gets a line for people each second that the database keeps us waiting. Faults that waiting will not mend
    /// are answered at once: a wrong password, missing rights, a standalone server. Nothing is changed in the database;
    /// that is for [`migrate`](Self::migrate).
    pub async fn connect(config: Config, on_wait: impl FnMut(&str)) -> Result<Self, OpenError> {
        let mut waiting = Waiting {
            began: Instant::now(),
            allowed: config.wait,
            hosts: String::new(),
            on_wait,
        };
        let options = waiting.options(&config).await?;
        waiting.hosts = hosts(&options);
        let name = database_name(&options, &config)?;
        let wanted_set = options.repl_set_name.clone();
        let has_user = options.credential.is_some();
        let probe = probe(&options);
        let mut lease_options = options.clone();
        lease_options.max_pool_size = Some(LEASE_CONNECTIONS);
        let connected = |options| {
            Client::with_options(options).map_err(|error| OpenError::BadUri {
                reason: reason(&error),
            })
        };
        let client = connected(options)?;
        let database = client.database(&name);
        let lease_database = connected(lease_options)?.database(&name);
        let seen = waiting
            .for_primary(&database, wanted_set.as_deref(), probe.as_ref())
            .await?;
        if !is_set(&seen) {
            return Err(OpenError::Standalone {
                hosts: waiting.hosts,
            });
        }
        let store = Self::new(
            client,
            database,
            lease_database,
            waiting.hosts,
            config.deadline,
        );
        store.check_rights(has_user).await?;
        Ok(store)
    }

    /// Reads something, as a user without rights or without a name cannot.
    async fn check_rights(&self, has_user: bool) -> Result<(), OpenError> {
        let read = self
            .retried(|| async { Ok(self.migrations().find_one(doc! {}).await?) })
            .await;
        match read {
            Ok(_any) => Ok(()),
            Err(error::Failure::Mongo(error))
                if !has_user && error::code(&error) == Some(UNAUTHORIZED) =>
            {
                Err(OpenError::PasswordMissing {
                    hosts: self.hosts().to_owned(),
                })
            }
            Err(failure) => Err(self.failed(failure)),
        }
    }

    /// The error of opening that this failure is.
    pub(crate) fn failed(&self, failure: error::Failure) -> OpenError {
        let database = self.database().name().to_owned();
        if let error::Failure::Mongo(error) = &failure
            && error::code(error) == Some(UNAUTHORIZED)
        {
            return OpenError::NoRights {
                action: "read and write".to_owned(),
                database,
            };
        }
        OpenError::Database {
            database,
            source: failure.into(),
        }
    }
}

/// So many connections at most where the connection string says nothing: the driver's own limit of 10 is soon reached.
const CONNECTIONS: u32 = 100;
/// Renewals come one at a time.
const LEASE_CONNECTIONS: u32 = 2;
/// The server's code for what a user may not do.
pub(crate) const UNAUTHORIZED: i32 = 13;

/// A start that waits.
struct Waiting<F> {
    began: Instant,
    allowed: Duration,
    hosts: String,
    on_wait: F,
}

impl<F: FnMut(&str)> Waiting<F> {
    /// The options of the connection string, with ours on top. Waits while names cannot be resolved.
    async fn options(&mut self, config: &Config) -> Result<ClientOptions, OpenError> {
        let uri = config.uri.expose_secret();
        self.hosts = public_part(uri);
        loop {
            match ClientOptions::parse(uri).await {
                Ok(options) => return Ok(enforced(options, config.deadline)),
                Err(error) if matches!(&*error.kind, ErrorKind::DnsResolve { .. }) => {
                    self.tell("its name cannot be resolved");
                    self.pause(&reason(&error)).await?;
                }
                Err(_) => {
                    // The driver's words may quote what they object to, and that may be a piece of a password.
                    let spoken = match ClientOptions::parse(public_uri(uri)).await {
                        Ok(_) => "the part before the @ cannot be read".to_owned(),
                        Err(error) => reason(&error),
                    };
                    return Err(OpenError::BadUri { reason: spoken });
                }
            }
        }
    }

    /// What the primary says of itself, as soon as one answers.
    async fn for_primary(
        &mut self,
        database: &Database,
        wanted_set: Option<&str>,
        probe: Option<&ClientOptions>,
    ) -> Result<Document, OpenError> {
        let mut seen = String::from("nothing answers");
        loop {
            let asked = self.ask(database, wanted_set, probe, &mut seen).await?;
            match asked {
                Ok(answer) => return Ok(answer),
                Err(error) if matches!(&*error.kind, ErrorKind::Authentication { .. }) => {
                    return Err(OpenError::WrongPassword {
                        hosts: self.hosts.clone(),
                    });
                }
                Err(error) if error::is_passing(&error) => self.pause(&seen).await?,
                Err(error) => {
                    return Err(OpenError::Database {
                        database: database.name().to_owned(),
                        source: error.into(),
                    });
                }
            }
        }
    }

    /// Asks for the primary, once, and tells each second that the answer is still to come.
    async fn ask(
        &mut self,
        database: &Database,
        wanted_set: Option<&str>,
        probe: Option<&ClientOptions>,
        seen: &mut String,
    ) -> Result<Result<Document, Error>, OpenError> {
        let asked = async { database.run_command(doc! { "hello": 1 }).await };
        tokio::pin!(asked);
        let second = Duration::from_secs(1);
        let mut ticks = interval_at(Instant::now() + second, second);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                answer = &mut asked => return Ok(answer),
                _ = ticks.tick() => {}
            }
            if let Some(probe) = probe {
                *seen = self.look_at(probe.clone(), wanted_set).await?;
            }
            self.tell(seen);
            self.check_time(seen)?;
        }
    }

    /// Asks one member alone what it is, as a connection to the whole set does not tell why it sees no primary.
    async fn look_at(
        &self,
        mut options: ClientOptions,
        wanted_set: Option<&str>,
    ) -> Result<String, OpenError> {
        // The driver's own answer would be that it found no server.
        let cause = Arc::new(Mutex::new(None));
        let heard = Arc::clone(&cause);
        options.sdam_event_handler = Some(EventHandler::callback(move |event| {
            if let SdamEvent::ServerHeartbeatFailed(failed) = event {
                *heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(failed.failure);
            }
        }));
        let unseen = || {
            let cause = cause.lock().unwrap_or_else(PoisonError::into_inner).take();
            cause.map_or_else(
                || "nothing answers".to_owned(),
                |error: Error| format!("cannot connect: {}", reason(&error)),
            )
        };
        let Ok(client) = Client::with_options(options) else {
            return Ok(unseen());
        };
        let database = client.database("admin");
        let asked = timeout(
            Duration::from_secs(1),
            database.run_command(doc! { "hello": 1 }),
        );
        let Ok(Ok(answer)) = asked.await else {
            return Ok(unseen());
        };
        let found = answer.get_str("setName").unwrap_or_default();
        if answer.get_bool("isreplicaset").unwrap_or_default() {
            return Ok("it is a member of a replica set that was not initiated; run rs.initiate() once in mongosh".to_owned());
        }
        if !is_set(&answer) {
            return Err(OpenError::Standalone {
                hosts: self.hosts.clone(),
            });
        }
        match wanted_set {
            Some(wanted) if wanted != found && !found.is_empty() => Err(OpenError::WrongSet {
                hosts: self.hosts.clone(),
                wanted: wanted.to_owned(),
                found: found.to_owned(),
            }),
            _ => Ok("it has no primary now".to_owned()),
        }
    }

    fn tell(&mut self, seen: &str) {
        let line = format!(
            "waiting for MongoDB at {}: {seen} ({} s of {} s)",
            self.hosts,
            self.began.elapsed().as_secs(),
            self.allowed.as_secs(),
        );
        (self.on_wait)(&line);
    }

    fn check_time(&self, seen: &str) -> Result<(), OpenError> {
        if self.began.elapsed() < self.allowed {
            return Ok(());
        }
        Err(OpenError::Unreachable {
            hosts: self.hosts.clone(),
            seconds: self.allowed.as_secs(),
            reason: seen.to_owned(),
        })
    }

    async fn pause(&self, seen: &str) -> Result<(), OpenError> {
        self.check_time(seen)?;
        sleep(Duration::from_millis(500)).await;
        Ok(())
    }
}

/// How to reach one member alone, without a user: `hello` needs none.
fn probe(options: &ClientOptions) -> Option<ClientOptions> {
    let mut probe = ClientOptions::builder()
        .hosts(vec![options.hosts.first()?.clone()])
        .direct_connection(true)
        .server_selection_timeout(Duration::from_millis(500))
        .build();
    probe.tls.clone_from(&options.tls);
    Some(probe)
}

/// Whether a server's answer to `hello` is that of a replica set's member or of a router.
fn is_set(hello: &Document) -> bool {
    hello.contains_key("setName")
        || hello
            .get_str("msg")
            .is_ok_and(|message| message == "isdbgrid")
}

/// What we promise does not hang on a connection string.
fn enforced(mut options: ClientOptions, deadline: Duration) -> ClientOptions {
    options.app_name.get_or_insert_with(|| "skein".to_owned());
    options.retry_reads = Some(true);
    options.retry_writes = Some(true);
    options.read_concern = Some(ReadConcern::majority());
    options.write_concern = Some(durable());
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
    options.max_pool_size.get_or_insert(CONNECTIONS);
    let limit = options.server_selection_timeout.unwrap_or(deadline);
    options.server_selection_timeout = Some(limit.min(deadline));
    options
}

fn database_name(options: &ClientOptions, config: &Config) -> Result<String, OpenError> {
    let name = options
        .default_database
        .clone()
        .or_else(|| config.database.clone())
        .unwrap_or_else(|| "skein".to_owned());
    let is_name = (1..=63).contains(&name.len())
        && !name.contains([
            '/', '\\', '.', ' ', '"', '$', '*', '<', '>', ':', '|', '?', '\0',
        ]);
    // They have no change streams, and other tools keep their own there.
    let is_taken = ["admin", "config", "local"]
        .iter()
        .any(|taken| name.eq_ignore_ascii_case(taken));
    if is_name && !is_taken {
        Ok(name)
    } else {
        Err(OpenError::BadName { name })
    }
}

pub(crate) fn hosts(options: &ClientOptions) -> String {
    let hosts: Vec<String> = options.hosts.iter().map(ToString::to_string).collect();
    hosts.join(",")
}

/// A connection string without user and password: all up to the last `@` is left out, since a password that is not
/// encoded may hold any sign.
pub(crate) fn public_uri(uri: &str) -> String {
    let (scheme, rest) = uri.split_once("://").unwrap_or(("", uri));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    if scheme.is_empty() {
        rest.to_owned()
    } else {
        format!("{scheme}://{rest}")
    }
}

/// The hosts of a connection string as they stand in it.
pub(crate) fn public_part(uri: &str) -> String {
    let uri = public_uri(uri);
    let rest = uri.split_once("://").map_or(uri.as_str(), |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default().to_owned()
}

/// What the driver says is wrong, in its own words.
pub(crate) fn reason(error: &Error) -> String {
    if let ErrorKind::InvalidArgument { message, .. }
    | ErrorKind::InvalidTlsConfig { message, .. }
    | ErrorKind::DnsResolve { message, .. } = &*error.kind
    {
        return message.trim_end_matches('.').to_owned();
    }
    if let ErrorKind::Io(error) = &*error.kind {
        return error.to_string();
    }
    error.kind.to_string()
}

#[cfg(test)]
mod tests;
