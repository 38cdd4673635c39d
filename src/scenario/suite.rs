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
    /// The text, for places: `playbooks/ledgerly/scenarios.yaml:12`.
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
    /// The real app whose twin the site is: a folder of `fixtures/apps`.
    #[serde(default)]
    pub app: Option<At<String>>,
    /// The integration's settings. `port` is that of the site.
    #[serde(default)]
    pub integration: BTreeMap<String, String>,
    /// The service account of the jobs.
    pub account: ScenarioAccount,
    /// Collections of the site that only record what happened: mails, visits.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// The states that this app does not have, and why.
    #[serde(default)]
    pub not_here: BTreeMap<String, String>,
    /// What must happen.
    pub scenarios: Vec<Scenario>,
}

/// The service account, with values of the fixture.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename = "Account", deny_unknown_fields)]
pub struct ScenarioAccount {
    /// The name for the sign-in.
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
    /// The states that are easily forgotten and that this scenario tests.
    #[serde(default)]
    pub states: Vec<At<String>>,
    /// For choosing: `--filter`.
    #[serde(default)]
    pub tags: Vec<String>,
    /// How the world before the job differs from the first state of the site.
    #[serde(default)]
    pub world: Changes,
    /// The faults of the site: `on` a place, `do` what, `times`, `skip`, and the other keys of a fault.
    #[serde(default)]
    #[schemars(with = "Vec<Fault>")]
    pub faults: Vec<Value>,
    /// What differs in the service account.
    #[serde(default)]
    pub account: ScenarioAccount,
    /// What differs in the integration's settings.
    #[serde(default)]
    pub integration: BTreeMap<String, String>,
    /// The job: operation, user, entitlements, mode, safeguard, window.
    pub job: Map<String, Value>,
    /// What the result must be.
    pub expect: Expect,
    /// How the world differs after the job. What is not named must be as before.
    #[serde(default)]
    pub world_after: After,
    /// The reasons of the pictures that must exist.
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
    /// Records to add, by collection.
    #[serde(default)]
    pub insert: BTreeMap<String, Vec<Value>>,
    /// Records that change, by collection.
    #[serde(default)]
    pub update: BTreeMap<String, Vec<WorldUpdate>>,
    /// Records to delete, by collection: all that have these fields.
    #[serde(default)]
    pub delete: BTreeMap<String, Vec<Map<String, Value>>>,
}

/// A change of the records with certain fields.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename = "Update", deny_unknown_fields)]
pub struct WorldUpdate {
    /// The fields that identify the records.
    #[serde(rename = "where")]
    pub which: Map<String, Value>,
    /// The changed fields.
    pub set: Map<String, Value>,
}

/// How the world must differ.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// By path: `settings.seats`.
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
    /// Records that change, by collection.
    #[serde(default)]
    pub changed: BTreeMap<String, Vec<WorldUpdate>>,
    /// New records, by collection: one for each of these, with at least these fields.
    #[serde(default)]
    pub inserted: BTreeMap<String, Vec<Map<String, Value>>>,
    /// Deleted records, by collection.
    #[serde(default)]
    pub deleted: BTreeMap<String, Vec<Map<String, Value>>>,
}

/// What the result must be.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The outcome.
    pub outcome: At<Outcome>,
    /// The code of the error.
    #[serde(default)]
    pub code: Option<At<String>>,
    /// A part of the message that the page showed.
    #[serde(default)]
    pub page_said: Option<String>,
    /// Has the app changed?
    #[serde(default)]
    pub changed: Option<bool>,
    /// The number of users that were read.
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

    /// Can they be played on a real app, too?
    pub fn has_app(&self) -> bool {
        self.file.app.is_some()
    }

    /// The place where a scenario begins.
    pub fn place(&self, scenario: &Scenario) -> String {
        self.text.place(scenario.name.span)
    }
}
