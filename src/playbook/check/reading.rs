//! Rules about what has to be read: what a write changes, a view has to show, or the playbook says that the app never does.

use std::collections::BTreeSet;

use super::{ATTRIBUTES, Checker};
use crate::{
    contract::Operation,
    playbook::{
        at::{At, Span},
        diagnostic::{Diagnostic, Finding},
        locator::{By, Locator},
        syntax::{Column, OperationSteps, View},
        visit::template_names,
    },
};

impl Checker<'_> {
    /// What `changes` and `gives` name, and the kinds that the steps of a grant or revoke name.
    pub(super) fn written(&mut self, operation: Operation, name: &At<String>, body: &OperationSteps) {
        let named = body.changes.iter().chain(&body.gives).flatten();
        let mut written: Vec<(&str, Span)> = named.map(|one| (one.value.as_str(), one.span)).collect();
        let steps = || body.steps.iter().flat_map(|steps| steps.iter());
        if matches!(operation, Operation::UserCreate | Operation::UserUpdate) {
            self.used(operation, &written, &template_names(self.playbook, steps()));
        }
        if matches!(operation, Operation::EntitlementGrant | Operation::EntitlementRevoke) {
            let used = template_names(self.playbook, steps());
            let kinds = self.playbook.entitlements.iter().map(|(kind, _)| kind.value.as_str());
            let is_used = |kind: &&str| {
                ["entitlements", "asked"].iter().any(|from| used.contains(&format!("{from}.{kind}")))
            };
            let kinds: Vec<&str> = kinds.filter(is_used).collect();
            for kind in &kinds {
                self.needs_all(operation, name, kind, &used);
            }
            written.extend(kinds.into_iter().map(|kind| (kind, name.span)));
        }
        for (attribute, span) in written {
            if !self.is_read(attribute) && !self.is_declared_unread(attribute) {
                let message =
                    format!("{operation} can set `{attribute}`, but the view of find_user does not read it");
                self.note(Finding::NotRead, span, message).help = Some(format!(
                    "read it: `{attribute}: {{ column: … }}`; if the app never shows it, declare this in the view: `unread: [{attribute}]`"
                ));
            }
        }
    }

    /// What an operation can set, a step has to use.
    fn used(&mut self, operation: Operation, written: &[(&str, Span)], used: &BTreeSet<String>) {
        for (name, span) in written {
            let places = match self.playbook.entitlements.get(name) {
                Some(_) => vec![format!("entitlements.{name}"), format!("asked.{name}")],
                None => vec![format!("user.{name}")],
            };
            let first = name.split('.').next().unwrap_or(name);
            let is_it = |one: &String| {
                places.iter().any(|place| one == place || one.starts_with(&format!("{place}.")))
                    || one == "user"
                    || *one == format!("user.{first}")
                    || one.contains("urn:")
            };
            if !used.iter().any(is_it) {
                let message = format!("{operation} can set `{name}`, but no step uses it");
                let template = places.first().cloned().unwrap_or_default();
                self.note(Finding::NotUsed, *span, message).help =
                    Some(format!("use `{{{{ {template} }}}}` in a step, or remove `{name}`"));
            }
        }
    }

    /// A value that the steps build from everything the user has, needs a view that shows everything.
    fn needs_all(&mut self, operation: Operation, name: &At<String>, kind: &str, used: &BTreeSet<String>) {
        let rule = self.playbook.entitlements.get(kind);
        let many = rule.is_some_and(|rule| rule.any_of.is_some());
        let builds = used.contains(&format!("entitlements.{kind}"))
            && (many || operation == Operation::EntitlementRevoke);
        if builds && !self.is_read(kind) && self.is_declared_unread(kind) {
            let message = format!(
                "`{{{{ entitlements.{kind} }}}}` is everything that the user will have after the job, but no column reads `{kind}`"
            );
            self.note(Finding::NotRead, name.span, message).help =
                Some(format!("use only what the job names: `{{{{ asked.{kind} }}}}`"));
        }
    }

    /// The last holder of an entitlement is known only from a view.
    pub(super) fn protected_kinds(&mut self) {
        for (kind, rule) in self.playbook.entitlements.iter() {
            if let Some(last) = &rule.protect_last
                && self.playbook.find_user.is_some()
                && !self.is_read(&kind.value)
            {
                let message = format!("`protect_last` needs a view of find_user that reads `{}`", kind.value);
                self.note(Finding::NotRead, last.span, message).help =
                    Some(format!("add `{}: {{ column: … }}` to its columns", kind.value));
            }
        }
    }

    /// A list of users needs the identity of each.
    pub(super) fn listed_identity(&mut self) {
        let listed = self.playbook.operations.get(Operation::UserList.as_str());
        let Some(named) = listed.and_then(|body| body.view.as_ref()) else { return };
        let identity = self.identity();
        let read = |view: &View| view.columns.get(&identity).is_some();
        let found = self.playbook.find_user.as_ref().is_some_and(|find| find.view.value == named.value);
        if let Some(view) = self.playbook.views.get(&named.value)
            && !found
            && !read(view)
        {
            let message =
                format!("the view `{}` does not read `{identity}`, which identifies users", named.value);
            self.note(Finding::IdentityNotRead, named.span, message).help =
                Some(format!("add `{identity}: {{ column: … }}` to its columns"));
        }
    }

    /// Views are joined by the identity.
    pub(super) fn joined_identity(&mut self) {
        let identity = self.identity();
        for name in self.playbook.views.iter().flat_map(|(_, view)| &view.also) {
            if let Some(other) = self.playbook.views.get(&name.value)
                && other.columns.get(&identity).is_none()
            {
                let message = format!(
                    "the view `{}` does not read `{identity}`, which identifies the user",
                    name.value
                );
                self.note(Finding::IdentityNotRead, name.span, message).help =
                    Some(format!("add `{identity}: {{ column: … }}` to its columns: views are joined by it"));
            }
        }
    }

    /// What a view declares as never shown.
    pub(super) fn declared_unread(&mut self, view: &View) {
        for name in &view.unread {
            let known: Vec<&str> =
                ATTRIBUTES.iter().copied().chain(self.playbook.entitlements.names()).collect();
            if view.column(&name.value).is_some() {
                let message = format!("a column reads `{}`, so `unread` must not list it", name.value);
                self.note(Finding::WrongShape, name.span, message).help =
                    Some("remove it from `unread`, or remove the column".into());
            } else if !known.contains(&name.value.as_str()) && !name.value.starts_with("urn:") {
                let message =
                    format!("`{}` is neither a SCIM attribute nor an entitlement of this app", name.value);
                let finding = Diagnostic::new(Finding::UnknownAttribute, name.span, message)
                    .did_you_mean(&name.value, known);
                self.findings.push(finding);
            }
        }
    }

    /// A status has two meanings at least. Only a box that is ticked or not has them without a map.
    pub(super) fn active_meanings(&mut self, column: &At<String>, at: &Column) {
        let meanings: Vec<&str> = at
            .map
            .iter()
            .flat_map(crate::playbook::Names::iter)
            .map(|(_, meaning)| meaning.value.as_str())
            .chain(at.without.as_deref())
            .collect();
        let means = |wanted: &str| meanings.iter().any(|meaning| meaning.eq_ignore_ascii_case(wanted));
        let is_box = at.map.is_none() && at.cell.as_ref().is_some_and(|cell| self.may_be_box(cell));
        if !(is_box || means("true") && means("false")) {
            let message = "`active` needs the app's words for true and for false";
            self.note(Finding::BadColumn, column.span, message).help = Some(
                "map them: `active: { column: Status, map: { Active: true, Suspended: false } }`".into(),
            );
        }
    }

    fn may_be_box(&self, cell: &Locator) -> bool {
        match cell {
            Locator::Find(find) => {
                matches!(
                    find.by,
                    By::Role("checkbox" | "switch", _) | By::Label(_) | By::Css(_) | By::Xpath(_)
                )
            }
            Locator::Any(any) => any.iter().all(|one| self.may_be_box(one)),
            Locator::Named(name) => self
                .playbook
                .targets
                .get(&name.value)
                .is_some_and(|target| !matches!(target, Locator::Named(_)) && self.may_be_box(target)),
        }
    }

    /// That a user has none of several values must show, too.
    pub(super) fn none_of_several(&mut self, column: &At<String>, at: &Column) {
        let many = self.playbook.entitlements.get(&column.value).is_some_and(|rule| rule.any_of.is_some());
        let is_held = |each: &Locator| match each {
            Locator::Find(find) => find.within.is_some() || find.under.is_some(),
            Locator::Named(_) | Locator::Any(_) => true,
        };
        if many && at.without.is_none() && at.each.as_ref().is_some_and(|each| !is_held(each)) {
            let message = format!("if a user has no `{}`, nothing on the page proves it", column.value);
            self.note(Finding::NoneNotShown, column.span, message).help = Some(
                "name the element around the values: `each: { …, in: … }`; or write `without: \"\"`, if a record without these elements has none"
                    .into(),
            );
        }
    }

    fn is_read(&self, attribute: &str) -> bool {
        self.found_columns().any(|name| name == attribute)
    }

    fn is_declared_unread(&self, attribute: &str) -> bool {
        let view = self.playbook.find_user.as_ref().and_then(|f| self.playbook.views.get(&f.view.value));
        view.is_some_and(|view| view.unread.iter().any(|name| name.value == attribute))
    }

    fn identity(&self) -> String {
        self.playbook.identity.as_ref().map_or("userName", |i| i.attribute.value.as_str()).to_owned()
    }
}
