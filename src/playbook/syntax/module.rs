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
    /// The display name of the module.
    #[serde(default)]
    pub title: Option<String>,
    /// The parameters that a `use` step passes; templates read them as `{{ with.… }}`.
    #[serde(default, deserialize_with = "section")]
    pub parameters: Names<Parameter>,
    /// The origins of its pages, in addition to the origins of the playbook.
    #[serde(default, deserialize_with = "section")]
    pub origins: List<At<String>>,
    /// Elements with a name. Only the steps of the module see them.
    #[serde(default, deserialize_with = "section")]
    pub targets: Names<Locator>,
    /// Screens to check while the steps of the module run, before the screens of the playbook.
    #[serde(default, deserialize_with = "section")]
    pub screens: List<Screen>,
    /// The steps that `use` runs.
    #[serde(default, deserialize_with = "section")]
    pub steps: List<Step>,
}

/// A parameter of a module.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// The value if the `use` step passes none.
    #[serde(default)]
    pub default: Option<At<String>>,
    /// A regular expression that the whole value must match.
    #[serde(default)]
    pub pattern: Option<At<String>>,
    /// Help for the author of the playbook.
    #[serde(default)]
    pub help: Option<String>,
}
