//! `seatwright settle`: what ended `indeterminate`, and what became of it.

use std::path::PathBuf;

use jiff::Timestamp;

use super::{
    Exit,
    parts::{broker_of, journal_of},
    terminal::error,
};
use crate::{
    adapters::amqp::outbox,
    contract::{JobResult, Outcome},
    ports::journal::{Journal, UnsettledJob},
};

/// Show the jobs that ended `indeterminate`, have one looked at, or say what became of it.
///
/// Such a job holds its user: nothing else is done to them before it is known. A worker looks by itself; this is for what it
/// cannot know. Exit code 0: done; 1: no such job is open; 3: no journal or no broker.
#[derive(Debug, clap::Args)]
pub(super) struct SettleCommand {
    /// The job. Without it, all that are open are shown.
    job: Option<String>,
    /// You have looked: the app shows what the job wanted.
    #[arg(long, requires = "job", conflicts_with = "not_done")]
    done: bool,
    /// You have looked: the app does not show it, and it will not come.
    #[arg(long, requires = "job")]
    not_done: bool,
    /// The worker's configuration: it knows the journal and the broker.
    #[arg(long, value_name = "FILE", default_value = "seatwright.yaml", env = "SEATWRIGHT_CONFIG")]
    config: PathBuf,
}

impl SettleCommand {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let (config, journal) = journal_of(&self.config).await?;
        let lanes: Vec<String> = config.service_accounts.keys().cloned().collect();
        let Some(job) = &self.job else {
            let open = journal.all_unsettled(&lanes).await?;
            open.iter().for_each(|open| println!("{}", line(open)));
            if open.is_empty() {
                println!("nothing is open");
            }
            return Ok(Exit::Done);
        };
        let Some(open) = journal.unsettled(job).await? else {
            println!("{job} is not open: it did not end indeterminate, or it is settled");
            return Ok(Exit::NotDone);
        };
        let outbox = outbox(&broker_of(&config, &self.config)?).await?;
        if self.done || self.not_done {
            let result = JobResult {
                outcome: if self.done { Outcome::Succeeded } else { Outcome::Failed },
                changed: self.done,
                error: if self.done { None } else { open.result.error.clone() },
                drift: [open.result.drift.clone(), vec!["a person said what became of it".to_owned()]]
                    .concat(),
                finished_at: Timestamp::now(),
                settled: true,
                ..open.result.clone()
            };
            // Kept first, as a worker does: what is told under one message id is one thing.
            if !journal.settle(job, &result).await? {
                println!("{job} was settled by somebody else meanwhile");
                return Ok(Exit::NotDone);
            }
            println!("{job}: settled, {}", result.outcome);
            match outbox.result(open.entry.reply_to.as_deref(), &result).await {
                Ok(()) => journal.published(&result).await?,
                Err(failure) => {
                    error(format_args!(
                        "{failure}; its result is kept, and a worker of its lane publishes it"
                    ));
                }
            }
        } else {
            outbox.ask_to_settle(&open.entry.lane, job).await?;
            println!("{job}: it is looked at in the turn of its lane, {}", open.entry.lane);
        }
        Ok(Exit::Done)
    }
}

fn line(open: &UnsettledJob) -> String {
    let entry = &open.entry;
    let next = open.reconcile_at.map_or_else(
        || "a person has to say what became of it".to_owned(),
        |at| format!("it is looked at again at {at}"),
    );
    format!(
        "{}  {} {} in {} ({}), commit at {}, looked at {} times; {next}",
        entry.job,
        entry.operation,
        entry.user.as_deref().unwrap_or("-"),
        entry.app,
        entry.integration,
        open.intent.at,
        open.attempts,
    )
}
