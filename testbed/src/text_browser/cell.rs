//! What a place of a record says.

use super::{
    document::{Document, Id, Node},
    record::stands_for_more,
    text::fold,
};
use seatwright::query::BETWEEN;

impl Document {
    /// The content of a place of a record: text, values, names of pictures. Of boxes to tick: the state of the only one, or
    /// the names of those that are ticked. `several`: the texts of its parts are values.
    pub(super) fn cell_text(&self, id: Id, several: bool) -> String {
        let is_switch = |id: Id| self.is_role(id, "checkbox");
        if is_switch(id) {
            return self.is_on(id).to_string();
        }
        let beside = |part: Id, before: &str| match several {
            true => self.is_sign(part),
            false => self.is_beside(part, before),
        };
        let mut text = fold(&self.text_without(id, true, "", &beside));
        if text.is_empty() {
            text = fold(&self.shown_text(id, true));
        }
        let is_box = |&part: &Id| (is_switch(part) || self.is_role(part, "radio")) && self.is_visible(part);
        let boxes: Vec<Id> = self.inside(Some(id)).filter(is_box).collect();
        if !boxes.is_empty() && !self.says_beyond_labels(id, &boxes, &text) {
            if let [only] = boxes[..]
                && is_switch(only)
            {
                return self.is_on(only).to_string();
            }
            let ticked = boxes.into_iter().filter(|&one| self.is_on(one)).map(|one| self.name(one));
            return ticked.filter(|name| !name.is_empty()).collect::<Vec<_>>().join(&BETWEEN.to_string());
        }
        if text.is_empty() {
            return self.icon_text(id);
        }
        let parts = if several { self.parts_of(id) } else { None };
        parts.map_or(text, |parts| parts.join(&BETWEEN.to_string()))
    }

    /// A button or link that is only a sign: to edit, copy or remove. Three dots may stand for what is not shown.
    fn is_sign(&self, id: Id) -> bool {
        let says = |letter: char| letter.is_alphanumeric() || "….⋯".contains(letter);
        matches!(self.role(id), "button" | "link")
            && self.is_action(id)
            && !self.shown_text(id, true).contains(says)
    }

    /// Is it beside a text, and no part of it: a sign, or a button after the text?
    fn is_beside(&self, id: Id, before: &str) -> bool {
        let is_button = || self.role(id) == "button" && self.is_action(id);
        let is_more = || stands_for_more(&fold(&self.shown_text(id, true)));
        self.is_sign(id) || (before.contains(char::is_alphanumeric) && is_button() && !is_more())
    }

    /// Does it only do something? What is pressed in, opened, or chosen from a list shows a value.
    fn is_action(&self, id: Id) -> bool {
        self.tag(id) != "summary" && !self.opens_list(id) && !self.has(id, "aria-pressed")
    }

    fn says_beyond_labels(&self, id: Id, boxes: &[Id], text: &str) -> bool {
        let labels = boxes.iter().flat_map(|&one| self.labels(one));
        let inside = labels.filter(|&label| self.up(label).any(|at| at == id));
        let rest = inside.fold(text.to_owned(), |rest, label| rest.replacen(&self.text(label), "", 1));
        !fold(&rest).is_empty()
    }

    /// What icons say where there is no text.
    fn icon_text(&self, id: Id) -> String {
        let is_icon = |&part: &Id| {
            (self.tag(part) == "svg" || self.has(part, "title"))
                && !self.is_field(part)
                && !matches!(self.role(part), "cell" | "gridcell" | "columnheader" | "rowheader")
                && self.is_visible(part)
        };
        let icons: Vec<Id> = std::iter::once(id).chain(self.inside(Some(id))).filter(is_icon).collect();
        let outermost = icons.iter().filter(|&&icon| !self.around(icon).any(|outer| icons.contains(&outer)));
        let says = outermost.map(|&icon| match self.attr(icon, "title") {
            Some(title) if !title.is_empty() => title.to_owned(),
            _ => self.name(icon),
        });
        fold(&says.collect::<Vec<_>>().join(" "))
    }

    /// The texts of the parts that alone make up an element: chips, items of a list.
    fn parts_of(&self, id: Id) -> Option<Vec<String>> {
        let mut parts = Vec::new();
        for node in &self.element(id).children {
            match node {
                Node::Text(text) if fold(text).chars().any(|letter| !" ,;|·".contains(letter)) => {
                    return None;
                }
                Node::Text(_) => {}
                Node::Element(child) => {
                    let text = fold(&self.text_without(*child, true, "", &|part, _| self.is_sign(part)));
                    let is_shown = self.tag(*child) != "br" && self.is_exposed(*child);
                    if is_shown && !self.is_sign(*child) && !text.is_empty() {
                        parts.push((*child, text));
                    }
                }
            }
        }
        match parts[..] {
            [] => None,
            [(only, _)] => self.parts_of(only),
            _ => Some(parts.into_iter().map(|(_, text)| text).collect()),
        }
    }
}
