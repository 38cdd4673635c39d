//! A worker whose jobs end when the test says so, and as it says: all of it but the app.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use seatwright::{
    adapters::journal_sql::SqlJournal,
    contract::{Failure, Job, JobRefusal, JobResult, Outcome},
    event::{Reader, Readers},
    ports::{
        journal::{Entry, Journal},
        queue::{Broker, BrokerConnection, QueueError},
    },
    worker::{
        consumer::{WorkerParts, serve},
        health::Health,
        stop::Shutdown,
        turn::{Done, Turn, Work},
    },
};
use serde_json::json;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use crate::servers::{VirtualHost, corridor::job};

use super::{
    crew::{Admin, deadline, rabbit},
    kept::result,
    within,
};

/// The user name of each integration's own account.
pub const OWN: &str = "svc";

/// A job whose turn it is.
pub struct Begun {
    pub job: String,
    end: oneshot::Sender<JobResult>,
}

impl Begun {
    pub fn ends(self, outcome: Outcome) {
        self.ends_with(outcome, None);
    }

    pub fn ends_with(self, outcome: Outcome, error: Option<Failure>) {
        let end = JobResult { outcome, error, ..result(&self.job) };
        // Whoever was killed meanwhile does not hear of it.
        let _ = self.end.send(end);
    }
}

/// Called for every job that is answered without a turn, before it is.
type OnRefusal = Box<dyn Fn() + Send>;

struct Hands {
    tell: mpsc::UnboundedSender<Begun>,
    on_refusal: Arc<Mutex<Option<OnRefusal>>>,
}

#[async_trait]
impl Work for Hands {
    async fn turn(&self, job: &Job, _turn: &Turn<'_>, _events: Arc<dyn Reader>) -> Done {
        let (end, ended) = oneshot::channel();
        self.tell.send(Begun { job: job.id.clone(), end }).expect("the test goes on");
        Done { result: ended.await.expect("the test says how it ends"), commit_reached: false }
    }

    fn refuse(&self, refusal: &JobRefusal, id: &str) -> JobResult {
        if let Some(on_refusal) = &*self.on_refusal.lock().expect("no panics") {
            on_refusal();
        }
        JobResult { outcome: Outcome::Failed, error: Some(refusal.failure.clone()), ..result(id) }
    }

    fn subject(&self, job: &Job) -> Option<String> {
        job.user.as_ref().and_then(|user| user.user_name.clone())
    }

    fn supplied_account(&self, job: &Job) -> Option<String> {
        let username = &job.service_account.as_ref()?.username;
        (username != OWN).then(|| format!("{}/{username}", job.integration.id))
    }

    fn settle_time(&self, _app: &str) -> Duration {
        Duration::from_secs(10)
    }
}

/// One worker in this process.
pub struct Shift {
    begun: mpsc::UnboundedReceiver<Begun>,
    on_refusal: Arc<Mutex<Option<OnRefusal>>>,
    stop: watch::Sender<Shutdown>,
    serving: JoinHandle<()>,
}

impl Shift {
    pub fn start(url: &str, lanes: &[&str], slots: usize, journal: &Arc<SqlJournal>) -> Self {
        Self::start_at(rabbit(url, lanes, "hands"), lanes, slots, journal)
    }

    pub fn start_at(
        broker: impl Broker + 'static,
        lanes: &[&str],
        slots: usize,
        journal: &Arc<SqlJournal>,
    ) -> Self {
        let (tell, begun) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(Shutdown::None);
        let on_refusal = Arc::default();
        let parts = WorkerParts {
            work: Arc::new(Hands { tell, on_refusal: Arc::clone(&on_refusal) }),
            journal: Arc::clone(journal) as _,
            readers: Arc::new(|_: &Job| Readers::default()),
            worker: "hands".to_owned(),
            lanes: lanes.iter().map(|lane| (*lane).to_owned()).collect(),
            slots,
            retry_for: Duration::ZERO,
            keep: Duration::from_secs(3600),
        };
        let (health, _) = watch::channel(Health::default());
        let serving = tokio::spawn(async move { serve(&broker, parts, stopped, &health).await });
        Self { begun, on_refusal, stop, serving }
    }

    /// The next job whose turn it is.
    pub async fn begins(&mut self) -> Begun {
        within(self.begun.recv()).await.expect("the worker goes on")
    }

    pub fn on_refusal(&self, what: impl Fn() + Send + 'static) {
        *self.on_refusal.lock().expect("no panics") = Some(Box::new(what));
    }

    /// Asks it to finish what runs.
    pub fn drains(&self) {
        self.stop.send_replace(Shutdown::Drain);
    }

    pub async fn ended(self) {
        within(self.serving).await.expect("no panic");
    }

    /// It drains, and has nothing left to do.
    pub async fn stops(self) {
        self.drains();
        self.ended().await;
    }
}

/// A lane `acme` at a broker of its own, with a journal, before anybody works.
pub struct Ground {
    pub broker: VirtualHost,
    pub journal: Arc<SqlJournal>,
    pub admin: Admin,
    _folder: tempfile::TempDir,
}

impl Ground {
    pub async fn new() -> Self {
        let broker = VirtualHost::take();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let journal = journal(&folder).await;
        declared(&broker.url, &["acme"]).await.expect("the broker is there");
        let admin = Admin::new(&broker.url).await;
        Self { broker, journal, admin, _folder: folder }
    }

    /// A worker with one slot.
    pub fn shift(&self) -> Shift {
        Shift::start(&self.broker.url, &["acme"], 1, &self.journal)
    }
}

pub async fn journal(folder: &tempfile::TempDir) -> Arc<SqlJournal> {
    let url = format!("sqlite:{}/journal.db", folder.path().display());
    Arc::new(SqlJournal::open(&url).await.unwrap_or_else(|error| panic!("{error}")))
}

/// Somebody is to be removed.
pub fn removal(id: &str, user: &str) -> Vec<u8> {
    job(id, "user.delete", json!({ "user": { "userName": user } }))
}

/// A removal that ended `indeterminate`, and that a person has to decide about.
pub async fn lost(journal: &SqlJournal, lane: &str, id: &str) -> JobResult {
    let entry = Entry {
        job: id.to_owned(),
        digest: String::new(),
        lane: lane.to_owned(),
        worker: "before".to_owned(),
        app: "ledgerly".to_owned(),
        operation: seatwright::contract::Operation::UserDelete,
        integration: "int-42".to_owned(),
        user: Some("ada".to_owned()),
        body: removal(id, "ada"),
        reply_to: None,
    };
    let told = JobResult { outcome: Outcome::Indeterminate, ..result(id) };
    journal.claim(&entry).await.expect("a journal");
    journal.intend(id, 1, "remove").await.expect("a journal");
    journal.conclude(id, 1, &told, None).await.expect("a journal");
    journal.published(&told).await.expect("a journal");
    told
}

/// The next result that waits where all results wait.
pub async fn next_result(admin: &Admin) -> JobResult {
    let next = async {
        loop {
            if let Some(body) = admin.get("seatwright.results").await {
                return serde_json::from_slice(&body).expect("a result");
            }
        }
    };
    deadline(Duration::from_secs(90), "no result", next).await
}

/// Everything is declared, and nobody is there.
pub async fn declared(url: &str, lanes: &[&str]) -> Result<(), QueueError> {
    let epoch: Box<dyn BrokerConnection> = rabbit(url, lanes, "first").connect().await?;
    epoch.close().await;
    Ok(())
}
