use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{asking, send, server, streamed};
use crate::ledger::HangUp;
use crate::server::MockLlm;

const LONG: Duration = Duration::from_secs(10);
/// How soon a hang-up has to be noticed: 50 ms are wanted, and a machine that is busy with other tests gets tenfold.
const SOON: Duration = Duration::from_millis(500);

/// Sends a request by hand, so that the socket can be treated as a client never would.
async fn open(server: &MockLlm, text: &str, stream: bool) -> TcpStream {
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    let body = asking(text, stream).to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: mock\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket
}

/// Reads until `text` was seen.
async fn read_until(socket: &mut TcpStream, text: &str) {
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(text) {
        assert_ne!(
            socket.read_buf(&mut seen).await.unwrap(),
            0,
            "closed before {text}"
        );
    }
}

/// Waits for the only hang-up and tells how long after `since` it was noticed.
async fn noticed(server: &MockLlm, since: Instant) -> (HangUp, Duration) {
    let stats = server
        .wait_for(|stats| stats.hung_up == 1, LONG)
        .await
        .unwrap();
    assert_eq!((stats.open_streams, stats.completed, stats.cut), (0, 0, 0));
    let after = stats.hang_ups[0].at.duration_since(since);
    println!("the hang-up was noticed after {after:?}");
    (stats.hang_ups[0], after)
}

#[tokio::test]
async fn notices_a_hang_up_during_a_long_pause() {
    let server = server();
    let mut socket = open(&server, "[[mock: tokens=5 pace_ms=10000]]", true).await;
    read_until(&mut socket, "tok0").await;
    assert_eq!(
        (server.stats().open_streams, server.stats().open_connections),
        (1, 1)
    );
    let since = Instant::now();
    drop(socket);
    let (hang_up, after) = noticed(&server, since).await;
    assert!(after < SOON, "{after:?}");
    assert_eq!(hang_up.request, 1);
    assert!(hang_up.sent_bytes > 0);
    server
        .wait_for(|stats| stats.open_connections == 0, LONG)
        .await
        .unwrap();
    let report = send(&server, "GET", "/__mock/stats", String::new())
        .await
        .unwrap()
        .json();
    assert_eq!(report["hung_up"], 1);
    assert!(report["hang_ups"][0]["ms_ago"].is_u64(), "{report}");
}

#[tokio::test]
async fn notices_a_client_that_only_stops_sending() {
    let server = server();
    let mut socket = open(&server, "[[mock: tokens=5 pace_ms=10000]]", true).await;
    read_until(&mut socket, "tok0").await;
    let since = Instant::now();
    socket.shutdown().await.unwrap();
    let (_, after) = noticed(&server, since).await;
    assert!(after < SOON, "{after:?}");
}

#[tokio::test]
async fn notices_a_hang_up_while_it_is_silent() {
    for (text, stream, seen) in [
        ("[[mock: silent]]", true, None),
        ("[[mock: tokens=3 silent_after=2]]", true, Some("tok1")),
        ("[[mock: tokens=3 silent_after=0]]", true, Some("200 OK")),
        ("[[mock: tokens=3 silent_after=2]]", false, None),
        ("[[mock: tokens=3 pace_ms=10000]]", false, None),
        ("[[mock: status=500 first_ms=10000]]", false, None),
    ] {
        let server = server();
        let mut socket = open(&server, text, stream).await;
        match seen {
            Some(seen) => read_until(&mut socket, seen).await,
            None => drop(
                server
                    .wait_for(|stats| stats.open_streams == 1, LONG)
                    .await
                    .unwrap(),
            ),
        }
        let since = Instant::now();
        drop(socket);
        let (_, after) = noticed(&server, since).await;
        assert!(after < SOON, "{text}: {after:?}");
    }
}

#[tokio::test]
async fn sends_comments_while_it_is_silent() {
    let server = server();
    let mut socket = open(
        &server,
        "[[mock: tokens=3 silent_after=1 keep_alive_ms=5]]",
        true,
    )
    .await;
    read_until(&mut socket, "tok0").await;
    read_until(&mut socket, ": keep-alive").await;
    read_until(&mut socket, ": keep-alive").await;
}

#[tokio::test]
async fn counts_an_answer_read_to_its_end_as_completed() {
    let server = server();
    streamed(&server, "[[mock: tokens=5 pace_ms=1]]").await;
    streamed(&server, "[[mock: tokens=5]]").await;
    super::whole(&server, "[[mock: tokens=5]]").await;
    let stats = server
        .wait_for(|stats| stats.open_connections == 0, LONG)
        .await
        .unwrap();
    assert_eq!(
        (
            stats.requests,
            stats.completed,
            stats.hung_up,
            stats.connections
        ),
        (3, 3, 0, 3)
    );
}

#[tokio::test]
async fn serves_many_paused_streams_at_once() {
    let server = server();
    let mut sockets = Vec::new();
    for _ in 0..100 {
        sockets.push(open(&server, "[[mock: tokens=5 pace_ms=10000]]", true).await);
    }
    server
        .wait_for(|stats| stats.open_streams == 100, LONG)
        .await
        .unwrap();
    drop(sockets);
    let stats = server
        .wait_for(|stats| stats.hung_up == 100, LONG)
        .await
        .unwrap();
    assert_eq!(stats.hang_ups.len(), 64);
    let report: Value = send(&server, "POST", "/__mock/reset", String::new())
        .await
        .unwrap()
        .json();
    assert_eq!(
        (&report["hung_up"], &report["requests"]),
        (&Value::from(0), &Value::from(0))
    );
}

#[tokio::test]
async fn closes_open_answers_when_it_is_dropped() {
    let server = server();
    let mut socket = open(&server, "[[mock: tokens=5 pace_ms=10000]]", true).await;
    read_until(&mut socket, "tok0").await;
    server.shutdown();
    // A reset is as good an end as an orderly close.
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest).await;
    assert!(!String::from_utf8_lossy(&rest).contains("[DONE]"));
}
