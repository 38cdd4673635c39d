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

/// The folder of a file: of `playbooks/ledgerly/scenarios.yaml:12:11` it is `playbooks/ledgerly`.
pub(super) fn folder_of(place: &str) -> &Path {
    place.split(':').next().map(Path::new).and_then(Path::parent).unwrap_or(Path::new("."))
}

/// The file and the line of a place: `playbooks/ledgerly/scenarios.yaml:12:11`.
pub(super) fn file_and_line(place: &str) -> (String, Option<usize>) {
    let mut parts = place.split(':');
    let file = parts.next().unwrap_or_default().to_owned();
    (file, parts.next().and_then(|line| line.parse().ok()))
}

/// The file and the line of a step, `playbook.yaml:88:9`, in the folder of its app. Modules are next to the folders of the
/// apps.
pub(super) fn in_folder(folder: &Path, at: &str) -> (String, Option<usize>) {
    let (file, line) = file_and_line(at);
    let folder = match (file.contains('/'), folder.parent().filter(|_| folder.file_name().is_some())) {
        (false, _) => folder.to_owned(),
        (true, Some(parent)) => parent.to_owned(),
        (true, None) => folder.join(".."),
    };
    (folder.join(file).display().to_string(), line)
}

/// The line of the playbook in which a step begins.
fn line_of(folder: &Path, at: &str) -> String {
    let (path, Some(line)) = in_folder(folder, at) else { return String::new() };
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().nth(line.saturating_sub(1)).map_or_else(String::new, |line| format!(": {}", line.trim()))
}
