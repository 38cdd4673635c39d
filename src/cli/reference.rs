//! Writes `docs/reference/` from the types of the language and the contract.
//!
//! The examples of findings are the folders of `tests/language`. They are tests: the bad one has the finding, the good one has not.

mod examples;

use std::{fmt::Write, path::Path};

use serde_json::Value;

use crate::{
    contract::{Code, Operation},
    playbook::{
        Finding, Severity,
        check::ATTRIBUTES,
        locator::ROLES,
        schema::{self, CONDITIONS, SECTIONS},
        step::STEPS,
        words,
    },
    site::{Fault, Kind, SiteFile},
};

const GENERATED: &str = "<!-- Generated from the types by `make schemas`. -->\n\n";

/// Every page: its file name and its text. The examples are read from this folder.
pub fn reference(language: &Path) -> std::io::Result<Vec<(&'static str, String)>> {
    let playbook = schema::playbook();
    Ok(vec![
        ("README.md", index()),
        ("playbook.md", sections(&playbook)),
        ("steps.md", steps(&playbook)),
        ("locators.md", locators()),
        ("views.md", views(&playbook)),
        ("login.md", login(&playbook)),
        ("operations.md", operations(&playbook)),
        ("scenarios.md", scenarios()),
        ("sites.md", sites()),
        ("findings.md", findings(language)?),
        ("errors.md", errors()),
    ])
}

fn page(title: &str) -> String {
    format!("# {title}\n\n{GENERATED}")
}

fn index() -> String {
    let mut page = page("Reference");
    page.push_str("To write a playbook step by step, follow the [guide](../guide.md). [playbook.md](../playbook.md) explains how the parts work together. [trouble.md](../trouble.md) helps when a playbook does not work. The pages here describe each part alone.\n\n| page | describes |\n|---|---|\n");
    for (file, describes) in [
        ("playbook.md", "the sections of `playbook.yaml`, and of a module"),
        ("steps.md", "the steps, their keys and modifiers"),
        ("locators.md", "how elements are found, and the conditions"),
        ("views.md", "how records are read, and how one user is found"),
        ("login.md", "the ways to sign in"),
        ("operations.md", "the operations, and the attributes of a user"),
        ("scenarios.md", "the keys of `scenarios.yaml`"),
        ("sites.md", "the keys of `site.yaml` of a fixture site, and the faults"),
        ("findings.md", "the findings of `seatwright check`, each with a bad and a good example"),
        ("errors.md", "the error codes of results"),
    ] {
        let _ = writeln!(page, "| [{file}]({file}) | {describes} |");
    }
    page
}

fn sections(schema: &Value) -> String {
    let mut page = page("The sections of a playbook");
    page.push_str("A playbook is the file `playbooks/<app>/playbook.yaml`. A module is a file that several playbooks use, such as `playbooks/idp/gatehouse.yaml`.\n");
    for (name, property) in properties(schema) {
        let needed = if required(schema, name) { " Required." } else { "" };
        let _ = write!(page, "\n## {name}\n\n{}{needed}\n", description(property));
        if let Some((_, _, example)) = SECTIONS.iter().find(|(section, ..)| section == name) {
            let _ = write!(page, "\n```yaml\n{name}:\n{}\n```\n", indented(example));
        }
    }
    for (title, name) in [
        ("A setting", "Setting"),
        ("An entitlement", "EntitlementRule"),
        ("An overlay", "Overlay"),
        ("A screen", "Screen"),
    ] {
        let _ = write!(page, "\n## {title}\n\n");
        table(&mut page, schema, name);
    }
    let module = schema::module();
    page.push_str("\n## A module\n\n");
    rows(&mut page, &module);
    page.push_str("\n## A parameter of a module\n\n");
    table(&mut page, &module, "Parameter");
    page
}

