//! Finding: from a target to elements, strictly or leniently.

use super::{
    document::{Document, Id, Node},
    text::{Matcher, bare_label, fold},
};
use seatwright::query::{By, Condition, Query, Refusal, RefusalKind, State, Target, TextMatch};

/// A question that cannot be answered, and why.
#[derive(Debug)]
pub(super) struct Miss {
    pub refusal: Refusal,
    /// Another alternative does not help either.
    is_final: bool,
}

impl Miss {
    pub(super) fn new(kind: RefusalKind, message: impl Into<String>, mut candidates: Vec<String>) -> Self {
        candidates.truncate(8);
        Self { refusal: Refusal { kind, message: message.into(), candidates }, is_final: false }
    }

    fn last_word(self) -> Self {
        Self { is_final: true, ..self }
    }
}

/// How strictly is looked.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Look {
    /// What is around must be exactly one element.
    Strict,
    /// All that is around is searched.
    Lenient,
    /// For those that match but cannot be seen.
    Hidden,
}

/// Where tests put their names for elements.
pub(super) const TEST_IDS: [&str; 4] = ["data-testid", "data-test-id", "data-test", "data-cy"];

impl Document {
    /// The one visible element of a target.
    pub(super) fn one(&self, target: &Target, scope: Option<Id>) -> Result<Id, Miss> {
        let mut worst: Option<Miss> = None;
        let mut chosen: Option<(&Query, Id)> = None;
        for query in &target.any {
            match (self.only(query, scope), chosen) {
                (Ok(id), _) if !target.agree => return Ok(id),
                (Ok(id), Some((first, other))) if other != id => {
                    let message = format!(
                        "{} and {} are not the same element",
                        self.say_query(first),
                        self.say_query(query)
                    );
                    let both = [other, id].map(|id| self.describe_where(id)).into();
                    return Err(Miss::new(RefusalKind::Disagree, message, both).last_word());
                }
                (Ok(id), _) => chosen = chosen.or(Some((query, id))),
                (Err(miss), _) if miss.is_final => return Err(miss),
                (Err(miss), _) => {
                    // Two that match say more of what is wrong than none.
                    let is_nothing = |kind| {
                        matches!(kind, RefusalKind::NotFound | RefusalKind::NamesOthers | RefusalKind::Hidden)
                    };
                    let says_more = worst
                        .as_ref()
                        .is_none_or(|worst| is_nothing(worst.refusal.kind) && !is_nothing(miss.refusal.kind));
                    if says_more {
                        worst = Some(miss);
                    }
                }
            }
        }
        let nothing = || Miss::new(RefusalKind::NotFound, "the target has no locator", Vec::new());
        chosen.map(|(_, id)| id).ok_or_else(|| worst.unwrap_or_else(nothing))
    }

    fn only(&self, query: &Query, scope: Option<Id>) -> Result<Id, Miss> {
        let found = self.find(query, scope, Look::Strict)?;
        match found[..] {
            [id] => Ok(id),
            [] => Err(self.nothing(query, scope)),
            _ => {
                let message = format!("{} elements match {}", found.len(), self.say_query(query));
                let candidates = found.iter().take(8).map(|&id| self.describe_where(id)).collect();
                Err(Miss::new(RefusalKind::Ambiguous, message, candidates))
            }
        }
    }

    /// Nothing visible matched: did something hidden, and what came near?
    pub(super) fn nothing(&self, query: &Query, scope: Option<Id>) -> Miss {
        if let Some(person) = &query.about
            && let Ok(found) = self.find(&Query { about: None, ..query.clone() }, scope, Look::Strict)
            && let [only] = &found[..]
            && let Some(why) = person.trouble(&self.seen_text(*only))
        {
            let kind = match why.starts_with("also names") {
                true => RefusalKind::NamesOthers,
                false => RefusalKind::NotFound,
            };
            return Miss::new(kind, format!("{} {why}", self.describe(*only)), Vec::new());
        }
        if let By::Record(record) = &query.by
            && query.within.is_none()
            && let Some(unseen) = self.hidden_identity(record, scope)
        {
            let message = format!("{}: {unseen}", self.say_query(query));
            return Miss::new(RefusalKind::Hidden, message, Vec::new());
        }
        let anywhere = Query { nth: None, ..query.clone() };
        let hidden = self.find(&anywhere, scope, Look::Hidden).unwrap_or_default();
        let said = self.say_query(query);
        if hidden.is_empty() {
            return Miss::new(RefusalKind::NotFound, format!("no {said}"), self.near(query, scope));
        }
        let candidates = hidden.into_iter().take(8).map(|id| self.describe_where(id)).collect();
        Miss::new(RefusalKind::Hidden, format!("{said} is on the page, but not visible"), candidates)
    }

