//! Form controls: each filled by its kind, and read back.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::{
    super::{
        limits::{FOUND_AGAIN, INPUT_TIME, POLL},
        page::{Given, StepError, gone, unexpected},
        run::Run,
    },
    value::{of_playbook, text, texts, truth},
};
use crate::{
    contract::{Code, Failure},
    plan::diff::folded,
    playbook::{At, FormValue, Locator, Names},
    ports::driver::DriverError,
    query::{Answer, Ask, By, Control, ControlKind, Key, Query, Refusal, RefusalKind, Target, TextMatch},
    secret::Secret,
};

impl Run<'_> {
    /// Fills controls by label. A control without a value in the job stays as it is.
    pub(crate) async fn form(
        &mut self,
        values: &Names<FormValue>,
        inside: Option<&Locator>,
        within: Duration,
    ) -> Result<(), StepError> {
        for (label, value) in values.iter() {
            let value = match value {
                FormValue::Clear => Value::from(""),
                FormValue::Text(text) => self.attempt.scope.value(text)?,
                FormValue::Many(many) => Value::from(
                    many.iter().map(|text| self.attempt.scope.text(text)).collect::<Result<Vec<_>, _>>()?,
                ),
            };
            let leave = match &value {
                Value::Null => true,
                Value::String(text) => {
                    text.is_empty() && !matches!(values.get(&label.value), Some(FormValue::Clear))
                }
                _ => false,
            };
            if leave {
                continue;
            }
            let name = TextMatch::Exact(self.attempt.scope.text(label)?);
            let target = match inside {
                Some(locator) => {
                    inside_of(self.attempt.scope.target(locator, false)?, Query::new(By::Label(name)))
                }
                None => Target::from(Query::new(By::Label(name))),
            };
            let place = self.plan.playbook.place(label.span);
            let texts: &[At<String>] = match values.get(&label.value) {
                Some(FormValue::Text(text)) => std::slice::from_ref(text),
                Some(FormValue::Many(many)) => many,
                Some(FormValue::Clear) | None => &[],
            };
            if let Err(error) = self.set_and_keep(target, &value, within).await {
                return Err(match of_playbook(error, texts) {
                    StepError::Known(failed) => {
                        StepError::Known(failed.at(format!("form: {}", label.value), place))
                    }
                    other => other,
                });
            }
        }
        Ok(())
    }

    /// Sets one control to a value, whatever kind it is. Returns it as it was before and, where it was read again, as it
    /// is now.
    pub(crate) async fn set_control(
        &mut self,
        target: Target,
        value: &Value,
        within: Duration,
    ) -> Result<(Control, Option<Control>), StepError> {
        self.review_form().await?;
        let until = self.until(within);
        let mut again = 0;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let before = self.edit(target.clone(), left).await?;
            match self.set_once(target.clone(), &before, value, left).await {
                Err(StepError::Gone(_)) if again < FOUND_AGAIN && Instant::now() < until => again += 1,
                Err(StepError::Gone(refusal))
                    if refusal.kind == RefusalKind::NotKept && !before.values.is_empty() =>
                {
                    return Err(Failure::new(Code::TargetCovered, format!("{} again", refusal.message))
                        .hint("wait with `expect` until the page has loaded its data")
                        .into());
                }
                done => return done.map(|now| (before, now)),
            }
        }
    }

    async fn set_once(
        &mut self,
        target: Target,
        control: &Control,
        value: &Value,
        within: Duration,
    ) -> Result<Option<Control>, StepError> {
        match control.kind {
            ControlKind::Text => {
                let now = self.type_into(control, &text(value)).await?;
                self.attempt.front.typed_into = Some(target);
                Ok(Some(now))
            }
            ControlKind::Password => Err(Failure::new(
                Code::PlaybookInvalid,
                format!("{} takes a secret", control.element),
            )
            .hint(
                "write `fill: { into: …, secret: password }` in `login`, or `secret: initial_password` in \
                         `user.create`",
            )
            .into()),
            ControlKind::Select | ControlKind::SelectMany | ControlKind::Formatted => {
                let wanted = texts(value);
                self.set_native(control, wanted).await.map(Some)
            }
            ControlKind::Checkbox | ControlKind::Switch | ControlKind::Radio => {
                let wanted = truth(value).ok_or_else(|| {
                    Failure::new(
                        Code::PlaybookInvalid,
                        format!(
                            "{} is ticked or not, and `{}` is neither true nor false",
                            control.element,
                            text(value)
                        ),
                    )
                    .hint("name the control that takes this value, or give this one a template that is true or false")
                })?;
                self.tick(target, control, wanted, within).await
            }
            ControlKind::RadioGroup => {
                let wanted = text(value);
                let named = option_of(control, &wanted)?.unwrap_or(&wanted);
                let option = self.within(&target, "radio", named);
                let chosen = match self.edit(option.clone(), within).await {
                    Err(StepError::Refused(refusal)) if refusal.kind == RefusalKind::NotFound => {
                        return Err(no_option(control, &wanted));
                    }
                    found => found?,
                };
                self.tick(option, &chosen, true, within).await.map(|_| None)
            }
            ControlKind::CheckboxGroup => {
                let mut wanted = texts(value);
                for one in &mut wanted {
                    *one = option_of(control, one)?.ok_or_else(|| no_option(control, one))?.to_owned();
                }
                for option in control.options.clone() {
                    let tick = wanted.iter().any(|w| folded(w) == folded(&option));
                    let box_ = self.within(&target, "checkbox", &option);
                    let state = self.edit(box_.clone(), within).await?;
                    self.tick(box_, &state, tick, within).await?;
                }
                Ok(None)
            }
            ControlKind::File => {
                Err(Failure::new(Code::PlaybookInvalid, format!("{} takes a file", control.element))
                    .hint("write `upload`")
                    .into())
            }
            ControlKind::Combobox | ControlKind::Listbox => {
                self.choose(target, control, value, within).await.map(|()| None)
            }
        }
    }

    /// Types a secret, only on an origin of the playbook. Only the length of the field is read back.
    pub(crate) async fn type_secret(
        &mut self,
        target: Target,
        secret: &Secret,
        within: Duration,
    ) -> Result<(), StepError> {
        let until = self.until(within);
        let mut again = 0;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.type_secret_once(target.clone(), secret, left).await {
                Err(StepError::Gone(_)) if again < FOUND_AGAIN && Instant::now() < until => again += 1,
                done => return done,
            }
        }
    }

    async fn type_secret_once(
        &mut self,
        target: Target,
        secret: &Secret,
        within: Duration,
    ) -> Result<(), StepError> {
        let control = self.edit(target.clone(), within).await?;
        // The first secret of a new user is for the app itself, not for an identity provider.
        let origins = match self.credentials.new_user.contains(secret) {
            true => &self.plan.own_origins,
            false => &self.plan.origins,
        };
        if !origins.contains(&control.origin) {
            let message = format!(
                "{} is on {}, which is not one of the playbook's origins",
                control.element, control.origin
            );
            return Err(Failure::new(Code::OriginViolation, message)
                .hint("a secret is only typed on the playbook's origins")
                .into());
        }
        if !matches!(control.kind, ControlKind::Text | ControlKind::Password) {
            return Err(Failure::new(
                Code::TargetMissing,
                format!("{} is not a text field", control.element),
            )
            .into());
        }
        self.before_input().await?;
        self.attempt.front.page.insert_text(secret.expose(), Instant::now() + within).await?;
        let read = self.value_of(&control).await?;
        let letters = secret.expose().chars().count();
        if read.length == 1 && letters > 1 && control.kind == ControlKind::Text {
            return self.type_in_boxes(&target, read.token, secret, within).await;
        }
        if read.length != letters {
            return Err(Failure::new(
                Code::TargetCovered,
                format!(
                    "{} contains {} characters, not as many as the secret has",
                    control.element, read.length
                ),
            )
            .into());
        }
        self.attempt.front.typed_into = Some(target.clone());
        if !self.attempt.watch.is_signing_in() {
            self.attempt.front.kept.keep(target, Given::Secret(secret.clone()), &control, read);
        }
        Ok(())
    }

    pub(crate) async fn edit(&mut self, target: Target, within: Duration) -> Result<Control, StepError> {
        match self.ask(Ask::Edit { target }, within).await? {
            Answer::Control(control) => Ok(control),
            other => Err(unexpected(&other)),
        }
    }

    /// Reads a control back. In a commit it is left: an app that saves when a field is left does so now. Any other step
    /// leaves the field to the next input.
    async fn value_of(&mut self, control: &Control) -> Result<Control, StepError> {
        let leave = self.attempt.commit.is_under_way();
        let read = self.ask_once(Ask::Value { token: control.token, leave }, INPUT_TIME).await;
        match read.map_err(gone)? {
            Answer::Control(control) => Ok(control),
            other => Err(unexpected(&other)),
        }
    }

    async fn type_into(&mut self, control: &Control, wanted: &str) -> Result<Control, StepError> {
        // In the identity, case may not matter: many apps write addresses in lower case.
        let subject = self.plan.subject.as_ref().filter(|subject| subject.ignore_case && subject.is(wanted));
        let same =
            |shown: &str| folded(shown) == folded(wanted) || subject.is_some_and(|subject| subject.is(shown));
        if control.values.first().is_some_and(|shown| same(shown)) {
            return Ok(control.clone());
        }
        let deadline = Instant::now() + INPUT_TIME;
        self.before_input().await?;
        if wanted.is_empty() {
            self.attempt.front.page.press(Key::Backspace, deadline).await?;
        } else {
            self.attempt.front.page.insert_text(wanted, deadline).await?;
        }
        let commits = self.attempt.commit.is_under_way();
        let read = match self.value_of(control).await {
            // The commit has taken the field away. What it did is read back.
            Err(StepError::Gone(refusal)) if commits && refusal.kind == RefusalKind::NotFound => {
                return Ok(control.clone());
            }
            read => read?,
        };
        let shown = read.values.first().map_or("", String::as_str);
        if same(shown) {
            return Ok(read);
        }
        let message = format!("{} was given `{wanted}` and shows `{shown}`", control.element);
        if read.values == control.values && !commits {
            // The page has put back what was there: its data may have arrived. It is typed again.
            let refusal = Refusal { kind: RefusalKind::NotKept, message, candidates: Vec::new() };
            return Err(StepError::Gone(refusal));
        }
        Err(Failure::new(Code::InvalidValue, message).hint(what_it_takes(wanted, shown)).into())
    }

    async fn set_native(&mut self, control: &Control, wanted: Vec<String>) -> Result<Control, StepError> {
        let shown = control.values.iter().map(|shown| folded(shown));
        if !wanted.is_empty() && shown.eq(wanted.iter().map(|one| folded(one))) {
            return Ok(control.clone());
        }
        self.before_input().await?;
        let ask = Ask::Set { token: control.token, values: wanted };
        match self.ask_once(ask, INPUT_TIME).await {
            Ok(Answer::Control(now)) => Ok(now),
            Ok(other) => Err(unexpected(&other)),
            // The choice has loaded another page.
            Err(StepError::Driver(DriverError::Navigated)) => Ok(control.clone()),
            Err(error) => {
                // A control that moved away, or that the page has set to something else, was set before.
                let was_set = matches!(&error, StepError::Refused(refusal)
                    if matches!(refusal.kind, RefusalKind::Moving | RefusalKind::NotKept));
                if matches!(error, StepError::Refused(_)) && !was_set {
                    self.attempt.commit.unheard();
                }
                Err(gone(error))
            }
        }
    }

    /// Ticks or clears a box, with one press. Some pages show it only when their server has answered.
    async fn tick(
        &mut self,
        target: Target,
        control: &Control,
        wanted: bool,
        within: Duration,
    ) -> Result<Option<Control>, StepError> {
        if control.checked == Some(wanted) {
            return Ok(Some(control.clone()));
        }
        let until = self.until(within);
        self.press_on(target.clone(), within).await?;
        loop {
            let read = self.read_again(control.token, &target).await?;
            match &read {
                Some(now) if now.checked == Some(wanted) => return Ok(read),
                // The commit has taken the box away. What it did is read back.
                None if self.attempt.commit.is_under_way() => return Ok(None),
                _ if Instant::now() >= until => break,
                _ => tokio::time::sleep(POLL).await,
            }
        }
        let state = if wanted { "ticked" } else { "cleared" };
        let message = format!("{} was clicked, and is not {state}", control.element);
        Err(Failure::new(Code::TargetCovered, message)
            .hint("see whether the page refuses it; if it is slow, give the step a longer `timeout`")
            .into())
    }

    fn within(&self, group: &Target, role: &str, name: &str) -> Target {
        let by = By::Role { role: role.to_owned(), name: Some(TextMatch::Exact(folded(name))) };
        inside_of(group.clone(), Query::new(by))
    }
}

