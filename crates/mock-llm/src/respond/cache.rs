//! Plans that many requests share, so that a benchmark's request costs no serialisation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::ledger::lock;
use crate::plan::Plan;
use crate::request::ChatRequest;
use crate::scenario::{Say, Scenario};

/// How many plans are kept.
const PLANS: usize = 64;
/// Answers with more tokens than this are planned anew each time, so that the cache stays small.
const TOKENS: usize = 10_000;

/// The plans of the last different requests.
#[derive(Debug, Default)]
pub(crate) struct PlanCache(Mutex<HashMap<PlanKey, Arc<Plan>>>);

/// All that a shared plan depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PlanKey {
    scenario: Scenario,
    model: String,
    prompt_tokens: u64,
    wants_usage: bool,
    limit: Option<usize>,
}

impl PlanKey {
    /// The key of an answer of numbered tokens; `None` when the answer depends on more than a key holds.
    ///
    /// Calls are not shared: their ids have to differ from one request of a conversation to the next.
    pub(crate) fn of(scenario: &Scenario, request: &ChatRequest) -> Option<Self> {
        let counted = |say: &Say| matches!(say, Say::Tokens(count) if *count <= TOKENS);
        let shared = counted(&scenario.say)
            && scenario
                .reasoning
                .as_ref()
                .is_none_or(|reasoning| counted(&reasoning.say))
            && scenario.tool_calls.is_empty()
            && scenario.frames.huge_line_bytes.is_none();
        shared.then(|| Self {
            scenario: scenario.clone(),
            model: request.model.clone().unwrap_or_default(),
            prompt_tokens: request.prompt_tokens(),
            wants_usage: request.wants_usage(),
            limit: request.limit(),
        })
    }
}

impl PlanCache {
    /// The plan of `key`, made by `make` when there is none yet.
    pub(crate) fn get_or_make(
        &self,
        key: PlanKey,
        make: impl FnOnce(&PlanKey) -> Plan,
    ) -> Arc<Plan> {
        let mut plans = lock(&self.0);
        if let Some(plan) = plans.get(&key) {
            return Arc::clone(plan);
        }
        let plan = Arc::new(make(&key));
        if plans.len() >= PLANS {
            plans.clear();
        }
        plans.insert(key, Arc::clone(&plan));
        plan
    }
}