    /// All visible elements of the first alternative that has any.
    pub(super) fn any(&self, target: &Target, scope: Option<Id>) -> Result<Vec<Id>, Miss> {
        for query in &target.any {
            match self.find(query, scope, Look::Lenient) {
                Ok(found) if !found.is_empty() => return Ok(found),
                Err(miss) if miss.is_final => return Err(miss),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(Vec::new())
    }

    /// In document order.
    pub(super) fn find(&self, query: &Query, scope: Option<Id>, look: Look) -> Result<Vec<Id>, Miss> {
        let scopes = match &query.within {
            None => vec![scope],
            Some(outer) if look == Look::Lenient => self.any(outer, scope)?.into_iter().map(Some).collect(),
            Some(outer) => vec![Some(self.one(outer, scope)?)],
        };
        let mut found = Vec::new();
        for inside in scopes {
            found.extend(self.candidates(&query.by, inside, look)?);
        }
        found.sort_unstable();
        found.dedup();
        if let Some(text) = &query.text {
            let wanted = Matcher::new(text);
            found.retain(|&id| wanted.matches(&self.text(id)));
        }
        if let Some(person) = &query.about {
            found.retain(|&id| person.trouble(&self.seen_text(id)).is_none());
        }
        if let Some(under) = &query.under {
            let parts = self.parts_under(&Matcher::new(under));
            found.retain(|&id| parts.iter().any(|&(from, to)| from < id && to.is_none_or(|to| id < to)));
        }
        for inner in &query.has {
            let mut kept = Vec::new();
            for id in found {
                match self.find(inner, Some(id), Look::Lenient) {
                    Ok(parts) if !parts.is_empty() => kept.push(id),
                    Err(miss) if miss.is_final => return Err(miss),
                    Ok(_) | Err(_) => {}
                }
            }
            found = kept;
        }
        Ok(match query.nth {
            Some(nth) => found.into_iter().skip(nth as usize).take(1).collect(),
            None => found,
        })
    }

    /// Each heading of this name, and the next one of its level or a higher one.
    pub(super) fn parts_under(&self, wanted: &Matcher) -> Vec<(Id, Option<Id>)> {
        let all: Vec<Id> =
            self.inside(None).filter(|&id| self.is_role(id, "heading") && self.is_visible(id)).collect();
        let next = |index: usize, level: u32| {
            all[index + 1..].iter().copied().find(|&other| self.level(other) <= level)
        };
        let is_meant =
            |&(_, &id): &(usize, &Id)| wanted.matches(&self.name(id)) || wanted.matches(&self.text(id));
        all.iter()
            .enumerate()
            .filter(is_meant)
            .map(|(index, &id)| (id, next(index, self.level(id))))
            .collect()
    }

    fn level(&self, heading: Id) -> u32 {
        let said = self.attr(heading, "aria-level").and_then(|level| level.parse().ok());
        let by_tag = || self.tag(heading).strip_prefix('h').and_then(|level| level.parse().ok());
        said.or_else(by_tag).unwrap_or(2)
    }

    fn candidates(&self, by: &By, scope: Option<Id>, look: Look) -> Result<Vec<Id>, Miss> {
        let seen = |id: Id| self.is_visible(id) != (look == Look::Hidden);
        let all = |is_so: &dyn Fn(Id) -> bool| -> Vec<Id> {
            self.inside(scope).filter(|&id| is_so(id) && seen(id)).collect()
        };
        let with_attribute = |name: &str, text: &TextMatch| {
            let wanted = Matcher::new(text);
            all(&|id| self.attr(id, name).is_some_and(|said| wanted.matches(&fold(said))))
        };
        Ok(match by {
            By::Role { role, name } => {
                let wanted = name.as_ref().map(Matcher::new);
                all(&|id| {
                    self.is_role(id, role)
                        && wanted.as_ref().is_none_or(|wanted| self.is_called(id, role, wanted))
                })
            }
            By::Label(text) => self.by_label(text, scope, &seen),
            By::Text(text) => {
                let mut found = Vec::new();
                let tops: Vec<Id> = scope.map_or(vec![0], |scope| self.children(scope).collect());
                for top in tops {
                    self.by_text(top, &Matcher::new(text), look, &mut found);
                }
                if found.is_empty() && look != Look::Hidden {
                    // A text beside other elements: `<p><a>1</a> <a>2</a> 300 users</p>`.
                    let wanted = Matcher::new(text);
                    found = all(&|id| self.own_text(id, &wanted).is_some());
                }
                found
            }
            By::TestId(wanted) => {
                all(&|id| TEST_IDS.iter().any(|name| self.attr(id, name) == Some(wanted.as_str())))
            }
            By::Placeholder(text) => with_attribute("placeholder", text),
            By::Frame(text) => with_attribute("title", text),
            By::Title(text) => with_attribute("title", text),
            By::Css(selector) => {
                let found = self.select(selector, scope).ok_or_else(|| unreadable(selector))?;
                found.into_iter().filter(|&id| seen(id)).collect()
            }
            By::Xpath(expression) => return Err(unreadable(expression)),
            By::Record(record) => match look {
                Look::Hidden => Vec::new(),
                Look::Strict | Look::Lenient => {
                    self.by_record(record, scope)?.into_iter().filter(|&id| seen(id)).collect()
                }
            },
        })
    }

    /// Some roles have no name of their own: they are called by what they say.
    fn is_called(&self, id: Id, role: &str, wanted: &Matcher) -> bool {
        let says = matches!(
            role,
            "alert" | "status" | "row" | "listitem" | "cell" | "gridcell" | "columnheader" | "rowheader"
        );
        wanted.matches(&self.name(id)) || (says && wanted.matches(&self.text(id)))
    }

    /// Form controls, those that apps make, and groups of them.
    pub(super) fn is_field(&self, id: Id) -> bool {
        match self.tag(id) {
            "input" => !self.is_input(id, &["hidden", "submit", "reset", "button", "image"]),
            "textarea" | "select" | "fieldset" | "meter" | "progress" => true,
            "button" => self.attr(id, "aria-haspopup") == Some("listbox"),
            _ => {
                const ROLES: [&str; 11] = [
                    "textbox",
                    "searchbox",
                    "combobox",
                    "listbox",
                    "checkbox",
                    "switch",
                    "radio",
                    "spinbutton",
                    "slider",
                    "group",
                    "radiogroup",
                ];
                self.is_content_editable(id)
                    || self.attr(id, "role").is_some_and(|_| ROLES.contains(&self.role(id)))
            }
        }
    }

    pub(super) fn is_group(&self, id: Id) -> bool {
        self.tag(id) == "fieldset" || matches!(self.role(id), "group" | "radiogroup")
    }

    fn by_label(&self, text: &TextMatch, scope: Option<Id>, seen: &dyn Fn(Id) -> bool) -> Vec<Id> {
        let wanted = Matcher::baring(text, bare_label);
        let labels_say = |id| self.label_texts(id).iter().any(|label| wanted.matches(label));
        let is_meant =
            |&id: &Id| self.is_field(id) && (wanted.matches(&self.name(id)) || labels_say(id)) && seen(id);
        let mut found: Vec<Id> = self.inside(scope).filter(is_meant).collect();
        // A radio group in a fieldset of the same name is what is meant, not the fieldset around it; a combobox, not
        // its line.
        let whole = found.clone();
        found.retain(|&field| {
            let holds = |&other: &Id| other != field && self.is_within(field, other);
            let is_around = self.is_group(field) && whole.iter().any(holds);
            !is_around && !self.wrapper(field).is_some_and(|outer| whole.contains(&outer))
        });
        found
    }

    /// What people read as labels of a field, beside its accessible name.
    pub(super) fn label_texts(&self, field: Id) -> Vec<String> {
        let labels: Vec<String> = self.labels(field).into_iter().map(|label| self.text(label)).collect();
        match labels.is_empty() && self.name(field).is_empty() {
            true => self.text_before(field).into_iter().chain(self.head_of_row(field)).collect(),
            false => labels,
        }
    }

    fn has_field(&self, id: Id) -> bool {
        self.is_field(id) || self.children(id).any(|child| self.has_field(child))
    }

    /// The text directly before a field.
    fn text_before(&self, field: Id) -> Option<String> {
        let siblings = &self.element(self.parent(field)?).children;
        let is_field = |node: &Node| matches!(node, Node::Element(id) if *id == field);
        for node in siblings.iter().rev().skip_while(|node| !is_field(node)).skip(1) {
            let text = match node {
                Node::Text(text) => fold(text),
                // What belongs to another field is not this one's.
                Node::Element(id) if self.tag(*id) == "br" || self.has_field(*id) => return None,
                Node::Element(id) if self.is_exposed(*id) => self.text(*id),
                Node::Element(_) => continue,
            };
            if !text.is_empty() {
                return Some(text);
            }
        }
        None
    }

    /// The innermost elements with this text. Was it, or something in it, found?
    fn by_text(&self, id: Id, wanted: &Matcher, look: Look, found: &mut Vec<Id>) -> bool {
        let is_hidden_wanted = look == Look::Hidden;
        if self.is_unread(id) || (!is_hidden_wanted && !self.is_exposed(id)) {
            return false;
        }
        let inner: Vec<bool> =
            self.children(id).map(|child| self.by_text(child, wanted, look, found)).collect();
        if inner.contains(&true) {
            return true;
        }
        let text = if is_hidden_wanted { fold(&self.text_content(id)) } else { self.text(id) };
        let is_found = wanted.matches(&text) && self.is_visible(id) != is_hidden_wanted;
        if is_found {
            found.push(id);
        }
        is_found
    }

    /// Does a condition hold now?
    pub(super) fn holds(&self, condition: &Condition) -> Result<bool, Miss> {
        let found = self.any(&condition.target, None)?;
        Ok(match condition.state {
            State::Visible => !found.is_empty(),
            State::Hidden => found.is_empty(),
            State::Enabled => found.iter().any(|&id| !self.is_disabled(id)),
            State::Disabled => !found.is_empty() && found.iter().all(|&id| self.is_disabled(id)),
        })
    }
}

fn unreadable(selector: &str) -> Miss {
    let message = format!("the page cannot read the selector {}", super::text::quote(selector));
    Miss::new(RefusalKind::BadSelector, message, Vec::new()).last_word()
}
