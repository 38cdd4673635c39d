//! Reading what a record's own pages show, part by part.

use std::sync::Arc;

use super::{
    super::{
        limits::{POLL, READ_TIME, STEP_TIME},
        page::{Front, StepError},
        run::Run,
    },
    filled::without_identity,
    rows::{Row, Walked},
};
use crate::{
    contract::{Code, Failure},
    plan::diff,
    playbook::syntax::{Column, Detail, View},
    ports::driver::{Allowed, Came},
    query::{Condition, State},
};

/// What is in front before the parts of a record are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum InFront {
    /// The record, in the list.
    Record,
    /// The list, at any of its pages.
    List,
    /// The last part of another record.
    Part,
}

impl Run<'_> {
    /// All records of a view, with what the pages of each record show.
    pub(crate) async fn walk_with_details(&mut self, view: &View) -> Result<Walked, StepError> {
        let joined = self.read_joined(view).await?;
        let mut walked = self.walk(view).await?;
        let Some(key) = view.columns.names().position(|name| name == self.identity()) else {
            return Ok(walked);
        };
        let stays = view.detail.iter().any(|part| !part.window);
        let mut front = InFront::List;
        for row in &mut walked.rows {
            let Some(who) = row.get(key).cloned().flatten() else { continue };
            self.join(view, &joined, &who, row)?;
            *row = self.read_details(view, &who, std::mem::take(row), front).await?;
            front = if stays { InFront::Part } else { InFront::List };
        }
        Ok(walked)
    }

    /// Reads every part of the record with this identity. The last part stays in front.
    pub(super) async fn read_details(
        &mut self,
        view: &View,
        who: &str,
        mut row: Row,
        mut front: InFront,
    ) -> Result<Row, StepError> {
        let identity = self.identity().to_owned();
        let Some(listed) = view.columns.get(&identity) else {
            return Err(
                Failure::new(Code::PlaybookInvalid, "the list does not show who its records are").into()
            );
        };
        let mut left = view.detail.iter().rev().find(|part| !part.window);
        for (index, part) in view.detail.iter().enumerate() {
            let mut since = self.mark();
            if part.window {
                self.attempt.front.page.allow(Allowed::Popup);
            }
            if let Some(open) = &part.open {
                let open = self.attempt.scope.inside_record(view, listed, who, open)?;
                if front == InFront::Part {
                    self.back_to_list(view, left).await?;
                }
                if front != InFront::Record {
                    let there = Condition { target: open.clone(), state: State::Visible };
                    self.show_record(view, who, there).await?;
                }
                since = self.mark();
                self.press_on(open, STEP_TIME).await?;
            }
            if let Some(steps) = &part.prepare {
                let source = Arc::clone(&self.plan.playbook);
                self.attempt.scope.set_record(&diff::record(&source.playbook, view, &identity, &row));
                self.prepare(view, steps, &format!("detail[{index}].prepare")).await?;
            }
            if part.window {
                row.extend(self.read_window(part, index, &identity, who, since).await?);
                continue;
            }
            row.extend(self.read_part(part, index, &identity, who, since).await?);
            (front, left) = (InFront::Part, Some(part));
        }
        Ok(row)
    }

    /// Reads the part in the window that was opened, and closes the window.
    async fn read_window(
        &mut self,
        part: &Detail,
        index: usize,
        identity: &str,
        who: &str,
        since: u64,
    ) -> Result<Row, StepError> {
        let Ok(Came::Popup(window)) = self.attempt.front.page.came(self.until(READ_TIME)).await else {
            self.attempt.front.page.allow(Allowed::Nothing);
            return Err(Failure::new(Code::UnexpectedPage, "no window was opened")
                .hint("if this part is in the same window, leave out `window`")
                .into());
        };
        let opener = std::mem::replace(&mut self.attempt.front, Front::new(Arc::clone(&window)));
        let read = match self.read_part(part, index, identity, who, since).await {
            Ok(row) => Ok(row),
            // The page of the window says what is wrong.
            Err(error) => Err(StepError::from(self.page().explain(error).await)),
        };
        self.attempt.front = opener;
        window.close().await;
        read
    }

    /// Reads the part that is in front. It has to show the identity of its record.
    async fn read_part(
        &mut self,
        part: &Detail,
        index: usize,
        identity: &str,
        who: &str,
        since: u64,
    ) -> Result<Row, StepError> {
        let frame = self.attempt.scope.target(&part.within, false)?.frame;
        self.read_after(since, None, &frame);
        self.settle().await?;
        self.await_drawn().await;
        let Some(column) = part.columns.get(identity) else {
            let message = "the page of a record does not show its identity";
            return Err(Failure::new(Code::PlaybookInvalid, message).into());
        };
        self.shows_record(part, column, who).await?;
        let mut read = self.filled_part(part).await?;
        if self.may_show_another(index, &without_identity(part, identity, &read), since) {
            self.await_more().await;
            read = self.filled_part(part).await?;
        }
        self.attempt.parts.insert(index, without_identity(part, identity, &read));
        <[Row; 1]>::try_from(read).map(|[row]| row).map_err(|rows| {
            let message = format!("the page of `{who}` shows {} records", rows.len());
            Failure::new(Code::AmbiguousUser, message).hint("name one element in `in` of `detail`").into()
        })
    }

    /// Waits until the part shows this identity.
    async fn shows_record(&mut self, part: &Detail, column: &Column, who: &str) -> Result<(), StepError> {
        let target = self.attempt.scope.detail_record(part, column, who)?;
        let Err(error) = self.first_of(vec![Condition { target, state: State::Visible }], READ_TIME).await
        else {
            return Ok(());
        };
        // If the element around the record is missing too, the error names that element.
        if matches!(error, StepError::Refused(_)) {
            let target = self.attempt.scope.target(&part.within, false)?;
            self.first_of(vec![Condition { target, state: State::Visible }], POLL).await?;
        }
        Err(error)
    }

    /// Returns from a part to the list.
    async fn back_to_list(&mut self, view: &View, part: Option<&Detail>) -> Result<(), StepError> {
        let Some(back) = part.and_then(|part| part.back.as_ref()) else {
            return self.open_view(view).await;
        };
        let target = self.attempt.scope.target(back, false)?;
        let since = self.mark();
        self.press_on(target, STEP_TIME).await?;
        let frame = self.attempt.scope.container(view)?.frame;
        self.read_after(since, None, &frame);
        self.settle().await
    }

    /// Opens the page of the list that shows this record. `there`: what shows it.
    async fn show_record(&mut self, view: &View, who: &str, there: Condition) -> Result<(), StepError> {
        let list = Condition { target: self.attempt.scope.container(view)?, state: State::Visible };
        self.first_of(vec![there.clone(), list], READ_TIME).await?;
        if self.holds(vec![there.clone()]).await? == [true] {
            return Ok(());
        }
        if self.search_again(view, who).await? {
            self.first_of(vec![there], READ_TIME).await?;
            return Ok(());
        }
        // Going back may show the page of before: the record is on a later one.
        if matches!(self.page_with(view, &there).await, Ok(true)) {
            return Ok(());
        }
        self.open_view(view).await?;
        if self.page_with(view, &there).await? {
            return Ok(());
        }
        let message = format!("`{who}` was in the list before, and is not there now");
        Err(Failure::new(Code::ListIncomplete, message).into())
    }

    /// Goes on from the page in front to the one that shows this.
    async fn page_with(&mut self, view: &View, there: &Condition) -> Result<bool, StepError> {
        let mut read = self.rows_read(view);
        let mut pages = 0;
        loop {
            pages += 1;
            let page = self.whole_page(view, &read, false).await?;
            read.add(page);
            if self.holds(vec![there.clone()]).await? == [true] {
                return Ok(true);
            }
            if !self.next_page(view, pages, &mut read).await? {
                return Ok(false);
            }
        }
    }

    /// Searches for the job's user again, if this is who is sought, in the view that has the search.
    async fn search_again(&mut self, view: &View, who: &str) -> Result<bool, StepError> {
        let source = Arc::clone(&self.plan.playbook);
        let is_mine = self.plan.subject.as_ref().is_some_and(|subject| subject.is(who));
        let is_found_here = source.playbook.view_of_user() == Some(view);
        let search = source.playbook.find_user.as_ref().and_then(|find| find.search.as_ref());
        match search {
            Some(search) if is_mine && is_found_here => self.ask_search(view, search).await.map(|_| true),
            _ => Ok(false),
        }
    }
}
