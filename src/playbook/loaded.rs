//! Loaded files: their text, their content, and their findings.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    at::Span,
    diagnostic::{Diagnostic, Finding, Severity},
    step::Action,
    syntax::{Module, Playbook},
    visit::each_step_of,
};

/// A loaded playbook: its text, its content, and its findings.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// For people: `playbooks/ledgerly/playbook.yaml`.
    pub path: String,
    pub source: String,
    /// `sha256:` and the digest of the text, hexadecimal.
    pub digest: String,
    /// The content, as far as it could be read.
    pub playbook: Option<Playbook>,
    /// In the order of the text.
    pub findings: Vec<Diagnostic>,
    /// The modules that it uses.
    pub modules: Modules,
    /// The files that the playbook uploads, by their path in its folder. The reader of the folder fills this in.
    pub files: BTreeMap<String, Arc<[u8]>>,
}

impl Loaded {
    /// The playbook, if it has no errors.
    pub fn playable(&self) -> Option<&Playbook> {
        let forbidden = self.findings.iter().any(|f| f.finding.severity() == Severity::Error);
        if forbidden { None } else { self.playbook.as_ref() }
    }

    /// The paths of the files that the playbook uploads.
    pub fn uploads(&self) -> Vec<&str> {
        let mut found = Vec::new();
        if let Some(playbook) = &self.playbook {
            each_step_of(playbook, &mut |step| {
                if let Action::Upload(upload) = &step.action {
                    found.extend(upload.file.as_ref().map(|file| file.value.as_str()));
                }
            });
        }
        found
    }

    /// Adds a finding for every operation that no scenario plays.
    pub fn note_unplayed(&mut self, played: &BTreeSet<String>) {
        let Some(playbook) = &self.playbook else { return };
        let possible = playbook.operations.iter().filter(|(_, body)| body.unsupported.is_none());
        let unplayed = possible.filter(|(name, _)| !played.contains(&name.value)).map(|(name, _)| {
            let message = format!("no scenario plays `{}`", name.value);
            Diagnostic::new(Finding::NotPlayed, name.span, message)
                .help("add a scenario to scenarios.yaml; `seatwright coverage` lists the states to cover")
        });
        let unplayed: Vec<Diagnostic> = unplayed.collect();
        self.findings.extend(unplayed);
        self.findings.sort_by_key(|f| (f.span.start, f.finding.code()));
    }

    /// Line and column (from 1) of a place.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        line_column(&self.source, offset)
    }
}

/// Modules by name: `idp/gatehouse`.
pub type Modules = BTreeMap<String, Arc<LoadedModule>>;

/// A loaded module.
#[derive(Debug, Clone)]
pub struct LoadedModule {
    /// For people: `playbooks/idp/gatehouse.yaml`.
    pub path: String,
    pub source: String,
    /// The content, as far as it could be read.
    pub module: Option<Module>,
    /// In the order of the text.
    pub findings: Vec<Diagnostic>,
}

impl LoadedModule {
    /// The module, if it has no errors.
    pub fn playable(&self) -> Option<&Module> {
        let forbidden = self.findings.iter().any(|f| f.finding.severity() == Severity::Error);
        if forbidden { None } else { self.module.as_ref() }
    }

    /// `idp/gatehouse.yaml:12:5`
    pub fn place(&self, offset: usize) -> String {
        let (line, column) = line_column(&self.source, offset);
        let mut parts = self.path.rsplit('/');
        let file = parts.next().unwrap_or_default();
        let folder = parts.next().map(|folder| format!("{folder}/")).unwrap_or_default();
        format!("{folder}{file}:{line}:{column}")
    }
}

/// Another file that findings refer to.
#[derive(Debug, Clone, Default)]
pub struct Text {
    /// For people: `playbooks/ledgerly/scenarios.yaml`.
    pub path: String,
    pub source: String,
}

impl Text {
    /// `playbooks/ledgerly/scenarios.yaml:12:11`
    pub fn place(&self, span: Span) -> String {
        let (line, column) = line_column(&self.source, span.start);
        format!("{}:{line}:{column}", self.path)
    }
}

fn line_column(source: &str, offset: usize) -> (usize, usize) {
    let before = &source[..source.floor_char_boundary(offset.min(source.len()))];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
    (line, column)
}