fn steps(schema: &Value) -> String {
    let mut page = page("Steps");
    page.push_str("A step has one action, and it can have modifiers.\n");
    let kinds = [
        ("fill", "Fill"),
        ("choose", "Choose"),
        ("move", "Move"),
        ("capture", "Capture"),
        ("upload", "Upload"),
        ("download", "Download"),
        ("enter_code", "EnterCode"),
        ("popup", "Popup"),
        ("answer", "AnswerDialog"),
        ("repeat", "Repeat"),
        ("use", "Use"),
        ("collect", "Collect"),
    ];
    for (key, doc, example) in STEPS {
        let _ = write!(page, "\n## {key}\n\n{}\n\n```yaml\n- {example}\n```\n", folded(doc));
        if let Some((_, kind)) = kinds.iter().find(|(step, _)| step == key) {
            page.push('\n');
            table(&mut page, schema, kind);
        }
    }
    page.push_str("\n## when\n\nChooses between two lists of steps, by what is visible or by the data of the job. `do` runs if the condition is true, `else` if it is not.\n\n```yaml\n- when: { label: One-time code }\n  do: [ { enter_code: { into: { label: One-time code }, from: totp } } ]\n```\n\n## Modifiers\n\n| key | means |\n|---|---|\n");
    for (name, property) in properties(&schema["definitions"]["Step"]) {
        if !STEPS.iter().any(|(key, ..)| key == name) {
            let _ = writeln!(page, "| `{name}` | {} |", description(property));
        }
    }
    page.push_str("\n## Keys\n\n`press` accepts ");
    page.push_str(&list(words_of(&schema["definitions"]["Key"])));
    page.push_str(".\n");
    page
}

fn locators() -> String {
    let mut page = page("Locators");
    page.push_str("A locator describes what a person sees, and finds exactly one element: by a role with its accessible name, or by one of the other keys.\n\n## Roles\n\nThe roles are those of WAI-ARIA 1.2. A name must match exactly, except for white space. `~` is any name, `{ matches: \"Pay *\" }` is a pattern.\n\n| role | is |\n|---|---|\n");
    for role in ROLES {
        let _ = writeln!(page, "| `{role}` | {} |", words::role(role));
    }
    page.push_str("\n## Other keys\n\n| key | finds | example |\n|---|---|---|\n");
    for (key, says, example) in words::LOCATOR_KEYS {
        let _ = writeln!(page, "| `{key}` | {says} | `{example}` |");
    }
    page.push_str("\n## Conditions\n\nIn a condition (`expect`, `when`, `unless`, `until`), a locator means that the element is visible. The other conditions:\n\n| key | is true when |\n|---|---|\n");
    for (key, says) in CONDITIONS {
        let _ = writeln!(page, "| `{key}` | {says} |");
    }
    page
}

fn views(schema: &Value) -> String {
    let mut page = page("Views");
    page.push_str("A view describes where the records are, and how to read them.\n");
    for (title, name) in [
        ("A view", "View"),
        ("Rows", "Rows"),
        ("A column", "Column"),
        ("Pages", "Pages"),
        ("A page for each record", "Detail"),
        ("find_user", "FindUser"),
        ("A search", "Search"),
    ] {
        let _ = write!(page, "\n## {title}\n\n");
        table(&mut page, schema, name);
    }
    page
}

fn login(schema: &Value) -> String {
    let mut page = page("Signing in");
    page.push_str("The service account of the integration chooses the way: `password`, `sso` or `token`.\n");
    for (title, name) in [("login", "Login"), ("tenant", "Tenant"), ("token", "Token")] {
        let _ = write!(page, "\n## {title}\n\n");
        table(&mut page, schema, name);
    }
    page.push_str("\nA token is sent in one of these ways: ");
    page.push_str(&list(words_of(&schema["definitions"]["SendToken"])));
    page.push_str(".\n");
    page
}

fn operations(schema: &Value) -> String {
    let mut page = page("Operations");
    page.push_str("Every write has three parts: Seatwright looks for the user, does the steps, and reads the change back.\n\n");
    table(&mut page, schema, "OperationSteps");
    for operation in Operation::ALL {
        let (says, example) = words::operation(*operation);
        let _ = write!(page, "\n## {operation}\n\n{says}\n\n```yaml\n{example}\n```\n");
    }
    page.push_str("\n## Attributes\n\nThe attributes of a SCIM user (RFC 7643 §4.1).\n\n| attribute | is |\n|---|---|\n");
    for attribute in ATTRIBUTES {
        let _ = writeln!(page, "| `{attribute}` | {} |", words::attribute(attribute));
    }
    page
}

fn scenarios() -> String {
    let schema = crate::scenario::schema();
    let mut page = page("Scenarios");
    page.push_str("`playbooks/<app>/scenarios.yaml` describes what must happen on the fixture site of the app. Everything that a scenario does not name must stay as it was.\n\n");
    rows(&mut page, &schema);
    for (title, name) in [
        ("A scenario", "Scenario"),
        ("account", "Account"),
        ("world", "Changes"),
        ("A change", "Update"),
        ("expect", "Expect"),
        ("world_after", "After"),
    ] {
        let _ = write!(page, "\n## {title}\n\n");
        table(&mut page, &schema, name);
    }
    page
}

