//! Loads a playbook: from its text to a checked playbook.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    check::{check, check_module},
    diagnostic::{Diagnostic, Finding},
    loaded::{Loaded, LoadedModule, Modules},
    node::{self, Node},
    reader::{self, Findings},
    step::Action,
    syntax::{Module, Playbook},
    visit::each_step_of,
};
use crate::digest;

/// Reads another kind of file in the same way, with all findings about its shape.
pub fn read_text<T: serde::de::DeserializeOwned>(source: &str) -> (Option<T>, Vec<Diagnostic>) {
    read_tree(node::parse(source))
}

/// The same for a text that may have anchors and aliases.
pub fn read_text_with_aliases<T: serde::de::DeserializeOwned>(source: &str) -> (Option<T>, Vec<Diagnostic>) {
    read_tree(node::parse_with(source, MOST_ALIASES))
}

/// The largest number of anchors and aliases in a text.
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

/// Does a finding report a part as missing that exists, but could not be read?
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

/// Reads and checks one playbook. `folder` is the required name of the app; `modules` are the modules that it may use.
pub fn load(path: &str, folder: &str, source: &str, modules: &Modules) -> Loaded {
    let digest = format!("sha256:{}", digest::sha256(source));
    let findings: Findings = RefCell::default();
    let tree = node::parse(source);
    let mut playbook = match &tree {
        Ok(tree) => reader::read::<Playbook>(tree, &findings),
        Err(diagnostic) => {
            findings.borrow_mut().push(diagnostic.clone());
            None
        }
    };
    let mut findings = findings.into_inner();
    playbook.iter_mut().for_each(Playbook::join_views);
    if let (Some(playbook), Ok(tree)) = (&playbook, &tree) {
        let broken = node::broken_parts(tree, &findings);
        findings.extend(check(playbook, modules).into_iter().filter(|finding| !follows(finding, &broken)));
        if playbook.app.value != folder {
            let message = format!("the app is named `{}`, but its folder is `{folder}`", playbook.app.value);
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
