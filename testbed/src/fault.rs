//! A worker that ends, or stands still, at a named moment of a job: for tests of what comes after.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use rustix::process::{Signal, getpid, kill_process};

use seatwright::event::{Event, Reader};

/// How long a signal may take to reach all threads.
const STOPS_WITHIN: Duration = Duration::from_millis(200);

/// Sends a signal to its own process at an event.
pub struct FaultAt {
    event: String,
    /// At which of them, from 1.
    number: u32,
    signal: Signal,
    /// Of this job alone.
    job: Option<String>,
    seen: AtomicU32,
}

impl FaultAt {
    /// `commit_reached KILL`, `step_started:3 STOP job-7`: an event as a trace calls it, which of them, a signal, and whose.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (event, signal, job) = (words.next()?, words.next()?, words.next().map(str::to_owned));
        let (event, number) = event.split_once(':').unwrap_or((event, "1"));
        let signal = match signal {
            "KILL" => Signal::KILL,
            "STOP" => Signal::STOP,
            "TERM" => Signal::TERM,
            _ => return None,
        };
        let (event, number) = (event.to_owned(), number.parse().ok()?);
        Some(Self { event, number, signal, job, seen: AtomicU32::new(0) })
    }
}

impl Reader for FaultAt {
    fn event(&self, event: &Event) {
        if self.job.as_ref().is_some_and(|job| *job != event.job) {
            return;
        }
        let name = serde_json::to_value(&event.kind)
            .ok()
            .and_then(|kind| kind.get("event")?.as_str().map(str::to_owned));
        if name.as_deref() == Some(&self.event) && self.seen.fetch_add(1, Ordering::SeqCst) + 1 == self.number
        {
            let _ = kill_process(getpid(), self.signal);
            // A process is stopped thread by thread: whoever sends the signal himself would go on for a moment.
            std::thread::sleep(STOPS_WITHIN);
        }
    }
}
