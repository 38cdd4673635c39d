//! Conditions: what is known without the page, and what the page is asked.

use serde_json::Value;

use crate::query::Condition;

/// A condition: known already, or to be asked of the page.
#[derive(Debug, Clone, PartialEq)]
pub enum ResolvedCondition {
    Known(bool),
    Page(Condition),
    Not(Box<ResolvedCondition>),
    All(Vec<ResolvedCondition>),
    Any(Vec<ResolvedCondition>),
}

impl ResolvedCondition {
    /// What has to be asked of the page, in order.
    pub fn questions(&self) -> Vec<Condition> {
        match self {
            ResolvedCondition::Known(_) => Vec::new(),
            ResolvedCondition::Page(condition) => vec![condition.clone()],
            ResolvedCondition::Not(inner) => inner.questions(),
            ResolvedCondition::All(several) | ResolvedCondition::Any(several) => {
                several.iter().flat_map(ResolvedCondition::questions).collect()
            }
        }
    }

    /// How it is, given the answers in the same order.
    pub fn holds(&self, answers: &mut impl Iterator<Item = bool>) -> bool {
        match self {
            ResolvedCondition::Known(known) => *known,
            ResolvedCondition::Page(_) => answers.next().unwrap_or_default(),
            ResolvedCondition::Not(inner) => !inner.holds(answers),
            // Each takes its answers, whatever those before it said.
            ResolvedCondition::All(several) => !each(several, answers).contains(&false),
            ResolvedCondition::Any(several) => each(several, answers).contains(&true),
        }
    }
}

fn each(several: &[ResolvedCondition], answers: &mut impl Iterator<Item = bool>) -> Vec<bool> {
    several.iter().map(|one| one.holds(answers)).collect()
}

/// Is this something: not empty, not `false`?
pub(super) fn given(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::String(s) => !s.trim().is_empty() && s != "false",
        Value::Array(items) => !items.is_empty(),
        Value::Number(_) | Value::Object(_) => true,
    }
}
