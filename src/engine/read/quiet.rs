//! When a page is believed: what it shows counts once everything that it has asked for since the act is answered.
//!
//! The driver knows the exchanges (`ports::driver::Exchange`). A driver that does not know them is believed at once.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    super::{
        limits::{DRIVER_GRACE, EXCHANGE_TIME, POLL, READ_TIME, STILL_TIME},
        page::millis,
        run::Run,
    },
    reading::{Reading, asked_for, asked_once, certain_at, drawn_at, loaded_at, state},
};
use crate::{
    ports::driver::Exchange,
    query::{Answer, Ask, Question, Target},
};

impl Run<'_> {
    /// The moment before an act. What begins later belongs to the act.
    pub(crate) fn mark(&self) -> u64 {
        self.attempt.front.page.mark()
    }

    /// From now on, what the page shows is read as the answer to an act that began at this mark. An act in the page that is
    /// being read does not answer what the page has asked for before.
    pub(crate) fn read_after(&mut self, since: u64, sought: Option<&str>, frame: &[Target]) {
        let sought = sought.map(str::trim).filter(|sought| !sought.is_empty()).map(str::to_owned);
        let opened = self.attempt.reading.as_ref().map_or(since, |reading| reading.opened);
        self.attempt.reading = Some(Reading {
            opened,
            since,
            acted: Instant::now(),
            sought,
            frame: frame.to_vec(),
            still: None,
            changed: None,
        });
    }

    /// The reading is over.
    pub(crate) fn read(&mut self) {
        self.attempt.reading = None;
    }

    /// Waits until the page has what it asked for, and stands still.
    pub(crate) async fn quiet(&mut self, until: Instant) {
        let page = Arc::clone(&self.attempt.front.page);
        loop {
            let Some(reading) = self.attempt.reading.clone() else { return };
            let settled = page.quiet(reading.opened, EXCHANGE_TIME, until).await;
            let Some(exchanges) = page.exchanges(reading.opened) else { return };
            let now = state(&exchanges);
            if settled && reading.still == Some(now) {
                return;
            }
            let changed = self.stand_still(&reading.frame).await;
            if let Some(reading) = &mut self.attempt.reading {
                (reading.still, reading.changed) = (Some(now), changed);
            }
            if Instant::now() >= until {
                return;
            }
        }
    }

    /// Has the page stood still since the act?
    pub(crate) fn stood_still(&self) -> bool {
        self.attempt.reading.as_ref().is_none_or(|reading| reading.still.is_some())
    }

    /// Is everything answered that the page has asked for since the act?
    pub(crate) async fn is_quiet(&self) -> bool {
        match &self.attempt.reading {
            Some(reading) => {
                self.attempt.front.page.quiet(reading.opened, EXCHANGE_TIME, Instant::now()).await
            }
            None => true,
        }
    }

    /// Waits until the page has drawn the answers to its calls: what it shows until then may be somebody else's.
    pub(crate) async fn await_drawn(&mut self) {
        self.drawn(asked_for).await;
    }

    async fn drawn(&mut self, which: fn(&[Exchange]) -> Vec<&Exchange>) {
        let until = self.until(READ_TIME);
        loop {
            self.quiet(until).await;
            let Some(reading) = &mut self.attempt.reading else { return };
            let Some(exchanges) = self.attempt.front.page.exchanges(reading.since) else { return };
            let drawn = drawn_at(&which(&exchanges), reading.changed);
            let now = Instant::now();
            if drawn.is_none_or(|drawn| now >= drawn.min(until)) {
                return;
            }
            reading.still = None;
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits, before a commit, until the page has drawn all that the steps have made it ask for. Until then it may show one
    /// record and still hold another.
    pub(crate) async fn await_record(&mut self, within: Duration) {
        let Some(since) = self.attempt.acting else { return };
        let page = Arc::clone(&self.attempt.front.page);
        page.quiet(since, within, self.until(within)).await;
        let frame = self.attempt.front.frame.clone();
        self.read_after(since, None, &frame);
        self.drawn(asked_once).await;
        self.read();
    }

    /// Waits until the answer to the act must be there, so that what the page does not show is not in the answer. Words
    /// that were there before the answer prove nothing.
    pub(crate) async fn await_answer(&mut self) {
        let page = Arc::clone(&self.attempt.front.page);
        let until = self.until(READ_TIME);
        while let Some(reading) = self.attempt.reading.clone() {
            page.quiet(reading.opened, READ_TIME, until).await;
            let Some(exchanges) = page.exchanges(reading.opened) else { return };
            self.quiet(until).await;
            let changed = self.attempt.reading.as_ref().and_then(|reading| reading.changed);
            let caused: Vec<Exchange> =
                exchanges.iter().filter(|one| one.number > reading.since).cloned().collect();
            let sure = certain_at(&caused, &reading, changed).max(loaded_at(&exchanges, &reading, changed));
            let now = Instant::now();
            let is_same = page.exchanges(reading.opened).is_some_and(|all| state(&all) == state(&exchanges));
            if now >= until || (is_same && now >= sure) {
                return;
            }
            tokio::time::sleep_until(sure.min(now + POLL).max(now + Duration::from_millis(5))).await;
            if let Some(reading) = &mut self.attempt.reading {
                reading.still = None;
            }
        }
    }

    /// Waits for two frames without a change. Returns when the document last changed.
    async fn stand_still(&self, frame: &[Target]) -> Option<Instant> {
        let within = millis(STILL_TIME);
        let question = Question { ask: Ask::Still, frame: frame.to_vec(), within, watch: Vec::new() };
        let deadline = Instant::now() + STILL_TIME + DRIVER_GRACE;
        match self.attempt.front.page.ask(&question, deadline).await {
            Ok(Answer::Still { changed_ms: Some(ms) }) => {
                Instant::now().checked_sub(Duration::from_millis(ms))
            }
            _ => None,
        }
    }
}
