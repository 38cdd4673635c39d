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
        request::RequestPattern,
    },
};

/// A playbook: how to manage the users of one app through its web pages.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// The version of the language: 1.
    pub playbook: At<u64>,
    /// The name of the app. It is also the name of the folder.
    pub app: At<String>,
    /// The version of this playbook.
    pub version: At<String>,
    /// The display name of the app.
    #[serde(default)]
    pub title: Option<String>,
    /// The first address of the app. It may contain `{{ settings.… }}`.
    pub start: At<String>,
    /// The only origins that a page may open, and where secrets may be typed.
    #[serde(deserialize_with = "section")]
    pub origins: List<At<String>>,
    /// The settings that an integration must have.
    #[serde(default, deserialize_with = "section")]
    pub settings: Names<Setting>,
    /// The user attribute that identifies a person in this app.
    #[serde(default)]
    pub identity: Option<Identity>,
    /// The kinds of entitlements, with their values.
    #[serde(default, deserialize_with = "section")]
    pub entitlements: Names<EntitlementRule>,
    /// Elements with a name, for use in locators.
    #[serde(default, deserialize_with = "section")]
    pub targets: Names<Locator>,
    /// Views: places where records are read.
    #[serde(default, deserialize_with = "section")]
    pub views: Names<View>,
    /// How to find one user.
    #[serde(default, deserialize_with = "section")]
    pub find_user: Option<FindUser>,
    /// The longest time that the app needs to show a change; the default is `10s`. A change that does not show in this time
    /// is `indeterminate`, and is read again later.
    #[serde(default)]
    pub settle: Option<At<String>>,
    /// Requests that only read, although their method may change something: `POST /search`. Others are stopped before the
    /// commit, unless the page sends them without an input. Queries of GraphQL need no entry.
    #[serde(default, deserialize_with = "section")]
    pub reads: List<RequestPattern>,
    /// Dialogs and banners that may appear at any time, and how to close them.
    #[serde(default, deserialize_with = "section")]
    pub overlays: List<Overlay>,
    /// Messages of the app, and the error code of each. Checked after every step.
    #[serde(default, deserialize_with = "section")]
    pub screens: List<Screen>,
    /// How to sign in.
    #[serde(default, deserialize_with = "section")]
    pub login: Option<Login>,
    /// The operations that the playbook supports.
    #[serde(default, deserialize_with = "section")]
    pub operations: Names<OperationSteps>,
}

impl Playbook {
    /// Gives each view the views that it names under `also`.
    pub(in crate::playbook) fn join_views(&mut self) {
        let all = self.views.clone();
        for (_, view) in &mut self.views.0 {
            view.joined = view.also.iter().filter_map(|name| all.get(&name.value)).cloned().collect();
        }
    }

    /// The view in which `find_user` finds the user.
    pub fn view_of_user(&self) -> Option<&View> {
        self.find_user.as_ref().and_then(|find| self.views.get(&find.view.value))
    }

    /// The longest time that the app needs to show a change.
    pub fn settle_time(&self) -> Duration {
        self.settle.as_ref().and_then(|time| duration::in_playbook(&time.value)).unwrap_or(SETTLE_TIME)
    }
}

/// The default of `settle`.
const SETTLE_TIME: Duration = Duration::from_secs(10);

/// A setting of an integration.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// A regular expression that the whole value must match.
    #[serde(default)]
    pub pattern: Option<At<String>>,
    /// The value if the integration has none.
    #[serde(default)]
    pub default: Option<String>,
    /// Help for the person who fills in the setting.
    #[serde(default)]
    pub help: Option<String>,
}

impl Playbook {
    /// The kind of the entitlements in a view of `entitlement.list` without a `type` column: the only kind, or the only
    /// discovered kind.
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
