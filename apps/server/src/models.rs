//! Which model answers: what was asked for if the upstream has it, else the default.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use chat_core::run::LegSettings;
use llm_client::ChatCompletions;
use token_budget::{Budget, Encoding, ModelTable};
use tokio::time::{Duration, sleep};

/// The model of an OpenAI account when no other is named.
pub const OPENAI_DEFAULT: &str = "gpt-4o-mini";

/// How many model steps one answer may take (`docs/wire/ai-sdk.md` W8).
const MAX_STEPS: u32 = 5;

/// An upstream that did not list its models is asked again after this long.
const ASK_AGAIN: Duration = Duration::from_mins(1);

/// The models that can answer.
pub struct Models {
    upstream: ChatCompletions,
    table: ModelTable,
    /// What the operator named.
    named: Option<String>,
    system: Option<String>,
    listed: Mutex<Listed>,
}

/// What the upstream said that it has.
#[derive(Debug, Default)]
struct Listed {
    first: Option<String>,
    all: BTreeSet<String>,
}

impl std::fmt::Debug for Models {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Models")
            .field("named", &self.named)
            .finish_non_exhaustive()
    }
}

/// No model was named and the upstream could not be asked which it has.
#[derive(Debug, thiserror::Error)]
#[error("no model is known: the upstream does not list its models; set SKEIN_MODEL")]
pub struct NoModel;

impl Models {
    /// The models of this upstream. `named` is the default; without it the first that the upstream lists is.
    pub fn new(
        upstream: ChatCompletions,
        table: ModelTable,
        named: Option<String>,
        system: Option<String>,
    ) -> Self {
        Self {
            upstream,
            table,
            named,
            system,
            listed: Mutex::default(),
        }
    }

    /// Asks the upstream what it has, again and again until it says.
    pub async fn refresh_until_listed(&self) {
        while !self.refresh().await {
            sleep(ASK_AGAIN).await;
        }
    }

    /// Asks the upstream what it has, and says whether it told. A failure is logged and changes nothing.
    pub async fn refresh(&self) -> bool {
        match self.upstream.list_models().await {
            Ok(list) => {
                let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
                listed.first = list.ids.first().cloned();
                listed.all = list.ids.into_iter().collect();
                true
            }
            Err(error) => {
                tracing::info!(
                    error = &error as &dyn std::error::Error,
                    "the upstream does not list its models"
                );
                false
            }
        }
    }

    /// The name of the default model, as far as it is known now.
    pub fn default_model(&self) -> Option<String> {
        self.named.clone().or_else(|| {
            self.listed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .first
                .clone()
        })
    }

    /// The window of a model, in tokens.
    pub fn window(&self, model: &str) -> u32 {
        self.table.find(model).window
    }

    /// The encoding that messages to the default model are counted in.
    pub fn encoding(&self) -> Encoding {
        self.table
            .find(&self.default_model().unwrap_or_default())
            .encoding
    }

    /// What a leg is resolved to for a client that asked for this model. An unknown name means the default.
    ///
    /// Errs while no default is known: none was named, and the upstream, asked once more, lists none.
    pub async fn resolve(&self, asked: Option<&str>) -> Result<LegSettings, NoModel> {
        if self.default_model().is_none() {
            self.refresh().await;
        }
        let default = self.default_model().ok_or(NoModel)?;
        let known = |name: &&str| {
            self.listed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .all
                .contains(*name)
        };
        let model = asked.filter(known).map_or(default, str::to_owned);
        let limits = self.table.find(&model);
        let budget = Budget::for_model(&limits, None);
        Ok(LegSettings {
            model,
            window: budget.window,
            prompt_budget: budget.prompt,
            // Where nobody set a limit none is sent: upstreams have their own, and some refuse ours.
            max_output: None,
            encoding: limits.encoding.as_str().to_owned(),
            system: self.system.clone(),
            tools: Vec::new(),
            consent: Vec::new(),
            artifact_model: None,
            title_model: None,
            max_steps: MAX_STEPS,
        })
    }
}
