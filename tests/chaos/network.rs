//! The way between worker and broker: it falls silent, or the broker takes nothing more.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};

use crate::{
    servers::{
        PrivateBroker, VirtualHost,
        corridor::{Terms, Worker},
        relay::Relay,
    },
    tally::Tally,
    trial::{BEFORE_THE_GATE, OPERATIONS, Trial},
    whole,
};

/// Before the gate is asked, when it has let pass, and after the commit.
const MOMENTS: [&str; 3] = [BEFORE_THE_GATE, "commit_reached:1", "verifying:1"];

#[tokio::test(flavor = "multi_thread")]
async fn chaos_a_silent_network_lets_nobody_click_for_a_lane_that_is_somebody_elses() {
    let broker = VirtualHost::take();
    let tally = Tally::default();
    let mut cases = Vec::new();
    for moment in MOMENTS {
        for operation in OPERATIONS {
            for asleep in [true, false] {
                cases.push((moment, operation, asleep));
            }
        }
    }
    if !whole() {
        // Of workers that stand still the sleeper tells.
        cases.retain(|case| *case == (BEFORE_THE_GATE, "user.create", false));
    }
    let runs = cases.into_iter().enumerate().map(|(number, (moment, operation, asleep))| {
        silenced(&broker.url, number, moment, operation, asleep, &tally)
    });
    stream::iter(runs).buffer_unordered(2).collect::<Vec<()>>().await;
    tally.close("network");
}

/// `asleep`: the first worker stands still until another one has done the job; otherwise it goes on at once, with a
/// broker that does not answer.
async fn silenced(
    url: &str,
    number: usize,
    moment: &str,
    operation: &'static str,
    asleep: bool,
    tally: &Tally,
) {
    let relay = Relay::before(url).await;
    let terms = Terms { settle: Some("2s"), heartbeat: Some(1), ..Terms::default() };
    let mut trial = Trial::new(url, &format!("silent-{number}"), operation, terms).await;
    let config = trial.lane.config_by(&relay.url(url));
    let mut first = Worker::start_for(&config, &format!("{moment} STOP"));
    trial.publish_to(&mut first).await;
    relay.swallow();
    if !asleep {
        first.signal("CONT");
    }
    let mut second = Worker::start(&trial.lane.config);
    second.says("taking jobs");
    let told = trial.told().await;
    let there = trial.there();
    if asleep {
        first.signal("CONT");
    }
    // It finds out by itself, gives up, and looks for its broker: so it had its chance to click.
    let looks = move || {
        first.says("trying again");
        first
    };
    let mut first = tokio::task::spawn_blocking(looks).await.expect("it says so");
    assert_eq!(there, trial.there(), "{operation}, {moment}: it clicked for a lane that is not its own");
    relay.heal();
    first.says("taking jobs");
    first.stop();
    second.stop();
    let name = if asleep { "SIGSTOP and a silent network" } else { "a silent network" };
    trial.close(&format!("worker: {name}, until another took over"), tally, told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chaos_a_broker_under_alarm_gets_the_result_when_it_is_over() {
    let broker = PrivateBroker::start();
    let tally = Tally::default();
    for (number, moment) in ["started:1", "commit_reached:1", "verifying:1"].into_iter().enumerate() {
        for (turn, operation) in OPERATIONS.into_iter().enumerate() {
            if !whole() && (number, turn) != (1, 0) {
                continue;
            }
            let mut trial =
                Trial::new(&broker.url, &format!("alarm-{number}-{turn}"), operation, Terms::default()).await;
            let mut worker = Worker::start_for(&trial.lane.config, &format!("{moment} STOP"));
            trial.publish_to(&mut worker).await;
            broker.ctl(&["set_vm_memory_high_watermark", "0.0001"]);
            worker.signal("CONT");
            // The job comes to its end, and what publishes is held back.
            let concluded = || trial.lane.events("job").contains(&"concluded".to_owned());
            let begun = Instant::now();
            while !broker.ctl(&["list_connections", "state"]).contains("blocked") || !concluded() {
                let waited = begun.elapsed() < Duration::from_secs(60);
                assert!(
                    waited,
                    "the broker holds nobody back, or the job came to no end: {:?}",
                    trial.lane.events("job")
                );
            }
            if whole() && turn == 0 {
                // For so long that the broker's word is not waited for any more.
                worker.says("the broker does not store the result");
            }
            broker.ctl(&["set_vm_memory_high_watermark", "0.4"]);
            let told = trial.told().await;
            worker.stop();
            trial.close("broker: a memory alarm", &tally, told).await;
        }
    }
    tally.close("alarm");
}
