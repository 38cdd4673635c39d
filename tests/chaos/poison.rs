//! Bodies that are no jobs, made out of one that is: each is answered and kept with its reason, and stops nobody.

use seatwright::{
    adapters::amqp::DeadLetters,
    contract::{Code, Outcome},
};
use serde_json::{Value, json};

use crate::{
    kill::more_results,
    servers::{
        VirtualHost,
        corridor::{Lane, Terms, Worker, job},
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn chaos_fifty_kinds_of_poison_stop_nobody() {
    let broker = VirtualHost::take();
    let lane = Lane::new(&broker.url, "poison", Terms::default()).await;
    let mut client = lane.client().await;
    let mut worker = Worker::start_with(&lane.config, &[("SEATWRIGHT_TEST_BROWSER", "text")]);
    worker.says("taking jobs");
    let poison = poison();
    assert!(poison.len() >= 50, "{} kinds", poison.len());
    for (number, (name, body)) in poison.iter().enumerate() {
        let (bad, good) = (format!("bad-{number}"), format!("good-{number}"));
        client.publish("poison", "user.create", &bad, body).await.expect("it is stored");
        lane.publish(&client, &good, "connection.test", json!({})).await;
        let mut told = Vec::new();
        // The answer to what has no id is correlated with the message it came in.
        while told.len() < 2 {
            told.extend(results_of_any(&mut client).await);
        }
        let refused =
            told.iter().find(|result| result.job != good).unwrap_or_else(|| panic!("{name}: no answer"));
        let error = refused.error.clone().unwrap_or_else(|| panic!("{name}: {:?}", refused.outcome));
        assert_eq!((refused.outcome, error.code), (Outcome::Rejected, Code::InvalidJob), "{name}: {error}");
        assert!(error.message.len() > 10, "{name}: {error}");
        let done = told.iter().find(|result| result.job == good).expect("the good one");
        assert_eq!(done.outcome, Outcome::Succeeded, "after {name}: {:?}", done.error);
    }
    let dead = DeadLetters::read(&broker.url, 200).await.expect("the dead letters can be read");
    let letters: Vec<_> = dead.letters().collect();
    assert_eq!(letters.len(), poison.len(), "each is kept");
    assert!(
        letters.iter().all(|letter| letter.reason.len() > 10 && letter.lane.as_deref() == Some("poison"))
    );
    let kept: String = letters
        .iter()
        .filter_map(|letter| letter.body.as_ref())
        .map(|body| String::from_utf8_lossy(body).into_owned())
        .collect();
    assert!(!kept.contains("hunter2"), "a secret was kept");
    dead.close().await;
    worker.stop();
    assert_eq!(more_results(&mut client).await, [], "an answer too many");
}

async fn results_of_any(
    client: &mut seatwright::adapters::amqp::Client,
) -> Option<seatwright::contract::JobResult> {
    match client.next().await.expect("the broker stays") {
        seatwright::adapters::amqp::GatewayMessage::Result(result) => Some(*result),
        _ => None,
    }
}

/// Name and body.
fn poison() -> Vec<(String, Vec<u8>)> {
    let user =
        json!({ "userName": "ada@acme.example", "name": { "givenName": "Ada", "familyName": "Byron" } });
    let good = job("poison", "user.create", json!({ "user": user }));
    let text = String::from_utf8(good.clone()).expect("JSON");
    let value: Value = serde_json::from_slice(&good).expect("JSON");
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    // Cut off, at many places.
    for part in 1..8 {
        all.push((format!("cut after {part}/8"), good[..good.len() * part / 8].to_vec()));
    }
    for (name, bytes) in [
        ("nothing", Vec::new()),
        ("null", b"null".to_vec()),
        ("a number", b"42".to_vec()),
        ("a text", b"\"job\"".to_vec()),
        ("a list", format!("[{text}]").into_bytes()),
        ("two jobs", format!("{text}{text}").into_bytes()),
        (
            "a byte that is no UTF-8",
            text.replace("Ada", "A\u{1}")
                .into_bytes()
                .into_iter()
                .map(|b| if b == 1 { 0xff } else { b })
                .collect(),
        ),
        ("UTF-16", text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("a byte order mark", format!("\u{feff}{text}").into_bytes()),
        ("a control character", text.replace("Byron", "By\nron").into_bytes()),
        ("XML", b"<job id='1'/>".to_vec()),
        ("YAML", b"id: 1\napp: ledgerly\n".to_vec()),
        ("a thousand brackets", [vec![b'['; 1000], vec![b']'; 1000]].concat()),
        ("a comma at the end", text.replace("}}}", "},}}").into_bytes()),
        ("single quotes", text.replace('"', "'").into_bytes()),
        ("too long", text.replace("Byron", &"B".repeat(300 * 1024)).into_bytes()),
    ] {
        all.push((name.to_owned(), bytes));
    }
    let mut change = |name: &str, pointer: &str, to: Option<Value>| {
        let mut changed = value.clone();
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let map = changed.pointer_mut(parent).and_then(Value::as_object_mut).expect("a map");
        match to {
            Some(to) => map.insert(key.to_owned(), to),
            None => map.remove(key),
        };
        all.push((name.to_owned(), changed.to_string().into_bytes()));
    };
    for key in ["id", "app", "operation", "integration"] {
        change(&format!("no {key}"), &format!("/{key}"), None);
        change(&format!("{key} is a number"), &format!("/{key}"), Some(json!(7)));
        change(&format!("{key} is null"), &format!("/{key}"), Some(Value::Null));
    }
    for (name, pointer, to) in [
        ("an empty id", "/id", json!("")),
        ("an id without end", "/id", json!("x".repeat(500))),
        ("an operation that there is not", "/operation", json!("user.promote")),
        ("an operation in capitals", "/operation", json!("USER.CREATE")),
        ("a key that there is not", "/priority", json!("high")),
        ("a mode that there is not", "/mode", json!("dry_run")),
        ("evidence that there is not", "/evidence", json!("video")),
        ("a user who is a list", "/user", json!([1])),
        ("a name that is a text", "/user/name", json!("Ada Byron")),
        ("a user name that is a number", "/user/userName", json!(1)),
        ("active that is a text", "/user/active", json!("yes")),
        ("entitlements that are a map", "/entitlements", json!({ "role": "Member" })),
        ("an entitlement without a value", "/entitlements", json!([{ "type": "role" }])),
        ("a deadline that is no time", "/window", json!({ "deadline": "tomorrow" })),
        ("a window that is a text", "/window", json!("now")),
        ("a safeguard below zero", "/safeguard", json!({ "max_removed_percent": -1, "known_users": 1 })),
        ("settings that are numbers", "/integration/settings", json!({ "port": 1 })),
        ("an integration without an id", "/integration", json!({})),
        (
            "a secret in clear",
            "/service_account",
            json!({ "username": "x", "secrets": { "password": "hunter2" } }),
        ),
        (
            "a secret that is a map",
            "/service_account",
            json!({ "username": "x", "secrets": { "password": { "value": "hunter2" } } }),
        ),
        ("a sign-in that there is not", "/service_account", json!({ "username": "x", "login": "biometric" })),
    ] {
        change(name, pointer, Some(to));
    }
    all
}
