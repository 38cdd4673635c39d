//! Everything that can die, killed for good: real broker, real browser, real kill -9. Each run ends with one result a job,
//! and the result says what the app's own state says.
//!
//! `SEATWRIGHT_CHAOS=whole` (`make chaos`) does all of it and writes what came of it to `target/chaos/`; without it, a part
//! that touches every kind.

#[path = "support/postgres.rs"]
mod postgres;
mod support;

#[path = "chaos/beside.rs"]
mod beside;
#[path = "chaos/clock.rs"]
mod clock;
#[path = "chaos/database.rs"]
mod database;
#[path = "chaos/hang.rs"]
mod hang;
#[path = "chaos/kill.rs"]
mod kill;
#[path = "chaos/lanes.rs"]
mod lanes;
#[path = "chaos/later.rs"]
mod later;
#[path = "chaos/network.rs"]
mod network;
#[path = "chaos/outside.rs"]
mod outside;
#[path = "chaos/poison.rs"]
mod poison;
#[path = "chaos/sleeper.rs"]
mod sleeper;
#[path = "chaos/soak.rs"]
mod soak;
#[path = "chaos/tally.rs"]
mod tally;
#[path = "chaos/trial.rs"]
mod trial;
#[path = "chaos/twice.rs"]
mod twice;

use support::ports;

/// Is all of it to be done?
fn whole() -> bool {
    std::env::var("SEATWRIGHT_CHAOS").is_ok_and(|what| what == "whole")
}
