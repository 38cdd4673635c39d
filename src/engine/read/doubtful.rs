//! Records that may be the user's, although they do not show the identity as it is: they prove no absence.

use super::{
    super::{limits::POLL, page::StepError, run::Run},
    rows::Row,
};
use crate::{
    contract::{Code, Failure},
    playbook::syntax::View,
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
