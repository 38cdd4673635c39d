//! The meaning of names during a job: values for templates, and elements for locators.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use super::{
    condition::{ResolvedCondition, given},
    source::{Source, Subject},
};
use crate::{
    contract::{Code, Failure, UserRecord},
    playbook::{
        At, Condition, LoadedModule, Locator, Names, Span,
        check::USER_ROW,
        locator::{By, Find, Name},
        step::Use,
        syntax::{self, Column, Module, Parameter},
        template::{self, TemplateError},
    },
    query as page,
    query::{ColumnAt, Query, State, Target, TextMatch},
};

/// The values for templates, and the playbook or module with the targets.
#[derive(Debug, Clone)]
pub struct Scope {
    pub(super) source: Arc<Source>,
    /// The module whose steps are running.
    module: Option<Arc<LoadedModule>>,
    pub(super) subject: Option<Subject>,
    pub(super) values: Value,
}

/// The frames around an element, from the top document inwards, and the query inside the last frame.
pub(super) type Placed = (Vec<Target>, Query);

impl Scope {
    pub(super) fn new(source: Arc<Source>, subject: Option<Subject>, values: Value) -> Self {
        Self { source, module: None, subject, values }
    }

    /// Adds a named value.
    pub fn set(&mut self, name: &str, value: Value) {
        if let Some(values) = self.values.as_object_mut() {
            values.insert(name.to_owned(), value);
        }
    }

    /// Sets the entitlements of the user after the job: `entitlements.role`.
    pub fn set_entitlements(&mut self, wanted: &BTreeMap<String, Value>) {
        self.set_by_kind("entitlements", wanted);
    }

    /// Sets the entitlements that the job names: `asked.role`. A grant adds them, a revoke removes them.
    pub fn set_asked(&mut self, asked: &BTreeMap<String, Value>) {
        self.set_by_kind("asked", asked);
    }

    /// Sets what the app shows of the user before anything is done: `record.displayName`.
    pub fn set_record(&mut self, record: &UserRecord) {
        let mut all = serde_json::Map::from_iter([("userName".to_owned(), record.user_name.clone().into())]);
        for (name, value) in &record.attributes {
            let (first, rest) = name.split_once('.').map_or((name.as_str(), None), |(a, b)| (a, Some(b)));
            match rest {
                None => drop(all.insert(first.to_owned(), value.clone().into())),
                Some(rest) => {
                    let inner = all.entry(first).or_insert_with(|| Value::Object(serde_json::Map::new()));
                    inner.as_object_mut().map(|inner| inner.insert(rest.to_owned(), value.clone().into()));
                }
            }
        }
        self.set("record", Value::Object(all));
    }

    fn set_by_kind(&mut self, name: &str, values: &BTreeMap<String, Value>) {
        let mut all: serde_json::Map<String, Value> =
            self.source.playbook.entitlements.names().map(|name| (name.to_owned(), Value::Null)).collect();
        all.extend(values.iter().map(|(kind, value)| (kind.clone(), value.clone())));
        self.set(name, Value::Object(all));
    }

    /// The scope of a module's steps: its parameters and its own targets.
    pub fn inside(&self, module: &Arc<LoadedModule>, with: serde_json::Map<String, Value>) -> Self {
        let values = serde_json::json!({ "with": with, "account": self.values["account"] });
        Self { module: Some(Arc::clone(module)), values, ..self.clone() }
    }

    /// The values of a module's parameters.
    pub fn parameters(&self, module: &Module, call: &Use) -> Result<serde_json::Map<String, Value>, Failure> {
        let given = |(name, parameter): &(At<String>, Parameter)| {
            Ok((name.value.clone(), self.parameter(call, name, parameter)?))
        };
        module.parameters.iter().map(given).collect()
    }

    /// The value of one parameter of a module.
    pub(super) fn parameter(
        &self,
        call: &Use,
        name: &At<String>,
        parameter: &Parameter,
    ) -> Result<Value, Failure> {
        let value = match (call.with.get(&name.value), &parameter.default) {
            (Some(given), _) => self.value(given)?,
            (None, Some(default)) => Value::from(default.value.clone()),
            (None, None) => Value::Null,
        };
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if let Some(pattern) = &parameter.pattern
            && !regex::Regex::new(&format!("^(?:{})$", pattern.value)).is_ok_and(|p| p.is_match(&shown))
        {
            let message = format!(
                "`{}` of the module `{}` is `{shown}`, which does not match `{}`",
                name.value, call.module.value, pattern.value
            );
            return Err(Failure::new(Code::InvalidValue, message).at("use", self.place(call.module.span)));
        }
        Ok(value)
    }

    /// A module by its name.
    pub(super) fn module(&self, name: &str) -> Option<Arc<LoadedModule>> {
        self.source.loaded.modules.get(name).cloned()
    }

    /// A place in the text of the playbook or module.
    pub fn place(&self, span: Span) -> String {
        match &self.module {
            Some(module) => module.place(span.start),
            None => self.source.place(span),
        }
    }

    /// The target of this name.
    pub(super) fn named_target(&self, name: &str) -> Option<&Locator> {
        self.targets().and_then(|targets| targets.get(name))
    }

