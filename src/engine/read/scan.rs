//! Reading a list that draws only the records in front: it is scrolled, part by part.

use tokio::time::Instant;

use super::{
    super::{
        limits::{MORE_TIME, POLL, READ_TIME},
        page::{StepError, unexpected},
        run::Run,
    },
    rows::{Row, RowsRead, Walked},
    within_bounds,
};
use crate::{
    contract::{Code, Failure},
    playbook::syntax::{FindUser, View},
    query::{Answer, Ask, Condition, State},
};

/// Why scrolling stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ScanEnd {
    /// The end was reached, and everything was read.
    End,
    /// What was looked for is in front.
    Found,
    /// Some records were never drawn.
    Missing,
    /// The list has more parts than the playbook allows.
    Max,
}

impl Run<'_> {
    /// All records of a list that scrolls.
    pub(crate) async fn scan_all(&mut self, view: &View, mut read: RowsRead) -> Result<Walked, StepError> {
        let (pages, stop) = self.scan(view, &mut read, &[]).await?;
        let stopped_by = match stop {
            ScanEnd::End | ScanEnd::Found => "last_page",
            ScanEnd::Missing => "missing_records",
            ScanEnd::Max => "max_pages",
        };
        Ok(read.into_walked(pages, stop == ScanEnd::End, stopped_by))
    }

    /// Scrolls until the user is there. Returns the record, or no record where the app shows that there is none. `None`: the
    /// list ended, and showed neither.
    pub(crate) async fn scan_for_user(
        &mut self,
        view: &View,
        find: &FindUser,
        read: &mut RowsRead,
    ) -> Result<(u32, Option<Vec<Row>>), StepError> {
        let frame = self.attempt.scope.container(view)?.frame;
        let absent = match &find.absent {
            Some(absent) => {
                Some(Condition { target: self.attempt.scope.target(absent, false)?, state: State::Visible })
            }
            None => None,
        };
        let mut until = vec![Condition { target: self.attempt.scope.user_record()?, state: State::Visible }];
        until.extend(absent.filter(|absent| absent.target.frame == frame));
        let give_up = self.until(READ_TIME);
        loop {
            if self.is_said_absent(find).await? {
                return Ok((1, Some(Vec::new())));
            }
            let (pages, stop) = self.scan(view, read, &until).await?;
            match stop {
                ScanEnd::Found => {
                    let page = self.records(view).await?;
                    let mine = self.only_mine(view, page);
                    if !mine.is_empty() {
                        return Ok((pages, Some(mine)));
                    }
                    // The app shows that there is nobody, or the record is gone again.
                    if Instant::now() >= give_up {
                        return Ok((pages, None));
                    }
                }
                ScanEnd::End => return Ok((pages, None)),
                ScanEnd::Max => return Err(too_many(view, pages)),
                ScanEnd::Missing => {
                    let message =
                        format!("{} records were read; the app did not show the others", read.rows.len());
                    return Err(Failure::new(Code::ListIncomplete, message).into());
                }
            }
        }
    }

    /// Reads part after part into `read`, from the start of the list.
    async fn scan(
        &mut self,
        view: &View,
        read: &mut RowsRead,
        until: &[Condition],
    ) -> Result<(u32, ScanEnd), StepError> {
        self.scroll_back(view).await?;
        let ask = Ask::Scan { view: self.attempt.scope.view(view)?, key: read.key, until: until.to_vec() };
        let most = view.pages.as_ref().map_or(1, |pages| pages.max.value);
        let mut windows = 1;
        let mut went_on = Instant::now();
        loop {
            let scanned = match self.ask(ask.clone(), READ_TIME).await? {
                Answer::Scanned(scanned) => scanned,
                other => return Err(unexpected(&other)),
            };
            let before = read.rows.len();
            read.add(scanned.rows);
            windows += scanned.moves;
            if read.shown.is_none() && !read.rows.is_empty() {
                read.shown = self.total(view).await?;
            }
            if scanned.stopped {
                return Ok((windows, ScanEnd::Found));
            }
            if read.rows.len() > before || scanned.moves > 0 {
                went_on = Instant::now();
            }
            if u64::from(windows) > most {
                return Ok((windows, ScanEnd::Max));
            }
            let is_all = |total: u64| total > 0 && total <= read.rows.len() as u64;
            if scanned.end && self.total(view).await?.is_some_and(is_all) {
                return Ok((windows, ScanEnd::End));
            }
            // The service account itself is a user: a list without any user is not complete yet.
            let nobody = read.rows.is_empty() && read.key.is_some();
            let waits = scanned.busy || !scanned.end;
            let patience = if waits || nobody { READ_TIME } else { MORE_TIME };
            if went_on.elapsed() >= patience || self.until(patience) <= Instant::now() {
                return Ok((windows, if waits { ScanEnd::Missing } else { ScanEnd::End }));
            }
            if scanned.moves == 0 {
                tokio::time::sleep(POLL).await;
            }
        }
    }
}

fn too_many(view: &View, pages: u32) -> StepError {
    let bounds = view.pages.as_ref().map(|paging| within_bounds(paging, pages));
    match bounds {
        Some(Err(error)) => error,
        _ => Failure::new(Code::ListIncomplete, "the list does not end").into(),
    }
}
