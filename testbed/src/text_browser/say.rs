//! Words for people: elements, queries, and what came near.

use super::{
    document::{Document, Id},
    find::TEST_IDS,
    text::{bare_label, clip, essence, fold, nearest, quote, say_match},
};
use seatwright::query::{By, Condition, Query, State, Target, TextMatch};

/// What has a place, for `in row "ada@example.org"`.
const PLACES: [&str; 13] = [
    "row",
    "listitem",
    "dialog",
    "alertdialog",
    "form",
    "region",
    "navigation",
    "article",
    "menu",
    "tabpanel",
    "group",
    "radiogroup",
    "table",
];

/// Roles that people call by a name.
const CALLED: [&str; 12] = [
    "button",
    "link",
    "tab",
    "menuitem",
    "option",
    "dialog",
    "alertdialog",
    "heading",
    "table",
    "grid",
    "alert",
    "status",
];

impl Document {
    /// `button "Save"`.
    pub(super) fn describe(&self, id: Id) -> String {
        let role = self.role(id);
        if matches!(role, "" | "generic" | "presentation" | "none" | "paragraph") {
            let said = self.attr(id, "aria-label").map(fold).filter(|said| !said.is_empty());
            let (kind, name) = match self.tag(id) {
                "input" => (format!("{} field", self.input_type(id)), self.name(id)),
                _ => (self.say_tag(id), said.unwrap_or_else(|| self.text(id))),
            };
            return if name.is_empty() { kind } else { format!("{kind} \"{}\"", clip(&name, 60)) };
        }
        let mut name = self.name(id);
        if name.is_empty()
            && matches!(role, "alert" | "status" | "listitem" | "row" | "dialog" | "alertdialog")
        {
            name = self.text(id);
        }
        if name.is_empty() {
            format!("{role} without a name")
        } else {
            format!("{role} \"{}\"", clip(&name, 60))
        }
    }

    fn say_tag(&self, id: Id) -> String {
        let class = || self.attr(id, "class").and_then(|classes| classes.split_whitespace().next());
        let by_class = || class().map(|class| format!(".{class}")).unwrap_or_default();
        let mark = self.attr(id, "id").map_or_else(by_class, |name| format!("#{name}"));
        format!("<{}{}>", self.tag(id), clip(&mark, 40))
    }

    /// With where it stands: `button "Edit" in row "ada@example.org Ada"`.
    pub(super) fn describe_where(&self, id: Id) -> String {
        let named = |outer: Id| match self.name(outer) {
            name if name.is_empty() && matches!(self.role(outer), "listitem" | "row" | "article") => {
                self.text(outer)
            }
            name => name,
        };
        let said = self.describe(id);
        let place = self
            .around(id)
            .filter(|&outer| PLACES.contains(&self.role(outer)) || self.role(outer) == "main")
            .map(|outer| (outer, named(outer)))
            .find(|(_, name)| !name.is_empty());
        if let Some((outer, name)) = place {
            return format!("{said} in {} \"{}\"", self.role(outer), clip(&name, 60));
        }
        let is_above = |&other: &Id| {
            self.role(other) == "heading" && self.is_visible(other) && !self.is_within(other, id)
        };
        match (0..id).rev().find(is_above) {
            Some(heading) => format!("{said} under heading \"{}\"", clip(&self.name(heading), 60)),
            None => said,
        }
    }

    /// `button "Save" in dialog "Edit member"`.
    pub(super) fn say_query(&self, query: &Query) -> String {
        let mut said = match &query.by {
            By::Role { role, name: None } => role.clone(),
            By::Role { role, name: Some(name) } => format!("{role} {}", say_match(name)),
            By::Label(text) => format!("field labelled {}", say_match(text)),
            By::Text(text) => format!("text {}", say_match(text)),
            By::TestId(text) => format!("test id {}", quote(text)),
            By::Placeholder(text) => format!("placeholder {}", say_match(text)),
            By::Frame(text) => format!("frame {}", say_match(text)),
            By::Title(text) => format!("title {}", say_match(text)),
            By::Css(text) => format!("css {}", quote(text)),
            By::Xpath(text) => format!("xpath {}", quote(text)),
            By::Record(record) => format!("record {}", quote(&record.equals)),
        };
        if let Some(text) = &query.text {
            said += &format!(" with text {}", say_match(text));
        }
        if let Some(under) = &query.under {
            said += &format!(" under heading {}", say_match(under));
        }
        for inner in &query.has {
            said += &format!(" that has {}", self.say_query(inner));
        }
        if let Some(nth) = query.nth {
            said += &format!(" number {}", nth + 1);
        }
        match &query.within {
            Some(outer) => format!("{said} in {}", self.say_target(outer)),
            None => said,
        }
    }

