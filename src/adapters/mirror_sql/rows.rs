//! Converts rows into the types of the mirror, and back.

use serde::{Serialize, de::DeserializeOwned};
use sqlx::{Row, any::AnyRow};

use super::super::sql::{time, unreadable};
use crate::ports::mirror::{AccessToken, Activity, MirrorJob, MirrorUser};

/// The columns of [`user`].
pub(super) const USER: &str = "id, integration, identity, username, external_id, email, state, retry_at, created_at, \
     changed_at, revision, version";

/// The columns of [`job`].
pub(super) const JOB: &str =
    "id, integration, lane, user_id, body, created_at, published_at, outcome, ended_at";

pub(super) fn user(row: &AnyRow) -> Result<MirrorUser, sqlx::Error> {
    Ok(MirrorUser {
        integration: row.try_get("integration")?,
        id: row.try_get("id")?,
        key: row.try_get("identity")?,
        user_name: row.try_get("username")?,
        external_id: row.try_get("external_id")?,
        email: row.try_get("email")?,
        state: from_json(row.try_get("state")?)?,
        retry_at: row.try_get::<Option<i64>, _>("retry_at")?.map(time).transpose()?,
        created_at: time(row.try_get("created_at")?)?,
        changed_at: time(row.try_get("changed_at")?)?,
        revision: row.try_get("revision")?,
        version: row.try_get("version")?,
    })
}

pub(super) fn job(row: &AnyRow) -> Result<MirrorJob, sqlx::Error> {
    let at = |column: &str| row.try_get::<Option<i64>, _>(column)?.map(time).transpose();
    let outcome: Option<String> = row.try_get("outcome")?;
    Ok(MirrorJob {
        integration: row.try_get("integration")?,
        lane: row.try_get("lane")?,
        user: row.try_get("user_id")?,
        job: from_json(row.try_get("body")?)?,
        created_at: time(row.try_get("created_at")?)?,
        published_at: at("published_at")?,
        outcome: outcome.map(|word| from_json(format!("\"{word}\""))).transpose()?,
        ended_at: at("ended_at")?,
    })
}

pub(super) fn activity(row: &AnyRow) -> Result<Activity, sqlx::Error> {
    let entry: Activity = from_json(row.try_get("entry")?)?;
    Ok(Activity { number: row.try_get("number")?, ..entry })
}

pub(super) fn token(row: &AnyRow) -> Result<AccessToken, sqlx::Error> {
    Ok(AccessToken {
        integration: row.try_get("integration")?,
        name: row.try_get("name")?,
        sha256: row.try_get("sha256")?,
        created_at: time(row.try_get("created_at")?)?,
        used_at: row.try_get::<Option<i64>, _>("used_at")?.map(time).transpose()?,
    })
}

pub(super) fn to_json(value: &impl Serialize) -> Result<String, sqlx::Error> {
    // PostgreSQL refuses NUL in a text. JSON writes it as an escape.
    serde_json::to_string(value).map_err(|e| sqlx::Error::Encode(e.into()))
}

fn from_json<T: DeserializeOwned>(json: String) -> Result<T, sqlx::Error> {
    serde_json::from_str(&json).map_err(unreadable)
}
