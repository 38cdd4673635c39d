//! Is a delivery still ours?

use std::time::{Duration, Instant};

use seatwright::ports::queue::{Broker, BrokerConnection, Delivery};

use crate::servers::VirtualHost;

use super::{
    crew::{Admin, deadline, delivery, publish, rabbit},
    within,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_ours_until_the_broker_has_it_back() {
    let broker = VirtualHost::take();
    let acme = || rabbit(&broker.url, &["acme"], "w");
    let mut epoch = acme().connect().await.expect("the broker is there");
    publish(&broker.url, "acme", "1").await;
    let one = delivery(&mut *epoch).await;
    let mut times = Vec::new();
    for _ in 0..1000 {
        let begun = Instant::now();
        one.handle.still_ours().await.expect("it is ours");
        times.push(begun.elapsed());
    }
    times.sort();
    println!("the gate: p50 {:?}, p99 {:?}", times[500], times[990]);

    // Its queue is deleted: the broker cancels the consumer, and the channel stays open.
    Admin::new(&broker.url).await.delete_queue("seatwright.jobs.acme").await;
    not_ours(&one).await;
    within(one.lost.clone().wait_for(|lost| *lost)).await.expect("it is told");
    assert!(one.handle.ack().await.is_err());
    over(&mut *epoch).await;
    epoch.close().await;

    // Its connection is closed by an operator.
    let mut epoch = acme().connect().await.expect("the queue is made again");
    publish(&broker.url, "acme", "2").await;
    let two = delivery(&mut *epoch).await;
    two.handle.still_ours().await.expect("it is ours");
    broker.close_connections();
    not_ours(&two).await;
    within(two.lost.clone().wait_for(|lost| *lost)).await.expect("it is told");
    assert!(two.handle.ack().await.is_err());
    over(&mut *epoch).await;
    epoch.close().await;

    // It was given back, and comes again.
    let mut epoch = acme().connect().await.expect("the broker is there");
    let two = delivery(&mut *epoch).await;
    assert!(two.redelivered);
    let mut lost = two.lost.clone();
    assert!(!*lost.borrow_and_update());
    two.handle.release(Some(Duration::ZERO)).await;
    assert!(*lost.borrow());
    let two = delivery(&mut *epoch).await;
    two.handle.still_ours().await.expect("it is ours again");
    // The epoch is closed around it.
    epoch.close().await;
    assert!(two.handle.still_ours().await.is_err());
    assert!(two.handle.ack().await.is_err());
}

/// The broker says so a moment after it has done it.
async fn not_ours(delivery: &Delivery) {
    let begun = Instant::now();
    let wait = async { while delivery.handle.still_ours().await.is_ok() {} };
    deadline(Duration::from_secs(10), "it stays ours", wait).await;
    println!("known not to be ours after {:?}", begun.elapsed());
}

async fn over(epoch: &mut dyn BrokerConnection) {
    while within(epoch.next()).await.is_some() {}
}
