//! May a text, which is not an identity as it stands, still be this one? A part of it may be hidden ("a•••@acme.example",
//! "ada.maxi…@acme.example"), or something may stand next to it ("ada@acme.example Unverified").

use std::sync::LazyLock;

use regex::Regex;

use super::{about::whole_places, canonical};

/// What stands for letters that are not shown.
static GAPS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"…|⋯|\.{3,}|[*∗•●∙·‧◦○⚫■▪█](?: ?[*∗•●∙·‧◦○⚫■▪█])*|x{3,}|#{2,}|_{3,}").ok()
});

/// May the text be this identity, although it is another text?
pub fn may_be(shown: &str, identity: &str) -> bool {
    if is_plain(shown) {
        return false;
    }
    let (text, wanted) = (canonical(shown, true), canonical(identity, true));
    if wanted.is_empty() || text == wanted {
        return false;
    }
    contains(&text, &wanted) || is_cut_from(&text, &wanted) || begins_with(shown, &wanted)
}

/// May the text be this one with a part left out?
pub fn may_be_cut(shown: &str, whole: &str) -> bool {
    is_cut_from(&canonical(shown, true), &canonical(whole, true))
}

/// Is the text one word as most identities are? Lists may have thousands of them.
fn is_plain(shown: &str) -> bool {
    let is_usual =
        |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || b"@.-+".contains(&letter);
    shown.bytes().all(is_usual)
        && !["..", "xxx"].iter().any(|gap| shown.contains(gap))
        && !shown.ends_with('.')
}

/// Does the text contain the identity as a whole? A name that goes on in another word is another name ("Ada Byron King"),
/// if it has several words already.
fn contains(text: &str, wanted: &str) -> bool {
    let is_name = wanted.contains(' ') && !wanted.contains('@');
    let is_word = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    whole_places(text, wanted).any(|(before, after)| {
        let goes_on =
            is_word(before.trim_end().chars().next_back()) || is_word(after.trim_start().chars().next());
        !is_name || !goes_on
    })
}

/// Does the text begin with an address, and go on with a word in upper case and without a space ("ada@acme.exampleOwner")?
fn begins_with(shown: &str, wanted: &str) -> bool {
    if !wanted.contains('@') {
        return false;
    }
    let shown = shown.trim();
    let mut last = None;
    shown.char_indices().any(|(at, letter)| {
        let is_edge = letter.is_uppercase() && last.is_some_and(|last: char| !last.is_uppercase());
        last = Some(letter);
        is_edge && shown.get(..at).is_some_and(|begin| canonical(begin, true) == wanted)
    })
}

/// Both are canonical.
fn is_cut_from(text: &str, wanted: &str) -> bool {
    let parts = parts(text);
    // A cell of nothing but marks may be anybody.
    if parts.len() > 1 && fits(&parts, wanted) {
        return true;
    }
    let is_edge = |letter: char| "<>()[]{},;\"“”«»".contains(letter);
    let words = text.split(' ').map(|word| word.trim_matches(is_edge)).filter(|_| !wanted.contains(' '));
    words
        .map(self::parts)
        .any(|parts| parts.len() > 1 && parts.iter().any(|part| !part.is_empty()) && fits(&parts, wanted))
}

/// What is shown before, between and after the gaps of a text. One part: it has no gap.
fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut from = 0;
    for gap in GAPS.iter().flat_map(|gaps| gaps.find_iter(text)) {
        let (before, after) = (&text[..gap.start()], &text[gap.end()..]);
        let stands_apart =
            (before.is_empty() || before.ends_with(' ')) && (after.is_empty() || after.starts_with(' '));
        let is_gap = match gap.as_str() {
            "·" | "‧" => false,
            // A name may begin with these.
            marks if marks.starts_with(['x', '#', '_']) => !before.is_empty() && !before.ends_with(' '),
            mark if mark.chars().count() == 1 && !"…⋯".contains(mark) => !stands_apart,
            _ => true,
        };
        if is_gap {
            parts.push(text[from..gap.start()].trim());
            from = gap.end();
        }
    }
    parts.push(text[from..].trim());
    parts
}

/// Does the identity have these parts, in this order, the first at its begin and the last at its end?
fn fits(parts: &[&str], wanted: &str) -> bool {
    let [first, between @ .., last] = parts else { return false };
    let Some(inside) = wanted.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else {
        return false;
    };
    let mut rest = Some(inside);
    for part in between {
        rest = rest.and_then(|rest| rest.split_once(part)).map(|(_, after)| after);
    }
    rest.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_an_identity() {
        let ada = "ada@acme.example";
        for shown in [
            "ada@acme.example Unverified",
            "ada@acme.example (you)",
            "Pending: ADA@acme.example",
            "ada@acme.example · Guest",
            "● ada@acme.example",
            "ada@acme.exampleUnverified",
            "Ada Byron <ada@acme.example>",
            "ada@acm…",
            "ada@acm...",
            "…@acme.example",
            "ad…acme.example",
            "a•••@acme.example",
            "a•• @acme.example",
            "a*a@a***.example",
            "a * * *@acme.example",
            "axxx@acme.example",
            "a···@acme.example",
            "***@acme.example",
            "Ada Byron (a•••@acme.example)",
            "a•••@acme.example Pending",
            "•••••",
            "ada@acme.example*",
            "ada@acme.example…",
        ] {
            assert!(may_be(shown, ada), "{shown}");
        }
        assert!(may_be("ada (you)", "ada"));
        assert!(may_be("Ada Byron (you)", "Ada Byron"));
        assert!(may_be("Ada Byron · Pending", "Ada Byron"));
        assert!(may_be("Ada By…", "Ada Byron"));
        assert!(may_be("+49 •••• 789", "+49 151 789"));
        assert!(may_be_cut("Ada By…", "Ada Byron") && !may_be_cut("Ada Byron (you)", "Ada Byron"));
    }

    #[test]
    fn what_is_another_identity() {
        let ada = "ada@acme.example";
        for shown in [
            "ada@acme.example",
            "ADA@acme.example",
            "nada@acme.example",
            "nada@acme.example Unverified",
            "ada@acme.example.org",
            "Nada@acme.example",
            "bo@acme.example (you)",
            "bo@acme.example •••",
            "b•••@acme.example",
            "a•••@other.example",
            "bo@acm…",
            "xxx@acme.example",
            "___@acme.example",
            "ada@acm",
            "",
        ] {
            assert!(!may_be(shown, ada), "{shown}");
        }
        assert!(!may_be("ada@acme.com", "ada@acme.co"));
        assert!(!may_be("Ada Byron King", "Ada Byron"));
        assert!(!may_be("Mary Ada Byron", "Ada Byron"));
        assert!(!may_be("阿达·洛夫莱斯", "阿达·拜伦"));
        assert!(!may_be("ada.byron", "ada"));
        assert!(!may_be("Bo • Admin", "Bob Admin"), "a mark between two words stands for nothing");
    }
}
