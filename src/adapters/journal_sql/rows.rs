//! Converts rows into the types of the journal, and back.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::{Row, any::AnyRow};

use super::super::sql::{time, unreadable};
use crate::{
    contract::JobResult,
    ports::journal::{Attempt, Entry, Intent, LaneStop, Settled, UnsettledJob},
};

/// The columns of [`unsettled`].
macro_rules! unsettled_columns {
    () => {
        "id, digest, lane, worker, app, operation, integration, username, body, reply_to, step, intended_at, \
         concluded_at, result, looks, look_at"
    };
}
pub(super) use unsettled_columns;

/// An unsettled job.
pub(super) fn unsettled(row: &AnyRow) -> Result<UnsettledJob, sqlx::Error> {
    let entry = Entry {
        job: row.try_get("id")?,
        digest: row.try_get("digest")?,
        lane: row.try_get("lane")?,
        worker: row.try_get("worker")?,
        app: row.try_get("app")?,
        operation: word(row.try_get("operation")?)?,
        integration: row.try_get("integration")?,
        user: row.try_get("username")?,
        body: row.try_get::<Option<Vec<u8>>, _>("body")?.unwrap_or_default(),
        reply_to: row.try_get("reply_to")?,
    };
    let intent = match intent(row)? {
        Some(intent) => intent,
        // The result is indeterminate although no commit was recorded.
        None => Intent { step: String::new(), at: time(row.try_get("concluded_at")?)? },
    };
    Ok(UnsettledJob {
        entry,
        intent,
        result: result(row.try_get("result")?)?,
        attempts: number(row.try_get("looks")?)?,
        reconcile_at: row.try_get::<Option<i64>, _>("look_at")?.map(time).transpose()?,
    })
}

/// The result that a job was settled to, and when. `None`: it was not settled.
pub(super) fn settled(row: &AnyRow) -> Result<Option<(Settled, Timestamp)>, sqlx::Error> {
    let settled = Settled { reply_to: row.try_get("reply_to")?, result: result(row.try_get("result")?)? };
    let at = time(row.try_get("changed_at")?)?;
    Ok(settled.result.settled.then_some((settled, at)))
}

/// The intent, if one was recorded.
pub(super) fn intent(row: &AnyRow) -> Result<Option<Intent>, sqlx::Error> {
    let Some(step) = row.try_get::<Option<String>, _>("step")? else { return Ok(None) };
    Ok(Some(Intent { step, at: time(row.try_get("intended_at")?)? }))
}

pub(super) fn attempt(row: &AnyRow) -> Result<Attempt, sqlx::Error> {
    Ok(Attempt { number: number(row.try_get("attempt")?)?, deaths: deaths(row)? })
}

pub(super) fn deaths(row: &AnyRow) -> Result<u32, sqlx::Error> {
    number(row.try_get("deaths")?)
}

pub(super) fn lane_stop(row: &AnyRow) -> Result<LaneStop, sqlx::Error> {
    Ok(LaneStop {
        lane: row.try_get("lane")?,
        code: word(row.try_get("code")?)?,
        message: row.try_get("message")?,
        at: time(row.try_get("stopped_at")?)?,
    })
}

pub(super) fn result(json: String) -> Result<JobResult, sqlx::Error> {
    serde_json::from_str(&json).map_err(unreadable)
}

pub(super) fn json(result: &JobResult) -> Result<String, sqlx::Error> {
    serde_json::to_string(result).map_err(|e| sqlx::Error::Encode(e.into()))
}

/// An operation or a code.
fn word<T: DeserializeOwned>(word: String) -> Result<T, sqlx::Error> {
    serde_json::from_value(Value::String(word)).map_err(unreadable)
}

fn number(value: i64) -> Result<u32, sqlx::Error> {
    u32::try_from(value).map_err(unreadable)
}
