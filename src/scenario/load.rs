//! `playbooks/<app>/scenarios.yaml`, read and checked.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    contract::{Code, LoginMethod, Operation, Outcome},
    playbook::{At, Diagnostic, Finding, Text, read_text, schema},
    site::{Fault, fault_error},
};

/// The scenarios of one app.
#[derive(Debug)]
pub struct Suite {
    pub app: String,
    /// The folder of the fixture site.
    pub site: PathBuf,
    pub(super) file: File,
    /// For places: `playbooks/ledgerly/scenarios.yaml:12`.
    pub text: Text,
}

/// The JSON Schema of the file.
pub fn schema() -> Value {
    schema::of::<File>("Seatwright scenarios, version 1")
}

/// The file.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
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

/// Scenarios that cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("{0} cannot be read: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// The findings, and the text that they are about.
    #[error("{} is wrong in {} places", .0.path, .1.len())]
    Wrong(Text, Vec<Diagnostic>),
}

/// The scenarios of every app below `playbooks` that has some; sites are folders of `sites`.
pub fn load(playbooks: &Path, sites: &Path) -> Result<Vec<Suite>, Problem> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |error| Problem::Unreadable(path, error)
    };
    let mut folders: Vec<PathBuf> = std::fs::read_dir(playbooks)
        .map_err(unreadable(playbooks))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|folder| folder.join("scenarios.yaml").is_file())
        .collect();
    folders.sort();
    folders
        .into_iter()
        .map(|folder| {
            let path = folder.join("scenarios.yaml");
            let source = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
            let app = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            read(&app, &path.to_string_lossy(), source, sites)
        })
        .collect()
}

/// The operations that the scenarios of a text name. The text is looked through, not read: a thousand folders are
/// checked while somebody types, and reading their scenarios would take three times as long as their playbooks.
pub fn played(source: &str) -> BTreeSet<String> {
    let lines = source.lines().filter(|line| !line.trim_start().starts_with('#'));
    let named = lines.filter_map(|line| line.split_once("operation:"));
    let word = |rest: &str| rest.trim_start().trim_start_matches(['"', '\'']).to_owned();
    let ends = |c: char| !(c.is_ascii_lowercase() || c == '.');
    named.map(|(_, rest)| word(rest).split(ends).next().unwrap_or_default().to_owned()).collect()
}

/// A finding for a code that no result has.
fn unknown_code(scenario: &Scenario) -> Option<Diagnostic> {
    let code = scenario.expect.code.as_ref()?;
    let known: Vec<String> = Code::ALL.iter().map(|known| known.as_str()).collect();
    (!known.contains(&code.value)).then(|| {
        let message = format!("there is no error code `{}`", code.value);
        let finding = Diagnostic::new(Finding::WrongShape, code.span, message);
        finding.did_you_mean(&code.value, known.iter().map(String::as_str))
    })
}

/// Faults that there are not. They are plain data here: what is shown is the scenario.
fn wrong_faults(scenario: &Scenario) -> impl Iterator<Item = Diagnostic> {
    let wrong = scenario.faults.iter().filter_map(|fault| Some((fault, fault_error(fault)?)));
    wrong.map(|(fault, error)| {
        let message = format!("the fault {fault} cannot be: {error}");
        Diagnostic::new(Finding::WrongShape, scenario.name.span, message)
    })
}

fn read(app: &str, path: &str, source: String, sites: &Path) -> Result<Suite, Problem> {
    let text = Text { path: path.to_owned(), source };
    let (file, mut findings) = read_text::<File>(&text.source);
    if let Some(file) = &file {
        if file.suite.value != 1 {
            let message = format!("version {} of the format is not known here", file.suite.value);
            let finding = Diagnostic::new(Finding::LanguageVersion, file.suite.span, message);
            findings.push(finding.help("write `suite: 1`"));
        }
        findings.extend(super::coverage::unknown_states(file));
        findings.extend(file.scenarios.iter().filter_map(unknown_code));
        findings.extend(file.scenarios.iter().flat_map(wrong_faults));
    }
    match file {
        Some(file) if findings.is_empty() => {
            Ok(Suite { app: app.to_owned(), site: sites.join(&file.site.value), file, text })
        }
        _ => Err(Problem::Wrong(text, findings)),
    }
}
