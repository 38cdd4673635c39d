//! Shows why a job failed, for the author of the playbook.

use std::path::Path;

use crate::contract::{Evidence, Failure};

/// What failed, in which step, what the page shows, and what to try: one line each. `folder` has the playbook of the app.
pub(super) fn lines(error: &Failure, folder: &Path) -> Vec<String> {
    let mut lines = vec![format!("{}: {}", error.code, error.message)];
    if let (Some(step), Some(at)) = (&error.step, &error.at) {
        lines.push(format!("in {step}, {at}{}", line_of(folder, at)));
    }
    if let Some(text) = &error.page_said {
        lines.push(format!("on the page: {text}"));
    }
    if let Some(hint) = &error.hint {
        lines.push(format!("try: {hint}"));
    }
    lines
}

/// The path of each picture.
pub(super) fn pictures(evidence: &[Evidence], folder: &Path) -> Vec<String> {
    let kept = evidence.iter().filter_map(|e| e.reference.as_ref());
    kept.map(|name| format!("picture: {}", folder.join(name).display())).collect()
}

/// The line of the playbook in which a step begins.
fn line_of(folder: &Path, at: &str) -> String {
    let mut parts = at.split(':');
    let (Some(file), Some(line)) = (parts.next(), parts.next().and_then(|n| n.parse::<usize>().ok())) else {
        return String::new();
    };
    // Modules are next to the folders of the apps.
    let path = if file.contains('/') { folder.join("..").join(file) } else { folder.join(file) };
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().nth(line.saturating_sub(1)).map_or_else(String::new, |line| format!(": {}", line.trim()))
}
