//! What people see: visibility, and the text of elements.

use super::{
    document::{Document, Id, Node},
    text::fold,
};

/// Boxes that are there without any content.
const BOXED: [&str; 21] = [
    "button", "canvas", "dialog", "fieldset", "hr", "iframe", "img", "input", "li", "meter", "ol",
    "progress", "select", "summary", "svg", "table", "td", "textarea", "th", "tr", "video",
];

/// Begin and end a line, or a box in it; all others flow with the text.
const BLOCKS: [&str; 54] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "button",
    "caption",
    "center",
    "dd",
    "details",
    "dialog",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "html",
    "input",
    "legend",
    "li",
    "main",
    "menu",
    "meter",
    "nav",
    "ol",
    "optgroup",
    "option",
    "p",
    "pre",
    "progress",
    "search",
    "section",
    "select",
    "summary",
    "table",
    "tbody",
    "td",
    "textarea",
    "tfoot",
    "th",
    "thead",
    "tr",
];

impl Document {
    /// Never read: no text for people.
    pub(super) fn is_unread(&self, id: Id) -> bool {
        matches!(self.tag(id), "script" | "style" | "noscript" | "template" | "head" | "title")
    }

    /// Is it there for people and their helpers: nothing hides it or what is around it?
    pub(super) fn is_exposed(&self, id: Id) -> bool {
        self.up(id).all(|at| !self.hides(at) && !self.is_folded(at))
    }

    fn hides(&self, id: Id) -> bool {
        let by_tag = match self.tag(id) {
            "input" => self.input_type(id) == "hidden",
            "dialog" => !self.element(id).on,
            "datalist" | "link" | "meta" => true,
            _ => self.is_unread(id),
        };
        let aria_hidden = self.attr(id, "aria-hidden") == Some("true");
        by_tag
            || ["hidden", "inert", "popover"].iter().any(|name| self.has(id, name))
            || (aria_hidden && !matches!(self.tag(id), "html" | "body"))
            || self.attr(id, "style").is_some_and(|style| {
                let style = style.to_lowercase().replace(' ', "");
                style.contains("display:none") || style.contains("visibility:hidden")
            })
    }

    /// Is it hidden, but laid out like the others: by `visibility`, or only from assistive tools?
    pub(super) fn keeps_place(&self, id: Id) -> bool {
        let is_gone = |at: Id| {
            self.has(at, "hidden")
                || self
                    .attr(at, "style")
                    .is_some_and(|style| style.to_lowercase().replace(' ', "").contains("display:none"))
        };
        self.up(id).all(|at| !is_gone(at) && !self.is_folded(at))
    }

    /// Everything in closed `details` but the first summary.
    fn is_folded(&self, id: Id) -> bool {
        let details = self.parent(id).filter(|&p| self.tag(p) == "details" && !self.element(p).on);
        details.is_some_and(|details| self.summary(details) != Some(id))
    }

    pub(super) fn summary(&self, details: Id) -> Option<Id> {
        self.children(details).find(|&child| self.tag(child) == "summary")
    }

    /// Exposed and of some size.
    pub(super) fn is_visible(&self, id: Id) -> bool {
        (self.is_exposed(id) && self.has_box(id)) || self.is_picked_by_label(id)
    }

    /// A file input that is put away behind a label: what people press is that label.
    fn is_picked_by_label(&self, id: Id) -> bool {
        self.is_input(id, &["file"])
            && self.labels(id).into_iter().any(|label| self.is_exposed(label) && self.has_box(label))
    }

    pub(super) fn has_box(&self, id: Id) -> bool {
        if matches!(self.tag(id), "option" | "optgroup") {
            let select = self.around(id).find(|&outer| self.tag(outer) == "select");
            return select.is_none_or(|select| self.role(select) == "listbox");
        }
        BOXED.contains(&self.tag(id))
            || self.is_content_editable(id)
            || self.element(id).children.iter().any(|node| match node {
                Node::Text(text) => !text.trim().is_empty(),
                Node::Element(child) => self.is_exposed(*child) && self.has_box(*child),
            })
    }

    pub(super) fn is_inline(&self, id: Id) -> bool {
        !BLOCKS.contains(&self.tag(id))
    }

    /// The folded text of an element without its hidden parts.
    pub(super) fn text(&self, id: Id) -> String {
        fold(&self.shown_text(id, false))
    }

    /// The text between the elements in an element that is what is looked for.
    pub(super) fn own_text(&self, id: Id, wanted: &super::text::Matcher) -> Option<String> {
        let mut runs = vec![String::new()];
        for node in &self.element(id).children {
            match node {
                Node::Text(text) => runs.last_mut()?.push_str(text),
                Node::Element(_) => runs.push(String::new()),
            }
        }
        let mut folded = runs.iter().map(|run| fold(run)).filter(|run| !run.is_empty());
        if runs.len() < 2 || self.is_unread(id) { None } else { folded.find(|run| wanted.matches(run)) }
    }

