//! Rules about commits: exactly one on every path, and only where the user's identity shows, unless the user is new.

use super::{Checker, STATED_BY, USER_ROW};
use crate::{
    contract::Operation,
    playbook::{
        at::At,
        diagnostic::Finding,
        locator::{By, Locator},
        step::{Action, AnswerDialog, Step},
        template,
        visit::{each_step, template_names},
    },
};

impl Checker<'_> {
    /// Checks that every path has exactly one commit, on a step that can be one.
    pub(super) fn commits(&mut self, operation: Operation, name: &At<String>, steps: &[Step]) {
        let (least, most) = self.commit_range(steps);
        if least == 0 && most == 0 {
            self.note(
                Finding::NoCommit,
                name.span,
                format!("{operation} changes the app, but no step is marked `commit: true`"),
            )
            .help = Some("mark the step that may change the app: usually the click that saves".into());
        } else if least == 0 {
            self.note(
                Finding::NoCommit,
                name.span,
                format!("{operation} has a path without a step marked `commit: true`"),
            )
            .help = Some("mark one step in each branch, or move the commit after the branches".into());
        }
        let mut committed = Vec::new();
        each_step(steps, &mut |step| {
            if step.commits() {
                committed.push(step);
            }
        });
        if most > 1
            && let Some(second) = committed.get(1)
        {
            self.note(Finding::TwoCommits, second.at.span, "this path already has a commit").help =
                Some("split the operation in two, or mark only the last step".into());
        }
        for step in committed {
            let opened = self.is_opened_from_record(steps, step);
            let says = answers_before(steps, step)
                .filter_map(|answer| answer.says.as_ref())
                .any(|says| self.names_user(&says.text.value, !says.pattern, opened));
            let typed = typed_before(steps, step);
            self.commit(operation, step, says, typed, opened);
        }
        let mut looped = Vec::new();
        each_step(steps, &mut |step| {
            if let Action::Repeat(repeat) = &step.action {
                each_step(&repeat.steps, &mut |inner| {
                    if inner.commits() {
                        looped.push(inner.at.span);
                    }
                });
            }
        });
        for span in looped {
            self.note(Finding::CommitInLoop, span, "a commit in a loop could run twice").help =
                Some("put the step after the loop".into());
        }
    }

    /// `typed`: where the step before has typed. A key goes there.
    fn commit(
        &mut self,
        operation: Operation,
        step: &Step,
        asked: bool,
        typed: Option<&Locator>,
        opened: bool,
    ) {
        let span = step.at.span;
        if step.modifiers.optional || step.modifiers.when.is_some() || step.modifiers.unless.is_some() {
            self.note(Finding::CommitOptional, span, "this commit may be skipped").help =
                Some("use `when: … do: […] else: […]` with one commit in each branch".into());
        }
        let locator = match &step.action {
            Action::Click(locator) | Action::Check(locator) | Action::Uncheck(locator) => Some(locator),
            Action::Choose(choose) => Some(&choose.from),
            // For an app that saves when a field is left. A secret is no change that can be read back.
            Action::Fill(fill) if fill.secret.is_none() => Some(&fill.into),
            Action::Press(_) => typed,
            _ => {
                self.note(Finding::CommitOptional, span, "this step cannot be a commit").help =
                    Some("a commit must be a click, choose, check, uncheck, fill or press".into());
                return;
            }
        };
        let inside = locator.is_some_and(|locator| self.shows_identity(locator, opened, 0));
        // A new user is in no record yet.
        let is_about_record = operation.about_a_user() && operation != Operation::UserCreate;
        if is_about_record && !inside && !asked {
            let identity = self.playbook.identity.as_ref().map_or("userName", |i| i.attribute.value.as_str());
            let usual = if operation.destructive() { "Remove member" } else { "Edit member" };
            let dialog = locator.and_then(dialog_around).unwrap_or(usual);
            let by_name = STATED_BY.iter().find(|name| {
                let used = template_names(self.playbook, [step]);
                used.contains(&format!("record.{name}"))
            });
            let help = format!(
                "click inside `in: user row`, or inside a dialog that shows the user's identity: \
                 `in: {{ dialog: {dialog}, text: \"{{{{ user.{identity} }}}}\" }}`"
            );
            self.note(
                Finding::CommitOutsideIdentity,
                span,
                format!("{operation} would commit without checking the user's identity"),
            )
            .help = Some(match by_name {
                None => help,
                Some(name) => format!(
                    "a name counts if the list of `find_user` reads it (`{name}: {{ column: … }}`), a step before clicks in \
                     `in: user row`, and the dialog's words stand on both sides: `text: \"Remove {{{{ record.{name} }}}}?\"`"
                ),
            });
        }
    }

    /// The smallest and the largest number of commits on a path.
    fn commit_range(&self, steps: &[Step]) -> (u32, u32) {
        steps.iter().fold((0, 0), |(least, most), step| {
            let (a, b) = match &step.action {
                Action::Branch(branch) => {
                    let (a1, b1) = self.commit_range(&branch.then);
                    let (a2, b2) = self.commit_range(&branch.otherwise);
                    (a1.min(a2), b1.max(b2))
                }
                action if !action.blocks().is_empty() => {
                    action.blocks().iter().fold((0, 0), |(least, most), (_, steps)| {
                        let (a, b) = self.commit_range(steps);
                        (least + a, most + b)
                    })
                }
                _ => {
                    let is = u32::from(step.commits());
                    (is, is)
                }
            };
            (least + a, most + b)
        })
    }

    /// Is the element inside the user's row, or inside something that must show the identity?
    fn shows_identity(&self, locator: &Locator, opened: bool, depth: usize) -> bool {
        if depth > 16 {
            return false;
        }
        match locator {
            Locator::Named(name) if name.value == USER_ROW => true,
            Locator::Named(name) => self
                .playbook
                .targets
                .get(&name.value)
                .is_some_and(|l| self.shows_identity(l, opened, depth + 1)),
            Locator::Any(any) => {
                !any.is_empty() && any.iter().all(|l| self.shows_identity(l, opened, depth + 1))
            }
            Locator::Find(find) => {
                let named = match &find.by {
                    // Only a whole name identifies a person: another person's name may contain a part of it.
                    By::Role(_, Some(name)) | By::Label(name) | By::Text(name) | By::Title(name) => {
                        find.exact && !name.pattern && self.names_user(&name.text.value, true, opened)
                    }
                    _ => false,
                };
                named
                    || find.text.as_ref().is_some_and(|text| self.names_user(&text.value, false, opened))
                    || find.has.as_ref().is_some_and(|l| self.shows_identity(l, opened, depth + 1))
                    || find.within.as_ref().is_some_and(|l| self.shows_identity(l, opened, depth + 1))
            }
        }
    }

    /// Does a text name the user: by the identity, or by a name from the user's own record? `whole`: nothing else may stand
    /// next to it. Otherwise words have to stand on both sides of a name, because it can be a part of another person's.
    fn names_user(&self, source: &str, whole: bool, opened: bool) -> bool {
        let identity = self.playbook.identity.as_ref().map_or("userName", |i| i.attribute.value.as_str());
        if !template::written(source, &format!("user.{identity}")).is_empty() {
            return true;
        }
        let is_between = |(before, after): &(&str, &str)| {
            let ends = |end: Option<char>| end.is_some_and(|end| !matches!(end, '*' | '{' | '}'));
            ends(before.trim_end().chars().last()) && ends(after.trim_start().chars().next())
        };
        let view = self.playbook.view_of_user();
        let is_read = |name: &&&str| view.is_some_and(|view| view.columns.get(name).is_some());
        opened
            && STATED_BY.iter().filter(is_read).any(|name| {
                let written = template::written(source, &format!("record.{name}"));
                written.iter().any(|around| whole || is_between(around))
            })
    }

    /// Has a step before the commit clicked in the user's record? Then the dialog that it opens is about this record.
    fn is_opened_from_record(&self, steps: &[Step], commit: &Step) -> bool {
        let (mut opened, mut reached) = (false, false);
        each_step(steps, &mut |step| {
            reached |= std::ptr::eq(step, commit);
            if let Action::Click(locator) = &step.action {
                opened |= !reached && self.is_in_row(locator, 0);
            }
        });
        opened
    }

    fn is_in_row(&self, locator: &Locator, depth: usize) -> bool {
        match locator {
            _ if depth > 16 => false,
            Locator::Named(name) if name.value == USER_ROW => true,
            Locator::Named(name) => {
                self.playbook.targets.get(&name.value).is_some_and(|l| self.is_in_row(l, depth + 1))
            }
            Locator::Any(any) => !any.is_empty() && any.iter().all(|l| self.is_in_row(l, depth + 1)),
            Locator::Find(find) => find.within.as_ref().is_some_and(|l| self.is_in_row(l, depth + 1)),
        }
    }
}

