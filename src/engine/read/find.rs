//! Reading records: one user, all users, all entitlements.

use std::{collections::BTreeSet, sync::Arc};

use tokio::time::Instant;

use super::{
    super::{
        limits::{LIST_READ_AGAIN, POLL, READ_TIME, SEARCH_TIME, STEP_TIME},
        page::StepError,
        run::{Run, ms},
    },
    detail::InFront,
    rows::{Row, RowsRead, Whole},
};
use crate::{
    contract::{Code, Completeness, Failure, UserRecord},
    digest,
    event::EventKind,
    plan::diff,
    playbook::{
        Locator,
        syntax::{FindUser, Search, View},
    },
    query::{Condition, Key, Refusal, RefusalKind, State, canonical},
};

impl Run<'_> {
    /// Reads the user of the job afresh. `None`: the app itself shows that it has no such user.
    pub(crate) async fn find_user(&mut self) -> Result<Option<UserRecord>, Failure> {
        let begun = Instant::now();
        let source = Arc::clone(&self.plan.playbook);
        let playbook = &source.playbook;
        let Some(find) = &playbook.find_user else {
            return Err(Failure::new(Code::PlaybookInvalid, "the playbook has no `find_user`"));
        };
        let view = source.view(&find.view.value)?;
        let place = source.place(find.view.span);
        let read = self.rows_about_user(view, find).await;
        self.read();
        let (rows, pages) = match read {
            Ok(read) => read,
            Err(error) => return Err(self.page().explain(error).await.failure.at("find_user", place)),
        };
        self.emit(EventKind::UserRead { found: !rows.is_empty(), pages, ms: ms(begun) });
        match rows.as_slice() {
            [] => Ok(None),
            [row] => Ok(Some(diff::record(playbook, view, self.identity(), row))),
            _ => Err(Failure::new(
                Code::AmbiguousUser,
                format!("the app shows `{}` {} times", self.subject(), rows.len()),
            )
            .hint("a person has to decide which user is meant")
            .at("find_user", place)),
        }
    }

    /// The records with the user's identity; of a single one, also what its own page shows. A list that changes while it is
    /// read is read again.
    async fn rows_about_user(&mut self, view: &View, find: &FindUser) -> Result<(Vec<Row>, u32), StepError> {
        self.attempt.list_moves = 0;
        let joined = self.read_joined(view).await?;
        let (mut rows, pages) = loop {
            let moves = self.attempt.list_moves;
            let looked = match &find.search {
                Some(search) => self.search(view, find, search).await,
                None => match (&view.rows, &find.absent) {
                    (None, Some(absent)) => self.look(view, absent).await,
                    _ => self.walk_for_user(view, find).await,
                },
            };
            match looked {
                Err(_) if self.attempt.list_moves > moves && moves < LIST_READ_AGAIN => {}
                done => break done?,
            }
        };
        if let [row] = rows.as_mut_slice() {
            let place = view.columns.names().position(|name| name == self.identity());
            let shown = place.and_then(|place| row.get(place).cloned().flatten());
            let who = shown.unwrap_or_else(|| self.subject().to_owned());
            self.join(view, &joined, &who, row)?;
            *row = self.read_details(view, &who, std::mem::take(row), InFront::Record).await?;
        }
        Ok((rows, pages))
    }

    /// Nothing of a view was read yet.
    pub(super) fn rows_read(&self, view: &View) -> RowsRead {
        RowsRead::new(view, self.identity(), self.ignores_case())
    }

    pub(crate) fn identity(&self) -> &str {
        self.plan.subject.as_ref().map_or_else(
            || {
                self.plan
                    .playbook
                    .playbook
                    .identity
                    .as_ref()
                    .map_or("userName", |i| i.attribute.value.as_str())
            },
            |subject| subject.attribute.as_str(),
        )
    }

    /// Types into the app's search and sends it. Returns whether the page has a new address: then it shows the answer to the
    /// search, and nothing older.
    pub(crate) async fn ask_search(&mut self, view: &View, search: &Search) -> Result<bool, StepError> {
        let sought = self.attempt.scope.text(&search.value)?;
        self.search_for(view, search, &sought).await
    }

    pub(crate) async fn search_for(
        &mut self,
        view: &View,
        search: &Search,
        sought: &str,
    ) -> Result<bool, StepError> {
        self.open_view(view).await?;
        let into = self.attempt.scope.target(&search.into, false)?;
        let since = self.mark();
        self.set_control(into.clone(), &serde_json::Value::from(sought), STEP_TIME).await?;
        let asked_at = self.attempt.front.page.url();
        match (&search.click, &search.press) {
            (Some(button), _) => {
                let button = self.attempt.scope.target(button, false)?;
                self.press_on(button, STEP_TIME).await.map(drop)?;
            }
            // Reading the field back has left it. The key has to arrive in it.
            (None, Some(key)) => self.press_key_on(Some(into), key.value, false, STEP_TIME).await?,
            (None, None) => self.press_key_on(Some(into), Key::Enter, true, STEP_TIME).await?,
        }
        self.attempt.front.typed_into = None;
        let frame = self.attempt.scope.container(view)?.frame;
        self.read_after(since, Some(sought), &frame);
        self.settle().await?;
        Ok(self.attempt.front.page.url() != asked_at)
    }

    /// Uses the app's search. Returns the record, or nothing where the app shows that there is none.
    async fn search(
        &mut self,
        view: &View,
        find: &FindUser,
        search: &Search,
    ) -> Result<(Vec<Row>, u32), StepError> {
        let renewed = self.ask_search(view, search).await?;
        let mut any = vec![Condition { target: self.attempt.scope.user_record()?, state: State::Visible }];
        if let Some(absent) = &find.absent {
            any.push(Condition { target: self.attempt.scope.target(absent, false)?, state: State::Visible });
        }
        let counted =
            self.total_target(view)?.map(|(target, ..)| Condition { target, state: State::Visible });
        let proofs = any.len();
        let within = if counted.is_some() && !renewed { SEARCH_TIME } else { READ_TIME };
        if renewed {
            any.extend(counted.clone());
        }
        let until = self.until(within);
        match self.shown_by_search(view, find, any, until).await? {
            SearchAnswer::Records(found) => Ok(found),
            SearchAnswer::Shown(Ok(index)) if index < proofs => {
                self.nobody_in_front(view).await?;
                self.counts_nobody(view, counted).await.map(|()| (Vec::new(), 1))
            }
            // Other users match the search. Only all of them together prove that the user is not among them.
            SearchAnswer::Shown(Ok(_)) => self.walk_from_here(view, find, Whole::Hits).await,
            SearchAnswer::Shown(Err(refusal)) if counted.is_some() => {
                let list = Condition { target: self.attempt.scope.container(view)?, state: State::Visible };
                // A new page without a list shows in other words that there is nobody.
                if renewed && self.holds(vec![list]).await? != [true] {
                    return Err(self.nobody_was_shown("the search", refusal).await);
                }
                match self.walk_from_here(view, find, Whole::Hits).await {
                    Err(StepError::Refused(_)) => Err(self.nobody_was_shown("the search", refusal).await),
                    walked => walked,
                }
            }
            SearchAnswer::Shown(Err(refusal)) => Err(self.nobody_was_shown("the search", refusal).await),
        }
    }

    /// Waits for the answer to the search: the user's records, or which of the other conditions is so, or why none of them.
    async fn shown_by_search(
        &mut self,
        view: &View,
        find: &FindUser,
        any: Vec<Condition>,
        mut until: Instant,
    ) -> Result<SearchAnswer, StepError> {
        let mut sure = false;
        loop {
            match self.first_of(any.clone(), until.saturating_duration_since(Instant::now())).await {
                Ok(0) => {
                    let rows = self.rows_of_user(view).await?;
                    if !rows.is_empty() {
                        return self.all_hits(view, find, rows).await.map(SearchAnswer::Records);
                    }
                    // The record was there, and is gone. A list that still changes proves nothing.
                    if Instant::now() >= until {
                        return Ok(SearchAnswer::Shown(Err(Refusal {
                            kind: RefusalKind::NotFound,
                            message: "the user's record appears and disappears".to_owned(),
                            candidates: Vec::new(),
                        })));
                    }
                    tokio::time::sleep(POLL).await;
                }
                // Nobody is shown: when the answer is there for certain, the page is asked again.
                Ok(_) | Err(StepError::Refused(_)) if !sure => {
                    self.await_answer().await;
                    sure = true;
                    until = until.max(self.until(POLL));
                }
                Ok(index) => {
                    self.search_was_answered()?;
                    return Ok(SearchAnswer::Shown(Ok(index)));
                }
                Err(StepError::Refused(refusal)) => {
                    self.search_was_answered()?;
                    return Ok(SearchAnswer::Shown(Err(refusal)));
                }
                Err(other) => return Err(other),
            }
        }
    }

    /// The search shows the user on its first page. The identity may be there once more, on another page of the hits.
    async fn all_hits(
        &mut self,
        view: &View,
        find: &FindUser,
        rows: Vec<Row>,
    ) -> Result<(Vec<Row>, u32), StepError> {
        let pages = view.pages.as_ref();
        if pages.is_some_and(|pages| pages.scroll.is_some()) {
            // It may still be the list before the search, which draws only its first records.
            self.await_answer().await;
            return match self.rows_of_user(view).await? {
                rows if rows.is_empty() => self.walk_from_here(view, find, Whole::Hits).await,
                rows => Ok((rows, 1)),
            };
        }
        let next = pages.and_then(|pages| pages.next.as_ref().or(pages.more.as_ref()));
        let Some(next) = next else { return Ok((rows, 1)) };
        self.attempt.scope.set("page", serde_json::Value::from(2));
        let more = Condition { target: self.attempt.scope.target(next, false)?, state: State::Enabled };
        if self.holds(vec![more.clone()]).await? != [true] {
            return Ok((rows, 1));
        }
        // These may still be the pages of the list before the search.
        self.await_answer().await;
        let rows = self.rows_of_user(view).await?;
        if !rows.is_empty() && self.holds(vec![more]).await? != [true] {
            return Ok((rows, 1));
        }
        self.walk_from_here(view, find, Whole::Hits).await
    }

    /// The page says that the search has found nobody. A number of hits next to it says the opposite, unless the page always shows
    /// this number.
    async fn counts_nobody(&mut self, view: &View, counted: Option<Condition>) -> Result<(), StepError> {
        let Some(counted) = counted else { return Ok(()) };
        if self.holds(vec![counted.clone()]).await? != [true] {
            return Ok(());
        }
        let hits = self.total(view).await?.unwrap_or_default();
        if hits == 0 {
            return Ok(());
        }
        self.open_view(view).await?;
        let always = match self.first_of(vec![counted], READ_TIME).await {
            Ok(_) => self.total(view).await?,
            Err(StepError::Refused(_)) => None,
            Err(error) => return Err(error),
        };
        if always == Some(hits) {
            return Ok(());
        }
        let message =
            format!("the page says that the search has found nobody, and shows {hits} as the number of hits");
        Err(Failure::new(Code::ListIncomplete, message)
            .hint("it may show a later page of the hits: see `search` and `prepare`")
            .into())
    }

    /// Opens an address of the user's own. It shows the user, or that there is none.
    async fn look(&mut self, view: &View, absent: &Locator) -> Result<(Vec<Row>, u32), StepError> {
        self.open_view(view).await?;
        let proofs = [self.attempt.scope.user_record()?, self.attempt.scope.target(absent, false)?];
        let any = Vec::from(proofs.map(|target| Condition { target, state: State::Visible }));
        let mut shown = self.first_of(any.clone(), READ_TIME).await;
        if matches!(shown, Ok(1)) {
            self.await_answer().await;
            shown = self.first_of(any, READ_TIME).await;
        }
        match shown {
            Ok(0) => Ok((self.rows_of_user(view).await?, 1)),
            Ok(_) => Ok((Vec::new(), 1)),
            Err(StepError::Refused(refusal)) => Err(self.nobody_was_shown("the page", refusal).await),
            Err(other) => Err(other),
        }
    }

    /// The page shows neither the user nor that there is none.
    async fn nobody_was_shown(&mut self, what: &str, refusal: Refusal) -> StepError {
        let failure = self.page().explain(StepError::Refused(refusal)).await.failure;
        let code = if failure.code == Code::TargetMissing { Code::ListIncomplete } else { failure.code };
        let message = format!("{what} showed neither the user nor `absent`: {}", failure.message);
        Failure { message, page_said: failure.page_said, ..Failure::new(code, "") }
            .hint("if the app shows another text when it finds nobody, put it into `find_user.absent`")
            .into()
    }

    /// Without a search: reads page by page, until the user is there or everything was read.
    async fn walk_for_user(&mut self, view: &View, find: &FindUser) -> Result<(Vec<Row>, u32), StepError> {
        self.open_view(view).await?;
        self.walk_from_here(view, find, Whole::List).await
    }

    async fn rows_of_user(&mut self, view: &View) -> Result<Vec<Row>, StepError> {
        let rows = self.records(view).await?;
        Ok(self.only_mine(view, rows))
    }

    /// The rows with the exact identity. They are compared here again, whatever the page has compared.
    pub(crate) fn only_mine(&self, view: &View, rows: Vec<Row>) -> Vec<Row> {
        let Some(subject) = &self.plan.subject else { return Vec::new() };
        let Some(column) = view.columns.names().position(|name| name == subject.attribute) else {
            return Vec::new();
        };
        rows.into_iter()
            .filter(|row| row.get(column).and_then(Option::as_deref).is_some_and(|shown| subject.is(shown)))
            .collect()
    }

    /// Every user of the plan's view, and how complete the list is.
    pub(crate) async fn read_list(&mut self) -> Result<(Vec<UserRecord>, Completeness), Failure> {
        let source = Arc::clone(&self.plan.playbook);
        let name = self
            .plan
            .view
            .clone()
            .or_else(|| source.playbook.find_user.as_ref().map(|f| f.view.value.clone()));
        self.read_users(&source, name.as_deref().unwrap_or_default()).await
    }

    /// Every user of a view.
    pub(crate) async fn read_users(
        &mut self,
        source: &crate::plan::Source,
        name: &str,
    ) -> Result<(Vec<UserRecord>, Completeness), Failure> {
        let view = source.view(name)?;
        let walked = self.walk_with_details(view).await;
        self.read();
        let walked = match walked {
            Ok(walked) => walked,
            Err(error) => {
                return Err(self
                    .page()
                    .explain(error)
                    .await
                    .failure
                    .at(format!("views.{name}"), source.place(view.open.span)));
            }
        };
        let identity = self.identity().to_owned();
        let users: Vec<UserRecord> =
            walked.rows.iter().map(|row| diff::record(&source.playbook, view, &identity, row)).collect();
        let keys: BTreeSet<String> = users.iter().map(|user| canonical(&user.user_name, true)).collect();
        let rows = users.len() as u64;
        let identities: String = keys.iter().flat_map(|key| [key.as_str(), "\n"]).collect();
        let completeness = Completeness {
            complete: walked.is_whole(),
            pages: walked.pages,
            shown: walked.shown,
            rows,
            stopped_by: walked.stopped_by.to_owned(),
            sha256: digest::sha256(identities),
        };
        Ok((users, completeness))
    }
}

/// What the page shows after a search.
enum SearchAnswer {
    /// The records of the user, and the number of pages.
    Records((Vec<Row>, u32)),
    /// The condition that is so, or why none is.
    Shown(Result<usize, Refusal>),
}
