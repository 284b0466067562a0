use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::stream;
use tokio::time::sleep;

use crate::{
    event::FinishReason,
    ports::{
        Model, ModelAnswer, ModelError, ModelErrorKind, ModelEvent, ModelEventKind, ModelRequest,
    },
};

/// A line of a script: what a model does next.
#[derive(Debug, Clone)]
pub enum Line {
    /// Says it.
    Say(ModelEventKind),
    /// Is silent for this long.
    Pause(Duration),
    /// Is silent for good.
    Hang,
    /// Fails. As the first line it refuses to answer at all.
    Fail(ModelErrorKind),
}

impl Line {
    /// Says a text.
    pub fn text(text: &str) -> Self {
        Self::Say(ModelEventKind::Text(text.to_owned()))
    }

    /// Is done.
    pub const fn stop() -> Self {
        Self::Say(ModelEventKind::Finished(FinishReason::Stop))
    }
}

/// A model that follows a script: one list of lines per request, the last list again and again.
#[derive(Debug, Default)]
pub struct ScriptedModel {
    scripts: Mutex<VecDeque<Vec<Line>>>,
    requests: Mutex<Vec<ModelRequest>>,
    open: Arc<AtomicUsize>,
}

impl ScriptedModel {
    /// A model that answers the first request with the first script, and so on.
    pub fn new(scripts: impl IntoIterator<Item = Vec<Line>>) -> Self {
        Self {
            scripts: Mutex::new(scripts.into_iter().collect()),
            ..Self::default()
        }
    }

    /// Adds a script behind the others.
    pub fn push(&self, script: Vec<Line>) {
        self.scripts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(script);
    }

    /// What it was asked so far.
    pub fn requests(&self) -> Vec<ModelRequest> {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many answers are being read.
    pub fn open_answers(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }
}

/// Counts an answer as open for as long as its reader holds it.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[async_trait]
impl Model for ScriptedModel {
    async fn answer(&self, request: ModelRequest) -> Result<ModelAnswer, ModelError> {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request);
        let mut script: VecDeque<Line> = {
            let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
            if scripts.len() > 1 {
                scripts.pop_front()
            } else {
                scripts.front().cloned()
            }
            .unwrap_or_default()
            .into()
        };
        self.open.fetch_add(1, Ordering::AcqRel);
        let open = Open(Arc::clone(&self.open));
        loop {
            match script.front() {
                Some(Line::Pause(time)) => sleep(*time).await,
                Some(Line::Hang) => std::future::pending().await,
                Some(Line::Fail(kind)) => return Err((*kind).into()),
                Some(Line::Say(_)) | None => break,
            }
            script.pop_front();
        }
        let events = stream::unfold((script, open), |(mut script, open)| async move {
            loop {
                match script.pop_front()? {
                    Line::Say(kind) => {
                        return Some((Ok(ModelEvent { kind, raw: None }), (script, open)));
                    }
                    Line::Pause(time) => sleep(time).await,
                    Line::Hang => std::future::pending().await,
                    Line::Fail(kind) => return Some((Err(kind.into()), (VecDeque::new(), open))),
                }
            }
        });
        Ok(ModelAnswer {
            upstream_id: None,
            model: Some("scripted".to_owned()),
            events: Box::pin(events),
        })
    }
}
