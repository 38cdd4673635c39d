//! What a lane's consumer receives and reports. Plain data: the consumer, its deliveries and the workers' queue all use it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;

use crate::ports::queue::Delivery;

/// A command to a lane's consumer.
pub(super) enum LaneCommand {
    Pause,
    Resume,
    /// Let go of the lane once none of its jobs runs, and queue up behind the other workers.
    MoveOn,
    /// Answer once everything that the broker sent before this is known.
    StillOurs(oneshot::Sender<()>),
    /// Let go at once, for good.
    Close,
}

/// What a lane's consumer, or the queue of the workers, reports to the connection.
pub(super) enum LaneEvent {
    Delivery(OfferedDelivery),
    Cancel(String),
    ForeignJournal {
        worker: String,
    },
    /// Something died, and the connection ends with it. The reason.
    Over(String),
}

/// An offered delivery. The first to take it out has it; an empty one was taken or withdrawn.
pub(super) type OfferedDelivery = Arc<Mutex<Option<Delivery>>>;

/// How a delivery ended.
pub(super) enum DeliveryEnd {
    Acked,
    Failed(String),
    Released(Option<Duration>),
}

/// The lanes that this worker takes jobs of now. Its presence messages list them.
#[derive(Default)]
pub(super) struct Serving(Mutex<BTreeSet<String>>);

impl Serving {
    pub fn lanes(&self) -> BTreeSet<String> {
        self.locked().clone()
    }

    /// Does nothing for the queue of unrouted jobs, which is not a lane.
    pub fn set(&self, lane: Option<&str>, serving: bool) {
        let Some(lane) = lane else { return };
        if serving {
            self.locked().insert(lane.to_owned());
        } else {
            self.locked().remove(lane);
        }
    }

    fn locked(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
