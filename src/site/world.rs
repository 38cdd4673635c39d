//! The state of a site, and expressions over it.

use std::collections::BTreeMap;

use minijinja::{Environment, Value as Jinja, value::Serde};
use serde_json::{Map, Value, json};

use super::load::{Action, Site};

/// The names that expressions and templates see.
pub(super) type Names = Map<String, Value>;

/// Templates and expressions of a site.
pub(super) struct Language(Environment<'static>);

impl Language {
    pub fn new(site: &Site) -> Result<Self, String> {
        let mut env = Environment::new();
        env.add_filter("search", search);
        env.add_filter("page", page);
        env.add_filter("names", |list: Vec<Jinja>, field: &str| {
            list.iter().filter_map(|item| item.get_attr(field).ok()).collect::<Vec<_>>()
        });
        for (name, text) in &site.templates {
            let added = env.add_template_owned(name.clone(), text.clone());
            // A script may well say `{#`.
            if let (Err(e), true) = (added, name.ends_with(".html")) {
                return Err(format!("{name}: {e}"));
            }
        }
        Ok(Self(env))
    }

    /// What an expression gives.
    pub fn eval(&self, expression: &str, names: &Names) -> Result<Value, String> {
        let compiled = self.0.compile_expression(expression).map_err(|e| format!("`{expression}`: {e}"))?;
        let value = compiled.eval(Jinja::from(Serde(names))).map_err(|e| format!("`{expression}`: {e}"))?;
        if value.is_undefined() {
            return Ok(Value::Null);
        }
        serde_json::to_value(&value).map_err(|e| format!("`{expression}`: {e}"))
    }

    /// The page that a template gives.
    pub fn render(&self, template: &str, names: &Names) -> Result<String, String> {
        let template = self.0.get_template(template).map_err(|e| e.to_string())?;
        template.render(Jinja::from(Serde(names))).map_err(|e| format!("{e:#}"))
    }

    /// The text that an inline template gives.
    pub fn text(&self, source: &str, names: &Names) -> Result<String, String> {
        self.0.render_str(source, Jinja::from(Serde(names))).map_err(|e| format!("`{source}`: {e}"))
    }

    /// Adds names, in order.
    pub fn define(&self, lets: &[BTreeMap<String, String>], names: &mut Names) -> Result<(), String> {
        for (name, expression) in lets.iter().flatten() {
            let value = self.eval(expression, names)?;
            names.insert(name.clone(), value);
        }
        Ok(())
    }
}

/// `members | search(q, ["name", "email"])`: those that contain it, whatever the case.
fn search(list: Vec<Jinja>, wanted: String, fields: Vec<String>) -> Vec<Jinja> {
    let wanted = wanted.trim().to_lowercase();
    let has = |item: &Jinja| {
        fields.iter().any(|field| {
            item.get_attr(field).is_ok_and(|value| value.to_string().to_lowercase().contains(&wanted))
        })
    };
    list.into_iter().filter(|item| wanted.is_empty() || has(item)).collect()
}

/// `members | page(2, 25)`: the second 25.
fn page(list: Vec<Jinja>, number: usize, size: usize) -> Vec<Jinja> {
    list.into_iter().skip(number.saturating_sub(1) * size).take(size).collect()
}

/// The world as it begins. The same every time.
pub(super) fn seed(site: &Site, language: &Language) -> Result<Value, String> {
    let mut world = Map::new();
    world.insert("settings".into(), site.file.world.settings.clone());
    for (name, collection) in &site.file.world.collections {
        let mut records = collection.records.clone();
        if let Some(rule) = &collection.generate {
            for i in 0..rule.count {
                let mut names: Names =
                    site.file.world.lists.iter().map(|(k, v)| (k.clone(), Value::from(v.clone()))).collect();
                names.insert("i".into(), json!(i));
                let mut record = Map::new();
                for (field, expression) in rule.fields.iter().flatten() {
                    let value = language.eval(expression, &names)?;
                    names.insert(field.clone(), value.clone());
                    record.insert(field.clone(), value);
                }
                records.push(Value::Object(record));
            }
        }
        world.insert(name.clone(), Value::from(records));
    }
    Ok(Value::Object(world))
}

/// Carries an action out. `names` are those of the request; the world's are looked up freshly.
pub(super) fn act(
    world: &mut Value,
    action: &Action,
    names: &Names,
    language: &Language,
) -> Result<(), String> {
    if let Some(insert) = &action.insert {
        let record = fields(&insert.record, names, language)?;
        collection(world, &insert.into)?.push(Value::Object(record));
    }
    if let Some(update) = &action.update {
        let mut names = of_request(world, names);
        for record in collection(world, &update.collection)? {
            names.insert("it".into(), record.clone());
            if language.eval(&update.which, &names)? == Value::Bool(true) {
                let changes = fields(&update.set, &names, language)?;
                if let Some(record) = record.as_object_mut() {
                    record.extend(changes);
                }
            }
        }
    }
    if let Some(delete) = &action.delete {
        let mut names = of_request(world, names);
        let records = collection(world, &delete.from)?;
        let mut kept = Vec::new();
        for record in records.drain(..) {
            names.insert("it".into(), record.clone());
            if language.eval(&delete.which, &names)? != Value::Bool(true) {
                kept.push(record);
            }
        }
        *records = kept;
    }
    for (setting, expression) in &action.set {
        world["settings"][setting] = language.eval(expression, names)?;
    }
    Ok(())
}

/// The names without the world's collections: one record is looked at at a time.
fn of_request(world: &Value, names: &Names) -> Names {
    let collection = |name: &String| world.get(name).is_some_and(Value::is_array);
    names
        .iter()
        .filter(|(name, _)| !collection(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn fields(
    expressions: &BTreeMap<String, String>,
    names: &Names,
    language: &Language,
) -> Result<Map<String, Value>, String> {
    expressions
        .iter()
        .map(|(field, expression)| Ok((field.clone(), language.eval(expression, names)?)))
        .collect()
}

fn collection<'w>(world: &'w mut Value, name: &str) -> Result<&'w mut Vec<Value>, String> {
    world
        .get_mut(name)
        .and_then(Value::as_array_mut)
        .ok_or_else(|| format!("the world has no collection `{name}`"))
}
