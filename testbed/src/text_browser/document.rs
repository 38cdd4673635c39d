//! The tree of one document, with what was typed, ticked and opened in it.
//!
//! Elements are numbered in document order, so what is inside one is a range. It must not know what its elements
//! mean to people.

use std::{ops::Range, sync::OnceLock};

use scraper::{ElementRef, Html, Selector};
use url::Url;

/// An element, by its place in document order.
pub(super) type Id = usize;

/// One document.
#[derive(Debug)]
pub(super) struct Document {
    pub url: Url,
    pub status: u16,
    source: String,
    elements: Vec<Element>,
}

#[derive(Debug)]
pub(super) struct Element {
    pub tag: String,
    pub attributes: Vec<(String, String)>,
    pub parent: Option<Id>,
    pub children: Vec<Node>,
    /// The first element after this one that is not inside it.
    end: Id,
    /// What a control holds, once it was changed.
    pub typed: Option<String>,
    /// Ticked, chosen (an option) or open (`details`, `dialog`).
    pub on: bool,
    /// Worked out once: nothing that is done to a document changes it.
    pub role: OnceLock<&'static str>,
}

#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Element(Id),
}

impl Document {
    pub(super) fn new(url: Url, status: u16, source: String) -> Self {
        let mut elements = Vec::new();
        grow(&mut elements, Html::parse_document(&source).root_element(), None);
        let mut document = Self { url, status, source, elements };
        for select in document.inside(None).filter(|&id| document.tag(id) == "select").collect::<Vec<_>>() {
            document.choose_first(select);
        }
        document
    }

    /// A drop-down always has a choice: the last that was marked, else the first that can be made.
    pub(super) fn choose_first(&mut self, select: Id) {
        if self.has(select, "multiple") {
            return;
        }
        let options = self.options(select);
        let is_list = self.attr(select, "size").is_some_and(|size| size.parse().unwrap_or(0) > 1);
        let marked = options.iter().copied().rfind(|&option| self.element(option).on);
        let first = options.iter().copied().find(|&option| !is_list && !self.has(option, "disabled"));
        for &option in &options {
            self.element_mut(option).on = Some(option) == marked.or(first);
        }
    }

    pub(super) fn element(&self, id: Id) -> &Element {
        &self.elements[id]
    }

    pub(super) fn element_mut(&mut self, id: Id) -> &mut Element {
        &mut self.elements[id]
    }

    pub(super) fn len(&self) -> usize {
        self.elements.len()
    }

    pub(super) fn tag(&self, id: Id) -> &str {
        &self.elements[id].tag
    }

    pub(super) fn attr(&self, id: Id, name: &str) -> Option<&str> {
        self.elements[id].attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn has(&self, id: Id, name: &str) -> bool {
        self.attr(id, name).is_some()
    }

    pub(super) fn parent(&self, id: Id) -> Option<Id> {
        self.elements[id].parent
    }

    /// The element itself, then those around it, from the inside out.
    pub(super) fn up(&self, id: Id) -> impl Iterator<Item = Id> {
        std::iter::successors(Some(id), |&at| self.parent(at))
    }

    /// Those around it, from the inside out.
    pub(super) fn around(&self, id: Id) -> impl Iterator<Item = Id> {
        self.up(id).skip(1)
    }

    /// All elements inside one, or of the document, in its order.
    pub(super) fn inside(&self, scope: Option<Id>) -> Range<Id> {
        scope.map_or(0..self.elements.len(), |id| id + 1..self.elements[id].end)
    }

    /// Is it this element, or inside it?
    pub(super) fn is_within(&self, outer: Id, id: Id) -> bool {
        (outer..self.elements[outer].end).contains(&id)
    }

    pub(super) fn children(&self, id: Id) -> impl Iterator<Item = Id> {
        self.elements[id].children.iter().filter_map(|node| match node {
            Node::Element(child) => Some(*child),
            Node::Text(_) => None,
        })
    }

    pub(super) fn by_id(&self, name: &str) -> Option<Id> {
        self.inside(None).find(|&id| self.attr(id, "id") == Some(name))
    }

    /// All text inside, shown or not.
    pub(super) fn text_content(&self, id: Id) -> String {
        let text = |node: &Node| match node {
            Node::Text(text) => text.clone(),
            Node::Element(child) => self.text_content(*child),
        };
        self.elements[id].children.iter().map(text).collect()
    }

    /// The elements inside a scope that a CSS selector finds; none where it cannot be read.
    pub(super) fn select(&self, selector: &str, scope: Option<Id>) -> Option<Vec<Id>> {
        let selector = Selector::parse(selector).ok()?;
        // The parsed tree is not kept: it must not leave its thread.
        let html = Html::parse_document(&self.source);
        let elements: Vec<_> = html.root_element().descendent_elements().collect();
        let around = scope.map(|id| elements[id]);
        Some(self.inside(scope).filter(|&id| selector.matches_with_scope(&elements[id], around)).collect())
    }

    // ---- controls ------------------------------------------------------------------------------------

    /// The type of an input, `text` where it has no or a strange one.
    pub(super) fn input_type(&self, id: Id) -> &'static str {
        const TYPES: [&str; 21] = [
            "hidden",
            "search",
            "tel",
            "url",
            "email",
            "password",
            "date",
            "month",
            "week",
            "time",
            "datetime-local",
            "number",
            "range",
            "color",
            "checkbox",
            "radio",
            "file",
            "submit",
            "image",
            "reset",
            "button",
        ];
        let said = self.attr(id, "type").unwrap_or_default().to_lowercase();
        TYPES.into_iter().find(|&known| known == said).unwrap_or("text")
    }

