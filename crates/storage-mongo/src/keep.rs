//! The work that goes on beside the calls: hearing what other nodes changed, and sweeping the log.

use std::time::Duration;

use chat_core::ports::{Signal, Signals as _};
use mongodb::{
    change_stream::{
        ChangeStream,
        event::{ChangeStreamEvent, ResumeToken},
    },
    error::Error,
};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{MongoStore, signals::Change};

impl MongoStore {
    /// Works until `stop` is cancelled: rings what other handles change, and deletes log records that nobody needs.
    ///
    /// To be awaited by the process that uses the handle, once, for as long as it does. [`Signal::Missed`] rings whenever
    /// the change stream was opened, since what happened before is not in it. One that breaks goes on from where it was,
    /// or, if the server does not have that any more, is opened anew.
    pub fn keep(&self, stop: CancellationToken) -> impl Future<Output = ()> + Send + use<> {
        let store = self.clone();
        async move {
            let work = async { tokio::join!(store.listen(), store.sweep()) };
            tokio::select! {
                () = stop.cancelled() => {}
                _ = work => {}
            }
        }
    }

    /// Rings what other handles change, for ever.
    async fn listen(&self) {
        let mut outage = Outage::default();
        let mut token = None;
        loop {
            match self.open_stream(token.clone()).await {
                Ok(stream) => {
                    outage.end();
                    self.signals().ring(Signal::Missed);
                    let heard = self.hear(stream, &mut token).await;
                    outage.begin(heard.as_ref().err());
                }
                Err(error) => {
                    // What it stood for may be what the server objects to. A failure of the network is none.
                    if !crate::error::is_passing(&error) {
                        token = None;
                    }
                    outage.begin(Some(&error));
                }
            }
            sleep(outage.pause()).await;
        }
    }

    async fn open_stream(
        &self,
        token: Option<ResumeToken>,
    ) -> Result<ChangeStream<ChangeStreamEvent<mongodb::bson::Document>>, Error> {
        let watch = self
            .database()
            .watch()
            .pipeline(Change::pipeline(self.writer()))
            .max_await_time(AWAIT);
        let opened = match token {
            Some(token) => timeout(SILENCE, watch.start_after(token)).await,
            None => timeout(SILENCE, watch).await,
        };
        opened.unwrap_or_else(|_elapsed| Err(silent()))
    }

    /// Rings what the stream brings, until it ends or breaks. Notes where it is.
    async fn hear(
        &self,
        stream: ChangeStream<ChangeStreamEvent<mongodb::bson::Document>>,
        token: &mut Option<ResumeToken>,
    ) -> Result<(), Error> {
        let mut stream = stream.with_type::<Change>();
        while stream.is_alive() {
            // An answer comes each second, if only to say that nothing happened.
            let change = timeout(SILENCE, stream.next_if_any())
                .await
                .unwrap_or_else(|_elapsed| Err(silent()))?;
            *token = stream.resume_token();
            if let Some(change) = change {
                if change.is_end() {
                    *token = None;
                    return Ok(());
                }
                for signal in change.signals() {
                    self.signals().ring(signal);
                }
            }
        }
        Ok(())
    }

    /// Sweeps the log, for ever.
    async fn sweep(&self) {
        let mut ticks = interval(SWEPT_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut until_all = 0_u32;
        loop {
            ticks.tick().await;
            let swept = if until_all == 0 {
                until_all = ALL_SWEPT_EVERY;
                match self.sweep_all().await {
                    Ok(()) => self.sweep_uploads().await.map(drop),
                    Err(failure) => Err(failure),
                }
            } else {
                self.sweep_released().await
            };
            until_all -= 1;
            if let Err(failure) = swept {
                tracing::debug!(%failure, "not all was swept; it is tried again");
            }
        }
    }
}

/// How long the server waits for something to tell.
const AWAIT: Duration = Duration::from_secs(1);
/// After this much of silence a stream is taken for broken: a server that hangs keeps its connections open.
const SILENCE: Duration = Duration::from_secs(10);
const SWEPT_EVERY: Duration = Duration::from_secs(1);
/// In sweeps.
const ALL_SWEPT_EVERY: u32 = 60;

fn silent() -> Error {
    mongodb::error::ErrorKind::from(std::io::ErrorKind::TimedOut).into()
}

/// A time without a change stream, told once.
#[derive(Debug, Default)]
struct Outage {
    tries: u32,
    told: bool,
}

impl Outage {
    fn begin(&mut self, error: Option<&Error>) {
        self.tries += 1;
        if !self.told {
            let error = error.map(|error| error.kind.to_string());
            tracing::warn!(
                error,
                "the change stream broke; until it is back, other nodes' changes are seen with a delay"
            );
            self.told = true;
        }
    }

    fn end(&mut self) {
        if self.told {
            tracing::info!("the change stream is back");
        }
        *self = Self::default();
    }

    fn pause(&self) -> Duration {
        Duration::from_millis(50 << self.tries.min(5))
    }
}
