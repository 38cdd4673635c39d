//! Expressions and templates of a site, its first state, and its actions.

use std::collections::BTreeMap;

use minijinja::{Environment, Expression, Value as Jinja};
use serde_json::{Map, Value};

use super::{
    load::{Site, SiteAction},
    state::{Names, WorldState, seen},
};

fn all(names: &Names) -> Jinja {
    Jinja::from(names.clone())
}

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
            // A script may contain `{#`.
            if let (Err(e), true) = (added, name.ends_with(".html") || name.ends_with(".csv")) {
                return Err(format!("{name}: {e}"));
            }
        }
        Ok(Self(env))
    }

    /// A compiled expression, to be evaluated many times.
    pub fn compile<'l>(&'l self, text: &'l str) -> Result<Compiled<'l>, String> {
        let expression = self.0.compile_expression(text).map_err(|e| format!("`{text}`: {e}"))?;
        Ok(Compiled { text, expression })
    }

    /// The value of an expression, as JSON.
    pub fn eval(&self, expression: &str, names: &Names) -> Result<Value, String> {
        self.compile(expression)?.json(names)
    }

    /// The page of a template.
    pub fn render(&self, template: &str, names: &Names) -> Result<String, String> {
        let template = self.0.get_template(template).map_err(|e| e.to_string())?;
        template.render(all(names)).map_err(|e| format!("{e:#}"))
    }

    /// The text of an inline template.
    pub fn text(&self, source: &str, names: &Names) -> Result<String, String> {
        self.0.render_str(source, all(names)).map_err(|e| format!("`{source}`: {e}"))
    }

    /// Adds names, in order.
    pub fn define(&self, lets: &[BTreeMap<String, String>], names: &mut Names) -> Result<(), String> {
        for (name, expression) in lets.iter().flatten() {
            let value = self.compile(expression)?.value(names)?;
            names.insert(name.clone(), value);
        }
        Ok(())
    }
}

/// A compiled expression.
pub(super) struct Compiled<'l> {
    text: &'l str,
    expression: Expression<'l, 'l>,
}

impl Compiled<'_> {
    /// Its value; an undefined value is `none`.
    pub fn value(&self, names: &Names) -> Result<Jinja, String> {
        let value = self.expression.eval(all(names)).map_err(|e| format!("`{}`: {e}", self.text))?;
        Ok(if value.is_undefined() { Jinja::from(()) } else { value })
    }

    /// The same as JSON.
    pub fn json(&self, names: &Names) -> Result<Value, String> {
        serde_json::to_value(self.value(names)?).map_err(|e| format!("`{}`: {e}", self.text))
    }
}

/// `members | search(q, ["name", "email"])`: the records that contain it, ignoring case.
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

/// The first state of the world, the same every time. It is made once and shared by all copies of the site.
pub(super) fn seed(site: &Site, language: &Language) -> Result<WorldState, String> {
    site.seed.get_or_init(|| made(site, language).map(WorldState::new)).clone()
}

fn made(site: &Site, language: &Language) -> Result<Value, String> {
    let mut world = Map::new();
    world.insert("settings".into(), site.file.world.settings.clone());
    for (name, collection) in &site.file.world.collections {
        let mut records = collection.records.clone();
        if let Some(rule) = &collection.generate {
            let compiled = rule.fields.iter().flatten().map(|(field, e)| Ok((field, language.compile(e)?)));
            let compiled = compiled.collect::<Result<Vec<_>, String>>()?;
            let lists: Names = site.file.world.lists.iter().map(|(k, v)| (k.clone(), seen(v))).collect();
            for i in 0..rule.count {
                let mut names = lists.clone();
                names.insert("i".into(), Jinja::from(i));
                let mut record = Map::new();
                for (field, expression) in &compiled {
                    let (field, value) = (*field, expression.json(&names)?);
                    names.insert(field.clone(), seen(&value));
                    record.insert(field.clone(), value);
                }
                records.push(Value::Object(record));
            }
        }
        world.insert(name.clone(), Value::from(records));
    }
    Ok(Value::Object(world))
}

/// Carries out an action. `names` are those of the request; those of the world are read again.
pub(super) fn act(
    world: &mut Value,
    action: &SiteAction,
    names: &Names,
    language: &Language,
) -> Result<(), String> {
    if let Some(insert) = &action.insert {
        let record = fields(&insert.record, names, language)?;
        collection(world, &insert.into)?.push(Value::Object(record));
    }
    if let Some(update) = &action.update {
        let mut names = of_request(world, names);
        let which = language.compile(&update.which)?;
        for record in collection(world, &update.collection)? {
            names.insert("it".into(), seen(&*record));
            if which.json(&names)? == Value::Bool(true) {
                let changes = fields(&update.set, &names, language)?;
                if let Some(record) = record.as_object_mut() {
                    record.extend(changes);
                }
            }
        }
    }
    if let Some(delete) = &action.delete {
        let mut names = of_request(world, names);
        let which = language.compile(&delete.which)?;
        let records = collection(world, &delete.from)?;
        let mut kept = Vec::new();
        for record in records.drain(..) {
            names.insert("it".into(), seen(&record));
            if which.json(&names)? != Value::Bool(true) {
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

/// The names without the collections of the world: an action looks at one record at a time.
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
