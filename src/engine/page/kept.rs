//! What the steps have set on a page. Before a commit it is read once more: a page may reset a field after it was filled.

use serde_json::Value;

use crate::{
    query::{Control, ControlKind, Edited, Target},
    secret::Secret,
};

/// A control that a step has set, as it was when the page accepted it.
#[derive(Clone)]
pub(crate) struct KeptField {
    pub(crate) target: Target,
    pub(crate) given: Given,
    pub(crate) now: Control,
    /// What it showed before it was set.
    before: Vec<String>,
    was_checked: Option<bool>,
    /// Something was pressed since: the page may have used the value, and emptied the field.
    is_used: bool,
}

/// What a control was given.
#[derive(Clone)]
pub(crate) enum Given {
    Value(Value),
    Secret(Secret),
}

/// The controls that the steps have set on one page, in that order.
#[derive(Default)]
pub(crate) struct KeptFields {
    fields: Vec<KeptField>,
}

impl KeptFields {
    pub(crate) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.fields.clear();
    }

    /// Keeps a control. What was known of the same element before is replaced.
    pub(crate) fn keep(&mut self, target: Target, given: Given, before: &Control, now: Control) {
        self.fields.retain(|field| field.now.token != now.token || field.target.frame != target.frame);
        let (before, was_checked) = (before.values.clone(), before.checked);
        self.fields.push(KeptField { target, given, now, before, was_checked, is_used: false });
    }

    /// Something other than a field was pressed.
    pub(crate) fn pressed(&mut self) {
        self.fields.iter_mut().for_each(|field| field.is_used = true);
    }

    /// The frames with kept controls.
    pub(crate) fn frames(&self) -> Vec<Vec<Target>> {
        let mut frames: Vec<Vec<Target>> = Vec::new();
        for field in &self.fields {
            if !frames.contains(&field.target.frame) {
                frames.push(field.target.frame.clone());
            }
        }
        frames
    }

    /// The controls of a frame, to be read again.
    pub(crate) fn in_frame(&self, frame: &[Target]) -> Vec<Edited> {
        let here = self.fields.iter().filter(|field| field.target.frame == frame);
        let text = |field: &KeptField| match (&field.given, field.now.kind) {
            (Given::Value(_), ControlKind::Text) => field.now.values.first().cloned(),
            _ => None,
        };
        here.map(|field| Edited { token: field.now.token, target: field.target.clone(), text: text(field) })
            .collect()
    }

    /// Takes in what the controls of a frame show now, in the order of [`KeptFields::in_frame`]. Forgets those that are gone
    /// or were used, and returns those that show something else than they should.
    pub(crate) fn compare(&mut self, frame: &[Target], read: Vec<Option<Control>>) -> Vec<KeptField> {
        let mut read = read.into_iter();
        let mut changed: Vec<KeptField> = Vec::new();
        for mut field in std::mem::take(&mut self.fields) {
            if field.target.frame != frame {
                self.fields.push(field);
                continue;
            }
            let Some(now) = read.next().flatten() else { continue };
            field.now.token = now.token;
            if !field.is_as_set(&now) {
                if field.was_used(&now) {
                    continue;
                }
                changed.push(KeptField { now, ..field.clone() });
            }
            self.fields.push(field);
        }
        changed
    }

    /// Are there boxes and options other than this one?
    pub(crate) fn has_ticked_besides(&self, token: u32) -> bool {
        self.fields.iter().any(|field| field.is_ticked() && field.now.token != token)
    }

    /// Forgets the boxes and options among these: the last tick has changed them, because it chose another option of a group.
    pub(crate) fn forget_ticked(&mut self, changed: &[KeptField]) {
        let is_among = |field: &KeptField| changed.iter().any(|other| other.now.token == field.now.token);
        self.fields.retain(|field| !field.is_ticked() || !is_among(field));
    }
}

impl KeptField {
    fn is_ticked(&self) -> bool {
        use ControlKind::{Checkbox, CheckboxGroup, Radio, RadioGroup, Switch};
        matches!(self.now.kind, Checkbox | CheckboxGroup | Radio | RadioGroup | Switch)
    }

    /// Does it still show what it was given? The page may write it in its own way: capitals, groups of digits.
    fn is_as_set(&self, now: &Control) -> bool {
        if now.kind != self.now.kind {
            return false;
        }
        match (&self.given, now.kind) {
            (Given::Secret(_), _) => now.length == self.now.length,
            (_, ControlKind::Checkbox | ControlKind::Switch | ControlKind::Radio) => {
                now.checked == self.now.checked
            }
            // An open list shows its options, a closed one a summary of them.
            (_, ControlKind::Combobox) if now.options.is_empty() != self.now.options.is_empty() => true,
            (_, ControlKind::Text) => {
                let text = |control: &Control| control.values.first().cloned().unwrap_or_default();
                is_same_text(&text(&self.now), &text(now))
            }
            _ => now.values == self.now.values,
        }
    }

    /// Has the page used the value after a press, and emptied the field: a line to add one of many?
    fn was_used(&self, now: &Control) -> bool {
        let is_empty = match now.kind {
            ControlKind::Text | ControlKind::Password => now.length == 0,
            _ => now.values == self.before && now.checked == self.was_checked,
        };
        self.is_used && is_empty
    }

    /// What it shows instead, for people. Never a secret.
    pub(crate) fn complaint(&self) -> String {
        let element = &self.now.element;
        let shows = match self.now.values.is_empty() {
            true => "nothing".to_owned(),
            false => format!("`{}`", self.now.values.join(", ")),
        };
        match (&self.given, self.now.checked) {
            (Given::Secret(_), _) => format!("{element} no longer contains what was typed"),
            (Given::Value(_), Some(true)) => format!("{element} was cleared, and is ticked again"),
            (Given::Value(_), Some(false)) => format!("{element} was ticked, and is cleared again"),
            (Given::Value(Value::String(text)), None) => {
                format!("{element} was given `{text}` and shows {shows}")
            }
            (Given::Value(Value::Array(items)), None) => {
                let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
                format!("{element} was given `{}` and shows {shows}", texts.join(", "))
            }
            (Given::Value(other), None) => format!("{element} was given `{other}` and shows {shows}"),
        }
    }
}

/// The same text, written in another way: with other capitals and spaces, or the same digits in other groups.
fn is_same_text(one: &str, other: &str) -> bool {
    let plain =
        |text: &str| text.split_whitespace().flat_map(str::chars).flat_map(char::to_lowercase).collect();
    let (one, other): (String, String) = (plain(one), plain(other));
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let is_number = |text: &str| !text.contains(char::is_alphabetic);
    one == other
        || (is_number(&one)
            && is_number(&other)
            && !digits(&one).is_empty()
            && digits(&one) == digits(&other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_may_be_written_in_another_way() {
        for (one, other, same) in [
            ("ada king", "Ada  King ", true),
            ("030 12-34", "(030) 1234", true),
            ("+4930", "4930", true),
            ("ada@acme.example", "adaacme.example", false),
            ("12", "120", false),
            ("-", "/", false),
            ("Ada", "", false),
            ("a1", "1", false),
        ] {
            assert_eq!(is_same_text(one, other), same, "{one} and {other}");
        }
    }
}
