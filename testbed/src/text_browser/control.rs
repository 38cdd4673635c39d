//! Form controls: what kind, what they hold, setting those that cannot be typed into.

use jiff::civil;

use super::{
    document::{Document, Id, Node},
    find::Miss,
    text::{fold, nearest, quote},
};
use seatwright::query::{Control, ControlKind, RefusalKind};

const FORMATTED: [&str; 7] = ["date", "time", "datetime-local", "month", "week", "color", "range"];

impl Document {
    /// None of what cannot be filled.
    pub(super) fn kind(&self, id: Id) -> Option<ControlKind> {
        let tag = self.tag(id);
        let role = self.role(id);
        Some(match (tag, role) {
            ("select", _) if self.has(id, "multiple") => ControlKind::SelectMany,
            ("select", _) => ControlKind::Select,
            (_, "switch") => ControlKind::Switch,
            (_, "checkbox" | "menuitemcheckbox") => ControlKind::Checkbox,
            (_, "radio" | "menuitemradio") => ControlKind::Radio,
            ("input", _) => match self.input_type(id) {
                "file" => ControlKind::File,
                "hidden" | "submit" | "reset" | "button" | "image" => return None,
                "password" => ControlKind::Password,
                kind if FORMATTED.contains(&kind) => ControlKind::Formatted,
                _ if role == "combobox" && !self.has(id, "list") => ControlKind::Combobox,
                _ if self.wrapper(id).is_some() || self.opens_list(id) => ControlKind::Combobox,
                _ => ControlKind::Text,
            },
            (_, "combobox") => ControlKind::Combobox,
            ("textarea", _) => ControlKind::Text,
            (_, "listbox") => ControlKind::Listbox,
            ("button", _) if self.opens_list(id) => ControlKind::Combobox,
            _ if self.is_content_editable(id) => ControlKind::Text,
            _ if self.is_group(id) => return self.group_kind(id),
            _ => return None,
        })
    }

    fn group_kind(&self, group: Id) -> Option<ControlKind> {
        let kinds: Vec<_> = self.parts(group).into_iter().filter_map(|part| self.kind(part)).collect();
        let is_ticked = |kind: &ControlKind| matches!(kind, ControlKind::Checkbox | ControlKind::Switch);
        match kinds.is_empty() {
            true => None,
            false if kinds.iter().all(|kind| *kind == ControlKind::Radio) => Some(ControlKind::RadioGroup),
            false if kinds.iter().all(is_ticked) => Some(ControlKind::CheckboxGroup),
            false => None,
        }
    }

    /// The visible controls in a container.
    fn parts(&self, container: Id) -> Vec<Id> {
        let is_part = |&id: &Id| {
            self.is_field(id)
                && !self.is_group(id)
                && self.kind(id).is_some()
                && self.wrapper(id).is_none()
                && self.is_visible(id)
        };
        self.inside(Some(container)).filter(is_part).collect()
    }

    /// The control that is meant: itself, what a label is for, or the only one inside.
    pub(super) fn control_of(&self, id: Id) -> Result<Id, Miss> {
        if self.kind(id).is_some() {
            return Ok(id);
        }
        if let Some(control) = self.labelled(id).filter(|_| self.tag(id) == "label") {
            return Ok(control);
        }
        let parts = self.parts(id);
        let said = self.describe(id);
        let message = match parts[..] {
            [only] => return Ok(only),
            [] => format!("{said} cannot be filled"),
            _ => format!("{said} contains {} fields of different kinds", parts.len()),
        };
        let candidates = parts.iter().map(|&part| self.describe(part)).collect();
        Err(Miss::new(RefusalKind::NotEditable, message, candidates))
    }

    pub(super) fn is_readonly(&self, id: Id) -> bool {
        self.has(id, "readonly") || self.attr(id, "aria-readonly") == Some("true")
    }

    pub(super) fn check_enabled(&self, id: Id) -> Result<(), Miss> {
        match self.is_disabled(id) {
            true => {
                let message = format!("{} is disabled", self.describe(id));
                Err(Miss::new(RefusalKind::Disabled, message, Vec::new()))
            }
            false => Ok(()),
        }
    }

