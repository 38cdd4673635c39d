//! The scenarios of an app, as `playbooks/<app>/scenarios.yaml` contains them.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, Unexpected, Visitor},
};
use serde_json::{Map, Value};

use crate::{
    contract::{LoginMethod, Operation, Outcome},
    playbook::{At, Text, request::RequestPattern, schema},
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
    /// Requests that may change the app, and that its pages send without being asked: `POST /presence`.
    #[serde(default)]
    pub unasked: Vec<RequestPattern>,
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
    /// Has the app changed? `unknown`: the result has `changed: null`.
    #[serde(default)]
    pub changed: Option<ExpectedChange>,
    /// The number of users that were read.
    #[serde(default)]
    pub users: Option<usize>,
    /// Is the list complete?
    #[serde(default)]
    pub complete: Option<bool>,
    /// Parts of the user as read back: `{ active: false, role: Admin }`.
    #[serde(default)]
    pub user: Map<String, Value>,
    /// The drift that belongs to this scenario: parts of the remarks that the result has under `drift`. Each remark must
    /// contain one of them, and each of them must be found. Without it, any drift fails the scenario.
    #[serde(default)]
    pub drift: Vec<At<String>>,
}

/// `true`, `false` or `unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpectedChange(pub Option<bool>);

impl<'de> Deserialize<'de> for ExpectedChange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl Visitor<'_> for Words {
            type Value = ExpectedChange;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`true`, `false` or `unknown`")
            }

            fn visit_bool<E: Error>(self, known: bool) -> Result<ExpectedChange, E> {
                Ok(ExpectedChange(Some(known)))
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<ExpectedChange, E> {
                match word {
                    "unknown" => Ok(ExpectedChange(None)),
                    other => Err(E::invalid_value(Unexpected::Str(other), &self)),
                }
            }
        }
        deserializer.deserialize_any(Words)
    }
}

impl JsonSchema for ExpectedChange {
    fn schema_name() -> Cow<'static, str> {
        "ExpectedChange".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": [true, false, "unknown"] })
    }
}

impl Scenario {
    /// The operation of its job.
    pub fn operation(&self) -> Option<Operation> {
        self.job.get("operation").and_then(|name| serde_json::from_value(name.clone()).ok())
    }
}

/// Small letters and digits, with a dash between words. At most 64 characters.
fn file_name(text: &str) -> String {
    let small = text.to_lowercase();
    let words = small.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut name = String::new();
    for word in words {
        if name.len() + word.len() > 63 {
            break;
        }
        if !name.is_empty() {
            name.push('-');
        }
        name.push_str(word);
    }
    if name.is_empty() { "scenario".to_owned() } else { name }
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

    /// A name of each scenario for files, in the order of the file. No two scenarios have the same one.
    pub fn file_names(&self) -> Vec<String> {
        let mut taken = BTreeSet::new();
        let names = self.scenarios().iter().map(|scenario| {
            let name = file_name(&scenario.name.value);
            let numbered = (2..).map(|number| format!("{name}-{number}"));
            let free = std::iter::once(name.clone()).chain(numbered).find(|name| taken.insert(name.clone()));
            // The app is the part before the last `--`: no name of a scenario has one.
            format!("{}--{}", self.app, free.unwrap_or(name))
        });
        names.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::read_text;

    #[test]
    fn every_scenario_has_a_file_name_of_its_own() {
        let names = [
            "Removes Ada, and nobody else",
            "removes ada & nobody else!",
            "удаляет",
            "…",
            "removes ada-and nobody else-2",
        ];
        let scenarios: String = names
            .iter()
            .map(|name| {
                format!("  - name: \"{name}\"\n    job: {{}}\n    expect: {{ outcome: succeeded }}\n")
            })
            .collect();
        let source = format!("suite: 1\nsite: x\naccount: {{}}\nscenarios:\n{scenarios}");
        let (file, findings) = read_text::<SuiteFile>(&source);
        let file = file.unwrap_or_else(|| panic!("{findings:?}"));
        let text = Text { path: String::new(), source };
        let suite = Suite { app: "roster".to_owned(), site: PathBuf::new(), file, text };
        assert_eq!(
            suite.file_names(),
            [
                "roster--removes-ada-and-nobody-else",
                "roster--removes-ada-nobody-else",
                "roster--scenario",
                "roster--scenario-2",
                "roster--removes-ada-and-nobody-else-2",
            ]
        );
        let long = file_name(&"one very long sentence ".repeat(20));
        assert!(long.len() <= 64 && long.ends_with(|c: char| c.is_ascii_alphanumeric()), "{long}");
        assert_eq!(file_name(&"x".repeat(200)), "scenario");
    }
}
