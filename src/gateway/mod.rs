//! The SCIM gateway: an app without an API looks to an identity provider like one that has SCIM.
//!
//! Requests become wishes (`wish.rs`), wishes become jobs (`next.rs`), results become what was seen (`learn.rs`). These are pure.
//! `keeper.rs` stores each step in the mirror, `mail.rs` carries jobs and results, `serve.rs` and `users.rs` answer requests.

pub mod integration;
pub mod keeper;
mod learn;
pub mod mail;
pub mod next;
pub mod scim;
pub mod serve;
pub mod token;
mod users;
mod wish;
