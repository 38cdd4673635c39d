//! `/livez` and `/readyz`, for the supervisor that starts and stops workers.

use axum::{Json, Router, http::StatusCode, routing::get};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch};

/// The health of a worker. A worker that is ready takes jobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Health {
    pub connected: bool,
    pub journal: bool,
    /// No other worker shares a lane but not the journal.
    pub alone: bool,
}

impl Health {
    pub fn ready(&self) -> bool {
        self.connected && self.journal && self.alone
    }
}

/// Serves as long as the worker runs. `/livez`: 200 while the process answers. `/readyz`: 200 while the worker takes jobs, else
/// 503; the body shows what is missing.
pub async fn answer(listener: TcpListener, health: watch::Receiver<Health>) -> std::io::Result<()> {
    let ready = move || {
        let health = *health.borrow();
        async move {
            (
                if health.ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE },
                Json(shown(health)),
            )
        }
    };
    let router = Router::new().route("/livez", get(|| async { "alive\n" })).route("/readyz", get(ready));
    axum::serve(listener, router).await
}

fn shown(health: Health) -> Value {
    json!({
        "ready": health.ready(),
        "broker": health.connected,
        "journal": health.journal,
        "alone_with_its_journal": health.alone,
    })
}
