//! A job that comes again: sent twice, sent again after its success, delivered again with its result out.

use futures_util::{StreamExt, stream};
use seatwright::contract::Outcome;

use crate::{
    servers::{
        VirtualHost,
        corridor::{Terms, Worker},
    },
    tally::Tally,
    trial::{OPERATIONS, Trial},
    whole,
};

/// How it comes again.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Again {
    AtOnce,
    AfterSuccess,
    Redelivered,
}

impl Again {
    fn name(self) -> &'static str {
        match self {
            Again::AtOnce => "queue: every job twice",
            Again::AfterSuccess => "queue: the job again after its success",
            Again::Redelivered => "broker: delivers again after the result was published",
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chaos_a_job_that_comes_again_gets_the_same_answer() {
    let broker = VirtualHost::take();
    let tally = Tally::default();
    let mut cases = Vec::new();
    for (place, again) in [Again::AtOnce, Again::AfterSuccess, Again::Redelivered].into_iter().enumerate() {
        for (turn, operation) in OPERATIONS.into_iter().enumerate() {
            // Twice at once is also what `outside` does with apps in trouble.
            if whole() || (turn == place && again != Again::AtOnce) {
                cases.push((again, operation));
            }
        }
    }
    let runs = cases
        .into_iter()
        .enumerate()
        .map(|(number, (again, operation))| come_again(&broker.url, number, again, operation, &tally));
    stream::iter(runs).buffer_unordered(3).collect::<Vec<()>>().await;
    tally.close("twice");
}

async fn come_again(url: &str, number: usize, again: Again, operation: &'static str, tally: &Tally) {
    let terms = Terms { heartbeat: Some(1), ..Terms::default() };
    let mut trial = Trial::new(url, &format!("twice-{number}"), operation, terms).await;
    // One that stands still does not acknowledge: the broker gives its delivery to the next one.
    let fault = if again == Again::Redelivered { "published STOP" } else { "" };
    let mut worker = Worker::start_for(&trial.lane.config, fault);
    let mut told = match again {
        Again::Redelivered => {
            trial.publish_to(&mut worker).await;
            trial.told().await
        }
        Again::AtOnce => {
            trial.publish().await;
            trial.publish().await;
            trial.told().await
        }
        Again::AfterSuccess => {
            trial.publish().await;
            let told = trial.told().await;
            trial.publish().await;
            told
        }
    };
    let next = (again == Again::Redelivered).then(|| Worker::start(&trial.lane.config));
    told.extend(trial.told().await);
    assert_eq!(told[0].outcome, Outcome::Succeeded, "{:?}", told[0].error);
    assert_eq!(told[0], told[1], "the same answer, word by word");
    if let Some(next) = next {
        worker.signal("CONT");
        next.stop();
    }
    worker.stop();
    trial.close(again.name(), tally, told).await;
}
