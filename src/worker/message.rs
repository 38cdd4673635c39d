//! Reads a message: a job, a request to reconcile one, or neither.

use serde_json::{Map, Value};

use crate::{
    contract::{Code, Failure, JOB_TYPE, Job, JobRefusal, SETTLE_TYPE},
    digest::sha256,
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
                        format!(
                            "a message of the type `{SETTLE_TYPE}` must name its job: {{\"job\": \"…\"}}"
                        ),
                    ));
                }
            }
        }
        Some(JOB_TYPE) | None => {}
        Some(kind) => {
            return refuse(
                Failure::new(Code::InvalidJob, format!("the message has an unknown type: `{kind}`"))
                    .hint(format!("this worker accepts the type `{JOB_TYPE}`")),
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

/// The digest of what a job asks for: the same for every spelling of the JSON. Who asked for it and the trace of the request are
/// no part of it, because a gateway that sends a job again may begin a new trace.
pub(super) fn digest(job: &Job) -> String {
    let job = Job { traceparent: None, requested_by: None, ..job.clone() };
    sha256(serde_json::to_value(job).map(sorted).unwrap_or_default().to_string())
}

/// The value with the keys of every object in one order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> =
                map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            entries.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(Map::from_iter(entries))
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_of_what_a_job_means() {
        let of = |body: &str| digest(&Job::parse(body.as_bytes()).expect("a job"));
        let job = |more: &str| {
            format!(
                r#"{{"id":"1","app":"a","operation":"user.get","integration":{{"id":"i"}},"user":{{"userName":"ada"{more}}}}}"#
            )
        };
        let first = of(&job(""));
        let other_order = r#" {"user": {"userName": "ada"}, "integration": {"id": "i"}, "operation": "user.get", "app": "a", "id": "1"}"#;
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let traced = other_order.replace("{\"user\"", &format!("{{\"traceparent\": \"{trace}\", \"user\""));
        let asked = other_order.replace("{\"user\"", "{\"requested_by\": {\"trigger\": \"retry\"}, \"user\"");
        let spelled =
            other_order.replace("\"user.get\"", "\"user.get\", \"mode\": \"execute\", \"window\": null");
        for same in [other_order, &traced, &asked, &spelled] {
            assert_eq!(of(same), first, "{same}");
        }
        assert_ne!(of(&job(r#","title":"Boss""#)), first);
        let extension = |inside: &str| of(&job(&format!(r#","urn:x":{{"y":{{{inside}}}}}"#)));
        assert_eq!(extension(r#""a":1,"b":2"#), extension(r#""b":2,"a":1"#));
        assert_ne!(extension(r#""a":1"#), extension(r#""a":2"#));
    }
}
