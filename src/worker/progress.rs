//! Publishes a job's events to the broker.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::{
    contract::{EventName, Job, WireEvent},
    event::{Event, EventKind, Reader},
    ports::queue::Outbox,
};

/// Publishes progress for the gateway. It never delays the job.
pub(super) struct ProgressPublisher {
    job: WireEvent,
    send: mpsc::UnboundedSender<WireEvent>,
}

impl ProgressPublisher {
    pub fn new(job: &Job, lane: &str, outbox: Arc<dyn Outbox>) -> Self {
        let (send, mut events) = mpsc::unbounded_channel::<WireEvent>();
        let lane = lane.to_owned();
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                outbox.event(&lane, &event).await;
            }
        });
        let job = WireEvent {
            event: EventName::Accepted,
            job: job.id.clone(),
            app: job.app.clone(),
            operation: job.operation,
            integration: job.integration.id.clone(),
            at: jiff::Timestamp::now(),
            detail: None,
            outcome: None,
        };
        let _ = send.send(job.clone());
        Self { job, send }
    }
}

impl Reader for ProgressPublisher {
    fn event(&self, event: &Event) {
        let (name, detail, outcome) = match &event.kind {
            EventKind::Started { .. } => (EventName::Started, None, None),
            EventKind::StepStarted { what, .. } => (EventName::Step, Some(what.clone()), None),
            EventKind::RetryScheduled { code, .. } => {
                (EventName::Waiting, Some(code.map_or_else(String::new, |code| code.to_string())), None)
            }
            EventKind::CommitReached { step, .. } => (EventName::Committed, Some(step.clone()), None),
            EventKind::Verifying => (EventName::Verifying, None, None),
            EventKind::Finished { outcome, .. } => (EventName::Finished, None, Some(*outcome)),
            _ => return,
        };
        // The publishing task may have ended.
        let _ = self.send.send(WireEvent { event: name, at: event.at, detail, outcome, ..self.job.clone() });
    }
}
