//! Accessible names: W3C accname 1.2, as far as HTML without style sheets goes.

use super::{
    document::{Document, Id, Node},
    text::fold,
};

/// Roles that are named by what they contain.
const NAMED_BY_CONTENT: [&str; 18] = [
    "button",
    "cell",
    "checkbox",
    "columnheader",
    "gridcell",
    "heading",
    "link",
    "menuitem",
    "menuitemcheckbox",
    "menuitemradio",
    "option",
    "radio",
    "row",
    "rowheader",
    "switch",
    "tab",
    "tooltip",
    "treeitem",
];

/// The way to one element of a name.
#[derive(Clone, Copy)]
struct Way {
    /// Reached by `aria-labelledby`, which is not followed twice.
    referenced: bool,
    /// A part of what is being named.
    inside: bool,
    /// Hidden parts count, as the whole is hidden.
    hidden: bool,
}

impl Document {
    /// The accessible name, folded.
    pub(super) fn name(&self, id: Id) -> String {
        let way = Way { referenced: false, inside: false, hidden: !self.is_exposed(id) };
        fold(&self.alternative(id, way, &mut Vec::new()))
    }

    fn alternative(&self, id: Id, way: Way, seen: &mut Vec<Id>) -> String {
        let is_left_out = way.inside && !way.hidden && !self.is_exposed(id);
        if seen.contains(&id) || self.is_unread(id) || is_left_out {
            return String::new();
        }
        seen.push(id);
        let role = self.role(id);
        let said = |name| self.attr(id, name).map(fold).filter(|text| !text.is_empty());
        let referenced = if way.referenced { None } else { self.referenced_text(id) };
        let found = referenced
            .filter(|text| !text.is_empty())
            .or_else(|| self.embedded_value(id, role).filter(|_| way.inside))
            .or_else(|| said("aria-label"))
            .or_else(|| match role {
                "none" | "presentation" => None,
                _ => self.native_text(id, way, seen),
            })
            .or_else(|| match way.inside || way.referenced || NAMED_BY_CONTENT.contains(&role) {
                true => Some(self.content_text(id, way, seen)).filter(|text| !text.trim().is_empty()),
                false => None,
            })
            .or_else(|| said("title"));
        found
            .or_else(|| said("placeholder").or_else(|| said("aria-placeholder")).filter(|_| !role.is_empty()))
            .unwrap_or_default()
    }

    fn referenced_text(&self, id: Id) -> Option<String> {
        let parts = self.attr(id, "aria-labelledby")?.split_whitespace().filter_map(|name| self.by_id(name));
        let texts = parts.map(|part| {
            let way = Way { referenced: true, inside: false, hidden: !self.is_exposed(part) };
            fold(&self.alternative(part, way, &mut Vec::new()))
        });
        Some(texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" "))
    }

    /// What a control inside a name says: its value.
    fn embedded_value(&self, id: Id, role: &str) -> Option<String> {
        match role {
            "textbox" | "searchbox" if self.is_input(id, &["password"]) => Some(String::new()),
            "textbox" | "searchbox" => Some(self.value(id).unwrap_or_else(|| self.text_content(id))),
            "combobox" | "listbox" => Some(self.chosen_texts(id).join(" ")),
            "slider" | "spinbutton" | "progressbar" | "meter" | "scrollbar" => {
                let said = self.attr(id, "aria-valuetext").or_else(|| self.attr(id, "aria-valuenow"));
                Some(said.map(str::to_owned).or_else(|| self.value(id)).unwrap_or_default())
            }
            _ => None,
        }
    }

    /// The name that HTML itself gives.
    fn native_text(&self, id: Id, way: Way, seen: &mut Vec<Id>) -> Option<String> {
        let said = |name| self.attr(id, name).filter(|text| !text.is_empty()).map(str::to_owned);
        match self.tag(id) {
            "input" => {
                let label = self.label_text(id, way, seen);
                match self.input_type(id) {
                    "submit" => label.or(said("value")).or(said("title")).or(Some("Submit".to_owned())),
                    "reset" => label.or(said("value")).or(said("title")).or(Some("Reset".to_owned())),
                    "button" => label.or(said("value")).or(said("title")),
                    "image" => label.or(said("alt")).or(said("title")).or(Some("Submit".to_owned())),
                    _ => label,
                }
            }
            "button" | "meter" | "output" | "progress" | "select" | "textarea" => {
                self.label_text(id, way, seen)
            }
            "img" | "area" => said("alt"),
            "fieldset" => self.part_text(id, "legend", way, seen),
            "figure" => self.part_text(id, "figcaption", way, seen),
            "table" => self.part_text(id, "caption", way, seen),
            "svg" => {
                let title = self.children(id).find(|&child| self.tag(child) == "title");
                title.map(|title| self.text_content(title)).filter(|text| !text.is_empty())
            }
            "optgroup" | "option" => said("label"),
            _ => None,
        }
    }

    fn label_text(&self, id: Id, way: Way, seen: &mut Vec<Id>) -> Option<String> {
        let texts = self.labels(id).into_iter().map(|label| {
            let way = Way { inside: true, hidden: !self.is_exposed(label), ..way };
            fold(&self.alternative(label, way, seen))
        });
        let text = texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ");
        Some(text).filter(|text| !text.is_empty())
    }

    fn part_text(&self, id: Id, part: &str, way: Way, seen: &mut Vec<Id>) -> Option<String> {
        let found = self.children(id).find(|&child| self.tag(child) == part)?;
        Some(self.alternative(found, Way { inside: true, ..way }, seen)).filter(|text| !text.is_empty())
    }

    fn content_text(&self, id: Id, way: Way, seen: &mut Vec<Id>) -> String {
        let mut text = String::new();
        for node in &self.element(id).children {
            match node {
                Node::Text(part) => text += part,
                Node::Element(child) if self.tag(*child) == "br" => text.push(' '),
                Node::Element(child) => {
                    let part = self.alternative(*child, Way { inside: true, ..way }, seen);
                    text += &self.spaced(*child, part);
                }
            }
        }
        text
    }
}
