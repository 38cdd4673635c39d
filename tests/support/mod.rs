//! What several suites need: a site, a runner with the real browser.
#![allow(dead_code, reason = "every suite uses a part of it")]

pub mod processes;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use seatwright::{
    adapters::{
        cdp::{Chromium, ChromiumOptions, Sandbox},
        secret_sources::LocalSecrets,
        store::Folder,
    },
    contract::{Job, JobResult},
    engine::inject,
    event::{Event, EventKind, Reader, Readers},
    ports::driver::{Browser, Launch},
    site::{RunningSite, Site},
    worker::{playbooks::Playbooks, runner::JobRunner, sessions::Sessions},
};
use serde_json::{Value, json};

/// The repository.
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().find(|folder| folder.join("Cargo.lock").exists()).expect("a workspace").to_owned()
}

/// The password of the fixture site's service account. Nothing that is kept or shown may hold it.
pub const PASSWORD: &str = "correct horse";

/// A fixture site on a free port.
pub async fn site(name: &str) -> RunningSite {
    let site = Site::load(&root().join("fixtures/sites").join(name)).expect("the fixture site can be read");
    site.serve(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("the fixture site can be served")
}

/// The member with this address, in the site's own state.
pub fn member(site: &RunningSite, email: &str) -> Option<Value> {
    let world = site.world();
    let members = world["members"].as_array().expect("the site has members");
    let mut found = members.iter().filter(|m| m["email"] == email);
    let first = found.next().cloned();
    assert!(found.next().is_none(), "{email} is there twice");
    first
}

/// Talks to the site's control side.
pub async fn control(site: &RunningSite, what: &str, body: Value) {
    control_at(site.addr(), what, body).await;
}

async fn control_at(site: SocketAddr, what: &str, body: Value) {
    let url = format!("http://{site}/_site/{what}");
    let answer = reqwest::Client::new().post(url).json(&body).send().await.expect("the site answers");
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap_or_default());
}

/// Starts the real browser. As root it has no sandbox: that is what tests may do, and the product may not.
pub struct RealBrowser;

pub fn browser_options() -> ChromiumOptions {
    ChromiumOptions { sandbox: Sandbox::Off, ..ChromiumOptions::default() }
}

#[async_trait]
impl Launch for RealBrowser {
    async fn launch(&self) -> Result<Arc<dyn Browser>, String> {
        match Chromium::launch(browser_options(), inject::SCRIPT).await {
            Ok(browser) => Ok(Arc::new(browser)),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Remembers every event.
#[derive(Default)]
pub struct Heard(pub Mutex<Vec<Event>>);

impl Reader for Heard {
    fn event(&self, event: &Event) {
        self.0.lock().expect("no test panics while it holds this").push(event.clone());
    }
}

/// Makes faults on a site at the moment when a run begins to read what its commit has done.
pub struct FaultsAtReadBack {
    pub site: SocketAddr,
    pub faults: Value,
}

impl Reader for FaultsAtReadBack {
    fn event(&self, event: &Event) {
        if matches!(event.kind, EventKind::Verifying) {
            let made = control_at(self.site, "faults", self.faults.clone());
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(made));
        }
    }
}

/// The steps of a sign-in with two fields, for the playbooks of apps that a test makes itself.
pub const LOGIN: &str = r#"    - open: /login
    - form: { Email: "{{ account.username }}" }
    - fill: { into: { label: Password }, secret: password }
    - click: { button: Sign in }
"#;

/// A runner whose secret `password` and evidence are in this folder.
pub fn runner(folder: &Path, playbooks: Playbooks, launch: Arc<dyn Launch>) -> JobRunner {
    std::fs::write(folder.join("password"), PASSWORD).expect("the secret can be written");
    JobRunner {
        playbooks,
        integrations: BTreeMap::new(),
        sessions: Sessions::new(launch),
        secrets: Arc::new(LocalSecrets::new(Some(folder.to_owned()))),
        evidence: Arc::new(Folder::new(folder.join("evidence"))),
    }
}

/// A site, a runner with the real browser, and a folder for evidence.
pub struct Bench {
    pub site: RunningSite,
    pub runner: JobRunner,
    pub heard: Arc<Heard>,
    pub folder: tempfile::TempDir,
}

impl Bench {
    pub async fn new() -> Self {
        Self::with(
            Playbooks::read(&root().join("playbooks")).expect("the playbooks can be read"),
            Arc::new(RealBrowser),
        )
        .await
    }

    pub async fn with(playbooks: Playbooks, launch: Arc<dyn Launch>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("wrong"), "not the password").expect("the secret can be written");
        let runner = runner(folder.path(), playbooks, launch);
        Self { site: site("ledgerly").await, runner, heard: Arc::default(), folder }
    }

    /// A job about a user of the fixture site, with more keys.
    pub fn job(&self, operation: &str, more: Value) -> Job {
        let mut job = json!({
            "id": format!("job-{operation}"),
            "app": "ledgerly",
            "operation": operation,
            "integration": { "id": "int-42", "settings": { "business_id": "acme", "port": self.site.addr().port().to_string() } },
            "service_account": { "username": "svc@acme.example", "secrets": { "password": "file:password" } },
        });
        if let (Some(job), Some(more)) = (job.as_object_mut(), more.as_object()) {
            job.extend(more.clone());
        }
        Job::parse(job.to_string().as_bytes()).unwrap_or_else(|refusal| panic!("{}", refusal.failure))
    }

    /// Does a job, and sees that nothing that is told or kept holds the password.
    pub async fn run(&self, operation: &str, more: Value) -> JobResult {
        let job = self.job(operation, more);
        let readers = Readers::default().with(Arc::clone(&self.heard) as Arc<dyn Reader>);
        let result = self.runner.run(&job, Arc::new(readers)).await;
        let told = serde_json::to_string(&result).expect("a result is JSON");
        let events =
            serde_json::to_string(&*self.heard.0.lock().expect("no panic")).expect("events are JSON");
        for (place, text) in [("result", &told), ("events", &events)] {
            assert!(!text.contains(PASSWORD), "the password stands in the {place}");
        }
        result
    }

    pub async fn end(self) {
        self.runner.sessions.close().await;
        self.site.stop().await;
    }
}

/// Ada, as a gateway would send her.
pub fn ada() -> Value {
    json!({ "userName": "ada@acme.example", "name": { "givenName": "Ada", "familyName": "Byron" } })
}
