//! Between the gateway and the workers: publishes the jobs of the outbox, takes results, and goes on with what waits.

use std::{sync::Arc, time::Duration};

use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

use super::keeper::Keeper;
use crate::ports::{
    mirror::MirrorError,
    post::{JobSender, Mail, Post},
};

/// How long a gateway waits before it connects again.
const RECONNECT: Duration = Duration::from_secs(2);
/// How often the outbox and pauses are looked at without a reason.
const ROUND: Duration = Duration::from_secs(1);

/// How often old rows are deleted.
const CLEAR_UP: Duration = Duration::from_hours(1);

/// Serves as long as the gateway runs.
pub async fn carry(keeper: Arc<Keeper>, post: Arc<dyn Post>) {
    loop {
        match post.connect().await {
            Ok(mut connection) => {
                info!("connected to the workers' queue");
                let sender = connection.sender();
                let sending = send(&keeper, &*sender, post.keeps_jobs());
                let receiving = async {
                    while let Some(mail) = connection.next().await {
                        receive(&keeper, mail).await;
                    }
                };
                tokio::select! {
                    () = sending => {}
                    () = receiving => warn!("the connection to the workers' queue was lost"),
                }
            }
            Err(error) => warn!("{error}; trying again in {} s", RECONNECT.as_secs()),
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

/// Publishes jobs until the connection fails.
async fn send(keeper: &Keeper, sender: &dyn JobSender, keeps_jobs: bool) {
    if !keeps_jobs && let Err(error) = keeper.mirror.unpublish().await {
        warn!("{error}");
        return;
    }
    let mut clear_up = tokio::time::interval(CLEAR_UP);
    let mut round = tokio::time::interval(ROUND);
    round.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = round.tick() => if let Err(error) = keeper.go_on().await {
                warn!("{error}");
            },
            _ = clear_up.tick() => if let Err(error) = keeper.clear_up().await {
                warn!("{error}");
            },
            () = keeper.to_send.notified() => {}
        }
        match publish(keeper, sender).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => warn!("{error}"),
        }
    }
}

/// Publishes what is not published. False: the connection failed.
async fn publish(keeper: &Keeper, sender: &dyn JobSender) -> Result<bool, MirrorError> {
    for open in keeper.mirror.unpublished().await? {
        let job = &open.job;
        let Ok(body) = serde_json::to_vec(job) else { continue };
        if let Err(error) = sender.send(&open.lane, job.operation, &job.id, &body).await {
            warn!(job = job.id, "{error}");
            return Ok(false);
        }
        keeper.mirror.published(&job.id).await?;
    }
    Ok(true)
}

async fn receive(keeper: &Keeper, mail: Mail) {
    match mail {
        Mail::Result(result, handle) => match keeper.take(&result).await {
            Ok(()) => {
                if let Err(error) = handle.ack().await {
                    warn!(job = result.job, "{error}; the result will arrive again");
                }
            }
            Err(error) => warn!(job = result.job, "{error}; the result will arrive again"),
        },
        Mail::Event(_) => {}
    }
}
