//! Our side of the benchmark: creates users with a warm browser and a warm session, and prints what each took.
//!
//! Argument: PORT. Every line of standard input asks for a block, `FIRST COUNT EVIDENCE`; every create is answered
//! with one line of JSON. The end of the input ends the browser.

use std::{
    collections::BTreeMap,
    io::BufRead,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use anyhow::Context;
use async_trait::async_trait;
use seatwright::{
    adapters::{
        cdp::{Chromium, ChromiumOptions, Sandbox},
        secret_sources::LocalSecrets,
        store::Folder,
    },
    contract::{Job, Outcome},
    engine::inject,
    event::{Event, EventKind, Reader},
    ports::driver::{Browser, Launch},
    worker::{playbooks::Playbooks, runner::JobRunner, sessions::Sessions},
};
use serde_json::json;

struct Bench;

#[async_trait]
impl Launch for Bench {
    async fn launch(&self) -> Result<Arc<dyn Browser>, String> {
        let options = ChromiumOptions { sandbox: Sandbox::Off, ..ChromiumOptions::default() };
        match Chromium::launch(options, inject::SCRIPT).await {
            Ok(browser) => Ok(Arc::new(browser)),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Which part of the job took how long: an event ends the part that it is about.
struct Parts(Mutex<(Instant, BTreeMap<&'static str, f64>)>);

impl Parts {
    fn begin() -> Self {
        Self(Mutex::new((Instant::now(), BTreeMap::new())))
    }

    fn taken(&self) -> BTreeMap<&'static str, f64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }
}

impl Reader for Parts {
    fn event(&self, event: &Event) {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let part = match &event.kind {
            EventKind::SessionReady { .. } => "session",
            EventKind::UserRead { found: false, .. } => "look up",
            EventKind::UserRead { found: true, .. } => "read back",
            EventKind::StepEnded { step, .. } if step.ends_with("[0]") || step.ends_with("[1]") => "open",
            EventKind::StepEnded { step, .. } if step.ends_with("[2]") => "fill",
            EventKind::StepEnded { .. } => "send",
            EventKind::EvidenceKept { .. } => "pictures",
            _ => return,
        };
        let ms = parts.0.elapsed().as_secs_f64() * 1000.0;
        *parts.1.entry(part).or_default() += ms;
        parts.0 = Instant::now();
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Some(port) = std::env::args().skip(1).find(|a| a != "--bench") else {
        eprintln!("run it with benches/job/run");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("password"), "correct horse")?;
    let runner = JobRunner {
        playbooks: Playbooks::read("playbooks".as_ref())?,
        integrations: BTreeMap::new(),
        sessions: Sessions::new(Arc::new(Bench)),
        secrets: Arc::new(LocalSecrets::new(Some(folder.path().to_owned()))),
        evidence: Arc::new(Folder::new(folder.path())),
    };
    let ended = blocks(&runner, &port).await;
    runner.sessions.close().await;
    ended
}

async fn blocks(runner: &JobRunner, port: &str) -> anyhow::Result<()> {
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let [first, count, evidence] = line.split(' ').collect::<Vec<_>>()[..] else {
            anyhow::bail!("not a block: {line}");
        };
        let first: u64 = first.parse()?;
        for n in first..first + count.parse::<u64>()? {
            let job = job(port, n, evidence)?;
            let parts = Arc::new(Parts::begin());
            let begun = Instant::now();
            let result = runner.run(&job, Arc::clone(&parts) as _).await;
            let ms = begun.elapsed().as_secs_f64() * 1000.0;
            anyhow::ensure!(result.outcome == Outcome::Succeeded, "{:?}", result.error);
            let pictures = result.evidence.iter().filter(|e| e.reference.is_some()).count();
            anyhow::ensure!(pictures == if evidence == "none" { 0 } else { 2 }, "{:?}", result.evidence);
            println!("{}", json!({ "ms": ms, "parts": parts.taken() }));
        }
    }
    Ok(())
}

fn job(port: &str, n: u64, evidence: &str) -> anyhow::Result<Job> {
    let job = json!({
        "id": format!("create-{n}"), "app": "ledgerly", "operation": "user.create", "evidence": evidence,
        "integration": { "id": "bench", "settings": { "business_id": "acme", "port": port } },
        "service_account": { "username": "svc@acme.example", "secrets": { "password": "file:password" } },
        "user": {
            "userName": format!("bench{n}@acme.example"),
            "name": { "givenName": "Bench", "familyName": format!("N{n}") },
        },
    });
    Job::parse(job.to_string().as_bytes())
        .map_err(|refusal| anyhow::anyhow!("{}", refusal.failure))
        .context("the benchmark's own job")
}
