//! A worker that is stopped (SIGSTOP) right before its commit until another one has taken over, and goes on then: it must
//! not click.

use std::time::Instant;

use futures_util::{StreamExt, stream};
use seatwright::contract::Outcome;

use crate::{
    kill::{NAME, more_results, wish},
    support::{
        PrivateBroker,
        corridor::{Lane, Terms, Worker, results},
    },
    tally::{Expected, Tally},
    whole,
};

#[tokio::test(flavor = "multi_thread")]
async fn chaos_a_worker_that_slept_through_its_commit_does_not_click() {
    let broker = PrivateBroker::start();
    let tally = Tally::default();
    let tries = if whole() { 20 } else { 2 };
    let runs = (0..tries).map(|number| slept(&broker.url, number, &tally));
    stream::iter(runs).buffer_unordered(2).collect::<Vec<()>>().await;
    tally.close("sleeper");
}

async fn slept(url: &str, number: usize, tally: &Tally) {
    // One sleeps when the gate has let it pass, the next one a step earlier.
    let fault = if number.is_multiple_of(2) { "commit_reached STOP" } else { "step_started:4 STOP" };
    let terms = Terms { settle: Some("2s"), heartbeat: Some(1), ..Terms::default() };
    let lane = Lane::new(url, &format!("sleep-{number}"), terms).await;
    let mut client = lane.client().await;
    let (address, more) = wish("user.create", "");
    let (others, before) = lane.members(&address);
    let mut sleeper = Worker::start_with(&lane.config, &[("SEATWRIGHT_TEST_FAULT", fault)]);
    sleeper.says("taking jobs");
    lane.publish(&client, "job", "user.create", more).await;
    sleeper.stopped();
    let begun = Instant::now();
    let mut second = Worker::start(&lane.config);
    second.says("taking jobs");
    let mut told = results(&mut client, vec!["job"]).await;
    let ms = u64::try_from(begun.elapsed().as_millis()).expect("not for ever");
    let (_, there) = lane.members(&address);
    sleeper.signal("CONT");
    // It finds out, gives up, connects again as a standby: so it had its chance to click.
    sleeper.says("taking jobs");
    let (_, after) = lane.members(&address);
    assert_eq!(there, after, "{fault}: it woke up and clicked");
    sleeper.stop();
    second.stop();
    told.extend(more_results(&mut client).await);
    let expected = Expected {
        operation: "user.create",
        address: &address,
        name: NAME,
        others: &others,
        before: &before,
    };
    // What the sleeper had been let pass is unknown to the second: it does not do it again, and says so.
    let outcomes = [Outcome::Succeeded, Outcome::NoChange, Outcome::Indeterminate];
    assert!(outcomes.contains(&told[0].outcome), "{:?}", told[0].error);
    tally.count(
        "worker: SIGSTOP before its commit, until another took over",
        &lane,
        "job",
        &told,
        &expected,
        ms,
    );
}
