//! `seatwright settle`: shows and settles the jobs that ended `indeterminate`.

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

/// Show the jobs that ended `indeterminate`, check one again, or record its outcome.
///
/// After such a job it is not known whether the app made the change. No other job changes the same user until this job
/// is settled. Workers check it again automatically. Use this command for what they cannot find out.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  Done.
  1  There is no such unsettled job.
  3  Not ready: the configuration, the journal or the broker cannot be used.")]
pub(super) struct SettleCommand {
    /// The id of the job. A worker checks it again. Without it: all unsettled jobs are shown.
    job: Option<String>,
    /// Record that the change was made. You have looked, and the app shows it.
    #[arg(long, requires = "job", conflicts_with = "not_done")]
    done: bool,
    /// Record that the change was not made. You have looked: the app does not show it, and it will not appear later.
    #[arg(long, requires = "job")]
    not_done: bool,
    /// The worker's configuration. It has the addresses of the journal and the broker.
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
                println!("there is no unsettled job");
            }
            return Ok(Exit::Done);
        };
        let Some(open) = journal.unsettled(job).await? else {
            println!(
                "there is no unsettled job {job}: it did not end `indeterminate`, or it is settled already"
            );
            return Ok(Exit::NotDone);
        };
        let outbox = outbox(&broker_of(&config, &self.config)?).await?;
        if self.done || self.not_done {
            let result = JobResult {
                outcome: if self.done { Outcome::Succeeded } else { Outcome::Failed },
                changed: Some(self.done),
                error: if self.done { None } else { open.result.error.clone() },
                drift: [open.result.drift.clone(), vec!["a person recorded the outcome".to_owned()]].concat(),
                new_user: open.result.new_user.clone().filter(|_| self.done),
                finished_at: Timestamp::now(),
                settled: true,
                ..open.result.clone()
            };
            // Stored first, as a worker does: one message id must never stand for two results.
            if !journal.settle(job, &result).await? {
                println!("{job} was settled by a worker or another person in the meantime");
                return Ok(Exit::NotDone);
            }
            println!("{job}: settled, {}", result.outcome);
            match outbox.result(open.entry.reply_to.as_deref(), &result).await {
                Ok(()) => journal.published(&result).await?,
                Err(failure) => {
                    error(format_args!(
                        "{failure}. The result is in the journal; a worker of the lane publishes it"
                    ));
                }
            }
        } else {
            outbox.ask_to_settle(&open.entry.lane, job).await?;
            println!("{job}: a worker of lane {} checks it again after the jobs before it", open.entry.lane);
        }
        Ok(Exit::Done)
    }
}

fn line(open: &UnsettledJob) -> String {
    let entry = &open.entry;
    let next = open
        .reconcile_at
        .map_or_else(|| "a person must record the outcome".to_owned(), |at| format!("next check at {at}"));
    format!(
        "{}  {} {} in {} ({}), commit at {}, checked {} times; {next}",
        entry.job,
        entry.operation,
        entry.user.as_deref().unwrap_or("-"),
        entry.app,
        entry.integration,
        open.intent.at,
        open.attempts,
    )
}
