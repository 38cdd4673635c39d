//! Rules about the sections of a playbook: origins, settings, entitlements, views, and how a user is found.

use super::{ATTRIBUTES, Checker};
use crate::playbook::{
    at::At,
    diagnostic::{Diagnostic, Finding},
    locator::{By, Locator},
    syntax::{Column, OperationSteps, Pages, Values, View},
};

/// The columns that a view of `entitlement.list` may have.
const ENTITLEMENT_COLUMNS: &[&str] = &["type", "value", "display"];

impl Checker<'_> {
    pub(super) fn origins(&mut self) {
        if self.playbook.origins.is_empty() {
            let span = self.playbook.start.span;
            self.note(Finding::WideOrigin, span, "`origins` is empty, so no page can be opened").help =
                Some("list every origin of the app's pages".into());
        }
        self.wide_origins();
        let start = &self.playbook.start;
        let inside = |origin: &At<String>| {
            start
                .value
                .strip_prefix(&*origin.value)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if !self.playbook.origins.is_empty() && !self.playbook.origins.iter().any(inside) {
            self.note(Finding::StartOutsideOrigins, start.span, "`start` is not on any of the origins")
                .help = Some("add the origin of `start` to `origins`, written the same way".into());
        }
    }

    pub(super) fn wide_origins(&mut self) {
        for origin in self.playbook.origins.iter() {
            if let Some(problem) = origin_problem(&origin.value) {
                self.note(Finding::WideOrigin, origin.span, problem).help = Some(
                    "write a scheme, a host and a port: https://{{ settings.tenant }}.app.example".into(),
                );
            }
        }
    }

    pub(super) fn settings(&mut self) {
        for (_, setting) in self.playbook.settings.iter() {
            if let Some(pattern) = &setting.pattern
                && let Err(error) = regex::Regex::new(&pattern.value)
            {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or("not a regular expression").trim();
                let reason = reason.trim_start_matches("error: ");
                let message = format!("this pattern is not a valid regular expression: {reason}");
                self.note(Finding::BadSetting, pattern.span, message).help = Some(
                    "write a regular expression such as `[a-z0-9-]+`; it must match the whole value".into(),
                );
            }
        }
    }

    pub(super) fn entitlement_rules(&mut self) {
        for (name, rule) in self.playbook.entitlements.iter() {
            if rule.one_of.is_some() == rule.any_of.is_some() {
                self.note(
                    Finding::EntitlementRule,
                    name.span,
                    format!("`{}` needs either `one_of` or `any_of`", name.value),
                )
                .help = Some("one_of: a user has exactly one; any_of: a user has zero or more".into());
                continue;
            }
            if let Some(span) = Self::discovered(rule.values()) {
                if !self.discovers() {
                    self.note(Finding::NothingToDiscover, span, "no view shows the entitlements to discover")
                        .help = Some("add `entitlement.list: { view: … }` to `operations`, with the view that lists them; or list the values here".into());
                }
                continue;
            }
            let values: Vec<&str> =
                rule.values().into_iter().flat_map(Values::listed).map(|v| v.value.as_str()).collect();
            for word in rule.default.iter().chain(&rule.protect_last) {
                if !values.contains(&word.value.as_str()) {
                    let message = format!("`{}` is not one of the values of `{}`", word.value, name.value);
                    let finding = Diagnostic::new(Finding::EntitlementRule, word.span, message)
                        .did_you_mean(&word.value, values.iter().copied());
                    self.findings.push(finding);
                }
            }
        }
    }

    pub(super) fn views(&mut self) {
        let lists: Vec<&str> = self
            .playbook
            .operations
            .get("entitlement.list")
            .into_iter()
            .flat_map(OperationSteps::every_view)
            .map(|v| v.value.as_str())
            .collect();
        for (name, view) in self.playbook.views.iter() {
            self.view(view, lists.contains(&name.value.as_str()));
        }
        for (name, view) in
            self.playbook.views.iter().filter(|(name, _)| lists.contains(&name.value.as_str()))
        {
            let says_value = view.columns.get("value").is_some();
            if says_value && view.columns.get("type").is_none() && self.playbook.only_kind_listed().is_none()
            {
                let message = format!("the view `{}` does not read the type of an entitlement", name.value);
                self.note(Finding::BadColumn, name.span, message).help = Some(
                    "add `type: { column: …, map: { … } }`, or, if all its values have one type, name the column after this type (for example `role`) instead of `value`".into(),
                );
            }
        }
        let named = self.playbook.operations.iter().flat_map(|(_, o)| o.every_view());
        let also = self.playbook.views.iter().flat_map(|(_, view)| &view.also);
        let named: Vec<&At<String>> =
            named.chain(self.playbook.find_user.as_ref().map(|f| &f.view)).chain(also).collect();
        for view in named {
            if self.playbook.views.get(&view.value).is_none() {
                let message = format!("there is no view `{}`", view.value);
                let finding = Diagnostic::new(Finding::UnknownView, view.span, message)
                    .did_you_mean(&view.value, self.playbook.views.names());
                self.findings.push(finding);
            }
        }
    }

    fn view(&mut self, view: &View, of_entitlements: bool) {
        let in_details = || view.detail.iter().flat_map(|part| part.columns.iter());
        for (column, _) in in_details().filter(|(_, at)| at.column.is_some()) {
            self.note(Finding::BadColumn, column.span, "a detail page has no column headers").help =
                Some("write a locator for the element: `cell: { testid: email }`".into());
        }
        if let Some(first) = view.detail.first()
            && first.open.is_none()
            && first.prepare.is_none()
            && let Some((column, _)) = first.columns.iter().next()
        {
            self.note(Finding::BadColumn, column.span, "nothing opens this detail page").help = Some(
                "add `open:` with the element to click inside the record, or `prepare:` with steps".into(),
            );
        }
        for (column, at) in view.columns.iter().chain(in_details()) {
            self.column(view, column, at, of_entitlements);
        }
        self.declared_unread(view);
        if let Some(pages) = &view.pages {
            self.pages(pages);
        }
    }

    fn column(&mut self, view: &View, column: &At<String>, at: &Column, of_entitlements: bool) {
        let ways = [at.column.is_some(), at.cell.is_some(), at.each.is_some()];
        if ways.into_iter().filter(|given| *given).count() != 1 {
            self.note(
                Finding::BadColumn,
                column.span,
                format!("`{}` needs exactly one of `column`, `cell` and `each`", column.value),
            )
            .help = Some(
                "column: a header of the table; cell: a locator inside the record; each: a locator that finds several elements"
                    .into(),
            );
        }
        if at.column.is_some() && view.rows.is_none() {
            self.note(
                Finding::BadColumn,
                column.span,
                "a view without `rows` is one record, so it has no column headers",
            )
            .help = Some("write a locator for the element: `cell: { testid: email }`".into());
        }
        if let Some(says) = &at.says
            && (says.value.matches("{value}").count() != 1 || at.each.is_some())
        {
            let (message, help) = match at.each.is_some() {
                true => (
                    "`says` works with one value, but `each` reads several",
                    "find one element with `cell`, or remove `says`",
                ),
                false => ("`says` needs `{value}` exactly once", "write `says: \"User: {value}\"`"),
            };
            self.note(Finding::BadColumn, says.span, message).help = Some(help.into());
        }
        if !of_entitlements {
            if column.value == "active" {
                self.active_meanings(column, at);
            }
            self.none_of_several(column, at);
        }
        let name = column.value.as_str();
        let known: Vec<&str> = if of_entitlements {
            ENTITLEMENT_COLUMNS.iter().copied().chain(self.playbook.entitlements.names()).collect()
        } else {
            ATTRIBUTES.iter().copied().chain(self.playbook.entitlements.names()).collect()
        };
        let is_extension = name.starts_with("urn:") && !of_entitlements;
        if !known.contains(&name) && !is_extension {
            let message = format!("`{name}` is neither a SCIM attribute nor an entitlement of this app");
            let finding =
                Diagnostic::new(Finding::UnknownAttribute, column.span, message).did_you_mean(name, known);
            self.findings.push(finding);
        }
    }

    fn pages(&mut self, pages: &Pages) {
        if !(1..=10_000).contains(&pages.max.value) {
            let message = format!("`max` is {}, but must be from 1 to 10000 pages", pages.max.value);
            self.note(Finding::Unbounded, pages.max.span, message).help =
                Some("write the largest number of pages that this app can have".into());
        }
        let counts = |locator: &Locator| match locator {
            Locator::Find(find) => matches!(&find.by, By::Text(name) if name.text.value.contains("{n}")),
            _ => false,
        };
        let ways = [pages.next.is_some(), pages.more.is_some(), pages.scroll.is_some()];
        let span = pages.max.span;
        if ways.iter().filter(|way| **way).count() != 1 {
            self.note(
                Finding::WrongShape,
                span,
                "`pages` needs exactly one of `next`, `more` and `scroll`",
            )
            .help = Some(
                "next: a button for the next page; more: a button that loads more records; scroll: true"
                    .into(),
            );
        } else if pages.scroll.is_none() && pages.until.is_none() {
            self.note(
                Finding::WrongShape,
                span,
                "`pages` has no `until`, so the last page cannot be recognized",
            )
            .help = Some("add `until: disabled` or `until: absent`".into());
        }
        if let Some(total) = &pages.total
            && !counts(total)
        {
            let span = pages.max.span;
            self.note(Finding::LocatorShape, span, "`total` does not contain `{n}`").help =
                Some("write the text of the page with {n} for the number: { text: \"{n} members\" }".into());
        }
    }

    pub(super) fn find_user(&mut self) {
        let Some(find) = &self.playbook.find_user else { return };
        let Some(view) = self.playbook.views.get(&find.view.value) else { return };
        let identity = self.playbook.identity.as_ref().map_or("userName", |i| i.attribute.value.as_str());
        if !ATTRIBUTES.contains(&identity) {
            let span = self.playbook.identity.as_ref().map_or(find.view.span, |i| i.attribute.span);
            let finding = Diagnostic::new(
                Finding::UnknownAttribute,
                span,
                format!("`{identity}` is not a SCIM attribute"),
            )
            .did_you_mean(identity, ATTRIBUTES.iter().copied());
            self.findings.push(finding);
        } else if view.columns.get(identity).is_none() {
            let message = format!(
                "the view `{}` does not read `{identity}`, which identifies the user",
                find.view.value
            );
            self.note(Finding::IdentityNotRead, find.view.span, message).help =
                Some(format!("add `{identity}: {{ column: … }}` to its columns"));
        } else if let Some(part) = view.detail.iter().find(|part| part.columns.get(identity).is_none()) {
            let message = format!(
                "the detail page of `{}` does not read `{identity}`, which identifies the user",
                find.view.value
            );
            let span = part.columns.iter().next().map_or(find.view.span, |(column, _)| column.span);
            self.note(Finding::IdentityNotRead, span, message).help = Some(format!(
                "add `{identity}: {{ cell: … }}` to these columns: each part shows that it is about the user"
            ));
        }
        let counted = view.pages.as_ref().is_some_and(|p| p.total.is_some());
        let proved = find.absent.is_some() || (find.search.is_none() && counted);
        if !proved {
            self.note(
                Finding::AbsentWithoutProof,
                find.view.span,
                "nothing proves that a user does not exist: an empty table is not a proof",
            )
            .help = Some("add `absent:` with the message that the app shows when it finds nobody".into());
        }
    }
}

