//! Text: folding, comparing, nearness, quoting. Knows no element.

use regex::Regex;

use seatwright::query::{NUMBER, TextMatch, stands_alone};

/// Runs of white space are one space, none at the ends. The signs of icon fonts (private use) are no text.
pub(super) fn fold(text: &str) -> String {
    let is_icon = |letter: char| matches!(letter, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFD}');
    let plain: String = text.chars().filter(|letter| !is_icon(*letter)).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Says of folded text whether it is what is looked for.
pub(super) struct Matcher {
    how: How,
    /// Takes away what does not count, in whole comparisons.
    bare: fn(&str) -> &str,
}

enum How {
    Exact(String),
    Contains(String),
    Whole(String),
    Glob(Option<Regex>),
}

impl Matcher {
    pub(super) fn new(text: &TextMatch) -> Self {
        Self::baring(text, |text| text)
    }

    pub(super) fn baring(text: &TextMatch, bare: fn(&str) -> &str) -> Self {
        let how = match text {
            TextMatch::Exact(wanted) => How::Exact(fold(wanted)),
            TextMatch::Contains(wanted) => How::Contains(fold(wanted).to_lowercase()),
            TextMatch::Whole(wanted) => How::Whole(fold(wanted).to_lowercase()),
            TextMatch::Glob(wanted) => {
                let pattern = regex::escape(&fold(wanted)).replace(r"\*", ".*").replace(r"\{n\}", NUMBER);
                How::Glob(Regex::new(&format!("(?s)^{pattern}$")).ok())
            }
        };
        Self { how, bare }
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let bare = self.bare;
        match &self.how {
            How::Exact(wanted) => text == wanted || bare(text) == bare(wanted),
            How::Contains(wanted) => text.to_lowercase().contains(wanted),
            How::Whole(wanted) => {
                let text = text.to_lowercase();
                text.match_indices(wanted)
                    .any(|(at, _)| stands_alone(&text[..at], &text[at + wanted.len()..]))
            }
            How::Glob(pattern) => {
                pattern.as_ref().is_some_and(|glob| glob.is_match(text) || glob.is_match(bare(text)))
            }
        }
    }
}

/// A label that says "required" or leads over to its field is still that label.
pub(super) fn bare_label(text: &str) -> &str {
    let mut bare = text;
    while let Some(shorter) = ["(*)", "*", ":", "："].iter().find_map(|mark| bare.strip_suffix(mark)) {
        bare = shorter.trim_end();
    }
    bare
}

/// A header that shows how the column is sorted is still that header.
pub(super) fn bare_header(text: &str) -> &str {
    text.trim_end_matches('\u{FE0E}')
        .strip_suffix(|mark| "▲▼△▽▴▾▵▿↑↓↕⇅⇵⬆⬇".contains(mark))
        .map_or(text, str::trim_end)
}

/// The text that a match is about.
pub(super) fn essence(text: &TextMatch) -> String {
    let (TextMatch::Exact(text) | TextMatch::Contains(text) | TextMatch::Whole(text) | TextMatch::Glob(text)) =
        text;
    fold(text).replace('*', "")
}

/// At most so many characters.
pub(super) fn clip(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => format!("{}…", text.chars().take(most - 1).collect::<String>().trim_end()),
        false => text.to_owned(),
    }
}

pub(super) fn quote(text: &str) -> String {
    format!("\"{}\"", clip(text, 80))
}

/// `"Save"`, `containing "Save"`, `like "Save*"`.
pub(super) fn say_match(text: &TextMatch) -> String {
    match text {
        TextMatch::Exact(text) => quote(&fold(text)),
        TextMatch::Contains(text) | TextMatch::Whole(text) => format!("containing {}", quote(&fold(text))),
        TextMatch::Glob(text) => format!("like {}", quote(&fold(text))),
    }
}

/// The items whose text comes nearest to what was wanted, nearest first; at most 8.
pub(super) fn nearest<T>(wanted: &str, items: Vec<T>, text: impl Fn(&T) -> String) -> Vec<T> {
    let mut near: Vec<(f64, T)> = items
        .into_iter()
        .map(|item| (strangeness(wanted, &text(&item)), item))
        .filter(|(far, _)| *far <= 0.5)
        .collect();
    near.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    near.into_iter().take(8).map(|(_, item)| item).collect()
}

/// 0 for the same but for case, up to 1 for nothing in common.
fn strangeness(wanted: &str, text: &str) -> f64 {
    let (a, b) = (wanted.to_lowercase(), text.to_lowercase());
    if a == b {
        return 0.0;
    }
    if a.is_empty() || b.is_empty() {
        return 1.0;
    }
    match a.contains(&b) || b.contains(&a) {
        true => 0.2 + 0.2 * (1.0 - a.len().min(b.len()) as f64 / a.len().max(b.len()) as f64),
        false => 1.0 - strsim::normalized_levenshtein(&a, &b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_match_as_asked() {
        let glob = Matcher::new(&TextMatch::Glob("* of {n} members".into()));
        assert!(glob.matches("1-20 of 1,204 members"));
        assert!(!glob.matches("1-20 of many members"));
        let label = Matcher::baring(&TextMatch::Exact("E-mail".into()), bare_label);
        assert!(label.matches("E-mail (*):") && label.matches("E-mail *") && !label.matches("e-mail"));
        assert_eq!(bare_header("Name ▲"), "Name");
        let near = nearest("Save", vec!["Sav", "Cancel", "save all"], |text| (*text).to_owned());
        assert_eq!(near, ["Sav", "save all"]);
    }
}
