//! The journal in SQL: an SQLite file for one host, a PostgreSQL server for several. The only module that uses sqlx.
//!
//! Both databases run the same queries. Each method changes rows by one statement, which is its own transaction: there is
//! nothing to roll back, and a second writer sees the first one's rows, by the same rules in both databases.

mod rows;
mod tables;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::{
    Any, AssertSqlSafe, Row,
    any::{AnyArguments, AnyRow},
    query,
    query::Query,
};

use super::sql::{Database, SqlError, micros, text};
use crate::{
    contract::{JobResult, Outcome},
    digest::sha256,
    ports::journal::{
        ClaimOutcome, CommitPermit, Entry, Journal, JournalError, JournalIdentity, LaneStop, Settled,
        UnsettledJob,
    },
};
use rows::{json, unsettled_columns};

/// A journal in a database.
pub struct SqlJournal {
    database: Database,
    identity: JournalIdentity,
}

impl From<SqlError> for JournalError {
    fn from(error: SqlError) -> Self {
        Self(error.0)
    }
}

impl SqlJournal {
    /// Opens `sqlite:PATH` or `postgres://user:password@host:5432/database`. Creates a missing file and missing tables.
    pub async fn open(url: &str) -> Result<Self, JournalError> {
        let (database, identity) = Database::open(url, tables::identity).await?;
        Ok(Self { database, identity })
    }

    async fn rows(&self, query: Query<'_, Any, AnyArguments>) -> Result<Vec<AnyRow>, JournalError> {
        Ok(self.database.rows(query).await?)
    }

    async fn row(&self, query: Query<'_, Any, AnyArguments>) -> Result<Option<AnyRow>, JournalError> {
        Ok(self.database.row(query).await?)
    }

    /// Rows of these lanes, which replace `LANES`.
    async fn rows_of(&self, lanes: &[String], sql: &str) -> Result<Vec<AnyRow>, JournalError> {
        if lanes.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<String> = (1..=lanes.len()).map(|n| format!("${n}")).collect();
        // Only numbers are inserted.
        let sql = AssertSqlSafe(sql.replace("LANES", &places.join(", ")));
        self.rows(lanes.iter().fold(query(sql), |all, lane| all.bind(text(lane)))).await
    }

    /// Returns how many rows were changed.
    async fn change(&self, query: Query<'_, Any, AnyArguments>) -> Result<u64, JournalError> {
        Ok(self.database.change(query).await?)
    }

    fn error(&self, error: sqlx::Error) -> JournalError {
        self.database.error(error).into()
    }
}

#[async_trait]
impl Journal for SqlJournal {
    fn identity(&self) -> &JournalIdentity {
        &self.identity
    }

