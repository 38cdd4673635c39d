//! What is on the page: one element's text, the page for a person who was not there, and whether a secret shows.

use super::{
    document::{Document, Id, Node},
    find::Miss,
    text::{clip, fold, quote},
};
use seatwright::query::{PageFacts, RefusalKind};

impl Document {
    pub(super) fn read_text(&self, id: Id, attribute: Option<&str>) -> Result<String, Miss> {
        let Some(name) = attribute else {
            let is_control = matches!(self.tag(id), "input" | "textarea" | "select");
            return Ok(if is_control { fold(&self.shown_text(id, true)) } else { self.text(id) });
        };
        let said = match name {
            "value" if self.is_input(id, &["password"]) => Some(String::new()),
            "value" => self.value(id).or_else(|| self.attr(id, name).map(str::to_owned)),
            _ => self.attr(id, name).map(str::to_owned),
        };
        said.ok_or_else(|| {
            let message = format!("{} has no attribute {}", self.describe(id), quote(name));
            Miss::new(RefusalKind::NotFound, message, Vec::new())
        })
    }

    pub(super) fn facts(&self) -> PageFacts {
        let seen = |roles: &[&str]| -> Vec<Id> {
            let has_role = |&id: &Id| roles.iter().any(|role| self.is_role(id, role)) && self.is_visible(id);
            self.inside(None).filter(has_role).collect()
        };
        let named = |ids: Vec<Id>| said(ids.into_iter().map(|id| self.name(id)));
        let title = self.inside(None).find(|&id| self.tag(id) == "title");
        let body = self.inside(None).find(|&id| self.tag(id) == "body");
        let controls = seen(&["button", "link", "tab", "menuitem"]).into_iter();
        let fields =
            self.inside(None).filter(|&id| self.is_field(id) && !self.is_group(id) && self.is_visible(id));
        let or_text =
            |id: Id| Some(self.name(id)).filter(|name| !name.is_empty()).unwrap_or_else(|| self.text(id));
        PageFacts {
            invalid: Vec::new(),
            url: self.url.to_string(),
            title: title.map(|title| fold(&self.text_content(title))).unwrap_or_default(),
            status: self.status,
            headings: named(seen(&["heading"])),
            alerts: said(
                seen(&["alert", "status"]).into_iter().chain(self.complaints()).map(|id| self.text(id)),
            ),
            dialogs: seen(&["dialog"]).into_iter().map(|id| clip(&or_text(id), 80)).collect(),
            controls: said(controls.filter(|&id| !self.name(id).is_empty()).map(|id| self.describe(id))),
            fields: said(fields.map(|id| self.name(id))),
            tables: said(seen(&["table"]).into_iter().map(|id| self.describe_table(id))),
            text: body.map(|_| clip(&self.own_words(), 400)).unwrap_or_default(),
        }
    }

    /// Elements that a class or an id marks as something that went wrong. The innermost count, and short ones.
    fn complaints(&self) -> Vec<Id> {
        const WORDS: [&str; 5] = ["error", "alert", "danger", "warning", "invalid-feedback"];
        let names = |id: Id| ["class", "id"].into_iter().filter_map(move |name| self.attr(id, name));
        let is_marked =
            |id: Id| names(id).any(|name| WORDS.iter().any(|word| name.to_lowercase().contains(word)));
        let marked: Vec<Id> = self.inside(None).filter(|&id| is_marked(id) && self.is_visible(id)).collect();
        let has_inner = |id: Id| marked.iter().any(|&inner| self.around(inner).any(|outer| outer == id));
        let is_pressed = |id: Id| {
            self.up(id).any(|outer| matches!(self.tag(outer), "nav" | "button") || self.is_link(outer))
        };
        let short = |id: Id| self.text(id).chars().count() <= 200;
        marked.iter().copied().filter(|&id| !has_inner(id) && !is_pressed(id) && short(id)).collect()
    }

    /// The words of the page that are neither a control nor in a table.
    fn own_words(&self) -> String {
        let is_listed = |id: Id| {
            const ROLES: [&str; 10] = [
                "navigation",
                "link",
                "button",
                "tab",
                "menuitem",
                "heading",
                "alert",
                "status",
                "table",
                "grid",
            ];
            let tags = matches!(
                self.tag(id),
                "nav"
                    | "button"
                    | "label"
                    | "legend"
                    | "table"
                    | "select"
                    | "textarea"
                    | "output"
                    | "head"
                    | "h1"
                    | "h2"
                    | "h3"
                    | "h4"
                    | "h5"
                    | "h6"
            );
            tags || self.is_link(id) || self.attr(id, "role").is_some_and(|role| ROLES.contains(&role))
        };
        let own = |id: Id| {
            let texts = self.element(id).children.iter().filter_map(|node| match node {
                Node::Text(text) => Some(text.as_str()),
                Node::Element(_) => None,
            });
            Some(fold(&texts.collect::<Vec<_>>().join(" "))).filter(|text| !text.is_empty())
        };
        let speaks = |&id: &Id| !self.up(id).any(is_listed) && self.is_visible(id);
        self.inside(None).filter(speaks).filter_map(own).collect::<Vec<_>>().join(" ")
    }

    fn is_link(&self, id: Id) -> bool {
        self.tag(id) == "a" && self.attr(id, "href").is_some()
    }

    fn describe_table(&self, table: Id) -> String {
        let headers = self.header_texts(table);
        let headers: Vec<_> =
            headers.iter().filter(|text| !text.is_empty()).map(|text| quote(text)).collect();
        match headers.is_empty() {
            true => self.describe(table),
            false => format!("{} with {}", self.describe(table), headers.join(", ")),
        }
    }

    /// Does anything on the page, seen or not, hold one of these? Dots of a password do not.
    pub(super) fn contains(&self, needles: &[String]) -> bool {
        // White space is taken out on both sides: a secret shown in groups, or split over elements, is still shown.
        let squash = |text: &str| text.split_whitespace().collect::<String>().to_lowercase();
        let needles: Vec<_> =
            needles.iter().map(|needle| squash(needle)).filter(|needle| !needle.is_empty()).collect();
        let holds = |text: &str| needles.iter().any(|needle| squash(text).contains(needle));
        let held_by = |id: Id| {
            let is_secret = self.is_input(id, &["password"]);
            let mut attributes = self.element(id).attributes.iter();
            attributes.any(|(name, value)| !(is_secret && name == "value") && holds(value))
                || (!is_secret && self.value(id).is_some_and(|value| holds(&value)))
        };
        holds(&self.all_text(0)) || (0..self.len()).any(held_by)
    }

    fn all_text(&self, id: Id) -> String {
        if matches!(self.tag(id), "script" | "style" | "noscript") {
            return String::new();
        }
        let typed = self.element(id).typed.clone().filter(|_| self.is_content_editable(id));
        let part = |node: &Node| match node {
            Node::Text(text) => text.clone(),
            Node::Element(child) => self.all_text(*child),
        };
        typed.unwrap_or_else(|| self.element(id).children.iter().map(part).collect())
    }
}

/// Each once, clipped, at most 40.
fn said(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for text in texts.filter(|text| !text.is_empty()).map(|text| clip(&text, 160)) {
        if said.len() < 40 && !said.contains(&text) {
            said.push(text);
        }
    }
    said
}
