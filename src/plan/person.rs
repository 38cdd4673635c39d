//! The person that an element, or a native dialog, must be about.

use serde_json::Value;

use super::scope::Scope;
use crate::{
    contract::{Code, Failure},
    playbook::{
        At, Locator,
        check::STATED_BY,
        locator::{By, Find, Name},
        template,
    },
    query as page,
};

impl Scope {
    /// The person that an element must be about: its text, or something in it, names the identity.
    pub(super) fn about(&self, find: &Find, depth: usize) -> Result<Option<page::Person>, Failure> {
        let names = find.text.iter().chain(find.has.iter().flat_map(|has| self.names_of(has, depth)));
        let names: Vec<&At<String>> = names.into_iter().collect();
        let one_of = |name: &str| names.iter().any(|text| uses(&text.value, name));
        self.named_person(one_of)
    }

    /// The person that a text must be about, if it names the user of the job.
    pub fn person_in(&self, source: &str) -> Result<Option<page::Person>, Failure> {
        self.named_person(|name| uses(source, name))
    }

    /// By the identity, or else by a name from the user's own record. `uses`: is this value in the texts?
    fn named_person(&self, uses: impl Fn(&str) -> bool) -> Result<Option<page::Person>, Failure> {
        let Some(subject) = &self.subject else { return Ok(None) };
        if uses(&format!("user.{}", subject.attribute)) {
            return self.person().map(Some);
        }
        let shown = |name: &&str| {
            let value = name.split('.').fold(&self.values["record"], |value, part| &value[part]);
            uses(&format!("record.{name}")).then(|| value.as_str().map(str::to_owned)).flatten()
        };
        let Some(name) = STATED_BY.iter().find_map(shown) else { return Ok(None) };
        let mut person = self.person()?;
        person.own.push(std::mem::replace(&mut person.identity, name));
        addresses(&self.values["record"], &mut person.own);
        Ok(Some(page::Person { ignore_case: false, ..person }))
    }

    /// The names and texts that a locator looks for anywhere in the element. One that the author finds by its own place or
    /// label (a test id, a row `E-mail …`) states the person: then the element may name other people, too. Where such an
    /// element has a `text:`, it is judged itself.
    fn names_of<'s>(&'s self, locator: &'s Locator, depth: usize) -> Vec<&'s At<String>> {
        match locator {
            _ if depth > 16 => Vec::new(),
            Locator::Named(name) => {
                self.named_target(&name.value).map_or_else(Vec::new, |inner| self.names_of(inner, depth + 1))
            }
            Locator::Any(any) => any.iter().flat_map(|one| self.names_of(one, depth + 1)).collect(),
            Locator::Find(find) => {
                let is_bare = |name: &&Name| {
                    let text = name.text.value.trim();
                    text.starts_with("{{") && text.ends_with("}}")
                };
                let name = match &find.by {
                    By::Text(name) => Some(name),
                    By::Role(_, Some(name)) | By::Label(name) | By::Title(name) => Some(name).filter(is_bare),
                    _ => None,
                };
                let inner = find.has.iter().flat_map(|has| self.names_of(has, depth + 1));
                name.map(|name| &name.text).into_iter().chain(inner).collect()
            }
        }
    }

    /// The person that the job is about.
    fn person(&self) -> Result<page::Person, Failure> {
        let subject = self.subject.as_ref();
        let subject = subject.ok_or_else(|| Failure::new(Code::Internal, "a person without a user"))?;
        let mut own = Vec::new();
        addresses(&self.values["user"], &mut own);
        own.retain(|address| *address != subject.value);
        Ok(page::Person { identity: subject.value.clone(), ignore_case: subject.ignore_case, own })
    }
}

/// Does a template use this value?
fn uses(source: &str, name: &str) -> bool {
    template::names(source).is_ok_and(|names| names.contains(name))
}

/// Every address in the data of a user.
fn addresses(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.contains('@') => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| addresses(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| addresses(field, found)),
        _ => {}
    }
}
