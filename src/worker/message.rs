//! What a delivery asks for: a job, a look at one, or nothing that can be done.

use crate::{
    contract::{Code, Failure, JOB_TYPE, Job, JobRefusal, SETTLE_TYPE},
    ports::queue::Delivery,
};

/// What a delivery asks for.
pub(super) enum Asked {
    Job(Box<Job>),
    /// To look at a job that ended `indeterminate`.
    Settle(String),
    Nothing(Box<JobRefusal>),
}

/// What a delivery asks for.
pub(super) fn read(delivery: &Delivery) -> Asked {
    let refuse = |failure: Failure| {
        let mut refusal =
            Job::parse(&delivery.body).err().unwrap_or_else(|| Box::new(JobRefusal::of(&delivery.body)));
        // A body that must not be kept stays one.
        if refusal.safe_to_keep {
            refusal.failure = failure;
        }
        Asked::Nothing(refusal)
    };
    match delivery.kind.as_deref() {
        Some(SETTLE_TYPE) => {
            let body: Option<serde_json::Value> = serde_json::from_slice(&delivery.body).ok();
            match body.as_ref().and_then(|body| body.get("job")?.as_str()) {
                Some(job) => return Asked::Settle(job.to_owned()),
                None => {
                    return refuse(Failure::new(
                        Code::InvalidJob,
                        "a message to settle a job names it: {\"job\": \"…\"}",
                    ));
                }
            }
        }
        Some(JOB_TYPE) | None => {}
        Some(kind) => {
            return refuse(
                Failure::new(Code::InvalidJob, format!("the message's type is `{kind}`"))
                    .hint(format!("this worker knows `{JOB_TYPE}`")),
            );
        }
    }
    let job = match Job::parse(&delivery.body) {
        Ok(job) => job,
        Err(refusal) => return Asked::Nothing(refusal),
    };
    if delivery.unrouted {
        let message = format!("no worker takes jobs of the lane `{}`", delivery.lane);
        return refuse(Failure::new(Code::UnknownIntegration, message).hint(
            "the first word of the routing key is a name under `service_accounts` of a worker's configuration",
        ));
    }
    Asked::Job(Box::new(job))
}
