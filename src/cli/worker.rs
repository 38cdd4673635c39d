//! `seatwright worker`: jobs from the broker.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc};

use tokio::{net::TcpListener, sync::watch};

use super::{
    Exit,
    parts::{ChromiumLauncher, broker_of, chromium, journal_of},
};
use crate::{
    adapters::{
        amqp::Rabbit, cdp::ChromiumOptions, journal_sql::SqlJournal, secret_sources::LocalSecrets,
        store::Folder,
    },
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

/// Take jobs from the broker until the worker is stopped.
///
/// The first SIGTERM or SIGINT: the worker takes no new job, finishes the running jobs, publishes their results, and
/// ends. A second signal ends it at once; the broker then delivers the running jobs again. While the broker is not
/// there, the worker waits for it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Environment:
  SEATWRIGHT_LOG  How much is logged: info (the default), debug, or for example seatwright=debug.

Exit codes:
  0  The worker was stopped by a signal.
  3  Not ready: the configuration, the playbooks, the journal or Chromium cannot be used.")]
pub(super) struct WorkerCommand {
    /// The worker's configuration, described in docs/configuration.md.
    #[arg(long, value_name = "FILE", default_value = "seatwright.yaml", env = "SEATWRIGHT_CONFIG")]
    config: PathBuf,
    /// How many jobs run at the same time, for example 4. Without it: `slots` in the configuration, which is 2 by default.
    #[arg(long, value_name = "N", value_parser = super::at_least_one)]
    slots: Option<usize>,
    /// Log JSON, one object per line.
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
        let name = journal.identity().name.clone();
        let (parts, runner) = parts_of(&config, journal, launch, also, self.slots)?;
        let broker = Rabbit {
            url,
            lanes: parts.lanes.clone(),
            topology: config.broker.topology,
            heartbeat: config.broker.heartbeat,
            worker: parts.worker.clone(),
            journal: name,
        };
        let health = self.answer_health(config.health).await?;
        serve(&broker, parts, stop, &health).await;
        runner.sessions.close().await;
        Ok(Exit::Done)
    }

    /// Serves `/livez` and `/readyz`, if the configuration has an address for them.
    async fn answer_health(&self, address: Option<SocketAddr>) -> anyhow::Result<watch::Sender<Health>> {
        let (health, latest) = watch::channel(Health::default());
        if let Some(address) = address {
            let listener = TcpListener::bind(address).await.map_err(|error| {
                anyhow::anyhow!(
                    "{}: `health: {address}`: the worker cannot listen there: {error}",
                    self.config.display()
                )
            })?;
            tokio::spawn(answer(listener, latest));
        }
        Ok(health)
    }
}

/// The parts of a worker, as configured.
pub(super) fn parts_of(
    config: &Config,
    journal: SqlJournal,
    launch: Option<Arc<dyn Launch>>,
    also: Readers,
    slots: Option<usize>,
) -> anyhow::Result<(WorkerParts, Arc<JobRunner>)> {
    let playbooks = Playbooks::read(&config.playbooks)?;
    log_playbooks(&playbooks);
    let chromium = chromium(config.browser.executable.clone(), config.browser.allow_no_sandbox);
    let launch = launch.map_or_else(|| chromium_launcher(chromium), Ok)?;
    if config.browser.allow_no_sandbox {
        tracing::warn!("Chromium runs WITHOUT its sandbox, as configured");
    }
    let runner = Arc::new(JobRunner {
        playbooks,
        integrations: known(config),
        sessions: Sessions::with(launch, Limits::from(config)),
        secrets: Arc::new(LocalSecrets::new(config.secrets_root.clone())),
        evidence: Arc::new(Folder::new(&config.evidence.folder).inline_below(config.evidence.inline_below)),
    });
    let parts = WorkerParts {
        work: Arc::clone(&runner) as _,
        journal: Arc::new(journal),
        readers: Arc::new(readers(config.evidence.folder.clone(), also)),
        worker: name(),
        lanes: config.service_accounts.keys().cloned().collect(),
        slots: slots.unwrap_or(config.slots),
        retry_for: config.retry.within,
        keep: config.journal.keep,
    };
    Ok((parts, runner))
}

/// The first signal drains the worker, the second signal ends it at once.
pub(super) fn stop_on_signals() -> std::io::Result<watch::Receiver<Shutdown>> {
    let (sender, stop) = watch::channel(Shutdown::None);
    let mut signals = super::StopSignals::new()?;
    tokio::spawn(async move {
        for next in [Shutdown::Drain, Shutdown::Now] {
            signals.next().await;
            tracing::info!(
                "stopping: {}",
                if next == Shutdown::Drain { "running jobs are finished" } else { "at once" }
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
            tracing::error!("playbook {app} has errors, and its jobs are rejected: run `seatwright check`");
        }
    }
}

/// Writes the events of a job into its trace, and passes them to those who read all jobs.
fn readers(folder: PathBuf, also: Readers) -> impl Fn(&Job) -> Readers {
    move |job| match Trace::create(&folder, &job.id) {
        Ok(trace) => also.clone().with(Arc::new(trace)),
        Err(error) => {
            tracing::warn!("the trace of {} cannot be written: {error}", job.id);
            also.clone()
        }
    }
}

/// A name that no other worker has. It contains the host and the process id, so that people find the worker.
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
