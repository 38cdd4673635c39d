//! Rules about locators: their targets exist, and they survive a change of the page.

use std::collections::BTreeSet;

use super::{Checker, USER_ROW, place::Place};
use crate::playbook::{
    diagnostic::{Diagnostic, Finding},
    locator::{By, Find, Locator},
};

impl Checker<'_> {
    pub(super) fn locator(&mut self, locator: &Locator, place: &Place, used: &mut BTreeSet<String>) {
        match locator {
            Locator::Named(name) if name.value == USER_ROW => {
                if !place.row {
                    self.note(
                        Finding::UnknownTarget,
                        name.span,
                        "`user row` is not available here: no user has been read yet",
                    );
                } else if self.playbook.find_user.is_none() {
                    self.note(
                        Finding::NoFindUser,
                        name.span,
                        "`user row` needs `find_user`, which this playbook does not have",
                    );
                }
            }
            Locator::Named(name) => {
                if self.playbook.targets.get(&name.value).is_none() {
                    let finding = Diagnostic::new(
                        Finding::UnknownTarget,
                        name.span,
                        format!("there is no target `{}`", name.value),
                    )
                    .did_you_mean(&name.value, self.playbook.targets.names().chain([USER_ROW]));
                    self.findings.push(finding);
                }
                used.insert(name.value.clone());
            }
            Locator::Any(any) => any.iter().for_each(|l| self.locator(l, place, used)),
            Locator::Find(find) => self.find(find, place, used),
        }
    }

    fn find(&mut self, find: &Find, place: &Place, used: &mut BTreeSet<String>) {
        for text in find.templates() {
            self.template(text, place);
        }
        if let By::Css(text) | By::Xpath(text) = &find.by {
            if text.value.contains("{{") {
                self.note(
                    Finding::TemplateInSelector,
                    text.span,
                    "a template cannot be part of a selector",
                )
                .help = Some("find the element by role, label or text; those may contain templates".into());
            }
            let way = if matches!(find.by, By::Css(_)) { "a CSS selector" } else { "an XPath" };
            let message = format!("{way} breaks when the page's markup changes");
            self.note(Finding::FragileLocator, find.at.span, message).help =
                Some("use what a person sees: a role with its name, a label, or a text".into());
        }
        if let Some(nth) = &find.nth {
            self.note(
                Finding::FragileLocator,
                nth.span,
                "`nth` depends on the position, which changes when the page adds an element",
            )
            .help = Some("use `nth` only when the order has a meaning; otherwise narrow the locator with `in` or `has`".into());
        }
        for inner in find.within.iter().chain(&find.has) {
            self.locator(inner, place, used);
        }
    }
}
