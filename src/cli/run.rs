//! `seatwright run`: one job, no broker.

use std::{collections::BTreeMap, io::Read, path::PathBuf, sync::Arc};

use anyhow::Context;

use super::{
    Exit, failure,
    parts::{BrowserArguments, ChromiumLauncher},
    terminal::note,
};
use crate::{
    adapters::{secret_sources::LocalSecrets, store::Folder},
    config::Config,
    contract::{Job, Outcome},
    event::Readers,
    report::{Console, Trace},
    worker::{
        playbooks::Playbooks,
        runner::JobRunner,
        sessions::{Limits, Sessions},
        turn::Work,
    },
};

/// Do one job without a broker, and print its result as JSON.
///
/// The progress goes to standard error. Pictures and a trace go into a folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  The outcome is succeeded, no_change or pending_external.
  1  The job has another outcome.
  3  Not ready: the job file, the playbooks, Chromium or its sandbox is missing.")]
pub(super) struct RunCommand {
    /// The job, a JSON file, for example fixtures/jobs/create.json; or `-` for standard input.
    job: PathBuf,
    /// The folder of the playbooks, one folder per app: DIR/ledgerly/playbook.yaml.
    #[arg(long, value_name = "DIR", default_value = "playbooks", env = "SEATWRIGHT_PLAYBOOKS")]
    playbooks: PathBuf,
    /// The folder for pictures and traces.
    #[arg(long, value_name = "DIR", default_value = "out/evidence")]
    evidence: PathBuf,
    /// The folder of secrets that the job names as file:PATH. Without it, these secrets cannot be read.
    #[arg(long, value_name = "DIR")]
    secrets_root: Option<PathBuf>,
    /// Set one setting of the integration, for example port=4711. It overrides the setting in the job. May be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
    #[command(flatten)]
    browser: BrowserArguments,
}

fn setting(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .ok_or_else(|| "write NAME=VALUE, for example port=4711".to_owned())
}

impl RunCommand {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let body = read(&self.job)?;
        let options = self.browser.options();
        options.check()?;
        let launch = Arc::new(ChromiumLauncher(options));
        let runner = JobRunner {
            playbooks: Playbooks::read(&self.playbooks)?,
            integrations: BTreeMap::new(),
            sessions: Sessions::with(launch, Limits::from(&Config::default())),
            secrets: Arc::new(LocalSecrets::new(self.secrets_root)),
            evidence: Arc::new(Folder::new(&self.evidence)),
        };
        let result = match Job::parse(&body) {
            Ok(mut job) => {
                job.integration.settings.extend(self.settings);
                let readers = Readers::default().with(Arc::new(Console));
                let readers = match Trace::create(&self.evidence, &job.id) {
                    Ok(trace) => readers.with(Arc::new(trace)),
                    // A job is done without its evidence, too. Its result says what could not be kept.
                    Err(error) => {
                        note(format_args!(
                            "  no trace: {} cannot be written: {error}",
                            self.evidence.display()
                        ));
                        readers
                    }
                };
                let result = runner.run(&job, Arc::new(readers)).await;
                runner.sessions.close().await;
                result
            }
            Err(refusal) => runner.refuse(&refusal, refusal.id.as_deref().unwrap_or("unknown")),
        };
        println!("{}", serde_json::to_string_pretty(&result)?);
        // Once more for people, who look at the end.
        if let Some(error) = &result.error {
            let folder = self.playbooks.join(result.app.as_deref().unwrap_or_default());
            let pictures = failure::pictures(&result.evidence, &self.evidence);
            for line in failure::lines(error, &folder).iter().chain(&pictures) {
                note(format_args!("  {line}"));
            }
        }
        let good =
            matches!(result.outcome, Outcome::Succeeded | Outcome::NoChange | Outcome::PendingExternal);
        Ok(if good { Exit::Done } else { Exit::NotDone })
    }
}

fn read(path: &PathBuf) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin().read_to_end(&mut body).context("standard input cannot be read")?;
    } else {
        body = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    }
    Ok(body)
}
