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
        syntax::{Column, Detail, Values, View},
    },
    ports::driver::{Exchange, ExchangeKind},
    query::{self, Answer, Ask, ScrollTo},
};

/// A part of a record is scrolled through at most this far.
const WINDOWS: usize = 20;

impl Run<'_> {
    /// The records of a list. Where the page has asked its server for data, and a cell of an entitlement is empty or shows a
    /// value that the playbook does not know, they are read once more a moment later: the page may fill it then. If it does
    /// not, its other records are believed at once.
    pub(super) async fn filled_list(&mut self, view: &View) -> Result<Vec<Row>, StepError> {
        let asked = self.attempt.scope.view(view)?;
        let rows = self.rows_now(&asked).await?;
        let is_mine = self.attempt.is_patient && !self.only_mine(view, rows.clone()).is_empty();
        let may_fill = self.has_asked() && self.has_unknown(&view.columns, &rows);
        self.looked_at_again(&asked, rows, is_mine, may_fill).await
    }

    /// The same for a part of a record, which may also wait until it comes into sight.
    pub(super) async fn filled_part(&mut self, part: &Detail) -> Result<Vec<Row>, StepError> {
        let asked = self.attempt.scope.detail_view(part)?;
        let rows = self.rows_now(&asked).await?;
        let may_fill = self.has_unknown(&part.columns, &rows);
        if may_fill && self.attempt.cells_come_later != Some(false) {
            let target = self.attempt.scope.target(&part.within, false)?;
            for _ in 0..WINDOWS {
                let ask = Ask::Scroll { target: target.clone(), to: ScrollTo::Onward };
                match self.ask(ask, READ_TIME).await? {
                    Answer::Scrolled { moved: true } => {}
                    _ => break,
                }
            }
        }
        let is_patient = self.attempt.is_patient;
        self.looked_at_again(&asked, rows, is_patient, may_fill).await
    }

    async fn looked_at_again(
        &mut self,
        view: &query::View,
        rows: Vec<Row>,
        is_patient: bool,
        may_fill: bool,
    ) -> Result<Vec<Row>, StepError> {
        if !is_patient && (self.attempt.cells_come_later == Some(false) || !may_fill) {
            return Ok(rows);
        }
        self.await_more().await;
        let again = self.rows_now(view).await?;
        if may_fill {
            self.attempt.cells_come_later =
                Some(self.attempt.cells_come_later == Some(true) || again != rows);
        }
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

    /// Has the page asked its server for data?
    fn has_asked(&self) -> bool {
        let Some(reading) = &self.attempt.reading else { return false };
        let exchanges = self.attempt.front.page.exchanges(reading.opened);
        exchanges.is_some_and(|all| all.iter().any(|one| one.is_own && one.kind == ExchangeKind::Call))
    }

    /// Is there a cell that the page may not have filled yet?
    fn has_unknown(&self, columns: &Names<Column>, rows: &[Row]) -> bool {
        let cells = rows.iter().flat_map(|row| columns.iter().zip(row));
        let mut unknown =
            cells.filter(|((name, column), cell)| self.is_unknown(&name.value, column, cell.as_deref()));
        unknown.next().is_some()
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
