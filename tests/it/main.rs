//! Every test that needs no broker and no database server, in one program, which is linked once.
//!
//! `cargo nextest run house` runs one suite, `cargo nextest run --test it` all of them.

#[path = "../support/mod.rs"]
mod support;

mod apps;
mod beacon;
mod belied;
mod beside;
mod cdp;
mod check;
mod cli;
mod contract;
mod docs;
mod driver;
mod forms;
mod holders;
mod house;
mod hygiene;
mod language;
mod ledgerly;
mod once;
mod scenario;
mod schema;
mod sessions;
mod site;
mod spread;
mod unread;
mod wire;
