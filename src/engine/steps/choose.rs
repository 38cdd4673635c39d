//! An app's own drop-downs and lists (ARIA combobox, listbox): opened by a click, narrowed by typing, chosen from with
//! another click, and read back.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::{
    super::{
        limits::{INPUT_TIME, OPENING_TIME, POLL, SHOWING_TIME, SUGGESTING_TIME},
        page::StepError,
        run::Run,
    },
    value::{text, texts},
};
use crate::{
    contract::{Code, Failure},
    plan::diff::folded,
    query::{Ask, By, Condition, Control, ControlKind, Query, RefusalKind, State, Target, TextMatch},
};

impl Run<'_> {
    /// Chooses one option. Where several can be chosen, chooses exactly the wanted ones.
    pub(crate) async fn choose(
        &mut self,
        target: Target,
        control: &Control,
        value: &Value,
        within: Duration,
    ) -> Result<(), StepError> {
        let wanted = texts(value);
        let one = if let [one] = wanted.as_slice() { Some(one.clone()) } else { None };
        let shown = control.values.first().map(|shown| folded(shown));
        if !control.multiple && one.is_some() && shown == one.as_deref().map(folded) {
            return Ok(());
        }
        let opens = control.kind == ControlKind::Combobox;
        if opens {
            self.open_list(&target, within).await?;
        }
        // Only the open list shows whether several can be chosen.
        let any_option = Condition { target: option(&target, None), state: State::Visible };
        let listed = self.first_of(vec![any_option], OPENING_TIME.min(within)).await.is_ok();
        let control = if listed { self.edit(target.clone(), within).await? } else { control.clone() };
        if control.multiple {
            return self.choose_several(target, control, &wanted, within).await;
        }
        match one {
            Some(one) => self.choose_one(target, &control, &one, within).await,
            None if wanted.is_empty() && control.editable => {
                self.edit(target.clone(), within).await?;
                self.before_input().await?;
                self.attempt.front.page.press(crate::query::Key::Backspace, self.until(within)).await?;
                self.shows(target, &control, "").await
            }
            None if wanted.is_empty() => Err(Failure::new(
                Code::InvalidValue,
                format!("{} takes one value, and cannot be cleared", control.element),
            )
            .hint("choose the option that means nothing")
            .into()),
            None => Err(Failure::new(
                Code::PlaybookInvalid,
                format!("{} takes one value, not several: `{}`", control.element, text(value)),
            )
            .hint("name a control that takes several values, or let the playbook allow one (`one_of`)")
            .into()),
        }
    }

    async fn choose_one(
        &mut self,
        target: Target,
        control: &Control,
        wanted: &str,
        within: Duration,
    ) -> Result<(), StepError> {
        self.press_option(&target, control, wanted, within).await?;
        self.settle().await?;
        self.shows(target, control, wanted).await
    }

    /// Presses an option. If it is not in the list, typing its name brings it there.
    async fn press_option(
        &mut self,
        target: &Target,
        control: &Control,
        wanted: &str,
        within: Duration,
    ) -> Result<(), StepError> {
        let option = option(target, Some(wanted));
        let there = Condition { target: option.clone(), state: State::Visible };
        if control.editable && self.holds(vec![there.clone()]).await? != [true] {
            // Many lists search only a part of an option's text: a shorter text finds more. Only the exact option is pressed.
            for typed in narrowing(wanted) {
                self.edit(target.clone(), within).await?;
                self.before_input().await?;
                self.attempt.front.page.insert_text(typed, self.until(within)).await?;
                if self.first_of(vec![there.clone()], SUGGESTING_TIME.min(within)).await.is_ok() {
                    break;
                }
            }
        }
        self.press_option_of(option, target, control.token, within).await
    }

    async fn choose_several(
        &mut self,
        target: Target,
        control: Control,
        wanted: &[String],
        within: Duration,
    ) -> Result<(), StepError> {
        let same = |a: &str, b: &str| folded(a) == folded(b);
        let (lists, until) = (control.kind == ControlKind::Listbox, self.until(within * 2));
        let mut control = control;
        loop {
            let is = |list: &[String], one: &str| list.iter().any(|other| same(other, one));
            let unwanted = control.values.iter().find(|value| !is(wanted, value)).cloned();
            let missing = wanted.iter().find(|value| !is(&control.values, value)).cloned();
            let Some(next) = unwanted.or(missing) else { break };
            if Instant::now() >= until {
                let message =
                    format!("{} shows {}, not {}", control.element, joined(&control.values), joined(wanted));
                return Err(Failure::new(Code::TargetCovered, message).into());
            }
            // Some lists close after every choice.
            let any_option = Condition { target: option(&target, None), state: State::Visible };
            if !lists && self.holds(vec![any_option]).await? != [true] {
                self.open_list(&target, within).await?;
            }
            self.press_option(&target, &control, &next, within).await?;
            self.settle().await?;
            control = self.listed(&target, within).await?;
        }
        // Leaving the control closes its list, which would cover what the next step needs.
        self.ask_once(Ask::Value { token: control.token, leave: true }, INPUT_TIME).await.map(drop)
    }

    /// Opens the whole list of a control.
    async fn listed(&mut self, target: &Target, within: Duration) -> Result<Control, StepError> {
        let control = self.edit(target.clone(), within).await?;
        if control.kind == ControlKind::Listbox || (!control.options.is_empty() && control.length == 0) {
            return Ok(control);
        }
        if control.length > 0 {
            // The typed text hides the options that do not match it.
            self.before_input().await?;
            self.attempt.front.page.press(crate::query::Key::Backspace, self.until(within)).await?;
        } else {
            self.open_list(target, within).await?;
        }
        let any_option = Condition { target: option(target, None), state: State::Visible };
        self.first_of(vec![any_option], within).await?;
        self.edit(target.clone(), within).await
    }

    /// Waits until the control shows the chosen option.
    async fn shows(&mut self, target: Target, control: &Control, wanted: &str) -> Result<(), StepError> {
        let until = self.until(SHOWING_TIME);
        loop {
            // Read without entering it: some lists open when their line gets the focus.
            let read = self.read_again(control.token, &target).await?;
            let shown = read.map(|read| folded(read.values.first().map_or("", String::as_str)));
            match shown {
                Some(shown) if shown == folded(wanted) => return Ok(()),
                // The commit has taken the control away. What it did is read back.
                None if self.attempt.commit.is_under_way() => return Ok(()),
                shown if Instant::now() >= until => return Err(other_shown(control, wanted, shown)),
                _ => tokio::time::sleep(POLL).await,
            }
        }
    }
}

