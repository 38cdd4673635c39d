//! What the queue costs: `cargo bench --bench queue`. Jobs a second through broker, journal, worker and confirmed result, beside
//! the bare rate at which the same client library publishes and is confirmed, in one run.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use seatwright::{
    adapters::{
        amqp::{Client, GatewayMessage, Rabbit},
        journal_sql::SqlJournal,
        secret_sources::LocalSecrets,
        store::Folder,
    },
    config::Topology,
    contract::Outcome,
    event::Readers,
    ports::journal::Journal,
    site::Site,
    worker::{
        consumer::{WorkerParts, serve},
        health::Health,
        playbooks::Playbooks,
        runner::JobRunner,
        sessions::Sessions,
        stop::Shutdown,
    },
};
use serde_json::json;
use testbed::text_browser::TextBrowsers;
use tokio::sync::watch;

const JOBS: usize = 2_000;
const LANES: [usize; 3] = [1, 8, 64];

#[tokio::main]
async fn main() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(&root, folder.path());
    let site = Site::load(&root.join("fixtures/sites/ledgerly")).expect("a site");
    let site = site.serve(([127, 0, 0, 1], 0).into()).await.expect("it is served");
    let playbooks = Playbooks::read(&root.join("playbooks")).expect("playbooks");
    println!(
        "{JOBS} jobs each; `nothing`: refused before it runs, so only queue and journal; `sign-in`: a session is looked at"
    );
    println!("| lanes | published and confirmed | nothing | ratio | sign-in |");
    println!("|---|---|---|---|---|");
    for count in LANES {
        let lanes: Vec<String> = (0..count).map(|lane| format!("l{count}-{lane}")).collect();
        let run = Run {
            url: &broker.url,
            folder: folder.path(),
            playbooks: &playbooks,
            port: site.addr().port(),
            lanes: &lanes,
        };
        let (bare, nothing) = run.rates("nothing", JOBS).await;
        let (_, sign_in) = run.rates("connection.test", JOBS / 4).await;
        println!("| {count} | {bare:.0}/s | {nothing:.0}/s | {:.2} | {sign_in:.0}/s |", nothing / bare);
    }
}

struct Run<'a> {
    url: &'a str,
    folder: &'a Path,
    playbooks: &'a Playbooks,
    port: u16,
    lanes: &'a [String],
}

impl Run<'_> {
    /// Published a second; done a second.
    async fn rates(&self, operation: &str, jobs: usize) -> (f64, f64) {
        let mut client = Client::connect(self.url, self.lanes).await.expect("the broker");
        let begun = Instant::now();
        // As many in flight as there are lanes: the worker has no more either.
        stream::iter(0..jobs)
            .map(|number| {
                let (client, lane) = (&client, &self.lanes[number % self.lanes.len()]);
                let id = format!("{operation}-{lane}-{number}");
                let app = if operation == "nothing" { "nowhere" } else { "ledgerly" };
                let body = json!({
                    "id": id, "app": app, "operation": "connection.test",
                    "integration": { "id": "int", "settings": { "business_id": "acme", "port": self.port.to_string() } },
                    "service_account": { "username": "svc@acme.example", "secrets": { "password": "file:password" } },
                    "evidence": "none",
                })
                .to_string();
                async move { client.publish(lane, operation, &id, body.as_bytes()).await.expect("stored") }
            })
            .buffer_unordered(self.lanes.len())
            .collect::<Vec<()>>()
            .await;
        let published = jobs as f64 / begun.elapsed().as_secs_f64();
        std::fs::write(self.folder.join("password"), "correct horse").expect("a secret");
        let place = tempfile::tempdir_in(self.folder).expect("a folder");
        let journal = format!("sqlite:{}", place.path().join("journal.db").display());
        let journal = Arc::new(SqlJournal::open(&journal).await.expect("a journal"));
        let runner = JobRunner {
            playbooks: self.playbooks.clone(),
            integrations: BTreeMap::new(),
            sessions: Sessions::new(Arc::new(TextBrowsers)),
            secrets: Arc::new(LocalSecrets::new(Some(self.folder.to_owned()))),
            evidence: Arc::new(Folder::new(self.folder.join("evidence"))),
        };
        let rabbit = Rabbit {
            url: self.url.to_owned(),
            lanes: self.lanes.to_vec(),
            topology: Topology::Declare,
            heartbeat: 10,
            worker: "bench".to_owned(),
            journal: journal.identity().name.clone(),
        };
        let parts = WorkerParts {
            work: Arc::new(runner),
            journal,
            readers: Arc::new(|_| Readers::default()),
            worker: "bench".to_owned(),
            lanes: self.lanes.to_vec(),
            slots: self.lanes.len(),
            retry_for: Duration::ZERO,
            keep: Duration::from_hours(1),
        };
        let (stop, stopping) = watch::channel(Shutdown::None);
        let (health, _) = watch::channel(Health::default());
        let begun = Instant::now();
        let gather = async {
            let mut done = 0;
            while done < jobs {
                if let GatewayMessage::Result(result) = client.next().await.expect("the broker stays") {
                    assert!(
                        matches!(result.outcome, Outcome::Rejected | Outcome::Succeeded),
                        "{:?}",
                        result.error
                    );
                    done += 1;
                }
            }
            let rate = jobs as f64 / begun.elapsed().as_secs_f64();
            stop.send_replace(Shutdown::Drain);
            rate
        };
        let ((), rate) = tokio::join!(serve(&rabbit, parts, stopping, &health), gather);
        client.close().await;
        (published, rate)
    }
}

/// A private node, ended with the value.
struct Broker<'a> {
    script: PathBuf,
    folder: &'a Path,
    url: String,
}

impl<'a> Broker<'a> {
    fn start(root: &Path, folder: &'a Path) -> Self {
        let script = root.join("scripts/broker");
        let out =
            Command::new(&script).arg("start").arg(folder.join("broker")).output().expect("scripts/broker");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        Self { script, folder, url: String::from_utf8_lossy(&out.stdout).trim().to_owned() }
    }
}

impl Drop for Broker<'_> {
    fn drop(&mut self) {
        let _ = Command::new(&self.script).arg("kill").arg(self.folder.join("broker")).status();
    }
}
