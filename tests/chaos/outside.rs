//! What happens around a worker in the middle of a job: to its browser, its broker, its disk, its app, and to itself.
//!
//! The worker stands still (SIGSTOP) at a named event; then something is done to it; then it goes on.

use futures_util::{StreamExt, stream};
use rustix::process::{Pid, Signal, kill_process};
use seatwright::contract::Outcome;
use serde_json::{Value, json};

use crate::{
    servers::{
        PrivateBroker, VirtualHost,
        corridor::{Lane, Terms, Worker},
    },
    support::control,
    tally::Tally,
    trial::{OPERATIONS, Trial},
    whole,
};

/// What is done to a worker that stands still.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Blow {
    BrowserKilled,
    RendererKilled,
    ConnectionClosed,
    BrokerKilled,
    Term,
    TermTwice,
}

impl Blow {
    const ALL: [Blow; 6] = [
        Blow::BrowserKilled,
        Blow::RendererKilled,
        Blow::ConnectionClosed,
        Blow::BrokerKilled,
        Blow::Term,
        Blow::TermTwice,
    ];

    fn name(self) -> &'static str {
        match self {
            Blow::BrowserKilled => "Chromium: kill -9",
            Blow::RendererKilled => "Chromium: its renderers killed",
            Blow::ConnectionClosed => "broker: closes all connections",
            Blow::BrokerKilled => "broker: kill -9, and started again",
            Blow::Term => "worker: SIGTERM",
            Blow::TermTwice => "worker: SIGTERM twice",
        }
    }
}

/// The moments at which the blow comes.
const MOMENTS: [&str; 5] =
    ["started:1", "session_ready:1", "step_started:5", "commit_reached:1", "verifying:1"];

#[tokio::test(flavor = "multi_thread")]
async fn chaos_blows_from_outside_leave_one_result_and_one_user() {
    let tally = Tally::default();
    let mut number = 0;
    let mut ground = Ground { host: VirtualHost::take(), node: None };
    for blow in Blow::ALL {
        if blow == Blow::BrokerKilled {
            // Queues that are declared a moment before their broker is killed may never answer again (RabbitMQ 3.10).
            let mut broker = PrivateBroker::start();
            let lane = Lane::new(&broker.url, "elder", Terms::default()).await;
            drop(lane.client().await);
            broker.stop();
            broker.again();
            ground.node = Some(broker);
        }
        for (place, moment) in MOMENTS.iter().enumerate() {
            for (turn, operation) in OPERATIONS.into_iter().enumerate() {
                if !whole() && turn != (place + blow as usize) % OPERATIONS.len() {
                    continue;
                }
                if !whole() && place != 1 + 2 * (blow as usize % 2) {
                    continue;
                }
                // Before its first job a worker has no browser.
                if place == 0 && matches!(blow, Blow::BrowserKilled | Blow::RendererKilled) {
                    continue;
                }
                number += 1;
                struck(&mut ground, number, operation, moment, blow, &tally).await;
            }
        }
    }
    tally.close("outside");
}

/// Where the jobs wait.
struct Ground {
    host: VirtualHost,
    /// For the blows that kill the broker.
    node: Option<PrivateBroker>,
}

async fn struck(
    ground: &mut Ground,
    number: usize,
    operation: &'static str,
    moment: &str,
    blow: Blow,
    tally: &Tally,
) {
    let terms = Terms { settle: Some("3s"), more: "retry: { for: 20s }", ..Terms::default() };
    let mut node = ground.node.as_mut().filter(|_| blow == Blow::BrokerKilled);
    let url = node.as_ref().map_or(&ground.host.url, |node| &node.url);
    let mut trial = Trial::new(url, &format!("blow-{number}"), operation, terms).await;
    let mut worker = Worker::start_for(&trial.lane.config, &format!("{moment} STOP"));
    if let Some(broker) = &mut node {
        // The lane's queue is new, too: it grows old as the elder's did.
        worker.says("taking jobs");
        broker.stop();
        worker.says("was lost");
        broker.again();
        trial.client = trial.lane.client().await;
    }
    trial.publish_to(&mut worker).await;
    match blow {
        Blow::BrowserKilled => kill_browser(worker.id(), false),
        Blow::RendererKilled => kill_browser(worker.id(), true),
        Blow::ConnectionClosed => ground.host.close_connections(),
        Blow::BrokerKilled => node.as_mut().expect("it has a node of its own").kill(),
        Blow::Term => worker.signal("TERM"),
        Blow::TermTwice => {
            worker.signal("TERM");
            worker.signal("CONT");
            worker.says("stopping: running jobs are finished");
            worker.signal("TERM");
        }
    }
    worker.signal("CONT");
    if let Some(broker) = &node {
        broker.again();
    }
    let stopped = matches!(blow, Blow::Term | Blow::TermTwice);
    let last = if stopped {
        assert!(worker.ended().success(), "asked to stop, it ends well");
        let mut next = Worker::start(&trial.lane.config);
        next.says("taking jobs");
        next
    } else {
        worker
    };
    let told = match blow {
        Blow::ConnectionClosed | Blow::BrokerKilled => trial.told_elsewhere().await,
        _ => trial.told().await,
    };
    last.stop();
    trial.close(blow.name(), tally, told).await;
}

