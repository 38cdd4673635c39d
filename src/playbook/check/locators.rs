//! Rules about locators: targets that exist, and ways of finding that last.

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
                        "there is no `user row` here: no user has been read yet",
                    );
                } else if self.playbook.find_user.is_none() {
                    self.note(
                        Finding::NoFindUser,
                        name.span,
                        "`user row` is where `find_user` read the user: there is none",
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
                    "a value cannot become part of a selector",
                )
                .help = Some("find it by role, label or text: there a template is compared, not read".into());
            }
            let way = if matches!(find.by, By::Css(_)) { "a CSS selector" } else { "an XPath" };
            let message = format!("{way} breaks when the page's markup changes");
            self.note(Finding::FragileLocator, find.at.span, message).help =
                Some("prefer what a person sees: a role with its name, a label, a text".into());
        }
        if let Some(nth) = &find.nth {
            self.note(
                Finding::FragileLocator,
                nth.span,
                "`nth` picks by position, which changes when something is added above",
            )
            .help = Some("only where the order has a meaning; else narrow it with `in` or `has`".into());
        }
        for inner in find.within.iter().chain(&find.has) {
            self.locator(inner, place, used);
        }
    }
}
