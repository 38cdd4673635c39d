//! Everything that can die, killed for good: real broker, real browser, real kill -9. Each run ends with one result a job,
//! and the result says what the app's own state says.
//!
//! `SEATWRIGHT_CHAOS=whole` (`make chaos`) does all of it and writes what came of it to `target/chaos/`; without it, a part
//! that touches every kind.

#[path = "../servers/mod.rs"]
mod servers;
#[path = "../support/mod.rs"]
mod support;

mod beside;
mod clock;
mod database;
mod hang;
mod kill;
mod lanes;
mod later;
mod network;
mod outside;
mod poison;
mod sleeper;
mod soak;
mod tally;
mod trial;
mod twice;

/// Is all of it to be done?
fn whole() -> bool {
    std::env::var("SEATWRIGHT_CHAOS").is_ok_and(|what| what == "whole")
}
