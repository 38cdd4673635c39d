//! The number of records that an app shows.

use icu_properties::{CodePointMapData, props::GeneralCategory};
use tokio::time::Instant;

use super::{
    super::{
        limits::{MORE_TIME, POLL, STEP_TIME},
        page::{StepError, unexpected},
        run::Run,
    },
    rows::RowsRead,
};
use crate::{
    contract::Failure,
    plan::diff,
    playbook::{Locator, locator::By, syntax::View},
    query::{Answer, Ask, By as Found, NUMBER, Target, TextMatch},
};

impl Run<'_> {
    /// The text with the number of records, and what is before and after the number.
    pub(crate) fn total_target(&self, view: &View) -> Result<Option<(Target, String, String)>, Failure> {
        let Some(Locator::Find(find)) = view.pages.as_ref().and_then(|p| p.total.as_ref()) else {
            return Ok(None);
        };
        let By::Text(name) = &find.by else { return Ok(None) };
        let Some((before, after)) = name.text.value.split_once("{n}") else { return Ok(None) };
        let mut target: Target = self.attempt.scope.target(&Locator::Find(find.clone()), false)?;
        for query in &mut target.any {
            query.by = Found::Text(TextMatch::Glob(format!("{before}{{n}}{after}")));
        }
        Ok(Some((target, before.to_owned(), after.to_owned())))
    }

    /// The same, where these records are shown: that there are none of them is not the number yet.
    pub(super) async fn total_of(&mut self, view: &View, read: &RowsRead) -> Result<Option<u64>, StepError> {
        let until = self.until(MORE_TIME);
        loop {
            let total = self.total(view).await?;
            if total != Some(0) || read.rows.is_empty() || Instant::now() >= until {
                return Ok(total);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The number of records that the app shows.
    pub(crate) async fn total(&mut self, view: &View) -> Result<Option<u64>, StepError> {
        let Some((target, before, after)) = self.total_target(view)? else { return Ok(None) };
        let text = match self.ask(Ask::Text { target, attribute: None }, STEP_TIME).await? {
            Answer::Text { text } => diff::folded(&text),
            other => return Err(unexpected(&other)),
        };
        Ok(number_in(&text, &before, &after))
    }
}

/// The number in a text, between what is before and after it. `*` means any text.
fn number_in(text: &str, before: &str, after: &str) -> Option<u64> {
    // The text before the number is matched as short as possible, so that it takes no digit of the number.
    let around = |part: &str| regex::escape(&part.replace('\u{a0}', " ")).replace(r"\*", ".*?");
    let pattern = format!("(?s)^{}({NUMBER}){}$", around(before.trim_start()), around(after.trim_end()));
    let found = regex::Regex::new(&pattern).ok()?.captures(text)?;
    let digits: String = found.get(1)?.as_str().chars().filter_map(digit).collect();
    digits.parse().ok()
}

/// A decimal digit of any script. The ten digits of a script are neighbours (Unicode `Nd`), the zero first.
fn digit(letter: char) -> Option<char> {
    let kinds = CodePointMapData::<GeneralCategory>::new();
    let is_digit = |letter: u32| kinds.get32(letter) == GeneralCategory::DecimalNumber;
    if !is_digit(letter as u32) {
        return None;
    }
    let before = (0..letter as u32).rev().take_while(|letter| is_digit(*letter)).count();
    char::from_digit(u32::try_from(before % 10).ok()?, 10)
}

#[cfg(test)]
mod tests {
    use super::number_in;

    #[test]
    fn a_number_is_read_by_what_stands_around_it() {
        assert_eq!(number_in("1,204 members", "", " members"), Some(1204));
        assert_eq!(number_in("1 user", "", " user*"), Some(1));
        assert_eq!(number_in("300 users", "", " user*"), Some(300));
        assert_eq!(number_in("1-100 of 300 users in all", "* of ", " users*"), Some(300));
        assert_eq!(number_in("All 30 seats (of 30)", "All ", " seats*"), Some(30));
        assert_eq!(number_in("many users", "", " user*"), None);
        for swiss in
            ["1’234 users", "1'234 users", "1\u{202F}234 users", "1.234 users", "١٬٢٣٤ users", "१,२३४ users"]
        {
            assert_eq!(number_in(swiss, "", " users"), Some(1234), "{swiss}");
        }
        assert_eq!(number_in("12,34,567 users", "", " users"), Some(1_234_567), "as India groups");
    }
}
