//! `docs/reference/`: what can be said of the language and the contract from their types.
//!
//! Examples of findings are the folders of `tests/language`, which are run: so the bad one is bad, the good one good.

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

/// Every page: its name, and its text. The examples are read below this folder.
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
    page.push_str("How a playbook is written, step by step, is told in the [guide](../guide.md); what things mean together, in [playbook.md](../playbook.md); what to do when it does not work, in [trouble.md](../trouble.md). Here each thing is told by itself.\n\n| page | tells |\n|---|---|\n");
    for (file, tells) in [
        ("playbook.md", "the sections of `playbook.yaml`, and of a module"),
        ("steps.md", "the steps, their keys and modifiers"),
        ("locators.md", "how elements are found, and the conditions"),
        ("views.md", "how records are read, and one user is found"),
        ("login.md", "the ways to sign in"),
        ("operations.md", "the operations, and the attributes of a user"),
        ("scenarios.md", "the keys of `scenarios.yaml`"),
        ("sites.md", "the keys of a fixture site's `site.yaml`, and the faults"),
        ("findings.md", "what `seatwright check` finds, with a bad and a good example of each"),
        ("errors.md", "the error codes of results"),
    ] {
        let _ = writeln!(page, "| [{file}]({file}) | {tells} |");
    }
    page
}

fn sections(schema: &Value) -> String {
    let mut page = page("The sections of a playbook");
    page.push_str("A playbook is `playbooks/<app>/playbook.yaml`; a module that several share is a file such as `playbooks/idp/gatehouse.yaml`.\n");
    for (name, property) in properties(schema) {
        let needed = if required(schema, name) { " Needed." } else { "" };
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
    page.push_str("A step has one action, and modifiers.\n");
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
    page.push_str("\n## when\n\nOne of two ways, by what is visible or by the job's data: `do` where it is so, `else` where it is not.\n\n```yaml\n- when: { label: One-time code }\n  do: [ { enter_code: { into: { label: One-time code }, from: totp } } ]\n```\n\n## Modifiers\n\n| key | says |\n|---|---|\n");
    for (name, property) in properties(&schema["definitions"]["Step"]) {
        if !STEPS.iter().any(|(key, ..)| key == name) {
            let _ = writeln!(page, "| `{name}` | {} |", description(property));
        }
    }
    page.push_str("\n## Keys\n\n`press` knows ");
    page.push_str(&list(words_of(&schema["definitions"]["Key"])));
    page.push_str(".\n");
    page
}

fn locators() -> String {
    let mut page = page("Locators");
    page.push_str("A locator says what a person sees, and finds exactly one element. It finds in one way: by a role with its accessible name, or by one of the other keys.\n\n## Roles\n\nRoles are those of WAI-ARIA 1.2; names are exact after white-space folding, `~` is any name, `{ matches: \"Pay *\" }` a pattern.\n\n| role | is |\n|---|---|\n");
    for role in ROLES {
        let _ = writeln!(page, "| `{role}` | {} |", words::role(role));
    }
    page.push_str("\n## Other keys\n\n| key | says | example |\n|---|---|---|\n");
    for (key, says, example) in words::LOCATOR_KEYS {
        let _ = writeln!(page, "| `{key}` | {says} | `{example}` |");
    }
    page.push_str("\n## Conditions\n\nWhere something is asked (`expect`, `when`, `unless`, `until`), a locator says that such an element is visible. Beside that:\n\n| key | is so when |\n|---|---|\n");
    for (key, says) in CONDITIONS {
        let _ = writeln!(page, "| `{key}` | {says} |");
    }
    page
}

fn views(schema: &Value) -> String {
    let mut page = page("Views");
    page.push_str("A view says where records are, and how to read them.\n");
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
    page.push_str(
        "The integration's service account says which way is taken: `password`, `sso` or `token`.\n",
    );
    for (title, name) in [("login", "Login"), ("tenant", "Tenant"), ("token", "Token")] {
        let _ = write!(page, "\n## {title}\n\n");
        table(&mut page, schema, name);
    }
    page.push_str("\nA token is sent by one of: ");
    page.push_str(&list(words_of(&schema["definitions"]["SendToken"])));
    page.push_str(".\n");
    page
}

fn operations(schema: &Value) -> String {
    let mut page = page("Operations");
    page.push_str("Every write is wrapped: the user is looked for, the steps are done, and the change is read back.\n\n");
    table(&mut page, schema, "OperationSteps");
    for operation in Operation::ALL {
        let (says, example) = words::operation(*operation);
        let _ = write!(page, "\n## {operation}\n\n{says}\n\n```yaml\n{example}\n```\n");
    }
    page.push_str("\n## Attributes\n\nOf a SCIM user (RFC 7643 §4.1).\n\n| attribute | is |\n|---|---|\n");
    for attribute in ATTRIBUTES {
        let _ = writeln!(page, "| `{attribute}` | {} |", words::attribute(attribute));
    }
    page
}

fn scenarios() -> String {
    let schema = crate::scenario::schema();
    let mut page = page("Scenarios");
    page.push_str("`playbooks/<app>/scenarios.yaml` says what must happen on the app's fixture site. What a scenario does not name has to be as before.\n\n");
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
    page.push_str("A site is a folder: `site.yaml` beside pages, style sheets and scripts. How one is written is told in [sites.md](../sites.md). Expressions and templates are minijinja's.\n\n");
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
    page.push_str("\n## Faults\n\nThings go wrong when a scenario, or a post to `/_site/faults`, asks for it.\n\n```yaml\nfaults: [ { on: POST /members, do: drop_after, times: 1 } ]\n```\n\n| `do` | does | keys of its own |\n|---|---|---|\n");
    let kinds = schema["definitions"]["Kind"]["oneOf"].as_array().into_iter().flatten();
    for (kind, told) in Kind::ALL.iter().zip(kinds) {
        let (name, needs, may) = kind.written();
        let needed = needs.iter().map(|key| format!("`{key}`, needed"));
        let keys: Vec<String> = needed.chain(may.iter().map(|key| format!("`{key}`"))).collect();
        let _ = writeln!(page, "| `{name}` | {} | {} |", description(told), keys.join(", "));
    }
    page.push_str("\n## A fault\n\n");
    rows(&mut page, &schema);
    page
}

fn findings(language: &Path) -> std::io::Result<String> {
    let mut page = page("Findings");
    page.push_str("An error forbids playing the playbook; a warning does not.\n\n| code | | what is wrong |\n|---|---|---|\n");
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
    page.push_str("They decide what happens next; prose only explains.\n\n| code | class | retry | owner | SCIM | means |\n|---|---|---|---|---|---|\n");
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

/// The keys of a definition with what they say.
fn table(page: &mut String, schema: &Value, name: &str) {
    rows(page, &schema["definitions"][name]);
}

fn rows(page: &mut String, definition: &Value) {
    page.push_str("| key | says |\n|---|---|\n");
    for (name, property) in properties(definition) {
        let needed = if required(definition, name) { " Needed." } else { "" };
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