    fn targets(&self) -> Option<&Names<Locator>> {
        match &self.module {
            Some(module) => module.module.as_ref().map(|module| &module.targets),
            None => Some(&self.source.playbook.targets),
        }
    }

    /// The result of a template as text.
    pub fn text(&self, text: &At<String>) -> Result<String, Failure> {
        template::render(&text.value, &self.values).map_err(|error| self.refused(text, error))
    }

    /// The result of a template as an address: see [`template::render_address`].
    pub fn address(&self, text: &At<String>) -> Result<String, Failure> {
        template::render_address(&text.value, &self.values).map_err(|error| self.refused(text, error))
    }

    /// The result of a template: a text, a list, or null.
    pub fn value(&self, text: &At<String>) -> Result<Value, Failure> {
        template::evaluate(&text.value, &self.values).map_err(|error| self.refused(text, error))
    }

    /// The result of a template with one additional name.
    pub fn text_with(&self, text: &At<String>, name: &str, value: Value) -> Result<String, Failure> {
        let mut values = self.values.clone();
        values[name] = value;
        template::render(&text.value, &values).map_err(|error| self.refused(text, error))
    }

    fn refused(&self, text: &At<String>, error: TemplateError) -> Failure {
        let place = self.place(text.span);
        match error {
            TemplateError::Missing(name) => missing(&text.value, &name).at("template", place),
            TemplateError::Bad(reason) => {
                Failure::new(Code::InvalidValue, format!("`{}` cannot be rendered: {reason}", text.value))
                    .at("template", place)
            }
        }
    }

    /// The element for a locator. `agree`: all alternatives that match must find the same element.
    pub fn target(&self, locator: &Locator, agree: bool) -> Result<Target, Failure> {
        let mut placed = Vec::new();
        self.alternatives(locator, &mut placed, 0)?;
        let frame = placed.first().map(|(frame, _)| frame.clone()).unwrap_or_default();
        if placed.iter().any(|(other, _)| *other != frame) {
            return Err(Failure::new(
                Code::PlaybookInvalid,
                "the alternatives of a locator are in different frames",
            )
            .hint("all alternatives of a locator must be in one frame"));
        }
        Ok(Target { any: placed.into_iter().map(|(_, query)| query).collect(), agree, frame })
    }