/// Kills the browser of a worker, or only the processes that its pages live in.
fn kill_browser(worker: u32, renderers: bool) {
    let mut killed = 0;
    for entry in std::fs::read_dir("/proc").expect("processes").flatten() {
        let file = |name: &str| std::fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        let Some(parent) =
            file("stat").rsplit(')').next().and_then(|rest| rest.split(' ').nth(2)?.parse::<u32>().ok())
        else {
            continue;
        };
        let line = file("cmdline");
        let browser = parent == worker && line.contains("--remote-debugging-pipe");
        let renderer = line.contains("--type=renderer") && belongs_to(&entry.path(), worker);
        if (renderers && renderer) || (!renderers && browser) {
            let id = entry.file_name().to_string_lossy().parse().ok().and_then(Pid::from_raw);
            killed += i32::from(id.is_some_and(|id| kill_process(id, Signal::KILL).is_ok()));
        }
    }
    assert!(killed > 0, "no browser of {worker} was found");
}

/// Is a process somewhere below another one?
pub fn belongs_to(process: &std::path::Path, ancestor: u32) -> bool {
    let parent = |process: &std::path::Path| {
        let stat = std::fs::read_to_string(process.join("stat")).ok()?;
        stat.rsplit(')').next()?.split(' ').nth(2)?.parse::<u32>().ok()
    };
    let mut at = process.to_owned();
    while let Some(above) = parent(&at).filter(|above| *above > 1) {
        if above == ancestor {
            return true;
        }
        at = std::path::PathBuf::from(format!("/proc/{above}"));
    }
    false
}

/// The faults of a site, for the route of a commit.
type Fault = fn(&str) -> Value;

/// What an app can do, without anybody being killed.
#[tokio::test(flavor = "multi_thread")]
async fn chaos_an_app_in_trouble_is_told_as_it_is() {
    let broker = VirtualHost::take();
    let tally = Tally::default();
    let commit = |operation: &str| match operation {
        "user.create" => "POST /members",
        "user.update" => "POST /members/{id}",
        _ => "POST /members/{id}/remove",
    };
    let faults: [(&str, Fault); 6] = [
        ("app: 500 after the commit", |on| json!([{ "on": on, "do": "status", "status": 500, "times": 1 }])),
        (
            "app: the connection dropped after the commit",
            |on| json!([{ "on": on, "do": "drop_after", "times": 1 }]),
        ),
        ("app: never answers after the commit", |on| json!([{ "on": on, "do": "hang_after", "times": 1 }])),
        ("app: slow", |on| json!([{ "on": on, "do": "slow", "ms": 2500, "times": 1 }])),
        (
            "app: 503 before the commit",
            |_| json!([{ "on": "GET /members", "do": "status", "status": 503, "skip": 1, "times": 1 }]),
        ),
        (
            "app: ends the session midway",
            |_| json!([{ "on": "GET /members", "do": "session_lost", "skip": 1, "times": 1 }]),
        ),
    ];
    let mut cases = Vec::new();
    for (number, (name, fault)) in faults.into_iter().enumerate() {
        for (turn, operation) in OPERATIONS.into_iter().enumerate() {
            if whole() || turn == (number + 2) % OPERATIONS.len() {
                cases.push((format!("app-{number}-{turn}"), name, fault(commit(operation)), operation));
            }
        }
    }
    let runs = cases.into_iter().map(|(lane, name, fault, operation)| {
        let (broker, tally) = (&broker, &tally);
        async move {
            let terms = Terms { settle: Some("3s"), more: "retry: { for: 20s }", ..Terms::default() };
            let mut trial = Trial::new(&broker.url, &lane, operation, terms).await;
            control(&trial.lane.site, "faults", fault).await;
            let mut worker = Worker::start(&trial.lane.config);
            worker.says("taking jobs");
            // It is delivered twice, too: with the same answer, and no second effect.
            trial.publish().await;
            trial.publish().await;
            let mut told = trial.told().await;
            told.extend(trial.told().await);
            worker.stop();
            trial.close(name, tally, told).await;
        }
    });
    // Most of the time they wait.
    stream::iter(runs).buffer_unordered(3).collect::<Vec<()>>().await;
    tally.close("app");
}

/// Evidence that cannot be kept changes no outcome, and the result says so.
#[tokio::test(flavor = "multi_thread")]
async fn chaos_a_full_disk_for_evidence_changes_no_outcome() {
    let broker = VirtualHost::take();
    let tally = Tally::default();
    for operation in OPERATIONS {
        let name = format!("disk-{}", operation.replace('.', "-"));
        let mut trial = Trial::new(&broker.url, &name, operation, Terms::default()).await;
        // A file where the folder should be: nothing can be written there, whoever one is.
        std::fs::write(trial.lane.folder.path().join("evidence"), "").expect("a file");
        let mut worker = Worker::start(&trial.lane.config);
        worker.says("taking jobs");
        trial.publish().await;
        let told = trial.told().await;
        worker.stop();
        assert_eq!(told[0].outcome, Outcome::Succeeded, "{:?}", told[0].error);
        let evidence = &told[0].evidence;
        assert!(evidence.iter().all(|evidence| evidence.withheld.is_some()), "{evidence:?}");
        trial.close("disk: no room for evidence", &tally, told).await;
    }
    tally.close("disk");
}
