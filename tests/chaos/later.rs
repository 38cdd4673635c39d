//! An app whose search lags behind its writes, with kills in the middle of the commit: nobody twice, and what cannot be
//! known yet is known later.

use std::time::Instant;

use futures_util::{StreamExt, stream};
use seatwright::contract::Outcome;
use serde_json::json;

use crate::{
    kill::{NAME, wish},
    servers::{
        VirtualHost,
        corridor::{Lane, Terms, Worker, results},
    },
    support::control,
    tally::{Expected, Tally},
    whole,
};

#[tokio::test(flavor = "multi_thread")]
async fn chaos_a_search_that_lags_makes_nobody_twice_and_settles() {
    let broker = VirtualHost::take();
    let tally = Tally::default();
    let runs = (0..if whole() { 10 } else { 2 }).map(|number| lagged(&broker.url, number, &tally));
    stream::iter(runs).buffer_unordered(2).collect::<Vec<()>>().await;
    tally.close("lag");
}

async fn lagged(url: &str, number: usize, tally: &Tally) {
    // Shorter than the lag: the author was wrong about the app.
    let terms = Terms { settle: Some("1500ms"), more: "retry: { for: 60s }", ..Terms::default() };
    let lane = Lane::new(url, &format!("lag-{number}"), terms).await;
    let mut client = lane.client().await;
    let (address, more) = wish("user.create", "");
    let (others, before) = lane.members(&address);
    control(&lane.site, "faults", json!([{ "on": "POST /members", "do": "lag", "ms": 4000 }])).await;
    // Killed when the app has it, before its answer was read.
    let mut first = Worker::start_with(&lane.config, &[("SEATWRIGHT_TEST_FAULT", "verifying KILL")]);
    first.says("taking jobs");
    lane.publish(&client, "job", "user.create", more.clone()).await;
    tokio::task::spawn_blocking(|| first.killed()).await.expect("it was killed");
    let begun = Instant::now();
    // The gateway asks again, under another id: that one waits until the first is settled.
    lane.publish(&client, "again", "user.create", more).await;
    let second = Worker::start(&lane.config);
    let told = results(&mut client, vec!["job", "again"]).await;
    let of = |id: &str| told.iter().filter(|result| result.job == id).collect::<Vec<_>>();
    let (job, again) = (of("job"), of("again"));
    let last = job.last().expect("a result");
    if job[0].outcome == Outcome::Indeterminate {
        assert!(last.settled && last.outcome == Outcome::Succeeded, "it was not settled: {last:?}");
    }
    assert_eq!(again[0].outcome, Outcome::NoChange, "{:?}", again[0].error);
    second.stop();
    let ms = u64::try_from(begun.elapsed().as_millis()).expect("not for ever");
    let expected = Expected {
        operation: "user.create",
        address: &address,
        name: NAME,
        others: &others,
        before: &before,
    };
    let first_word = [(*job[0]).clone()];
    tally.count(
        "app: its search lags 4 s, worker: kill -9 after the commit",
        &lane,
        "job",
        &first_word,
        &expected,
        ms,
    );
}
