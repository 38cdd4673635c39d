//! Rules about names: every locator and template of a playbook, and the targets that they use.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checker, place::Place};
use crate::{
    contract::Operation,
    playbook::{diagnostic::Finding, syntax::Module},
};

impl Checker<'_> {
    pub(super) fn names(&mut self) {
        let mut used = BTreeSet::new();
        let anywhere = Place { job: true, ..Place::default() };
        let before_user = Place::default();
        self.template(&self.playbook.start, &before_user);
        for origin in self.playbook.origins.iter() {
            self.template(origin, &before_user);
        }
        self.names_of_views(&anywhere, &mut used);
        self.duration(self.playbook.settle.as_ref());
        if let Some(find) = &self.playbook.find_user {
            if let Some(search) = &find.search {
                self.locator(&search.into, &anywhere, &mut used);
                self.template(&search.value, &anywhere);
                if let Some(button) = &search.click {
                    self.locator(button, &anywhere, &mut used);
                }
            }
            if let Some(absent) = &find.absent {
                self.locator(absent, &anywhere, &mut used);
            }
        }
        for overlay in self.playbook.overlays.iter() {
            self.locator(&overlay.when, &before_user, &mut used);
            self.steps(&overlay.steps, &before_user, &mut used);
        }
        for screen in self.playbook.screens.iter() {
            self.locator(&screen.when, &before_user, &mut used);
        }
        if let Some(login) = &self.playbook.login {
            self.locator(&login.signed_in, &before_user, &mut used);
            if let Some(tenant) = &login.tenant {
                self.locator(&tenant.text_of, &before_user, &mut used);
                self.template(&tenant.equals, &before_user);
            }
            for steps in login.password.iter().chain(&login.sso) {
                self.steps(steps, &Place { secrets: true, ..Place::default() }, &mut used);
            }
            if let Some(token) = &login.token {
                self.token(token);
            }
        }
        for (name, operation) in self.playbook.operations.iter() {
            if let Some(steps) = &operation.steps {
                let creates = name.value == Operation::UserCreate.as_str();
                let place = Place {
                    row: !creates,
                    record: !creates,
                    job: true,
                    new_user: creates,
                    ..Place::default()
                };
                self.steps(steps, &place, &mut used);
            }
        }
        self.targets(&mut used);
    }

    fn names_of_views(&mut self, anywhere: &Place, used: &mut BTreeSet<String>) {
        let before_user = Place::default();
        for (_, view) in self.playbook.views.iter() {
            self.template(&view.open, anywhere);
            if let Some(steps) = &view.prepare {
                self.steps(steps, anywhere, used);
            }
            let rows = view.rows.iter().flat_map(|rows| std::iter::once(&rows.within).chain(&rows.each));
            let cells = view.columns.iter().flat_map(|(_, c)| c.cell.iter().chain(&c.each));
            for part in view.detail.iter() {
                let place = Place { record: true, ..anywhere.clone() };
                let cells = part.columns.iter().flat_map(|(_, c)| c.cell.iter().chain(&c.each));
                for locator in part.open.iter().chain([&part.within]).chain(&part.back).chain(cells) {
                    self.locator(locator, &place, used);
                }
                if let Some(steps) = &part.prepare {
                    self.steps(steps, &place, used);
                }
            }
            for next in view.pages.iter().flat_map(|pages| &pages.next) {
                self.locator(next, &Place { paging: true, ..Place::default() }, used);
            }
            let pages = view.pages.iter().flat_map(|p| p.more.iter().chain(&p.total));
            for locator in rows.chain(cells).chain(pages) {
                self.locator(locator, &before_user, used);
            }
        }
    }

    /// Checks the names in a module.
    pub(super) fn names_of_module(&mut self, module: &Module) {
        let mut used = BTreeSet::new();
        let with = module.parameters.names().map(str::to_owned).collect();
        let place = Place { secrets: true, with: Some(with), ..Place::default() };
        for origin in module.origins.iter() {
            self.template(origin, &Place { secrets: false, ..place.clone() });
        }
        for screen in module.screens.iter() {
            self.locator(&screen.when, &place, &mut used);
        }
        for (_, parameter) in module.parameters.iter() {
            if let Some(pattern) = &parameter.pattern
                && regex::Regex::new(&pattern.value).is_err()
            {
                self.note(
                    Finding::BadSetting,
                    pattern.span,
                    "this pattern is not a valid regular expression",
                );
            }
        }
        self.steps(&module.steps, &place, &mut used);
        self.targets(&mut used);
    }

    /// Checks the targets: their locators, circles, and targets without a use.
    fn targets(&mut self, used: &mut BTreeSet<String>) {
        let everywhere = Place { row: true, record: true, job: true, ..Place::default() };
        let mut graph = BTreeMap::new();
        for (name, locator) in self.playbook.targets.iter() {
            let mut uses = BTreeSet::new();
            self.locator(locator, &everywhere, &mut uses);
            graph.insert(name.value.as_str(), uses);
        }
        for (name, _) in self.playbook.targets.iter() {
            if reaches(&graph, &name.value, &name.value, &mut BTreeSet::new()) {
                self.note(
                    Finding::TargetLoop,
                    name.span,
                    format!("the target `{}` refers to itself", name.value),
                )
                .help = Some("remove one `in` or `has` from the circle".into());
            }
        }
        // A target counts as used when a used target refers to it.
        let mut pending: Vec<String> = used.iter().cloned().collect();
        while let Some(name) = pending.pop() {
            for next in graph.get(name.as_str()).into_iter().flatten() {
                if used.insert(next.clone()) {
                    pending.push(next.clone());
                }
            }
        }
        for (name, _) in self.playbook.targets.iter() {
            if !used.contains(&name.value) {
                self.note(
                    Finding::UnusedTarget,
                    name.span,
                    format!("no locator uses the target `{}`", name.value),
                )
                .help = Some("remove the target, or use its name in a locator".into());
            }
        }
    }
}

fn reaches(
    graph: &BTreeMap<&str, BTreeSet<String>>,
    from: &str,
    to: &str,
    seen: &mut BTreeSet<String>,
) -> bool {
    graph
        .get(from)
        .into_iter()
        .flatten()
        .any(|next| next == to || (seen.insert(next.clone()) && reaches(graph, next, to, seen)))
}
