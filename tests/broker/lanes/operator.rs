//! What an operator has in hand: dead letters, a cancel, and users of the broker who may do no more than they need.

use std::time::{Duration, Instant};

use assert_cmd::Command;
use seatwright::{
    adapters::amqp::{Client, DeadLetters, Rabbit},
    config::Topology,
    ports::queue::{Arrival, Broker},
};
use serde_json::json;

use crate::{servers::VirtualHost, support::root};

use super::{
    crew::{Admin, delivery, publish, rabbit},
    kept::result,
    next, within,
};

/// Exit code, standard output, standard error.
async fn seatwright(url: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seatwright-testbed"));
    command.args(arguments).args(["--broker", url]);
    let out =
        tokio::task::spawn_blocking(move || command.output().expect("it runs")).await.expect("no panic");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code().expect("an exit code"), text(&out.stdout), text(&out.stderr))
}

/// The ids on the dead-letter queue, once there are so many: what a closed channel gives back is back a moment later.
async fn dead(url: &str, count: usize) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let letters = DeadLetters::read(url, 100).await.expect("the broker is there");
        let jobs: Vec<String> = letters.letters().map(|letter| letter.job.clone()).collect();
        letters.close().await;
        if jobs.len() == count {
            return jobs;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{count} were expected: {jobs:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_and_replayed_once() {
    let broker = VirtualHost::take();
    let url = broker.url.as_str();
    let mut epoch = rabbit(url, &["acme"], "w").connect().await.expect("the broker is there");
    let outbox = epoch.outbox();
    let (code, printed, _) = seatwright(url, &["dead", "list"]).await;
    assert_eq!(code, 0);
    assert!(printed.contains("no dead letters"), "{printed}");

    let job = json!({ "id": "poison", "operation": "user.get", "user": { "userName": "ada@acme.example" } });
    outbox
        .dead_letter("acme", job.to_string().as_bytes(), "poison: it was begun 5 times", None)
        .await
        .expect("stored");
    outbox.dead_letter("acme", b"{ not JSON", "invalid_job: not JSON", None).await.expect("stored");
    let stub = json!({ "withheld": "80 bytes with a secret in clear", "id": "secret" });
    outbox
        .dead_letter("acme", stub.to_string().as_bytes(), "invalid_job: a value in clear", None)
        .await
        .expect("stored");
    // The broker's own: it came back more than 50 times.
    publish(url, "acme", "\"worn\"").await;
    let admin = Admin::new(url).await;
    while admin.count("seatwright.dead").await < 4 {
        let waiting = async {
            tokio::select! {
                delivery = delivery(&mut *epoch) => delivery.handle.release(Some(Duration::ZERO)).await,
                // Looked at again and again, as no event says that it has arrived.
                () = async { while admin.count("seatwright.dead").await < 4 {} } => {}
            }
        };
        within(waiting).await;
    }
    assert_eq!(dead(url, 4).await[..3], ["poison".to_owned(), dead_id(), "secret".to_owned()]);

    let (code, printed, _) = seatwright(url, &["dead", "list"]).await;
    assert_eq!((code, printed.lines().count()), (0, 4), "{printed}");
    for word in ["poison", "acme", "begun 5 times", "(withheld)", "delivery limit", " s "] {
        assert!(printed.contains(word), "`{word}` is missing:\n{printed}");
    }
    dead(url, 4).await;
    let (code, printed, _) = seatwright(url, &["dead", "show", "poison"]).await;
    assert_eq!(code, 0);
    assert!(printed.contains("\"userName\": \"ada@acme.example\""), "{printed}");
    dead(url, 4).await;

    // One goes back, once.
    let (code, printed, said) = seatwright(url, &["dead", "replay", "poison"]).await;
    assert_eq!((code, printed.trim()), (0, "poison is published to lane acme again"), "{said}");
    let again = delivery(&mut *epoch).await;
    assert_eq!(again.body, job.to_string().as_bytes());
    assert_eq!((again.lane.as_str(), again.kind.as_deref()), ("acme", Some("seatwright.job.v1")));
    assert_eq!((again.message_id.as_deref(), again.redelivered), (Some("poison"), false));
    again.handle.ack().await.expect("it is ours");
    dead(url, 3).await;
    let (code, _, said) = seatwright(url, &["dead", "replay", "poison"]).await;
    assert_eq!(code, 1);
    assert!(said.contains("no job poison"), "{said}");

    // All, but what was withheld.
    dead(url, 3).await;
    let (code, printed, said) = seatwright(url, &["dead", "replay", "--all"]).await;
    assert_eq!((code, printed.lines().count()), (1, 2), "{printed}{said}");
    assert!(said.contains("secret stays on seatwright.dead") && said.contains("withheld"), "{said}");
    for body in ["{ not JSON", "\"worn\""] {
        let again = delivery(&mut *epoch).await;
        assert_eq!(again.body, body.as_bytes());
        again.handle.ack().await.expect("it is ours");
    }
    assert_eq!(dead(url, 1).await, ["secret"]);
    epoch.close().await;
    assert_eq!(admin.count("seatwright.jobs.acme").await, 0, "something was replayed twice");

    // Nobody listens any more.
    let begun = Instant::now();
    loop {
        let (code, _, said) = seatwright(url, &["cancel", "job-1"]).await;
        if code == 1 {
            assert!(said.contains("no worker runs"), "{said}");
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{code}: {said}");
    }
    let mut epoch = rabbit(url, &["acme"], "w").connect().await.expect("the broker is there");
    let (code, printed, said) = seatwright(url, &["cancel", "job-1"]).await;
    assert_eq!(code, 0, "{printed}{said}");
    assert!(matches!(next(&mut *epoch).await, Arrival::Cancel(job) if job == "job-1"));
    epoch.close().await;
    let (code, _, said) = seatwright("amqp://127.0.0.1:1", &["dead", "list"]).await;
    assert_eq!(code, 3);
    assert!(said.contains("cannot be reached"), "{said}");
}

fn dead_id() -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(b"{ not JSON");
    format!("unknown-{}", digest[..6].iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// What the documents allow a user.
fn allowed(who: &str) -> [String; 3] {
    let text = std::fs::read_to_string(root().join("docs/queue.md")).expect("the document is there");
    let mut lines = text.lines().skip_while(|line| !line.starts_with(who));
    let mut rule = |what: &str| {
        let line = lines.next().unwrap_or_else(|| panic!("docs/queue.md: {who} has no `{what}`"));
        line.split_once(what).unwrap_or_else(|| panic!("docs/queue.md: {who}: {line}")).1.trim().to_owned()
    };
    [rule("configure"), rule("write"), rule("read")]
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_needs_more_rights_than_the_documents_say() {
    let broker = VirtualHost::take();
    let user = |name: &str, who: &str| broker.user(name, &allowed(who));
    let maker = user("maker", "worker, topology: declare");
    let worker = user("worker", "worker, topology: passive");
    let gateway = user("gateway", "seatwright enqueue");
    let operator = user("operator", "seatwright dead, cancel");
    rabbit(&maker, &["acme"], "maker").connect().await.expect("it makes everything").close().await;
    let passive = Rabbit { topology: Topology::Passive, ..rabbit(&worker, &["acme"], "w") };
    let mut epoch = passive.connect().await.expect("it has what it needs");
    let mut client = Client::connect(&gateway, &["acme".to_owned()]).await.expect("it has what it needs");
    client.publish("acme", "user.get", "1", b"1").await.expect("it is stored");
    let one = delivery(&mut *epoch).await;
    one.handle.still_ours().await.expect("it is ours");
    let outbox = epoch.outbox();
    outbox.result(one.reply_to.as_deref(), &result("1")).await.expect("it is stored");
    within(client.next()).await.expect("the result comes");
    outbox.result(None, &result("2")).await.expect("it is stored");
    outbox.dead_letter("acme", b"{}", "tried", None).await.expect("it is stored");
    outbox.ask_to_settle("acme", "3").await.expect("it is stored");
    one.handle.ack().await.expect("it is ours");
    let settle = delivery(&mut *epoch).await;
    assert_eq!(settle.kind.as_deref(), Some("seatwright.settle.v1"));
    settle.handle.release(Some(Duration::ZERO)).await;
    delivery(&mut *epoch).await.handle.ack().await.expect("it is ours");
    let (code, printed, said) = seatwright(&operator, &["cancel", "3"]).await;
    assert_eq!(code, 0, "{printed}{said}");
    assert!(matches!(next(&mut *epoch).await, Arrival::Cancel(job) if job == "3"));
    let (code, printed, said) = seatwright(&operator, &["dead", "replay", "--all"]).await;
    assert_eq!(code, 0, "{printed}{said}");
    assert_eq!(delivery(&mut *epoch).await.body, b"{}");
    // And who may not is told where to look.
    let told = Rabbit { topology: Topology::Declare, ..rabbit(&worker, &["other"], "w2") }.connect().await;
    let text = told.map(drop).expect_err("it may not declare").to_string();
    assert!(text.contains("permissions"), "{text}");
    client.close().await;
    epoch.close().await;
}
