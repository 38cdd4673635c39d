//! The rules of the language: everything that can be said to be wrong before a browser opens.
//!
//! Each rule adds findings and goes on; none stops the others.

mod commits;
mod names;
mod places;

use super::{
    at::{At, Span},
    diagnostic::{Diagnostic, Finding},
    locator::Locator,
    step::{Action, Condition, Step},
    syntax::{OperationSteps, Playbook},
};
use crate::contract::Operation;

/// The attributes of a SCIM user that a playbook may read and write (RFC 7643 §4.1).
pub const ATTRIBUTES: &[&str] = &[
    "userName",
    "externalId",
    "id",
    "displayName",
    "nickName",
    "title",
    "userType",
    "preferredLanguage",
    "locale",
    "timezone",
    "active",
    "name.formatted",
    "name.familyName",
    "name.givenName",
    "name.middleName",
    "name.honorificPrefix",
    "name.honorificSuffix",
    "emails",
    "phoneNumbers",
];

/// The built-in target: the record in which the user was just read.
pub const USER_ROW: &str = "user row";

/// Every finding of a playbook that could be read.
pub fn check(playbook: &Playbook) -> Vec<Diagnostic> {
    let mut checker = Checker { playbook, findings: Vec::new() };
    checker.version();
    checker.origins();
    checker.settings();
    checker.entitlement_rules();
    checker.views();
    checker.find_user();
    checker.login();
    checker.operations();
    checker.names();
    checker.findings
}

struct Checker<'p> {
    playbook: &'p Playbook,
    findings: Vec<Diagnostic>,
}

