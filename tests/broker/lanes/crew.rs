//! Workers that play with numbers: each message of a lane is a number, and the record says who did which, when.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures_util::{StreamExt, future::join_all};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{
        BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueBindOptions,
        QueueDeclareOptions, QueueDeleteOptions,
    },
    types::FieldTable,
};
use seatwright::{
    adapters::amqp::{Client, Rabbit},
    config::Topology,
    ports::queue::{Arrival, Broker, BrokerConnection, Delivery},
};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};

/// A worker's side of the broker.
pub fn rabbit(url: &str, lanes: &[&str], worker: &str) -> Rabbit {
    Rabbit {
        url: url.to_owned(),
        lanes: lanes.iter().map(|lane| (*lane).to_owned()).collect(),
        topology: Topology::Declare,
        heartbeat: 10,
        worker: worker.to_owned(),
        journal: "ours".to_owned(),
    }
}

pub async fn deadline<T>(time: Duration, missing: &str, what: impl Future<Output = T>) -> T {
    tokio::time::timeout(time, what).await.unwrap_or_else(|_| panic!("{missing} within {time:?}"))
}

/// The next delivery of an epoch; whatever else arrives is of no interest.
pub async fn delivery(epoch: &mut dyn BrokerConnection) -> Delivery {
    let next = async {
        loop {
            match epoch.next().await {
                Some(Arrival::Delivery(delivery)) => return delivery,
                Some(_) => {}
                None => panic!("the epoch is over"),
            }
        }
    };
    deadline(Duration::from_secs(30), "no delivery", next).await
}

/// One message whose body is its id.
pub async fn publish(url: &str, lane: &str, id: &str) {
    let client = Client::connect(url, &[lane.to_owned()]).await.expect("the broker is there");
    client.publish(lane, "user.get", id, id.as_bytes()).await.expect("it is stored");
    client.close().await;
}

/// A hand on the broker, without any of our code.
pub struct Admin {
    pub channel: Channel,
    _connection: Connection,
}

impl Admin {
    pub async fn new(url: &str) -> Self {
        let connection =
            Connection::connect(url, ConnectionProperties::default()).await.expect("a connection");
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
        Self { channel, _connection: connection }
    }

    pub async fn classic_queue(&self, name: &str) {
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        self.channel.queue_declare(name.into(), options, FieldTable::default()).await.expect("a queue");
    }

    pub async fn delete_queue(&self, name: &str) {
        self.channel.queue_delete(name.into(), QueueDeleteOptions::default()).await.expect("it is deleted");
    }

    pub async fn put(&self, exchange: &str, key: &str, body: &[u8]) {
        let options = BasicPublishOptions::default();
        let properties = BasicProperties::default().with_delivery_mode(2);
        let sent = self.channel.basic_publish(exchange.into(), key.into(), options, body, properties);
        sent.await.expect("it is sent").await.expect("it is stored");
    }

    /// Takes one message.
    pub async fn get(&self, queue: &str) -> Option<Vec<u8>> {
        let got = self.channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await;
        got.expect("the queue is there").map(|message| message.delivery.data)
    }

    /// How many messages wait.
    pub async fn count(&self, queue: &str) -> u32 {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        let queue = self.channel.queue_declare(queue.into(), options, FieldTable::default()).await;
        queue.expect("the queue is there").message_count()
    }

    /// Until this worker has said so often that it is there.
    pub async fn hear_of(&self, worker: &str, mut times: u32) {
        let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
        let queue =
            self.channel.queue_declare("".into(), options, FieldTable::default()).await.expect("a queue");
        let name = queue.name().clone();
        let options = QueueBindOptions::default();
        let bound = self.channel.queue_bind(
            name.clone(),
            "seatwright.workers".into(),
            "".into(),
            options,
            FieldTable::default(),
        );
        bound.await.expect("it is bound");
        let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let mut heard = self
            .channel
            .basic_consume(name, "".into(), options, FieldTable::default())
            .await
            .expect("a consumer");
        while times > 0 {
            let next = deadline(Duration::from_secs(10), "no presence", heard.next()).await;
            let body = next.expect("a message").expect("a message").data;
            let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
            times -= u32::from(body["worker"] == worker);
        }
    }
}

