//! `seatwright lanes`: shows the lanes that are stopped, and why, and resumes them.

use std::path::PathBuf;

use super::{Exit, parts::journal_of};
use crate::ports::journal::Journal;

/// Show the lanes that are stopped, or resume one.
///
/// A lane stops when the app refuses its service account. So a wrong password is tried once, and the app does not lock
/// the account. The jobs of a stopped lane wait in their queue.
///
/// If a job brings its own service account, only this account is stopped: LANE/INTEGRATION/USER. Its jobs fail with the
/// same error, and the lane goes on.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct LanesCommand {
    #[command(subcommand)]
    action: Option<LanesAction>,
    /// The worker's configuration. It has the address of the journal.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "seatwright.yaml",
        env = "SEATWRIGHT_CONFIG"
    )]
    config: PathBuf,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  Done.
  1  The lane was not stopped.
  3  Not ready: the configuration or the journal cannot be read.";

#[derive(Debug, clap::Subcommand)]
enum LanesAction {
    /// Take jobs of a lane again, after you have fixed what stopped it.
    #[command(after_help = EXIT_CODES)]
    Resume {
        /// The lane, for example acme; or LANE/INTEGRATION/USER for an account that a job has supplied.
        lane: String,
    },
}

impl LanesCommand {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let (_, journal) = journal_of(&self.config).await?;
        match self.action {
            None => {
                let stopped = journal.stopped_lanes().await?;
                for stop in &stopped {
                    println!("{}  stopped {} ({}): {}", stop.lane, stop.at, stop.code, stop.message);
                }
                if stopped.is_empty() {
                    println!("no lane is stopped");
                }
                Ok(Exit::Done)
            }
            Some(LanesAction::Resume { lane }) => Ok(if journal.resume_lane(&lane).await? {
                println!("{lane} is resumed: its jobs are taken within a few seconds");
                Exit::Done
            } else {
                println!("{lane} was not stopped: `seatwright lanes` shows the stopped lanes");
                Exit::NotDone
            }),
        }
    }
}