impl Checker<'_> {
    fn note(&mut self, finding: Finding, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.findings.push(Diagnostic::new(finding, span, message));
        // Just pushed.
        let last = self.findings.len() - 1;
        &mut self.findings[last]
    }

    fn version(&mut self) {
        if self.playbook.playbook.value != 1 {
            let message =
                format!("version {} of the language is not known here", self.playbook.playbook.value);
            self.note(Finding::LanguageVersion, self.playbook.playbook.span, message).help =
                Some("write `playbook: 1`".into());
        }
    }

    fn login(&mut self) {
        let Some(login) = &self.playbook.login else {
            let span = self.playbook.app.span;
            self.note(Finding::NoLogin, span, "nothing says how to sign in").help =
                Some("add `login:` with `signed_in` and `password`".into());
            return;
        };
        match &login.password {
            None => {
                let span = self.playbook.app.span;
                self.note(Finding::NoLogin, span, "`login` has no way to sign in").help =
                    Some("add `password:` with its steps".into());
            }
            Some(steps) => {
                self.no_commits(steps, "a sign-in");
                if login.tenant.is_none() {
                    let span = steps.first().map_or(self.playbook.app.span, |s| s.at.span);
                    self.note(Finding::NoTenant, span, "nothing makes sure that the right tenant is in front").help =
                        Some("add `tenant: { text_of: …, equals: … }`: acting in the wrong space is worse than not acting".into());
                }
            }
        }
        for overlay in self.playbook.overlays.iter() {
            self.no_commits(&overlay.steps, "an overlay");
        }
    }

    fn no_commits(&mut self, steps: &[Step], place: &str) {
        let mut spans = Vec::new();
        each_step(steps, &mut |step| {
            if step.modifiers.commit.as_ref().is_some_and(|c| c.value) {
                spans.push(step.at.span);
            }
        });
        for span in spans {
            self.note(Finding::CommitInRead, span, format!("{place} changes nothing, so it has no commit"));
        }
    }

    fn operations(&mut self) {
        if self.playbook.operations.is_empty() {
            let span = self.playbook.app.span;
            self.note(Finding::NoOperations, span, "no operations: nothing can be done with this playbook")
                .help = Some("add `operations:` with at least `user.list` or `user.create`".into());
        }
        for (name, steps) in self.playbook.operations.iter() {
            match Operation::ALL.iter().find(|o| o.as_str() == name.value) {
                Some(operation) => self.operation(*operation, name, steps),
                None => {
                    let known = Operation::ALL.iter().map(|o| o.as_str());
                    let finding = Diagnostic::new(
                        Finding::UnknownKey,
                        name.span,
                        format!("unknown operation `{}`", name.value),
                    )
                    .did_you_mean(&name.value, known);
                    self.findings.push(finding);
                }
            }
        }
    }

    fn operation(&mut self, operation: Operation, name: &At<String>, body: &OperationSteps) {
        if matches!(operation, Operation::InviteResend | Operation::InviteCancel)
            && body.unsupported.is_none()
        {
            self.note(Finding::NotYetPossible, name.span, format!("{operation} cannot be played yet")).help =
                Some("leave it out, or say `unsupported: …`".into());
            return;
        }
        let parts = [body.unsupported.is_some(), body.view.is_some(), body.steps.is_some()];
        let given = parts.iter().filter(|p| **p).count();
        let implicit = matches!(operation, Operation::ConnectionTest | Operation::UserGet);
        if given > 1 {
            self.note(
                Finding::OperationShape,
                name.span,
                "either `steps`, or `view`, or `unsupported`: not two of them",
            );
            return;
        }
        if body.unsupported.is_some() {
            return;
        }
        if operation.writes() {
            match &body.steps {
                Some(steps) if !steps.is_empty() => self.write(operation, name, body, steps),
                _ => {
                    self.note(Finding::OperationShape, name.span, format!("{operation} has no steps")).help =
                        Some("say what a person would do, or `unsupported: why`".into());
                }
            }
        } else if body.steps.is_some() {
            self.note(
                Finding::OperationShape,
                name.span,
                format!("{operation} only reads: it has no steps"),
            )
            .help = Some("name the view that is read: `{ view: members }`".into());
        } else if body.view.is_none() && !implicit {
            self.note(Finding::OperationShape, name.span, format!("{operation} names no view")).help =
                Some("write `{ view: … }`, or `unsupported: why`".into());
        }
        if body.changes.is_some() && operation != Operation::UserUpdate {
            self.note(Finding::OperationShape, name.span, "`changes` belongs to user.update");
        }
        if operation.about_a_user() && self.playbook.find_user.is_none() {
            self.note(Finding::NoFindUser, name.span, format!("{operation} has to find the user first"))
                .help = Some("add `find_user:` with a view and, best, a search".into());
        }
    }

    fn write(&mut self, operation: Operation, name: &At<String>, body: &OperationSteps, steps: &[Step]) {
        self.commits(operation, name, steps);
        for attribute in body.requires.iter().chain(body.changes.iter().flatten()) {
            let known = ATTRIBUTES.contains(&attribute.value.as_str())
                || self.playbook.entitlements.get(&attribute.value).is_some();
            if !known {
                let names = ATTRIBUTES.iter().copied().chain(self.playbook.entitlements.names());
                let message = format!(
                    "`{}` is neither a SCIM attribute nor an entitlement of this app",
                    attribute.value
                );
                let finding = Diagnostic::new(Finding::UnknownAttribute, attribute.span, message)
                    .did_you_mean(&attribute.value, names);
                self.findings.push(finding);
            }
        }
        if operation == Operation::UserUpdate && body.changes.as_ref().is_none_or(Vec::is_empty) {
            self.note(Finding::OperationShape, name.span, "user.update does not say what it can change")
                .help = Some(
                "add `changes: [displayName, …]`: anything else is refused before a browser opens".into(),
            );
        }
        let read: Vec<&str> = self.found_columns().collect();
        let reads_entitlement = self.playbook.entitlements.names().any(|name| read.contains(&name));
        let reads_active = read.contains(&"active");
        if matches!(operation, Operation::UserDisable | Operation::UserEnable) && !reads_active {
            self.note(
                Finding::ActiveNotRead,
                name.span,
                "no column reads `active`, so the change could not be proved",
            )
            .help = Some(
                "add `active: { column: Status, map: { Active: true, … } }` to the view of find_user".into(),
            );
        }
        if matches!(operation, Operation::EntitlementGrant | Operation::EntitlementRevoke)
            && !reads_entitlement
        {
            self.note(
                Finding::EntitlementNotRead,
                name.span,
                "no view reads an entitlement, so the change could not be proved",
            )
            .help = Some("declare it under `entitlements` and read it in a column of the same name".into());
        }
    }

    /// The columns of the view of `find_user`.
    fn found_columns(&self) -> impl Iterator<Item = &str> {
        let view = self.playbook.find_user.as_ref().and_then(|f| self.playbook.views.get(&f.view.value));
        view.into_iter().flat_map(|v| v.columns.names())
    }
}

/// Visits every step, those inside branches too.
fn each_step<'s>(steps: &'s [Step], visit: &mut dyn FnMut(&'s Step)) {
    for step in steps {
        visit(step);
        if let Action::Branch(branch) = &step.action {
            each_step(&branch.then, visit);
            each_step(&branch.otherwise, visit);
        }
    }
}

/// The locators of a step itself (not of the steps inside a branch).
fn locators(step: &Step) -> Vec<&Locator> {
    let mut found = match &step.action {
        Action::Click(locator) | Action::Check(locator) | Action::Uncheck(locator) => vec![locator],
        Action::Fill(fill) => vec![&fill.into],
        Action::Choose(choose) => vec![&choose.from],
        Action::Expect(condition) => condition_locators(condition),
        Action::Capture(capture) => capture.text_of.iter().chain(&capture.of).collect(),
        Action::Branch(branch) => condition_locators(&branch.condition),
        Action::Open(_) | Action::Form(_) | Action::Press(_) | Action::Screenshot(_) => Vec::new(),
    };
    for condition in step.modifiers.when.iter().chain(&step.modifiers.unless) {
        found.extend(condition_locators(condition));
    }
    found
}

fn condition_locators(condition: &Condition) -> Vec<&Locator> {
    match condition {
        Condition::Visible(locator) => vec![locator],
        Condition::Not(inner) => condition_locators(inner),
        Condition::Given(_) => Vec::new(),
    }
}
