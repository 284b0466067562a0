//! From an HTTP request to its response.

mod cache;
mod failure;
mod fnv;
mod image;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use self::cache::{PlanCache, PlanKey};
use self::failure::Problem;
use self::fnv::{fnv, fnv_of};
use crate::body::PacedBody;
use crate::compose::compose;
use crate::config::{Config, Pace};
use crate::demo::about_outputs;
use crate::directive;
use crate::frame::CREATED;
use crate::ledger::{Ledger, RecordedRequest, Ticket, lock};
use crate::plan::{self, End, Envelope, Plan};
use crate::request::ChatRequest;
use crate::scenario::{Ending, FailureKind, Say, Scenario};
use crate::title::title;
use crate::wishes;

/// The largest request body, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;
/// How many different keys of `times` are counted; the counts start anew beyond that.
const COUNTED_KEYS: usize = 4096;

/// The model names `/v1/models` lists. Any other name is answered too.
const MODELS: &[&str] = &[
    "demo",
    "mock-echo",
    "mock-tokens=200",
    "mock-reasoning",
    "mock-think",
    "mock-refusal",
    "mock-length",
    "mock-content_filter",
    "mock-azure",
    "mock-cut",
    "mock-silent",
    "mock-401",
    "mock-429,retry_after=1",
    "mock-500",
    "mock-503,html",
];

/// The body of every response.
pub(crate) type AnswerBody = Either<Full<Bytes>, PacedBody>;

/// The connection is to be closed without a response, as a scenario says.
#[derive(Debug, thiserror::Error)]
#[error("dropped, as the scenario says")]
pub(crate) struct Dropped;

/// What all connections of one server share.
#[derive(Debug)]
pub(crate) struct Responder {
    pub(crate) ledger: Arc<Ledger>,
    /// The scenarios of the next requests.
    pub(crate) script: Mutex<VecDeque<Scenario>>,
    pace: Pace,
    record: bool,
    fallback: Scenario,
    phrases: bool,
    attempts: Mutex<HashMap<u64, u32>>,
    plans: PlanCache,
}

/// What a request is answered with, once everything that has a say was heard.
struct Resolved {
    scenario: Scenario,
    /// The last user message without directives.
    text: String,
}

