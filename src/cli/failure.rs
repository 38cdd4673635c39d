//! Why a job was not done, for the one who wrote the playbook.

use std::path::Path;

use crate::contract::{Evidence, Failure};

/// What went wrong, where, what was there instead, what to try: a line each. `folder` is that of the app's playbook.
pub(super) fn lines(error: &Failure, folder: &Path) -> Vec<String> {
    let mut lines = vec![format!("{}: {}", error.code, error.message)];
    if let (Some(step), Some(at)) = (&error.step, &error.at) {
        lines.push(format!("in {step}, {at}{}", line_of(folder, at)));
    }
    if let Some(said) = &error.page_said {
        lines.push(format!("on the page: {said}"));
    }
    if let Some(hint) = &error.hint {
        lines.push(format!("try: {hint}"));
    }
    lines
}

/// Where the pictures are.
pub(super) fn pictures(evidence: &[Evidence], folder: &Path) -> Vec<String> {
    let kept = evidence.iter().filter_map(|e| e.reference.as_ref());
    kept.map(|name| format!("picture: {}", folder.join(name).display())).collect()
}

/// The line of the playbook that a step begins in.
fn line_of(folder: &Path, at: &str) -> String {
    let mut parts = at.split(':');
    let (Some(file), Some(line)) = (parts.next(), parts.next().and_then(|n| n.parse::<usize>().ok())) else {
        return String::new();
    };
    // A module stands beside the playbooks.
    let path = if file.contains('/') { folder.join("..").join(file) } else { folder.join(file) };
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().nth(line.saturating_sub(1)).map_or_else(String::new, |line| format!(": {}", line.trim()))
}