    async fn claim(&self, job: &Entry) -> Result<ClaimOutcome, JournalError> {
        let failed = |e| self.error(e);
        // An older version kept the digest of the bytes.
        let bytes = sha256(&job.body);
        let same = |digest: &str| digest == text(&job.digest) || digest == bytes;
        loop {
            let known = query("SELECT digest, result FROM journal_jobs WHERE id = $1").bind(text(&job.job));
            if let Some(row) = self.row(known).await? {
                if !same(&row.try_get::<String, _>("digest").map_err(failed)?) {
                    return Ok(ClaimOutcome::OtherBody);
                }
                if let Some(result) = row.try_get::<Option<String>, _>("result").map_err(failed)? {
                    return Ok(ClaimOutcome::Done(Box::new(rows::result(result).map_err(failed)?)));
                }
            }
            let lane = query("SELECT lane, code, message, stopped_at FROM journal_lanes WHERE lane = $1");
            if let Some(row) = self.row(lane.bind(text(&job.lane))).await? {
                return Ok(ClaimOutcome::LaneStopped(rows::lane_stop(&row).map_err(failed)?));
            }
            // Counted and read in one statement: two workers at once get two numbers.
            let taken = query(
                "INSERT INTO journal_jobs (id, digest, lane, worker, app, operation, integration, username, body, \
                 reply_to, attempt, deaths, put_down, holding, looks, created_at, changed_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, 0, 0, 0, 0, $11, $11) \
                 ON CONFLICT (id) DO UPDATE SET attempt = journal_jobs.attempt + 1, \
                 deaths = CASE WHEN journal_jobs.put_down = 1 THEN 0 ELSE journal_jobs.deaths + 1 END, put_down = 0, \
                 worker = excluded.worker, lane = excluded.lane, changed_at = excluded.changed_at, \
                 username = excluded.username, body = excluded.body \
                 WHERE journal_jobs.result IS NULL AND journal_jobs.digest IN (excluded.digest, $12) \
                 RETURNING attempt, deaths, step, intended_at, \
                 (SELECT count(*) FROM journal_cancels WHERE job = $1) AS cancels",
            )
            .bind(text(&job.job))
            .bind(text(&job.digest))
            .bind(text(&job.lane))
            .bind(text(&job.worker))
            .bind(text(&job.app))
            .bind(job.operation.as_str())
            .bind(text(&job.integration))
            .bind(job.user.as_deref().map(text))
            .bind(job.body.as_slice())
            .bind(job.reply_to.as_deref().map(text))
            .bind(micros(Timestamp::now()))
            .bind(bytes.as_str());
            // No row: since the query it was concluded, or claimed with another body.
            let Some(row) = self.row(taken).await? else { continue };
            let attempt = rows::attempt(&row).map_err(failed)?;
            let cancelled = row.try_get::<i64, _>("cancels").map_err(failed)? > 0;
            return Ok(match rows::intent(&row).map_err(failed)? {
                Some(intent) => ClaimOutcome::Unknown { attempt, intent },
                None if cancelled => ClaimOutcome::Cancelled(attempt),
                None => ClaimOutcome::Begun(attempt),
            });
        }
    }

    async fn deaths(&self, job: &str) -> Result<u32, JournalError> {
        let deaths = query(
            "SELECT CASE WHEN put_down = 1 THEN 0 ELSE deaths + 1 END AS deaths FROM journal_jobs \
             WHERE id = $1 AND result IS NULL",
        );
        let row = self.row(deaths.bind(text(job))).await?;
        row.as_ref().map_or(Ok(0), rows::deaths).map_err(|e| self.error(e))
    }

    async fn release(&self, job: &str, attempt: u32) -> Result<(), JournalError> {
        let released = query(
            // A superseded attempt did not die either.
            "UPDATE journal_jobs SET put_down = CASE WHEN attempt = $2 THEN 1 ELSE put_down END, \
             deaths = CASE WHEN attempt > $2 AND deaths > 0 THEN deaths - 1 ELSE deaths END, changed_at = $3 \
             WHERE id = $1 AND attempt >= $2 AND result IS NULL",
        );
        let released = released.bind(text(job)).bind(i64::from(attempt)).bind(micros(Timestamp::now()));
        self.change(released).await.map(drop)
    }

    async fn intend(&self, job: &str, attempt: u32, step: &str) -> Result<CommitPermit, JournalError> {
        // It is too late to cancel once a commit began.
        let intended = query(
            "UPDATE journal_jobs SET step = $3, intended_at = $4, changed_at = $4 \
             WHERE id = $1 AND attempt = $2 AND result IS NULL \
             AND (step IS NOT NULL OR NOT EXISTS (SELECT 1 FROM journal_cancels WHERE job = $1))",
        );
        let intended = intended.bind(text(job)).bind(i64::from(attempt)).bind(text(step));
        if self.change(intended.bind(micros(Timestamp::now()))).await? == 1 {
            return Ok(CommitPermit::Granted);
        }
        let ours =
            query("SELECT 1 AS ours FROM journal_jobs WHERE id = $1 AND attempt = $2 AND result IS NULL");
        let ours = self.row(ours.bind(text(job)).bind(i64::from(attempt))).await?;
        Ok(if ours.is_some() { CommitPermit::Cancelled } else { CommitPermit::Superseded })
    }

