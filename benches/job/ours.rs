//! Our side of the benchmark: creates users with a warm browser and a warm session, and prints the milliseconds of each.
//!
//! Arguments: PORT FIRST COUNT EVIDENCE (`none` or `commit`).

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use seatwright::{
    adapters::{
        cdp::{Chromium, ChromiumOptions, Sandbox},
        secret_sources::LocalSecrets,
        store::Folder,
    },
    contract::{Job, Outcome},
    engine::inject,
    event::Readers,
    ports::driver::{Browser, Launch},
    worker::{books::Books, handle::Handler, sessions::Sessions},
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

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [port, first, count, evidence] = arguments.as_slice() else {
        eprintln!("run it with benches/job/run");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("password"), "correct horse")?;
    let handler = Handler {
        books: Books::read("playbooks".as_ref())?,
        integrations: BTreeMap::new(),
        sessions: Sessions::new(Arc::new(Bench)),
        secrets: Arc::new(LocalSecrets::new(Some(folder.path().to_owned()))),
        evidence: Arc::new(Folder::new(folder.path())),
    };
    let job = |operation: &str, n: u64| {
        let job = json!({
            "id": format!("{operation}-{n}"), "app": "ledgerly", "operation": operation, "evidence": evidence,
            "integration": { "id": "bench", "settings": { "business_id": "acme", "port": port } },
            "service_account": { "username": "svc@acme.example", "secrets": { "password": "file:password" } },
            "user": { "userName": format!("bench{n}@acme.example"), "name": { "givenName": "Bench", "familyName": format!("N{n}") } },
        });
        Job::parse(job.to_string().as_bytes()).map_err(|refusal| anyhow::anyhow!("{}", refusal.failure))
    };
    let readers = || Arc::new(Readers::default());
    handler.work(&job("connection.test", 0)?, readers()).await;
    let first: u64 = first.parse()?;
    for n in first..first + count.parse::<u64>()? {
        let job = job("user.create", n)?;
        let begun = std::time::Instant::now();
        let result = handler.work(&job, readers()).await;
        let ms = begun.elapsed().as_secs_f64() * 1000.0;
        anyhow::ensure!(result.outcome == Outcome::Succeeded, "{:?}", result.error);
        println!("{ms:.1}");
    }
    handler.sessions.close().await;
    Ok(())
}
