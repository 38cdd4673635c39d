//! The scenarios of an app, as `playbooks/<app>/scenarios.yaml` contains them.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    contract::{LoginMethod, Operation, Outcome},
    playbook::{At, Text, schema},
    site::Fault,
};

/// The scenarios of one app.
#[derive(Debug)]
pub struct Suite {
    pub app: String,
    /// The folder of the fixture site.
    pub site: PathBuf,
    pub(super) file: SuiteFile,
    /// For places: `playbooks/ledgerly/scenarios.yaml:12`.
    pub text: Text,
}

/// The JSON Schema of the file.
pub fn schema() -> Value {
    schema::of::<SuiteFile>("Seatwright scenarios, version 1")
}

/// The file.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SuiteFile {
    /// The version of the format: 1.
    pub suite: At<u64>,
    /// The fixture site: a folder of `fixtures/sites`.
    pub site: At<String>,
    /// The real app that the site is a twin of: a folder of `fixtures/apps`.
    #[serde(default)]
    pub app: Option<At<String>>,
    /// The integration's settings. `port` is that of the site.
    #[serde(default)]
    pub integration: BTreeMap<String, String>,
    /// The service account that is used.
    pub account: Account,
    /// Collections of the site that are only records of what went on: mails, visits.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// States that this app does not have, and why.
    #[serde(default)]
    pub not_here: BTreeMap<String, String>,
    /// What must happen.
    pub scenarios: Vec<Scenario>,
}

/// The service account. What it says are the fixture's own values.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The name that it signs in with.
    #[serde(default)]
    pub username: Option<String>,
    /// `password`, `sso` or `token`.
    #[serde(default)]
    pub login: Option<LoginMethod>,
    /// Secrets by name: `password`, `totp`, `token`.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
}

/// One thing that must happen.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What must happen, in one line.
    pub name: At<String>,
    /// Which of the states that people forget this is about.
    #[serde(default)]
    pub states: Vec<At<String>>,
    /// For choosing: `--filter`.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What the world is like before, beside what the site begins with.
    #[serde(default)]
    pub world: Changes,
    /// What goes wrong at the site: `on` a place, `do` what, `times`, `skip`, and what else a fault takes.
    #[serde(default)]
    #[schemars(with = "Vec<Fault>")]
    pub faults: Vec<Value>,
    /// What is different of the service account.
    #[serde(default)]
    pub account: Account,
    /// What is different of the integration's settings.
    #[serde(default)]
    pub integration: BTreeMap<String, String>,
    /// The job: operation, user, entitlements, mode, safeguard, window.
    pub job: Map<String, Value>,
    /// What the result has to say.
    pub expect: Expect,
    /// What is different of the world afterwards. Whatever is not named has to be as before.
    #[serde(default)]
    pub world_after: After,
    /// Reasons of pictures that must be there.
    #[serde(default)]
    pub evidence: Vec<String>,
}

/// Changes of a world.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    /// By path: `settings.seats`.
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
    /// Records more, by collection.
    #[serde(default)]
    pub insert: BTreeMap<String, Vec<Value>>,
    /// Records that are different, by collection.
    #[serde(default)]
    pub update: BTreeMap<String, Vec<Update>>,
    /// Every record that has these fields.
    #[serde(default)]
    pub delete: BTreeMap<String, Vec<Map<String, Value>>>,
}

/// A change of the records that have some fields.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// The fields by which the records are known.
    #[serde(rename = "where")]
    pub which: Map<String, Value>,
    /// What is different of them.
    pub set: Map<String, Value>,
}

/// How the world has to be different.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// By path: `settings.seats`.
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
    /// Records that are different, by collection.
    #[serde(default)]
    pub changed: BTreeMap<String, Vec<Update>>,
    /// One record more for each of these, with at least these fields.
    #[serde(default)]
    pub inserted: BTreeMap<String, Vec<Map<String, Value>>>,
    /// Records that are gone, by collection.
    #[serde(default)]
    pub deleted: BTreeMap<String, Vec<Map<String, Value>>>,
}

/// What the result has to say.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The outcome.
    pub outcome: At<Outcome>,
    /// The code of the error.
    #[serde(default)]
    pub code: Option<At<String>>,
    /// A part of what the page said.
    #[serde(default)]
    pub page_said: Option<String>,
    /// Did the app change?
    #[serde(default)]
    pub changed: Option<bool>,
    /// How many users were read.
    #[serde(default)]
    pub users: Option<usize>,
    /// Is the list complete?
    #[serde(default)]
    pub complete: Option<bool>,
    /// Parts of the user as read back: `{ active: false, role: Admin }`.
    #[serde(default)]
    pub user: Map<String, Value>,
}

impl Scenario {
    /// The operation of its job.
    pub fn operation(&self) -> Option<Operation> {
        self.job.get("operation").and_then(|name| serde_json::from_value(name.clone()).ok())
    }
}

impl Suite {
    /// Its scenarios, in the order of the file.
    pub fn scenarios(&self) -> &[Scenario] {
        &self.file.scenarios
    }

    /// Whether they can be played on a real app, too.
    pub fn has_app(&self) -> bool {
        self.file.app.is_some()
    }

    /// Where a scenario begins.
    pub fn place(&self, scenario: &Scenario) -> String {
        self.text.place(scenario.name.span)
    }
}
