//! Who else has the name by which a dialog states the user (`record.displayName`)?

use std::sync::Arc;

use super::{
    super::run::Run,
    rows::{Row, Walked},
};
use crate::{
    contract::{Code, Failure, UserRecord},
    playbook::{check::STATED_BY, syntax::View, visit::template_names},
};

impl Run<'_> {
    /// Remembers who has which name, for a write.
    pub(super) fn note_names(&mut self, view: &View, rows: &[Row]) {
        if self.plan.operation.writes() {
            let identity = self.identity().to_owned();
            self.attempt.namesakes.note(view, &identity, rows);
        }
    }

    /// Refuses the job if its steps state the user by a name that the list shows for somebody else, too. A search for the
    /// identity does not show those people, so the app is also asked for the name.
    pub(crate) async fn sole_bearer(&mut self, before: Option<&UserRecord>) -> Result<(), Failure> {
        let source = Arc::clone(&self.plan.playbook);
        let playbook = &source.playbook;
        let used = template_names(playbook, self.plan.steps.iter().map(|planned| &planned.step));
        let stated = STATED_BY.into_iter().filter(|name| used.contains(&format!("record.{name}")));
        let (Some(record), Some(find)) = (before, &playbook.find_user) else { return Ok(()) };
        for attribute in stated {
            let Some(name) = record.attributes.get(attribute).filter(|name| !name.is_empty()) else {
                let message = format!(
                    "the app shows no {attribute} of the user, and the steps need `record.{attribute}`"
                );
                return Err(Failure::new(Code::PreconditionFailed, message)
                    .hint("give the user one in the app, or use another value in the steps"));
            };
            if let Some(search) = &find.search {
                let view = source.view(&find.view.value)?;
                // The search may not know names. Then the list says no more than before.
                if self.search_for(view, search, name).await.is_ok() {
                    self.await_answer().await;
                    self.all_read(view, name).await?;
                }
                if self.find_user().await?.as_ref() != Some(record) {
                    let message = "the user changed while the app was read";
                    return Err(Failure::new(Code::PreconditionFailed, message));
                }
            }
            let bearers = self.attempt.namesakes.of(attribute, name);
            if bearers > 1 {
                let message = format!(
                    "the app has {bearers} people with the {attribute} `{name}`: `record.{attribute}` does not state which one is meant"
                );
                return Err(Failure::new(Code::AmbiguousUser, message)
                    .hint("a person has to do this, or the playbook finds a page that shows the identity"));
            }
        }
        Ok(())
    }

    /// Reads the hits of a search for a name to their end: a namesake may be on the last page. A search that does not know
    /// names shows no list, or an empty one.
    async fn all_read(&mut self, view: &View, name: &str) -> Result<(), Failure> {
        if !matches!(self.records(view).await, Ok(rows) if !rows.is_empty()) {
            return Ok(());
        }
        match self.walk_on(view).await {
            Ok(Walked { last_page_seen: false, pages, .. }) => {
                let message = format!(
                    "the search for `{name}` has more than {pages} pages: somebody else on them may have this name"
                );
                Err(Failure::new(Code::ListIncomplete, message).hint("raise `pages.max`"))
            }
            Ok(Walked { moved: true, .. }) => {
                let message =
                    format!("the answer to the search for `{name}` changed while its pages were read");
                Err(Failure::new(Code::ListIncomplete, message))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }
}
