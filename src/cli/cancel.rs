//! `seatwright cancel`: a job that is not wanted any more.

use super::{Exit, parts::BrokerArguments, terminal::error};
use crate::adapters::amqp;

/// Tell the workers that a job is not wanted any more. It is not done if nothing of it was committed yet; its result says
/// what became of it.
///
/// Exit code 0: told; 1: no worker is listening; 3: no broker.
#[derive(Debug, clap::Args)]
pub(super) struct CancelCommand {
    /// The id of the job.
    job: String,
    #[command(flatten)]
    broker: BrokerArguments,
}

impl CancelCommand {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        if amqp::cancel(&self.broker.url()?, &self.job).await? {
            println!("told: if nothing of {} was committed yet, its result will say `cancelled`", self.job);
            return Ok(Exit::Done);
        }
        error(format_args!(
            "no worker is listening: nobody was told, and {} will be done when one is there.\nStart a worker \
             and cancel it again.",
            self.job
        ));
        Ok(Exit::NotDone)
    }
}
