//! The title of a step in events and traces.

use super::{
    locator::{By, Locator},
    step::{Action, Condition, Step},
};

impl Step {
    /// The step in a few words, without what it types. Templates are as in the playbook.
    pub fn title(&self) -> String {
        match &self.action {
            Action::Open(address) => format!("open {}", address.value),
            Action::Click(locator) => format!("click {}", called(locator)),
            Action::Fill(fill) => format!("fill {}", called(&fill.into)),
            Action::Form(values) => format!("form: {}", values.names().collect::<Vec<_>>().join(", ")),
            Action::Choose(choose) => format!("choose in {}", called(&choose.from)),
            Action::Move(moved) => format!("move into {}", called(&moved.into)),
            Action::Check(locator) => format!("check {}", called(locator)),
            Action::Uncheck(locator) => format!("uncheck {}", called(locator)),
            Action::Press(key) => format!("press {:?}", key.value),
            Action::Expect(Condition::Visible(locator)) => format!("expect {}", called(locator)),
            Action::Expect(_) => "expect".to_owned(),
            Action::Capture(_) => "capture".to_owned(),
            Action::Screenshot(reason) => format!("screenshot: {}", reason.value),
            Action::Hover(locator) => format!("hover {}", called(locator)),
            Action::ScrollTo(locator) => format!("scroll_to {}", called(locator)),
            Action::Upload(upload) => format!("upload into {}", called(&upload.into)),
            Action::Download(_) => "download".to_owned(),
            Action::EnterCode(code) => format!("enter_code into {}", called(&code.into)),
            Action::Popup(_) => "popup".to_owned(),
            Action::AnswerDialog(_) => "answer".to_owned(),
            Action::Repeat(_) => "repeat".to_owned(),
            Action::Use(call) => format!("use {}", call.module.value),
            Action::Collect(collect) => format!("collect {}", collect.view.value),
            Action::Branch(_) => "when".to_owned(),
        }
    }
}

/// What people call the element.
fn called(locator: &Locator) -> String {
    match locator {
        Locator::Named(name) => name.value.clone(),
        Locator::Any(any) => any.first().map(called).unwrap_or_default(),
        Locator::Find(find) => match &find.by {
            By::Role(role, Some(name)) => format!("{role} \"{}\"", name.text.value),
            By::Role(role, None) => (*role).to_owned(),
            By::Label(name) | By::Text(name) | By::Placeholder(name) | By::Title(name) | By::Frame(name) => {
                format!("\"{}\"", name.text.value)
            }
            By::TestId(text) | By::Css(text) | By::Xpath(text) => text.value.clone(),
        },
    }
}
