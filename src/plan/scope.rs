//! What names mean while a job is done: values for templates, elements for locators.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use super::{Source, Subject};
use crate::{
    contract::{Code, Failure},
    playbook::{
        At, Condition, Locator, Names,
        check::USER_ROW,
        locator::{By, Find, Name},
        syntax::{self, Column},
        template::{self, TemplateError},
    },
    ports::driver::{self as page, ColumnAt, Query, State, Target, TextMatch},
};

/// The values that templates see, and the playbook whose targets they name.
#[derive(Debug, Clone)]
pub struct Scope {
    source: Arc<Source>,
    subject: Option<Subject>,
    values: Value,
}

impl Scope {
    pub(super) fn new(source: Arc<Source>, subject: Option<Subject>, values: Value) -> Self {
        Self { source, subject, values }
    }

    /// Names a value that was read from a page, or worked out after reading.
    pub fn set(&mut self, name: &str, value: Value) {
        if let Some(values) = self.values.as_object_mut() {
            values.insert(name.to_owned(), value);
        }
    }

    /// What entitlements the user shall have in the end: `entitlements.role`.
    pub fn set_entitlements(&mut self, wanted: &BTreeMap<String, Value>) {
        let mut all: serde_json::Map<String, Value> =
            self.source.playbook.entitlements.names().map(|name| (name.to_owned(), Value::Null)).collect();
        all.extend(wanted.iter().map(|(kind, value)| (kind.clone(), value.clone())));
        self.set("entitlements", Value::Object(all));
    }

    /// The text that a template gives.
    pub fn text(&self, text: &At<String>) -> Result<String, Failure> {
        template::render(&text.value, &self.values).map_err(|error| self.refused(text, error))
    }

    /// What a template gives, be it a list or nothing.
    pub fn value(&self, text: &At<String>) -> Result<Value, Failure> {
        template::evaluate(&text.value, &self.values).map_err(|error| self.refused(text, error))
    }

    fn refused(&self, text: &At<String>, error: TemplateError) -> Failure {
        let place = self.source.place(text.span);
        match error {
            TemplateError::Missing(name) => Failure::new(
                Code::MissingAttribute,
                format!("`{}` needs `{name}`, which the job does not carry", text.value),
            )
            .hint(format!(
                "send `{name}`, or make the step depend on it: `when: {{ given: \"{{{{ {name} }}}}\" }}`"
            ))
            .at("template", place),
            TemplateError::Bad(reason) => {
                Failure::new(Code::InvalidValue, format!("`{}` gives nothing: {reason}", text.value))
                    .at("template", place)
            }
        }
    }

    /// The element that a locator means. `agree`: all alternatives that resolve must be the same element.
    pub fn target(&self, locator: &Locator, agree: bool) -> Result<Target, Failure> {
        let mut any = Vec::new();
        self.alternatives(locator, &mut any, 0)?;
        Ok(Target { any, agree, frame: Vec::new() })
    }

    fn alternatives(&self, locator: &Locator, any: &mut Vec<Query>, depth: usize) -> Result<(), Failure> {
        if depth > 16 {
            return Err(Failure::new(Code::PlaybookInvalid, "targets name each other in a circle"));
        }
        match locator {
            Locator::Named(name) if name.value == USER_ROW => any.push(self.user_row()?),
            Locator::Named(name) => match self.source.playbook.targets.get(&name.value) {
                Some(target) => self.alternatives(target, any, depth + 1)?,
                None => {
                    return Err(Failure::new(
                        Code::PlaybookInvalid,
                        format!("there is no target `{}`", name.value),
                    ));
                }
            },
            Locator::Any(locators) => {
                for locator in locators {
                    self.alternatives(locator, any, depth + 1)?;
                }
            }
            Locator::Find(find) => any.push(self.query(find)?),
        }
        Ok(())
    }

    /// The record in which the user was read.
    fn user_row(&self) -> Result<Query, Failure> {
        let bug = |what: &str| Failure::new(Code::Internal, format!("`user row` without {what}"));
        let subject = self.subject.as_ref().ok_or_else(|| bug("a user"))?;
        let find = self.source.playbook.find_user.as_ref().ok_or_else(|| bug("find_user"))?;
        let view = self.source.playbook.views.get(&find.view.value).ok_or_else(|| bug("its view"))?;
        let column = view.columns.get(&subject.attribute).ok_or_else(|| bug("an identity column"))?;
        Ok(Query::new(page::By::Record(Box::new(page::RecordQuery {
            rows: self.rows(&view.rows)?,
            column: self.column(column)?,
            equals: subject.value.clone(),
            ignore_case: subject.ignore_case,
        }))))
    }