    async fn withdraw(&self, job: &str, attempt: u32) -> Result<(), JournalError> {
        let withdrawn = query(
            "UPDATE journal_jobs SET step = NULL, intended_at = NULL, changed_at = $3 \
             WHERE id = $1 AND attempt = $2 AND result IS NULL",
        );
        let withdrawn = withdrawn.bind(text(job)).bind(i64::from(attempt)).bind(micros(Timestamp::now()));
        self.change(withdrawn).await.map(drop)
    }

    async fn conclude(
        &self,
        job: &str,
        attempt: u32,
        result: &JobResult,
        reconcile_at: Option<Timestamp>,
    ) -> Result<CommitPermit, JournalError> {
        let holds = result.outcome == Outcome::Indeterminate;
        // The same attempt may repeat it, because the first answer may have been lost.
        let concluded = query(
            "UPDATE journal_jobs SET outcome = $3, result = $4, holding = $5, look_at = $6, concluded_at = $7, \
             changed_at = $7, body = CASE WHEN $5 = 1 THEN body END \
             WHERE id = $1 AND attempt = $2 AND published_at IS NULL AND (result IS NULL OR outcome = $3)",
        );
        let concluded = concluded
            .bind(text(job))
            .bind(i64::from(attempt))
            .bind(result.outcome.to_string())
            .bind(json(result).map_err(|e| self.error(e))?)
            .bind(i64::from(holds))
            .bind(reconcile_at.filter(|_| holds).map(micros))
            .bind(micros(Timestamp::now()));
        Ok(if self.change(concluded).await? == 1 { CommitPermit::Granted } else { CommitPermit::Superseded })
    }

    async fn published(&self, result: &JobResult) -> Result<(), JournalError> {
        // A settled job has a new outcome: it is not indeterminate any more.
        let published = query(
            "UPDATE journal_jobs SET published_at = $3, changed_at = $3 WHERE id = $1 AND outcome = $2",
        );
        let published = published.bind(text(&result.job)).bind(result.outcome.to_string());
        self.change(published.bind(micros(Timestamp::now()))).await.map(drop)
    }