    pub(super) fn is_input(&self, id: Id, types: &[&str]) -> bool {
        self.tag(id) == "input" && types.contains(&self.input_type(id))
    }

    pub(super) fn options(&self, select: Id) -> Vec<Id> {
        self.inside(Some(select)).filter(|&id| self.tag(id) == "option").collect()
    }

    /// What HTML calls the value of an element; none where it has none.
    pub(super) fn value(&self, id: Id) -> Option<String> {
        if let Some(typed) = &self.element(id).typed {
            return Some(typed.clone());
        }
        let said = self.attr(id, "value");
        let plain = || said.unwrap_or_default().to_owned();
        match self.tag(id) {
            "input" => Some(match self.input_type(id) {
                "checkbox" | "radio" => said.unwrap_or("on").to_owned(),
                "range" => said.unwrap_or("50").to_owned(),
                "color" => said.unwrap_or("#000000").to_owned(),
                _ => plain(),
            }),
            "textarea" => Some(self.text_content(id)),
            "option" => Some(said.map_or_else(|| super::text::fold(&self.text_content(id)), str::to_owned)),
            "select" => {
                let chosen = self.options(id).into_iter().find(|&option| self.element(option).on);
                Some(chosen.and_then(|option| self.value(option)).unwrap_or_default())
            }
            "button" | "output" | "li" | "meter" | "progress" => Some(plain()),
            _ => None,
        }
    }

    /// The control that a label is for.
    pub(super) fn labelled(&self, label: Id) -> Option<Id> {
        match self.attr(label, "for") {
            Some(name) => self.by_id(name).filter(|&id| self.is_labelable(id)),
            None => self.inside(Some(label)).find(|&id| self.is_labelable(id)),
        }
    }

    fn is_labelable(&self, id: Id) -> bool {
        match self.tag(id) {
            "input" => self.input_type(id) != "hidden",
            tag => matches!(tag, "button" | "meter" | "output" | "progress" | "select" | "textarea"),
        }
    }

    /// The labels of a control.
    pub(super) fn labels(&self, control: Id) -> Vec<Id> {
        let is_label = |&id: &Id| self.tag(id) == "label" && self.labelled(id) == Some(control);
        match self.is_labelable(control) {
            true => self.inside(None).filter(is_label).collect(),
            false => Vec::new(),
        }
    }

    /// Can it not be used: by itself, by a fieldset, by ARIA, or as a part of something disabled?
    pub(super) fn is_disabled(&self, id: Id) -> bool {
        let can_be = ["button", "input", "select", "textarea", "option", "optgroup", "fieldset"];
        self.up(id).any(|at| {
            let by_itself = self.has(at, "disabled") && can_be.contains(&self.tag(at));
            let by_aria = self.attr(at, "aria-disabled") == Some("true");
            by_aria || (by_itself && (at == id || self.tag(at) != "fieldset"))
        }) || (can_be.contains(&self.tag(id)) && self.is_in_disabled_fieldset(id))
    }

    /// The first legend of a disabled fieldset stays usable.
    fn is_in_disabled_fieldset(&self, id: Id) -> bool {
        self.around(id).filter(|&at| self.tag(at) == "fieldset" && self.has(at, "disabled")).any(|fieldset| {
            let legend = self.children(fieldset).find(|&child| self.tag(child) == "legend");
            !legend.is_some_and(|legend| self.is_within(legend, id))
        })
    }
}

fn grow(elements: &mut Vec<Element>, from: ElementRef<'_>, parent: Option<Id>) -> Id {
    let id = elements.len();
    let attributes: Vec<_> =
        from.value().attrs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let is_marked = |name: &str| attributes.iter().any(|(known, _)| known == name);
    let tag = from.value().name().to_owned();
    let on = match tag.as_str() {
        "input" => is_marked("checked"),
        "option" => is_marked("selected"),
        "details" | "dialog" => is_marked("open"),
        _ => false,
    };
    elements.push(Element {
        tag,
        attributes,
        parent,
        children: Vec::new(),
        end: 0,
        typed: None,
        on,
        role: OnceLock::new(),
    });
    for child in from.children() {
        let node = match ElementRef::wrap(child) {
            Some(element) => Node::Element(grow(elements, element, Some(id))),
            None => match child.value().as_text() {
                Some(text) => Node::Text(text.to_string()),
                None => continue,
            },
        };
        elements[id].children.push(node);
    }
    elements[id].end = elements.len();
    id
}
