//! Reads a message: a job, a request to reconcile one, or neither.

use crate::{
    contract::{Code, Failure, JOB_TYPE, Job, JobRefusal, SETTLE_TYPE},
    ports::queue::Delivery,
};

/// What a message asks for.
pub(super) enum Message {
    Job(Box<Job>),
    /// To reconcile the job with this id.
    Settle(String),
    /// Nothing that can be done.
    Invalid(Box<JobRefusal>),
}

/// Reads the message of a delivery.
pub(super) fn read(delivery: &Delivery) -> Message {
    let refuse = |failure: Failure| {
        let mut refusal =
            Job::parse(&delivery.body).err().unwrap_or_else(|| Box::new(JobRefusal::of(&delivery.body)));
        // If the body contains a secret, that failure stays.
        if refusal.safe_to_keep {
            refusal.failure = failure;
        }
        Message::Invalid(refusal)
    };
    match delivery.kind.as_deref() {
        Some(SETTLE_TYPE) => {
            let body: Option<serde_json::Value> = serde_json::from_slice(&delivery.body).ok();
            match body.as_ref().and_then(|body| body.get("job")?.as_str()) {
                Some(job) => return Message::Settle(job.to_owned()),
                None => {
                    return refuse(Failure::new(
                        Code::InvalidJob,
                        "a message to settle a job must name it: {\"job\": \"…\"}",
                    ));
                }
            }
        }
        Some(JOB_TYPE) | None => {}
        Some(kind) => {
            return refuse(
                Failure::new(Code::InvalidJob, format!("the type of the message is `{kind}`"))
                    .hint(format!("this worker knows the type `{JOB_TYPE}`")),
            );
        }
    }
    let job = match Job::parse(&delivery.body) {
        Ok(job) => job,
        Err(refusal) => return Message::Invalid(refusal),
    };
    if delivery.unrouted {
        let message = format!("no worker takes jobs of the lane `{}`", delivery.lane);
        return refuse(Failure::new(Code::UnknownIntegration, message).hint(
            "the first word of the routing key must be a name under `service_accounts` of a worker's configuration",
        ));
    }
    Message::Job(Box::new(job))
}
