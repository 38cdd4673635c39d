//! Reading a view: its pages, and the page of each record.

use icu_properties::{CodePointMapData, props::GeneralCategory};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    super::{
        limits::{MORE_TIME, POLL, READ_TIME, STEP_TIME},
        page::{StepError, unexpected},
        run::Run,
    },
    rows::{Row, RowsRead, Upto, Walked, Way},
    within_bounds,
};
use crate::{
    contract::{Code, Failure},
    plan::diff,
    playbook::{
        Locator,
        locator::By,
        syntax::{Detail, FindUser, Until, View},
    },
    query::{
        Answer, Ask, BETWEEN, By as Found, Condition, NUMBER, ScrollTo, State, Target, TextMatch, canonical,
    },
};

impl Run<'_> {
    pub(crate) async fn open_view(&mut self, view: &View) -> Result<(), StepError> {
        let address = self.attempt.scope.address(&view.open)?;
        self.go(&address, STEP_TIME).await?;
        if let Some(steps) = &view.prepare {
            let source = std::sync::Arc::clone(&self.plan.playbook);
            let name =
                source.playbook.views.iter().find(|(_, other)| other == view).map(|(name, _)| &name.value);
            let prefix = format!("views.{}.prepare", name.map_or("", String::as_str));
            let planned = crate::plan::number(&source, steps, &prefix);
            Box::pin(self.steps(&planned)).await.map_err(StepError::Known)?;
        }
        Ok(())
    }

    /// The records that are on the page now.
    pub(crate) async fn records(&mut self, view: &View) -> Result<Vec<Row>, StepError> {
        let asked = self.attempt.scope.view(view)?;
        match self.ask(Ask::Records { view: asked }, READ_TIME).await? {
            Answer::Records(records) => Ok(records.rows),
            other => Err(unexpected(&other)),
        }
    }

    /// The records of a page, when none of its rows is empty any more. `some`: there has to be one.
    async fn whole_page(&mut self, view: &View, read: &RowsRead, some: bool) -> Result<Vec<Row>, StepError> {
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
        upto: Upto,
    ) -> Result<(Vec<Row>, u32), StepError> {
        let mut pages = 0;
        let mut read = RowsRead::new(view, self.identity());
        let mut mine = Vec::new();
        let mut page_of_mine = 0;
        loop {
            if read.way == Way::Scrolls {
                let (seen, mine) = self.scan_for_user(view, find, &mut read).await?;
                match mine {
                    Some(mine) => return Ok((mine, seen)),
                    None => pages = seen,
                }
                self.not_cut_off(view, &read.rows)?;
                break;
            }
            pages += 1;
            if mine.is_empty()
                && let Some(absent) = &find.absent
            {
                let condition =
                    Condition { target: self.attempt.scope.target(absent, false)?, state: State::Visible };
                if self.holds(vec![condition]).await? == [true] {
                    return Ok((Vec::new(), pages));
                }
            }
            let page = self.whole_page(view, &read, false).await?;
            let here = self.only_mine(view, page.clone());
            // A list that grows shows the records of before, too.
            if read.way == Way::Grows {
                mine.clear();
            }
            if !here.is_empty() {
                page_of_mine = pages;
                mine.extend(here);
            }
            if upto == Upto::First && !mine.is_empty() {
                return Ok((mine, pages));
            }
            self.not_cut_off(view, &page)?;
            read.add(page);
            if !self.next_page(view, pages, &mut read).await? {
                break;
            }
        }
        let count = read.rows.len() as u64;
        let total = self.total(view).await?;
        // A record that moves from one page to the next while the list is read is read twice.
        if mine.len() > 1
            && mine.iter().all(|row| *row == mine[0])
            && total == Some(count - mine.len() as u64 + 1)
        {
            mine.truncate(1);
        }
        if !mine.is_empty() {
            if read.way == Way::Pages && mine.len() == 1 && page_of_mine < pages {
                self.page_again(view, page_of_mine).await?;
                let here = self.records(view).await?;
                if self.only_mine(view, here) != mine {
                    let message = "the list changed while it was read: the user is on another page now";
                    return Err(Failure::new(Code::ListIncomplete, message).into());
                }
            }
            return Ok((mine, pages));
        }
        match total {
            // A page may show "0 people" before it has loaded. If the playbook has `absent`, only that proves it.
            Some(total) if total == count && (count > 0 || find.absent.is_none()) => Ok((Vec::new(), pages)),
            total => Err(Failure::new(
                Code::ListIncomplete,
                format!("{count} records were read on {pages} pages, but the app shows {} as their number: this does not prove that the user is absent",
                    total.map_or("an unknown number".to_owned(), |t| t.to_string())),
            )
            .into()),
        }
    }

    /// Opens the view again, and goes on to the page of this number.
    async fn page_again(&mut self, view: &View, page: u32) -> Result<(), StepError> {
        self.open_view(view).await?;
        let mut read = RowsRead::new(view, self.identity());
        for number in 1..page {
            let rows = self.whole_page(view, &read, false).await?;
            read.add(rows);
            self.next_page(view, number, &mut read).await?;
        }
        Ok(())
    }

    /// An identity that the app shows cut off ("ada@acm…") may be the user's: it proves nothing.
    fn not_cut_off(&self, view: &View, page: &[Row]) -> Result<(), StepError> {
        let Some(subject) = &self.plan.subject else { return Ok(()) };
        let Some(column) = view.columns.names().position(|name| name == subject.attribute) else {
            return Ok(());
        };
        let wanted = canonical(&subject.value, true);
        let may_be_mine = |shown: &str| {
            let begin = shown.trim_end().strip_suffix('…').or_else(|| shown.trim_end().strip_suffix("..."));
            let begin = begin.map(|begin| canonical(begin, true)).filter(|begin| !begin.is_empty());
            begin.is_some_and(|begin| wanted.starts_with(&begin))
        };
        let shown = page.iter().filter_map(|row| row.get(column)?.as_deref());
        match shown.into_iter().find(|shown| may_be_mine(shown)) {
            None => Ok(()),
            Some(shown) => {
                let message =
                    format!("the app shows an identity cut off, as `{shown}`: it may be `{}`", subject.value);
                Err(Failure::new(Code::ListIncomplete, message)
                    .hint("read the whole identity from another element of the record, or from its own page (`detail`)")
                    .into())
            }
        }
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
    async fn next_page(&mut self, view: &View, pages: u32, read: &mut RowsRead) -> Result<bool, StepError> {
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
        self.press_on(next, STEP_TIME).await?;
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

    /// The text with the number of records, and what is before and after the number.
    pub(crate) fn total_target(&self, view: &View) -> Result<Option<(Target, String, String)>, Failure> {
        let Some(Locator::Find(find)) = view.pages.as_ref().and_then(|p| p.total.as_ref()) else {
            return Ok(None);
        };
        let By::Text(name) = &find.by else { return Ok(None) };
        let Some((before, after)) = name.text.value.split_once("{n}") else { return Ok(None) };
        let mut target: Target = self.attempt.scope.target(&Locator::Find(find.clone()), false)?;
        for query in &mut target.any {
            query.by = Found::Text(TextMatch::Glob(format!("{before}{{n}}{after}")));
        }
        Ok(Some((target, before.to_owned(), after.to_owned())))
    }

    /// The number of records that the app shows.
    pub(crate) async fn total(&mut self, view: &View) -> Result<Option<u64>, StepError> {
        let Some((target, before, after)) = self.total_target(view)? else { return Ok(None) };
        let text = match self.ask(Ask::Text { target, attribute: None }, STEP_TIME).await? {
            Answer::Text { text } => diff::folded(&text),
            other => return Err(unexpected(&other)),
        };
        Ok(number_in(&text, &before, &after))
    }

    /// All records of a view, as its list shows them.
    pub(crate) async fn walk(&mut self, view: &View) -> Result<Walked, StepError> {
        self.open_view(view).await?;
        let mut read = RowsRead::new(view, self.identity());
        if read.way == Way::Scrolls {
            return self.scan_all(view, read).await;
        }
        let (mut pages, mut shown) = (0, None);
        let (last_page_seen, stopped_by) = loop {
            pages += 1;
            // The service account itself is a user: a list without any user is not complete yet.
            let some = pages == 1 && read.key.is_some();
            let page = self.whole_page(view, &read, some).await?;
            read.add(page);
            if shown.is_none() {
                shown = self.total(view).await?;
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
        Ok(Walked { rows: read.rows, pages, shown, last_page_seen, stopped_by })
    }

    /// All records of a view, with what the page of each record shows.
    pub(crate) async fn walk_with_details(&mut self, view: &View) -> Result<Walked, StepError> {
        let mut walked = self.walk(view).await?;
        let (Some(detail), Some(key)) =
            (&view.detail, view.columns.names().position(|name| name == self.identity()))
        else {
            return Ok(walked);
        };
        for row in &mut walked.rows {
            let Some(who) = row.get(key).cloned().flatten() else { continue };
            self.show_record(view, detail, &who).await?;
            *row = self.open_detail(view, detail, &who, std::mem::take(row)).await?;
            let back = self.attempt.scope.target(&detail.back, false)?;
            self.press_on(back, STEP_TIME).await?;
            self.settle().await?;
        }
        Ok(walked)
    }

    /// Opens the page of the list that shows this record.
    async fn show_record(&mut self, view: &View, detail: &Detail, who: &str) -> Result<(), StepError> {
        let Some(column) = view.columns.get(self.identity()) else { return Ok(()) };
        let target = self.attempt.scope.inside_record(view, column, who, &detail.open)?;
        let there = Condition { target, state: State::Visible };
        let list = Condition { target: self.attempt.scope.container(view)?, state: State::Visible };
        self.first_of(vec![there.clone(), list], READ_TIME).await?;
        if self.holds(vec![there.clone()]).await? == [true] {
            return Ok(());
        }
        self.open_view(view).await?;
        let mut read = RowsRead::new(view, self.identity());
        let mut pages = 0;
        loop {
            pages += 1;
            let page = self.whole_page(view, &read, false).await?;
            read.add(page);
            if self.holds(vec![there.clone()]).await? == [true] {
                return Ok(());
            }
            if !self.next_page(view, pages, &mut read).await? {
                let message = format!("`{who}` was in the list before, and is not there now");
                return Err(Failure::new(Code::ListIncomplete, message).into());
            }
        }
    }

    /// Opens the page of the record with this identity, and reads it. The page stays in front.
    pub(crate) async fn open_detail(
        &mut self,
        view: &View,
        detail: &Detail,
        who: &str,
        mut row: Row,
    ) -> Result<Row, StepError> {
        let identity = self.identity().to_owned();
        let (Some(column), Some(there)) = (view.columns.get(&identity), detail.columns.get(&identity)) else {
            return Err(Failure::new(
                Code::PlaybookInvalid,
                "the page of a record does not show its identity",
            )
            .into());
        };
        let shown = row.get(view.columns.names().position(|name| name == identity).unwrap_or_default());
        let shown = shown.cloned().flatten().unwrap_or_else(|| who.to_owned());
        let open = self.attempt.scope.inside_record(view, column, &shown, &detail.open)?;
        self.press_on(open, STEP_TIME).await?;
        self.settle().await?;
        let page = self.attempt.scope.detail_record(detail, there, &shown)?;
        let came = self.first_of(vec![Condition { target: page, state: State::Visible }], READ_TIME).await;
        if let Err(error) = came {
            // If the element around the record is missing too, the error names that element.
            let holder = Condition {
                target: self.attempt.scope.target(&detail.within, false)?,
                state: State::Visible,
            };
            if matches!(error, StepError::Refused(_)) {
                self.first_of(vec![holder], POLL).await?;
            }
            return Err(error);
        }
        let asked = self.attempt.scope.detail_view(detail)?;
        let read = match self.ask(Ask::Records { view: asked }, READ_TIME).await? {
            Answer::Records(records) => records.rows,
            other => return Err(unexpected(&other)),
        };
        match <[Row; 1]>::try_from(read) {
            Ok([more]) => {
                row.extend(more);
                Ok(row)
            }
            Err(rows) => Err(Failure::new(
                Code::AmbiguousUser,
                format!("the page of `{who}` shows {} records", rows.len()),
            )
            .hint("name one element in `detail.in`")
            .into()),
        }
    }

    /// The records of a view, as a list of objects for templates.
    pub(crate) async fn collect_view(&mut self, name: &str) -> Result<Value, StepError> {
        let source = std::sync::Arc::clone(&self.plan.playbook);
        let view = source.view(name)?;
        let walked = self.walk(view).await?;
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

/// The number in a text, between what is before and after it. `*` means any text.
fn number_in(text: &str, before: &str, after: &str) -> Option<u64> {
    // The text before the number is matched as short as possible, so that it takes no digit of the number.
    let around = |part: &str| regex::escape(&part.replace('\u{a0}', " ")).replace(r"\*", ".*?");
    let pattern = format!("(?s)^{}({NUMBER}){}$", around(before.trim_start()), around(after.trim_end()));
    let found = regex::Regex::new(&pattern).ok()?.captures(text)?;
    let digits: String = found.get(1)?.as_str().chars().filter_map(digit).collect();
    digits.parse().ok()
}

/// A decimal digit of any script. The ten digits of a script are neighbours (Unicode `Nd`), the zero first.
fn digit(letter: char) -> Option<char> {
    let kinds = CodePointMapData::<GeneralCategory>::new();
    let is_digit = |letter: u32| kinds.get32(letter) == GeneralCategory::DecimalNumber;
    if !is_digit(letter as u32) {
        return None;
    }
    let before = (0..letter as u32).rev().take_while(|letter| is_digit(*letter)).count();
    char::from_digit(u32::try_from(before % 10).ok()?, 10)
}

#[cfg(test)]
mod tests {
    use super::number_in;

    #[test]
    fn a_number_is_read_by_what_stands_around_it() {
        assert_eq!(number_in("1,204 members", "", " members"), Some(1204));
        assert_eq!(number_in("1 user", "", " user*"), Some(1));
        assert_eq!(number_in("300 users", "", " user*"), Some(300));
        assert_eq!(number_in("1-100 of 300 users in all", "* of ", " users*"), Some(300));
        assert_eq!(number_in("All 30 seats (of 30)", "All ", " seats*"), Some(30));
        assert_eq!(number_in("many users", "", " user*"), None);
        for swiss in
            ["1’234 users", "1'234 users", "1\u{202F}234 users", "1.234 users", "١٬٢٣٤ users", "१,२३४ users"]
        {
            assert_eq!(number_in(swiss, "", " users"), Some(1234), "{swiss}");
        }
        assert_eq!(number_in("12,34,567 users", "", " users"), Some(1_234_567), "as India groups");
    }
}