/// The problem of an origin, if it has one. A template may fill whole labels of the host and the port, nothing else.
fn origin_problem(origin: &str) -> Option<String> {
    let mut plain = String::new();
    let mut rest = origin;
    while let Some(start) = rest.find("{{") {
        let Some(end) = rest[start..].find("}}") else { return Some("`{{` without `}}`".into()) };
        plain.push_str(&rest[..start]);
        plain.push_str("0x0");
        rest = &rest[start + end + 2..];
    }
    plain.push_str(rest);
    if plain.contains('*') {
        return Some("`*` would allow every address".into());
    }
    let Some((scheme, authority)) = plain.split_once("://") else {
        return Some("this is not an origin: it has no scheme".into());
    };
    if authority.contains(['/', '?', '#', '@']) {
        return Some("an origin has only a scheme, a host and a port".into());
    }
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let labels: Vec<&str> = host.split('.').collect();
    let literal = labels.iter().rev().take_while(|label| !label.contains("0x0")).count();
    let templated = host.contains("0x0");
    let loopback = host == "127.0.0.1" || host == "localhost" || host.ends_with(".localhost");
    if templated && !loopback && literal < 2 {
        return Some(
            "a template cannot be the whole host: write the last two parts of the host as plain text".into(),
        );
    }
    match scheme {
        "https" => None,
        "http" if loopback => None,
        "http" => Some("http is allowed only for this machine (`localhost`): elsewhere, passwords would be sent unencrypted".into()),
        other => Some(format!("the scheme `{other}` is not supported")),
    }
}
