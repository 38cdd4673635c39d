//! Reading a list that draws only the records in front: it is scrolled, part by part.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::{
    super::{
        limits::{ANSWER_BEGINS, FILL_TIME, MORE_TIME, POLL, READ_TIME},
        page::{StepError, unexpected},
        run::Run,
    },
    rows::{Row, RowsRead, Walked, Whole},
    within_bounds,
};
use crate::{
    contract::{Code, Failure, Operation},
    playbook::syntax::{FindUser, View},
    ports::driver::ExchangeKind,
    query::{Answer, Ask, Condition, ScrollTo, State},
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
        let (pages, mut stop) = self.scan(view, &mut read, &[]).await?;
        if stop == ScanEnd::End && read.any_lacks() {
            stop = self.fill_in(view, &mut read).await?;
        }
        let stopped_by = match stop {
            ScanEnd::End | ScanEnd::Found => "last_page",
            ScanEnd::Missing => "missing_records",
            ScanEnd::Max => "max_pages",
        };
        Ok(read.into_walked(pages, stop == ScanEnd::End, stopped_by))
    }

    /// Reads a list from its start for the user. Afterwards the user's record is in front.
    pub(super) async fn scan_from_here(
        &mut self,
        view: &View,
        find: &FindUser,
        whole: Whole,
        mut read: RowsRead,
    ) -> Result<(Vec<Row>, u32), StepError> {
        let (pages, mine) = self.scan_for_user(view, find, &mut read).await?;
        match mine {
            Some(mine) if !mine.is_empty() => {
                let removes = matches!(self.plan.operation, Operation::UserDelete | Operation::InviteCancel);
                // Nothing would prove afterwards that the user is gone.
                if removes && whole == Whole::List && !self.attempt.commit.reached() {
                    self.steady_total(view, &read).await?;
                }
                Ok((mine, pages))
            }
            Some(nobody) => {
                self.nobody_may_be_mine(view, &read.rows)?;
                self.nobody_in_front(view).await?;
                Ok((nobody, pages))
            }
            None => {
                let total = self.steady_total(view, &read).await?;
                self.nobody_in_list(view, find, whole, &read, pages, total)?;
                Ok((Vec::new(), pages))
            }
        }
    }

    /// Scrolls until the user is there; without a search to the end, because the identity may be there twice. Returns the record,
    /// which is in front then, or no record where the app shows that there is none. `None`: the list ended, and showed neither.
    async fn scan_for_user(
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
        let to_end = find.search.is_none();
        let stops = until.get(usize::from(to_end)..).unwrap_or_default();
        loop {
            if self.is_said_absent(find).await? {
                return Ok((1, Some(Vec::new())));
            }
            let (pages, stop) = self.scan(view, read, stops).await?;
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
                ScanEnd::End => {
                    let mine = self.only_mine(view, read.rows.clone());
                    return match mine.len() {
                        0 => Ok((pages, None)),
                        1 => Ok((pages, Some(self.in_front_again(view, read, &until).await?))),
                        _ => Ok((pages, Some(mine))),
                    };
                }
                ScanEnd::Max => return Err(too_many(view, pages)),
                ScanEnd::Missing => {
                    let message =
                        format!("{} records were read; the app did not show the others", read.rows.len());
                    return Err(Failure::new(Code::ListIncomplete, message).into());
                }
            }
        }
    }

    /// Scrolls from the start until the user's record is in front, and has what the list fills in later.
    async fn in_front_again(
        &mut self,
        view: &View,
        read: &RowsRead,
        until: &[Condition],
    ) -> Result<Vec<Row>, StepError> {
        let mut again = read.afresh();
        let (_, stop) = self.scan(view, &mut again, until.get(..1).unwrap_or_default()).await?;
        if stop == ScanEnd::Found {
            let (since, stopped) = (self.mark(), Instant::now());
            loop {
                let page = self.records(view).await?;
                let mine = self.only_mine(view, page);
                if mine.is_empty() {
                    break;
                }
                let is_still =
                    self.asks_nothing_since(since, stopped).is_some_and(|at| at.elapsed() >= ANSWER_BEGINS);
                if is_still
                    || !mine.iter().any(|row| read.lacks(row))
                    || Instant::now() >= self.until(READ_TIME)
                {
                    return Ok(mine);
                }
                tokio::time::sleep(POLL).await;
            }
        }
        let message = "the list changed while it was read: the user is not shown again";
        Err(Failure::new(Code::ListIncomplete, message).into())
    }

    /// Reads a list once more that fills in its cells when it is not scrolled any more: window by window.
    async fn fill_in(&mut self, view: &View, read: &mut RowsRead) -> Result<ScanEnd, StepError> {
        self.scroll_back(view).await?;
        let target = self.attempt.scope.container(view)?;
        let over = self.until(FILL_TIME);
        loop {
            let (since, stopped) = (self.mark(), Instant::now());
            loop {
                let page = self.records(view).await?;
                read.add(page.clone());
                let is_still =
                    self.asks_nothing_since(since, stopped).is_some_and(|at| at.elapsed() >= ANSWER_BEGINS);
                if is_still || !read.lacks_of(&page) || Instant::now() >= over {
                    break;
                }
                tokio::time::sleep(POLL).await;
            }
            if !read.any_lacks() {
                return Ok(ScanEnd::End);
            }
            if Instant::now() >= over {
                read.leave_unread();
                return Ok(ScanEnd::Missing);
            }
            match self.ask(Ask::Scroll { target: target.clone(), to: ScrollTo::Onward }, READ_TIME).await? {
                Answer::Scrolled { moved: true } => {}
                // What is still empty after a while is empty.
                Answer::Scrolled { moved: false } => return Ok(ScanEnd::End),
                other => return Err(unexpected(&other)),
            }
        }
    }

    /// Since when the page has asked for nothing more: since `from`, or its last answer. `None`: an answer is still to come.
    /// What it asks for again and again does not count.
    fn asks_nothing_since(&self, since: u64, from: Instant) -> Option<Instant> {
        // A driver that does not know the exchanges is believed at once.
        let Some(exchanges) = self.attempt.front.page.exchanges(self.attempt.opened) else {
            return Some(from.checked_sub(READ_TIME).unwrap_or(from));
        };
        let mut known = BTreeSet::new();
        let mut last = from;
        for one in exchanges.iter().filter(|one| one.is_own && one.kind == ExchangeKind::Call) {
            let is_new = known.insert((&one.method, &one.address, one.carried.expose()));
            match one.ended {
                _ if !is_new || one.number <= since => {}
                Some(ended) => last = last.max(ended),
                // A call that takes longer than any other never ends.
                None if one.began.elapsed() >= READ_TIME => {}
                None => return None,
            }
        }
        Some(last)
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
        let since = self.mark();
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
            let asked = self.asks_nothing_since(since, went_on);
            // The number may be of those that are loaded: it counts when the page has asked for no more at its end.
            let is_still = asked.is_some_and(|at| at.elapsed() >= ANSWER_BEGINS);
            let total = if scanned.end { self.total(view).await? } else { None };
            if is_still && total.is_some_and(is_all) {
                return Ok((windows, ScanEnd::End));
            }
            // By its own number the list goes on: the user may be there twice.
            let goes_on = total.is_some_and(|total| total > read.rows.len() as u64);
            // The service account itself is a user: a list without any user is not complete yet.
            let nobody = read.rows.is_empty() && read.key.is_some();
            let waits = scanned.busy || !scanned.end;
            let patience = if waits || nobody || goes_on || asked.is_none() { READ_TIME } else { MORE_TIME };
            let waited = if waits || nobody { went_on } else { asked.unwrap_or(went_on) };
            let is_over = waited.elapsed() >= patience || went_on.elapsed() >= READ_TIME;
            if is_over || self.until(patience) <= Instant::now() {
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