/// Something that was done of a lane.
#[derive(Debug, Clone)]
pub struct Done {
    pub number: u64,
    pub worker: String,
    pub begun: Instant,
    pub ended: Instant,
}

/// What everybody did.
#[derive(Default)]
pub struct Record {
    inner: Mutex<Inner>,
    pub changed: Notify,
}

#[derive(Default)]
struct Inner {
    lanes: BTreeMap<String, Vec<Done>>,
    /// Who is at it, by lane.
    busy: BTreeMap<String, String>,
    dead: BTreeSet<String>,
    wrong: Vec<String>,
}

/// A lane is busy as long as this lives.
struct Busy {
    record: Arc<Record>,
    lane: String,
    worker: String,
}

impl Record {
    fn begin(self: &Arc<Self>, lane: &str, worker: &str, lost: &watch::Receiver<bool>) -> Busy {
        let mut inner = self.inner.lock().expect("no panics");
        let before = inner.busy.insert(lane.to_owned(), worker.to_owned());
        // Who is cut off learns that a moment after the next one has begun: the gate is for that.
        if let Some(before) = before
            && !inner.dead.contains(&before)
            && !*lost.borrow()
        {
            inner.wrong.push(format!("{lane}: {before} and {worker} at once"));
        }
        Busy { record: Arc::clone(self), lane: lane.to_owned(), worker: worker.to_owned() }
    }

    /// The irreversible step. A worker that was killed does nothing.
    fn commit(&self, lane: &str, number: u64, worker: &str, begun: Instant) {
        let mut inner = self.inner.lock().expect("no panics");
        if inner.dead.contains(worker) {
            return;
        }
        let done = inner.lanes.entry(lane.to_owned()).or_default();
        let last = done.last().map(|done| done.number);
        let good = last.map_or(number == 0, |last| number == last || number == last + 1);
        done.push(Done { number, worker: worker.to_owned(), begun, ended: Instant::now() });
        if !good {
            inner.wrong.push(format!("{lane}: {number} after {last:?} by {worker}"));
        }
        drop(inner);
        self.changed.notify_waiters();
    }

    pub fn dies(&self, worker: &str) {
        self.inner.lock().expect("no panics").dead.insert(worker.to_owned());
    }

    pub fn lanes(&self) -> BTreeMap<String, Vec<Done>> {
        self.inner.lock().expect("no panics").lanes.clone()
    }

    /// How far a lane is.
    pub fn next_of(&self, lane: &str) -> u64 {
        let inner = self.inner.lock().expect("no panics");
        inner.lanes.get(lane).and_then(|done| done.last()).map_or(0, |done| done.number + 1)
    }

    /// Who did the last of each lane.
    pub fn owners(&self) -> BTreeMap<String, String> {
        let last = |(lane, done): (String, Vec<Done>)| Some((lane, done.last()?.worker.clone()));
        self.lanes().into_iter().filter_map(last).collect()
    }

    /// How often a worker did something.
    pub fn by(&self, worker: &str) -> usize {
        self.lanes().values().flatten().filter(|done| done.worker == worker).count()
    }

    pub async fn until(&self, what: &str, good: impl Fn(&Self) -> bool) {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                if good(self) {
                    return;
                }
                changed.await;
            }
        };
        deadline(Duration::from_secs(60), what, wait).await;
    }

    pub fn nothing_wrong(&self) {
        let wrong = self.inner.lock().expect("no panics").wrong.clone();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut inner = self.record.inner.lock().expect("no panics");
        if inner.busy.get(&self.lane) == Some(&self.worker) {
            inner.busy.remove(&self.lane);
        }
    }
}

/// What a worker does with a delivery, once it could.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Ack,
    /// Takes its time, so that there is always something waiting.
    Slow,
    /// Gives back every third time or so, for a moment.
    Fickle,
}

/// A worker with a runtime of its own, so that it can be killed.
pub struct Worker {
    name: String,
    record: Arc<Record>,
    runtime: Option<tokio::runtime::Runtime>,
    leave: watch::Sender<bool>,
    left: Option<tokio::task::JoinHandle<()>>,
}

