//! `seatwright cancel`: asks the workers not to do a job.

use super::{Exit, parts::BrokerArguments, terminal::error};
use crate::adapters::amqp;

/// Ask the workers not to do a job.
///
/// If the job has not committed yet, it is not done, and the outcome of its result is `cancelled`. If it has, the worker
/// finishes it, and it has its usual result.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  The workers have received the request.
  1  No worker runs.
  3  Not ready: the configuration or the broker cannot be used.")]
pub(super) struct CancelCommand {
    /// The id of the job.
    job: String,
    #[command(flatten)]
    broker: BrokerArguments,
}

impl CancelCommand {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        if amqp::cancel(&self.broker.url()?, &self.job).await? {
            println!(
                "the workers have received the request: if {} has not committed yet, its outcome will be `cancelled`",
                self.job
            );
            return Ok(Exit::Done);
        }
        error(format_args!(
            "no worker runs, so {} is not cancelled: a worker that starts later does the job.\nStart a worker, and \
             cancel the job again.",
            self.job
        ));
        Ok(Exit::NotDone)
    }
}
