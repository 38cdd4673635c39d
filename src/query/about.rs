//! Is a text about exactly one person? It has to contain the whole identity, and no other person's.
//!
//! The page script has the same rules (`inject/about.js`), and one table holds both to it (`tests/inject/about.json`).

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::canonical;

/// The one person that an element, or a native dialog, must be about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// As the app shows it.
    pub identity: String,
    /// Ignore upper and lower case.
    pub ignore_case: bool,
    /// Addresses of the same person, which may be next to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own: Vec<String>,
}

/// What continues an identity: `o'ada`, `corp/ada`, `ada-old`, `ada@acme.example.org` are other people.
static GOES_ON_BEFORE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?:[\p{L}\p{N}\p{M}_@.+\-/\\#&%*=^~$|!{}]|[\p{L}\p{N}\p{M}_]['’`"])$"#).ok()
});
static GOES_ON_AFTER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^(?:[\p{L}\p{N}\p{M}_@+\-/\\#&%*=^~$|{}…]|\.\.|[.:?!'’`][\p{L}\p{N}\p{M}_@])").ok()
});
static POSSESSIVE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^['’]s(?:$|[^\p{L}\p{N}\p{M}_@.'’\-])").ok());
static ADDRESS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"[^\s<>()\[\],;:"“”„«»‹›@]+@[^\s<>()\[\],;:"“”„«»‹›@]+"#).ok());

/// What speaks of more people without naming them: "and 1 other", "+2 more", "3 users", "2 selected".
static SPEAKS_OF_MORE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let number = r"(?:\d+|an?|one|two|three|four|five|several|ein(?:e[nr]?)?|zwei|drei|une?|deux|trois|uno?|una|dos|tres|due|tre)";
    let several = r"(?:[2-9]|\d{2,}|two|three|four|five|six|seven|eight|nine|ten|several|multiple|both|zwei|drei|mehrere|deux|trois|plusieurs|dos|tres|varios|due|tre)";
    let others =
        "(?:others?|more|weitere[nrs]?|andere[nrs]?|autres?|otr[oa]s?|más|altr[aeio]|outr[oa]s?|mais)";
    let people = "(?:users|people|persons|members|accounts|employees|profiles|guests|contacts|selected|benutzer|nutzer|personen|mitglieder|konten|ausgewählte?|utilisateurs|personnes|membres|comptes|usuarios|personas|miembros|cuentas|utenti|persone|membri)";
    let more = format!(
        r"(?i)(?:^|[^\p{{L}}\p{{N}}])((?:and|&|\+|plus|und|et|y|e) ?(?:{number} {others}|others)|{several} (?:{others} |selected )?{people})(?:[^\p{{L}}\p{{N}}]|$)"
    );
    Regex::new(&more).ok()
});
/// The same, right after an identity, and perhaps a name in brackets: "+2". A telephone number goes on.
static PLUS_MORE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"^["'’”»>)\]]*(?: ?\([^()]*\))? ?,? ?(\+ ?\d{1,3}) *(?:$|[^ \d(\-./]|\.(?:$| ))"#).ok()
});

impl Person {
    /// Why a text is not about this person alone. `None`: it is.
    pub fn trouble(&self, text: &str) -> Option<String> {
        let shown = canonical(text, self.ignore_case);
        let identity = canonical(&self.identity, self.ignore_case);
        if identity.is_empty() {
            return Some("does not name a person".to_owned());
        }
        if whole_places(&shown, &identity).next().is_none() {
            return Some(format!("does not show \"{}\" as a whole", self.identity));
        }
        if let Some(more) = more_than_one(&shown, &identity) {
            return Some(format!("also speaks of \"{more}\""));
        }
        let mut others = ADDRESS.iter().flat_map(|address| address.find_iter(&shown));
        others
            .find(|found| !self.is_own(bare(found.as_str()), &identity))
            .map(|other| format!("also names \"{}\"", bare(other.as_str())))
    }

    /// Is this address one of the person's own?
    fn is_own(&self, address: &str, identity: &str) -> bool {
        let same = |one: &str| canonical(one, true) == canonical(address, true);
        address == identity
            || self.own.iter().any(|own| same(own))
            || (!identity.contains('@') && self.own.is_empty() && address.split('@').next() == Some(identity))
    }
}

/// The words that speak of more people than the one who has this identity. Both texts are canonical.
fn more_than_one<'t>(text: &'t str, identity: &str) -> Option<&'t str> {
    let found = |pattern: &Option<Regex>, text: &'t str| {
        pattern.as_ref().and_then(|pattern| pattern.captures(text)?.get(1)).map(|found| found.as_str())
    };
    let mut plus =
        text.match_indices(identity).filter_map(|(at, _)| found(&PLUS_MORE, &text[at + identity.len()..]));
    plus.next().or_else(|| found(&SPEAKS_OF_MORE, text))
}

/// An address without the marks of the sentence around it.
fn bare(address: &str) -> &str {
    address.trim_matches(['.', '?', '!', '\'', '’', '‘', '`', '…'])
}

/// Where a text contains an identity that stands for itself: what is before and after it. Both are canonical.
pub(super) fn whole_places<'t>(text: &'t str, identity: &str) -> impl Iterator<Item = (&'t str, &'t str)> {
    let places = text.match_indices(identity).map(|(at, found)| (&text[..at], &text[at + found.len()..]));
    places.filter(|(before, after)| is_whole(before, after))
}

/// Does an identity between these two stand for itself?
fn is_whole(before: &str, after: &str) -> bool {
    let is = |pattern: &Option<Regex>, text: &str| pattern.as_ref().is_none_or(|found| found.is_match(text));
    if is(&GOES_ON_BEFORE, before) {
        return false;
    }
    // Quotes stand on both sides, or the first one is a part of the name.
    let quoted = |before: &str, quote: char, end: char| !before.ends_with(quote) || after.starts_with(end);
    let is_quoted = quoted(before, '\'', '\'') && quoted(before, '`', '`') && quoted(before, '’', '’');
    is_quoted && (!is(&GOES_ON_AFTER, after) || is(&POSSESSIVE, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_texts_is_kept() {
        let table = include_str!("../../tests/inject/about.json");
        let rows: Vec<(String, String, bool, bool)> = serde_json::from_str(table).expect("the table");
        for (text, identity, ignore_case, is_about) in rows {
            let person = Person { identity: identity.clone(), ignore_case, own: Vec::new() };
            let trouble = person.trouble(&text);
            assert_eq!(trouble.is_none(), is_about, "{text:?} about {identity:?}: {trouble:?}");
        }
    }
}