impl Responder {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            ledger: Arc::default(),
            script: Mutex::default(),
            pace: config.pace,
            record: config.record,
            fallback: config.fallback,
            phrases: config.phrases,
            attempts: Mutex::default(),
            plans: PlanCache::default(),
        }
    }

    /// Answers one request.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<AnswerBody>, Dropped> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        let get = parts.method == Method::GET;
        let post = parts.method == Method::POST;
        Ok(match path {
            "/v1/chat/completions" if post => return self.complete(&parts.headers, body).await,
            "/v1/images/generations" if post => return self.draw(&parts.headers, body).await,
            "/v1/models" if get => ok(&models()),
            "/__mock/stats" if get => ok(&self.ledger.report()),
            "/__mock/reset" if post => {
                self.reset();
                ok(&self.ledger.report())
            }
            "/v1/chat/completions"
            | "/v1/images/generations"
            | "/v1/models"
            | "/__mock/stats"
            | "/__mock/reset" => Problem::wrong_method(&parts.method, path).response(),
            _ => match path.strip_prefix("/v1/models/") {
                Some(name) if get && known(name) => ok(&model(name)),
                Some(name) if get => Problem::unknown_model(name).response(),
                Some(_) | None => Problem::unknown_path(&parts.method, path).response(),
            },
        })
    }

    pub(crate) fn reset(&self) {
        self.ledger.reset();
        lock(&self.script).clear();
        lock(&self.attempts).clear();
    }

    async fn complete<B>(
        &self,
        headers: &HeaderMap,
        body: B,
    ) -> Result<Response<AnswerBody>, Dropped>
    where
        B: Body + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        B::Data: Send,
    {
        let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
            return Ok(Problem::too_large().response());
        };
        let body = body.to_bytes();
        if self.record {
            self.ledger.record(recorded(headers, &body));
        }
        let mut ticket = Ticket::open(&self.ledger);
        let prepared = ChatRequest::parse(&body).and_then(|request| {
            let resolved = self.resolve(&request)?;
            failure::check(&resolved.scenario, &request, &body)?;
            Ok((request, resolved))
        });
        let (request, Resolved { scenario, text }) = match prepared {
            Ok(prepared) => prepared,
            Err(problem) => {
                ticket.fail();
                return Ok(problem.response());
            }
        };
        if let Some(failure) = &scenario.failure {
            tokio::time::sleep(scenario.first).await;
            match failure.kind {
                FailureKind::Status(status) => {
                    ticket.fail();
                    return Ok(failure::refuse(failure, status));
                }
                FailureKind::Drop => {
                    ticket.cut();
                    return Err(Dropped);
                }
                // The ticket is held: when the client hangs up, hyper drops this future.
                FailureKind::Silent => std::future::pending::<()>().await,
            }
        }
        if request.streams() {
            let plan = self.stream_plan(&scenario, &request, &text, &body);
            return Ok(streamed(PacedBody::new(plan, ticket)));
        }
        let answer = compose(&scenario, &request, &text);
        let id = answer_id(fnv(&body));
        let (plan, takes) = plan::whole(&scenario, &answer, &self.envelope(&id, &request));
        match scenario.ending {
            Ending::SilentAfter(_) => std::future::pending::<()>().await,
            Ending::ErrorAfter(_) => {
                ticket.fail();
                return Ok(Problem::server_error().response());
            }
            Ending::Done | Ending::WithoutDone | Ending::WithoutFinish | Ending::CutAfter(_) => {}
        }
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
        Ok(whole(plan, ticket))
    }

    /// Makes an image, always the same, unless the description has directives that say otherwise.
    async fn draw<B>(&self, headers: &HeaderMap, body: B) -> Result<Response<AnswerBody>, Dropped>
    where
        B: Body + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        B::Data: Send,
    {
        let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
            return Ok(Problem::too_large().response());
        };
        let body = body.to_bytes();
        if self.record {
            self.ledger.record(recorded(headers, &body));
        }
        let mut ticket = Ticket::open(&self.ledger);
        let prepared = image::as_chat(&body).and_then(|request| {
            let resolved = self.resolve(&request)?;
            failure::check(&resolved.scenario, &request, &body)?;
            Ok(resolved.scenario)
        });
        let scenario = match prepared {
            Ok(scenario) => scenario,
            Err(problem) => {
                ticket.fail();
                return Ok(problem.response());
            }
        };
        tokio::time::sleep(scenario.first).await;
        if let Some(failure) = &scenario.failure {
            match failure.kind {
                FailureKind::Status(status) => {
                    ticket.fail();
                    return Ok(failure::refuse(failure, status));
                }
                FailureKind::Drop => {
                    ticket.cut();
                    return Err(Dropped);
                }
                FailureKind::Silent => std::future::pending::<()>().await,
            }
        }
        ticket.complete();
        Ok(ok(&image::answer()))
    }

    /// Hears the script, or else the server's settings, the model's name and the directives, in that order.
    fn resolve(&self, request: &ChatRequest) -> Result<Resolved, Problem> {
        let title_wanted = request.asks_for_title();
        let (items, text) = directive::extract(request.last_user())?;
        let pushed = if title_wanted {
            None
        } else {
            lock(&self.script).pop_front()
        };
        if let Some(scenario) = pushed {
            return Ok(Resolved { scenario, text });
        }
        let mut scenario = self.fallback.clone();
        let name = request.model.as_deref().unwrap_or_default();
        if let Some(words) = name.strip_prefix("mock-") {
            let words = directive::items(words)
                .and_then(|items| directive::apply_all(&mut scenario, &items, false));
            words.map_err(|_error| Problem::unknown_model(name))?;
        }
        if title_wanted {
            scenario.say = Say::Text(title(&text));
            scenario.tool_calls.clear();
        }
        directive::apply_all(&mut scenario, &items, title_wanted)?;
        if self.phrases && scenario.say == Say::Demo && scenario.tool_calls.is_empty() {
            wishes::hear(&mut scenario, request, &text);
        }
        settle_tools(&mut scenario, request);
        self.count_attempt(&mut scenario, request);
        Ok(Resolved { scenario, text })
    }

    /// Lets a failure pass once it held for as many requests as it should.
    fn count_attempt(&self, scenario: &mut Scenario, request: &ChatRequest) {
        let Some(times) = scenario.times else { return };
        let model = request.model.as_deref().unwrap_or_default();
        let key = match &scenario.key {
            Some(key) => fnv(key.as_bytes()),
            None => fnv(format!("{model}\n{}", request.last_user()).as_bytes()),
        };
        let mut attempts = lock(&self.attempts);
        if attempts.len() >= COUNTED_KEYS && !attempts.contains_key(&key) {
            attempts.clear();
        }
        let made = attempts.entry(key).or_default();
        if *made >= times {
            scenario.failure = None;
            scenario.ending = Ending::Done;
            scenario.rejects.clear();
        } else {
            *made += 1;
        }
    }

    fn stream_plan(
        &self,
        scenario: &Scenario,
        request: &ChatRequest,
        text: &str,
        body: &[u8],
    ) -> Arc<Plan> {
        let make = |hash: u64| {
            let id = answer_id(hash);
            plan::stream(
                scenario,
                &compose(scenario, request, text),
                &self.envelope(&id, request),
            )
        };
        match PlanKey::of(scenario, request) {
            Some(key) => self.plans.get_or_make(key, |key| make(fnv_of(key))),
            None => Arc::new(make(fnv(body))),
        }
    }

    fn envelope<'a>(&self, id: &'a str, request: &'a ChatRequest) -> Envelope<'a> {
        Envelope {
            id,
            model: request.model.as_deref().unwrap_or_default(),
            prompt_tokens: request.prompt_tokens(),
            wants_usage: request.wants_usage(),
            pace: self.pace,
        }
    }
}

