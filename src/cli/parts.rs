//! The adapters behind the ports, and the arguments that choose them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use clap::builder::BoolishValueParser;

use crate::{
    adapters::{
        cdp::{Chromium, ChromiumOptions, Sandbox},
        journal_sql::SqlJournal,
    },
    config::Config,
    engine::inject,
    ports::driver::{Browser, Launch},
};

/// Which browser is started, and how.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct BrowserArguments {
    /// The Chromium program, for example /usr/bin/chromium. Without it: the first that is found, the headless shell
    /// before the full browser.
    #[arg(long, value_name = "PROGRAM", env = "SEATWRIGHT_BROWSER")]
    pub browser: Option<PathBuf>,
    /// Start Chromium without its sandbox: only for tests and trials. A page that breaks out of Chromium then controls
    /// your account.
    #[arg(long, env = "SEATWRIGHT_ALLOW_NO_SANDBOX", value_parser = BoolishValueParser::new())]
    pub allow_no_sandbox: bool,
}

impl BrowserArguments {
    pub fn options(&self) -> ChromiumOptions {
        chromium(self.browser.clone(), self.allow_no_sandbox)
    }
}

/// How Chromium is started, from arguments or from a configuration.
pub(super) fn chromium(executable: Option<PathBuf>, allow_no_sandbox: bool) -> ChromiumOptions {
    let sandbox = if allow_no_sandbox { Sandbox::Off } else { Sandbox::Required };
    ChromiumOptions { executable, sandbox, extra_args: Vec::new() }
}

/// A worker's configuration, and its journal.
pub(super) async fn journal_of(file: &Path) -> anyhow::Result<(Config, SqlJournal)> {
    let config = Config::read(file)?;
    let url = config.journal_url().map_err(|reason| anyhow::anyhow!("{}: {reason}", file.display()))?;
    let journal = SqlJournal::open(&url).await?;
    Ok((config, journal))
}

/// The address of a configuration's broker.
pub(super) fn broker_of(config: &Config, file: &Path) -> anyhow::Result<String> {
    config.broker_url().map_err(|reason| anyhow::anyhow!("{}: {reason}", file.display()))
}

/// Which broker.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct BrokerArguments {
    /// The worker's configuration. It has the address of the broker.
    #[arg(long, value_name = "FILE", default_value = "seatwright.yaml", env = "SEATWRIGHT_CONFIG")]
    config: PathBuf,
    /// The address of the broker, instead of --config. For example amqp://user:password@127.0.0.1:5672.
    #[arg(long, value_name = "URL", env = "SEATWRIGHT_BROKER", hide_env_values = true)]
    broker: Option<String>,
}

impl BrokerArguments {
    pub fn url(&self) -> anyhow::Result<String> {
        if let Some(url) = &self.broker {
            return Ok(url.clone());
        }
        let config = Config::read(&self.config)
            .map_err(|e| anyhow::anyhow!("{e}.\nOr name the broker: --broker URL"))?;
        config.broker_url().map_err(|reason| anyhow::anyhow!("{}: {reason}", self.config.display()))
    }
}

/// Starts Chromium, with the script that runs inside each page.
pub(super) struct ChromiumLauncher(pub ChromiumOptions);

#[async_trait]
impl Launch for ChromiumLauncher {
    async fn launch(&self) -> Result<Arc<dyn Browser>, String> {
        match Chromium::launch(self.0.clone(), inject::SCRIPT).await {
            Ok(browser) => Ok(Arc::new(browser)),
            Err(error) => Err(error.to_string()),
        }
    }
}
