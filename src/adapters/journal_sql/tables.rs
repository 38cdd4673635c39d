//! The tables: made once, by whoever comes first, and never taken for those of another version.

use std::hash::{BuildHasher, Hasher, RandomState};

use jiff::Timestamp;
use sqlx::{Any, AnyConnection, AssertSqlSafe, Connection, Row};

use super::{fault, place::Place, rows};
use crate::ports::journal::{Identity, JournalError};

/// Of these tables. A change of them is a new version, and a way there.
const VERSION: i64 = 1;

/// Times are microseconds since 1970, truths are 0 and 1: both databases have them alike.
///
/// A user's identity is in no index: it may be longer than an index takes, and few jobs are open at a time.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS journal_meta (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    version BIGINT NOT NULL,
    name TEXT NOT NULL,
    made_at BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS journal_jobs (
    id TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    lane TEXT NOT NULL,
    worker TEXT NOT NULL,
    app TEXT NOT NULL,
    operation TEXT NOT NULL,
    integration TEXT NOT NULL,
    username TEXT,
    body BYTES,
    reply_to TEXT,
    attempt BIGINT NOT NULL,
    deaths BIGINT NOT NULL,
    put_down BIGINT NOT NULL,
    step TEXT,
    intended_at BIGINT,
    outcome TEXT,
    result TEXT,
    holding BIGINT NOT NULL,
    looks BIGINT NOT NULL,
    look_at BIGINT,
    concluded_at BIGINT,
    published_at BIGINT,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS journal_jobs_holding ON journal_jobs (holding) WHERE holding = 1;
CREATE INDEX IF NOT EXISTS journal_jobs_published ON journal_jobs (published_at);
CREATE TABLE IF NOT EXISTS journal_cancels (job TEXT PRIMARY KEY, at BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS journal_lanes (
    lane TEXT PRIMARY KEY,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    stopped_at BIGINT NOT NULL
);
";

/// The journal's identity; the tables are made where they are missing.
pub(super) async fn identity(
    connection: &mut AnyConnection,
    place: &Place,
) -> Result<Identity, JournalError> {
    // Looked for first: whoever only works with the tables needs no right to make them.
    let found = match found(connection).await {
        Ok(Some(found)) => found,
        Ok(None) => made(connection, place).await.map_err(|e| fault::told(place, &e))?,
        Err(error) if fault::no_tables(&error) => {
            made(connection, place).await.map_err(|e| fault::told(place, &e))?
        }
        Err(error) => return Err(fault::told(place, &error)),
    };
    match found {
        (VERSION, identity) => Ok(identity),
        (version, _) => Err(fault::say(
            place,
            &format!("its tables are of version {version}, and this Seatwright knows version {VERSION}"),
            "run the newer Seatwright, or give this one a journal of its own",
        )),
    }
}

async fn found(connection: &mut AnyConnection) -> Result<Option<(i64, Identity)>, sqlx::Error> {
    let row = sqlx::query::<Any>("SELECT version, name, made_at FROM journal_meta")
        .fetch_optional(connection)
        .await?;
    let read = |row: sqlx::any::AnyRow| {
        let identity = Identity { name: row.try_get("name")?, made_at: rows::time(row.try_get("made_at")?)? };
        Ok((row.try_get("version")?, identity))
    };
    row.map(read).transpose()
}

async fn made(connection: &mut AnyConnection, place: &Place) -> Result<(i64, Identity), sqlx::Error> {
    // Two workers may come at once: one makes the tables, the other waits and finds them.
    let (begin, bytes) = match place {
        Place::File(_) => ("BEGIN IMMEDIATE", "BLOB"),
        Place::Server { .. } => ("BEGIN", "BYTEA"),
    };
    let mut all = connection.begin_with(begin).await?;
    if let Place::Server { .. } = place {
        sqlx::query::<Any>("SELECT pg_advisory_xact_lock(5072026)").execute(&mut *all).await?;
    }
    sqlx::raw_sql(AssertSqlSafe(TABLES.replace("BYTES", bytes))).execute(&mut *all).await?;
    sqlx::query::<Any>(
        "INSERT INTO journal_meta (one, version, name, made_at) VALUES (1, $1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(VERSION)
    .bind(name())
    .bind(rows::micros(Timestamp::now()))
    .execute(&mut *all)
    .await?;
    let found = found(&mut all).await?.ok_or(sqlx::Error::RowNotFound)?;
    all.commit().await?;
    Ok(found)
}

/// A name by chance: the standard library's hasher is seeded by the system's own.
fn name() -> String {
    let chance = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", chance(), chance())
}
