//! Events for a gateway's activity log. They are best effort, and never delay a job.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Operation, Outcome};

/// An event of a job. AMQP `type`: `seatwright.event.v1.<name>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WireEvent {
    pub event: EventName,
    pub job: String,
    pub app: String,
    pub operation: Operation,
    pub integration: String,
    pub at: Timestamp,
    /// `step`: the step. `waiting`: the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// `finished`: the outcome of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// The names of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventName {
    Accepted,
    Started,
    Waiting,
    Step,
    Committed,
    Verifying,
    Finished,
    HealthChanged,
    DriftDetected,
    SafeguardTripped,
}

impl EventName {
    /// The name in the AMQP `type` and in the routing key.
    pub fn as_str(self) -> &'static str {
        match self {
            EventName::Accepted => "accepted",
            EventName::Started => "started",
            EventName::Waiting => "waiting",
            EventName::Step => "step",
            EventName::Committed => "committed",
            EventName::Verifying => "verifying",
            EventName::Finished => "finished",
            EventName::HealthChanged => "health_changed",
            EventName::DriftDetected => "drift_detected",
            EventName::SafeguardTripped => "safeguard_tripped",
        }
    }
}
