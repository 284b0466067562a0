//! Which model answers: what was asked for if it is known, else the default; and what it is offered.

mod aliases;
mod capabilities;

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use chat_core::run::LegSettings;
use llm_client::ChatCompletions;
use token_budget::{Budget, Encoding, ModelTable};
use tokio::time::{Duration, sleep};
use toolbox::{Origin, document_instructions, names, origin_hints};

use crate::config::ToolsConfig;

pub use aliases::{Alias, Aliases, InvalidAliases};
pub use capabilities::Capabilities;

/// The model of an OpenAI account when no other is named.
pub const OPENAI_DEFAULT: &str = "gpt-4o-mini";

/// How many model steps one answer may take (`docs/wire/ai-sdk.md` W8).
const MAX_STEPS: u32 = 5;

/// An upstream that did not list its models is asked again after this long.
const ASK_AGAIN: Duration = Duration::from_mins(1);

/// So many of an upstream's models are told to clients; some list everything that there is.
const MOST_TOLD: usize = 500;

/// The models that can answer.
pub struct Models {
    upstream: ChatCompletions,
    rules: ModelRules,
    /// What the upstream said that it has, in its order.
    listed: Mutex<Vec<String>>,
}

/// What an operator said about models.
#[derive(Debug, Default)]
pub struct ModelRules {
    /// What is known about their windows.
    pub table: ModelTable,
    /// The default model; without it the first that the upstream lists is.
    pub named: Option<String>,
    /// What every prompt begins with.
    pub system: Option<String>,
    /// What names stand for.
    pub aliases: Aliases,
    /// What they are offered.
    pub tools: ToolsConfig,
}

/// A model that a client may choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownModel {
    /// The name to ask for it by.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// A sentence about it; empty when there is none.
    pub description: String,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Whether it is one of its own, and not another's name for the default model that old clients ask for.
    pub is_choice: bool,
}

impl std::fmt::Debug for Models {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Models")
            .field("named", &self.rules.named)
            .finish_non_exhaustive()
    }
}

/// No model was named and the upstream could not be asked which it has.
#[derive(Debug, thiserror::Error)]
#[error("no model is known: the upstream does not list its models; set SKEIN_MODEL")]
pub struct NoModel;

