//! Every test that needs RabbitMQ or PostgreSQL and kills no process of them at random: `cargo nextest run --test broker`.

#[path = "../servers/mod.rs"]
mod servers;
#[path = "../support/mod.rs"]
mod support;

mod journal;
mod lanes;
mod queue;
