//! Transfer lists: one box with the options, one with the chosen ones, and buttons between them.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::{
    super::{limits::POLL, page::StepError, run::Run},
    value::{of_playbook, texts},
};
use crate::{
    contract::{Code, Failure},
    plan::diff::folded,
    playbook::{Locator, step::Move},
    query::{Control, Target},
};

impl Run<'_> {
    /// Moves options until `into` contains exactly the wanted ones.
    pub(crate) async fn move_options(&mut self, moved: &Move, within: Duration) -> Result<(), StepError> {
        let wanted = match self.attempt.scope.value(&moved.options)? {
            Value::Null => return Ok(()),
            Value::String(text) if text.is_empty() => return Ok(()),
            value => texts(&value),
        };
        let from = self.attempt.scope.target(&moved.from, false)?;
        let into = self.attempt.scope.target(&moved.into, false)?;
        let until = Instant::now() + within;
        // A box may be filled after it is shown.
        let (missing, unwanted) = loop {
            let offered = self.edit(from.clone(), within).await?;
            let chosen = self.edit(into.clone(), within).await?;
            let missing: Vec<String> = wanted.iter().filter(|one| !has(&chosen, one)).cloned().collect();
            let Some(unknown) = missing.iter().find(|one| !has(&offered, one)) else {
                let unwanted = |shown: &&String| !wanted.iter().any(|one| folded(one) == folded(shown));
                break (missing, chosen.options.iter().filter(unwanted).cloned().collect::<Vec<_>>());
            };
            if Instant::now() >= until {
                let code = match moved.options.value.contains("entitlements") {
                    true => Code::UnknownEntitlement,
                    false => Code::InvalidValue,
                };
                let refused = unknown_option(code, &offered, &chosen, unknown);
                return Err(of_playbook(refused, std::slice::from_ref(&moved.options)));
            }
            tokio::time::sleep(POLL).await;
        };
        self.across(&missing, &from, &into, &moved.by, within).await?;
        self.across(&unwanted, &into, &from, &moved.back, within).await
    }

    /// Marks options in one box, presses the button, and waits until the other box contains them.
    async fn across(
        &mut self,
        options: &[String],
        from: &Target,
        into: &Target,
        by: &Locator,
        within: Duration,
    ) -> Result<(), StepError> {
        if options.is_empty() {
            return Ok(());
        }
        self.set_control(from.clone(), &Value::from(options.to_vec()), within).await?;
        let by = self.attempt.scope.target(by, false)?;
        self.press_on(by, within).await?;
        self.settle().await?;
        let until = Instant::now() + within;
        loop {
            let there = self.edit(into.clone(), within).await?;
            let Some(left) = options.iter().find(|one| !has(&there, one)) else { return Ok(()) };
            if Instant::now() >= until {
                let message =
                    format!("`{left}` was marked and moved, but {} does not contain it", there.element);
                return Err(Failure::new(Code::TargetCovered, message)
                    .hint("see whether `by` and `back` name the buttons between these two boxes")
                    .into());
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

fn has(box_: &Control, option: &str) -> bool {
    box_.options.iter().any(|shown| folded(shown) == folded(option))
}

fn unknown_option(code: Code, offered: &Control, chosen: &Control, wanted: &str) -> StepError {
    const MOST: usize = 12;
    let mut there: Vec<&str> = offered.options.iter().take(MOST).map(String::as_str).collect();
    let more = offered.options.len().saturating_sub(MOST);
    let more_said = format!("and {more} more");
    if more > 0 {
        there.push(&more_said);
    }
    let message = format!(
        "neither {} nor {} has `{wanted}`; there: {}",
        offered.element,
        chosen.element,
        if there.is_empty() { "nothing".to_owned() } else { there.join(", ") }
    );
    Failure::new(code, message).hint("send a value that the app offers").into()
}