impl Worker {
    /// `up`: it connects only while the broker is there.
    pub fn start(rabbit: Rabbit, record: &Arc<Record>, manner: Manner, up: &watch::Sender<bool>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let (leave, leaving) = watch::channel(false);
        let name = rabbit.worker.clone();
        let left = runtime.spawn(work(rabbit, Arc::clone(record), manner, leaving, up.subscribe()));
        Self { name, record: Arc::clone(record), runtime: Some(runtime), leave, left: Some(left) }
    }

    /// Finishes what it does, and closes.
    pub async fn leave(mut self) {
        self.leave.send_replace(true);
        let left = self.left.take().expect("once");
        deadline(Duration::from_secs(30), "the worker did not end", left).await.expect("no panic");
    }

    /// It is gone from one moment to the next, with its sockets.
    pub fn kill(mut self) {
        self.record.dies(&self.name);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn work(
    rabbit: Rabbit,
    record: Arc<Record>,
    manner: Manner,
    mut leaving: watch::Receiver<bool>,
    mut up: watch::Receiver<bool>,
) {
    while !*leaving.borrow() {
        let _ = up.wait_for(|up| *up).await;
        let Ok(mut epoch) = rabbit.connect().await else { continue };
        let mut running = JoinSet::new();
        loop {
            let arrival = tokio::select! {
                biased;
                _ = leaving.wait_for(|leave| *leave) => break,
                arrival = epoch.next() => arrival,
            };
            match arrival {
                Some(Arrival::Delivery(delivery)) => {
                    running.spawn(one(delivery, Arc::clone(&record), rabbit.worker.clone(), manner));
                }
                Some(_) => {}
                None => break,
            }
            while running.try_join_next().is_some() {}
        }
        while running.join_next().await.is_some() {}
        epoch.close().await;
    }
}

async fn one(delivery: Delivery, record: Arc<Record>, worker: String, manner: Manner) {
    let begun = Instant::now();
    let busy = record.begin(&delivery.lane, &worker, &delivery.lost);
    let number: u64 = std::str::from_utf8(&delivery.body).expect("text").parse().expect("a number");
    let chance = RandomState::new().build_hasher().finish();
    let fickle = manner == Manner::Fickle && chance.is_multiple_of(3);
    for _ in 0..if manner == Manner::Slow { 20 } else { 0 } {
        let _ = delivery.handle.still_ours().await;
    }
    let ours = delivery.handle.still_ours().await;
    if fickle {
        drop(busy);
        let pause = Duration::from_millis(number % 4);
        return delivery.handle.release(Some(pause)).await;
    }
    if ours.is_ok() {
        record.commit(&delivery.lane, number, &worker, begun);
    }
    drop(busy);
    let _ = delivery.handle.ack().await;
}

/// Publishes numbers to all lanes until it is told to stop, never more than a few ahead; a number again until it is stored.
pub async fn count_up(
    url: String,
    lanes: Vec<String>,
    record: Arc<Record>,
    mut up: watch::Receiver<bool>,
    stop: watch::Receiver<bool>,
) -> u64 {
    let mut client = None;
    let mut number = 0;
    loop {
        if *stop.borrow() {
            return number;
        }
        let id = number.to_string();
        let mut missing: Vec<&String> = lanes.iter().collect();
        while !missing.is_empty() {
            let Some(here) = &client else {
                let _ = up.wait_for(|up| *up).await;
                client = Client::connect(&url, &lanes).await.ok();
                continue;
            };
            let sending = missing.iter().map(|lane| here.publish(lane, "user.get", &id, id.as_bytes()));
            let sent = join_all(sending).await;
            missing = missing
                .into_iter()
                .zip(sent)
                .filter(|(_, sent)| sent.is_err())
                .map(|(lane, _)| lane)
                .collect();
            if !missing.is_empty() {
                client = None;
            }
        }
        number += 1;
        let ahead = |record: &Record| lanes.iter().all(|lane| number < record.next_of(lane) + 8);
        record.until("the lanes go on", ahead).await;
    }
}
