//! `seatwright gateway`: SCIM for identity providers.

use std::{path::PathBuf, sync::Arc};

use tokio::{net::TcpListener, sync::watch};

use super::{
    Exit,
    parts::{broker_of, journal_of},
    worker::{parts_of, stop_on_signals},
};
use crate::{
    adapters::{amqp::RabbitPost, inline::InlineQueue, mirror_sql::SqlMirror},
    config::Config,
    event::Readers,
    gateway::{integration::Served, keeper::Keeper, mail::carry, serve::ScimServer},
    ports::driver::Launch,
    telemetry,
    worker::{consumer::serve, health::Health, playbooks::Playbooks, stop::Shutdown},
};

/// Serve SCIM 2.0 for the integrations of the configuration, until the gateway is stopped.
///
/// Each integration has the address http://HOST/scim/INTEGRATION/v2. Make a token for it: `seatwright token add
/// INTEGRATION`. With --with-worker, the gateway also does the jobs, and needs no broker.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Environment:
  SEATWRIGHT_LOG  How much is logged: info (the default), debug, or for example seatwright=debug.

Exit codes:
  0  The gateway was stopped by a signal.
  3  Not ready: the configuration, the playbooks, the mirror or the address cannot be used.")]
pub(super) struct GatewayCommand {
    /// The configuration, described in docs/configuration.md.
    #[arg(long, value_name = "FILE", default_value = "seatwright.yaml", env = "SEATWRIGHT_CONFIG")]
    config: PathBuf,
    /// Do the jobs in this process, too. Without a broker.
    #[arg(long)]
    with_worker: bool,
    /// Log JSON, one object per line.
    #[arg(long)]
    log_json: bool,
}

impl GatewayCommand {
    /// `launch` starts the browsers; without it, Chromium does. `also` gets the events of every job.
    pub(super) async fn run_with(
        self,
        launch: Option<Arc<dyn Launch>>,
        also: Readers,
    ) -> anyhow::Result<Exit> {
        telemetry::begin(self.log_json, super::terminal::colors(&std::io::stderr()));
        let stop = stop_on_signals()?;
        let config = Config::read(&self.config)?;
        let url =
            config.mirror_url().map_err(|reason| anyhow::anyhow!("{}: {reason}", self.config.display()))?;
        let mirror = Arc::new(SqlMirror::open(&url).await?);
        let keeper = Arc::new(Keeper::new(mirror, served(&config)?));
        let address = config.gateway.listen;
        let listener = TcpListener::bind(address).await.map_err(|error| {
            anyhow::anyhow!(
                "{}: `gateway.listen: {address}`: the gateway cannot listen there: {error}",
                self.config.display()
            )
        })?;
        let public_url = config.gateway.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
        for id in keeper.integrations.keys() {
            tracing::info!("SCIM for {id}: {}/scim/{id}/v2", public_url.trim_end_matches('/'));
        }
        let scim = Arc::new(ScimServer::new(Arc::clone(&keeper), &public_url));
        tokio::spawn(scim.serve(listener));
        let lanes: Vec<String> = config.service_accounts.keys().cloned().collect();
        if self.with_worker {
            let queue = InlineQueue::new(lanes);
            tokio::spawn(carry(keeper, Arc::new(queue.clone())));
            return self.work(&config, queue, launch, also, stop).await;
        }
        let post = RabbitPost {
            url: broker_of(&config, &self.config)?,
            lanes,
            topology: config.broker.topology,
            heartbeat: config.broker.heartbeat,
        };
        let mut stop = stop;
        tokio::select! {
            () = carry(keeper, Arc::new(post)) => {}
            _ = stop.changed() => {}
        }
        Ok(Exit::Done)
    }

    /// Does the jobs until the gateway is stopped.
    async fn work(
        &self,
        config: &Config,
        queue: InlineQueue,
        launch: Option<Arc<dyn Launch>>,
        also: Readers,
        stop: watch::Receiver<Shutdown>,
    ) -> anyhow::Result<Exit> {
        let (_, journal) = journal_of(&self.config).await?;
        let (parts, runner) = parts_of(config, journal, launch, also, None)?;
        let (health, _latest) = watch::channel(Health::default());
        serve(&queue, parts, stop, &health).await;
        runner.sessions.close().await;
        Ok(Exit::Done)
    }
}

/// The integrations of the configuration whose playbooks are valid.
fn served(config: &Config) -> anyhow::Result<Vec<Served>> {
    let playbooks = Playbooks::read(&config.playbooks)?;
    let mut all = Vec::new();
    for (id, integration) in &config.integrations {
        match playbooks.of(&integration.app) {
            Ok(source) => all.push(Served::new(
                id,
                &integration.service_account,
                &source.playbook,
                integration.scim,
                config.gateway.wait,
            )),
            Err(failure) => tracing::error!("the integration {id} is not served: {failure}"),
        }
    }
    Ok(all)
}
