//! What the cases need: a job, its result, and a look into the tables.

use std::time::Duration;

use jiff::Timestamp;
use seatwright::{
    adapters::journal_sql::SqlJournal,
    contract::{JobResult, Operation, Outcome, Timings, WorkerRef},
    ports::journal::{Attempt, ClaimOutcome, Entry},
};
use sqlx::{Any, AnyConnection, Connection, Row};

/// A job of Ada's.
pub fn entry(job: &str) -> Entry {
    Entry {
        job: job.into(),
        digest: "d1ge57".into(),
        lane: "lane".into(),
        worker: "worker".into(),
        app: "ledgerly".into(),
        operation: Operation::UserCreate,
        integration: "int-42".into(),
        user: Some("ada".into()),
        body: b"{ ada }".to_vec(),
        reply_to: Some("answers".into()),
    }
}

pub fn result(job: &str, outcome: Outcome) -> JobResult {
    JobResult {
        job: job.into(),
        app: Some("ledgerly".into()),
        operation: Some(Operation::UserCreate),
        integration: Some("int-42".into()),
        outcome,
        changed: Some(true),
        before: None,
        after: None,
        changes: Vec::new(),
        verified: None,
        other_record_touched: None,
        unverified: Vec::new(),
        ignored: Vec::new(),
        error: None,
        sent: Vec::new(),
        users: None,
        completeness: None,
        entitlements: None,
        items: Vec::new(),
        runbook: None,
        new_user: None,
        evidence: Vec::new(),
        playbook: None,
        worker: WorkerRef { version: "0".into(), browser: None },
        attempts: 1,
        timings: Timings::default(),
        drift: Vec::new(),
        finished_at: Timestamp::UNIX_EPOCH,
        settled: false,
        part: None,
    }
}

pub fn begun(number: u32, deaths: u32) -> ClaimOutcome {
    ClaimOutcome::Begun(Attempt { number, deaths })
}

/// As precise as a journal is.
pub fn now() -> Timestamp {
    Timestamp::from_microsecond(Timestamp::now().as_microsecond()).expect("it is a time")
}

pub fn later() -> Timestamp {
    now() + Duration::from_secs(60)
}

pub async fn open(url: &str) -> SqlJournal {
    SqlJournal::open(url).await.unwrap_or_else(|e| panic!("{e}"))
}

/// A number from the tables themselves.
pub async fn value(url: &str, sql: &'static str) -> i64 {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(url).await.expect("it is there");
    let row = sqlx::query::<Any>(sql).fetch_all(&mut connection).await.expect("it can be asked").remove(0);
    connection.close().await.expect("it can be closed");
    row.try_get(0).expect("a number")
}
