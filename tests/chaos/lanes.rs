//! Many lanes over several workers, one of them killed, the broker restarted, another joining: each lane keeps its order
//! and is never done twice at once, and nothing is lost. The browser is the text browser: it is the queue that is tried.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use jiff::Timestamp;
use seatwright::contract::{Code, JobResult, Outcome};
use serde_json::{Value, json};

use crate::{
    servers::{
        PrivateBroker,
        corridor::{Place, Worker},
    },
    support::control,
    whole,
};

/// In each lane, in this order: whoever does them in another gets another answer.
const OPERATIONS: [&str; 4] = ["user.create", "user.update", "user.disable", "user.delete"];

#[tokio::test(flavor = "multi_thread")]
async fn chaos_lanes_keep_their_order_while_workers_come_and_go() {
    let (lanes, users) = if whole() { (40, 5) } else { (20, 3) };
    let mut broker = PrivateBroker::start();
    let names: Vec<String> = (0..lanes).map(|lane| format!("lane-{lane}")).collect();
    let place = Place::new(&broker.url, &names).await;
    control(&place.site, "world", json!({ "settings": { "seats": 5000 } })).await;
    // As an app is: a page takes its time.
    control(&place.site, "faults", json!([{ "on": "GET /members", "do": "slow", "ms": 150 }])).await;
    let environment = [("SEATWRIGHT_TEST_BROWSER", "text")];
    let start = || Worker::start_with(&place.config, &environment);
    let mut first = start();
    first.says("taking jobs");
    // Quorum queues that are a moment old do not outlive a kill (RabbitMQ 3.10): these grow older first.
    broker.stop();
    first.says("was lost");
    broker.again();
    first.says("taking jobs");
    let mut second = start();
    second.says("taking jobs");
    let mut jobs = Vec::new();
    for user in 0..users {
        for operation in OPERATIONS {
            for lane in &names {
                let id = format!("{lane}.{user}.{operation}");
                jobs.push((format!("{lane}.{operation}"), job(lane, &id, user, operation)));
            }
        }
    }
    place.publish(&jobs).await;
    let jobs = jobs.len();
    let done = |results: &BTreeMap<String, JobResult>, part: usize| results.len() >= jobs * part / 8;
    let mut told = BTreeMap::new();
    let begun = Instant::now();
    place.gather(&mut told, |told| done(told, 2)).await;
    first.kill();
    let killed = Instant::now();
    let before = told.len();
    place.gather(&mut told, |told| told.len() > before + lanes).await;
    eprintln!("a worker was killed: {lanes} more results after {} ms", killed.elapsed().as_millis());
    let mut third = start();
    third.says("taking jobs");
    let joined = Instant::now();
    third.says("finished");
    eprintln!(
        "a third worker: its first job was done {} ms after it had joined",
        joined.elapsed().as_millis()
    );
    place.gather(&mut told, |told| done(told, 5)).await;
    broker.kill();
    let down = Instant::now();
    broker.again();
    place.gather(&mut told, |told| told.len() == jobs).await;
    eprintln!(
        "the broker was killed: all {jobs} results are there {} ms later, {} ms after the begin",
        down.elapsed().as_millis(),
        begun.elapsed().as_millis()
    );
    second.stop();
    third.stop();

    // Whoever was killed in a commit leaves a user of whom nothing is sure: what comes for them meanwhile is told so.
    let user = |job: &str| job.rsplit_once(".user.").expect("its id").0.to_owned();
    let unsure: BTreeSet<String> = told
        .values()
        .filter(|result| result.outcome == Outcome::Indeterminate)
        .map(|result| user(&result.job))
        .collect();
    eprintln!("of {} users nothing was sure for a while", unsure.len());
    let bad: Vec<&JobResult> = told
        .values()
        .filter(|result| {
            let code = result.error.as_ref().map(|error| error.code);
            match result.outcome {
                Outcome::Succeeded | Outcome::NoChange | Outcome::Indeterminate => false,
                _ if unsure.contains(&user(&result.job)) => {
                    !matches!(code, Some(Code::UserHeld | Code::UserNotFound))
                }
                _ => true,
            }
        })
        .collect();
    assert!(bad.is_empty(), "done in another order: {bad:#?}");
    let world = place.site.world();
    let members = world["members"].as_array().expect("members").iter();
    let mut left: Vec<String> = members
        .filter_map(|member| member["email"].as_str()?.strip_suffix("@acme.example"))
        .filter_map(|name| Some(name.strip_prefix("lane-")?.replacen('-', ".", 1)))
        .map(|name| format!("lane-{name}"))
        .collect();
    left.sort();
    let twice = left.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(twice, None, "somebody was made twice");
    left.retain(|user| !unsure.contains(user));
    assert!(left.is_empty(), "whoever was made was removed again: {left:?}");
    never_two_at_once(&place, &names);
}

fn job(lane: &str, id: &str, user: usize, operation: &str) -> Vec<u8> {
    let address = format!("{lane}-{user}@acme.example");
    let user = match operation {
        "user.create" => json!({ "userName": address, "name": { "givenName": "New", "familyName": lane } }),
        "user.update" => json!({ "userName": address, "displayName": format!("Changed {lane}") }),
        _ => json!({ "userName": address }),
    };
    json!({
        "id": id, "app": "ledgerly", "operation": operation, "user": user, "evidence": "none",
        "integration": { "id": format!("int-{lane}"), "settings": { "business_id": "acme" } },
    })
    .to_string()
    .into_bytes()
}

/// By the traces of all workers: when each attempt was taken up, and when it was over.
fn never_two_at_once(place: &Place, lanes: &[String]) {
    for lane in lanes {
        let mut spans: Vec<(Timestamp, Timestamp, String)> = Vec::new();
        for file in std::fs::read_dir(place.folder.path().join("evidence")).expect("traces").flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            if !name.starts_with(&format!("{lane}_")) || !name.ends_with(".trace.ndjson") {
                continue;
            }
            let text = std::fs::read_to_string(file.path()).expect("a trace");
            for line in text.lines() {
                let event: Value = serde_json::from_str(line).expect("JSON");
                let at: Timestamp = event["at"].as_str().expect("a time").parse().expect("a time");
                match event["event"].as_str() {
                    Some("taken_up") => spans.push((at, at, name.clone())),
                    // What comes after the end of the delivery is not the job's any more.
                    Some("received" | "acknowledged") => {}
                    _ => {
                        if let Some(last) = spans.last_mut().filter(|(.., of)| *of == name) {
                            last.1 = at;
                        }
                    }
                }
            }
        }
        spans.sort();
        for pair in spans.windows(2) {
            assert!(pair[1].0 >= pair[0].1, "{lane}: {} began before {} was over", pair[1].2, pair[0].2);
        }
        assert!(!spans.is_empty(), "{lane}: no traces");
    }
}
