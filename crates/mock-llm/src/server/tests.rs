mod answers;
mod failures;
mod hang_ups;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::HeaderMap;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::MockLlm;
use crate::config::Config;

/// A response as far as it came.
struct Got {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    /// The sizes of the pieces the body came in.
    pieces: Vec<usize>,
    /// Whether the body ended as HTTP wants it.
    ended: bool,
}

impl Got {
    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The `data:` lines, whatever the line ends.
    fn data(&self) -> Vec<String> {
        let text = self.text().replace("\r\n", "\n").replace('\r', "\n");
        let lines = text.lines().filter_map(|line| line.strip_prefix("data:"));
        lines.map(|data| data.trim_start().to_owned()).collect()
    }

    /// The frames that are JSON.
    fn frames(&self) -> Vec<Value> {
        self.data()
            .iter()
            .filter_map(|data| serde_json::from_str(data).ok())
            .collect()
    }

    /// All texts at `field` of the deltas, put together.
    fn said(&self, field: &str) -> String {
        let frames = self.frames();
        frames
            .iter()
            .filter_map(|frame| frame["choices"][0]["delta"][field].as_str())
            .collect()
    }

    fn finish(&self) -> Option<String> {
        let frames = self.frames();
        frames
            .iter()
            .find_map(|frame| Some(frame["choices"][0]["finish_reason"].as_str()?.to_owned()))
    }

    fn is_done(&self) -> bool {
        self.data().last().is_some_and(|data| data == "[DONE]")
    }
}

fn server() -> MockLlm {
    MockLlm::start(Config::default()).unwrap()
}

/// Sends one request; an error when the connection closed without a response.
async fn send(
    server: &MockLlm,
    method: &str,
    path: &str,
    body: String,
) -> Result<Got, hyper::Error> {
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "mock");
        let request = request
            .header("authorization", "Bearer any")
            .body(Full::new(Bytes::from(body)));
        let response = sender.send_request(request.unwrap()).await?;
        let (parts, mut incoming) = response.into_parts();
        let (mut body, mut pieces, mut ended) = (Vec::new(), Vec::new(), true);
        while let Some(frame) = incoming.frame().await {
            match frame {
                Ok(frame) => {
                    let data = frame.into_data().unwrap();
                    pieces.push(data.len());
                    body.extend_from_slice(&data);
                }
                Err(_) => ended = false,
            }
        }
        drop(sender);
        Ok(Got {
            status: parts.status,
            headers: parts.headers,
            body,
            pieces,
            ended,
        })
    };
    let (got, _) = tokio::join!(exchange, connection);
    got
}

async fn chat(server: &MockLlm, body: Value) -> Got {
    send(server, "POST", "/v1/chat/completions", body.to_string())
        .await
        .unwrap()
}

fn asking(text: &str, stream: bool) -> Value {
    json!({"model": "demo", "stream": stream, "messages": [{"role": "user", "content": text}]})
}

/// The streamed answer to one user message.
async fn streamed(server: &MockLlm, text: &str) -> Got {
    chat(server, asking(text, true)).await
}

/// The whole answer to one user message.
async fn whole(server: &MockLlm, text: &str) -> Got {
    chat(server, asking(text, false)).await
}