/// Turns calls into a text about their outputs once there were enough of them.
fn settle_tools(scenario: &mut Scenario, request: &ChatRequest) {
    let outputs = request.tool_outputs();
    if !scenario.tool_calls.is_empty()
        && !outputs.is_empty()
        && request.tool_rounds() >= scenario.tool_rounds.max(1)
    {
        scenario.tool_calls.clear();
        scenario.say = Say::Text(about_outputs(&outputs));
    }
}

fn streamed(body: PacedBody) -> Response<AnswerBody> {
    let mut response = Response::new(Either::Right(body));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn whole(plan: Plan, mut ticket: Ticket) -> Response<AnswerBody> {
    // A cut body promises more bytes than it has.
    let missing = usize::from(plan.end == End::Cut);
    let length = HeaderValue::from(plan.bytes.len() + missing);
    let body = if plan.end == End::Complete {
        ticket.complete();
        Either::Left(Full::new(plan.bytes))
    } else {
        Either::Right(PacedBody::new(Arc::new(plan), ticket))
    };
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

fn ok(body: &Value) -> Response<AnswerBody> {
    json_response(StatusCode::OK, body)
}

fn json_response(status: StatusCode, body: &Value) -> Response<AnswerBody> {
    let mut response = Response::new(Either::Left(Full::new(Bytes::from(body.to_string()))));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn models() -> Value {
    let data: Vec<Value> = MODELS.iter().map(|name| model(name)).collect();
    json!({"object": "list", "data": data})
}

fn model(name: &str) -> Value {
    json!({"id": name, "object": "model", "created": CREATED, "owned_by": "mock-llm"})
}

/// Whether a completion with this model would be answered.
fn known(name: &str) -> bool {
    match name.strip_prefix("mock-") {
        Some(words) => words.parse::<Scenario>().is_ok(),
        None => true,
    }
}

fn recorded(headers: &HeaderMap, body: &[u8]) -> RecordedRequest {
    let text = |value: &HeaderValue| value.to_str().map(str::to_owned).ok();
    RecordedRequest {
        headers: headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?)))
            .collect(),
        body: serde_json::from_slice(body)
            .unwrap_or_else(|_not_json| Value::String(String::from_utf8_lossy(body).into_owned())),
    }
}

fn answer_id(hash: u64) -> String {
    format!("chatcmpl-{hash:016x}")
}
