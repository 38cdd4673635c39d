//! Seatwright manages users in apps that have no API for it.
//!
//! The map, in reading order. What may import what is guarded by `tests/house.rs`.

pub mod contract;

pub mod playbook;

pub mod plan;

pub mod event;

pub mod ports;

pub mod scenario;
pub mod secret;

pub mod engine;

pub mod adapters;

pub mod config;

pub mod worker;

pub mod site;

pub mod report;

pub mod telemetry;

pub mod cli;
