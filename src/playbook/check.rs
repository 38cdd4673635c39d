//! The rules of the language: they find errors in a playbook before a browser opens.
//!
//! Every rule adds its findings and continues. No rule stops another.

mod commits;
mod locators;
mod names;
mod place;
mod reading;
mod requests;
mod sections;
mod steps;
mod templates;

use super::{
    at::{At, Span},
    diagnostic::{Diagnostic, Finding},
    loaded::Modules,
    step::{Action, Step},
    syntax::{Becomes, Module, OperationSteps, Playbook, Values},
    visit::each_step,
};
use crate::contract::Operation;

/// The attributes of a SCIM user that a playbook may read and write (RFC 7643 §4.1, and §4.3 for the enterprise extension).
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
    "profileUrl",
    "ims",
    "photos",
    "addresses",
    "addresses.formatted",
    "addresses.streetAddress",
    "addresses.locality",
    "addresses.region",
    "addresses.postalCode",
    "addresses.country",
    "groups",
    "roles",
    "entitlements",
    "x509Certificates",
    "employeeNumber",
    "costCenter",
    "organization",
    "division",
    "department",
    "manager",
    "manager.displayName",
];

/// The built-in target: the record where the user was read.
pub const USER_ROW: &str = "user row";

/// Attributes by which a dialog may name the user of a record (`record.displayName`), where it does not show the identity.
pub const STATED_BY: [&str; 3] = ["displayName", "nickName", "name.formatted"];

/// All findings of a playbook that could be read.
pub fn check(playbook: &Playbook, modules: &Modules) -> Vec<Diagnostic> {
    let mut checker = Checker { playbook, modules, findings: Vec::new() };
    checker.version();
    checker.origins();
    checker.settings();
    checker.entitlement_rules();
    checker.views();
    checker.find_user();
    checker.listed_identity();
    checker.joined_identity();
    checker.protected_kinds();
    checker.login();
    checker.requests();
    checker.operations();
    checker.names();
    checker.findings
}

/// All findings of a module that could be read.
pub fn check_module(module: &Module) -> Vec<Diagnostic> {
    // The parts that a module shares with a playbook have the same rules.
    let playbook = Playbook {
        targets: module.targets.clone(),
        screens: module.screens.clone(),
        origins: module.origins.clone(),
        ..Playbook::default()
    };
    let modules = Modules::new();
    let mut checker = Checker { playbook: &playbook, modules: &modules, findings: Vec::new() };
    if module.module.value != 1 {
        let message = format!(
            "this version of Seatwright does not support version {} of the language",
            module.module.value
        );
        checker.note(Finding::LanguageVersion, module.module.span, message).help =
            Some("write `module: 1`".into());
    }
    checker.wide_origins();
    checker.no_commits(&module.steps, Finding::CommitInLoop, "a module cannot have a commit");
    checker.names_of_module(module);
    checker.findings
}