    /// A control as it is now.
    pub(super) fn control(&self, id: Id, token: u32) -> Result<Control, Miss> {
        let Some(kind) = self.kind(id) else {
            let message = format!("{} cannot be filled any more", self.describe(id));
            return Err(Miss::new(RefusalKind::NotEditable, message, Vec::new()));
        };
        let origin = self.url.origin().ascii_serialization();
        let mut control = Control {
            token,
            kind,
            element: self.describe(id),
            values: Vec::new(),
            checked: None,
            length: 0,
            options: Vec::new(),
            heads: Vec::new(),
            multiple: false,
            editable: false,
            origin,
        };
        let typed = self.value(id).unwrap_or_else(|| self.text(id));
        let names = |ids: Vec<Id>| ids.into_iter().map(|id| self.name(id)).collect();
        match kind {
            ControlKind::Password => control.length = typed.chars().count(),
            ControlKind::Text | ControlKind::Formatted => {
                control.length = typed.chars().count();
                control.values = Some(typed).filter(|typed| !typed.is_empty()).into_iter().collect();
            }
            ControlKind::Select | ControlKind::SelectMany => {
                control.values = self.chosen_texts(id);
                control.options =
                    self.options(id).into_iter().map(|option| self.option_text(option)).collect();
                control.multiple = kind == ControlKind::SelectMany;
            }
            ControlKind::Checkbox | ControlKind::Switch | ControlKind::Radio => {
                let is_on = self.is_on(id);
                control.checked = Some(is_on);
                control.values = if is_on { vec![self.name(id)] } else { Vec::new() };
            }
            ControlKind::RadioGroup | ControlKind::CheckboxGroup => {
                control.values = names(self.parts(id).into_iter().filter(|&part| self.is_on(part)).collect());
                control.options = names(self.parts(id));
                let head = |part: Id| self.head_of(self.labels(part).first().copied().unwrap_or(part));
                control.heads = self.parts(id).into_iter().map(head).collect();
                control.multiple = kind == ControlKind::CheckboxGroup;
            }
            ControlKind::File => control.multiple = self.has(id, "multiple"),
            ControlKind::Listbox => {
                control.values = names(self.marked_options(id));
                control.options = names(self.list_options(id));
                control.multiple = self.is_said(id, "aria-multiselectable");
            }
            ControlKind::Combobox => self.tell_combobox(id, &mut control),
        }
        Ok(control)
    }

    /// How the text of an option begins: its heading, or its first line.
    fn head_of(&self, id: Id) -> String {
        let mut text = String::new();
        self.read_head(id, &mut text);
        fold(&text)
    }

    /// Has the beginning ended?
    fn read_head(&self, id: Id, text: &mut String) -> bool {
        const HEADINGS: [&str; 8] = ["b", "strong", "h1", "h2", "h3", "h4", "h5", "h6"];
        for node in &self.element(id).children {
            match node {
                Node::Text(shown) => *text += shown,
                Node::Element(child) if !self.is_exposed(*child) || self.is_unread(*child) => {}
                Node::Element(child) => {
                    let is_line = self.tag(*child) == "br" || !self.is_inline(*child);
                    let begun = !fold(text).is_empty();
                    if (is_line && begun) || self.read_head(*child, text) {
                        return true;
                    }
                    let is_heading = HEADINGS.contains(&self.tag(*child)) || self.role(*child) == "heading";
                    if !fold(text).is_empty() && (is_line || (!begun && is_heading)) {
                        return true;
                    }
                }
            }
        }
        false
    }

    /// Sets a control that cannot be typed into.
    pub(super) fn set(&mut self, id: Id, values: &[String]) -> Result<(), Miss> {
        self.check_enabled(id)?;
        match self.kind(id) {
            Some(ControlKind::Select | ControlKind::SelectMany) => self.choose(id, values),
            Some(ControlKind::Formatted) => {
                let text = values.first().map(String::as_str).unwrap_or_default();
                if !self.takes(id, text) {
                    return Err(self.not_editable(id, &format!("does not accept {}", quote(text))));
                }
                self.element_mut(id).typed = Some(text.to_owned());
                Ok(())
            }
            _ => Err(self.not_editable(id, "cannot be set: it must be clicked or typed into")),
        }
    }

