//! What went wrong, for people: which journal, what happened, what to try. Never the address, for its password.

use super::place::Place;
use crate::ports::journal::JournalError;

/// The library's error in our words.
pub(super) fn told(place: &Place, error: &sqlx::Error) -> JournalError {
    let (what, advice) = match (place, error) {
        (Place::File(_), sqlx::Error::Database(e)) => of_a_file(&code(e.as_ref()), e.message()),
        (Place::Server { .. }, sqlx::Error::Database(e)) => of_a_server(&code(e.as_ref()), e.message()),
        (_, sqlx::Error::PoolTimedOut) => (
            "no connection was to be had in time".to_owned(),
            "see that it is up, can be reached, and has not too many connections",
        ),
        (Place::Server { .. }, sqlx::Error::Io(e)) => (
            format!("it does not answer ({e})"),
            "see that the server runs, and that host and port are right",
        ),
        (Place::Server { .. }, sqlx::Error::Tls(e)) => {
            (format!("no secure connection ({e})"), "see its certificate, and `sslmode` in the address")
        }
        (_, sqlx::Error::Decode(e) | sqlx::Error::ColumnDecode { source: e, .. }) => {
            (format!("it holds what this version cannot read ({e})"), "was it written by a newer one?")
        }
        (_, other) => (other.to_string(), "see that it is whole and can be reached"),
    };
    say(place, &what, advice)
}

/// One sentence about a journal.
pub(super) fn say(place: &Place, what: &str, advice: &str) -> JournalError {
    JournalError(format!("{place}: {what}; {advice}"))
}

/// Its tables are not there yet.
pub(super) fn no_tables(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(e) = error else { return false };
    e.code().as_deref() == Some("42P01") || e.message().starts_with("no such table")
}

/// Somebody else is at the file.
pub(super) fn busy(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(e) = error else { return false };
    matches!(primary(&code(e.as_ref())), Some(5 | 6))
}

fn code(error: &dyn sqlx::error::DatabaseError) -> String {
    error.code().unwrap_or_default().into_owned()
}

/// SQLite's result code without what it adds to it: <https://www.sqlite.org/rescode.html>
fn primary(code: &str) -> Option<u32> {
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

fn of_a_file(code: &str, said: &str) -> (String, &'static str) {
    let (what, advice) = match primary(code) {
        Some(13) => ("the disk is full", "free some space: what was written before is not lost"),
        Some(8) => ("it is read-only", "give the worker's user the right to write the file and its folder"),
        Some(5 | 6) => ("somebody else keeps it locked", "see which programs have it open"),
        Some(10) => {
            ("the disk does not do what it should", "look at the disk, and for a limit on file sizes")
        }
        Some(14) => {
            ("it cannot be opened", "see that the worker's user may read and write the file and its folder")
        }
        Some(11 | 26) => (
            "it is damaged, or no journal",
            "put it back from a backup; or move it away, and a new one is made that knows of nothing before it",
        ),
        _ => ("it failed", "see that the file is whole"),
    };
    (format!("{what} ({said})"), advice)
}

/// PostgreSQL's codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn of_a_server(code: &str, said: &str) -> (String, &'static str) {
    let (what, advice) = match code {
        "28P01" | "28000" => ("it does not let us in", "see user and password"),
        "3D000" => ("there is no such database", "make it, or name another one"),
        "42501" => {
            ("the user may not do that", "let the user own the database, or make tables in its schema")
        }
        "53100" => ("its disk is full", "free some space: what was written before is not lost"),
        "53300" => ("it has too many connections", "raise max_connections, or run fewer workers"),
        "25006" => ("it is read-only", "name the primary, not a standby"),
        "57P01" | "57P02" | "57P03" => ("it is starting or stopping", "wait until it is up"),
        _ => ("it failed", "see what the server's log says of it"),
    };
    (format!("{what} ({said})"), advice)
}