/// What to do about a field that shows something else than what was typed.
fn what_it_takes(wanted: &str, shown: &str) -> String {
    let filter = |written: &str, filter: &str| {
        format!(
            "the field writes {written}: send the value so, or write `| {filter}` in the playbook's template (`{{{{ user.userName | \
             {filter} }}}}`); where case does not matter in the identity, `identity` takes `ignore_case: true`"
        )
    };
    match (folded(wanted), folded(shown)) {
        (wanted, shown) if shown == wanted.to_lowercase() => filter("lower case", "lower"),
        (wanted, shown) if shown == wanted.to_uppercase() => filter("upper case", "upper"),
        (wanted, shown) if !shown.is_empty() && wanted.starts_with(&shown) => {
            format!("the field takes only {} characters: send a shorter value", shown.chars().count())
        }
        _ => "the field changes what is typed: send the value as the app shows it".to_owned(),
    }
}

/// A target inside a frame, or inside an element that may itself be in a frame.
fn inside_of(outer: Target, query: Query) -> Target {
    let mut outer = outer;
    let mut frame = std::mem::take(&mut outer.frame);
    if outer.any.iter().all(|query| matches!(query.by, By::Frame(_))) {
        frame.push(outer);
        return Target { frame, ..Target::from(query) };
    }
    Target { frame, ..Target::from(Query { within: Some(Box::new(outer)), ..query }) }
}

/// The option of a group that is meant: by its whole name, or by how it begins, if only one begins so. `None`: there is none now.
fn option_of<'c>(control: &'c Control, wanted: &str) -> Result<Option<&'c str>, StepError> {
    let is = |text: &String| folded(text) == folded(wanted);
    if let Some(option) = control.options.iter().find(|option| is(option)) {
        return Ok(Some(option));
    }
    let begin = control.options.iter().zip(&control.heads).filter(|(_, head)| is(head));
    match begin.map(|(option, _)| option.as_str()).collect::<Vec<_>>()[..] {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        ref several => Err(Failure::new(
            Code::TargetAmbiguous,
            format!(
                "{} options of {} begin with `{wanted}`: {}",
                several.len(),
                control.element,
                several.join("; ")
            ),
        )
        .hint("write the whole name of the option")
        .into()),
    }
}

fn no_option(control: &Control, wanted: &str) -> StepError {
    Failure::new(
        Code::InvalidValue,
        format!("{} has no `{wanted}`; it has: {}", control.element, control.options.join("; ")),
    )
    .hint("send a value that the app offers")
    .into()
}
