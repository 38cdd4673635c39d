//! What is published is there, or is told not to be.

use std::{collections::BTreeSet, sync::Arc};

use lapin::options::ExchangeDeleteOptions;
use seatwright::{
    contract::JobResult,
    ports::queue::{Broker, QueueError},
};
use serde_json::json;

use crate::servers::VirtualHost;

use super::{
    crew::{Admin, delivery, rabbit},
    within,
};

pub fn result(job: &str) -> JobResult {
    let result = json!({
        "job": job, "outcome": "succeeded", "changed": false, "attempts": 1,
        "timings": { "queued_ms": 0, "session_ms": 0, "precheck_ms": 0, "act_ms": 0, "verify_ms": 0, "total_ms": 0 },
        "worker": { "version": "0" }, "finished_at": "2026-01-01T00:00:00Z",
    });
    serde_json::from_value(result).unwrap_or_else(|e| panic!("this is a result: {e}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_nobody_takes_is_an_error_and_not_a_loss() {
    let broker = VirtualHost::take();
    let epoch = rabbit(&broker.url, &["acme"], "w").connect().await.expect("the broker is there");
    let admin = Admin::new(&broker.url).await;
    let outbox = epoch.outbox();
    outbox.result(None, &result("1")).await.expect("the queue is there");
    assert_eq!(admin.count("seatwright.results").await, 1);

    // Many at once, every second of them with a reply queue that is gone: each of those waits where all results wait.
    let all = (0..400).map(|n| {
        let outbox = Arc::clone(&outbox);
        tokio::spawn(async move {
            let reply_to = if n % 2 == 0 { None } else { Some("gone") };
            outbox.result(reply_to, &result(&n.to_string())).await
        })
    });
    for one in all.collect::<Vec<_>>() {
        within(one).await.expect("no panic").expect("it is stored");
    }
    let mut found = BTreeSet::new();
    while let Some(body) = admin.get("seatwright.results").await {
        found.insert(serde_json::from_slice::<JobResult>(&body).expect("a result").job);
    }
    assert_eq!(found.len(), 400, "one of those that were taken for stored is not there");

    // Without the queue, and without the exchange: an error each time, and good again when they are there again.
    admin.delete_queue("seatwright.results").await;
    for n in 0..20 {
        let told = within(outbox.result(None, &result(&n.to_string()))).await;
        assert!(matches!(told, Err(QueueError::Topology(_))), "{told:?}");
    }
    admin
        .channel
        .exchange_delete("seatwright.results".into(), ExchangeDeleteOptions::default())
        .await
        .expect("it is deleted");
    for n in 0..5 {
        let told = within(outbox.result(None, &result(&n.to_string()))).await;
        assert!(told.is_err(), "{told:?}");
    }
    rabbit(&broker.url, &["acme"], "w2").connect().await.expect("it is made again").close().await;
    outbox.result(None, &result("back")).await.expect("the same epoch goes on");
    assert_eq!(admin.count("seatwright.results").await, 1);
    epoch.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_settle_comes_in_the_turn_of_its_lane() {
    let broker = VirtualHost::take();
    let mut epoch = rabbit(&broker.url, &["acme"], "w").connect().await.expect("the broker is there");
    epoch.outbox().ask_to_settle("acme", "job-1").await.expect("it is stored");
    let asked = delivery(&mut *epoch).await;
    assert_eq!((asked.lane.as_str(), asked.kind.as_deref()), ("acme", Some("seatwright.settle.v1")));
    let body: serde_json::Value = serde_json::from_slice(&asked.body).expect("JSON");
    assert_eq!(body, json!({ "job": "job-1" }));
    asked.handle.ack().await.expect("it is ours");
    // For a lane that nobody has it is kept with what is not routed.
    epoch.outbox().ask_to_settle("nobody", "job-2").await.expect("it is stored");
    let asked = delivery(&mut *epoch).await;
    assert_eq!((asked.lane.as_str(), asked.unrouted), ("nobody", true));
    asked.handle.ack().await.expect("it is ours");
    epoch.close().await;
}