fn other_shown(control: &Control, wanted: &str, shown: Option<String>) -> StepError {
    let Some(shown) = shown else {
        let message = format!("{} is not on the page any more", control.element);
        return StepError::refused(RefusalKind::NotFound, message);
    };
    let message = format!("{} was given `{wanted}` and shows `{shown}`", control.element);
    Failure::new(Code::InvalidValue, message).hint("send the value as the app shows it").into()
}

/// What is typed to bring an option: the whole text, the part before its details, its first word.
fn narrowing(option: &str) -> impl Iterator<Item = &str> {
    let name = option.split(['(', '<', ',', '|', '–', '—']).next().map(str::trim);
    let word = option.split_whitespace().next();
    let mut before = None;
    [Some(option.trim()), name, word].into_iter().flatten().filter(move |typed| {
        let new = !typed.is_empty() && before != Some(*typed);
        before = Some(typed);
        new
    })
}

/// An option of an open list, by its name. Without a name: any option.
fn option(target: &Target, name: Option<&str>) -> Target {
    let name = name.map(|name| TextMatch::Exact(folded(name)));
    let query = Query::new(By::Role { role: "option".into(), name });
    Target { frame: target.frame.clone(), ..Target::from(query) }
}

fn joined(values: &[String]) -> String {
    if values.is_empty() { "nothing".to_owned() } else { values.join(", ") }
}
