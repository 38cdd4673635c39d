//! `seatwright worker`: jobs from the broker.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use tokio::sync::watch;

use super::{Ended, parts::ChromiumLauncher};
use crate::{
    adapters::{
        amqp::Rabbit,
        cdp::{ChromiumOptions, Sandbox},
        secret_sources::LocalSecrets,
        store::Folder,
    },
    config::Config,
    contract::Job,
    event::Readers,
    report::Trace,
    telemetry,
    worker::{
        books::Books,
        handle::{Handler, KnownIntegration},
        serve::{Stop, serve},
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
    /// Logs as JSON, one object a line.
    #[arg(long)]
    log_json: bool,
}

impl Worker {
    pub(super) async fn run(self) -> anyhow::Result<Ended> {
        telemetry::begin(self.log_json);
        let config = Config::read(&self.config)?;
        let url =
            config.broker_url().map_err(|reason| anyhow::anyhow!("{}: {reason}", self.config.display()))?;
        let books = Books::read(&config.playbooks)?;
        for (app, good) in books.apps() {
            if good {
                tracing::info!("playbook {app} is loaded");
            } else {
                tracing::error!("playbook {app} has errors: its jobs are rejected; see `seatwright check`");
            }
        }
        let sandbox = if config.browser.allow_no_sandbox {
            tracing::warn!("Chromium runs WITHOUT its sandbox, as configured");
            Sandbox::Off
        } else {
            Sandbox::Required
        };
        let options = ChromiumOptions {
            executable: config.browser.executable.clone(),
            sandbox,
            extra_args: Vec::new(),
        };
        let handler = Arc::new(Handler {
            books,
            integrations: known(&config),
            sessions: Sessions::with(Arc::new(ChromiumLauncher(options)), Limits::from(&config)),
            secrets: Arc::new(LocalSecrets::new(config.secrets_root.clone())),
            evidence: Arc::new(Folder::new(&config.evidence)),
        });
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let name = format!("{}-{}", host.trim(), std::process::id());
        let broker = Rabbit {
            url,
            lanes: config.service_accounts.keys().cloned().collect(),
            topology: config.broker.topology,
            heartbeat: config.broker.heartbeat,
            // Nothing is kept yet: what one worker did, no other knows.
            journal: name.clone(),
            worker: name,
        };
        let (tell, stop) = watch::channel(Stop::Run);
        tokio::spawn(async move {
            for next in [Stop::Drain, Stop::Hurry] {
                if super::run_until_stopped().await.is_err() {
                    return;
                }
                tracing::info!(
                    "asked to stop: {}",
                    if next == Stop::Drain { "finishing what runs" } else { "at once" }
                );
                tell.send_replace(next);
            }
        });
        let folder = config.evidence.clone();
        let readers = move |job: &Job| match Trace::create(&folder, &job.id) {
            Ok(trace) => Readers::default().with(Arc::new(trace)),
            Err(error) => {
                tracing::warn!("no trace of {}: {error}", job.id);
                Readers::default()
            }
        };
        serve(&broker, Arc::clone(&handler) as _, config.slots, Arc::new(readers), stop).await;
        handler.sessions.close().await;
        Ok(Ended::Done)
    }
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
