//! `seatwright worker`: jobs from the broker.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use tokio::sync::watch;

use super::{
    Ended,
    parts::{ChromiumLauncher, broker_of, chromium, journal_of},
};
use crate::{
    adapters::{amqp::Rabbit, cdp::ChromiumOptions, secret_sources::LocalSecrets, store::Folder},
    config::Config,
    contract::Job,
    event::Readers,
    ports::{driver::Launch, journal::Journal},
    report::Trace,
    telemetry,
    worker::{
        books::Books,
        handle::{Handler, KnownIntegration},
        health::answer,
        serve::{Health, Service, Stop, serve},
        sessions::{Limits, Sessions},
    },
};

/// Take jobs from the broker until it is stopped.
///
/// SIGTERM or SIGINT: begin nothing new, finish what runs, publish, end. A second one: end at once; what ran will be
/// delivered again. The broker may be missing at the start and go in the middle: it is waited for.
#[derive(Debug, clap::Args)]
pub(super) struct Worker {
    /// The worker's configuration.
    #[arg(long, value_name = "FILE", default_value = "seatwright.yaml", env = "SEATWRIGHT_CONFIG")]
    config: PathBuf,
    /// How many jobs run at once; without it, as the configuration says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(usize))]
    slots: Option<usize>,
    /// Logs as JSON, one object a line.
    #[arg(long)]
    log_json: bool,
}

impl Worker {
    pub(super) async fn run(self) -> anyhow::Result<Ended> {
        telemetry::begin(self.log_json, super::terminal::colors(&std::io::stderr()));
        let (tell, stop) = watch::channel(Stop::Run);
        let mut stops = super::Stops::new()?;
        tokio::spawn(async move {
            for next in [Stop::Drain, Stop::Hurry] {
                stops.next().await;
                tracing::info!(
                    "asked to stop: {}",
                    if next == Stop::Drain { "finishing what runs" } else { "at once" }
                );
                tell.send_replace(next);
            }
        });
        let (config, journal) = journal_of(&self.config).await?;
        let url = broker_of(&config, &self.config)?;
        let books = Books::read(&config.playbooks)?;
        for (app, good) in books.apps() {
            if good {
                tracing::info!("playbook {app} is loaded");
            } else {
                tracing::error!("playbook {app} has errors: its jobs are rejected; see `seatwright check`");
            }
        }
        let launch = launcher(chromium(config.browser.executable.clone(), config.browser.allow_no_sandbox))?;
        if config.browser.allow_no_sandbox {
            tracing::warn!("Chromium runs WITHOUT its sandbox, as configured");
        }
        let journal = Arc::new(journal);
        let worker = name();
        let handler = Arc::new(Handler {
            books,
            integrations: known(&config),
            sessions: Sessions::with(launch, Limits::from(&config)),
            secrets: Arc::new(LocalSecrets::new(config.secrets_root.clone())),
            evidence: Arc::new(
                Folder::new(&config.evidence.folder).inline_below(config.evidence.inline_below),
            ),
        });
        let broker = Rabbit {
            url,
            lanes: config.service_accounts.keys().cloned().collect(),
            topology: config.broker.topology,
            heartbeat: config.broker.heartbeat,
            worker: worker.clone(),
            journal: journal.identity().name.clone(),
        };
        let folder = config.evidence.folder.clone();
        let also = also_read();
        let readers = move |job: &Job| match Trace::create(&folder, &job.id) {
            Ok(trace) => also.clone().with(Arc::new(trace)),
            Err(error) => {
                tracing::warn!("no trace of {}: {error}", job.id);
                also.clone()
            }
        };
        let service = Service {
            work: Arc::clone(&handler) as _,
            journal,
            readers: Arc::new(readers),
            worker,
            lanes: config.service_accounts.keys().cloned().collect(),
            slots: self.slots.unwrap_or(config.slots),
            retry_for: config.retry.within,
            keep: config.journal.keep,
        };
        let (health, told) = watch::channel(Health::default());
        if let Some(address) = config.health {
            let listener = tokio::net::TcpListener::bind(address).await.map_err(|error| {
                anyhow::anyhow!("{}: `health: {address}`: {error}", self.config.display())
            })?;
            tokio::spawn(answer(listener, told));
        }
        serve(&broker, service, stop, &health).await;
        handler.sessions.close().await;
        Ok(Ended::Done)
    }
}

/// A name that no other worker has, and that tells a person where to look.
fn name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let host = if host.is_empty() { "worker" } else { host };
    format!("{host}-{}-{:x}", std::process::id(), jiff::Timestamp::now().as_millisecond() & 0xff_ffff)
}

/// Chromium; in a build for tests, what a test asks for.
fn launcher(options: ChromiumOptions) -> anyhow::Result<Arc<dyn Launch>> {
    #[cfg(feature = "fake")]
    if std::env::var("SEATWRIGHT_TEST_BROWSER").is_ok_and(|browser| browser == "fake") {
        return Ok(Arc::new(crate::adapters::fake::TextBrowsers));
    }
    options.check()?;
    Ok(Arc::new(ChromiumLauncher(options)))
}

/// Who else hears of events: in a build for tests, whoever ends the worker in the middle of one.
fn also_read() -> Readers {
    #[cfg(feature = "fake")]
    if let Some(fault) = std::env::var("SEATWRIGHT_TEST_FAULT")
        .ok()
        .and_then(|text| crate::worker::fault::FaultAt::parse(&text))
    {
        return Readers::default().with(Arc::new(fault));
    }
    Readers::default()
}

fn known(config: &Config) -> BTreeMap<String, KnownIntegration> {
    config
        .integrations
        .iter()
        .map(|(id, integration)| {
            let known = KnownIntegration {
                app: integration.app.clone(),
                settings: integration.settings.clone(),
                service_account: config.service_accounts.get(&integration.service_account).cloned(),
                protected: integration.protected.clone(),
            };
            (id.clone(), known)
        })
        .collect()
}
