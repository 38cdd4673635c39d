//! Reading the views that show more of the same records.

use super::{
    super::{page::StepError, run::Run},
    doubtful::doubtful,
    rows::{Row, Walked},
};
use crate::{
    contract::{Code, Failure},
    playbook::syntax::View,
    query::same,
};

impl Run<'_> {
    /// Reads the other views of this view, each to its end.
    pub(super) async fn read_joined(&mut self, view: &View) -> Result<Vec<Walked>, StepError> {
        let mut joined = Vec::new();
        for other in &view.joined {
            joined.push(self.walk(other).await?);
            self.read();
        }
        Ok(joined)
    }

    /// Adds what the other views show of the record with this identity.
    pub(super) fn join(
        &self,
        view: &View,
        joined: &[Walked],
        who: &str,
        row: &mut Row,
    ) -> Result<(), StepError> {
        for ((name, other), walked) in view.also.iter().zip(&view.joined).zip(joined) {
            let Some(key) = other.columns.names().position(|column| column == self.identity()) else {
                continue;
            };
            let is_it = |found: &&Row| {
                let shown = found.get(key).and_then(Option::as_deref);
                shown.is_some_and(|shown| same(shown, who, self.ignores_case()))
            };
            let found: Vec<&Row> = walked.rows.iter().filter(is_it).collect();
            match found.as_slice() {
                [one] => row.extend_from_slice(one),
                [] => row.extend(self.not_in(&name.value, other, walked, who)?),
                many => {
                    let message = format!("the view `{}` shows `{who}` {} times", name.value, many.len());
                    return Err(Failure::new(Code::AmbiguousUser, message)
                        .hint("a person has to decide which record is meant")
                        .into());
                }
            }
        }
        Ok(())
    }

    /// The row of a record that a view does not show. What this means, only a whole list and `without` can say.
    fn not_in(&self, name: &str, other: &View, walked: &Walked, who: &str) -> Result<Row, StepError> {
        let means = |column: &str| other.columns.get(column).is_some_and(|at| at.without.is_some());
        let is_mine = self.plan.subject.as_ref().is_some_and(|subject| subject.is(who));
        if other.columns.names().any(means) && !walked.is_whole() {
            let message = format!(
                "the view `{name}` does not show `{who}`, and its list is not proved to be complete: {} records were read",
                walked.rows.len()
            );
            return Err(Failure::new(Code::ListIncomplete, message)
                .hint("declare the number that the app shows: `pages: { …, total: { text: \"{n} users\" } }`")
                .into());
        }
        if other.columns.names().any(means)
            && let Some(shown) = self.may_be_of(other, who, &walked.rows)
        {
            return Err(doubtful(shown, who).into());
        }
        let lacks = |column: &&str| *column != self.identity() && !means(column);
        if let Some(column) = other.columns.names().find(lacks)
            && is_mine
        {
            let message = format!("the view `{name}` does not show `{who}`, so `{column}` is not known");
            return Err(Failure::new(Code::TargetMissing, message)
                .hint("if only some users are in this view, say what the others have: `without: …`")
                .into());
        }
        let cell = |column: &str| (column == self.identity()).then(|| who.to_owned());
        Ok(other.columns.names().map(cell).collect())
    }

    /// Are identities in other upper and lower case the same?
    pub(super) fn ignores_case(&self) -> bool {
        self.plan.playbook.playbook.identity.as_ref().is_some_and(|identity| identity.ignore_case)
    }
}
