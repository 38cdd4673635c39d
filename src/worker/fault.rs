//! A worker that ends, or stands still, at a named moment of a job: for tests of what comes after.

use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Signal, getpid, kill_process};

use crate::event::{Event, Reader};

/// Sends a signal to its own process at an event.
pub struct FaultAt {
    event: String,
    /// At which of them, from 1.
    number: u32,
    signal: Signal,
    seen: AtomicU32,
}

impl FaultAt {
    /// `commit_reached KILL`, `step_started:3 STOP`: an event as a trace calls it, which of them, and a signal.
    pub fn parse(text: &str) -> Option<Self> {
        let (event, signal) = text.split_once(' ')?;
        let (event, number) = event.split_once(':').unwrap_or((event, "1"));
        let signal = match signal {
            "KILL" => Signal::KILL,
            "STOP" => Signal::STOP,
            "TERM" => Signal::TERM,
            _ => return None,
        };
        Some(Self { event: event.to_owned(), number: number.parse().ok()?, signal, seen: AtomicU32::new(0) })
    }
}

impl Reader for FaultAt {
    fn event(&self, event: &Event) {
        let name = serde_json::to_value(&event.kind)
            .ok()
            .and_then(|kind| kind.get("event")?.as_str().map(str::to_owned));
        if name.as_deref() == Some(&self.event) && self.seen.fetch_add(1, Ordering::SeqCst) + 1 == self.number
        {
            let _ = kill_process(getpid(), self.signal);
        }
    }
}
