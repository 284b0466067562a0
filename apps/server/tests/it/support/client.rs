use std::net::SocketAddr;

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use super::{EventStream, Replay, SOON, install_tls, new_id};

/// A request, before it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, Vec<u8>)>,
    pub(crate) body: Option<Vec<u8>>,
}

impl Ask {
    pub(crate) fn new(method: &str, path: impl Into<String>) -> Self {
        Self {
            method: method.parse().unwrap(),
            path: path.into(),
            headers: Vec::new(),
            body: None,
        }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    pub(crate) fn post(path: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: Some(body.into()),
            ..Self::new("POST", path)
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub(crate) async fn send(self, to: SocketAddr) -> Response {
        let mut request = http().request(self.method, format!("http://{to}{}", self.path));
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = self.body {
            request = request.body(body);
        }
        request.send().await.unwrap()
    }
}

/// A client that keeps no connection for later, so that a server that ends has none to wait for.
fn http() -> Client {
    install_tls();
    Client::builder()
        .pool_max_idle_per_host(0)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(4 * SOON)
        .build()
        .unwrap()
}

/// Someone with a token.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) server: SocketAddr,
    pub(crate) id: String,
    pub(crate) token: String,
}

impl Person {
    /// A new guest of this server.
    pub(crate) async fn guest(server: SocketAddr) -> Self {
        let answer = Ask::post("/api/auth/guest", "").send(server).await;
        assert_eq!(answer.status(), 200);
        let answer: Value = answer.json().await.unwrap();
        Self {
            server,
            id: text(&answer["user"]["id"]),
            token: text(&answer["access_token"]),
        }
    }

    /// Someone who signs up with this e-mail address.
    pub(crate) async fn user(server: SocketAddr, email: &str) -> Self {
        let body = json!({"email": email, "password": "a password of the tests"});
        let answer = Ask::post("/api/auth/register", body.to_string())
            .header("content-type", "application/json")
            .send(server)
            .await;
        assert_eq!(answer.status(), 200);
        let answer: Value = answer.json().await.unwrap();
        Self {
            server,
            id: text(&answer["user"]["id"]),
            token: text(&answer["access_token"]),
        }
    }

    /// The same person at another address.
    pub(crate) fn at(&self, server: SocketAddr) -> Self {
        Self {
            server,
            ..self.clone()
        }
    }

    pub(crate) async fn ask(&self, ask: Ask) -> Response {
        ask.token(&self.token).send(self.server).await
    }

    /// What a GET answers, which must be 200.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.ask(Ask::get(path)).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    /// Sends a text under a new id.
    pub(crate) async fn say(&self, chat: &str, text: &str) -> EventStream {
        self.say_as(chat, &new_id(), text).await
    }

    /// Sends a text under this id.
    pub(crate) async fn say_as(&self, chat: &str, message: &str, text: &str) -> EventStream {
        let body = send_body(chat, message, text);
        EventStream::new(self.ask(Ask::post("/api/chat", body.to_string())).await)
    }

    /// Sends a text and reads its answer to the end.
    pub(crate) async fn talk(&self, chat: &str, text: &str) -> Replay {
        self.say(chat, text).await.finish().await
    }

    /// The stream of the newest answer, after this frame.
    pub(crate) async fn resume(&self, chat: &str, seen: Option<u64>) -> Response {
        let mut ask = Ask::get(format!("/api/chat/{chat}/stream"));
        if let Some(seen) = seen {
            ask = ask.header("last-event-id", seen.to_string());
        }
        self.ask(ask).await
    }

    /// The same, read to its end.
    pub(crate) async fn replay(&self, chat: &str, seen: Option<u64>) -> Replay {
        EventStream::new(self.resume(chat, seen).await)
            .finish()
            .await
    }

    /// Stops the chat's answer and says whether there was one.
    pub(crate) async fn stop(&self, chat: &str) -> bool {
        let answer = self
            .ask(Ask::new("POST", format!("/api/chat/{chat}/stop")))
            .await;
        assert_eq!(answer.status(), 200);
        let answer: Value = answer.json().await.unwrap();
        answer["stopped"].as_bool().unwrap()
    }

    /// The chat's messages.
    pub(crate) async fn messages(&self, chat: &str) -> Vec<Value> {
        let answer = self.get(&format!("/api/messages?chatId={chat}")).await;
        answer["messages"].as_array().unwrap().clone()
    }

    /// The person's chats, newest first.
    pub(crate) async fn chats(&self) -> Vec<Value> {
        let answer = self.get("/api/history").await;
        answer["chats"].as_array().unwrap().clone()
    }
}

/// The body of a send.
pub(crate) fn send_body(chat: &str, message: &str, text: &str) -> Value {
    json!({
        "id": chat,
        "message": {"id": message, "role": "user", "parts": [{"type": "text", "text": text}]},
    })
}

/// The texts of a stored message's parts.
pub(crate) fn answer_text(message: &Value) -> String {
    let parts = message["parts"].as_array().unwrap().iter();
    parts
        .filter(|part| part["type"] == "text")
        .map(|part| text(&part["text"]))
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
