//! Rules about steps: required keys, limits, and the modules that steps use.

use std::collections::BTreeSet;

use super::{Checker, place::Place};
use crate::{
    contract::INITIAL_PASSWORD,
    duration,
    playbook::{
        at::{At, Span},
        diagnostic::{Diagnostic, Finding},
        step::{Action, Capture, Collect, Download, Fill, Repeat, Step, Upload, Use},
        template,
        visit::each_step,
    },
};

impl Checker<'_> {
    pub(super) fn steps(&mut self, steps: &[Step], place: &Place, used: &mut BTreeSet<String>) {
        let mut place = place.clone();
        each_step(steps, &mut |step| {
            place.captures.extend(step.modifiers.name.iter().map(|n| n.value.clone()));
        });
        let mut all = Vec::new();
        each_step(steps, &mut |step| all.push(step));
        let mut last = Vec::new();
        unanswered(steps, &mut last);
        for span in last {
            self.note(
                Finding::NothingAnswered,
                span,
                "no step that could open the dialog follows this `answer`",
            )
            .help = Some("put `answer` directly before the step that opens the dialog".into());
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
        self.duration(step.modifiers.timeout.as_ref());
        if step.modifiers.within.is_some() && !matches!(step.action, Action::Form(_)) {
            let message = "the key `in` has no effect on this step: only `form` uses it";
            self.note(Finding::WrongShape, step.at.span, message).help =
                Some("write it inside the locator: `click: { button: Save, in: { dialog: Edit } }`".into());
        }
        let needs_name = match &step.action {
            Action::Fill(fill) => return self.fill(fill, step.at.span, place),
            Action::Upload(upload) => return self.upload(upload, step.at.span),
            Action::Use(call) => return self.module(call, place),
            Action::Repeat(repeat) => return self.bounded(repeat),
            Action::Download(download) => return self.size(download),
            Action::EnterCode(code) if !place.secrets => {
                self.note(
                    Finding::SecretOutsideLogin,
                    code.from.span,
                    "`enter_code` is allowed only in `login`",
                )
                .help = Some("remove it: the session of an operation is signed in".into());
                return;
            }
            Action::Capture(capture) => {
                self.capture(capture, step.at.span);
                "capture"
            }
            Action::Collect(collect) => {
                self.collect(collect);
                "collect"
            }
            _ => return,
        };
        if step.modifiers.name.is_none() {
            let message = format!("`{needs_name}` needs `as`, a name for the value");
            self.note(Finding::WrongShape, step.at.span, message);
        }
    }

    fn fill(&mut self, fill: &Fill, span: Span, place: &Place) {
        match (&fill.value, &fill.secret) {
            (Some(_), None) => {}
            (None, Some(secret)) => self.secret(secret, place),
            _ => {
                self.note(Finding::WrongShape, span, "`fill` needs either `value` or `secret`, not both");
            }
        }
    }

    /// A secret of the service account is typed in `login`, the first password of a new user in `user.create`, and neither in the
    /// other's place.
    fn secret(&mut self, secret: &At<String>, place: &Place) {
        let first = secret.value == INITIAL_PASSWORD;
        if if first { place.new_user } else { place.secrets } {
            return;
        }
        let message = match first {
            true => {
                format!(
                    "`{INITIAL_PASSWORD}` belongs to a new user: it is allowed only in the steps of `user.create`"
                )
            }
            false => "a secret of the service account is allowed only in `login`".to_owned(),
        };
        self.note(Finding::SecretOutsideLogin, secret.span, message).help =
            Some(how_to_type(place).to_owned());
    }

    fn capture(&mut self, capture: &Capture, span: Span) {
        let one = capture.text_of.is_some() && capture.of.is_none() && capture.attribute.is_none();
        let other = capture.text_of.is_none() && capture.of.is_some() && capture.attribute.is_some();
        if !(one || other) {
            self.note(Finding::WrongShape, span, "`capture` needs `text_of`, or `attribute` with `of`");
        }
    }

    fn upload(&mut self, upload: &Upload, span: Span) {
        let one = upload.file.is_some() && upload.name.is_none() && upload.content.is_none();
        let other = upload.file.is_none() && upload.name.is_some() && upload.content.is_some();
        if !(one || other) {
            self.note(Finding::WrongShape, span, "`upload` needs `file`, or `name` with `content`");
        }
        if let Some(file) = &upload.file
            && (file.value.starts_with('/') || file.value.split('/').any(|part| part == ".."))
        {
            self.note(Finding::WrongShape, file.span, "the file is outside the playbook's folder").help =
                Some("put the file into the playbook's folder: `files/avatar.png`".into());
        }
    }

    fn bounded(&mut self, repeat: &Repeat) {
        if !(1..=1_000).contains(&repeat.max.value) {
            let message = format!("`max` is {}, but must be from 1 to 1000", repeat.max.value);
            self.note(Finding::Unbounded, repeat.max.span, message).help =
                Some("write the largest number that this app can need".into());
        }
    }

    fn size(&mut self, download: &Download) {
        if template::size(&download.max.value).is_none() {
            let message = format!("`{}` is not a size", download.max.value);
            self.note(Finding::BadSize, download.max.span, message).help =
                Some("write 200KiB or 1MiB; the maximum is 16MiB".into());
        }
    }

    fn collect(&mut self, collect: &Collect) {
        if self.playbook.views.get(&collect.view.value).is_none() {
            let message = format!("there is no view `{}`", collect.view.value);
            let finding = Diagnostic::new(Finding::UnknownView, collect.view.span, message)
                .did_you_mean(&collect.view.value, self.playbook.views.names());
            self.findings.push(finding);
        }
    }

    pub(super) fn duration(&mut self, time: Option<&At<String>>) {
        if let Some(time) = time
            && duration::in_playbook(&time.value).is_none()
        {
            self.note(Finding::BadDuration, time.span, format!("`{}` is not a duration", time.value)).help =
                Some("write 500ms, 10s or 2m; the maximum is ten minutes".into());
        }
    }

    /// Checks that a module exists, and that its parameters match.
    fn module(&mut self, call: &Use, place: &Place) {
        let name = &call.module.value;
        let Some(module) = self.modules.get(name) else {
            let known = self.modules.keys().map(String::as_str);
            let finding = Diagnostic::new(
                Finding::UnknownModule,
                call.module.span,
                format!("there is no module `{name}`"),
            )
            .help(format!("a module is a file below the playbooks folder: `playbooks/{name}.yaml`"))
            .did_you_mean(name, known);
            self.findings.push(finding);
            return;
        };
        let Some(module) = module.playable() else {
            let message = format!("the module `{name}` has errors");
            self.note(Finding::UnknownModule, call.module.span, message).help =
                Some(format!("run `seatwright check {}`", module.path));
            return;
        };
        if !place.secrets && types_secrets(&module.steps) {
            let message = format!(
                "the module `{name}` types secrets of the service account: it is allowed only in `login`"
            );
            self.note(Finding::SecretOutsideLogin, call.module.span, message).help =
                Some(format!("write the steps here, without these secrets: {}", how_to_type(place)));
        }
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
                let message = format!("the module `{name}` requires the parameter `{}`", parameter.value);
                self.note(Finding::ModuleParameter, call.module.span, message).help =
                    Some(match &rule.help {
                        Some(help) => format!("{}: {help}", parameter.value),
                        None => format!("add it to `with: {{ {}: … }}`", parameter.value),
                    });
            }
        }
    }
}

/// What to write at this place instead of a secret that is not allowed there.
pub(super) fn how_to_type(place: &Place) -> &'static str {
    match place {
        Place { new_user: true, .. } => {
            "the first password of a new user is `fill: { into: …, secret: initial_password }`; no other secret is typed here"
        }
        Place { secrets: true, with: Some(_), .. } => {
            "a module is for `login`: `fill: { into: …, secret: password }`; write a step with `initial_password` in `user.create` itself"
        }
        Place { secrets: true, .. } => "write `fill: { into: …, secret: password }`",
        _ => {
            "an operation must not type secrets: its session is already signed in, and only `user.create` types a first password"
        }
    }
}

/// Does a step, or a step inside it, type a secret?
fn types_secrets(steps: &[Step]) -> bool {
    let mut found = false;
    each_step(steps, &mut |step| {
        found |= match &step.action {
            Action::Fill(fill) => fill.secret.is_some(),
            Action::EnterCode(_) => true,
            _ => false,
        };
    });
    found
}

/// Finds every `answer` without a step after it.
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
