//! `seatwright worker`: jobs from the broker.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc};

use tokio::{net::TcpListener, sync::watch};

use super::{
    Exit,
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
        consumer::{WorkerParts, serve},
        health::{Health, answer},
        integration::KnownIntegration,
        playbooks::Playbooks,
        runner::JobRunner,
        sessions::{Limits, Sessions},
        stop::Shutdown,
    },
};

/// Take jobs from the broker until it is stopped.
///
/// SIGTERM or SIGINT: begin nothing new, finish what runs, publish, end. A second one: end at once; what ran will be
/// delivered again. The broker may be missing at the start and go in the middle: it is waited for.
#[derive(Debug, clap::Args)]
pub(super) struct WorkerCommand {
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

impl WorkerCommand {
    /// `launch` starts the browsers; without it, Chromium does, as configured. `also` gets the events of every job.
    pub(super) async fn run_with(
        self,
        launch: Option<Arc<dyn Launch>>,
        also: Readers,
    ) -> anyhow::Result<Exit> {
        telemetry::begin(self.log_json, super::terminal::colors(&std::io::stderr()));
        let stop = stop_on_signals()?;
        let (config, journal) = journal_of(&self.config).await?;
        let url = broker_of(&config, &self.config)?;
        let playbooks = Playbooks::read(&config.playbooks)?;
        log_playbooks(&playbooks);
        let chromium = chromium(config.browser.executable.clone(), config.browser.allow_no_sandbox);
        let launch = launch.map_or_else(|| chromium_launcher(chromium), Ok)?;
        if config.browser.allow_no_sandbox {
            tracing::warn!("Chromium runs WITHOUT its sandbox, as configured");
        }
        let journal = Arc::new(journal);
        let worker = name();
        let lanes: Vec<String> = config.service_accounts.keys().cloned().collect();
        let runner = Arc::new(JobRunner {
            playbooks,
            integrations: known(&config),
            sessions: Sessions::with(launch, Limits::from(&config)),
            secrets: Arc::new(LocalSecrets::new(config.secrets_root.clone())),
            evidence: Arc::new(
                Folder::new(&config.evidence.folder).inline_below(config.evidence.inline_below),
            ),
        });
        let broker = Rabbit {
            url,
            lanes: lanes.clone(),
            topology: config.broker.topology,
            heartbeat: config.broker.heartbeat,
            worker: worker.clone(),
            journal: journal.identity().name.clone(),
        };
        let parts = WorkerParts {
            work: Arc::clone(&runner) as _,
            journal,
            readers: Arc::new(readers(config.evidence.folder.clone(), also)),
            worker,
            lanes,
            slots: self.slots.unwrap_or(config.slots),
            retry_for: config.retry.within,
            keep: config.journal.keep,
        };
        let health = self.answer_health(config.health).await?;
        serve(&broker, parts, stop, &health).await;
        runner.sessions.close().await;
        Ok(Exit::Done)
    }

    /// Answers questions about the worker's health, where the configuration has an address for them.
    async fn answer_health(&self, address: Option<SocketAddr>) -> anyhow::Result<watch::Sender<Health>> {
        let (health, latest) = watch::channel(Health::default());
        if let Some(address) = address {
            let listener = TcpListener::bind(address).await.map_err(|error| {
                anyhow::anyhow!("{}: `health: {address}`: {error}", self.config.display())
            })?;
            tokio::spawn(answer(listener, latest));
        }
        Ok(health)
    }
}

/// The first signal drains the worker, the second one ends it at once.
fn stop_on_signals() -> std::io::Result<watch::Receiver<Shutdown>> {
    let (sender, stop) = watch::channel(Shutdown::None);
    let mut signals = super::StopSignals::new()?;
    tokio::spawn(async move {
        for next in [Shutdown::Drain, Shutdown::Now] {
            signals.next().await;
            tracing::info!(
                "asked to stop: {}",
                if next == Shutdown::Drain { "finishing what runs" } else { "at once" }
            );
            sender.send_replace(next);
        }
    });
    Ok(stop)
}

fn log_playbooks(playbooks: &Playbooks) {
    for (app, good) in playbooks.apps() {
        if good {
            tracing::info!("playbook {app} is loaded");
        } else {
            tracing::error!("playbook {app} has errors: its jobs are rejected; see `seatwright check`");
        }
    }
}

/// A job's events go into its trace, and to those who read all jobs.
fn readers(folder: PathBuf, also: Readers) -> impl Fn(&Job) -> Readers {
    move |job| match Trace::create(&folder, &job.id) {
        Ok(trace) => also.clone().with(Arc::new(trace)),
        Err(error) => {
            tracing::warn!("no trace of {}: {error}", job.id);
            also.clone()
        }
    }
}

/// A name that no other worker has, and that tells a person where to look.
fn name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let host = if host.is_empty() { "worker" } else { host };
    format!("{host}-{}-{:x}", std::process::id(), jiff::Timestamp::now().as_millisecond() & 0xff_ffff)
}

fn chromium_launcher(options: ChromiumOptions) -> anyhow::Result<Arc<dyn Launch>> {
    options.check()?;
    Ok(Arc::new(ChromiumLauncher(options)))
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
