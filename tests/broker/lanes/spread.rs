//! Order, and one at a time, whoever comes and goes; and who does what.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use seatwright::adapters::amqp::{Client, Rabbit};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::servers::{PrivateBroker, VirtualHost};

use super::crew::{Manner, Record, Worker, count_up, rabbit};

fn named(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("lane-{n}")).collect()
}

fn on(url: &str, lanes: &[String], worker: &str) -> Rabbit {
    rabbit(url, &lanes.iter().map(String::as_str).collect::<Vec<_>>(), worker)
}

/// Written down once more: who is chosen is a promise between workers of different versions.
fn chosen<'a>(lane: &str, workers: &[&'a str]) -> &'a str {
    let weight = |worker: &&&str| Sha256::digest(format!("{worker}\0{lane}"));
    workers.iter().max_by_key(weight).expect("a worker")
}

fn as_chosen(lanes: &[String], workers: &[&str], owners: &BTreeMap<String, String>) -> bool {
    lanes.iter().all(|lane| owners.get(lane).is_some_and(|owner| owner == chosen(lane, workers)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_keeps_its_order_whoever_comes_goes_and_dies() {
    let mut broker = PrivateBroker::start();
    let url = broker.url.clone();
    let lanes = named(8);
    let record = Arc::new(Record::default());
    let up = watch::Sender::new(true);
    let stop = watch::Sender::new(false);
    let start = |name: &str| Worker::start(on(&url, &lanes, name), &record, Manner::Ack, &up);
    let first = start("first");
    let counting = tokio::spawn(count_up(
        broker.url.clone(),
        lanes.clone(),
        Arc::clone(&record),
        up.subscribe(),
        stop.subscribe(),
    ));
    record.until("the first works", |r| r.by("first") > 200).await;
    // It joins, and gets its share while the first is at work.
    let second = start("second");
    let pair = ["first", "second"];
    record.until("the lanes spread over two", |r| as_chosen(&lanes, &pair, &r.owners())).await;
    // It leaves: what it does is finished, and nothing is done twice at once.
    first.leave().await;
    record.until("the second has all", |r| r.owners().values().all(|w| w == "second")).await;
    let third = start("third");
    let pair = ["second", "third"];
    record.until("the lanes spread again", |r| as_chosen(&lanes, &pair, &r.owners())).await;
    record.nothing_wrong();
    let died = Instant::now();
    third.kill();
    record.until("the second has all again", |r| r.owners().values().all(|w| w == "second")).await;
    println!("all lanes of a killed worker are taken up after {:?}", died.elapsed());
    record.nothing_wrong();
    // The broker goes, and with it what was under way.
    let before = record.by("second");
    up.send_replace(false);
    broker.kill();
    broker.again();
    let back = Instant::now();
    up.send_replace(true);
    record.until("the work goes on", |r| r.by("second") > before + 100).await;
    println!("a hundred more after the broker's return: {:?}", back.elapsed());
    let fourth = start("fourth");
    let pair = ["second", "fourth"];
    record.until("the lanes spread once more", |r| as_chosen(&lanes, &pair, &r.owners())).await;
    stop.send_replace(true);
    let count = counting.await.expect("no panic");
    record.until("all is done", |r| lanes.iter().all(|lane| r.next_of(lane) == count)).await;
    println!(
        "{} of {count} numbers a lane, {} lanes",
        record.lanes().values().flatten().count(),
        lanes.len()
    );
    second.leave().await;
    fourth.leave().await;
    record.nothing_wrong();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_back_keeps_its_place() {
    let broker = VirtualHost::take();
    let lanes = named(20);
    let record = Arc::new(Record::default());
    let up = watch::Sender::new(true);
    let client = Client::connect(&broker.url, &lanes).await.expect("the broker is there");
    for number in 0..50 {
        for lane in &lanes {
            let id = number.to_string();
            client.publish(lane, "user.get", &id, id.as_bytes()).await.expect("it is stored");
        }
    }
    let begun = Instant::now();
    let workers = ["first", "second"]
        .map(|name| Worker::start(on(&broker.url, &lanes, name), &record, Manner::Fickle, &up));
    record.until("all is done", |r| lanes.iter().all(|lane| r.next_of(lane) == 50)).await;
    println!("1000 messages, a third of the deliveries given back: {:?}", begun.elapsed());
    for worker in workers {
        worker.leave().await;
    }
    record.nothing_wrong();
    for (lane, done) in record.lanes() {
        let numbers: Vec<u64> = done.iter().map(|done| done.number).collect();
        assert_eq!(numbers, (0..50).collect::<Vec<u64>>(), "{lane}");
    }
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_spread_over_the_workers_that_are_there() {
    let broker = VirtualHost::take();
    let lanes = named(40);
    let record = Arc::new(Record::default());
    let up = watch::Sender::new(true);
    let stop = watch::Sender::new(false);
    let start = |name: &str| Worker::start(on(&broker.url, &lanes, name), &record, Manner::Slow, &up);
    let counting = tokio::spawn(count_up(
        broker.url.clone(),
        lanes.clone(),
        Arc::clone(&record),
        up.subscribe(),
        stop.subscribe(),
    ));
    let mut crew = vec![("one", start("one"))];
    record.until("the first has all", |r| as_chosen(&lanes, &["one"], &r.owners())).await;
    for name in ["two", "three"] {
        let before = record.owners();
        let begun = Instant::now();
        crew.push((name, start(name)));
        let names: Vec<&str> = crew.iter().map(|(name, _)| *name).collect();
        record.until("the lanes move", |r| as_chosen(&lanes, &names, &r.owners())).await;
        let moved: BTreeSet<String> = record
            .owners()
            .into_iter()
            .filter(|(lane, who)| before[lane] != *who)
            .map(|(lane, _)| lane)
            .collect();
        assert!(moved.iter().all(|lane| record.owners()[lane] == name), "only the new worker gets lanes");
        println!(
            "{} workers: {} of 40 lanes moved, {:?} after the new one began; between the last by the old and the first by the new: {}",
            names.len(),
            moved.len(),
            begun.elapsed(),
            gaps(&record, &moved, name),
        );
        for name in names {
            let share = record.owners().values().filter(|who| *who == name).count();
            println!("  {name}: {share}");
            assert!(share >= 5, "{name} has {share} lanes of 40");
        }
    }
    stop.send_replace(true);
    let count = counting.await.expect("no panic");
    record.until("all is done", |r| lanes.iter().all(|lane| r.next_of(lane) == count)).await;
    for (_, worker) in crew {
        worker.leave().await;
    }
    record.nothing_wrong();
}

/// How long nobody was at it, for each lane that moved.
fn gaps(record: &Record, moved: &BTreeSet<String>, to: &str) -> String {
    let lanes = record.lanes();
    let mut gaps: Vec<Duration> = Vec::new();
    for lane in moved {
        let done = &lanes[lane];
        let Some(at) = done.iter().position(|done| done.worker == to) else { continue };
        if let Some(before) = at.checked_sub(1) {
            gaps.push(done[at].begun.saturating_duration_since(done[before].ended));
        }
    }
    gaps.sort();
    let at = |part: usize| gaps.get(gaps.len() * part / 100).or(gaps.last()).copied().unwrap_or_default();
    format!("p50 {:?}, longest {:?}", at(50), at(100))
}
