//! Seatwright manages users in apps that have no API for it.
//!
//! The map, in reading order. `tests/it/house.rs` lists which room may import which.

/// Implementations of the ports: Chromium, RabbitMQ, databases, files.
pub mod adapters;
/// The commands of the program. Only this room chooses adapters.
pub mod cli;
/// `seatwright.yaml`.
pub mod config;
/// The wire: job, result, event, error codes. The published schemas are made of these types.
pub mod contract;
/// SHA-256 digests in hexadecimal.
pub mod digest;
/// Durations as people write them.
pub mod duration;
/// Runs one plan in one session. The only interpreter.
pub mod engine;
/// The one stream of events of a run.
pub mod event;
/// SCIM for identity providers.
pub mod gateway;
/// Did you mean: the known word that is most similar.
pub mod nearest;
/// Playbook + job → what will be done.
pub mod plan;
/// The language: text → tree with places → checked playbook and its findings.
pub mod playbook;
/// Interfaces to the world, in our words.
pub mod ports;
/// What may be asked of a page, and what it answers: plain data.
pub mod query;
/// Readers of the event stream: console, trace, JUnit.
pub mod report;
/// Scenarios of playbooks, played on sites and real apps.
pub mod scenario;
/// Secrets for somebody else, encrypted.
pub mod sealed;
/// A value that cannot be shown.
pub mod secret;
/// Fixture sites: apps as data, with their faults.
pub mod site;
/// Logs.
pub mod telemetry;
/// Many jobs at a time: lanes, slots, sessions, deliveries.
pub mod worker;
