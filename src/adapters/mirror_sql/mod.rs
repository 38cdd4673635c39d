//! The mirror in SQL: an SQLite file for one gateway, a PostgreSQL server for several.

mod rows;
mod tables;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::{Any, AssertSqlSafe, Row, Transaction, any::AnyRow, query};

use super::sql::{Database, SqlError, micros, text};
use crate::ports::mirror::{
    AccessToken, Activity, EndedJob, Mirror, MirrorError, MirrorJob, MirrorUser, PartOf, Select, UserChange,
    UserPage,
};
use rows::{JOB, USER, to_json};

/// A mirror in a database.
pub struct SqlMirror {
    database: Database,
}

impl From<SqlError> for MirrorError {
    fn from(error: SqlError) -> Self {
        Self(error.0)
    }
}

impl SqlMirror {
    /// Opens `sqlite:PATH` or `postgres://user:password@host:5432/database`. Creates a missing file and missing tables.
    pub async fn open(url: &str) -> Result<Self, MirrorError> {
        let (database, ()) = Database::open(url, tables::prepare).await?;
        Ok(Self { database })
    }

    fn all<T>(
        &self,
        rows: &[AnyRow],
        read: impl Fn(&AnyRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, MirrorError> {
        rows.iter().map(read).collect::<Result<_, _>>().map_err(|e| self.database.error(e).into())
    }
}

#[async_trait]
impl Mirror for SqlMirror {
    async fn user(&self, integration: &str, id: &str) -> Result<Option<MirrorUser>, MirrorError> {
        let sql = format!("SELECT {USER} FROM mirror_users WHERE integration = $1 AND id = $2");
        let one = query(AssertSqlSafe(sql)).bind(text(integration)).bind(text(id));
        let found = self.all(&self.database.rows(one).await?, rows::user)?;
        Ok(found.into_iter().next())
    }

    async fn users(&self, integration: &str, select: &Select, part: PartOf) -> Result<UserPage, MirrorError> {
        let (column, value) = match select {
            Select::Everybody => (None, None),
            Select::Key(key) => (Some("identity"), Some(key)),
            Select::ExternalId(id) => (Some("external_id"), Some(id)),
            Select::Email(email) => (Some("email"), Some(email)),
        };
        // Somebody who is known by name may be in no list yet.
        let which = match column {
            None => "integration = $1 AND listed = 1".to_owned(),
            Some(column) => format!("integration = $1 AND {column} = $2"),
        };
        let bound = |sql: String| {
            let bound = query(AssertSqlSafe(sql)).bind(text(integration));
            match value {
                Some(value) => bound.bind(text(value)),
                None => bound,
            }
        };
        let total =
            self.database.row(bound(format!("SELECT count(*) AS n FROM mirror_users WHERE {which}"))).await?;
        let total =
            total.map_or(Ok(0), |row| row.try_get::<i64, _>("n")).map_err(|e| self.database.error(e))?;
        let mut users = Vec::new();
        if part.most > 0 {
            // Only numbers and names of columns are inserted.
            let sql = format!(
                "SELECT {USER} FROM mirror_users WHERE {which} ORDER BY created_at, id LIMIT {} OFFSET {}",
                part.most, part.skip
            );
            users = self.all(&self.database.rows(bound(sql)).await?, rows::user)?;
        }
        Ok(UserPage { total: u64::try_from(total).unwrap_or_default(), users })
    }

    async fn apply(&self, change: &UserChange) -> Result<bool, MirrorError> {
        let done = self
            .database
            .together(async |all| {
                if !put(all, change).await? {
                    return Ok(None);
                }
                if let Some(ended) = &change.ended
                    && !end(all, ended).await?
                {
                    return Ok(None);
                }
                if let Some(begun) = &change.begun
                    && !begin(all, begun).await?
                {
                    return Ok(None);
                }
                for activity in &change.activity {
                    log(all, activity).await?;
                }
                Ok(Some(()))
            })
            .await?;
        Ok(done.is_some())
    }

    async fn due(&self, now: Timestamp) -> Result<Vec<MirrorUser>, MirrorError> {
        let sql = format!(
            "SELECT {USER} FROM mirror_users WHERE wishing = 1 AND (retry_at IS NULL OR retry_at <= $1) AND NOT EXISTS \
             (SELECT 1 FROM mirror_jobs WHERE user_id = mirror_users.id AND ended_at IS NULL) ORDER BY changed_at, id"
        );
        let due = query(AssertSqlSafe(sql)).bind(micros(now));
        self.all(&self.database.rows(due).await?, rows::user)
    }

    async fn forget(&self, users: Timestamp, jobs: Timestamp) -> Result<(), MirrorError> {
        let refused = query("DELETE FROM mirror_users WHERE listed = 0 AND wishing = 0 AND changed_at < $1");
        self.database.change(refused.bind(micros(users))).await?;
        let ended = query("DELETE FROM mirror_jobs WHERE ended_at < $1");
        self.database.change(ended.bind(micros(jobs))).await?;
        Ok(())
    }

    async fn job(&self, id: &str) -> Result<Option<MirrorJob>, MirrorError> {
        let sql = format!("SELECT {JOB} FROM mirror_jobs WHERE id = $1");
        let one = self.database.rows(query(AssertSqlSafe(sql)).bind(text(id))).await?;
        Ok(self.all(&one, rows::job)?.into_iter().next())
    }

    async fn open_job(&self, user: &str) -> Result<Option<MirrorJob>, MirrorError> {
        let sql = format!("SELECT {JOB} FROM mirror_jobs WHERE user_id = $1 AND ended_at IS NULL");
        let one = self.database.rows(query(AssertSqlSafe(sql)).bind(text(user))).await?;
        Ok(self.all(&one, rows::job)?.into_iter().next())
    }

    async fn open_jobs(&self, lane: &str) -> Result<u64, MirrorError> {
        let open = query("SELECT count(*) AS n FROM mirror_jobs WHERE ended_at IS NULL AND lane = $1");
        let row = self.database.row(open.bind(text(lane))).await?;
        let open = row.map_or(Ok(0), |row| row.try_get::<i64, _>("n")).map_err(|e| self.database.error(e))?;
        Ok(u64::try_from(open).unwrap_or_default())
    }

    async fn unpublished(&self) -> Result<Vec<MirrorJob>, MirrorError> {
        let sql = format!(
            "SELECT {JOB} FROM mirror_jobs WHERE ended_at IS NULL AND published_at IS NULL ORDER BY created_at, id LIMIT 100"
        );
        self.all(&self.database.rows(query(AssertSqlSafe(sql))).await?, rows::job)
    }

    async fn unpublish(&self) -> Result<(), MirrorError> {
        let lost = query("UPDATE mirror_jobs SET published_at = NULL WHERE ended_at IS NULL");
        self.database.change(lost).await?;
        Ok(())
    }

    async fn published(&self, job: &str) -> Result<(), MirrorError> {
        let published =
            query("UPDATE mirror_jobs SET published_at = $2 WHERE id = $1 AND published_at IS NULL");
        self.database.change(published.bind(text(job)).bind(micros(Timestamp::now()))).await?;
        Ok(())
    }

    async fn activity(
        &self,
        integration: &str,
        user: Option<&str>,
        before: Option<i64>,
        most: u32,
    ) -> Result<Vec<Activity>, MirrorError> {
        let which = if user.is_some() { "AND user_id = $3" } else { "" };
        let sql = format!(
            "SELECT number, entry FROM mirror_activity WHERE integration = $1 AND number < $2 {which} \
             ORDER BY number DESC LIMIT {most}"
        );
        let mut latest = query(AssertSqlSafe(sql)).bind(text(integration)).bind(before.unwrap_or(i64::MAX));
        if let Some(user) = user {
            latest = latest.bind(text(user));
        }
        self.all(&self.database.rows(latest).await?, rows::activity)
    }

    async fn token(&self, sha256: &str) -> Result<Option<AccessToken>, MirrorError> {
        let one = query(
            "SELECT sha256, integration, name, created_at, used_at FROM mirror_tokens WHERE sha256 = $1",
        );
        let one = self.database.rows(one.bind(text(sha256))).await?;
        Ok(self.all(&one, rows::token)?.into_iter().next())
    }

    async fn tokens(&self, integration: &str) -> Result<Vec<AccessToken>, MirrorError> {
        let all = query(
            "SELECT sha256, integration, name, created_at, used_at FROM mirror_tokens WHERE integration = $1 \
             ORDER BY created_at, name",
        );
        self.all(&self.database.rows(all.bind(text(integration))).await?, rows::token)
    }

    async fn add_token(&self, token: &AccessToken) -> Result<(), MirrorError> {
        let added = query(
            "INSERT INTO mirror_tokens (sha256, integration, name, created_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT DO NOTHING",
        );
        let added = added
            .bind(text(&token.sha256))
            .bind(text(&token.integration))
            .bind(text(&token.name))
            .bind(micros(token.created_at));
        match self.database.change(added).await? {
            0 => Err(MirrorError(format!(
                "the integration {} has a token named {} already: choose another name",
                token.integration, token.name
            ))),
            _ => Ok(()),
        }
    }

    async fn used(&self, sha256: &str, at: Timestamp) -> Result<(), MirrorError> {
        let used = query("UPDATE mirror_tokens SET used_at = $2 WHERE sha256 = $1");
        self.database.change(used.bind(text(sha256)).bind(micros(at))).await?;
        Ok(())
    }

    async fn remove_token(&self, integration: &str, name: &str) -> Result<bool, MirrorError> {
        let removed = query("DELETE FROM mirror_tokens WHERE integration = $1 AND name = $2");
        Ok(self.database.change(removed.bind(text(integration)).bind(text(name))).await? > 0)
    }
}

/// Writes the user, if nobody else has changed them since.
async fn put(all: &mut Transaction<'_, Any>, change: &UserChange) -> Result<bool, sqlx::Error> {
    let user = &change.user;
    if change.remove {
        let gone = query("DELETE FROM mirror_users WHERE id = $1 AND version = $2");
        let gone = gone.bind(text(&user.id)).bind(user.version).execute(&mut **all).await?;
        return Ok(gone.rows_affected() == 1);
    }
    let sql = if user.version == 0 {
        "INSERT INTO mirror_users (id, integration, identity, username, external_id, email, state, listed, wishing, \
         retry_at, created_at, changed_at, revision, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14 + 1) ON CONFLICT DO NOTHING"
    } else {
        "UPDATE mirror_users SET identity = $3, username = $4, external_id = $5, email = $6, state = $7, listed = $8, \
         wishing = $9, retry_at = $10, created_at = $11, changed_at = $12, revision = $13, version = $14 + 1 \
         WHERE id = $1 AND integration = $2 AND version = $14"
    };
    let put = query(sql)
        .bind(text(&user.id))
        .bind(text(&user.integration))
        .bind(text(&user.key))
        .bind(text(&user.user_name))
        .bind(user.external_id.as_deref().map(text))
        .bind(user.email.as_deref().map(text))
        .bind(to_json(&user.state)?)
        .bind(i64::from(user.state.is_listed()))
        .bind(i64::from(user.state.wish.is_some()))
        .bind(user.retry_at.map(micros))
        .bind(micros(user.created_at))
        .bind(micros(user.changed_at))
        .bind(user.revision)
        .bind(user.version);
    Ok(put.execute(&mut **all).await?.rows_affected() == 1)
}

/// Ends a job, or keeps a result that another one follows. False: it has ended before.
async fn end(all: &mut Transaction<'_, Any>, ended: &EndedJob) -> Result<bool, sqlx::Error> {
    let result = query(
        "UPDATE mirror_jobs SET outcome = $2, result = $3, ended_at = $4, \
         published_at = CASE WHEN published_at IS NULL THEN $5 ELSE published_at END \
         WHERE id = $1 AND ended_at IS NULL",
    );
    let result = result
        .bind(text(&ended.id))
        .bind(ended.result.outcome.to_string())
        .bind(to_json(&ended.result)?)
        .bind(ended.last.then(|| micros(ended.at)))
        .bind(micros(ended.at));
    Ok(result.execute(&mut **all).await?.rows_affected() == 1)
}

/// Adds a job. False: its user has another open one.
async fn begin(all: &mut Transaction<'_, Any>, begun: &MirrorJob) -> Result<bool, sqlx::Error> {
    let job = query(
        "INSERT INTO mirror_jobs (id, integration, lane, user_id, body, created_at) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT DO NOTHING",
    );
    let job = job
        .bind(text(&begun.job.id))
        .bind(text(&begun.integration))
        .bind(text(&begun.lane))
        .bind(begun.user.as_deref().map(text))
        .bind(to_json(&begun.job)?)
        .bind(micros(begun.created_at));
    Ok(job.execute(&mut **all).await?.rows_affected() == 1)
}

async fn log(all: &mut Transaction<'_, Any>, activity: &Activity) -> Result<(), sqlx::Error> {
    let entry =
        query("INSERT INTO mirror_activity (integration, user_id, at, entry) VALUES ($1, $2, $3, $4)");
    let entry = entry
        .bind(text(&activity.integration))
        .bind(activity.user.as_deref().map(text))
        .bind(micros(activity.at))
        .bind(to_json(activity)?);
    entry.execute(&mut **all).await.map(drop)
}
