//! `playbooks/<app>/scenarios.yaml`, read and checked.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{
    coverage::unknown_states,
    suite::{Scenario, Suite, SuiteFile},
};
use crate::{
    contract::Code,
    playbook::{Diagnostic, Finding, Text, read_text},
    site::fault_error,
};

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

/// The operations that the scenarios of a text name. The text is searched, not parsed: a thousand folders are checked
/// while an author types, and parsing their scenarios would take three times as long as their playbooks.
pub fn played(source: &str) -> BTreeSet<String> {
    let lines = source.lines().filter(|line| !line.trim_start().starts_with('#'));
    let named = lines.filter_map(|line| line.split_once("operation:"));
    let word = |rest: &str| rest.trim_start().trim_start_matches(['"', '\'']).to_owned();
    let ends = |c: char| !(c.is_ascii_lowercase() || c == '.');
    named.map(|(_, rest)| word(rest).split(ends).next().unwrap_or_default().to_owned()).collect()
}

/// A finding for an unknown error code.
fn unknown_code(scenario: &Scenario) -> Option<Diagnostic> {
    let code = scenario.expect.code.as_ref()?;
    let known: Vec<String> = Code::ALL.iter().map(|known| known.as_str()).collect();
    (!known.contains(&code.value)).then(|| {
        let message = format!("there is no error code `{}`", code.value);
        let finding = Diagnostic::new(Finding::WrongShape, code.span, message);
        finding.did_you_mean(&code.value, known.iter().map(String::as_str))
    })
}

/// Findings for requests that the pages send unasked, and that are not written as requests.
fn wrong_unasked(file: &SuiteFile) -> impl Iterator<Item = Diagnostic> {
    file.unasked.iter().filter(|pattern| pattern.rule().is_none()).map(|pattern| {
        let message = format!("`{}` is not a method and a path", pattern.request.value);
        let finding = Diagnostic::new(Finding::BadRequest, pattern.request.span, message);
        finding.help("write `POST /presence`; `*` matches any text")
    })
}

/// Findings for parts of remarks that every remark contains.
fn empty_drift(scenario: &Scenario) -> impl Iterator<Item = Diagnostic> {
    scenario.expect.drift.iter().filter(|part| part.value.trim().is_empty()).map(|part| {
        let message = "an empty text is a part of every remark";
        let finding = Diagnostic::new(Finding::WrongShape, part.span, message);
        finding.help("name a part of the remark that the result has under `drift`")
    })
}

/// Findings for faults that are not valid. They have no places in the text, so the finding shows the scenario.
fn wrong_faults(scenario: &Scenario) -> impl Iterator<Item = Diagnostic> {
    let wrong = scenario.faults.iter().filter_map(|fault| Some((fault, fault_error(fault)?)));
    wrong.map(|(fault, error)| {
        let message = format!("the fault {fault} is not valid: {error}");
        Diagnostic::new(Finding::WrongShape, scenario.name.span, message)
    })
}

fn read(app: &str, path: &str, source: String, sites: &Path) -> Result<Suite, Problem> {
    let text = Text { path: path.to_owned(), source };
    let (file, mut findings) = read_text::<SuiteFile>(&text.source);
    if let Some(file) = &file {
        if file.suite.value != 1 {
            let message = format!("version {} of the format is not supported", file.suite.value);
            let finding = Diagnostic::new(Finding::LanguageVersion, file.suite.span, message);
            findings.push(finding.help("write `suite: 1`"));
        }
        findings.extend(unknown_states(file));
        findings.extend(wrong_unasked(file));
        findings.extend(file.scenarios.iter().filter_map(unknown_code));
        findings.extend(file.scenarios.iter().flat_map(wrong_faults));
        findings.extend(file.scenarios.iter().flat_map(empty_drift));
    }
    match file {
        Some(file) if findings.is_empty() => {
            Ok(Suite { app: app.to_owned(), site: sites.join(&file.site.value), file, text })
        }
        _ => Err(Problem::Wrong(text, findings)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unasked_request_has_a_method_and_a_path() {
        let source =
            "suite: 1\nsite: x\naccount: {}\nunasked: [ POST /presence, /presence ]\nscenarios: []\n";
        let Err(Problem::Wrong(_, findings)) = read("x", "x", source.to_owned(), Path::new("")) else {
            panic!("it was read");
        };
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!(finding.message, "`/presence` is not a method and a path");
    }

    #[test]
    fn an_empty_drift_would_expect_everything() {
        let source = "suite: 1\nsite: x\naccount: {}\nscenarios:\n  - name: x\n    job: {}\n    \
                      expect: { outcome: succeeded, drift: [ it was renewed, \" \" ] }\n";
        let Err(Problem::Wrong(_, findings)) = read("x", "x", source.to_owned(), Path::new("")) else {
            panic!("it was read");
        };
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!(finding.message, "an empty text is a part of every remark");
    }
}
