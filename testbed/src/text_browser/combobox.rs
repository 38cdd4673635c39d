//! Comboboxes and lists that apps make themselves (WAI-ARIA): where they are typed into, and which list is theirs.

use super::{
    document::{Document, Id},
    text::{bare_header, fold},
};
use seatwright::query::Control;

impl Document {
    pub(super) fn is_said(&self, id: Id, name: &str) -> bool {
        self.attr(id, name) == Some("true")
    }

    pub(super) fn opens_list(&self, id: Id) -> bool {
        self.attr(id, "aria-haspopup") == Some("listbox")
    }

    /// The combobox around a line of text (ARIA 1.1 put the role on a box around it).
    pub(super) fn wrapper(&self, id: Id) -> Option<Id> {
        self.around(id).find(|&outer| self.role(outer) == "combobox")
    }

    /// Where a combobox is typed into: itself, or the line in it. None: it is only opened.
    pub(super) fn line(&self, combobox: Id) -> Option<Id> {
        let is_line = |&id: &Id| {
            let is_typed = match self.tag(id) {
                "input" => !matches!(
                    self.input_type(id),
                    "hidden" | "submit" | "reset" | "button" | "image" | "file"
                ),
                tag => tag == "textarea",
            };
            is_typed && self.is_visible(id)
        };
        let itself = Some(combobox).filter(|&id| is_line(&id) || self.is_content_editable(id));
        let line = itself.or_else(|| self.inside(Some(combobox)).find(is_line));
        line.filter(|&line| !self.is_readonly(line))
    }

    /// What is chosen, what is offered, and how.
    pub(super) fn tell_combobox(&self, id: Id, control: &mut Control) {
        let line = self.line(id);
        let list = self.list_of(id);
        let typed = line.map(|line| self.value(line).unwrap_or_else(|| self.text(line)));
        let names = |ids: Vec<Id>| ids.into_iter().map(|id| self.name(id)).collect::<Vec<_>>();
        let marked = names(list.map(|list| self.marked_options(list)).unwrap_or_default());
        control.editable = line.is_some();
        control.length = typed.as_ref().map_or(0, |typed| typed.chars().count());
        control.options = names(list.map(|list| self.list_options(list)).unwrap_or_default());
        control.multiple =
            [Some(id), list].into_iter().flatten().any(|id| self.is_said(id, "aria-multiselectable"));
        // One that is typed into shows what is chosen itself: what its list marks is only where the arrow keys are.
        let by_list = list.is_some() && (control.multiple || (line.is_none() && !marked.is_empty()));
        let shown = || match typed {
            Some(typed) => typed,
            None if self.tag(id) == "input" => self.value(id).unwrap_or_default(),
            None => {
                let text = self.text(id);
                let text = if text.is_empty() { fold(&self.shown_text(id, true)) } else { text };
                bare_header(&text).to_owned()
            }
        };
        control.values = match by_list {
            true => marked,
            false => Some(shown()).filter(|shown| !shown.is_empty()).into_iter().collect(),
        };
    }

    /// The visible list of a combobox: the one that it points at, else the only one that can be its own.
    fn list_of(&self, combobox: Id) -> Option<Id> {
        let parts: Vec<Id> =
            [Some(combobox), self.line(combobox), self.wrapper(combobox)].into_iter().flatten().collect();
        let is_list =
            |&id: &Id| self.tag(id) != "select" && self.role(id) == "listbox" && self.is_visible(id);
        for pointed in parts.iter().flat_map(|&part| self.pointed(part)) {
            let list = Some(pointed).filter(is_list).or_else(|| self.inside(Some(pointed)).find(is_list));
            let is_bare = || self.is_visible(pointed) && !self.list_options(pointed).is_empty();
            if let Some(list) = list.or_else(|| is_bare().then_some(pointed)) {
                return Some(list);
            }
        }
        let told: Vec<&str> = parts.iter().filter_map(|&part| self.attr(part, "aria-expanded")).collect();
        if told.contains(&"false") {
            return None;
        }
        let is_other =
            |&id: &Id| !parts.contains(&id) && (self.role(id) == "combobox" || self.opens_list(id));
        let others: Vec<Id> = self.inside(None).filter(is_other).flat_map(|id| self.pointed(id)).collect();
        let can_be_its_own = |&list: &Id| {
            let name = self.name(list);
            // Of one that does not say whether it is open: no list that stands by itself, under a name of its own.
            let may_pop = !told.is_empty() || name.is_empty() || name == self.name(combobox);
            is_list(&list) && !others.contains(&list) && may_pop
        };
        let mut free = self.inside(None).filter(can_be_its_own);
        free.next().filter(|_| free.next().is_none())
    }

    fn pointed(&self, id: Id) -> Vec<Id> {
        let named = ["aria-controls", "aria-owns"].into_iter().filter_map(|name| self.attr(id, name));
        named.flat_map(str::split_whitespace).filter_map(|name| self.by_id(name)).collect()
    }

    /// What a list offers.
    pub(super) fn list_options(&self, list: Id) -> Vec<Id> {
        let is_option = |&part: &Id| self.role(part) == "option" && self.is_visible(part);
        self.inside(Some(list)).filter(is_option).collect()
    }

    /// What is chosen in it.
    pub(super) fn marked_options(&self, list: Id) -> Vec<Id> {
        let is_chosen = |&id: &Id| self.is_said(id, "aria-selected") || self.is_said(id, "aria-checked");
        self.list_options(list).into_iter().filter(is_chosen).collect()
    }
}