    async fn cancel(&self, job: &str) -> Result<(), JournalError> {
        let cancel = query("INSERT INTO journal_cancels (job, at) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        self.change(cancel.bind(text(job)).bind(micros(Timestamp::now()))).await.map(drop)
    }

    async fn unsettled_of_user(
        &self,
        integration: &str,
        user: &str,
    ) -> Result<Option<UnsettledJob>, JournalError> {
        let holder = query(concat!(
            "SELECT ",
            unsettled_columns!(),
            " FROM journal_jobs WHERE holding = 1 AND integration = $1 AND username = $2 \
             ORDER BY created_at, id LIMIT 1"
        ));
        let row = self.row(holder.bind(text(integration)).bind(text(user))).await?;
        row.as_ref().map(rows::unsettled).transpose().map_err(|e| self.error(e))
    }

    async fn unsettled(&self, job: &str) -> Result<Option<UnsettledJob>, JournalError> {
        let open = query(concat!(
            "SELECT ",
            unsettled_columns!(),
            " FROM journal_jobs WHERE holding = 1 AND id = $1"
        ));
        let row = self.row(open.bind(text(job))).await?;
        row.as_ref().map(rows::unsettled).transpose().map_err(|e| self.error(e))
    }

    async fn all_unsettled(&self, lanes: &[String]) -> Result<Vec<UnsettledJob>, JournalError> {
        let sql = concat!(
            "SELECT ",
            unsettled_columns!(),
            " FROM journal_jobs WHERE holding = 1 AND lane IN (LANES) ORDER BY look_at NULLS LAST, created_at, id"
        );
        let rows = self.rows_of(lanes, sql).await?;
        rows.iter().map(rows::unsettled).collect::<Result<_, _>>().map_err(|e| self.error(e))
    }

    async fn postpone(&self, job: &str, next: Option<Timestamp>) -> Result<(), JournalError> {
        let postponed = query(
            "UPDATE journal_jobs SET looks = looks + 1, look_at = $2, changed_at = $3 WHERE id = $1 AND holding = 1",
        );
        self.change(postponed.bind(text(job)).bind(next.map(micros)).bind(micros(Timestamp::now())))
            .await
            .map(drop)
    }

    async fn settle(&self, job: &str, result: &JobResult) -> Result<bool, JournalError> {
        // The broker has only the old result, so the new one counts as unpublished.
        let settled = query(
            "UPDATE journal_jobs SET outcome = $2, result = $3, holding = 0, look_at = NULL, body = NULL, \
             published_at = NULL, changed_at = $4 WHERE id = $1 AND holding = 1",
        );
        let json = json(result).map_err(|e| self.error(e))?;
        let settled = settled.bind(text(job)).bind(result.outcome.to_string()).bind(json);
        Ok(self.change(settled.bind(micros(Timestamp::now()))).await? == 1)
    }

    async fn settled_unpublished(
        &self,
        lanes: &[String],
        before: Timestamp,
    ) -> Result<Vec<Settled>, JournalError> {
        // The next delivery publishes the result of a job's own turn, which has not changed since it was concluded.
        let sql = "SELECT reply_to, result, changed_at FROM journal_jobs \
                   WHERE published_at IS NULL AND holding = 0 AND changed_at <> concluded_at AND lane IN (LANES) \
                   ORDER BY changed_at, id";
        let rows = self.rows_of(lanes, sql).await?;
        let mut all = Vec::new();
        for row in &rows {
            let settled = rows::settled(row).map_err(|e| self.error(e))?;
            all.extend(settled.filter(|(_, at)| *at < before).map(|(settled, _)| settled));
        }
        Ok(all)
    }

    async fn stop_lane(&self, stop: &LaneStop) -> Result<(), JournalError> {
        let stopped = query(
            "INSERT INTO journal_lanes (lane, code, message, stopped_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        );
        let stopped = stopped.bind(text(&stop.lane)).bind(stop.code.as_str()).bind(text(&stop.message));
        self.change(stopped.bind(micros(stop.at))).await.map(drop)
    }

    async fn resume_lane(&self, lane: &str) -> Result<bool, JournalError> {
        Ok(self.change(query("DELETE FROM journal_lanes WHERE lane = $1").bind(text(lane))).await? > 0)
    }

    async fn stopped_lanes(&self) -> Result<Vec<LaneStop>, JournalError> {
        let rows = self.rows(query("SELECT lane, code, message, stopped_at FROM journal_lanes")).await?;
        let mut stops: Vec<LaneStop> =
            rows.iter().map(rows::lane_stop).collect::<Result<_, _>>().map_err(|e| self.error(e))?;
        // Sorted here, because the two databases sort differently.
        stops.sort_by(|a, b| a.lane.cmp(&b.lane));
        Ok(stops)
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, JournalError> {
        let forgotten = query("DELETE FROM journal_jobs WHERE published_at < $1 AND holding = 0");
        let forgotten = self.change(forgotten.bind(micros(before))).await?;
        // A job that was not delivered again. Its count stays, so a worker that was suspended since its claim cannot commit.
        let emptied = query(
            "UPDATE journal_jobs SET body = NULL, username = NULL \
             WHERE result IS NULL AND step IS NULL AND changed_at < $1 AND body IS NOT NULL",
        );
        self.change(emptied.bind(micros(before))).await?;
        // A job that is still in the journal may need its cancel.
        let cancels = query(
            "DELETE FROM journal_cancels WHERE at < $1 \
             AND NOT EXISTS (SELECT 1 FROM journal_jobs WHERE journal_jobs.id = journal_cancels.job)",
        );
        self.change(cancels.bind(micros(before))).await?;
        Ok(forgotten)
    }
}
