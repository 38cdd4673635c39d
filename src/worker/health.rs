//! `/livez` and `/readyz`, for whoever starts and stops workers.

use axum::{Json, Router, http::StatusCode, routing::get};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch};

use super::serve::Health;

/// Answers as long as the worker runs. `/livez`: 200, the process answers. `/readyz`: 200 while jobs are taken, else 503; the
/// body says what is missing.
pub async fn answer(listener: TcpListener, health: watch::Receiver<Health>) -> std::io::Result<()> {
    let ready = move || {
        let health = *health.borrow();
        async move {
            (
                if health.ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE },
                Json(told(health)),
            )
        }
    };
    let router = Router::new().route("/livez", get(|| async { "alive\n" })).route("/readyz", get(ready));
    axum::serve(listener, router).await
}

fn told(health: Health) -> Value {
    json!({
        "ready": health.ready(),
        "broker": health.connected,
        "journal": health.journal,
        "alone_with_its_journal": health.alone,
    })
}
