//! Every test that needs RabbitMQ or PostgreSQL, except for the fault bench (`tests/chaos`): `cargo nextest run --test broker`.

#[path = "../servers/mod.rs"]
mod servers;
#[path = "../support/mod.rs"]
mod support;

mod first_password;
mod gateway;
mod journal;
mod lanes;
mod mirror;
mod queue;