    pub(super) fn not_editable(&self, id: Id, why: &str) -> Miss {
        Miss::new(RefusalKind::NotEditable, format!("{} {why}", self.describe(id)), Vec::new())
    }

    fn choose(&mut self, select: Id, values: &[String]) -> Result<(), Miss> {
        let is_many = self.has(select, "multiple");
        if !is_many && values.len() > 1 {
            let why = format!("accepts one option, not {}", values.len());
            return Err(self.not_editable(select, &why));
        }
        let mut wanted: Vec<Id> =
            values.iter().map(|text| self.option(select, text)).collect::<Result<_, _>>()?;
        if !is_many && wanted.is_empty() {
            // Nothing to choose is the choice of nothing: the empty option.
            wanted.push(self.option(select, "")?);
        }
        for option in self.options(select) {
            self.element_mut(option).on = wanted.contains(&option);
        }
        Ok(())
    }

    /// By its text, else by its value.
    fn option(&self, select: Id, text: &str) -> Result<Id, Miss> {
        let wanted = fold(text);
        let options = self.options(select);
        let by_text = |&option: &Id| self.option_text(option) == wanted;
        let by_value = |&option: &Id| self.value(option).as_deref() == Some(text);
        let mut found: Vec<Id> = options.iter().copied().filter(by_text).collect();
        if found.is_empty() {
            found = options.iter().copied().filter(by_value).collect();
        }
        let (said, wanted_said) = (self.describe(select), quote(&wanted));
        match found[..] {
            [option] if self.is_disabled(option) => {
                let message = format!("option {wanted_said} of {said} is disabled");
                Err(Miss::new(RefusalKind::Disabled, message, Vec::new()))
            }
            [option] => Ok(option),
            [] => {
                let texts: Vec<String> = options.into_iter().map(|option| self.option_text(option)).collect();
                let mut near = nearest(&wanted, texts.clone(), String::clone);
                near.extend(texts.into_iter().filter(|text| !text.is_empty()));
                let mut said_texts: Vec<String> = Vec::new();
                for text in near.iter().map(|text| quote(text)) {
                    if !said_texts.contains(&text) {
                        said_texts.push(text);
                    }
                }
                let message = format!("{said} has no option {wanted_said}");
                Err(Miss::new(RefusalKind::NoSuchOption, message, said_texts))
            }
            _ => {
                let message = format!("{said} has {} options {wanted_said}", found.len());
                let say = |&option: &Id| {
                    let value = self.value(option).unwrap_or_default();
                    format!("{} ({value})", quote(&self.option_text(option)))
                };
                Err(Miss::new(RefusalKind::Ambiguous, message, found.iter().map(say).collect()))
            }
        }
    }

    /// Would a formatted input keep this?
    fn takes(&self, id: Id, text: &str) -> bool {
        let limit = |name: &str| self.attr(id, name).filter(|limit| !limit.is_empty());
        if self.input_type(id) == "range" {
            let number = |text: &str| text.parse::<f64>().ok();
            let low = limit("min").and_then(number).unwrap_or(0.0);
            let high = limit("max").and_then(number).unwrap_or(100.0);
            return number(text).is_some_and(|number| (low..=high).contains(&number));
        }
        let is_valid = match self.input_type(id) {
            _ if text.is_empty() => true,
            "date" => text.parse::<civil::Date>().is_ok() && text.len() == 10,
            "month" => format!("{text}-01").parse::<civil::Date>().is_ok() && text.len() == 7,
            "time" => text.parse::<civil::Time>().is_ok() && text.len() >= 5,
            "datetime-local" => text.parse::<civil::DateTime>().is_ok() && text.len() >= 16,
            "week" => text.split_once("-W").is_some_and(|(year, week)| {
                let is_number = |part: &str, digits| part.len() == digits && part.parse::<u16>().is_ok();
                is_number(year, 4) && is_number(week, 2)
            }),
            _ => text.len() == 7 && text.starts_with('#') && u32::from_str_radix(&text[1..], 16).is_ok(),
        };
        // Valid ones of a kind are in the order of their letters.
        let in_limits =
            limit("min").is_none_or(|low| low <= text) && limit("max").is_none_or(|high| text <= high);
        is_valid && (in_limits || text.is_empty())
    }
}
