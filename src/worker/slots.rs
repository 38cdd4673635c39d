//! Slots: a job holds one while it runs, or all of them where it has to run alone.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::stop::Shutdown;

/// How long a delivery may wait for a slot. Then it goes back to its queue, because the broker's acknowledgement time-out runs.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);

/// All slots of a worker.
#[derive(Clone)]
pub(super) struct Slots {
    free: Arc<Semaphore>,
    all: u32,
}

impl Slots {
    pub fn new(all: u32) -> Self {
        Self { free: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// The next free slot.
    pub async fn take(&self) -> Option<Slot> {
        let permit = Arc::clone(&self.free).acquire_owned().await.ok()?;
        Some(Slot { slots: self.clone(), permit: Some(permit), alone: false })
    }
}

/// The slot of a job. It is free for other jobs while its job only waits.
pub(super) struct Slot {
    slots: Slots,
    permit: Option<OwnedSemaphorePermit>,
    /// The job needs all slots.
    alone: bool,
}

impl Slot {
    /// Waits until no other job runs; no other job begins from then on. False: it took too long, the delivery is lost, or the
    /// worker stops.
    pub async fn alone(&mut self, lost: &watch::Receiver<bool>, stop: &watch::Receiver<Shutdown>) -> bool {
        self.alone = true;
        self.rest(Duration::ZERO, lost, stop).await
    }

    /// How long a delivery stays away whose job got no slot. No other job begins while one waits for all slots, so if it came back
    /// at once, one hanging job would stop all lanes.
    pub fn away(&self) -> Duration {
        if self.alone { LONGEST_WAIT } else { Duration::ZERO }
    }

    /// Frees the slot for this long, then takes one again. False: it got none, the delivery is lost, or the worker stops.
    pub async fn rest(
        &mut self,
        pause: Duration,
        lost: &watch::Receiver<bool>,
        stop: &watch::Receiver<Shutdown>,
    ) -> bool {
        self.permit = None;
        let (mut lost, mut stop) = (lost.clone(), stop.clone());
        let back = async {
            tokio::time::sleep(pause).await;
            // The semaphore is fair: a job that waits for all slots is not passed by jobs that want one.
            let free = Arc::clone(&self.slots.free);
            if !self.alone {
                return free.acquire_owned().await.ok();
            }
            tokio::time::timeout(LONGEST_WAIT, free.acquire_many_owned(self.slots.all)).await.ok()?.ok()
        };
        tokio::select! {
            permit = back => self.permit = permit,
            _ = lost.wait_for(|lost| *lost) => {}
            _ = stop.wait_for(|stop| *stop != Shutdown::None) => {}
        }
        self.permit.is_some()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_job_that_waits_for_all_slots_gives_up_and_stays_away() {
        let slots = Slots::new(2);
        let (_lose, lost) = watch::channel(false);
        let (_stop, stop) = watch::channel(Shutdown::None);
        let mut slot = slots.take().await.expect("a slot");
        assert_eq!(slot.away(), Duration::ZERO);
        let hangs = slots.take().await;
        let begun = Instant::now();
        assert!(!slot.alone(&lost, &stop).await);
        assert!(begun.elapsed() >= LONGEST_WAIT && slot.away() == LONGEST_WAIT);
        assert_eq!(slots.free.available_permits(), 1, "the others go on");
        drop(hangs);
        assert!(slot.alone(&lost, &stop).await);
        assert_eq!(slots.free.available_permits(), 0, "no other job begins");
        // While it rests, another job takes a slot and hangs.
        let rests = slot.rest(Duration::from_secs(1), &lost, &stop);
        let (back, _hangs) = tokio::join!(rests, slots.take());
        assert!(!back, "it waits for all slots again, and gives up again");
    }
}
