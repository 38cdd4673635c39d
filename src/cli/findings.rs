//! Findings for programs: JSON, and SARIF 2.1.0 for code hosts.

use serde_json::{Value, json};

use crate::playbook::{Diagnostic, Finding, Loaded, Severity};

/// The address of a finding in the reference.
pub(super) fn address(finding: Finding, reference: &str) -> String {
    format!("{}/findings.md#{}", reference.trim_end_matches('/'), finding.code().to_lowercase())
}

/// One object per finding. Lines and columns start at 1.
pub(super) fn json(all: &[Loaded], reference: Option<&str>) -> Value {
    let findings = all.iter().flat_map(|loaded| loaded.findings.iter().map(move |f| (loaded, f)));
    let findings = findings.map(|(loaded, found)| {
        let mut object = json!({
            "code": found.finding.code(),
            "severity": found.finding.severity(),
            "message": found.message,
            "path": loaded.path,
            "start": place(loaded, found.span.start),
            "end": place(loaded, end(loaded, found)),
        });
        if let Some(label) = &found.label {
            object["label"] = label.as_str().into();
        }
        if let Some(help) = &found.help {
            object["help"] = help.as_str().into();
        }
        if let Some(reference) = reference {
            object["reference"] = address(found.finding, reference).into();
        }
        object
    });
    json!({ "version": 1, "playbooks": all.len(), "findings": findings.collect::<Vec<_>>() })
}

fn place(loaded: &Loaded, offset: usize) -> Value {
    let (line, column) = loaded.line_column(offset);
    json!({ "line": line, "column": column })
}

fn end(loaded: &Loaded, found: &Diagnostic) -> usize {
    found.span.end.min(loaded.source.len()).max(found.span.start)
}

/// A SARIF log. Each kind of finding is a rule, each finding is a result with its region.
pub(super) fn sarif(all: &[Loaded], reference: Option<&str>) -> Value {
    let rules: Vec<Value> = Finding::ALL.iter().map(|finding| rule(*finding, reference)).collect();
    let results: Vec<Value> =
        all.iter().flat_map(|loaded| loaded.findings.iter().map(|found| result(loaded, found))).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "seatwright", "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(finding: Finding, reference: Option<&str>) -> Value {
    let mut rule = json!({
        "id": finding.code(),
        "name": format!("{finding:?}"),
        "shortDescription": { "text": finding.meaning() },
        "help": { "text": finding.meaning() },
        "defaultConfiguration": { "level": level(finding) },
    });
    if let Some(reference) = reference {
        let address = address(finding, reference);
        rule["help"]["markdown"] = format!("{} [With examples]({address}).", finding.meaning()).into();
        rule["helpUri"] = address.into();
    }
    rule
}

fn result(loaded: &Loaded, found: &Diagnostic) -> Value {
    let (line, column) = loaded.line_column(found.span.start);
    let (end_line, end_column) = loaded.line_column(end(loaded, found));
    let index = Finding::ALL.iter().position(|finding| *finding == found.finding);
    let texts = [Some(&found.message), found.label.as_ref(), found.help.as_ref()];
    let text = texts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("; ");
    // Relative to the current folder, as code hosts expect it. An absolute path becomes a file: address.
    let uri = match url::Url::from_file_path(&loaded.path) {
        Ok(url) => url.to_string(),
        Err(()) => loaded.path.trim_start_matches("./").replace('%', "%25").replace(' ', "%20"),
    };
    json!({
        "ruleId": found.finding.code(),
        "ruleIndex": index,
        "level": level(found.finding),
        "message": { "text": text },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri },
            "region": { "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column },
        } }],
    })
}

fn level(finding: Finding) -> &'static str {
    match finding.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}
