//! Resolved conditions: one part is known without the page, the other part is a question to the page.

use serde_json::Value;

use crate::query::Condition;

/// A condition with all its values: already known, or a question to the page.
#[derive(Debug, Clone, PartialEq)]
pub enum ResolvedCondition {
    Known(bool),
    Page(Condition),
    Not(Box<ResolvedCondition>),
    All(Vec<ResolvedCondition>),
    Any(Vec<ResolvedCondition>),
}

impl ResolvedCondition {
    /// The questions to the page, in order.
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

    /// Is the condition true, with these answers in the same order?
    pub fn holds(&self, answers: &mut impl Iterator<Item = bool>) -> bool {
        match self {
            ResolvedCondition::Known(known) => *known,
            ResolvedCondition::Page(_) => answers.next().unwrap_or_default(),
            ResolvedCondition::Not(inner) => !inner.holds(answers),
            // Every part takes its answers, whatever the earlier parts came to.
            ResolvedCondition::All(several) => !each(several, answers).contains(&false),
            ResolvedCondition::Any(several) => each(several, answers).contains(&true),
        }
    }
}

fn each(several: &[ResolvedCondition], answers: &mut impl Iterator<Item = bool>) -> Vec<bool> {
    several.iter().map(|one| one.holds(answers)).collect()
}

/// Does `given` accept this value: not empty, not `false`?
pub(super) fn given(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::String(s) => !s.trim().is_empty() && s != "false",
        Value::Array(items) => !items.is_empty(),
        Value::Number(_) | Value::Object(_) => true,
    }
}