fn sites() -> String {
    let schema = schema::of::<SiteFile>("");
    let mut page = page("Fixture sites");
    page.push_str("A site is a folder with `site.yaml`, pages, style sheets and scripts. [sites.md](../sites.md) explains how to write one. Expressions and templates are those of minijinja.\n\n");
    rows(&mut page, &schema);
    for (title, name) in [
        ("sign_in", "SignIn"),
        ("An account", "Account"),
        ("sso", "Sso"),
        ("world", "World"),
        ("A collection", "Collection"),
        ("generate", "Generate"),
        ("A route", "Route"),
        ("require", "Require"),
        ("fail", "Fail"),
        ("do", "Action"),
        ("insert", "Insert"),
        ("update", "Update"),
        ("delete", "Delete"),
    ] {
        let _ = write!(page, "\n## {title}\n\n");
        table(&mut page, &schema, name);
    }
    let schema = schema::of::<Fault>("");
    page.push_str("\n## Faults\n\nA fault makes something go wrong, if a scenario or a POST to `/_site/faults` asks for it.\n\n```yaml\nfaults: [ { on: POST /members, do: drop_after, times: 1 } ]\n```\n\n| `do` | effect | its keys |\n|---|---|---|\n");
    let kinds = schema["definitions"]["Kind"]["oneOf"].as_array().into_iter().flatten();
    for (kind, definition) in Kind::ALL.iter().zip(kinds) {
        let (name, needs, may) = kind.written();
        let needed = needs.iter().map(|key| format!("`{key}` (required)"));
        let keys: Vec<String> = needed.chain(may.iter().map(|key| format!("`{key}`"))).collect();
        let _ = writeln!(page, "| `{name}` | {} | {} |", description(definition), keys.join(", "));
    }
    page.push_str("\n## A fault\n\n");
    rows(&mut page, &schema);
    page
}

fn findings(language: &Path) -> std::io::Result<String> {
    let mut page = page("Findings");
    page.push_str("A playbook with an error is not played. A playbook with warnings is.\n\n| code | | what is wrong |\n|---|---|---|\n");
    for finding in Finding::ALL {
        let code = finding.code();
        let _ = writeln!(
            page,
            "| [{code}](#{}) | {} | {} |",
            code.to_lowercase(),
            severity(*finding),
            finding.meaning()
        );
    }
    for finding in Finding::ALL {
        let _ = write!(
            page,
            "\n## {}\n\n**{}.** {}\n",
            finding.code(),
            capital(severity(*finding)),
            finding.meaning()
        );
        examples::of(*finding, language, &mut page)?;
    }
    Ok(page)
}

fn errors() -> String {
    let mut page = page("Error codes");
    page.push_str("Programs decide by the code. The message is for people.\n\n| code | class | retry | owner | SCIM | means |\n|---|---|---|---|---|---|\n");
    for code in Code::ALL {
        let scim = code.scim();
        let kind = scim.scim_type.map(|kind| format!(" {kind}")).unwrap_or_default();
        let _ = writeln!(
            page,
            "| <a id=\"{code}\"></a>`{code}` | {} | {} | {} | {}{kind} | {} |",
            word(&code.class()),
            word(&code.retry()),
            word(&code.owner()),
            scim.status,
            code.meaning()
        );
    }
    page
}

fn severity(finding: Finding) -> &'static str {
    match finding.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// The keys of a definition, with their descriptions.
fn table(page: &mut String, schema: &Value, name: &str) {
    rows(page, &schema["definitions"][name]);
}

fn rows(page: &mut String, definition: &Value) {
    page.push_str("| key | means |\n|---|---|\n");
    for (name, property) in properties(definition) {
        let needed = if required(definition, name) { " Required." } else { "" };
        let _ = writeln!(page, "| `{name}` | {}{needed} |", description(property));
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

fn required(schema: &Value, key: &str) -> bool {
    schema["required"].as_array().is_some_and(|keys| keys.iter().any(|k| k == key))
}

fn description(property: &Value) -> String {
    folded(property["description"].as_str().unwrap_or_default())
}

/// The words of an enumeration.
fn words_of(definition: &Value) -> Vec<&str> {
    let named = definition["oneOf"].as_array().into_iter().flatten().filter_map(|one| one["const"].as_str());
    let listed = definition["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let more = definition["oneOf"].as_array().into_iter().flatten();
    let more = more.flat_map(|one| one["enum"].as_array().into_iter().flatten()).filter_map(Value::as_str);
    named.chain(listed).chain(more).collect()
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

fn list(words: Vec<&str>) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}
