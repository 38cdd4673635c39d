//! Writes: precheck, act, commit, verify. Authors write only the steps.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    Verdict,
    conclude::{Changed, conclude, unread},
    limits::READ_AGAIN,
    origin::StepFailure,
    run::{Run, ms},
    sent::Sent,
    steps::Flow,
};
use crate::{
    contract::{Change, Code, EvidencePolicy, Failure, Operation, Outcome, UserRecord, Verified},
    event::EventKind,
    plan::diff::{self, Wish},
    playbook::{
        syntax::{Becomes, Values, View},
        visit::template_names,
    },
    query::same,
};

/// The entitlements that the user has after the job, by kind.
type Wanted = BTreeMap<String, Vec<String>>;

impl Run<'_> {
    /// precheck → act → commit → verify
    pub(super) async fn write(&mut self) -> Result<Outcome, Failure> {
        let begun = Instant::now();
        self.discover().await?;
        let mut before = self.find_before().await?;
        let mut wanted = self.plan.desired.entitlements_after(&self.plan.playbook.playbook, before.as_ref());
        let mut already = self.already(before.as_ref(), &wanted)?;
        if already == Some(Outcome::NoChange) && before.is_some() {
            // No change will prove it, and the page may still have shown what it had kept.
            self.attempt.is_patient = true;
            let again = self.find_before().await;
            self.attempt.is_patient = false;
            before = again?;
            wanted = self.plan.desired.entitlements_after(&self.plan.playbook.playbook, before.as_ref());
            already = self.already(before.as_ref(), &wanted)?;
        }
        self.attempt.conclusion.timings.precheck_ms = ms(begun);
        if let Some(outcome) = already {
            self.attempt.conclusion.after = before;
            if matches!(self.plan.evidence, EvidencePolicy::Commit | EvidencePolicy::All) {
                self.picture("read", None).await;
            }
            return Ok(outcome);
        }
        // What the job would change. What it has changed, only readings show.
        let wished = std::mem::take(&mut self.attempt.conclusion.changes);
        let kept = self.protect_last(before.as_ref(), &wanted).await;
        self.attempt.conclusion.timings.precheck_ms = ms(begun);
        kept?;
        self.sole_bearer(before.as_ref()).await?;
        if let Some(record) = &before {
            self.attempt.scope.set_record(record);
        }
        self.attempt.scope.set_entitlements(&self.template_values(&wanted));

        let begun = Instant::now();
        self.attempt.acting = Some(self.mark());
        let acted = self.steps(&self.plan.steps).await;
        self.attempt.acting = None;
        self.attempt.conclusion.timings.act_ms = ms(begun);
        let answered = match acted {
            Ok(Flow::Stop) => {
                self.attempt.conclusion.changes = wished;
                return Ok(Outcome::Succeeded);
            }
            Ok(Flow::On) => Ok(()),
            Err(failed) if !self.attempt.commit.reached() => return Err(failed.failure),
            Err(failed) => Err(failed),
        };
        if !self.attempt.commit.reached() {
            return Err(Failure::new(Code::PlaybookInvalid, "the steps ended without reaching their commit"));
        }
        if matches!(self.plan.evidence, EvidencePolicy::Commit | EvidencePolicy::All) {
            self.picture("after_commit", None).await;
        }
        let sent = match self.sent(None).await {
            Sent::Kept => self.sent_later().await,
            sent => sent,
        };
        self.attempt.confirmed = sent == Sent::Kept;
        // Where nothing was done, the page can say why.
        let said = if sent.is_denied() { self.page().said().await } else { None };
        self.attempt.front.page.send_once(false).await;
        self.emit(EventKind::Verifying);
        // An app may be slower after a change.
        self.attempt.cells_come_later = self.attempt.cells_come_later.filter(|later| *later);
        let begun = Instant::now();
        let refused = answered.as_ref().is_err_and(StepFailure::is_refusal);
        let (verdict, sent) = self.verified(before.as_ref(), &wanted, refused, sent).await;
        self.attempt.conclusion.timings.verify_ms = ms(begun);
        Ok(self.concluded(before.as_ref(), answered, verdict, sent, said))
    }

    /// The user as the app shows them before the change.
    async fn find_before(&mut self) -> Result<Option<UserRecord>, Failure> {
        let begun = Instant::now();
        let found = self.find_user().await;
        self.attempt.conclusion.timings.precheck_ms = ms(begun);
        let before = found?;
        self.guard_found(before.as_ref())?;
        self.attempt.conclusion.before = before.clone();
        Ok(before)
    }

    /// What the commit has come to. `said`: what the page shows, where nothing was done.
    fn concluded(
        &mut self,
        before: Option<&UserRecord>,
        answered: Result<(), StepFailure>,
        verdict: Verdict,
        sent: Sent,
        said: Option<String>,
    ) -> Outcome {
        let after = self.attempt.conclusion.after.as_ref();
        let changes = match verdict {
            Verdict::Unreadable(_) => Vec::new(),
            Verdict::Seen | Verdict::NotSeen(_) => UserRecord::changes(before, after),
        };
        let differs = !changes.is_empty();
        self.attempt.conclusion.changes = changes;
        // No record shows that an invitation was sent again. Only the app's answer does.
        let resends = self.plan.operation == Operation::InviteResend;
        let unproved =
            resends && (answered.is_err() || !sent.has_left() || sent.is_contradicted_by_success());
        let verdict = if unproved { Verdict::NotSeen(Vec::new()) } else { verdict };
        self.attempt.conclusion.unread = unread(&verdict);
        if self.attempt.conclusion.unread && matches!(sent, Sent::Refused(_)) {
            self.attempt.conclusion.refusal = sent.failure(answered.as_ref().err().cloned());
        }
        let lost = answered.as_ref().err().map(|failed| format!("after the commit: {failed}"));
        let (outcome, changed, error) = conclude(answered, verdict, differs, sent);
        // A failure that is not the error of the result would be lost otherwise.
        if let (Some(lost), None) = (lost, &error) {
            self.notes.remark(lost);
        }
        self.attempt.conclusion.changed = match outcome {
            Outcome::Succeeded if resends => Changed::Yes,
            _ => changed,
        };
        self.attempt.conclusion.discard_session = error.is_some();
        self.attempt.conclusion.error =
            error.map(|error| Failure { page_said: error.page_said.clone().or(said), ..error });
        let waits = self.attempt.conclusion.after.as_ref().is_some_and(UserRecord::is_invited);
        match (outcome, self.plan.operation) {
            (Outcome::Succeeded, Operation::UserCreate | Operation::InviteResend) if waits => {
                Outcome::PendingExternal
            }
            (outcome, _) => outcome,
        }
    }

    /// Looks up entitlements that only the app knows, before anything is done.
    async fn discover(&mut self) -> Result<(), Failure> {
        let source = std::sync::Arc::clone(&self.plan.playbook);
        let wished = self.plan.desired.entitlements.named();
        let unknown: Vec<(&String, &Vec<String>)> = wished
            .into_iter()
            .flat_map(|wished| wished.iter())
            .filter(|(kind, _)| {
                let rule = source.playbook.entitlements.get(kind);
                matches!(rule.and_then(|rule| rule.values()), Some(Values::Discovered(_)))
            })
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let kinds: Vec<&str> = unknown.iter().map(|(kind, _)| kind.as_str()).collect();
        let known = self.read_entitlements(Some(&kinds)).await?;
        for (kind, values) in unknown {
            let there: Vec<&str> =
                known.found.iter().filter(|(k, ..)| k == kind).map(|(_, value, _)| value.as_str()).collect();
            if let Some(value) = values.iter().find(|value| !there.contains(&value.as_str())) {
                if let Some(doubt) = known.doubt {
                    let message =
                        format!("whether the app has the {kind} `{value}` is not known: {}", doubt.message);
                    return Err(Failure { message, ..doubt });
                }
                return Err(Failure::new(
                    Code::UnknownEntitlement,
                    format!("the app has no {kind} `{value}`"),
                )
                .hint(match there.is_empty() {
                    true => {
                        format!("its pages show no {kind} at all: see what `entitlement.list` reads")
                    }
                    false => format!("it has: {}", some_of(value, &there)),
                }));
            }
        }
        Ok(())
    }

    /// Reads and compares. `no_change` if the user is as the job wants.
    pub(super) async fn compare(&mut self) -> Result<Outcome, Failure> {
        let begun = Instant::now();
        let found = self.find_user().await;
        self.attempt.conclusion.timings.precheck_ms = ms(begun);
        let before = found?;
        let wanted = self.plan.desired.entitlements_after(&self.plan.playbook.playbook, before.as_ref());
        let open = self.remaining(before.as_ref(), &wanted);
        let unread = if before.is_some() { self.unread(&wanted) } else { Vec::new() };
        self.attempt.conclusion.after = before;
        self.attempt.conclusion.unverified.clone_from(&unread);
        // That a new user is there is what a create is about. The other writes are about what was not read.
        if open.is_empty() && !unread.is_empty() && self.plan.operation != Operation::UserCreate {
            let message = format!(
                "no view reads {}: whether the app has what the job asks for is unknown",
                unread.join(", ")
            );
            return Err(Failure::new(Code::ListIncomplete, message)
                .hint("read it in a column of the view of `find_user`, if the app shows it"));
        }
        if open.is_empty() {
            self.attempt.conclusion.verified =
                Some(Verified { by: "find_user".into(), at: Timestamp::now() });
            return Ok(Outcome::NoChange);
        }
        let message = "the app does not show what the job asks for";
        self.attempt.conclusion.changes = open;
        Err(Failure::new(Code::VerifyMismatch, message))
    }

    /// What remains to be done. Empty if the app is as the job wants.
    fn remaining(&self, shown: Option<&UserRecord>, wanted: &Wanted) -> Vec<Change> {
        let presence = |is: bool, shall: bool| Change {
            attribute: "userName".into(),
            from: is.then(|| self.subject().to_owned()),
            to: shall.then(|| self.subject().to_owned()),
        };
        match (shown, self.plan.operation) {
            (None, Operation::UserDelete | Operation::InviteCancel) => Vec::new(),
            (Some(_), Operation::UserDelete | Operation::InviteCancel) => vec![presence(true, false)],
            (None, _) => vec![presence(false, true)],
            (Some(record), _) => {
                let Some(view) = self.view() else { return Vec::new() };
                let mut open = self.plan.desired.differs(&self.plan.playbook.playbook, view, record, wanted);
                // A user who has to accept an invitation first is not active, and need not be.
                if self.plan.becomes == Some(Becomes::PendingExternal) && record.is_invited() {
                    open.retain(|change| change.attribute != "active");
                }
                open
            }
        }
    }

    fn view(&self) -> Option<&View> {
        self.plan.playbook.playbook.view_of_user()
    }

    /// The outcome where nothing has to be done, or the failure where nothing can be done.
    fn already(&mut self, before: Option<&UserRecord>, wanted: &Wanted) -> Result<Option<Outcome>, Failure> {
        // A user who is there already is compared only with what the job sends, not with defaults for new users.
        let mut open = self.remaining(before, wanted);
        if before.is_some() {
            open.retain(|change| !self.plan.desired.defaulted.contains(&change.attribute));
        }
        if let Some(change) =
            open.iter().find(|change| change.to.as_deref().is_some_and(|to| to.trim().is_empty()))
            && self.plan.operation != Operation::UserCreate
        {
            let message = format!(
                "the job sends an empty text for `{}`, and the app shows a value: an empty text does not remove it",
                change.attribute
            );
            return Err(Failure::new(Code::InvalidValue, message).hint(
                "leave the attribute out of the job; a playbook clears a control with `null` in its `form`",
            ));
        }
        // Nothing is known of what the view does not read: it is done, and never called unchanged.
        if before.is_some() {
            self.attempt.conclusion.unverified = self.unread(wanted);
        }
        if before.is_some() && self.plan.operation != Operation::UserCreate {
            let unread = self.unread(wanted);
            self.depends_on_unread(&unread)?;
            open.extend(unread.into_iter().map(|attribute| Change { attribute, from: None, to: None }));
        }
        match (self.plan.operation, before) {
            (Operation::UserCreate, None) => {}
            (Operation::UserCreate, Some(_)) if !open.is_empty() => {
                let differs: Vec<&str> = open.iter().map(|c| c.attribute.as_str()).collect();
                let message =
                    format!("`{}` already exists and differs: {}", self.subject(), differs.join(", "));
                self.attempt.conclusion.changes = open;
                return Err(Failure::new(Code::UserExists, message)
                    .hint("see `changes`, and decide whether to update the user"));
            }
            (Operation::UserCreate, Some(record)) if record.is_invited() => {
                return Ok(Some(Outcome::PendingExternal));
            }
            // A new user was to have an account that works.
            (Operation::UserCreate, Some(record))
                if self.plan.desired.active != Some(false) && !is_active(record, self.view()) =>
            {
                let is = record.pending.clone().unwrap_or_else(|| "false".to_owned());
                let message = format!("`{}` already exists, and is not active: {is}", self.subject());
                let to = Some("true".to_owned());
                self.attempt.conclusion.changes =
                    vec![Change { attribute: "active".into(), from: Some(is), to }];
                return Err(Failure::new(Code::UserExists, message)
                    .hint("see `changes`, and decide whether to enable the user"));
            }
            (Operation::UserDelete | Operation::InviteCancel, None) => return Ok(Some(Outcome::NoChange)),
            (Operation::InviteResend | Operation::InviteCancel, Some(record)) if record.active.is_some() => {
                let message = format!("`{}` has already accepted the invitation", self.subject());
                return Err(
                    Failure::new(Code::PreconditionFailed, message).hint("remove the user with user.delete")
                );
            }
            // It is sent again. The record does not show that.
            (Operation::InviteResend, Some(_)) => return Ok(None),
            (_, None) => return Err(self.not_found()),
            (Operation::UserDisable | Operation::UserEnable, Some(record)) if record.active.is_none() => {
                let pending = record.pending.clone().unwrap_or_else(|| "unknown".to_owned());
                return Err(Failure::new(
                    Code::PreconditionFailed,
                    format!("the app shows the user neither as active nor as inactive: {pending}"),
                ));
            }
            (_, Some(_)) => {}
        }
        self.attempt.conclusion.changes = open;
        Ok(self.attempt.conclusion.changes.is_empty().then_some(Outcome::NoChange))
    }

    /// Refuses to change the service account or a protected user, by what the app shows of the user who was found.
    fn guard_found(&self, found: Option<&UserRecord>) -> Result<(), Failure> {
        let Some(record) = found.filter(|_| self.plan.operation != Operation::UserCreate) else {
            return Ok(());
        };
        let shown = ["userName", "emails"].into_iter().filter_map(|name| record.attributes.get(name));
        let shown: Vec<&String> = shown.chain([&record.user_name]).collect();
        let is_protected = |name: &&String| shown.iter().any(|one| same(one, name, true));
        match self.plan.protected.iter().find(is_protected) {
            None => Ok(()),
            Some(name) => Err(Failure::new(
                Code::ProtectedPrincipal,
                format!(
                    "the app shows this user as `{name}`, who is protected or the service account itself"
                ),
            )
            .hint("change a protected user in the app itself")),
        }
    }

    /// Adding to a list, or taking from it, needs to know what is in it.
    fn depends_on_unread(&self, unread: &[String]) -> Result<(), Failure> {
        let source = &self.plan.playbook;
        let steps = self.plan.steps.iter().map(|planned| &planned.step);
        let used = template_names(&source.playbook, steps);
        let builds = |kind: &str| used.contains(&format!("entitlements.{kind}"));
        let needs_all = |kind: &str| {
            builds(kind)
                && match &self.plan.desired.entitlements {
                    Wish::Remove(named) => named.contains_key(kind),
                    Wish::Add(named) => {
                        let many =
                            source.playbook.entitlements.get(kind).is_some_and(|rule| rule.any_of.is_some());
                        many && named.contains_key(kind)
                    }
                    Wish::Be(_) | Wish::Nothing => false,
                }
        };
        match unread.iter().find(|kind| needs_all(kind)) {
            None => Ok(()),
            Some(kind) => {
                let message = format!("no column reads `{kind}`, so what the user has of it is unknown");
                Err(Failure::new(Code::PlaybookInvalid, message)
                    .hint("read it in a column of the view of `find_user`: otherwise the other values would be lost"))
            }
        }
    }

    /// What the job wishes and the view of `find_user` does not read.
    fn unread(&self, wanted: &Wanted) -> Vec<String> {
        self.view().map_or_else(Vec::new, |view| self.plan.desired.unread(view, wanted))
    }

    fn template_values(&self, wanted: &Wanted) -> BTreeMap<String, serde_json::Value> {
        let rules = &self.plan.playbook.playbook.entitlements;
        wanted
            .iter()
            .map(|(kind, values)| (kind.clone(), diff::as_template_value(rules.get(kind), values)))
            .collect()
    }

    /// Reads the user back, and settles what was sent. Where it is certain that nothing was done, one reading is enough.
    async fn verified(
        &mut self,
        before: Option<&UserRecord>,
        wanted: &Wanted,
        refused: bool,
        sent: Sent,
    ) -> (Verdict, Sent) {
        let left = self.mark();
        let resends = self.plan.operation == Operation::InviteResend;
        let verdict = self.verify(before, wanted, refused || sent.is_denied()).await;
        match (verdict, self.sent(Some(left)).await) {
            // Its page has sent something when it was left.
            (Verdict::NotSeen(_), late) if sent.is_denied() && !late.is_denied() => {
                (self.verify(before, wanted, refused).await, late)
            }
            // Pages may show what they have stored themselves.
            (Verdict::Seen, late) if late.is_contradicted_by_success() && !resends => {
                self.notes.remark("the server refused the change, and the page shows it: it was read without what its pages have stored");
                self.attempt.front.page.forget().await;
                (self.verify(before, wanted, true).await, late)
            }
            (verdict, late) => (verdict, late),
        }
    }

    /// Reads the user again until the app shows what was asked for, or the time is over.
    async fn verify(&mut self, before: Option<&UserRecord>, wanted: &Wanted, refused: bool) -> Verdict {
        let until = self.until(self.plan.playbook.playbook.settle_time());
        let mut pause = READ_AGAIN;
        loop {
            let found = match self.find_user().await {
                Ok(found) => found,
                Err(failure)
                    if Instant::now() + pause < until
                        && !matches!(failure.code, Code::BrowserLost | Code::SessionExpired) =>
                {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                    continue;
                }
                Err(failure) => return Verdict::Unreadable(failure),
            };
            let mut open = self.remaining(found.as_ref(), wanted);
            if let (Some(before), Some(after)) = (before, found.as_ref()) {
                // Here, what was before is what is expected.
                let moved = diff::untouched(before, after, &self.touched(wanted));
                open.extend(moved.into_iter().map(|moved| Change {
                    from: moved.to,
                    to: moved.from,
                    ..moved
                }));
            }
            self.attempt.conclusion.after = found;
            if open.is_empty() {
                self.attempt.conclusion.verified =
                    Some(Verified { by: "find_user".into(), at: Timestamp::now() });
                self.attempt.conclusion.unverified = self.unread(wanted);
                if self.plan.evidence == EvidencePolicy::All {
                    self.picture("verified", None).await;
                }
                return Verdict::Seen;
            }
            // An app that has refused does not change its mind. One that has not answered may be slow.
            if refused || Instant::now() + pause >= until {
                return Verdict::NotSeen(open);
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    /// The attributes that the job changes.
    fn touched(&self, wanted: &Wanted) -> Vec<String> {
        let desired = &self.plan.desired;
        let active = desired.active.map(|_| "active".to_owned());
        let asked = desired.attributes.keys().cloned().chain(active).chain(wanted.keys().cloned());
        // An invitation that is sent again may be open again.
        let again = (self.plan.operation == Operation::InviteResend).then(|| "active".to_owned());
        asked.chain(again).chain(self.plan.also_changes.iter().cloned()).collect()
    }
}

/// Is the user active? Where the view does not read it, every user counts as active.
pub(super) fn is_active(record: &UserRecord, view: Option<&View>) -> bool {
    record.active == Some(true) || view.is_some_and(|view| view.column("active").is_none())
}

/// The values that the app has: all, or those nearest to the wanted one and the number of the others.
fn some_of(wanted: &str, there: &[&str]) -> String {
    const MOST: usize = 20;
    if there.len() <= MOST {
        return there.join(", ");
    }
    let mut near = there.to_vec();
    near.sort_by_key(|one| strsim::damerau_levenshtein(wanted, one));
    near.truncate(8);
    format!("{} … and {} more", near.join(", "), there.len() - near.len())
}
