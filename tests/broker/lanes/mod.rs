//! The broker's side of a worker on a real RabbitMQ, without a browser: who has which delivery, and that nothing is lost,
//! done twice at once, or done out of turn.

mod accounts;
mod claim;
mod crew;
mod hands;
mod kept;
mod operator;
mod settled;
mod spread;
mod taken_back;

use std::{
    future::Future,
    time::{Duration, Instant},
};

use crate::servers::VirtualHost;
use crew::{deadline, delivery, publish, rabbit};
use seatwright::{
    config::Topology,
    ports::queue::{Arrival, Broker, QueueError},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_is_paused_parked_and_taken_up_again() {
    let broker = VirtualHost::take();
    let mut first = rabbit(&broker.url, &["acme"], "first").connect().await.expect("the broker is there");
    let mut second = rabbit(&broker.url, &["acme"], "second").connect().await.expect("the broker is there");
    for id in ["1", "2", "3", "4", "5"] {
        publish(&broker.url, "acme", id).await;
    }
    // What is being done is finished; the next one is for the other.
    let one = delivery(&mut *first).await;
    first.pause("acme");
    one.handle.still_ours().await.expect("a paused lane keeps what is out");
    one.handle.ack().await.expect("it is ours");
    let two = delivery(&mut *second).await;
    assert_eq!(two.body, b"2");
    two.handle.ack().await.expect("it is ours");
    // Parked: only a resume brings the lane back, and the message keeps its place.
    let three = delivery(&mut *second).await;
    assert_eq!(three.body, b"3");
    first.resume("acme");
    three.handle.release(None).await;
    let three = delivery(&mut *first).await;
    assert_eq!((three.body.as_slice(), three.redelivered), (&b"3"[..], true));
    three.handle.ack().await.expect("it is ours");
    // The fourth is delivered to `first`, which never asks for it: it goes back, and keeps its place.
    second.resume("acme");
    first.pause("acme");
    let four = delivery(&mut *second).await;
    assert_eq!(four.body, b"4");
    first.resume("acme");
    let mut lost = four.lost.clone();
    assert!(!*lost.borrow_and_update());
    four.handle.release(None).await;
    assert!(*lost.borrow_and_update(), "a delivery that was given back is not ours");
    let four = delivery(&mut *first).await;
    assert_eq!(four.body, b"4");
    four.handle.ack().await.expect("it is ours");
    // Dropped without a word, as by a task that was ended: it counts as given back.
    let five = delivery(&mut *first).await;
    first.pause("acme");
    second.resume("acme");
    drop(five);
    let five = delivery(&mut *second).await;
    assert_eq!((five.body.as_slice(), five.redelivered), (&b"5"[..], true));
    five.handle.ack().await.expect("it is ours");
    first.close().await;
    second.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_topology_is_told_and_nothing_is_deleted() {
    let broker = VirtualHost::take();
    let admin = crew::Admin::new(&broker.url).await;
    let said = |told: Result<_, QueueError>| match told {
        Err(QueueError::Topology(text)) => text,
        Err(other) => panic!("not told as a matter of topology: {other}"),
        Ok(_) => panic!("it was taken"),
    };
    // A classic queue under a name of ours, with something in it.
    admin.classic_queue("seatwright.dead").await;
    admin.put("", "seatwright.dead", b"precious").await;
    let text = said(rabbit(&broker.url, &["acme"], "w").connect().await.map(drop));
    for word in [
        "queue seatwright.dead",
        "inequivalent arg 'x-overflow'",
        "current is none",
        "passive",
        "delete it yourself",
    ] {
        assert!(text.contains(word), "`{word}` is missing: {text}");
    }
    assert_eq!(admin.get("seatwright.dead").await.as_deref(), Some(&b"precious"[..]));
    admin.delete_queue("seatwright.dead").await;
    // A lane's queue that is not there, for who may not make it.
    rabbit(&broker.url, &["acme"], "w").connect().await.expect("it makes everything").close().await;
    let passive = seatwright::adapters::amqp::Rabbit {
        topology: Topology::Passive,
        ..rabbit(&broker.url, &["acme", "globex"], "w")
    };
    let text = said(passive.connect().await.map(drop));
    for word in ["queue seatwright.jobs.globex", "lane `globex`", "does not exist", "declare"] {
        assert!(text.contains(word), "`{word}` is missing: {text}");
    }
    let passive = seatwright::adapters::amqp::Rabbit {
        topology: Topology::Passive,
        ..rabbit(&broker.url, &["acme"], "w")
    };
    passive.connect().await.expect("everything is there").close().await;
    let off =
        seatwright::adapters::amqp::Rabbit { topology: Topology::Off, ..rabbit(&broker.url, &["acme"], "w") };
    off.connect().await.expect("nobody looks").close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_starts_without_the_queue_of_expired_messages() {
    let broker = VirtualHost::take();
    let admin = crew::Admin::new(&broker.url).await;
    let worker =
        |topology| seatwright::adapters::amqp::Rabbit { topology, ..rabbit(&broker.url, &["acme"], "w") };
    let works = async |topology: Topology, body: &str| {
        let mut epoch = worker(topology).connect().await.expect("it starts");
        publish(&broker.url, "acme", body).await;
        let one = delivery(&mut *epoch).await;
        assert_eq!(one.body, body.as_bytes());
        one.handle.still_ours().await.expect("the connection stays");
        one.handle.ack().await.expect("it is ours");
        epoch.close().await;
    };
    // An older version has made the others.
    works(Topology::Declare, "1").await;
    admin.delete_queue("seatwright.expired").await;
    works(Topology::Passive, "2").await;
    works(Topology::Off, "3").await;
    // Somebody has made it, with other arguments, and keeps something in it.
    admin.classic_queue("seatwright.expired").await;
    admin.put("", "seatwright.expired", b"precious").await;
    works(Topology::Declare, "4").await;
    assert_eq!(admin.get("seatwright.expired").await.as_deref(), Some(&b"precious"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_and_a_foreign_journal_are_heard_of() {
    let broker = VirtualHost::take();
    let told = seatwright::adapters::amqp::cancel(&broker.url, "job-7").await;
    assert!(matches!(told, Err(QueueError::Topology(_))), "no worker was ever here: {told:?}");
    let mut ours =
        rabbit(&broker.url, &["acme", "globex"], "ours").connect().await.expect("the broker is there");
    assert_eq!(seatwright::adapters::amqp::cancel(&broker.url, "job-7").await, Ok(true));
    match next(&mut *ours).await {
        Arrival::Cancel(job) => assert_eq!(job, "job-7"),
        _ => panic!("no cancel"),
    }
    // Another journal, but no lane of ours: that is its own affair. And one that shares a lane.
    let mut stranger = rabbit(&broker.url, &["initech"], "elsewhere");
    stranger.journal = "other".to_owned();
    let elsewhere = stranger.connect().await.expect("the broker is there");
    let mut stranger = rabbit(&broker.url, &["globex"], "stranger");
    stranger.journal = "other".to_owned();
    let mut stranger = stranger.connect().await.expect("the broker is there");
    match next(&mut *ours).await {
        Arrival::ForeignJournal { worker } => assert_eq!(worker, "stranger"),
        _ => panic!("nobody said so"),
    }
    match next(&mut *stranger).await {
        Arrival::ForeignJournal { worker } => assert_eq!(worker, "ours"),
        _ => panic!("nobody said so"),
    }
    // Once: it is heard of again and again, and the next thing to arrive is something else.
    crew::Admin::new(&broker.url).await.hear_of("stranger", 4).await;
    assert_eq!(seatwright::adapters::amqp::cancel(&broker.url, "job-8").await, Ok(true));
    match next(&mut *ours).await {
        Arrival::Cancel(job) => assert_eq!(job, "job-8"),
        _ => panic!("told twice"),
    }
    for epoch in [ours, stranger, elsewhere] {
        epoch.close().await;
    }
    // Everybody is gone, and their queues with them.
    let gone = Instant::now();
    while seatwright::adapters::amqp::cancel(&broker.url, "job-9").await != Ok(false) {
        assert!(gone.elapsed() < Duration::from_secs(20), "the queues of workers that left stay");
    }
}

async fn next(epoch: &mut dyn seatwright::ports::queue::BrokerConnection) -> Arrival {
    within(epoch.next()).await.expect("the epoch goes on")
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    deadline(Duration::from_secs(30), "nothing happened", what).await
}
