//! A whole playbook.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    entitlement::{EntitlementRule, Values},
    find_user::{FindUser, Identity},
    login::Login,
    operation::OperationSteps,
    screen::{Overlay, Screen},
    view::View,
};
use crate::{
    duration,
    playbook::{
        at::{At, List, Names, section},
        locator::Locator,
    },
};

/// A playbook: how the users of one app are managed through its own pages.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// The version of the language: 1.
    pub playbook: At<u64>,
    /// The app: the name of the folder.
    pub app: At<String>,
    /// The version of this playbook.
    pub version: At<String>,
    /// What people call the app.
    #[serde(default)]
    pub title: Option<String>,
    /// Where the app is: an address with `{{ settings.… }}`.
    pub start: At<String>,
    /// The only places that a page may navigate to, and that secrets may be typed on.
    #[serde(deserialize_with = "section")]
    pub origins: List<At<String>>,
    /// What an integration must bring.
    #[serde(default, deserialize_with = "section")]
    pub settings: Names<Setting>,
    /// Which user attribute names a person in this app.
    #[serde(default)]
    pub identity: Option<Identity>,
    /// The kinds of entitlements, and what they may be.
    #[serde(default, deserialize_with = "section")]
    pub entitlements: Names<EntitlementRule>,
    /// Elements with a name.
    #[serde(default, deserialize_with = "section")]
    pub targets: Names<Locator>,
    /// Where records are read.
    #[serde(default, deserialize_with = "section")]
    pub views: Names<View>,
    /// How one user is found.
    #[serde(default, deserialize_with = "section")]
    pub find_user: Option<FindUser>,
    /// How long the app may take to show a change that it has made, at most: `10s` where nothing is said. What it does not show
    /// by then is `indeterminate`, and is looked at again later.
    #[serde(default)]
    pub settle: Option<At<String>>,
    /// Things that get in the way, at any time, and how to put them away.
    #[serde(default, deserialize_with = "section")]
    pub overlays: List<Overlay>,
    /// What the app says, and what it means; looked at after every step.
    #[serde(default, deserialize_with = "section")]
    pub screens: List<Screen>,
    /// How to sign in.
    #[serde(default, deserialize_with = "section")]
    pub login: Option<Login>,
    /// What can be done.
    #[serde(default, deserialize_with = "section")]
    pub operations: Names<OperationSteps>,
}

impl Playbook {
    /// How long the app may take to show a change.
    pub fn settle_time(&self) -> Duration {
        self.settle.as_ref().and_then(|time| duration::in_playbook(&time.value)).unwrap_or(SETTLE_TIME)
    }
}

/// How long an app may take to show a change, where its playbook does not say.
const SETTLE_TIME: Duration = Duration::from_secs(10);

/// A setting that an integration must bring.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// A regular expression that the whole value must match.
    #[serde(default)]
    pub pattern: Option<At<String>>,
    /// Taken where the integration brings none.
    #[serde(default)]
    pub default: Option<String>,
    /// For the person who fills it in.
    #[serde(default)]
    pub help: Option<String>,
}

impl Playbook {
    /// The kind of the entitlements in a view of `entitlement.list` that does not say it: the only one that there is, or
    /// that only the app knows.
    pub fn only_kind_listed(&self) -> Option<&str> {
        let discovered =
            self.entitlements.iter().filter(|(_, rule)| matches!(rule.values(), Some(Values::Discovered(_))));
        let mut kinds: Vec<&str> = discovered.map(|(name, _)| name.value.as_str()).collect();
        if kinds.is_empty() {
            kinds = self.entitlements.names().collect();
        }
        if let [only] = kinds[..] { Some(only) } else { None }
    }
}
