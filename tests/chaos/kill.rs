//! kill -9 of the worker at every event of a create, an update and a delete.

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::{
    servers::{
        VirtualHost,
        corridor::{Lane, Terms, Worker, results},
    },
    support::ada,
    tally::Tally,
    trial::{OPERATIONS, Trial},
    whole,
};

/// So many runs at once: most of the time they wait.
const AT_ONCE: usize = 3;
/// Of how many events one is taken, where not all are.
const SAMPLE: usize = 5;
/// Events that are always taken: what lies between them is the promise.
const ALWAYS: [&str; 4] = ["taken_up", "commit_reached", "concluded", "published"];

/// A member of the fixture site, and the name that an update gives.
const SOMEBODY: &str = "member7@acme.example";
pub const NAME: &str = "Somebody Else";

/// What a job is about: address, and what the job carries.
pub fn wish(operation: &str, somebody: &str) -> (String, Value) {
    match operation {
        "user.create" => ("ada@acme.example".to_owned(), json!({ "user": ada() })),
        "user.update" => {
            (somebody.to_owned(), json!({ "user": { "userName": somebody, "displayName": NAME } }))
        }
        _ => (somebody.to_owned(), json!({ "user": { "userName": somebody } })),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chaos_a_worker_killed_at_any_event_leaves_one_result_and_one_user() {
    let broker = VirtualHost::take();
    let tally = Tally::default();
    let mut cases = Vec::new();
    for operation in OPERATIONS {
        let lane = Lane::new(&broker.url, &format!("dry-{}", cases.len()), Terms::default()).await;
        let mut client = lane.client().await;
        let mut worker = Worker::start(&lane.config);
        worker.says("taking jobs");
        let (_, more) = wish(operation, &somebody(&lane));
        lane.publish(&client, "dry", operation, more).await;
        results(&mut client, vec!["dry"]).await;
        worker.stop();
        let events = lane.events("dry");
        let mut count = std::collections::BTreeMap::new();
        for (place, event) in events.iter().enumerate() {
            let number = count.entry(event.clone()).and_modify(|n| *n += 1).or_insert(1u32);
            if whole() || place % SAMPLE == 0 || ALWAYS.contains(&event.as_str()) {
                cases.push((operation, event.clone(), *number));
            }
        }
        assert!(events.len() >= 14, "{operation}: {events:?}");
        // Of an event that comes only where something goes wrong nobody can be killed for sure.
        assert!(!events.contains(&"held".to_owned()), "{operation}: {events:?}");
    }
    let runs = cases.iter().enumerate().map(|(number, (operation, event, nth))| {
        let (broker, tally) = (&broker, &tally);
        let name = format!("worker: kill -9 at {event}");
        async move {
            killed_at(&broker.url, (number, ""), &name, operation, (event, *nth), tally).await;
        }
    });
    stream::iter(runs).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    tally.close("kill");
}

/// Somebody whom the site has, and who is no admin.
pub fn somebody(lane: &Lane) -> String {
    let world = lane.site.world();
    let members = world["members"].as_array().expect("members");
    let plain = members.iter().find(|member| member["email"] == SOMEBODY);
    let plain = plain.or_else(|| members.iter().find(|m| m["role"] == "Member" && m["status"] == "Active"));
    plain.expect("an ordinary member")["email"].as_str().expect("an address").to_owned()
}

/// The worker's configuration has `more`.
pub async fn killed_at(
    url: &str,
    (number, more): (usize, &str),
    name: &str,
    operation: &'static str,
    (event, nth): (&str, u32),
    tally: &Tally,
) {
    let terms = Terms { settle: Some("3s"), more, ..Terms::default() };
    let mut trial = Trial::new(url, &format!("kill-{number}"), operation, terms).await;
    let mut first = Worker::start_for(&trial.lane.config, &format!("{event}:{nth} KILL"));
    first.says("taking jobs");
    trial.publish().await;
    tokio::task::spawn_blocking(|| first.killed()).await.expect("it was killed");
    trial.begin();
    let mut second = Worker::start(&trial.lane.config);
    second.says("taking jobs");
    let told = trial.told().await;
    // It drains: whatever else it would say, it has said.
    tokio::task::spawn_blocking(|| second.stop()).await.expect("it ends");
    trial.close(name, tally, told).await;
}

/// What has come beside what was waited for.
pub async fn more_results(
    client: &mut seatwright::adapters::amqp::Client,
) -> Vec<seatwright::contract::JobResult> {
    let mut more = Vec::new();
    let soon = std::time::Duration::from_millis(100);
    while let Ok(Ok(heard)) = tokio::time::timeout(soon, client.next()).await {
        if let seatwright::adapters::amqp::GatewayMessage::Result(result) = heard {
            more.push(*result);
        }
    }
    more
}
