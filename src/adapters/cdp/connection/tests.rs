//! Tests of the connection. The test itself is the browser at the other end.

use std::time::Duration;

use serde_json::json;

use super::*;

/// Keeps the events.
#[derive(Default)]
struct Notebook {
    events: Mutex<Vec<String>>,
    gone: tokio::sync::Notify,
}

impl Listener for Notebook {
    fn event(&self, session: Option<&str>, method: &str, params: &RawValue) {
        let event = format!("{session:?} {method} {}", params.get().len());
        self.events.lock().expect("unpoisoned").push(event);
    }
    fn gone(&self) {
        self.gone.notify_one();
    }
}

fn start() -> (Arc<Connection>, Arc<Notebook>, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let (connection, notebook) = Connection::start(ours, |_| Arc::default());
    (connection, notebook, theirs)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

#[tokio::test]
async fn answers_reach_their_calls_in_any_order() {
    let (connection, notebook, mut browser) = start();
    let first = connection.call(None, "A.a", json!({}));
    let second = connection.call(None, "A.b", json!({}));
    let long = format!("{{\"method\":\"E.e\",\"params\":\"{}\"}}\0", "x".repeat(4 << 20));
    let said = [
        "not json\0{}\0{\"id\":99,\"result\":{}}\0",
        long.as_str(),
        "{\"id\":2,\"result\":{\"n\":\"\\ud800\\ud83d\\udc4d\"}}\0{\"id\":1,",
        "\"error\":{\"code\":-32000,\"message\":\"no\"}}\0",
    ];
    for part in said {
        browser.write_all(part.as_bytes()).await.expect("written");
    }
    let refused = first.by(soon()).await.expect_err("refused");
    let message = "no".to_owned();
    assert_eq!(refused, ConnectionError::Refused { code: -32000, message });
    let answer = second.by(soon()).await.expect("an answer");
    let text: serde_json::Value = serde_json::from_str(answer.get()).expect("readable");
    assert_eq!(text, json!({"n": "\u{fffd}👍"}));
    let events = notebook.events.lock().expect("unpoisoned").clone();
    assert_eq!(events, [format!("None E.e {}", (4 << 20) + 2)]);
}

#[tokio::test]
async fn a_call_that_was_given_up_is_not_pending() {
    let (connection, _notebook, _browser) = start();
    let call = connection.call(None, "A.a", json!({}));
    assert_eq!(connection.waiting(), 1);
    assert_eq!(call.by(Instant::now()).await.err(), Some(ConnectionError::Late));
    drop(connection.call(None, "A.b", json!({})));
    connection.post(None, "A.c", json!({}));
    assert_eq!(connection.waiting(), 0);
}

#[tokio::test]
async fn the_end_of_a_session_ends_its_calls_only() {
    let (connection, _notebook, _browser) = start();
    let unknown = connection.call(Some("s"), "A.a", json!({}));
    assert_eq!(unknown.by(soon()).await.err(), Some(ConnectionError::Closed));
    connection.attach("s");
    connection.attach("t");
    let crashed = connection.call(Some("s"), "A.a", json!({}));
    let closed = connection.call(Some("t"), "A.a", json!({}));
    let lives = connection.call(None, "A.a", json!({}));
    connection.crash("s");
    connection.detach("t");
    assert_eq!(crashed.by(soon()).await.err(), Some(ConnectionError::Crashed));
    assert_eq!(closed.by(soon()).await.err(), Some(ConnectionError::Closed));
    let again = connection.call(Some("s"), "A.a", json!({}));
    assert_eq!(again.by(soon()).await.err(), Some(ConnectionError::Crashed));
    assert_eq!(connection.waiting(), 1);
    drop(lives);
}

#[tokio::test]
async fn a_browser_that_hangs_up_is_gone() {
    let (connection, notebook, browser) = start();
    let call = connection.call(None, "A.a", json!({}));
    drop(browser);
    let gone = Some(ConnectionError::Gone("it closed the connection".to_owned()));
    assert_eq!(call.by(soon()).await.err(), gone);
    assert_eq!(connection.call(None, "A.a", json!({})).by(soon()).await.err(), gone);
    notebook.gone.notified().await;
    assert_eq!(connection.waiting(), 0);
}
