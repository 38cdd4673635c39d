//! From the text of a playbook to a checked one.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    check::{check, check_module},
    diagnostic::{Diagnostic, Finding, Severity},
    node::{self, Node},
    reader::{self, Findings},
    step::Action,
    syntax::{Module, Playbook},
    visit::each_step_of,
};
use crate::digest;

/// A playbook as loaded: the text, what it says, and everything that was found.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// For people: `playbooks/ledgerly/playbook.yaml`.
    pub path: String,
    pub source: String,
    /// `sha256:` and the digest of the text, hexadecimal.
    pub digest: String,
    /// What could be read, good or bad.
    pub playbook: Option<Playbook>,
    /// In the order of the text.
    pub findings: Vec<Diagnostic>,
    /// The modules that it uses.
    pub modules: Modules,
    /// The files that it uploads, by their path in its folder. Filled in by whoever reads the folder.
    pub files: BTreeMap<String, Arc<[u8]>>,
}

impl Loaded {
    /// The playbook, if nothing forbids playing it.
    pub fn playable(&self) -> Option<&Playbook> {
        let forbidden = self.findings.iter().any(|f| f.finding.severity() == Severity::Error);
        if forbidden { None } else { self.playbook.as_ref() }
    }

    /// The files that it uploads.
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

    /// Notes the operations that none of its scenarios plays.
    pub fn note_unplayed(&mut self, played: &BTreeSet<String>) {
        let Some(playbook) = &self.playbook else { return };
        let possible = playbook.operations.iter().filter(|(_, body)| body.unsupported.is_none());
        let unplayed = possible.filter(|(name, _)| !played.contains(&name.value)).map(|(name, _)| {
            let message = format!("no scenario plays `{}`", name.value);
            Diagnostic::new(Finding::NotPlayed, name.span, message)
                .help("add one to scenarios.yaml; `seatwright coverage` tells which states it needs")
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

/// A module as loaded.
#[derive(Debug, Clone)]
pub struct LoadedModule {
    /// For people: `playbooks/idp/gatehouse.yaml`.
    pub path: String,
    pub source: String,
    /// What could be read, good or bad.
    pub module: Option<Module>,
    /// In the order of the text.
    pub findings: Vec<Diagnostic>,
}

impl LoadedModule {
    /// The module, if nothing forbids playing it.
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

/// A text that findings are about, which is no playbook.
#[derive(Debug, Clone, Default)]
pub struct Text {
    /// For people: `playbooks/ledgerly/scenarios.yaml`.
    pub path: String,
    pub source: String,
}

impl Text {
    /// `playbooks/ledgerly/scenarios.yaml:12:11`
    pub fn place(&self, span: super::at::Span) -> String {
        let (line, column) = line_column(&self.source, span.start);
        format!("{}:{line}:{column}", self.path)
    }
}

/// Reads something else than a playbook, in the same way: with everything that is wrong with its shape.
pub fn read_text<T: serde::de::DeserializeOwned>(source: &str) -> (Option<T>, Vec<Diagnostic>) {
    read_tree(node::parse(source))
}

/// The same of a text that may say a thing once and mean it often: with anchors and aliases.
pub fn read_text_with_aliases<T: serde::de::DeserializeOwned>(source: &str) -> (Option<T>, Vec<Diagnostic>) {
    read_tree(node::parse_with(source, MOST_ALIASES))
}

/// How many anchors and aliases a text may have.
const MOST_ALIASES: usize = 500;

fn read_tree<T: serde::de::DeserializeOwned>(tree: Result<Node, Diagnostic>) -> (Option<T>, Vec<Diagnostic>) {
    let findings: Findings = RefCell::default();
    let read = match tree {
        Ok(tree) => reader::read::<T>(&tree, &findings),
        Err(diagnostic) => {
            findings.borrow_mut().push(diagnostic);
            None
        }
    };
    let mut findings = findings.into_inner();
    findings.sort_by_key(|f| (f.span.start, f.finding.code()));
    findings.dedup();
    (read, findings)
}

/// Reads and checks one module.
pub fn load_module(path: &str, source: &str) -> LoadedModule {
    let findings: Findings = RefCell::default();
    let module = match &node::parse(source) {
        Ok(tree) => reader::read::<Module>(tree, &findings),
        Err(diagnostic) => {
            findings.borrow_mut().push(diagnostic.clone());
            None
        }
    };
    let mut findings = findings.into_inner();
    findings.extend(module.iter().flat_map(check_module));
    findings.sort_by_key(|f| (f.span.start, f.finding.code()));
    findings.dedup();
    LoadedModule { path: path.to_owned(), source: source.to_owned(), module, findings }
}

fn line_column(source: &str, offset: usize) -> (usize, usize) {
    let before = &source[..source.floor_char_boundary(offset.min(source.len()))];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
    (line, column)
}

/// Does a finding only say that a part is missing which is there, but could not be read?
fn follows(finding: &Diagnostic, broken: &[String]) -> bool {
    let cause = match finding.finding {
        Finding::NoFindUser | Finding::AbsentWithoutProof => "find_user",
        Finding::NoLogin | Finding::NoTenant => "login",
        Finding::WideOrigin | Finding::StartOutsideOrigins => "origins",
        Finding::UnknownView | Finding::IdentityNotRead => "views",
        Finding::UnusedTarget => return !broken.is_empty(),
        Finding::UnknownTarget => "targets",
        Finding::NoCommit | Finding::NoOperations => "operations",
        _ => return false,
    };
    broken.iter().any(|part| part == cause)
}

/// Reads and checks one playbook. `folder` is the name that its app must have; `modules` are what it may use.
pub fn load(path: &str, folder: &str, source: &str, modules: &Modules) -> Loaded {
    let digest = format!("sha256:{}", digest::sha256(source));
    let findings: Findings = RefCell::default();
    let tree = node::parse(source);
    let playbook = match &tree {
        Ok(tree) => reader::read::<Playbook>(tree, &findings),
        Err(diagnostic) => {
            findings.borrow_mut().push(diagnostic.clone());
            None
        }
    };
    let mut findings = findings.into_inner();
    if let (Some(playbook), Ok(tree)) = (&playbook, &tree) {
        let broken = node::broken_parts(tree, &findings);
        findings.extend(check(playbook, modules).into_iter().filter(|finding| !follows(finding, &broken)));
        if playbook.app.value != folder {
            let message = format!("the app is called `{}`, its folder `{folder}`", playbook.app.value);
            findings.push(
                Diagnostic::new(Finding::AppName, playbook.app.span, message)
                    .help(format!("write `app: {folder}`, or rename the folder")),
            );
        }
    }
    findings.sort_by_key(|f| (f.span.start, f.finding.code()));
    findings.dedup();
    let mut used = BTreeSet::new();
    if let Some(playbook) = &playbook {
        each_step_of(playbook, &mut |step| {
            if let Action::Use(call) = &step.action {
                used.insert(call.module.value.clone());
            }
        });
    }
    let modules = modules
        .iter()
        .filter(|(name, _)| used.contains(*name))
        .map(|(n, m)| (n.clone(), Arc::clone(m)))
        .collect();
    Loaded {
        path: path.to_owned(),
        source: source.to_owned(),
        digest,
        playbook,
        findings,
        modules,
        files: BTreeMap::new(),
    }
}
