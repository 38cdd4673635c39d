//! `seatwright enqueue`: publishes jobs by hand, as a gateway does.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::{Exit, terminal::note};
use crate::{
    adapters::amqp::{Client, GatewayMessage},
    config::Config,
    contract::{JobResult, Outcome, WireEvent},
};

/// Publish jobs, show their progress, and wait for their results.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  Every job succeeded or changed nothing.
  1  At least one job did not.
  3  Not ready: the broker or a file is missing, or a result did not arrive in time.")]
pub(super) struct EnqueueCommand {
    /// Job files (JSON). They are published in this order.
    #[arg(required = true)]
    jobs: Vec<PathBuf>,
    /// The worker's configuration. It has the address of the broker, and the lane of each integration.
    #[arg(long, value_name = "FILE", env = "SEATWRIGHT_CONFIG", required_unless_present = "broker")]
    config: Option<PathBuf>,
    /// The address of the broker, for example amqp://user:password@127.0.0.1:5672. It overrides the configuration.
    #[arg(long, value_name = "URL", env = "SEATWRIGHT_BROKER", hide_env_values = true)]
    broker: Option<String>,
    /// The lane of jobs whose integration is not in the configuration, for example acme.
    #[arg(long, value_name = "LANE", default_value = "unknown")]
    lane: String,
    /// How long to wait for all results, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    wait: u64,
    /// Print the whole results as JSON, one per line.
    #[arg(long)]
    json: bool,
}

impl EnqueueCommand {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let config = self.config.as_deref().map(Config::read).transpose()?;
        let url = match (&self.broker, &config) {
            (Some(url), _) => url.clone(),
            (None, Some(config)) => config.broker_url().map_err(anyhow::Error::msg)?,
            (None, None) => anyhow::bail!("no broker is named: give --broker URL or --config FILE"),
        };
        let lanes: Vec<String> = config.iter().flat_map(|c| c.service_accounts.keys().cloned()).collect();
        let mut client = Client::connect(&url, &lanes).await?;
        let mut waiting = BTreeSet::new();
        for path in &self.jobs {
            let body = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
            // Only the worker judges jobs: a file that is not a job is published, too.
            let value: Value = serde_json::from_slice(&body).unwrap_or_default();
            let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
            let id = value["id"].as_str().unwrap_or(&name).to_owned();
            let operation = value["operation"].as_str().unwrap_or("unknown");
            let lane = self.lane_of(config.as_ref(), &value);
            client.publish(&lane, operation, &id, &body).await?;
            waiting.insert(id);
        }
        let good =
            tokio::time::timeout(Duration::from_secs(self.wait), self.wait_for(&mut client, &mut waiting))
                .await;
        client.close().await;
        match good {
            Ok(good) => Ok(if good? { Exit::Done } else { Exit::NotDone }),
            Err(_) => {
                let missing = waiting.into_iter().collect::<Vec<_>>().join(", ");
                anyhow::bail!(
                    "no result of {missing} within {} s.\nIs a worker of this lane running? `seatwright lanes` shows stopped lanes; `--wait SECONDS` waits longer",
                    self.wait
                )
            }
        }
    }

    fn lane_of(&self, config: Option<&Config>, job: &Value) -> String {
        let id = job.pointer("/integration/id").and_then(Value::as_str).unwrap_or_default();
        let known = config.and_then(|c| c.integrations.get(id)).map(|i| i.service_account.clone());
        known.unwrap_or_else(|| self.lane.clone())
    }

    async fn wait_for(&self, client: &mut Client, waiting: &mut BTreeSet<String>) -> anyhow::Result<bool> {
        let progress = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            progress.set_style(style);
        }
        progress.enable_steady_tick(Duration::from_millis(120));
        let mut good = true;
        while !waiting.is_empty() {
            progress.set_prefix(format!("{} waiting", waiting.len()));
            match client.next().await? {
                GatewayMessage::Event(event) => progress.set_message(progress_line(&event)),
                GatewayMessage::Result(result) => {
                    good &= matches!(
                        result.outcome,
                        Outcome::Succeeded | Outcome::NoChange | Outcome::PendingExternal
                    );
                    // A long list arrives in parts, in order.
                    if result.part.as_ref().is_none_or(|part| part.number == part.of) {
                        waiting.remove(&result.job);
                    }
                    let text = if self.json { serde_json::to_string(&result)? } else { summary(&result) };
                    progress.suspend(|| println!("{text}"));
                }
                GatewayMessage::Other(text) => {
                    progress.suspend(|| note(format_args!("a message that is not a result: {text}")));
                }
            }
        }
        progress.finish_and_clear();
        Ok(good)
    }
}

fn progress_line(event: &WireEvent) -> String {
    let detail = event.detail.as_deref().unwrap_or_default();
    format!("{} {}: {} {detail}", event.operation, event.job, event.event.as_str())
}

/// A result in a few lines.
fn summary(result: &JobResult) -> String {
    let operation = result.operation.map_or("?", |o| o.as_str());
    let mut lines = vec![format!(
        "{:<20} {:<16} {:>7} ms   {}",
        operation,
        result.outcome.to_string(),
        result.timings.total_ms,
        result.job
    )];
    if let Some(error) = &result.error {
        lines.push(format!("    {error}"));
        lines.extend(error.hint.iter().map(|hint| format!("    try: {hint}")));
    }
    if let (Some(users), Some(completeness)) = (&result.users, &result.completeness) {
        let complete = if completeness.complete { "complete" } else { "NOT complete" };
        lines.push(format!("    {} users on {} pages, {complete}", users.len(), completeness.pages));
    }
    for change in &result.changes {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".to_owned());
        lines.push(format!("    {}: {} → {}", change.attribute, text(&change.from), text(&change.to)));
    }
    for evidence in &result.evidence {
        let place = evidence.reference.clone().or_else(|| evidence.withheld.clone()).unwrap_or_default();
        lines.push(format!("    picture {}: {place}", evidence.reason));
    }
    lines.join("\n")
}