    fn alternatives(&self, locator: &Locator, any: &mut Vec<Placed>, depth: usize) -> Result<(), Failure> {
        if depth > 16 {
            return Err(Failure::new(Code::PlaybookInvalid, "the targets refer to each other in a circle"));
        }
        match locator {
            Locator::Named(name) if name.value == USER_ROW => any.extend(self.user_row()?),
            Locator::Named(name) => match self.named_target(&name.value) {
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

    fn query(&self, find: &Find) -> Result<Placed, Failure> {
        let name = |name: &Name| self.named(name, find.exact);
        let by = match &find.by {
            By::Role(role, named) => {
                page::By::Role { role: (*role).to_owned(), name: named.as_ref().map(name).transpose()? }
            }
            By::Label(label) => page::By::Label(name(label)?),
            By::Text(text) => page::By::Text(name(text)?),
            By::TestId(id) => page::By::TestId(self.text(id)?),
            By::Placeholder(text) => page::By::Placeholder(name(text)?),
            By::Title(text) => page::By::Title(name(text)?),
            By::Frame(text) => page::By::Frame(name(text)?),
            By::Css(selector) => page::By::Css(selector.value.clone()),
            By::Xpath(path) => page::By::Xpath(path.value.clone()),
        };
        let mut has = Vec::new();
        if let Some(locator) = &find.has {
            self.alternatives(locator, &mut has, 1)?;
        }
        let mut frame = Vec::new();
        let mut within = None;
        if let Some(locator) = &find.within {
            let mut target = self.target(locator, false)?;
            frame = std::mem::take(&mut target.frame);
            match target.any.iter().all(|query| matches!(query.by, page::By::Frame(_))) {
                true => frame.push(target),
                false => within = Some(Box::new(target)),
            }
        }
        let query = Query {
            by,
            within,
            has: has.into_iter().map(|(_, query)| query).collect(),
            text: find.text.as_ref().map(|text| self.text(text).map(TextMatch::Whole)).transpose()?,
            about: self.about(find, 0)?,
            under: find.under.as_ref().map(|under| self.named(under, true)).transpose()?,
            nth: find.nth.as_ref().map(|n| n.value),
        };
        Ok((frame, query))
    }

    /// The required name or text of an element.
    pub fn named(&self, name: &Name, exact: bool) -> Result<TextMatch, Failure> {
        let text = self.text(&name.text)?;
        Ok(match (name.pattern, exact) {
            (true, _) => TextMatch::Glob(text),
            (false, true) => TextMatch::Exact(text),
            (false, false) => TextMatch::Contains(text),
        })
    }

    /// A condition with all its values.
    pub fn condition(&self, condition: &Condition) -> Result<ResolvedCondition, Failure> {
        let page = |locator, state| {
            Ok(ResolvedCondition::Page(page::Condition { target: self.target(locator, false)?, state }))
        };
        Ok(match condition {
            Condition::Visible(locator) => page(locator, State::Visible)?,
            Condition::Enabled(locator) => page(locator, State::Enabled)?,
            Condition::Disabled(locator) => page(locator, State::Disabled)?,
            Condition::Not(inner) => match &**inner {
                // The page itself waits until it is gone.
                Condition::Visible(locator) => page(locator, State::Hidden)?,
                inner => ResolvedCondition::Not(Box::new(self.condition(inner)?)),
            },
            Condition::All(inner) => ResolvedCondition::All(self.several(inner, false)?),
            Condition::Any(inner) => ResolvedCondition::Any(self.several(inner, true)?),
            Condition::Given(text) => ResolvedCondition::Known(given(&self.value(text)?)),
        })
    }

    /// Conditions in order, up to a known one that decides the result.
    fn several(&self, several: &[Condition], decides: bool) -> Result<Vec<ResolvedCondition>, Failure> {
        let mut asked = Vec::new();
        for condition in several {
            asked.push(self.condition(condition)?);
            if asked.last() == Some(&ResolvedCondition::Known(decides)) {
                break;
            }
        }
        Ok(asked)
    }

    /// A view, as a question to the page.
    pub fn view(&self, view: &syntax::View) -> Result<page::View, Failure> {
        self.asked(self.rows(view.rows.as_ref())?, &view.columns)
    }

    pub(super) fn asked(&self, rows: page::Rows, columns: &Names<Column>) -> Result<page::View, Failure> {
        let whole = self.subject.as_ref().and_then(|subject| {
            let column = columns.names().position(|name| name == subject.attribute)?;
            Some(page::WholeRecord {
                column,
                equals: subject.value.clone(),
                ignore_case: subject.ignore_case,
            })
        });
        let columns = columns.iter().map(|(name, column)| {
            let rule = self.source.playbook.entitlements.get(&name.value);
            Ok(page::Column {
                name: name.value.clone(),
                at: self.column(column)?,
                optional: column.without.is_some(),
                several: rule.is_some_and(|rule| rule.any_of.is_some()),
            })
        });
        Ok(page::View { rows, columns: columns.collect::<Result<_, Failure>>()?, whole })
    }

    pub(super) fn column(&self, column: &Column) -> Result<ColumnAt, Failure> {
        let at = match (&column.column, &column.cell, &column.each) {
            (Some(header), ..) => ColumnAt::Header(TextMatch::Exact(header.value.clone())),
            (None, Some(cell), _) => ColumnAt::Cell(self.first(cell)?),
            (None, None, Some(each)) => ColumnAt::Each(self.first(each)?),
            (None, None, None) => {
                return Err(Failure::new(Code::PlaybookInvalid, "a column has no place"));
            }
        };
        let at = match &column.attribute {
            Some(name) => ColumnAt::Attribute { at: Box::new(at), name: name.value.clone() },
            None => at,
        };
        Ok(match column.says.as_ref().and_then(|says| says.value.split_once("{value}")) {
            Some((before, after)) => ColumnAt::Says {
                at: Box::new(at),
                before: before.trim_start().to_owned(),
                after: after.trim_end().to_owned(),
            },
            None => at,
        })
    }

    /// The element that contains the records of a view.
    pub fn container(&self, view: &syntax::View) -> Result<Target, Failure> {
        self.rows(view.rows.as_ref()).map(|rows| rows.within)
    }

    pub(super) fn rows(&self, rows: Option<&syntax::Rows>) -> Result<page::Rows, Failure> {
        let Some(rows) = rows else {
            // The page is the record.
            let whole = |name: &str| Query::new(page::By::Css(name.to_owned()));
            return Ok(page::Rows { within: whole("html").into(), each: Some(whole("body")) });
        };
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
            .map(|(_, query)| query)
            .ok_or_else(|| Failure::new(Code::PlaybookInvalid, "a locator has no alternatives"))
    }
}

/// A template needs a name that has no value.
fn missing(template: &str, name: &str) -> Failure {
    let (lacks, send) = match name.split_once('.') {
        Some(("with", parameter)) => {
            ("has no value in this module".to_owned(), format!("pass `{parameter}` to the module"))
        }
        Some(("record", attribute)) => (
            "the app does not show for this user".to_owned(),
            format!("see whether the app shows `{attribute}` for everybody"),
        ),
        Some(("entitlements" | "asked", kind)) => (
            format!("is missing: the job has no entitlement `{kind}`"),
            format!("send an entitlement of type `{kind}`"),
        ),
        _ => ("is missing in the job".to_owned(), format!("send `{name}`")),
    };
    Failure::new(Code::MissingAttribute, format!("`{template}` needs `{name}`, which {lacks}")).hint(format!(
        "{send}, or add a default: `{{{{ {name} | default('…', true) }}}}`, or make the step optional: \
         `when: {{ given: \"{{{{ {name} }}}}\" }}`"
    ))
}

pub(super) fn placed((frame, query): Placed) -> Target {
    Target { frame, ..Target::from(query) }
}
