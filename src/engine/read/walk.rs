//! Reading a view: its pages.

use serde_json::Value;
use tokio::time::Instant;

use super::{
    super::{
        limits::{MORE_TIME, POLL, READ_TIME, STEP_TIME},
        page::{StepError, unexpected},
        run::Run,
    },
    rows::{Row, RowsRead, Walked, Way, Whole},
    within_bounds,
};
use crate::{
    contract::{Code, Failure},
    plan::diff,
    playbook::{
        Step,
        syntax::{FindUser, Until, View},
    },
    query::{Answer, Ask, BETWEEN, Condition, ScrollTo, State},
};

/// Were enough records read?
pub(super) type Enough<'e> = &'e (dyn Fn(&[Row]) -> bool + Sync);

impl Run<'_> {
    /// Opens a view. What it shows from then on is read as its answer.
    pub(crate) async fn open_view(&mut self, view: &View) -> Result<(), StepError> {
        let address = self.attempt.scope.address(&view.open)?;
        let since = self.mark();
        self.read();
        self.go(&address, STEP_TIME).await?;
        self.attempt.opened = self.mark();
        self.attempt.parts.clear();
        match self.attempt.confirmed {
            // The change may still have to be sent.
            true => self.anything(),
            // What the committed page had to send has left it.
            false => self.only_reads(),
        }
        if let Some(steps) = &view.prepare {
            self.prepare(view, steps, "prepare").await?;
        }
        let frame = self.attempt.scope.container(view)?.frame;
        // A page of the user's own is asked for by its address.
        let about = self.subject().to_owned();
        self.read_after(since, address_names(&address, &about).then_some(about.as_str()), &frame);
        Ok(())
    }

    /// Runs the steps of a view. `part`: their place in it.
    pub(super) async fn prepare(&mut self, view: &View, steps: &[Step], part: &str) -> Result<(), StepError> {
        let source = std::sync::Arc::clone(&self.plan.playbook);
        let name = source.playbook.views.iter().find(|(_, other)| other == view).map(|(name, _)| &name.value);
        let prefix = format!("views.{}.{part}", name.map_or("", String::as_str));
        let planned = crate::plan::number(&source, steps, &prefix);
        Box::pin(self.steps(&planned)).await.map_err(StepError::Known)?;
        Ok(())
    }

    /// The records that are on the page now.
    pub(crate) async fn records(&mut self, view: &View) -> Result<Vec<Row>, StepError> {
        let rows = self.filled_list(view).await?;
        self.note_names(view, &rows);
        Ok(rows)
    }

    /// The records of a page, when none of its rows is empty any more. `some`: there has to be one.
    pub(super) async fn whole_page(
        &mut self,
        view: &View,
        read: &RowsRead,
        some: bool,
    ) -> Result<Vec<Row>, StepError> {
        let until = self.until(READ_TIME);
        loop {
            let page = self.records(view).await?;
            let waits = read.waits(&page) || (some && page.is_empty());
            if !waits || Instant::now() >= until {
                return Ok(page);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Reads from the page in front on. Afterwards the page with the user's record is in front.
    pub(crate) async fn walk_from_here(
        &mut self,
        view: &View,
        find: &FindUser,
        whole: Whole,
    ) -> Result<(Vec<Row>, u32), StepError> {
        let mut pages = 0;
        let mut read = self.rows_read(view);
        if read.way == Way::Scrolls {
            return self.scan_from_here(view, find, whole, read).await;
        }
        let mut mine = Vec::new();
        let mut page_of_mine = 0;
        loop {
            pages += 1;
            if mine.is_empty() && self.is_said_absent(find).await? {
                self.nobody_may_be_mine(view, &read.rows)?;
                self.nobody_in_front(view).await?;
                return Ok((Vec::new(), pages));
            }
            // A list without any user is not complete yet: the service account itself is a user.
            let some = pages == 1 && whole == Whole::List;
            let page = self.whole_page(view, &read, some).await?;
            self.session_lives(pages)?;
            let here = self.only_mine(view, page.clone());
            // A list that grows shows the records of before, too.
            if read.way == Way::Grows {
                mine.clear();
            }
            if !here.is_empty() {
                page_of_mine = pages;
                mine.extend(here);
            }
            read.add(page);
            if pages == 1 && view.pages.is_some() {
                read.shown = self.total_of(view, &read).await?;
            }
            if !self.next_page(view, pages, &mut read).await? {
                break;
            }
        }
        let total = self.total(view).await?;
        let moves = pages > 1 && read.has_moved(total);
        // Two records of the user that stay two are not one that has moved.
        if moves && (mine.len() < 2 || self.attempt.list_moves == 0) {
            self.attempt.list_moves += 1;
            let message =
                "the list changed while its pages were read: a record may have been on none of them";
            return Err(Failure::new(Code::ListIncomplete, message).into());
        }
        if !mine.is_empty() {
            if read.way == Way::Pages && mine.len() == 1 && page_of_mine < pages {
                self.page_again(view, find, page_of_mine).await?;
                let here = self.records(view).await?;
                if self.only_mine(view, here) != mine {
                    let message = "the list changed while it was read: the user is on another page now";
                    return Err(Failure::new(Code::ListIncomplete, message).into());
                }
            }
            return Ok((mine, pages));
        }
        self.nobody_in_list(view, find, whole, &read, pages, total)?;
        Ok((Vec::new(), pages))
    }

    /// Does the page say that nobody is there, also when the answer must be there?
    pub(crate) async fn is_said_absent(&mut self, find: &FindUser) -> Result<bool, StepError> {
        let Some(absent) = &find.absent else { return Ok(false) };
        let condition =
            Condition { target: self.attempt.scope.target(absent, false)?, state: State::Visible };
        if self.holds(vec![condition.clone()]).await? != [true] {
            return Ok(false);
        }
        self.await_answer().await;
        Ok(self.holds(vec![condition]).await? == [true])
    }

    /// Opens the view or searches again, and goes on to the page of this number.
    async fn page_again(&mut self, view: &View, find: &FindUser, page: u32) -> Result<(), StepError> {
        match &find.search {
            Some(search) => drop(self.ask_search(view, search).await?),
            None => self.open_view(view).await?,
        }
        let mut read = self.rows_read(view);
        for number in 1..page {
            let rows = self.whole_page(view, &read, false).await?;
            read.add(rows);
            self.next_page(view, number, &mut read).await?;
        }
        Ok(())
    }

    /// A list that scrolls is read from its start.
    pub(crate) async fn scroll_back(&mut self, view: &View) -> Result<(), StepError> {
        if view.pages.as_ref().is_none_or(|pages| pages.scroll.is_none()) {
            return Ok(());
        }
        let target = self.attempt.scope.container(view)?;
        self.ask(Ask::Scroll { target, to: ScrollTo::Start }, READ_TIME).await.map(drop)
    }

    /// Opens the next page. Returns false after the last one.
    pub(super) async fn next_page(
        &mut self,
        view: &View,
        pages: u32,
        read: &mut RowsRead,
    ) -> Result<bool, StepError> {
        let Some(paging) = &view.pages else { return Ok(false) };
        let next = paging.next.as_ref().or(paging.more.as_ref());
        let next = match next {
            None => {
                if !self.scroll_on(view, read).await? {
                    return Ok(false);
                }
                return within_bounds(paging, pages).map(|()| true);
            }
            Some(next) => {
                // The links to pages may have their numbers as names.
                self.attempt.scope.set("page", Value::from(pages + 1));
                self.attempt.scope.target(next, false)?
            }
        };
        let last = match paging.until {
            Some(Until::Disabled) => State::Disabled,
            Some(Until::Absent) | None => State::Hidden,
        };
        let more = Condition { target: next.clone(), state: State::Enabled };
        let over = Condition { target: next.clone(), state: last };
        if self.first_of(vec![more, over], READ_TIME).await? == 1 {
            return Ok(false);
        }
        within_bounds(paging, pages)?;
        let before = read.rows.len();
        let since = self.mark();
        let frame = next.frame.clone();
        self.press_on(next, STEP_TIME).await?;
        self.read_after(since, None, &frame);
        self.settle().await?;
        if read.way == Way::Pages {
            // A page that changes in place still shows the old records for a while.
            let until = self.until(READ_TIME);
            while self.records(view).await? == read.page {
                if Instant::now() >= until {
                    let message = "the next page shows the same records as the one before";
                    return Err(Failure::new(Code::ListIncomplete, message).into());
                }
                tokio::time::sleep(POLL).await;
            }
        }
        if read.way == Way::Grows {
            // The same page gets more records: their number shows when they have arrived.
            let until = self.until(READ_TIME);
            while self.records(view).await?.len() <= before && Instant::now() < until {
                tokio::time::sleep(POLL).await;
            }
        }
        Ok(true)
    }

    /// Scrolls on. Returns false when everything was seen, or nothing more arrives.
    async fn scroll_on(&mut self, view: &View, read: &mut RowsRead) -> Result<bool, StepError> {
        let target = self.attempt.scope.container(view)?;
        let until = self.until(MORE_TIME);
        loop {
            match self.ask(Ask::Scroll { target: target.clone(), to: ScrollTo::Onward }, READ_TIME).await? {
                Answer::Scrolled { moved: true } => return Ok(true),
                Answer::Scrolled { moved: false } => {}
                other => return Err(unexpected(&other)),
            }
            // This is the end of the list so far. More records may arrive.
            let page = self.whole_page(view, read, false).await?;
            read.add(page);
            let all = self.total(view).await?.is_some_and(|total| total <= read.rows.len() as u64);
            if all || Instant::now() >= until {
                return Ok(false);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// All records of a view, as its list shows them. A list that changes while it is read is read once more.
    pub(crate) async fn walk(&mut self, view: &View) -> Result<Walked, StepError> {
        let walked = self.walk_once(view).await?;
        match walked.moved {
            true => self.walk_once(view).await,
            false => Ok(walked),
        }
    }

    async fn walk_once(&mut self, view: &View) -> Result<Walked, StepError> {
        self.open_view(view).await?;
        self.walk_on(view).await
    }

    /// The records of a view, up to the page on which enough of them were read.
    pub(super) async fn walk_until(&mut self, view: &View, enough: Enough<'_>) -> Result<Walked, StepError> {
        self.open_view(view).await?;
        let walked = self.walk_on_until(view, enough).await?;
        match walked.moved {
            true => self.walk_once(view).await,
            false => Ok(walked),
        }
    }

    /// All records from the page in front on.
    pub(super) async fn walk_on(&mut self, view: &View) -> Result<Walked, StepError> {
        self.walk_on_until(view, &|_| false).await
    }

    async fn walk_on_until(&mut self, view: &View, enough: Enough<'_>) -> Result<Walked, StepError> {
        let mut read = self.rows_read(view);
        if read.way == Way::Scrolls {
            return self.scan_all(view, read).await;
        }
        let (mut pages, mut shown) = (0, None);
        let (last_page_seen, stopped_by) = loop {
            pages += 1;
            // The service account itself is a user: a list without any user is not complete yet.
            let some = pages == 1 && read.key.is_some();
            let page = self.whole_page(view, &read, some).await?;
            self.session_lives(pages)?;
            read.add(page);
            if shown.is_none() {
                shown = self.total_of(view, &read).await?;
            }
            if enough(&read.rows) {
                break (false, "enough");
            }
            match self.next_page(view, pages, &mut read).await {
                Ok(true) => {}
                Ok(false) => break (true, if view.pages.is_some() { "last_page" } else { "no_paging" }),
                Err(StepError::Known(failed)) if failed.failure.code == Code::ListIncomplete => {
                    break (false, "max_pages");
                }
                Err(other) => return Err(other),
            }
        };
        read.shown = shown;
        let moved = pages > 1 && last_page_seen && {
            let total = self.total(view).await?;
            read.has_moved(total)
        };
        read.leave_out_repeats(shown);
        Ok(Walked { moved, ..read.into_walked(pages, last_page_seen, stopped_by) })
    }

    /// The records of a view, as a list of objects for templates.
    pub(crate) async fn collect_view(&mut self, name: &str) -> Result<Value, StepError> {
        let source = std::sync::Arc::clone(&self.plan.playbook);
        let view = source.view(name)?;
        let walked = self.walk(view).await?;
        self.read();
        let record = |row: Row| {
            let cells = view.columns.iter().zip(row).map(|((name, column), cell)| {
                let masked = cell.map(|cell| self.credentials.mask().text(&cell));
                let meaning = |text: &str| Value::from(diff::meaning(column, &diff::folded(text)));
                let value = match (&masked, &column.each) {
                    (Some(cell), Some(_)) => Value::Array(cell.split(BETWEEN).map(meaning).collect()),
                    (Some(cell), None) => meaning(cell),
                    (None, Some(_)) => Value::Array(Vec::new()),
                    (None, None) => Value::Null,
                };
                (name.value.clone(), value)
            });
            Value::Object(cells.collect())
        };
        Ok(Value::Array(walked.rows.into_iter().map(record).collect()))
    }
}

/// Does the address contain this text?
fn address_names(address: &str, text: &str) -> bool {
    let decoded = percent_encoding::percent_decode_str(address).decode_utf8_lossy().to_lowercase();
    !text.is_empty() && decoded.contains(&text.to_lowercase())
}
