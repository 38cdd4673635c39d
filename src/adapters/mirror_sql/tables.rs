//! The tables of the mirror. The first gateway creates them; a gateway refuses the tables of another version.

use sqlx::{Any, AnyConnection, AssertSqlSafe, Connection, Row};

use super::super::sql::{Location, SqlError, fault};

/// The version of the tables. A change of them needs a new version and a migration.
const VERSION: i64 = 1;

/// The number of an activity counts up in both databases.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS mirror_meta (one BIGINT PRIMARY KEY CHECK (one = 1), version BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS mirror_users (
    id TEXT PRIMARY KEY,
    integration TEXT NOT NULL,
    identity TEXT NOT NULL,
    username TEXT NOT NULL,
    external_id TEXT,
    email TEXT,
    state TEXT NOT NULL,
    listed BIGINT NOT NULL,
    wishing BIGINT NOT NULL,
    retry_at BIGINT,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    version BIGINT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS mirror_users_identity ON mirror_users (integration, identity);
CREATE INDEX IF NOT EXISTS mirror_users_external ON mirror_users (integration, external_id);
CREATE INDEX IF NOT EXISTS mirror_users_email ON mirror_users (integration, email);
CREATE INDEX IF NOT EXISTS mirror_users_arrival ON mirror_users (integration, listed, created_at, id);
CREATE INDEX IF NOT EXISTS mirror_users_wishing ON mirror_users (wishing) WHERE wishing = 1;
CREATE TABLE IF NOT EXISTS mirror_jobs (
    id TEXT PRIMARY KEY,
    integration TEXT NOT NULL,
    lane TEXT NOT NULL,
    user_id TEXT,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    published_at BIGINT,
    outcome TEXT,
    result TEXT,
    ended_at BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS mirror_jobs_open ON mirror_jobs (user_id) WHERE ended_at IS NULL AND user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS mirror_jobs_lane ON mirror_jobs (lane) WHERE ended_at IS NULL;
CREATE INDEX IF NOT EXISTS mirror_jobs_unpublished ON mirror_jobs (created_at) WHERE ended_at IS NULL AND published_at IS NULL;
CREATE INDEX IF NOT EXISTS mirror_jobs_ended ON mirror_jobs (ended_at);
CREATE TABLE IF NOT EXISTS mirror_activity (
    number COUNTER,
    integration TEXT NOT NULL,
    user_id TEXT,
    at BIGINT NOT NULL,
    entry TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS mirror_activity_integration ON mirror_activity (integration, number);
CREATE INDEX IF NOT EXISTS mirror_activity_user ON mirror_activity (user_id, number);
CREATE TABLE IF NOT EXISTS mirror_tokens (
    sha256 TEXT PRIMARY KEY,
    integration TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS mirror_tokens_name ON mirror_tokens (integration, name);
";

/// Checks the version of the tables. Creates missing tables.
pub(super) async fn prepare(connection: &mut AnyConnection, location: &Location) -> Result<(), SqlError> {
    // Look first: a user that only works with the tables needs no right to create them.
    let found = match version(connection).await {
        Ok(Some(found)) => found,
        Ok(None) => create(connection, location).await.map_err(|e| fault::describe(location, &e))?,
        Err(error) if fault::no_tables(&error) => {
            create(connection, location).await.map_err(|e| fault::describe(location, &e))?
        }
        Err(error) => return Err(fault::describe(location, &error)),
    };
    if found == VERSION {
        return Ok(());
    }
    Err(fault::error(
        location,
        &format!("its tables have version {found}, and this Seatwright knows version {VERSION}"),
        "run the newer Seatwright, or give this one its own mirror",
    ))
}

async fn version(connection: &mut AnyConnection) -> Result<Option<i64>, sqlx::Error> {
    let row = sqlx::query::<Any>("SELECT version FROM mirror_meta").fetch_optional(connection).await?;
    row.map(|row| row.try_get("version")).transpose()
}

async fn create(connection: &mut AnyConnection, location: &Location) -> Result<i64, sqlx::Error> {
    // Two gateways may start at once: one creates the tables, the other waits and finds them.
    let (begin, counter) = match location {
        Location::File(_) => ("BEGIN IMMEDIATE", "INTEGER PRIMARY KEY AUTOINCREMENT"),
        Location::Server { .. } => ("BEGIN", "BIGSERIAL PRIMARY KEY"),
    };
    let mut all = connection.begin_with(begin).await?;
    if let Location::Server { .. } = location {
        sqlx::query::<Any>("SELECT pg_advisory_xact_lock(5072027)").execute(&mut *all).await?;
    }
    sqlx::raw_sql(AssertSqlSafe(TABLES.replace("COUNTER", counter))).execute(&mut *all).await?;
    sqlx::query::<Any>("INSERT INTO mirror_meta (one, version) VALUES (1, $1) ON CONFLICT DO NOTHING")
        .bind(VERSION)
        .execute(&mut *all)
        .await?;
    let found = version(&mut all).await?.ok_or(sqlx::Error::RowNotFound)?;
    all.commit().await?;
    Ok(found)
}
