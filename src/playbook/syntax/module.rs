//! Modules: steps that several playbooks share.

use schemars::JsonSchema;
use serde::Deserialize;

use super::screen::Screen;
use crate::playbook::{
    at::{At, List, Names, section},
    locator::Locator,
    step::Step,
};

/// A module: steps that several playbooks share, such as the sign-in at an identity provider.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Module {
    /// The version of the language: 1.
    pub module: At<u64>,
    /// What people call it.
    #[serde(default)]
    pub title: Option<String>,
    /// What whoever uses it must bring; seen as `{{ with.… }}`.
    #[serde(default, deserialize_with = "section")]
    pub parameters: Names<Parameter>,
    /// Where its pages are; added to those of the playbook.
    #[serde(default, deserialize_with = "section")]
    pub origins: List<At<String>>,
    /// Elements with a name, seen by its steps alone.
    #[serde(default, deserialize_with = "section")]
    pub targets: Names<Locator>,
    /// Looked at while its steps are done, before those of the playbook.
    #[serde(default, deserialize_with = "section")]
    pub screens: List<Screen>,
    /// What is done where a step says `use`.
    #[serde(default, deserialize_with = "section")]
    pub steps: List<Step>,
}

/// A parameter of a module.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Taken where none is brought.
    #[serde(default)]
    pub default: Option<At<String>>,
    /// A regular expression that the whole value must match.
    #[serde(default)]
    pub pattern: Option<At<String>>,
    /// For the person who writes the playbook.
    #[serde(default)]
    pub help: Option<String>,
}