/// The title of the dialog that a locator is in.
fn dialog_around(locator: &Locator) -> Option<&str> {
    let Locator::Find(find) = locator else { return None };
    match find.within.as_ref()? {
        Locator::Find(around) => match &around.by {
            By::Role("dialog", Some(name)) if !name.pattern => Some(&name.text.value),
            _ => None,
        },
        _ => None,
    }
}

/// The `answer` directly before a step, at any depth, and those directly before it.
fn answers_before<'s>(steps: &'s [Step], wanted: &Step) -> impl Iterator<Item = &'s AnswerDialog> {
    let before = steps_before(steps, wanted).unwrap_or_default();
    before.iter().rev().map_while(|step| match &step.action {
        Action::AnswerDialog(answer) => Some(answer),
        _ => None,
    })
}

/// Where the step directly before has typed.
fn typed_before<'s>(steps: &'s [Step], wanted: &Step) -> Option<&'s Locator> {
    match &steps_before(steps, wanted)?.last()?.action {
        Action::Fill(fill) => Some(&fill.into),
        _ => None,
    }
}

/// The steps before another one, in the same list, at any depth.
fn steps_before<'s>(steps: &'s [Step], wanted: &Step) -> Option<&'s [Step]> {
    for (index, step) in steps.iter().enumerate() {
        if std::ptr::eq(step, wanted) {
            return steps.get(..index);
        }
        let inside = step.action.blocks().into_iter().find_map(|(_, steps)| steps_before(steps, wanted));
        if inside.is_some() {
            return inside;
        }
    }
    None
}
