//! A worker that is stopped (SIGSTOP) right before its commit until another one has taken over, and goes on then: it must
//! not click.

use futures_util::{StreamExt, stream};
use seatwright::contract::Outcome;

use crate::{
    servers::{
        VirtualHost,
        corridor::{Terms, Worker},
    },
    tally::Tally,
    trial::{BEFORE_THE_GATE, Trial},
    whole,
};

#[tokio::test(flavor = "multi_thread")]
async fn chaos_a_worker_that_slept_through_its_commit_does_not_click() {
    let broker = VirtualHost::take();
    let tally = Tally::default();
    let tries = if whole() { 20 } else { 2 };
    let runs = (0..tries).map(|number| slept(&broker.url, number, &tally));
    stream::iter(runs).buffer_unordered(2).collect::<Vec<()>>().await;
    tally.close("sleeper");
}

async fn slept(url: &str, number: usize, tally: &Tally) {
    // One sleeps when the gate has let it pass, the next one right before it is asked.
    let moment = if number.is_multiple_of(2) { "commit_reached" } else { BEFORE_THE_GATE };
    let fault = &format!("{moment} STOP");
    let terms = Terms { settle: Some("2s"), heartbeat: Some(1), ..Terms::default() };
    let mut trial = Trial::new(url, &format!("sleep-{number}"), "user.create", terms).await;
    let mut sleeper = Worker::start_for(&trial.lane.config, fault);
    trial.publish_to(&mut sleeper).await;
    let mut second = Worker::start(&trial.lane.config);
    second.says("taking jobs");
    let told = trial.told().await;
    let there = trial.there();
    sleeper.signal("CONT");
    // It finds out, gives up, connects again as a standby: so it had its chance to click.
    sleeper.says("taking jobs");
    assert_eq!(there, trial.there(), "{fault}: it woke up and clicked");
    sleeper.stop();
    second.stop();
    // What the sleeper had been let pass is unknown to the second: it does not do it again, and says so.
    let outcomes = [Outcome::Succeeded, Outcome::NoChange, Outcome::Indeterminate];
    assert!(outcomes.contains(&told[0].outcome), "{:?}", told[0].error);
    trial.close("worker: SIGSTOP before its commit, until another took over", tally, told).await;
}