    /// The record of the user, as something that may be there or not.
    pub fn user_record(&self) -> Result<Target, Failure> {
        self.user_row().map(Target::from)
    }

    fn query(&self, find: &Find) -> Result<Query, Failure> {
        let name = |name: &Name| self.name(name, find.exact);
        let by = match &find.by {
            By::Role(role, named) => {
                page::By::Role { role: (*role).to_owned(), name: named.as_ref().map(name).transpose()? }
            }
            By::Label(label) => page::By::Label(name(label)?),
            By::Text(text) => page::By::Text(name(text)?),
            By::TestId(id) => page::By::TestId(self.text(id)?),
            By::Placeholder(text) => page::By::Placeholder(name(text)?),
            By::Title(text) => page::By::Title(name(text)?),
            By::Css(selector) => page::By::Css(selector.value.clone()),
            By::Xpath(path) => page::By::Xpath(path.value.clone()),
        };
        let mut has = Vec::new();
        if let Some(locator) = &find.has {
            self.alternatives(locator, &mut has, 1)?;
        }
        Ok(Query {
            by,
            within: find.within.as_ref().map(|l| self.target(l, false).map(Box::new)).transpose()?,
            has,
            text: find.text.as_ref().map(|text| self.text(text).map(TextMatch::Whole)).transpose()?,
            nth: find.nth.as_ref().map(|n| n.value),
        })
    }

    fn name(&self, name: &Name, exact: bool) -> Result<TextMatch, Failure> {
        let text = self.text(&name.text)?;
        Ok(match (name.pattern, exact) {
            (true, _) => TextMatch::Glob(text),
            (false, true) => TextMatch::Exact(text),
            (false, false) => TextMatch::Contains(text),
        })
    }

    /// What is asked of the page. `None`: the condition is about the job's data, and `holds` says how it is.
    pub fn condition(&self, condition: &Condition) -> Result<Asked, Failure> {
        Ok(match condition {
            Condition::Visible(locator) => {
                Asked::Page(page::Condition { target: self.target(locator, false)?, state: State::Visible })
            }
            Condition::Not(inner) => match self.condition(inner)? {
                Asked::Known(holds) => Asked::Known(!holds),
                Asked::Page(page::Condition { target, state }) => {
                    let state = if state == State::Hidden { State::Visible } else { State::Hidden };
                    Asked::Page(page::Condition { target, state })
                }
            },
            Condition::Given(text) => Asked::Known(given(&self.value(text)?)),
        })
    }

    /// A view as the page is asked for it.
    pub fn view(&self, view: &syntax::View) -> Result<page::View, Failure> {
        Ok(page::View { rows: self.rows(&view.rows)?, columns: self.columns(&view.columns)? })
    }

    fn columns(&self, columns: &Names<Column>) -> Result<Vec<page::Column>, Failure> {
        columns
            .iter()
            .map(|(name, column)| Ok(page::Column { name: name.value.clone(), at: self.column(column)? }))
            .collect()
    }

    fn column(&self, column: &Column) -> Result<ColumnAt, Failure> {
        match (&column.column, &column.cell) {
            (Some(header), _) => Ok(ColumnAt::Header(TextMatch::Exact(header.value.clone()))),
            (None, Some(cell)) => self.first(cell).map(ColumnAt::Cell),
            (None, None) => Err(Failure::new(Code::PlaybookInvalid, "a column that says nowhere")),
        }
    }

    fn rows(&self, rows: &syntax::Rows) -> Result<page::Rows, Failure> {
        Ok(page::Rows {
            within: self.target(&rows.within, false)?,
            each: rows.each.as_ref().map(|each| self.first(each)).transpose()?,
        })
    }

    fn first(&self, locator: &Locator) -> Result<Query, Failure> {
        let mut any = Vec::new();
        self.alternatives(locator, &mut any, 0)?;
        any.into_iter()
            .next()
            .ok_or_else(|| Failure::new(Code::PlaybookInvalid, "a locator without alternatives"))
    }
}

/// A condition: known already, or to be asked of the page.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    Known(bool),
    Page(page::Condition),
}

fn given(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::String(s) => !s.trim().is_empty() && s != "false",
        Value::Array(items) => !items.is_empty(),
        Value::Number(_) | Value::Object(_) => true,
    }
}
