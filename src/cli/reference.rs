//! `docs/reference.md`: what can be said of the language and the contract from their types.

use std::fmt::Write;

use crate::{
    contract::{Code, Operation},
    playbook::{Finding, Severity, check::ATTRIBUTES, locator::ROLES, step::STEPS},
};

/// The whole page.
pub fn reference() -> String {
    let mut page = String::from(
        "# Reference\n\nGenerated from the types by `make schemas`. What things mean is told in [playbook.md](playbook.md).\n",
    );
    page.push_str("\n## Steps\n\nOne action each, and modifiers: `commit`, `when`, `unless`, `optional`, `timeout` (500ms, 10s, 2m), `as`, `note`.\n\n");
    page.push_str("| step | does | example |\n|---|---|---|\n");
    for (key, doc, example) in STEPS {
        let doc = doc.split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = writeln!(page, "| `{key}` | {doc} | `{example}` |");
    }
    page.push_str("| `when` … `do` … `else` | One of two ways, by what is visible or by the job's data. | `when: { label: Code }` |\n");
    page.push_str("\n## Locators\n\nRoles: ");
    page.push_str(&list(ROLES));
    page.push_str(". Beside them `label`, `text`, `testid`, `placeholder`, `title`, `css`, `xpath`; modifiers `in`, `has`, `text`, `nth`, `exact`.\n");
    page.push_str("\n## Attributes\n\nOf a SCIM user (RFC 7643 §4.1): ");
    page.push_str(&list(ATTRIBUTES));
    page.push_str(".\n\n## Operations\n\n");
    let names: Vec<&str> = Operation::ALL.iter().map(|o| o.as_str()).collect();
    page.push_str(&list(&names));
    page.push_str(".\n\n## Findings\n\nAn error forbids playing the playbook; a warning does not. A bad example of each stands in `tests/language`.\n\n");
    page.push_str("| code | | what is wrong |\n|---|---|---|\n");
    for finding in Finding::ALL {
        let severity = match finding.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let _ = writeln!(page, "| {} | {severity} | {} |", finding.code(), finding.meaning());
    }
    page.push_str(
        "\n## Error codes\n\n| code | class | retry | owner | SCIM | means |\n|---|---|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let scim = code.scim();
        let kind = scim.scim_type.map(|kind| format!(" {kind}")).unwrap_or_default();
        let _ = writeln!(
            page,
            "| `{code}` | {} | {} | {} | {}{kind} | {} |",
            word(&code.class()),
            word(&code.retry()),
            word(&code.owner()),
            scim.status,
            code.meaning()
        );
    }
    page
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}
