//! The tables. The first worker creates them; a worker refuses the tables of another version.

use std::hash::{BuildHasher, Hasher, RandomState};

use jiff::Timestamp;
use sqlx::{Any, AnyConnection, AssertSqlSafe, Connection, Row};

use super::super::sql::{Location, SqlError, fault, micros, time};
use crate::ports::journal::JournalIdentity;

/// The version of the tables. A change of them needs a new version and a migration.
const VERSION: i64 = 1;

/// Times are microseconds since 1970, booleans are 0 and 1: the same in both databases.
///
/// A user's identity is not indexed: it may be too long for an index, and few jobs are unsettled at a time.
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

/// Reads the journal's identity. Creates missing tables.
pub(super) async fn identity(
    connection: &mut AnyConnection,
    location: &Location,
) -> Result<JournalIdentity, SqlError> {
    // Look first: a user that only works with the tables needs no right to create them.
    let found = match found(connection).await {
        Ok(Some(found)) => found,
        Ok(None) => create(connection, location).await.map_err(|e| fault::describe(location, &e))?,
        Err(error) if fault::no_tables(&error) => {
            create(connection, location).await.map_err(|e| fault::describe(location, &e))?
        }
        Err(error) => return Err(fault::describe(location, &error)),
    };
    match found {
        (VERSION, identity) => Ok(identity),
        (version, _) => Err(fault::error(
            location,
            &format!("its tables have version {version}, and this Seatwright knows version {VERSION}"),
            "run the newer Seatwright, or give this one its own journal",
        )),
    }
}

async fn found(connection: &mut AnyConnection) -> Result<Option<(i64, JournalIdentity)>, sqlx::Error> {
    let row = sqlx::query::<Any>("SELECT version, name, made_at FROM journal_meta")
        .fetch_optional(connection)
        .await?;
    let read = |row: sqlx::any::AnyRow| {
        let identity =
            JournalIdentity { name: row.try_get("name")?, made_at: time(row.try_get("made_at")?)? };
        Ok((row.try_get("version")?, identity))
    };
    row.map(read).transpose()
}

async fn create(
    connection: &mut AnyConnection,
    location: &Location,
) -> Result<(i64, JournalIdentity), sqlx::Error> {
    // Two workers may start at once: one creates the tables, the other waits and finds them.
    let (begin, bytes) = match location {
        Location::File(_) => ("BEGIN IMMEDIATE", "BLOB"),
        Location::Server { .. } => ("BEGIN", "BYTEA"),
    };
    let mut all = connection.begin_with(begin).await?;
    if let Location::Server { .. } = location {
        sqlx::query::<Any>("SELECT pg_advisory_xact_lock(5072026)").execute(&mut *all).await?;
    }
    sqlx::raw_sql(AssertSqlSafe(TABLES.replace("BYTES", bytes))).execute(&mut *all).await?;
    sqlx::query::<Any>(
        "INSERT INTO journal_meta (one, version, name, made_at) VALUES (1, $1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(VERSION)
    .bind(name())
    .bind(micros(Timestamp::now()))
    .execute(&mut *all)
    .await?;
    let found = found(&mut all).await?.ok_or(sqlx::Error::RowNotFound)?;
    all.commit().await?;
    Ok(found)
}

/// A random name: the system seeds the standard library's hasher.
fn name() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}
