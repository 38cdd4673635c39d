//! A database for one of the stores: an SQLite file for one host, a PostgreSQL server for several.
//!
//! Both run the same queries. Times are microseconds since 1970, booleans are 0 and 1.

pub(super) mod fault;
pub(super) mod location;

use std::{str::FromStr, time::Duration};

use jiff::Timestamp;
use sqlx::{
    Any, AnyConnection, AnyPool, Connection, Executor, Transaction,
    any::{AnyArguments, AnyConnectOptions, AnyPoolOptions, AnyRow},
    query::Query,
};

pub(super) use location::Location;

/// How long a connect may take.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// How long a statement may take. It is longer than the 5 s for which SQLite waits for a lock.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// The number of connections to a server. A statement takes a millisecond, and a process has few at a time.
const CONNECTIONS: u32 = 4;

/// Why a database did not do it, in words for people. Never the address, which may contain a password.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct SqlError(pub String);

/// An open database.
pub(super) struct Database {
    pool: AnyPool,
    location: Location,
}

impl Database {
    /// Opens `sqlite:PATH` or `postgres://user:password@host:5432/database`, and creates a missing file. `tables` gets the first
    /// connection, to create missing tables.
    pub async fn open<T>(
        url: &str,
        tables: impl AsyncFnOnce(&mut AnyConnection, &Location) -> Result<T, SqlError>,
    ) -> Result<(Self, T), SqlError> {
        sqlx::any::install_default_drivers();
        let location = Location::parse(url).map_err(SqlError)?;
        location.prepare().await.map_err(|e| {
            fault::error(
                &location,
                &e.to_string(),
                "check that the worker's user may write the file and its folder",
            )
        })?;
        let failed = |e: sqlx::Error| fault::describe(&location, &e);
        let options = AnyConnectOptions::from_str(&location.address()).map_err(failed)?;
        // One connection first: a pool that cannot connect reports only a time-out.
        let opening = async {
            let mut connection = AnyConnection::connect_with(&options).await.map_err(failed)?;
            if let Location::File(_) = &location {
                write_ahead(&mut connection).await.map_err(failed)?;
            }
            let made = tables(&mut connection, &location).await?;
            connection.close().await.map_err(failed)?;
            Ok(made)
        };
        let made = within(&location, opening).await?;
        Ok((Self { pool: pool(&location, options), location }, made))
    }

    pub async fn rows(&self, query: Query<'_, Any, AnyArguments>) -> Result<Vec<AnyRow>, SqlError> {
        // Read to the end: SQLite commits after the last row, and stopping at the first would miss a failed commit.
        within(&self.location, async { query.fetch_all(&self.pool).await.map_err(|e| self.error(e)) }).await
    }

    pub async fn row(&self, query: Query<'_, Any, AnyArguments>) -> Result<Option<AnyRow>, SqlError> {
        Ok(self.rows(query).await?.into_iter().next())
    }

    /// Returns how many rows were changed.
    pub async fn change(&self, query: Query<'_, Any, AnyArguments>) -> Result<u64, SqlError> {
        let done =
            within(&self.location, async { query.execute(&self.pool).await.map_err(|e| self.error(e)) });
        Ok(done.await?.rows_affected())
    }

    /// Several changes as one. Nothing is changed if `work` fails or returns `None`.
    pub async fn together<T>(
        &self,
        work: impl AsyncFnOnce(&mut Transaction<'_, Any>) -> Result<Option<T>, sqlx::Error>,
    ) -> Result<Option<T>, SqlError> {
        let begin = match &self.location {
            // A transaction that only reads at first fails when another process writes in between.
            Location::File(_) => "BEGIN IMMEDIATE",
            Location::Server { .. } => "BEGIN",
        };
        let all = async {
            let mut all = self.pool.begin_with(begin).await?;
            let done = work(&mut all).await?;
            match done {
                Some(_) => all.commit().await?,
                None => all.rollback().await?,
            }
            Ok(done)
        };
        within(&self.location, async { all.await.map_err(|e| self.error(e)) }).await
    }

    pub fn error(&self, error: sqlx::Error) -> SqlError {
        fault::describe(&self.location, &error)
    }
}

/// Text without NUL. JSON may contain one and PostgreSQL refuses it, so a job with one in its id would look like a
/// failing database.
pub(super) fn text(text: &str) -> String {
    text.replace('\0', "\u{2400}")
}

pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

pub(super) fn time(micros: i64) -> Result<Timestamp, sqlx::Error> {
    Timestamp::from_microsecond(micros).map_err(unreadable)
}

pub(super) fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(error.into())
}

/// The connection pool of all queries.
fn pool(location: &Location, options: AnyConnectOptions) -> AnyPool {
    let pool = AnyPoolOptions::new().acquire_timeout(CONNECT_TIME);
    match location {
        // One connection that never ends: a file has one writer at a time anyway, and this process never waits for its own lock.
        Location::File(_) => pool
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .after_connect(|connection, _| {
                Box::pin(async { connection.execute("PRAGMA synchronous = FULL").await.map(drop) })
            }),
        // Whatever the server's default is, a write is on its disk before it returns.
        Location::Server { .. } => pool.max_connections(CONNECTIONS).after_connect(|connection, _| {
            Box::pin(async {
                let durable = "SELECT set_config('synchronous_commit', 'on', false) \
                                   WHERE current_setting('synchronous_commit') = 'off'";
                connection.execute(durable).await.map(drop)
            })
        }),
    }
    .connect_lazy_with(options)
}

/// Turns on SQLite's write-ahead log, so that readers and the writer do not wait for each other.
async fn write_ahead(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    loop {
        match connection.execute("PRAGMA journal_mode = WAL").await {
            // This happens once for a file and needs it alone. SQLite does not wait for that.
            Err(error) if fault::busy(&error) => tokio::time::sleep(Duration::from_millis(20)).await,
            done => return done.map(drop),
        }
    }
}

/// Bounds the wait for a silent server.
async fn within<T>(
    location: &Location,
    work: impl Future<Output = Result<T, SqlError>>,
) -> Result<T, SqlError> {
    tokio::time::timeout(ANSWER_TIME, work).await.unwrap_or_else(|_| {
        let what = format!("no answer within {} s", ANSWER_TIME.as_secs());
        Err(fault::error(
            location,
            &what,
            "check that it runs and can be reached, and that no other session locks its tables",
        ))
    })
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Row, query};

    use super::*;

    /// A kill of the worker does not show this, only a power cut: what the system has not written yet is lost with it.
    #[tokio::test]
    async fn a_file_has_each_row_on_its_disk_before_the_call_returns() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("journal.db").display());
        let (database, ()) = Database::open(&url, async |_, _| Ok(())).await.expect("a database");
        for (pragma, wanted) in [("synchronous", "2"), ("journal_mode", "wal")] {
            let sql = format!("SELECT CAST({pragma} AS TEXT) FROM pragma_{pragma}");
            let row = database.row(query(AssertSqlSafe(sql))).await.expect("an answer").expect("a row");
            assert_eq!(row.get::<String, _>(0), wanted, "{pragma}");
        }
    }
}
