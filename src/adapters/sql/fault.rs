//! The errors of a database for people: which database, what happened, what to try. Never the address, which may contain a password.

use super::{SqlError, location::Location};

/// Describes an error of the library.
pub(in crate::adapters) fn describe(location: &Location, cause: &sqlx::Error) -> SqlError {
    let (what, advice) = match (location, cause) {
        (Location::File(_), sqlx::Error::Database(e)) => of_a_file(&code(e.as_ref()), e.message()),
        (Location::Server { .. }, sqlx::Error::Database(e)) => of_a_server(&code(e.as_ref()), e.message()),
        (_, sqlx::Error::PoolTimedOut) => (
            "no connection was free in time".to_owned(),
            "check that it runs, can be reached, and does not have too many connections",
        ),
        (Location::Server { .. }, sqlx::Error::Io(e)) => (
            format!("it does not answer ({e})"),
            "check that the server runs, and that host and port are right",
        ),
        (Location::Server { .. }, sqlx::Error::Tls(e)) => {
            (format!("no secure connection ({e})"), "check its certificate, and `sslmode` in the address")
        }
        (_, sqlx::Error::Decode(e) | sqlx::Error::ColumnDecode { source: e, .. }) => {
            (format!("it contains data that this version cannot read ({e})"), "did a newer version write it?")
        }
        (_, other) => (other.to_string(), "check that it is intact and can be reached"),
    };
    error(location, &what, advice)
}

/// An error of this database.
pub(in crate::adapters) fn error(location: &Location, what: &str, advice: &str) -> SqlError {
    SqlError(format!("{location}: {what}; {advice}"))
}

/// Its tables do not exist yet.
pub(in crate::adapters) fn no_tables(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(e) = error else { return false };
    e.code().as_deref() == Some("42P01") || e.message().starts_with("no such table")
}

/// Another process has the file locked.
pub(in crate::adapters) fn busy(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(e) = error else { return false };
    matches!(primary(&code(e.as_ref())), Some(5 | 6))
}

fn code(error: &dyn sqlx::error::DatabaseError) -> String {
    error.code().unwrap_or_default().into_owned()
}

/// SQLite's primary result code: <https://www.sqlite.org/rescode.html>
fn primary(code: &str) -> Option<u32> {
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

fn of_a_file(code: &str, message: &str) -> (String, &'static str) {
    let (what, advice) = match primary(code) {
        Some(13) => ("the disk is full", "free some space; nothing written before is lost"),
        Some(8) => ("it is read-only", "give the worker's user the right to write the file and its folder"),
        Some(5 | 6) => ("another process keeps it locked", "see which programs have it open"),
        Some(10) => {
            ("reading or writing the disk failed", "check the disk, and whether file sizes are limited")
        }
        Some(14) => {
            ("it cannot be opened", "check that the worker's user may read and write the file and its folder")
        }
        Some(11 | 26) => (
            "it is damaged, or not a database",
            "restore it from a backup, or move it away: an empty one is then created",
        ),
        _ => ("it failed", "check that the file is intact"),
    };
    (format!("{what} ({message})"), advice)
}

/// PostgreSQL's codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn of_a_server(code: &str, message: &str) -> (String, &'static str) {
    let (what, advice) = match code {
        "28P01" | "28000" => ("it refuses the login", "check user and password"),
        "3D000" => ("there is no such database", "create it, or name another one"),
        "42501" => {
            ("the user may not do that", "let the user own the database, or create tables in its schema")
        }
        "53100" => ("its disk is full", "free some space; nothing written before is lost"),
        "53300" => ("it has too many connections", "raise max_connections, or run fewer workers"),
        "25006" => ("it is read-only", "name the primary, not a standby"),
        "57P01" | "57P02" | "57P03" => ("it is starting or stopping", "wait until it is up"),
        _ => ("it failed", "see the server's log"),
    };
    (format!("{what} ({message})"), advice)
}
