//! Values of templates, as controls take them.

use serde_json::Value;

use super::super::{
    origin::{Origin, StepFailure},
    page::{StepError, refusal_failure},
};
use crate::{
    contract::{Code, Failure},
    playbook::{At, template},
    query::RefusalKind,
};

pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

pub(crate) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        Value::String(text) if text.is_empty() => Vec::new(),
        other => vec![text(other)],
    }
}

pub(crate) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(*b),
        Value::String(text) => match text.trim().to_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" | "" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// The error for a value that the playbook itself names. If the app does not take it, the author has to change it.
pub(crate) fn of_playbook(error: StepError, texts: &[At<String>]) -> StepError {
    let fixed = |text: &At<String>| template::names(&text.value).is_ok_and(|names| names.is_empty());
    if texts.is_empty() || !texts.iter().all(fixed) {
        return error;
    }
    let failure = match error {
        StepError::Refused(refusal) | StepError::Gone(refusal)
            if matches!(refusal.kind, RefusalKind::NoSuchOption | RefusalKind::NotKept) =>
        {
            refusal_failure(&refusal)
        }
        StepError::Known(StepFailure { failure, origin: Origin::Playbook })
            if matches!(failure.code, Code::InvalidValue | Code::UnknownEntitlement) =>
        {
            failure
        }
        other => return other,
    };
    let authors = Failure::new(Code::TargetMissing, failure.message)
        .hint("the playbook itself names this value: change it to one that the app takes");
    let failure = Failure { step: failure.step, at: failure.at, page_said: failure.page_said, ..authors };
    StepError::Known(StepFailure { failure, origin: Origin::Playbook })
}
