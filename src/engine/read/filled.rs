//! Cells that may be filled later than the page has drawn their record.

use super::{
    super::{
        limits::{CELLS_TIME, READ_TIME},
        page::{StepError, unexpected},
        run::Run,
    },
    rows::Row,
};
use crate::{
    plan::diff,
    playbook::{
        Names,
        syntax::{Column, Detail, Values},
    },
    ports::driver::{Exchange, ExchangeKind},
    query::{self, Answer, Ask},
};

impl Run<'_> {
    /// The records of a view. Where the page has asked its server for data, and a cell of an entitlement is empty or shows a
    /// value that the playbook does not know, they are read once more a moment later: the page may fill it then. If it does
    /// not, its other records are believed at once. `is_mine`: is the record of the job's user among these?
    pub(super) async fn filled(
        &mut self,
        view: query::View,
        columns: &Names<Column>,
        is_mine: impl Fn(&Self, &[Row]) -> bool,
    ) -> Result<Vec<Row>, StepError> {
        let rows = self.rows_now(&view).await?;
        if self.attempt.is_patient && is_mine(self, &rows) {
            self.await_more().await;
            return self.rows_now(&view).await;
        }
        if self.attempt.cells_come_later == Some(false) || !self.may_fill(columns, &rows) {
            return Ok(rows);
        }
        self.await_more().await;
        let again = self.rows_now(&view).await?;
        self.attempt.cells_come_later = Some(self.attempt.cells_come_later == Some(true) || again != rows);
        Ok(again)
    }

    async fn rows_now(&mut self, view: &query::View) -> Result<Vec<Row>, StepError> {
        match self.ask(Ask::Records { view: view.clone() }, READ_TIME).await? {
            Answer::Records(records) => Ok(records.rows),
            other => Err(unexpected(&other)),
        }
    }

    /// Waits until the page had the time to ask for more, and has drawn the answer.
    pub(super) async fn await_more(&mut self) {
        tokio::time::sleep_until(self.until(CELLS_TIME)).await;
        if let Some(reading) = &mut self.attempt.reading {
            reading.still = None;
        }
        self.await_drawn().await;
    }

    /// Is there a cell that the page may not have filled yet?
    fn may_fill(&self, columns: &Names<Column>, rows: &[Row]) -> bool {
        let Some(reading) = &self.attempt.reading else { return false };
        let asks = self
            .attempt
            .front
            .page
            .exchanges(reading.opened)
            .is_some_and(|all| all.iter().any(|one| one.is_own && one.kind == ExchangeKind::Call));
        asks && rows.iter().any(|row| {
            columns
                .iter()
                .zip(row)
                .any(|((name, column), cell)| self.is_unknown(&name.value, column, cell.as_deref()))
        })
    }

    /// Does a cell show no entitlement, or one that the playbook does not name?
    fn is_unknown(&self, kind: &str, column: &Column, cell: Option<&str>) -> bool {
        let Some(rule) = self.plan.playbook.playbook.entitlements.get(kind) else { return false };
        let shown = diff::items(column, &diff::folded(cell.unwrap_or_default()));
        let listed = rule.values().map_or(&[][..], Values::listed);
        let is_listed = |value: &String| listed.iter().any(|one| one.value == *value);
        shown.is_empty() || (!listed.is_empty() && !shown.iter().all(is_listed))
    }

    /// May a part still show the record before? So it may where nothing was asked for since the part was opened, and it shows
    /// the same as for the record before, or is the first.
    pub(super) fn may_show_another(&self, index: usize, shown: &[Row], since: u64) -> bool {
        let has_asked = self.attempt.front.page.exchanges(since).is_none_or(|all| {
            let asks = |one: &Exchange| {
                one.is_own && matches!(one.kind, ExchangeKind::Document | ExchangeKind::Call)
            };
            all.iter().any(asks)
        });
        !has_asked && self.attempt.parts.get(&index).is_none_or(|before| before == shown)
    }
}

/// What these rows show besides the identity.
pub(super) fn without_identity(part: &Detail, identity: &str, rows: &[Row]) -> Vec<Row> {
    let others = |row: &Row| {
        let cells = part.columns.names().zip(row).filter(|(name, _)| *name != identity);
        cells.map(|(_, cell)| cell.clone()).collect()
    };
    rows.iter().map(others).collect()
}