    /// `values`: also what controls hold and what pictures stand for.
    pub(super) fn shown_text(&self, id: Id, values: bool) -> String {
        self.text_without(id, values, "", &|_, _| false)
    }

    /// The same without the parts that are left out, by the text before them. `before`: the text before the element.
    pub(super) fn text_without(
        &self,
        id: Id,
        values: bool,
        before: &str,
        is_left_out: &dyn Fn(Id, &str) -> bool,
    ) -> String {
        if self.is_unread(id) {
            return String::new();
        }
        match self.tag(id) {
            "input" if self.is_input(id, &["submit", "reset", "button"]) => {
                return self.value(id).unwrap_or_default();
            }
            "input" if self.is_input(id, &["password", "checkbox", "radio", "hidden"]) => {
                return String::new();
            }
            "input" | "textarea" if values => return self.value(id).unwrap_or_default(),
            "select" if values => return self.chosen_texts(id).join(", "),
            "input" | "textarea" | "select" => return String::new(),
            _ => {}
        }
        if let Some(typed) = &self.element(id).typed {
            return typed.clone();
        }
        if values && self.is_pictured(id) {
            return self.name(id);
        }
        let mut shown = String::new();
        for node in &self.element(id).children {
            match node {
                Node::Text(text) => shown += text,
                Node::Element(child) if self.tag(*child) == "br" => shown.push(' '),
                Node::Element(child) if !self.is_exposed(*child) => {}
                Node::Element(child) => {
                    let before = format!("{before}{shown}");
                    if !is_left_out(*child, &before) {
                        let part = self.text_without(*child, values, &before, is_left_out);
                        shown += &self.spaced(*child, part);
                    }
                }
            }
        }
        shown
    }

    /// The text of an element outside of what can be chosen or typed.
    pub(super) fn seen_text(&self, id: Id) -> String {
        const CHOICES: [&str; 10] = [
            "option",
            "radio",
            "switch",
            "listbox",
            "combobox",
            "radiogroup",
            "textbox",
            "searchbox",
            "spinbutton",
            "checkbox",
        ];
        let mut shown = String::new();
        for node in &self.element(id).children {
            match node {
                Node::Text(text) => shown += text,
                Node::Element(child) if self.tag(*child) == "br" => shown.push(' '),
                Node::Element(child) if !self.is_exposed(*child) || CHOICES.contains(&self.role(*child)) => {}
                Node::Element(child) if self.tag(*child) == "label" && self.is_tick(*child) => {}
                Node::Element(child) => shown += &self.spaced(*child, self.seen_text(*child)),
            }
        }
        shown
    }

    /// The label of something to tick.
    fn is_tick(&self, label: Id) -> bool {
        self.labelled(label).is_some_and(|control| self.is_input(control, &["checkbox", "radio"]))
    }

    /// What does not flow with the text stands apart from it.
    pub(super) fn spaced(&self, id: Id, text: String) -> String {
        if self.is_inline(id) || text.is_empty() { text } else { format!(" {text} ") }
    }

    /// An image, or an icon that only has a name.
    fn is_pictured(&self, id: Id) -> bool {
        let is_bare = self.children(id).next().is_none() && self.text_content(id).trim().is_empty();
        self.role(id) == "img" || (is_bare && self.has(id, "aria-label"))
    }

    /// The texts of what is chosen in a select, listbox or combobox.
    pub(super) fn chosen_texts(&self, id: Id) -> Vec<String> {
        match self.tag(id) {
            "select" => {
                let chosen = self.options(id).into_iter().filter(|&option| self.element(option).on);
                chosen.map(|option| self.option_text(option)).collect()
            }
            "input" => self.value(id).into_iter().filter(|text| !text.is_empty()).collect(),
            _ => {
                let is_chosen = |&part: &Id| {
                    self.attr(part, "role") == Some("option")
                        && self.attr(part, "aria-selected") == Some("true")
                };
                let chosen: Vec<_> =
                    self.inside(Some(id)).filter(is_chosen).map(|option| self.name(option)).collect();
                let text = fold(&self.text_content(id));
                match chosen.is_empty() && self.role(id) != "listbox" && !text.is_empty() {
                    true => vec![text],
                    false => chosen,
                }
            }
        }
    }

    pub(super) fn option_text(&self, option: Id) -> String {
        let label = self.attr(option, "label").filter(|label| !label.is_empty());
        fold(&label.map_or_else(|| self.text_content(option), str::to_owned))
    }

    /// Ticked?
    pub(super) fn is_on(&self, id: Id) -> bool {
        match self.tag(id) {
            "input" => self.element(id).on,
            _ => self.attr(id, "aria-checked") == Some("true"),
        }
    }
}
