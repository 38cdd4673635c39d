//! The state of a site: as JSON, and as expressions see it.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use minijinja::{Value as Jinja, value::Serde};
use serde::Serialize;
use serde_json::Value;

/// The names that expressions and templates see. A copy is cheap: large values are shared.
pub(super) type Names = BTreeMap<String, Jinja>;

/// A value as expressions see it.
pub(super) fn seen(value: impl Serialize) -> Jinja {
    Jinja::from(Serde(value))
}

/// The state of a site. Copies share it until one of them changes it.
#[derive(Debug, Clone)]
pub(super) struct WorldState {
    value: Arc<Value>,
    /// The same as expressions see it, made when it is first needed.
    names: Arc<OnceLock<Names>>,
}

impl WorldState {
    pub fn new(value: Value) -> Self {
        Self { value: Arc::new(value), names: Arc::default() }
    }

    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The value, to change it. Other copies do not see the change.
    pub fn change(&mut self) -> &mut Value {
        self.names = Arc::default();
        Arc::make_mut(&mut self.value)
    }

    pub fn names(&self) -> Names {
        let look = || self.value.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), seen(v)));
        self.names.get_or_init(|| look().collect()).clone()
    }
}
