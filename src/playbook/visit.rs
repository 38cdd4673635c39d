//! One walk over a step: its locators, its templates, its conditions, and the steps inside it.
//!
//! This is the only match over all actions that lists their parts. The rules and the plan use it, so that neither can miss a
//! part of a new action.

use std::{collections::BTreeSet, slice::from_ref};

use super::{
    at::At,
    locator::{By, Find, Locator},
    step::{Action, Condition, FormValue, Step},
    syntax::Playbook,
    template,
};

/// One part of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StepPart<'s> {
    /// An element that the step uses.
    Locator(&'s Locator),
    /// A template that must give a text.
    Text(&'s At<String>),
    /// A template that may give nothing.
    Value(&'s At<String>),
    /// A control of `form`: its label and its value. A value that gives nothing leaves the control alone.
    Field(&'s At<String>, &'s FormValue),
    /// A condition that decides something.
    Condition(&'s Condition),
    /// Steps inside the step, with the key that they are written under.
    Block(&'static str, &'s [Step]),
}

impl Action {
    /// Every part of the action, in the order in which the engine uses them.
    pub fn parts(&self) -> Vec<StepPart<'_>> {
        match self {
            Action::Open(address) => vec![StepPart::Text(address)],
            Action::Click(locator)
            | Action::Check(locator)
            | Action::Uncheck(locator)
            | Action::Hover(locator)
            | Action::ScrollTo(locator) => vec![StepPart::Locator(locator)],
            Action::Fill(fill) => std::iter::once(StepPart::Locator(&fill.into))
                .chain(fill.value.iter().map(StepPart::Text))
                .collect(),
            Action::Form(values) => {
                values.iter().map(|(label, value)| StepPart::Field(label, value)).collect()
            }
            Action::Choose(choose) => vec![StepPart::Locator(&choose.from), StepPart::Text(&choose.option)],
            Action::Move(moved) => std::iter::once(StepPart::Value(&moved.options))
                .chain([&moved.from, &moved.into, &moved.by, &moved.back].map(StepPart::Locator))
                .collect(),
            Action::Expect(condition) => vec![StepPart::Condition(condition)],
            Action::Capture(capture) => {
                capture.text_of.iter().chain(&capture.of).map(StepPart::Locator).collect()
            }
            Action::Upload(upload) => std::iter::once(StepPart::Locator(&upload.into))
                .chain(upload.name.iter().chain(&upload.content).map(StepPart::Text))
                .collect(),
            Action::Download(download) => vec![StepPart::Block("by", from_ref(&download.by))],
            Action::EnterCode(code) => vec![StepPart::Locator(&code.into)],
            Action::Popup(popup) => {
                vec![StepPart::Block("by", from_ref(&popup.by)), StepPart::Block("steps", &popup.steps)]
            }
            Action::AnswerDialog(answer) => {
                answer.says.iter().map(|says| &says.text).chain(&answer.text).map(StepPart::Text).collect()
            }
            Action::Repeat(repeat) => {
                vec![StepPart::Condition(&repeat.until), StepPart::Block("do", &repeat.steps)]
            }
            Action::Use(call) => call.with.iter().map(|(_, value)| StepPart::Value(value)).collect(),
            Action::Branch(branch) => vec![
                StepPart::Condition(&branch.condition),
                StepPart::Block("do", &branch.then),
                StepPart::Block("else", &branch.otherwise),
            ],
            Action::Press(_) | Action::Collect(_) | Action::Screenshot(_) => Vec::new(),
        }
    }

    /// The steps inside, with the key that they are written under.
    pub fn blocks(&self) -> Vec<(&'static str, &[Step])> {
        let block = |part| match part {
            StepPart::Block(key, steps) => Some((key, steps)),
            _ => None,
        };
        self.parts().into_iter().filter_map(block).collect()
    }
}

impl Step {
    /// Every part of the step: those of its modifiers, then those of its action.
    pub fn parts(&self) -> Vec<StepPart<'_>> {
        let modifiers = &self.modifiers;
        let conditions = modifiers.when.iter().chain(&modifiers.unless).map(StepPart::Condition);
        let within = modifiers.within.iter().map(StepPart::Locator);
        conditions.chain(within).chain(self.action.parts()).collect()
    }

    /// Every locator of the step itself, those in its conditions too.
    pub fn locators(&self) -> Vec<&Locator> {
        let locators = |part| match part {
            StepPart::Locator(locator) => vec![locator],
            StepPart::Condition(condition) => condition.locators(),
            _ => Vec::new(),
        };
        self.parts().into_iter().flat_map(locators).collect()
    }

    /// Every template of the step itself. Those of its locators are [`Locator::templates`].
    pub fn templates(&self) -> Vec<&At<String>> {
        let templates = |part| match part {
            StepPart::Text(text) | StepPart::Value(text) => vec![text],
            StepPart::Field(label, value) => std::iter::once(label).chain(value.templates()).collect(),
            StepPart::Condition(condition) => condition.templates(),
            StepPart::Locator(_) | StepPart::Block(..) => Vec::new(),
        };
        self.parts().into_iter().flat_map(templates).collect()
    }

    /// May this step change the app?
    pub fn commits(&self) -> bool {
        self.modifiers.commit.as_ref().is_some_and(|commit| commit.value)
    }
}

impl Condition {
    /// The locators of the condition and of the conditions inside it.
    pub fn locators(&self) -> Vec<&Locator> {
        match self {
            Condition::Visible(locator) | Condition::Enabled(locator) | Condition::Disabled(locator) => {
                vec![locator]
            }
            Condition::Not(inner) => inner.locators(),
            Condition::All(several) | Condition::Any(several) => {
                several.iter().flat_map(Condition::locators).collect()
            }
            Condition::Given(_) => Vec::new(),
        }
    }

    /// The templates of `given`, in the condition and in the conditions inside it.
    pub fn templates(&self) -> Vec<&At<String>> {
        match self {
            Condition::Given(text) => vec![text],
            Condition::Not(inner) => inner.templates(),
            Condition::All(several) | Condition::Any(several) => {
                several.iter().flat_map(Condition::templates).collect()
            }
            Condition::Visible(_) | Condition::Enabled(_) | Condition::Disabled(_) => Vec::new(),
        }
    }
}

impl FormValue {
    /// The templates of the value.
    pub fn templates(&self) -> &[At<String>] {
        match self {
            FormValue::Text(text) => from_ref(text),
            FormValue::Many(many) => many,
            FormValue::Clear => &[],
        }
    }
}

impl Locator {
    /// Every template of the locator and of the locators inside it. Targets are named, not followed.
    pub fn templates(&self) -> Vec<&At<String>> {
        let mut found = Vec::new();
        self.each(&mut |locator| {
            if let Locator::Find(find) = locator {
                found.extend(find.templates());
            }
        });
        found
    }

    /// The names of targets that the locator uses.
    pub fn names(&self) -> Vec<&At<String>> {
        let mut found = Vec::new();
        self.each(&mut |locator| {
            if let Locator::Named(name) = locator {
                found.push(name);
            }
        });
        found
    }

    /// Visits this locator and those inside it: alternatives, `in`, `has`.
    fn each<'l>(&'l self, visit: &mut dyn FnMut(&'l Locator)) {
        visit(self);
        match self {
            Locator::Named(_) => {}
            Locator::Any(any) => any.iter().for_each(|locator| locator.each(visit)),
            Locator::Find(find) => find.within.iter().chain(&find.has).for_each(|inner| inner.each(visit)),
        }
    }
}

impl Find {
    /// The templates of this locator alone. A selector is never one.
    pub fn templates(&self) -> Vec<&At<String>> {
        let by = match &self.by {
            By::Role(_, name) => name.as_ref().map(|name| &name.text),
            By::Label(name) | By::Text(name) | By::Placeholder(name) | By::Title(name) | By::Frame(name) => {
                Some(&name.text)
            }
            By::TestId(text) => Some(text),
            By::Css(_) | By::Xpath(_) => None,
        };
        by.into_iter().chain(&self.text).chain(self.under.iter().map(|under| &under.text)).collect()
    }
}

/// The names that the templates of steps use, also in the steps inside them and in the targets that they name.
pub fn template_names<'s>(
    playbook: &'s Playbook,
    steps: impl IntoIterator<Item = &'s Step>,
) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let mut locators = Vec::new();
    let mut note = |text: &At<String>| used.extend(template::names(&text.value).unwrap_or_default());
    for step in steps {
        each_step(from_ref(step), &mut |step| {
            step.templates().into_iter().for_each(&mut note);
            locators.extend(step.locators());
        });
    }
    let mut followed = BTreeSet::new();
    while let Some(locator) = locators.pop() {
        locator.templates().into_iter().for_each(&mut note);
        let targets = locator.names().into_iter().filter(|name| followed.insert(name.value.as_str()));
        locators.extend(targets.filter_map(|name| playbook.targets.get(&name.value)));
    }
    used
}

/// Visits every step of a playbook, those inside other steps too.
pub fn each_step_of<'p>(playbook: &'p Playbook, visit: &mut dyn FnMut(&'p Step)) {
    let login = playbook.login.iter().flat_map(|login| login.password.iter().chain(&login.sso));
    let overlays = playbook.overlays.iter().map(|overlay| &overlay.steps);
    let operations = playbook.operations.iter().filter_map(|(_, body)| body.steps.as_ref());
    let views = playbook.views.iter().flat_map(|(_, view)| view.every_prepare());
    for steps in login.chain(overlays).chain(views).chain(operations) {
        each_step(steps, visit);
    }
}

/// Visits every step, those inside other steps too.
pub fn each_step<'s>(steps: &'s [Step], visit: &mut dyn FnMut(&'s Step)) {
    for step in steps {
        visit(step);
        for (_, steps) in step.action.blocks() {
            each_step(steps, visit);
        }
    }
}
