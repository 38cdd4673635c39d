//! `seatwright lanes`: which lanes are stopped, and why; and to let one go on.

use std::path::PathBuf;

use super::{Exit, parts::journal_of};
use crate::ports::journal::Journal;

/// Show the lanes that are stopped, or let one go on.
///
/// A lane stops when the app refuses its service account, so that a wrong password is tried once and not until the account is
/// locked. Its jobs wait in their queue. An account that jobs bring along is stopped by itself (`LANE/INTEGRATION/USER`): they
/// are answered with what it was refused for, and the lane goes on. Exit code 0: done; 1: that lane was not stopped; 3: no journal.
#[derive(Debug, clap::Args)]
pub(super) struct LanesCommand {
    #[command(subcommand)]
    action: Option<LanesAction>,
    /// The worker's configuration: it knows the journal.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "seatwright.yaml",
        env = "SEATWRIGHT_CONFIG"
    )]
    config: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum LanesAction {
    /// Take jobs of a lane again, once what stopped it is mended.
    Resume {
        /// A name under `service_accounts`; behind it `/INTEGRATION/USER` of an account that jobs bring along.
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
                println!("{lane}: jobs are taken again within a few seconds");
                Exit::Done
            } else {
                println!("{lane} was not stopped; `seatwright lanes` shows those that are");
                Exit::NotDone
            }),
        }
    }
}
