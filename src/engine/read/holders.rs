//! Who else holds a protected entitlement? The app is read no further than to the second holder.

use std::{collections::BTreeMap, sync::Arc};

use tokio::time::Instant;

use super::{
    super::{
        page::StepError,
        run::{Run, ms},
        write::is_active,
    },
    detail::InFront,
    rows::Row,
};
use crate::{
    contract::{Code, Entitlement, Failure, Operation, UserRecord},
    event::EventKind,
    plan::{Source, diff},
    playbook::{Playbook, syntax::View},
    query::may_be,
};

/// After this many users whose own pages were read, an event says so.
const TOLD_EVERY: u64 = 25;

/// What the app shows of other holders.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holders {
    Another,
    /// Everybody was read.
    Nobody,
    /// Nobody was found, and the list of users is not complete.
    Unknown,
}

impl Run<'_> {
    /// Keeps a protected entitlement with its last holder. Other holders are read, never assumed.
    pub(crate) async fn protect_last(
        &mut self,
        before: Option<&UserRecord>,
        wanted: &BTreeMap<String, Vec<String>>,
    ) -> Result<(), Failure> {
        let source = Arc::clone(&self.plan.playbook);
        let gone = self.plan.operation == Operation::UserDelete || self.plan.desired.active == Some(false);
        let Some(record) = before else { return Ok(()) };
        let Some(entitlement) = diff::loses_protected(&source.playbook, record, wanted, gone) else {
            return Ok(());
        };
        let what = format!("{} {}", entitlement.kind, entitlement.value);
        let message = match self.other_holders(&source, &entitlement, &what).await? {
            Holders::Another => {
                // The steps act on the user's row, which the reading has left: it is read again.
                return match self.find_user().await? {
                    Some(again) if again == *record => Ok(()),
                    _ => {
                        Err(Failure::new(Code::PreconditionFailed, "the user changed while the app was read"))
                    }
                };
            }
            Holders::Nobody => format!("`{}` is the last active user with {what}", self.subject()),
            Holders::Unknown => format!(
                "`{}` has {what}, and the list of users could not be read to its end: no other active user with {what} was \
                 found",
                self.subject()
            ),
        };
        Err(Failure::new(Code::ProtectedPrincipal, message)
            .hint(format!("give {what} to another active user first")))
    }

    async fn other_holders(
        &mut self,
        source: &Arc<Source>,
        entitlement: &Entitlement,
        what: &str,
    ) -> Result<Holders, Failure> {
        let begun = Instant::now();
        let (name, in_list) = cheapest(&source.playbook, &entitlement.kind, self.identity());
        let view = source.view(name)?;
        self.emit(EventKind::Noticed { what: format!("reads in `{name}` who else has {what}") });
        let read = match in_list {
            true => self.holder_in_list(source, view, entitlement).await,
            false => self.holder_on_pages(source, view, entitlement, what).await,
        };
        self.read();
        let (holders, users) = match read {
            Ok(read) => read,
            Err(error) => {
                let place = source.place(view.open.span);
                return Err(self.page().explain(error).await.failure.at(format!("views.{name}"), place));
            }
        };
        let found = if holders == Holders::Another { "another one has it" } else { "no other one has it" };
        let what = format!("has read {users} users in {} ms for {what}: {found}", ms(begun));
        self.emit(EventKind::Noticed { what });
        Ok(holders)
    }

    /// The list shows who has it: it is read up to the page with another holder.
    async fn holder_in_list(
        &mut self,
        source: &Arc<Source>,
        view: &View,
        entitlement: &Entitlement,
    ) -> Result<(Holders, usize), StepError> {
        let is_another = self.is_another(source, view, entitlement);
        let walked = self.walk_until(view, &|rows| rows.iter().any(&is_another)).await?;
        let users = walked.rows.len();
        if walked.rows.iter().any(&is_another) {
            return Ok((Holders::Another, users));
        }
        Ok((nobody(walked.is_whole()), users))
    }

    /// Only the pages of each user show it: they are opened one after the other, up to another holder.
    async fn holder_on_pages(
        &mut self,
        source: &Arc<Source>,
        view: &View,
        entitlement: &Entitlement,
        what: &str,
    ) -> Result<(Holders, usize), StepError> {
        let is_another = self.is_another(source, view, entitlement);
        let joined = self.read_joined(view).await?;
        let walked = self.walk(view).await?;
        let Some(key) = view.columns.names().position(|name| name == self.identity()) else {
            return Ok((Holders::Unknown, 0));
        };
        let (is_whole, users) = (walked.is_whole(), walked.rows.len());
        let stays = view.detail.iter().any(|part| !part.window);
        let mut front = InFront::List;
        let mut read = 0;
        for mut row in walked.rows {
            let Some(who) = row.get(key).cloned().flatten() else { continue };
            if self.plan.subject.as_ref().is_some_and(|subject| subject.is(&who)) {
                continue;
            }
            self.join(view, &joined, &who, &mut row)?;
            let row = self.read_details(view, &who, row, front).await?;
            front = if stays { InFront::Part } else { InFront::List };
            read += 1;
            if is_another(&row) {
                return Ok((Holders::Another, read));
            }
            if u64::try_from(read).is_ok_and(|read| read.is_multiple_of(TOLD_EVERY)) {
                let what = format!("has read {read} of {users} users for {what}");
                self.emit(EventKind::Noticed { what });
            }
        }
        Ok((nobody(is_whole), read))
    }

    /// Is this row another active user with the entitlement?
    fn is_another(
        &self,
        source: &Arc<Source>,
        view: &View,
        entitlement: &Entitlement,
    ) -> impl Fn(&Row) -> bool + Sync + Send + use<> {
        let (source, view, entitlement) = (Arc::clone(source), view.clone(), entitlement.clone());
        let (subject, identity) = (self.plan.subject.clone(), self.identity().to_owned());
        move |row: &Row| {
            let user = diff::record(&source.playbook, &view, &identity, row);
            is_active(&user, Some(&view))
                && diff::held(&user, &entitlement.kind).contains(&entitlement.value)
                // Somebody whose identity was not read, or not as a whole, may be the user.
                && !user.user_name.is_empty()
                && subject.as_ref().is_some_and(|subject| {
                    !subject.is(&user.user_name) && !may_be(&user.user_name, &subject.value)
                })
        }
    }
}

/// Nobody else was found in a list.
fn nobody(is_whole: bool) -> Holders {
    match is_whole {
        true => Holders::Nobody,
        false => Holders::Unknown,
    }
}

/// The view that shows at the lowest cost who has a kind, and whether its list shows it. Otherwise the view of `find_user`, where
/// each user's own pages show it.
fn cheapest<'p>(playbook: &'p Playbook, kind: &str, identity: &str) -> (&'p str, bool) {
    let found = playbook.find_user.as_ref().map_or("", |find| find.view.value.as_str());
    let has_active = playbook.view_of_user().is_some_and(|view| view.column("active").is_some());
    let lists = |name: &&str| {
        playbook.views.get(name).is_some_and(|view| {
            let shows = |column: &str| view.columns.get(column).is_some();
            view.rows.is_some() && shows(identity) && shows(kind) && (!has_active || shows("active"))
        })
    };
    let listed = playbook.operations.get(Operation::UserList.as_str());
    let listed = listed.and_then(|body| body.view.as_ref()).map(|view| view.value.as_str());
    match [Some(found), listed].into_iter().flatten().find(lists) {
        Some(name) => (name, true),
        None => (found, false),
    }
}
