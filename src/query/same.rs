//! When two texts name the same person. The page script has the same function (`inject/text.js`), and one table of
//! pairs holds both to it (`tests/inject/same.json`).
//!
//! The rules are those of PRECIS (RFC 8264, RFC 8265: width mapping, case mapping, NFC) without its refusal of
//! spaces and symbols: apps know people by names, too. Invisible characters are left out before (Unicode
//! `Default_Ignorable_Code_Point`), white space is folded, and case is folded in full (`ß` is `ss`).

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizer, ComposingNormalizerBorrowed};
use icu_properties::{CodePointSetData, props::DefaultIgnorableCodePoint};

const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizer::new_nfc();
const NFKC: ComposingNormalizerBorrowed<'static> = ComposingNormalizer::new_nfkc();

/// A text as it is compared: two texts are the same if their canonical forms are.
pub fn canonical(text: &str, ignore_case: bool) -> String {
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars().filter(|letter| !ignorable.contains(*letter)) {
        // Full-width and half-width forms.
        if matches!(letter, '\u{FF01}'..='\u{FFEE}') {
            plain.push_str(&NFKC.normalize(letter.encode_utf8(&mut [0; 4])));
        } else {
            plain.push(letter);
        }
    }
    let folded = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let composed = NFC.normalize(&folded);
    if !ignore_case {
        return composed.into_owned();
    }
    NFC.normalize(&CaseMapper::new().fold_string(&composed)).into_owned()
}

/// Do both name the same?
pub fn same(one: &str, other: &str, ignore_case: bool) -> bool {
    canonical(one, ignore_case) == canonical(other, ignore_case)
}

/// A text without what nobody sees: as it is typed. The joiners that spell words of some scripts stay (RFC 5892, appendix
/// A.1 and A.2). `None`: nothing is left.
pub fn visible(text: &str) -> Option<String> {
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let is_joiner = |letter: char| matches!(letter, '\u{200C}' | '\u{200D}');
    let kept = |letter: &char| is_joiner(*letter) || !ignorable.contains(*letter);
    let seen: String = text.chars().filter(kept).collect();
    let seen = seen.trim_matches(|letter: char| is_joiner(letter) || letter.is_whitespace());
    (!seen.is_empty()).then(|| seen.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_pairs_is_kept() {
        let table = include_str!("../../tests/inject/same.json");
        let table: Vec<serde_json::Value> = serde_json::from_str(table).expect("a table");
        assert!(table.len() >= 40);
        for row in &table {
            let text = |key: &str| row[key].as_str().unwrap_or_else(|| panic!("{row} has no {key}"));
            for (ignore_case, key) in [(false, "same"), (true, "same_ignoring_case")] {
                let wanted = row[key].as_bool().expect("yes or no");
                assert_eq!(same(text("one"), text("other"), ignore_case), wanted, "{key}: {row}");
                assert_eq!(same(text("other"), text("one"), ignore_case), wanted, "{key}, reversed: {row}");
            }
        }
    }

    #[test]
    fn what_nobody_sees_is_not_typed() {
        assert_eq!(visible(" a\u{200B}da \u{FEFF}").as_deref(), Some("ada"));
        assert_eq!(visible(" \u{200B}\u{AD}\u{200D} "), None);
        assert_eq!(visible("علی\u{200C}رضا").as_deref(), Some("علی\u{200C}رضا"), "a joiner spells this name");
    }
}
