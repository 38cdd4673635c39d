//! From the text of a playbook to a checked one.

use std::cell::RefCell;

use sha2::{Digest, Sha256};

use super::{
    check::check,
    diagnostic::{Diagnostic, Finding, Severity},
    node,
    reader::{self, Findings},
    syntax::Playbook,
};

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
}

impl Loaded {
    /// The playbook, if nothing forbids playing it.
    pub fn playable(&self) -> Option<&Playbook> {
        let forbidden = self.findings.iter().any(|f| f.finding.severity() == Severity::Error);
        if forbidden { None } else { self.playbook.as_ref() }
    }

    /// Line and column (from 1) of a place.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = &self.source[..self.source.floor_char_boundary(offset.min(self.source.len()))];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
        (line, column)
    }
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

/// Reads and checks one playbook. `folder` is the name that its app must have.
pub fn load(path: &str, folder: &str, source: &str) -> Loaded {
    let digest = Sha256::digest(source.as_bytes()).iter().fold("sha256:".to_owned(), |mut out, byte| {
        use std::fmt::Write;
        let _ = write!(out, "{byte:02x}");
        out
    });
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
        findings.extend(check(playbook).into_iter().filter(|finding| !follows(finding, &broken)));
        if playbook.app.value != folder {
            let message = format!("the app is called `{}`, its folder `{folder}`", playbook.app.value);
            findings.push(
                Diagnostic::new(Finding::AppName, playbook.app.span, message).help("give both the same name"),
            );
        }
    }
    findings.sort_by_key(|f| (f.span.start, f.finding.code()));
    findings.dedup();
    Loaded { path: path.to_owned(), source: source.to_owned(), digest, playbook, findings }
}
