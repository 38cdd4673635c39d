//! Records that may be the user's, although they do not show the identity as it is: they prove no absence.

use super::{
    super::{limits::POLL, page::StepError, run::Run},
    rows::{Row, RowsRead, Way, Whole},
};
use crate::{
    contract::{Code, Failure},
    playbook::syntax::{FindUser, View},
    query::{Answer, Ask, Condition, State, may_be},
};

impl Run<'_> {
    /// Nobody was found. A cell that may show the identity anyway proves nothing.
    pub(super) fn nobody_may_be_mine(&self, view: &View, rows: &[Row]) -> Result<(), StepError> {
        let Some(subject) = &self.plan.subject else { return Ok(()) };
        match self.may_be_of(view, &subject.value, rows) {
            Some(shown) => Err(doubtful(shown, &subject.value).into()),
            None => Ok(()),
        }
    }

    /// The same for the page in front, which says in its own words that nobody is there.
    pub(super) async fn nobody_in_front(&mut self, view: &View) -> Result<(), StepError> {
        if view.rows.is_none() {
            return Ok(());
        }
        let list = Condition { target: self.attempt.scope.container(view)?, state: State::Visible };
        if self.holds(vec![list]).await? != [true] {
            return Ok(());
        }
        let asked = self.attempt.scope.view(view)?;
        match self.ask(Ask::Records { view: asked }, POLL).await {
            Ok(Answer::Records(records)) => self.nobody_may_be_mine(view, &records.rows),
            // A list without records needs no columns.
            Ok(_) | Err(StepError::Refused(_)) => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// Do the records that were read prove that the user is not among them?
    pub(super) fn nobody_in_list(
        &self,
        view: &View,
        find: &FindUser,
        whole: Whole,
        read: &RowsRead,
        pages: u32,
        total: Option<u64>,
    ) -> Result<(), StepError> {
        read.all_named(self.identity())?;
        self.nobody_may_be_mine(view, &read.rows)?;
        let count = match read.way {
            // A record that is drawn again is known already; two spellings are two records.
            Way::Scrolls => read.rows.len() as u64,
            Way::Pages | Way::Grows => read.distinct(),
        };
        // A page may show "0 people" before it has loaded, and no list of all users is empty. If the playbook has `absent`,
        // only that proves that a search has found nobody.
        let may_be_empty = find.absent.is_none() && whole == Whole::Hits;
        match total {
            Some(total) if total == count && (count > 0 || may_be_empty) => Ok(()),
            total => Err(not_proved(count, pages, total).into()),
        }
    }

    /// The number of records that the app shows at the end of a list that scrolls. One that has grown with the list is the number
    /// of those that are loaded.
    pub(super) async fn steady_total(
        &mut self,
        view: &View,
        read: &RowsRead,
    ) -> Result<Option<u64>, StepError> {
        let total = self.total(view).await?;
        let Some(first) = read.shown.filter(|shown| Some(*shown) != total) else { return Ok(total) };
        self.attempt.list_moves += 1;
        let total = total.map_or("none".to_owned(), |total| total.to_string());
        let message = format!(
            "the number of records was {first} first, and {total} at the end of the list: it proves nothing"
        );
        Err(Failure::new(Code::ListIncomplete, message)
            .hint("`pages.total` has to be the number of all records, not of those that are loaded so far")
            .into())
    }

    /// The identity that one of the rows shows, and that may be this one.
    pub(super) fn may_be_of<'r>(&self, view: &View, who: &str, rows: &'r [Row]) -> Option<&'r str> {
        let column = view.columns.names().position(|name| name == self.identity())?;
        let mut shown = rows.iter().filter_map(|row| row.get(column)?.as_deref());
        shown.find(|shown| may_be(shown, who))
    }
}

/// What a cell shows does not prove that the user is another one.
pub(super) fn doubtful(shown: &str, who: &str) -> Failure {
    let message = format!("the app shows an identity as `{shown}`: it may be `{who}`");
    Failure::new(Code::ListIncomplete, message).hint(
        "read the whole identity, and nothing next to it: from an element inside the record, or from the record's own page (`detail`)",
    )
}

/// The records that were read do not prove that the user is absent.
fn not_proved(count: u64, pages: u32, total: Option<u64>) -> Failure {
    let total = total.map_or("an unknown number".to_owned(), |total| total.to_string());
    let message = format!(
        "{count} records were read on {pages} pages, but the app shows {total} as their number: this does not prove that the user is absent"
    );
    Failure::new(Code::ListIncomplete, message)
}
