//! A bad and a good example of a finding, cut to the lines that differ.

use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

use crate::playbook::Finding;

/// Appends the bad lines, their report, and the good lines, from the first folder of this finding that has both.
pub(super) fn of(finding: Finding, language: &Path, page: &mut String) -> std::io::Result<()> {
    let prefix = format!("{}-", finding.code().to_lowercase());
    let mut folders: Vec<_> =
        fs::read_dir(language)?.filter_map(|entry| entry.ok().map(|e| e.path())).collect();
    folders.sort();
    let named =
        |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix));
    let Some(folder) = folders.iter().find(|path| named(path) && path.join("good.yaml").is_file()) else {
        return Ok(());
    };
    let bad = fs::read_to_string(folder.join("playbook.yaml"))?;
    let good = fs::read_to_string(folder.join("good.yaml"))?;
    let report = fs::read_to_string(folder.join("report.txt"))?;
    let (bad, good) = (bad.lines().collect::<Vec<_>>(), good.lines().collect::<Vec<_>>());
    let (wrong, right) = differing(&bad, &good);
    let _ = write!(page, "\nBad:\n\n```yaml\n{}```\n", excerpt(&bad, &wrong));
    let mine: Vec<&str> =
        report.split("\n\n").filter(|one| one.contains(&format!("[{}]", finding.code()))).collect();
    let _ = write!(page, "\n```text\n{}\n```\n", mine.join("\n\n").trim_end());
    let _ = write!(page, "\nGood:\n\n```yaml\n{}```\n", excerpt(&good, &right));
    Ok(())
}

/// The lines of each that the other does not have (by the longest common subsequence).
fn differing(a: &[&str], b: &[&str]) -> (BTreeSet<usize>, BTreeSet<usize>) {
    let mut longest = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i][j] = if a[i] == b[j] {
                longest[i + 1][j + 1] + 1
            } else {
                longest[i + 1][j].max(longest[i][j + 1])
            };
        }
    }
    let (mut only_a, mut only_b) = (BTreeSet::new(), BTreeSet::new());
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            (i, j) = (i + 1, j + 1);
        } else if j >= b.len() || (i < a.len() && longest[i + 1][j] >= longest[i][j + 1]) {
            only_a.insert(i);
            i += 1;
        } else {
            only_b.insert(j);
            j += 1;
        }
    }
    // If lines are only removed or only added, the other text shows the same place.
    if only_a.is_empty() {
        only_a.extend(neighbours(a, b, &only_b));
    }
    if only_b.is_empty() {
        only_b.extend(neighbours(b, a, &only_a));
    }
    (only_a, only_b)
}

/// The lines around a gap: the line before it, and the line after it.
fn neighbours(here: &[&str], there: &[&str], added: &BTreeSet<usize>) -> Vec<usize> {
    let mut found = Vec::new();
    let mut skipped = 0;
    for index in 0..there.len() {
        if added.contains(&index) {
            skipped += 1;
            let at = index + 1 - skipped;
            found.extend(at.checked_sub(1));
            found.extend((at < here.len()).then_some(at));
        }
    }
    found
}

/// These lines, the keys above them, and their neighbours. `…` marks what is left out.
fn excerpt(lines: &[&str], wanted: &BTreeSet<usize>) -> String {
    let mut shown = BTreeSet::new();
    for &line in wanted {
        shown.extend([line.saturating_sub(1), line, (line + 1).min(lines.len() - 1)]);
        let mut indent = depth(lines[line]);
        for above in (0..line).rev() {
            if depth(lines[above]) < indent && !lines[above].trim().is_empty() {
                shown.insert(above);
                indent = depth(lines[above]);
            }
        }
    }
    let mut text = String::new();
    let mut next = 0;
    for &line in &shown {
        if line != next {
            let _ = writeln!(text, "{}# …", " ".repeat(depth(lines[line])));
        }
        let _ = writeln!(text, "{}", lines[line]);
        next = line + 1;
    }
    text
}

fn depth(line: &str) -> usize {
    line.len() - line.trim_start().len()
}
