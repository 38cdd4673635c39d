//! Rules about names: targets, templates, secrets, durations.

use std::collections::{BTreeMap, BTreeSet};

use super::{ATTRIBUTES, Checker, USER_ROW};
use crate::{
    duration,
    playbook::{
        at::{At, Span},
        diagnostic::{Diagnostic, Finding, nearest},
        locator::{By, Find, Locator},
        step::{Action, Step, Use},
        syntax::{Module, Token},
        template::{self, TemplateError},
        visit::each_step,
    },
};

/// What may be named at a place.
#[derive(Clone, Default)]
struct Place {
    /// Is a user's record known here?
    row: bool,
    /// Are the job's user and entitlements known here?
    job: bool,
    /// May secrets be typed here?
    secrets: bool,
    captures: BTreeSet<String>,
    /// Is the number of a list's page known here?
    paging: bool,
    /// The parameters of the module that this is.
    with: Option<BTreeSet<String>>,
}

impl Checker<'_> {
    pub(super) fn names(&mut self) {
        let mut used = BTreeSet::new();
        let anywhere = Place { job: true, ..Place::default() };
        let nobody = Place::default();
        self.template(&self.playbook.start, &nobody);
        for origin in self.playbook.origins.iter() {
            self.template(origin, &nobody);
        }
        for (_, view) in self.playbook.views.iter() {
            self.template(&view.open, &anywhere);
            if let Some(steps) = &view.prepare {
                self.steps(steps, &nobody, &mut used);
            }
            let rows = view.rows.iter().flat_map(|rows| std::iter::once(&rows.within).chain(&rows.each));
            let cells = view.every_column().flat_map(|(_, c)| c.cell.iter().chain(&c.each));
            let detail = view.detail.iter().flat_map(|d| [&d.open, &d.within, &d.back]);
            for next in view.pages.iter().flat_map(|pages| &pages.next) {
                self.locator(next, &Place { paging: true, ..Place::default() }, &mut used);
            }
            let pages = view.pages.iter().flat_map(|p| p.more.iter().chain(&p.total));
            for locator in rows.chain(cells).chain(detail).chain(pages) {
                self.locator(locator, &nobody, &mut used);
            }
        }
        self.duration(self.playbook.settle.as_ref());
        if let Some(find) = &self.playbook.find_user {
            if let Some(search) = &find.search {
                self.locator(&search.into, &anywhere, &mut used);
                self.template(&search.value, &anywhere);
            }
            if let Some(absent) = &find.absent {
                self.locator(absent, &anywhere, &mut used);
            }
        }
        for overlay in self.playbook.overlays.iter() {
            self.locator(&overlay.when, &nobody, &mut used);
            self.steps(&overlay.steps, &nobody, &mut used);
        }
        for screen in self.playbook.screens.iter() {
            self.locator(&screen.when, &nobody, &mut used);
        }
        if let Some(login) = &self.playbook.login {
            self.locator(&login.signed_in, &nobody, &mut used);
            if let Some(tenant) = &login.tenant {
                self.locator(&tenant.text_of, &nobody, &mut used);
                self.template(&tenant.equals, &nobody);
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
                let place = Place { row: name.value != "user.create", job: true, ..Place::default() };
                self.steps(steps, &place, &mut used);
            }
        }
        self.targets(&mut used);
    }

    /// The value of a token is the one place where a secret stands in a template.
    fn token(&mut self, token: &Token) {
        match template::names(&token.value.value) {
            Ok(names) => {
                let (secrets, others): (Vec<&String>, Vec<&String>) =
                    names.iter().partition(|name| name.starts_with("secret."));
                if secrets.is_empty() {
                    self.note(Finding::TokenWithoutSecret, token.value.span, "this token holds no secret")
                        .help = Some("write `value: \"Bearer {{ secret.token }}\"`".into());
                }
                for name in others {
                    self.template_name(name, token.value.span, &Place::default());
                }
            }
            Err(_) => self.template(&token.value, &Place::default()),
        }
    }

    /// The names of a module.
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
                self.note(Finding::BadSetting, pattern.span, "this pattern cannot be read");
            }
        }
        self.steps(&module.steps, &place, &mut used);
        self.targets(&mut used);
    }

    /// A module, and what it is given.
    fn module(&mut self, call: &Use) {
        let name = &call.module.value;
        let Some(module) = self.modules.get(name) else {
            let known = self.modules.keys().map(String::as_str);
            let finding = Diagnostic::new(
                Finding::UnknownModule,
                call.module.span,
                format!("there is no module `{name}`"),
            )
            .help(format!("a module is a file below the playbooks: `playbooks/{name}.yaml`"))
            .did_you_mean(name, known);
            self.findings.push(finding);
            return;
        };
        let Some(module) = module.playable() else {
            let message = format!("the module `{name}` has errors of its own");
            self.note(Finding::UnknownModule, call.module.span, message).help =
                Some(format!("run `seatwright check {}`", module.path));
            return;
        };
        for (given, _) in call.with.iter() {
            if module.parameters.get(&given.value).is_none() {
                let finding = Diagnostic::new(
                    Finding::ModuleParameter,
                    given.span,
                    format!("the module `{name}` has no parameter `{}`", given.value),
                )
                .did_you_mean(&given.value, module.parameters.names());
                self.findings.push(finding);
            }
        }
        for (parameter, rule) in module.parameters.iter() {
            if rule.default.is_none() && call.with.get(&parameter.value).is_none() {
                let message = format!("the module `{name}` needs `{}`", parameter.value);
                self.note(Finding::ModuleParameter, call.module.span, message).help =
                    Some(match &rule.help {
                        Some(help) => format!("{}: {help}", parameter.value),
                        None => format!("add it to `with: {{ {}: … }}`", parameter.value),
                    });
            }
        }
    }

    /// Targets: what they name themselves, circles, and those that nothing uses.
    fn targets(&mut self, used: &mut BTreeSet<String>) {
        let everywhere = Place { row: true, job: true, ..Place::default() };
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
                    format!("`{}` is found inside itself", name.value),
                )
                .help = Some("take one `in` or `has` out of the circle".into());
            }
        }
        // What a used target uses is used.
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
                    format!("nothing uses the target `{}`", name.value),
                )
                .help = Some("remove it, or use its name where it is meant".into());
            }
        }
    }

    fn steps(&mut self, steps: &[Step], place: &Place, used: &mut BTreeSet<String>) {
        let mut place = place.clone();
        each_step(steps, &mut |step| {
            place.captures.extend(step.modifiers.name.iter().map(|n| n.value.clone()));
        });
        let mut all = Vec::new();
        each_step(steps, &mut |step| all.push(step));
        let mut last = Vec::new();
        unanswered(steps, &mut last);
        for span in last {
            self.note(Finding::NothingAnswered, span, "no step behind this raises a dialog").help =
                Some("put `answer` directly before the step that raises the dialog".into());
        }
        for step in all {
            self.step(step, &place, used);
        }
    }

    fn step(&mut self, step: &Step, place: &Place, used: &mut BTreeSet<String>) {
        for locator in step.locators() {
            self.locator(locator, place, used);
        }
        for text in step.templates() {
            self.template(text, place);
        }
        match &step.action {
            Action::Fill(fill) => match (&fill.value, &fill.secret) {
                (None, Some(secret)) if !place.secrets => {
                    self.note(Finding::SecretOutsideLogin, secret.span, "a secret is typed in `login` only");
                }
                (Some(_), None) | (None, Some(_)) => {}
                _ => {
                    self.note(Finding::WrongShape, step.at.span, "`fill` needs either `value` or `secret`");
                }
            },
            Action::Capture(capture) => {
                let one = capture.text_of.is_some() && capture.of.is_none() && capture.attribute.is_none();
                let other = capture.text_of.is_none() && capture.of.is_some() && capture.attribute.is_some();
                if !(one || other) {
                    self.note(
                        Finding::WrongShape,
                        step.at.span,
                        "`capture` needs `text_of`, or `attribute` with `of`",
                    );
                }
                if step.modifiers.name.is_none() {
                    self.note(
                        Finding::WrongShape,
                        step.at.span,
                        "`capture` needs `as`: the name for what is read",
                    );
                }
            }
            Action::Repeat(repeat) => {
                if !(1..=1_000).contains(&repeat.max.value) {
                    let message = format!("`max` is {}: it goes from 1 to 1000 times", repeat.max.value);
                    self.note(Finding::Unbounded, repeat.max.span, message).help =
                        Some("give the most times that this app could ever need".into());
                }
            }
            Action::Upload(upload) => {
                let one = upload.file.is_some() && upload.name.is_none() && upload.content.is_none();
                let other = upload.file.is_none() && upload.name.is_some() && upload.content.is_some();
                if !(one || other) {
                    self.note(
                        Finding::WrongShape,
                        step.at.span,
                        "`upload` needs `file`, or `name` with `content`",
                    );
                }
                if let Some(file) = &upload.file
                    && (file.value.starts_with('/') || file.value.split('/').any(|part| part == ".."))
                {
                    self.note(Finding::WrongShape, file.span, "a file outside the playbook's folder").help =
                        Some("put it beside the playbook: `files/avatar.png`".into());
                }
            }
            Action::Download(download) => {
                if template::size(&download.max.value).is_none() {
                    let message = format!("`{}` is no size", download.max.value);
                    self.note(Finding::BadSize, download.max.span, message).help =
                        Some("write 200KiB or 1MiB; at most 16MiB".into());
                }
            }
            Action::EnterCode(code) if !place.secrets => {
                self.note(Finding::SecretOutsideLogin, code.from.span, "a code is entered in `login` only");
            }
            Action::Use(call) => self.module(call),
            Action::Collect(collect) => {
                if self.playbook.views.get(&collect.view.value).is_none() {
                    let message = format!("there is no view `{}`", collect.view.value);
                    let finding = Diagnostic::new(Finding::UnknownView, collect.view.span, message)
                        .did_you_mean(&collect.view.value, self.playbook.views.names());
                    self.findings.push(finding);
                }
                if step.modifiers.name.is_none() {
                    self.note(
                        Finding::WrongShape,
                        step.at.span,
                        "`collect` needs `as`: the name for what is read",
                    );
                }
            }
            _ => {}
        }
        self.duration(step.modifiers.timeout.as_ref());
    }

    fn duration(&mut self, time: Option<&At<String>>) {
        if let Some(time) = time
            && duration::in_playbook(&time.value).is_none()
        {
            self.note(Finding::BadDuration, time.span, format!("`{}` is no duration", time.value)).help =
                Some("write 500ms, 10s or 2m; at most ten minutes".into());
        }
    }

    fn locator(&mut self, locator: &Locator, place: &Place, used: &mut BTreeSet<String>) {
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

    fn template(&mut self, text: &At<String>, place: &Place) {
        match template::names(&text.value) {
            Ok(names) => names.iter().for_each(|name| self.template_name(name, text.span, place)),
            Err(TemplateError::Missing(reason) | TemplateError::Bad(reason)) => {
                self.note(
                    Finding::BadTemplate,
                    text.span,
                    format!("this template cannot be read: {reason}"),
                )
                .help = Some(
                    "write `{{ user.userName }}`, or with a filter `{{ user.userName | lower }}`".into(),
                );
            }
        }
    }

    fn template_name(&mut self, name: &str, span: Span, place: &Place) {
        let (first, rest) = name.split_once('.').unwrap_or((name, ""));
        let problem = match first {
            "start" | "settings" if place.with.is_some() => Some((
                format!("a module does not know `{first}`: it has what it is given, as `with.…`"),
                None,
            )),
            "start" if rest.is_empty() => None,
            "page" if place.paging && rest.is_empty() => None,
            "account" if matches!(rest, "" | "username") => None,
            "settings" => {
                let known = self.playbook.settings.get(rest.split('.').next().unwrap_or_default()).is_some();
                (!known).then(|| {
                    (format!("there is no setting `{rest}`"), nearest(rest, self.playbook.settings.names()))
                })
            }
            "with" if place.with.is_some() => {
                let known = place.with.iter().flatten().map(String::as_str);
                (!known.clone().any(|parameter| parameter == rest))
                    .then(|| (format!("the module has no parameter `{rest}`"), nearest(rest, known)))
            }
            "user" if place.job => {
                let known = rest.is_empty()
                    || ATTRIBUTES.iter().any(|a| {
                        *a == rest || a.starts_with(&format!("{rest}.")) || rest.starts_with(&format!("{a}."))
                    })
                    || rest.starts_with("urn:");
                (!known).then(|| {
                    (format!("a SCIM user has no `{rest}`"), nearest(rest, ATTRIBUTES.iter().copied()))
                })
            }
            "entitlements" | "asked" if place.job => {
                let known = rest.is_empty() || self.playbook.entitlements.get(rest).is_some();
                (!known).then(|| {
                    (
                        format!("there is no entitlement `{rest}`"),
                        nearest(rest, self.playbook.entitlements.names()),
                    )
                })
            }
            "user" | "entitlements" | "asked" => Some((
                format!("`{first}` is not known here: this happens before any user is looked at"),
                None,
            )),
            "secret" => {
                self.note(Finding::SecretOutsideLogin, span, "a secret is no value: it can only be typed")
                    .help = Some("write `fill: { into: …, secret: password }` in `login`".into());
                return;
            }
            capture if place.captures.contains(capture) => None,
            other => {
                let known = ["user", "entitlements", "asked", "settings", "account", "start"];
                Some((
                    format!("nothing is called `{other}`"),
                    nearest(other, known.into_iter().chain(place.captures.iter().map(String::as_str))),
                ))
            }
        };
        if let Some((message, near)) = problem {
            let label = near.map(|near| format!("did you mean `{near}`?"));
            self.note(Finding::UnknownName, span, message).label = label;
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

/// Answers with nothing behind them.
fn unanswered(steps: &[Step], found: &mut Vec<Span>) {
    for (index, step) in steps.iter().enumerate() {
        if matches!(step.action, Action::AnswerDialog(_)) && index + 1 == steps.len() {
            found.push(step.at.span);
        }
        for (_, inner) in step.action.blocks() {
            unanswered(inner, found);
        }
    }
}
