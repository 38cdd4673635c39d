//! `seatwright cancel`: asks the workers not to do a job.

use super::{Exit, parts::BrokerArguments, terminal::error};
use crate::adapters::amqp;

/// Ask the workers not to do a job.
///
/// A job that has committed nothing yet is not done, and its result says `cancelled`. After its commit, a job is finished
/// and has its usual result.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  The workers have the request.
  1  No worker is listening.
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
                "the workers have the request: if {} has committed nothing yet, its result will say `cancelled`",
                self.job
            );
            return Ok(Exit::Done);
        }
        error(format_args!(
            "no worker is listening, so {} is not cancelled: the next worker will do it.\nStart a worker, and cancel \
             the job again.",
            self.job
        ));
        Ok(Exit::NotDone)
    }
}
