//! Every row of the contract's tables of endpoints and errors, as data: who asks for what, and what the answer is.
//!
//! A row's path and body are templates. What stands in braces is made for the row alone when it is first named, as the
//! owner's unless it says otherwise; [`case`] has the names. To add a route, add its rows to a list in `table/` (a new list goes
//! into [`rows`]): one that succeeds for the owner, one without a token, and one for each way to be refused. A route
//! without them fails `every_route_has_its_rows`, and one with an id in it is tried on everybody by `ownership`.

mod case;
mod chats;
mod messages;
mod shapes;
mod things;

use std::collections::BTreeSet;

use serde_json::Value;

pub(crate) use case::{Answer, Case, SECRET_WORD, World};

use Who::{Nobody, Owner};

/// All rows.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    [chats::ROWS, messages::ROWS, things::ROWS]
        .into_iter()
        .flatten()
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// Whose things the row is about.
    Owner,
    /// Someone else who has signed up.
    Stranger,
    /// A guest.
    Guest,
    /// A guest who has sent as many messages as guests may.
    Spent,
    /// Someone without a token.
    Nobody,
}

/// One request and its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) who: Who,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) body: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) status: u16,
    /// The code of a refusal; empty for a success.
    pub(crate) code: &'static str,
    /// Looks at the answer's body and headers.
    pub(crate) shape: fn(&Answer),
}

/// Someone asks for a path. The answer is 200 unless the row goes on to say otherwise.
pub(crate) const fn row(
    what: &'static str,
    who: Who,
    method: &'static str,
    path: &'static str,
) -> Row {
    Row {
        what,
        who,
        method,
        path,
        body: "",
        content_type: "application/json",
        status: 200,
        code: "",
        shape: |_| {},
    }
}

impl Row {
    /// With this body.
    pub(crate) const fn body(self, body: &'static str) -> Self {
        Self { body, ..self }
    }

    /// With this content type instead of JSON's.
    pub(crate) const fn content_type(self, content_type: &'static str) -> Self {
        Self {
            content_type,
            ..self
        }
    }

    /// The answer looks like this.
    pub(crate) const fn shape(self, shape: fn(&Answer)) -> Self {
        Self { shape, ..self }
    }

    /// The answer has this status and is no refusal.
    pub(crate) const fn gives(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The answer is a refusal.
    pub(crate) const fn refused(self, status: u16, code: &'static str) -> Self {
        Self {
            status,
            code,
            ..self
        }
    }

    /// The route of the API's description that this is a request to.
    pub(crate) fn is_of(&self, method: &str, pattern: &str) -> bool {
        let path = self.path.split('?').next().unwrap();
        let is_place = |segment: &str| segment.starts_with('{');
        let same = |(one, other): (&str, &str)| one == other || is_place(other);
        self.method.eq_ignore_ascii_case(method)
            && path.split('/').count() == pattern.split('/').count()
            && path.split('/').zip(pattern.split('/')).all(same)
    }
}

/// The methods and paths of the API's description, with what it says about each.
pub(crate) fn described() -> Vec<(String, String, Value)> {
    let document: Value = serde_json::from_str(&server::openapi::json()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| {
            (method.to_uppercase(), path.clone(), operation.clone())
        })
    });
    operations.collect()
}

/// Routes that have tables of their own: signing in, and what is asked about the server.
fn is_elsewhere(path: &str) -> bool {
    path.starts_with("/api/auth/") || path.starts_with("/api/console/") || path == "/ready"
}

/// Routes that nobody needs a token for.
const OPEN: &[&str] = &["/health", "/api/models", "/api/files/blob/{id}/{name}"];

#[tokio::test]
async fn every_row_is_answered_as_the_contract_says() {
    let world = World::build().await;
    let mut wrong = Vec::new();
    for row in rows() {
        let case = Case::of(&world);
        let ask = case.request(row).await;
        let before = case.state().await;
        let answer = case.ask(row.who, ask).await;
        let told = format!("{} {}", answer.status, answer.code());
        if told.trim_end() != format!("{} {}", row.status, row.code).trim_end() {
            wrong.push(format!(
                "{}: {told} instead of {} {}",
                row.what, row.status, row.code
            ));
            continue;
        }
        if row.code.is_empty() {
            let shape = std::panic::AssertUnwindSafe(|| (row.shape)(&answer));
            if std::panic::catch_unwind(shape).is_err() {
                wrong.push(format!(
                    "{}: {:?} {}",
                    row.what, answer.headers, answer.text
                ));
            }
        } else {
            wrong.extend(
                shapes::faults_of_refusal(&answer)
                    .map(|fault| format!("{}: {fault}: {}", row.what, answer.text)),
            );
            let after = case.state().await;
            if after != before {
                wrong.push(format!(
                    "{}: changed what is stored\n{before:#}\n{after:#}",
                    row.what
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_route_has_its_rows() {
    let mut missing = BTreeSet::new();
    for (method, path, _) in described() {
        if is_elsewhere(&path) {
            continue;
        }
        let rows: Vec<&Row> = rows().filter(|row| row.is_of(&method, &path)).collect();
        let mut need = |what: &str, there: bool| {
            if !there {
                missing.insert(format!("{method} {path}: no row {what}"));
            }
        };
        if OPEN.contains(&path.as_str()) {
            need(
                "without a token",
                rows.iter().any(|row| row.who == Nobody && row.status < 300),
            );
        } else {
            need(
                "that succeeds",
                rows.iter().any(|row| row.who == Owner && row.status < 300),
            );
            need(
                "without a token",
                rows.iter()
                    .any(|row| row.who == Nobody && row.status == 401),
            );
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_row_is_of_a_route_and_is_named_once() {
    let routes = described();
    let mut names = BTreeSet::new();
    for row in rows() {
        assert!(names.insert(row.what), "{}: stands twice", row.what);
        let known = routes
            .iter()
            .any(|(method, path, _)| row.is_of(method, path));
        assert!(
            known,
            "{}: no route has {} {}",
            row.what, row.method, row.path
        );
    }
}
