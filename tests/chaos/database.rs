//! PostgreSQL as the journal: a worker that dies around its commit, and the server that dies in the middle of a job.

use futures_util::{StreamExt, stream};

use crate::{
    kill::killed_at,
    servers::{
        VirtualHost,
        corridor::{Terms, Worker},
        postgres::PrivatePostgres,
    },
    tally::Tally,
    trial::{OPERATIONS, Trial},
    whole,
};

/// What lies around the commit.
const EVENTS: [&str; 8] = [
    "taken_up",
    "evidence_kept",
    "commit_reached",
    "step_ended",
    "verifying",
    "finished",
    "concluded",
    "published",
];

fn journal(server: &PrivatePostgres, name: &str) -> String {
    format!("journal: {{ url: '{}' }}", server.database(name))
}

#[tokio::test(flavor = "multi_thread")]
async fn chaos_a_journal_in_postgresql_keeps_every_promise() {
    let (broker, server) = (VirtualHost::take(), PrivatePostgres::start());
    let tally = Tally::default();
    workers_die(&broker, &server, &tally).await;
    the_server_dies(&broker, &server, &tally).await;
    tally.close("postgres");
}

async fn workers_die(broker: &VirtualHost, server: &PrivatePostgres, tally: &Tally) {
    let mut cases = Vec::new();
    for operation in OPERATIONS {
        for event in EVENTS {
            if whole() || (operation, event) == ("user.create", "commit_reached") {
                cases.push((operation, event));
            }
        }
    }
    let runs = cases.into_iter().enumerate().map(|(number, (operation, event))| {
        let journal = journal(server, &format!("kill{number}"));
        // The step that commits, counted from the first one of the sign-in.
        let step = match operation {
            "user.create" => 8,
            "user.update" => 7,
            _ => 6,
        };
        let nth = if event == "step_ended" { step } else { 1 };
        async move {
            let name = format!("PostgreSQL, worker: kill -9 at {event}");
            killed_at(&broker.url, (number, &journal), &name, operation, (event, nth), tally).await;
        }
    });
    stream::iter(runs).buffer_unordered(3).collect::<Vec<()>>().await;
}

async fn the_server_dies(broker: &VirtualHost, server: &PrivatePostgres, tally: &Tally) {
    for (number, moment) in ["step_started:2", "commit_reached:1", "verifying:1"].into_iter().enumerate() {
        for (turn, operation) in OPERATIONS.into_iter().enumerate() {
            if !whole() && (number, turn) != (1, 1) {
                continue;
            }
            let journal = journal(server, &format!("dies{number}x{turn}"));
            let terms = Terms { settle: Some("3s"), more: &journal, ..Terms::default() };
            let mut trial = Trial::new(&broker.url, &format!("dies-{number}-{turn}"), operation, terms).await;
            let mut worker = Worker::start_for(&trial.lane.config, &format!("{moment} STOP"));
            trial.publish_to(&mut worker).await;
            server.kill();
            worker.signal("CONT");
            worker.says("the journal cannot be written or read");
            server.again();
            let told = trial.told().await;
            worker.stop();
            trial.close("PostgreSQL: kill -9, and started again", tally, told).await;
        }
    }
}