struct Checker<'p> {
    playbook: &'p Playbook,
    modules: &'p Modules,
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
            let message = format!(
                "this version of Seatwright does not support version {} of the language",
                self.playbook.playbook.value
            );
            self.note(Finding::LanguageVersion, self.playbook.playbook.span, message).help =
                Some("write `playbook: 1`".into());
        }
    }

    fn login(&mut self) {
        let Some(login) = &self.playbook.login else {
            let span = self.playbook.app.span;
            self.note(Finding::NoLogin, span, "the playbook has no `login`").help =
                Some("add `login:` with `signed_in` and `password`, `sso` or `token`".into());
            return;
        };
        let ways: Vec<&[Step]> =
            login.password.iter().chain(&login.sso).map(|steps| &**steps as &[Step]).collect();
        let first = match (ways.first().and_then(|steps| steps.first()), &login.token) {
            (Some(step), _) => Some(step.at.span),
            (None, Some(token)) => Some(token.name.span),
            (None, None) => None,
        };
        match first {
            None => {
                let span = self.playbook.app.span;
                self.note(Finding::NoLogin, span, "`login` has no way to sign in").help =
                    Some("add `password:` or `sso:` with its steps, or `token:`".into());
            }
            Some(span) if login.tenant.is_none() => {
                self.note(
                    Finding::NoTenant,
                    span,
                    "no check ensures that the session is in the right tenant",
                )
                .help = Some(
                    "add `tenant: { text_of: …, equals: … }`, so that a job never changes another tenant"
                        .into(),
                );
            }
            Some(_) => {}
        }
        for steps in ways {
            self.no_commits(
                steps,
                Finding::CommitInRead,
                "a sign-in changes nothing, so it cannot have a commit",
            );
        }
        for overlay in self.playbook.overlays.iter() {
            self.no_commits(
                &overlay.steps,
                Finding::CommitInRead,
                "an overlay changes nothing, so it cannot have a commit",
            );
        }
        for steps in self.playbook.views.iter().flat_map(|(_, view)| view.every_prepare()) {
            self.no_commits(
                steps,
                Finding::CommitInRead,
                "a view changes nothing, so it cannot have a commit",
            );
        }
    }

    fn no_commits(&mut self, steps: &[Step], finding: Finding, why: &str) {
        let mut spans = Vec::new();
        each_step(steps, &mut |step| {
            if step.commits() {
                spans.push(step.at.span);
            }
        });
        for span in spans {
            self.note(finding, span, why).help = Some("remove `commit: true`".into());
        }
    }

    fn operations(&mut self) {
        if self.playbook.operations.is_empty() {
            let span = self.playbook.app.span;
            self.note(Finding::NoOperations, span, "the playbook has no operations").help =
                Some("add `operations:` with at least `user.list` or `user.create`".into());
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
        let reads = body.every_view().next().is_some();
        if let Some(second) = body.every_view().nth(1)
            && operation != Operation::EntitlementList
        {
            self.note(Finding::OperationShape, second.span, format!("{operation} can read only one view"));
        }
        let parts = [body.unsupported.is_some(), reads, body.steps.is_some()];
        let given = parts.iter().filter(|p| **p).count();
        let implicit = matches!(operation, Operation::ConnectionTest | Operation::UserGet);
        if given > 1 {
            self.note(
                Finding::OperationShape,
                name.span,
                "an operation has only one of `steps`, `view` and `unsupported`",
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
                        Some(
                            "write the steps that a person would take, or `unsupported:` with the reason"
                                .into(),
                        );
                }
            }
        } else if body.steps.is_some() {
            self.note(
                Finding::OperationShape,
                name.span,
                format!("{operation} only reads, so it cannot have steps"),
            )
            .help = Some("name the view to read: `{ view: members }`".into());
        } else if !reads && !implicit {
            self.note(Finding::OperationShape, name.span, format!("{operation} has no view")).help =
                Some("write `{ view: … }`, or `unsupported:` with the reason".into());
        }
        if body.changes.is_some() && operation != Operation::UserUpdate {
            self.note(Finding::OperationShape, name.span, "`changes` belongs to user.update");
        }
        if body.gives.is_some() && operation != Operation::UserCreate {
            self.note(Finding::OperationShape, name.span, "`gives` belongs to user.create");
        }
        if let Some(max) = &body.max {
            let one_by_one = matches!(operation, Operation::EntitlementGrant | Operation::EntitlementRevoke);
            if !one_by_one {
                let message = "`max` belongs to entitlement.grant and entitlement.revoke";
                self.note(Finding::OperationShape, max.span, message);
            } else if !(1..=1_000).contains(&max.value) {
                let message = format!("`max` is {}, but must be from 1 to 1000", max.value);
                self.note(Finding::OperationShape, max.span, message);
            }
        }
        if let Some(becomes) = &body.becomes
            && operation != Operation::UserCreate
        {
            self.note(Finding::OperationShape, becomes.span, "`becomes` belongs to user.create");
        }
        if operation.about_a_user() && self.playbook.find_user.is_none() {
            self.note(
                Finding::NoFindUser,
                name.span,
                format!("{operation} must find the user first, but there is no `find_user`"),
            )
            .help = Some("add `find_user:` with a view, and with a search if the app has one".into());
        }
    }

    fn write(&mut self, operation: Operation, name: &At<String>, body: &OperationSteps, steps: &[Step]) {
        self.commits(operation, name, steps);
        if self.playbook.find_user.is_some() {
            self.written(operation, name, body);
        }
        for kind in body.gives.iter().flatten() {
            if self.playbook.entitlements.get(&kind.value).is_none() {
                let message = format!("there is no entitlement `{}`", kind.value);
                let finding = Diagnostic::new(Finding::UnknownAttribute, kind.span, message)
                    .did_you_mean(&kind.value, self.playbook.entitlements.names());
                self.findings.push(finding);
            }
        }
        for attribute in body.requires.iter().chain(body.changes.iter().flatten()).chain(&body.also_changes) {
            let known = ATTRIBUTES.contains(&attribute.value.as_str())
                || attribute.value.starts_with("urn:")
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
            self.note(Finding::OperationShape, name.span, "user.update has no `changes`").help = Some(
                "add `changes: [displayName, …]`; other changes are refused before a browser opens".into(),
            );
        }
        let read: Vec<&str> = self.found_columns().collect();
        let view = self.playbook.find_user.as_ref().and_then(|f| self.playbook.views.get(&f.view.value));
        let unread = view.is_some_and(|view| {
            view.unread.iter().any(|name| self.playbook.entitlements.get(&name.value).is_some())
        });
        let reads_entitlement = unread || self.playbook.entitlements.names().any(|name| read.contains(&name));
        let reads_active = read.contains(&"active");
        if matches!(operation, Operation::UserDisable | Operation::UserEnable) && !reads_active {
            self.note(
                Finding::ActiveNotRead,
                name.span,
                "no column reads `active`, so the change cannot be verified",
            )
            .help = Some(
                "add `active: { column: Status, map: { Active: true, Suspended: false } }` to the view of find_user".into(),
            );
        }
        let waits = body.becomes.as_ref().is_some_and(|becomes| becomes.value == Becomes::PendingExternal);
        let invites = matches!(operation, Operation::InviteResend | Operation::InviteCancel);
        if (waits || invites) && !self.reads_pending() {
            self.note(Finding::PendingNotRead, name.span, "no column shows who is invited").help = Some(
                "add `active: { column: Status, map: { Active: true, Invited: invited } }` to the view of find_user"
                    .into(),
            );
        }
        if operation == Operation::InviteResend && !expects_after_commit(steps) {
            self.note(
                Finding::ResendNotProved,
                name.span,
                "nothing proves that the invitation was sent again",
            )
            .help = Some("add `expect:` with the app's message, after the commit".into());
        }
        if matches!(operation, Operation::EntitlementGrant | Operation::EntitlementRevoke)
            && !reads_entitlement
        {
            self.note(
                Finding::EntitlementNotRead,
                name.span,
                "no view reads an entitlement, so the change cannot be verified",
            )
            .help =
                Some("declare it under `entitlements`, and read it in a column with the same name".into());
        }
    }

    /// The columns of the view of `find_user`, with those of its detail page.
    fn found_columns(&self) -> impl Iterator<Item = &str> {
        let view = self.playbook.find_user.as_ref().and_then(|f| self.playbook.views.get(&f.view.value));
        view.into_iter().flat_map(|v| v.every_column().map(|(name, _)| name.value.as_str()))
    }

    /// Does the view of `find_user` show who is invited?
    fn reads_pending(&self) -> bool {
        let view = self.playbook.find_user.as_ref().and_then(|f| self.playbook.views.get(&f.view.value));
        let active = view.and_then(|v| v.every_column().find(|(name, _)| name.value == "active"));
        active.and_then(|(_, column)| column.map.as_ref()).is_some_and(|map| {
            map.iter().any(|(_, meaning)| matches!(meaning.value.as_str(), "invited" | "pending"))
        })
    }

    /// Is there an `entitlement.list` to discover from?
    fn discovers(&self) -> bool {
        self.playbook
            .operations
            .get("entitlement.list")
            .is_some_and(|body| body.every_view().next().is_some())
    }

    fn discovered(values: Option<&Values>) -> Option<Span> {
        match values {
            Some(Values::Discovered(at)) => Some(at.span),
            _ => None,
        }
    }
}

/// Is there an `expect` after the commit?
fn expects_after_commit(steps: &[Step]) -> bool {
    let commits = |step: &Step| {
        let mut found = false;
        each_step(std::slice::from_ref(step), &mut |step| {
            found |= step.commits();
        });
        found
    };
    let after = steps.iter().skip_while(|step| !commits(step));
    after.skip(1).any(|step| matches!(step.action, Action::Expect(_)))
}