impl Models {
    /// The models of this upstream.
    pub fn new(upstream: ChatCompletions, rules: ModelRules) -> Self {
        Self {
            upstream,
            rules,
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
                *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = list.ids;
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
        match &self.rules.named {
            Some(named) => Some(self.rules.behind(named)),
            None => self.listed(|all| all.first().cloned()),
        }
    }

    /// The window of a model, in tokens.
    pub fn window(&self, model: &str) -> u32 {
        self.rules.table.find(model).window
    }

    /// The encoding that messages to the default model are counted in.
    pub fn encoding(&self) -> Encoding {
        let default = self.default_model().unwrap_or_default();
        self.rules.table.find(&default).encoding
    }

    /// What a leg is resolved to for a client that asked for this model and is where `origin` says. An unknown name means
    /// the default.
    ///
    /// Errs while no default is known: none was named, and the upstream, asked once more, lists none.
    pub async fn resolve(
        &self,
        asked: Option<&str>,
        origin: &Origin,
    ) -> Result<LegSettings, NoModel> {
        if self.default_model().is_none() {
            self.refresh().await;
        }
        let default = self.default_model().ok_or(NoModel)?;
        let (model, capabilities) = self.listed(|all| self.rules.choose(asked, &default, all));
        Ok(self.rules.settings(model, capabilities, origin))
    }

    /// The models that a client may name, the default first, each once; those of an upstream that lists very many only in
    /// part.
    pub fn known(&self) -> Vec<KnownModel> {
        let default = self.default_model().unwrap_or_default();
        self.listed(|all| self.rules.known(&default, all))
    }

    fn listed<T>(&self, look: impl FnOnce(&[String]) -> T) -> T {
        look(&self.listed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ModelRules {
    /// The upstream's name for a model that the operator named, perhaps by an alias.
    fn behind(&self, named: &str) -> String {
        let alias = self.aliases.operators(named);
        alias
            .and_then(|alias| alias.model.clone())
            .unwrap_or_else(|| named.to_owned())
    }

    /// What the model that the upstream knows by this name can do.
    fn capabilities(&self, model: &str) -> Capabilities {
        let by_name = Capabilities::of(model);
        let own = self.aliases.operators(model);
        own.filter(|alias| alias.model.as_deref().is_none_or(|behind| behind == model))
            .map_or(by_name, |alias| alias.over(by_name))
    }

    /// The upstream's name of the model that is asked for, and what it can do.
    fn choose(
        &self,
        asked: Option<&str>,
        default: &str,
        listed: &[String],
    ) -> (String, Capabilities) {
        let is_listed = |name: &str| listed.iter().any(|one| one == name);
        let alias = asked.and_then(|asked| {
            let own = self.aliases.operators(asked).cloned();
            own.or_else(|| {
                (!is_listed(asked))
                    .then(|| Aliases::template(asked))
                    .flatten()
            })
        });
        let of_alias = alias.as_ref().and_then(|alias| alias.model.as_deref());
        let model = of_alias
            .or_else(|| asked.filter(|asked| is_listed(asked)))
            .unwrap_or(default);
        let behind = self.capabilities(model);
        let capabilities = alias.as_ref().map_or(behind, |alias| alias.over(behind));
        (model.to_owned(), capabilities)
    }

    fn settings(&self, model: String, capabilities: Capabilities, origin: &Origin) -> LegSettings {
        let limits = self.table.find(&model);
        let budget = Budget::for_model(&limits, None);
        let offered = |names: &[String]| {
            if capabilities.tools {
                names.to_vec()
            } else {
                Vec::new()
            }
        };
        let tools = offered(&self.tools.offered);
        let role = |named: &Option<String>| named.as_deref().map(|named| self.behind(named));
        LegSettings {
            window: budget.window,
            prompt_budget: budget.prompt,
            // Where nobody set a limit none is sent: upstreams have their own, and some refuse ours.
            max_output: None,
            encoding: limits.encoding.as_str().to_owned(),
            system: self.system_prompt(&tools, origin),
            consent: offered(&self.tools.consent),
            tools,
            artifact_model: role(&self.tools.artifact_model),
            title_model: role(&self.tools.title_model),
            max_steps: MAX_STEPS,
            model,
        }
    }

    /// The operator's words, then what goes with the tools, then what differs from request to request: upstreams keep the
    /// beginning of prompts that they saw before.
    fn system_prompt(&self, tools: &[String], origin: &Origin) -> Option<String> {
        let documents = tools
            .iter()
            .any(|name| name == names::CREATE_DOCUMENT)
            .then(|| document_instructions().to_owned());
        let parts = [self.system.clone(), documents, origin_hints(origin)];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join("\n\n"))
    }

    fn known(&self, default: &str, listed: &[String]) -> Vec<KnownModel> {
        let row = |id: &str, alias: Alias, is_choice| KnownModel {
            id: id.to_owned(),
            name: alias.name.unwrap_or_else(|| name_of(id)),
            description: alias.description.unwrap_or_default(),
            capabilities: self.choose(Some(id), default, listed).1,
            is_choice,
        };
        let of_operator = |id: &str| self.aliases.operators(id).cloned().unwrap_or_default();
        let own = Some(default)
            .filter(|default| !default.is_empty())
            .into_iter()
            .chain(self.aliases.of_operator().map(|(id, _)| id))
            .chain(listed.iter().take(MOST_TOLD).map(String::as_str))
            .map(|id| row(id, of_operator(id), true));
        let of_template = Aliases::of_template().map(|(id, alias)| {
            let description = Some("Another name for the default model.".to_owned());
            row(
                id,
                Alias {
                    description,
                    ..alias
                },
                false,
            )
        });
        let mut seen = BTreeSet::new();
        own.chain(of_template)
            .filter(|model| seen.insert(model.id.clone()))
            .collect()
    }
}

/// A name for people of one that is for machines.
fn name_of(id: &str) -> String {
    id.rsplit('/').next().unwrap_or(id).to_owned()
}

#[cfg(test)]
mod tests;