    pub(super) fn say_target(&self, target: &Target) -> String {
        target.any.iter().map(|query| self.say_query(query)).collect::<Vec<_>>().join(" or ")
    }

    pub(super) fn say_condition(&self, condition: &Condition) -> String {
        let state = match condition.state {
            State::Visible => "",
            State::Hidden => " (hidden)",
            State::Enabled => " (enabled)",
            State::Disabled => " (disabled)",
        };
        format!("{}{state}", self.say_target(&condition.target))
    }

    /// What may have been meant: the same kind by a near name, the same name in another kind, else what is there.
    pub(super) fn near(&self, query: &Query, scope: Option<Id>) -> Vec<String> {
        let inside = match &query.within {
            Some(outer) => match self.one(outer, scope) {
                Ok(outer) => Some(outer),
                Err(_) => return Vec::new(),
            },
            None => scope,
        };
        let visible = |is_so: &dyn Fn(Id) -> bool| -> Vec<Id> {
            self.inside(inside).filter(|&id| is_so(id) && self.is_visible(id)).collect()
        };
        let say = |found: Vec<Id>| found.into_iter().take(8).map(|id| self.describe_where(id)).collect();
        let with_attribute = |name: &str, text: &TextMatch| {
            let said = |id: &Id| self.attr(*id, name).unwrap_or_default().to_owned();
            let near = nearest(&essence(text), visible(&|id| self.has(id, name)), said);
            near.into_iter()
                .map(|id| format!("{} with {name} {}", self.describe(id), quote(&said(&id))))
                .collect()
        };
        match &query.by {
            By::Role { name: None, .. } => {
                let mut roles: Vec<String> = Vec::new();
                for role in visible(&|id| !self.role(id).is_empty()).into_iter().map(|id| self.role(id)) {
                    if !roles.iter().any(|known| known == role) {
                        roles.push(role.to_owned());
                    }
                }
                roles
            }
            By::Role { role, name: Some(name) } => {
                let named = |id: &Id| self.name(*id);
                let peers = visible(&|id| self.is_role(id, role));
                let close = nearest(&essence(name), peers.clone(), named);
                if !close.is_empty() {
                    return say(close);
                }
                let is_called = |id| CALLED.contains(&self.role(id)) || self.is_field(id);
                let called = nearest(&essence(name), visible(&is_called), named);
                say(if called.is_empty() { peers } else { called })
            }
            By::Label(text) => {
                let fields = visible(&|id| self.is_field(id));
                let called = |id: Id| match self.name(id) {
                    name if name.is_empty() => self.label_texts(id).into_iter().next().unwrap_or_default(),
                    name => name,
                };
                let close = nearest(&essence(text), fields.clone(), |&id| bare_label(&called(id)).to_owned());
                say(if close.is_empty() { fields } else { close })
            }
            By::Text(text) => {
                let leaves = visible(&|id| self.children(id).next().is_none() && !self.text(id).is_empty());
                let near = nearest(&essence(text), leaves, |&id| self.text(id));
                near.into_iter().map(|id| quote(&self.text(id))).collect()
            }
            By::Placeholder(text) => with_attribute("placeholder", text),
            By::Title(text) => with_attribute("title", text),
            By::TestId(text) => {
                let ids = visible(&|_| true).into_iter();
                let ids = ids.flat_map(|id| TEST_IDS.iter().filter_map(move |name| self.attr(id, name)));
                let near = nearest(text, ids.collect(), |id: &&str| (*id).to_owned());
                near.into_iter().map(quote).collect()
            }
            By::Record(record) => self.near_records(record, inside).unwrap_or_default(),
            By::Css(_) | By::Xpath(_) | By::Frame(_) => Vec::new(),
        }
    }
}
