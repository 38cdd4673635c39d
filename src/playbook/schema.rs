//! JSON Schemas of playbooks and modules: an editor completes, explains and checks with them.
//!
//! The types define keys and shapes. This file adds explanations and snippets for the editor, and the rules of the reader that
//! types do not express (one action in a step, numbers as texts).
//! `tests/it/schema.rs` holds both to the same answers.

mod snippets;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    check::ATTRIBUTES,
    locator::ROLES,
    step::STEPS,
    syntax::{Module, Playbook},
    words,
};
use crate::contract::Operation;

pub use snippets::SECTIONS;
use snippets::{indented, of_operations, snippet};

/// Where draft-07 keeps definitions. Every version of the YAML language server understands draft-07.
const DEFINITIONS: &str = "definitions";

/// The schema of `playbook.yaml`.
pub fn playbook() -> Value {
    let mut schema = of::<Playbook>("Seatwright playbook, language version 1");
    sections(&mut schema);
    schema
}

/// The schema of a module.
pub fn module() -> Value {
    of::<Module>("Seatwright module, language version 1")
}

/// The schema of a type that is read like a playbook.
pub fn of<T: JsonSchema>(title: &str) -> Value {
    let mut schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<T>().to_value();
    schema["title"] = Value::from(title);
    for version in ["playbook", "module", "suite", "site"] {
        let property = schema["properties"].get_mut(version).and_then(Value::as_object_mut);
        // In scenarios, `site` is a name.
        if let Some(property) = property.filter(|p| version != "site" || p["type"] == "integer") {
            let description = property.get("description").cloned().unwrap_or_default();
            *property = object(json!({ "description": description, "const": 1 }));
        }
    }
    if let Some(all) = schema.get_mut(DEFINITIONS).and_then(Value::as_object_mut) {
        for (name, definition) in all.iter_mut() {
            refine(name, definition);
        }
        if let Some(locator) = all.get("Locator").cloned()
            && let Some(definition) = all.get_mut("Condition")
        {
            condition(definition, &locator);
        }
        // An editor would show this description before the description of the key.
        for definition in all.values_mut().filter_map(Value::as_object_mut) {
            definition.remove("description");
        }
    }
    as_read(&mut schema);
    old_words(&mut schema);
    schema
}

/// Adds the rules of the reader that go beyond keys and kinds.
fn refine(name: &str, definition: &mut Value) {
    match name {
        "Step" => step(definition),
        "Locator" => locator(definition),
        "Fill" => one_of(definition, &[&["value"], &["secret"]], &["value", "secret"]),
        "Capture" => {
            one_of(definition, &[&["text_of"], &["attribute", "of"]], &["text_of", "attribute", "of"]);
        }
        "Upload" => {
            one_of(definition, &[&["file"], &["name", "content"]], &["file", "name", "content"]);
            definition["properties"]["file"]["pattern"] = INSIDE.into();
        }
        "Download" => {
            definition["properties"]["max"] = word("The largest size of the file: `200KiB`, `1MiB`.", SIZE);
        }
        "OperationSteps" => definition["defaultSnippets"] = of_operations(),
        "Pages" => pages(definition),
        "Name" => {
            flatten(definition);
            definition["properties"]["matches"]["description"] = json!(MATCHES);
        }
        "Use" => {
            flatten(definition);
            definition["properties"]["module"]["description"] =
                json!("The module: `idp/gatehouse` is the file `idp/gatehouse.yaml` below the playbooks.");
            definition["properties"]["with"]["description"] =
                json!("The parameters: texts that may contain templates.");
        }
        "View" | "Detail" => columns(definition),
        "RequestPattern" => flatten(definition),
        "Identity" => {
            flatten(definition);
            definition["examples"] = json!(ATTRIBUTES);
            definition["properties"]["attribute"]["examples"] = json!(ATTRIBUTES);
            definition["properties"]["attribute"]["description"] =
                json!("The attribute, such as `userName`.");
        }
        _ => {}
    }
    if name == "OperationSteps" {
        for key in ["requires", "changes", "also_changes"] {
            definition["properties"][key]["items"]["examples"] = json!(ATTRIBUTES);
        }
    }
}

fn step(definition: &mut Value) {
    let action = |key: &str| json!({ "required": [key] });
    let mut ways: Vec<Value> = STEPS.iter().map(|(key, ..)| action(key)).collect();
    ways.push(json!({ "required": ["do"] }));
    exactly_one(
        definition,
        ways,
        "A step has exactly one action: open, click, fill, form, … Write two steps for two actions.",
    );
    definition["dependentRequired"] = json!({
        "do": ["when"], "else": ["when", "do"], "capture": ["as"], "collect": ["as"], "in": ["form"]
    });
    definition["properties"]["timeout"] = word("How long the step may try: `500ms`, `10s`, `2m`.", DURATION);
    let mut snippets = Vec::new();
    for (key, doc, example) in STEPS {
        let doc = doc.split_whitespace().collect::<Vec<_>>().join(" ");
        definition["properties"][*key]["markdownDescription"] =
            format!("{doc}\n\n```yaml\n- {example}\n```").into();
        snippets.extend(snippet(key, &doc, example));
    }
    snippets.extend(snippet(
        "click, commit",
        "The step that may change the app.",
        "{ click: { button: Save, in: user row }, commit: true }",
    ));
    snippets.extend(snippet("when … do … else", "One of two blocks.", "{ when: { label: One-time code }, do: [ { enter_code: { into: { label: One-time code }, from: totp } } ] }"));
    definition["defaultSnippets"] = snippets.into();
}

/// Exactly one way to find an element. `text` is a way only if there is no other.
fn locator(find: &mut Value) {
    flatten(find);
    exactly_one(
        find,
        ways_of_finding(),
        "A locator finds an element in one way: put the other key into `in:` or `has:`, or write a list of alternatives.",
    );
    for property in find["properties"].as_object_mut().into_iter().flat_map(|p| p.values_mut()) {
        if let Some(matches) = property.pointer_mut("/anyOf/2/properties/matches") {
            matches["description"] = json!(MATCHES);
        }
    }
    for role in ROLES {
        let property = &mut find["properties"][*role];
        let says = words::role(role);
        property["description"] =
            format!("{says} The ARIA role `{role}` with this accessible name; `~` for any.").into();
        property["markdownDescription"] = format!(
            "{says}\n\nThe ARIA role `{role}` with this accessible name, exactly after white-space folding; `~` for any name, \
             `{{ matches: \"Pay *\" }}` for a pattern.\n\n```yaml\n{{ {role}: {} }}\n```",
            example_name(role)
        )
        .into();
    }
    for (key, says, example) in words::LOCATOR_KEYS {
        let property = &mut find["properties"][*key];
        if let Some(property) = property.as_object_mut() {
            explain(property, says);
        }
        property["markdownDescription"] = format!("{says}\n\n```yaml\n{example}\n```").into();
    }
    find["defaultSnippets"] = [
        ("by a button's name", "{ button: Save }"),
        ("by a control's label", "{ label: Email }"),
        ("a button in the user's row", "{ button: Remove, in: user row }"),
        (
            "a button in a dialog that shows the user",
            "{ button: Remove, in: { dialog: Remove member, text: \"{{ user.userName }}\" } }",
        ),
    ]
    .into_iter()
    .filter_map(|(label, example)| snippet(label, "How to find an element.", example))
    .collect();
}

fn ways_of_finding() -> Vec<Value> {
    let others = ["label", "testid", "placeholder", "title", "frame", "css", "xpath"];
    let mut ways: Vec<Value> = ROLES.iter().chain(&others).map(|key| json!({ "required": [key] })).collect();
    ways.push(json!({ "required": ["text"], "not": { "anyOf": ways } }));
    ways
}

/// A locator, or one of the keys of a condition.
fn condition(definition: &mut Value, locator: &Value) {
    let mut conditions = Map::new();
    for way in definition["anyOf"].as_array().into_iter().flatten() {
        conditions.extend(way.get("properties").and_then(Value::as_object).cloned().into_iter().flatten());
    }
    *definition = locator.clone();
    let mut ways = ways_of_finding();
    for (key, says) in CONDITIONS {
        let mut property = conditions.get(*key).cloned().map(object).unwrap_or_default();
        explain(&mut property, says);
        definition["properties"][*key] = property.into();
        ways.push(json!({ "required": [key], "maxProperties": 1 }));
    }
    exactly_one(
        definition,
        ways,
        "A condition has exactly one key: put several conditions into `all: [ … ]` or `any: [ … ]`.",
    );
}

/// Alternatives of different kinds as one schema: an editor then says what is wrong inside of one.
fn flatten(schema: &mut Value) {
    let Some(Value::Array(alternatives)) = schema.as_object_mut().and_then(|s| s.remove("anyOf")) else {
        return;
    };
    let mut kinds = Vec::new();
    for alternative in alternatives {
        for (key, value) in object(alternative) {
            match (key.as_str(), value) {
                ("type", Value::Array(several)) => kinds.extend(several),
                ("type", one) => kinds.push(one),
                ("description", _) => {}
                (_, value) => schema[key] = value,
            }
        }
    }
    schema["type"] = kinds.into();
}

/// Exactly one of these ways. A map with unknown keys gets only the error about those keys.
fn exactly_one(definition: &mut Value, ways: Vec<Value>, says: &str) {
    let known: Vec<String> =
        definition["properties"].as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect();
    definition["if"] =
        json!({ "type": "object", "propertyNames": { "enum": known }, "not": { "oneOf": ways } });
    definition["then"] = json!({ "type": "null", "errorMessage": says });
}

fn example_name(role: &str) -> &'static str {
    match role {
        "alert" => "No seats left",
        "status" => "Invite sent",
        "dialog" => "Edit member",
        "table" | "grid" | "heading" | "link" | "tab" => "Members",
        "textbox" | "searchbox" => "Email",
        "checkbox" | "switch" => "Send a mail",
        "combobox" | "listbox" | "radiogroup" => "Role",
        "option" | "radio" => "Admin",
        "row" | "cell" | "gridcell" | "listitem" | "article" => "Ada Byron",
        "menuitem" => "Remove",
        "button" => "Save",
        _ => "~",
    }
}

/// The SCIM attributes by name; entitlements have names of the playbook's own.
fn columns(definition: &mut Value) {
    let column = json!({ "$ref": format!("#/{DEFINITIONS}/Column") });
    let named = ATTRIBUTES.iter().map(|name| {
        let says = words::attribute(name);
        ((*name).to_owned(), json!({ "description": says, "allOf": [column] }))
    });
    definition["properties"]["columns"]["properties"] = named.collect::<Map<String, Value>>().into();
}

/// The operations by name, with their own explanations and snippets; and what a new playbook needs.
fn sections(schema: &mut Value) {
    let body = schema["properties"]["operations"]["additionalProperties"].clone();
    let named = Operation::ALL.iter().map(|operation| {
        let (says, example) = words::operation(*operation);
        let markdown = format!("{says}\n\n```yaml\n{example}\n```");
        (
            operation.as_str().to_owned(),
            json!({ "description": says, "markdownDescription": markdown, "allOf": [body] }),
        )
    });
    schema["properties"]["operations"]["properties"] = named.collect::<Map<String, Value>>().into();
    schema["properties"]["operations"]["additionalProperties"] = false.into();
    for (section, label, example) in SECTIONS {
        if let Some(property) = schema["properties"].get_mut(*section) {
            let says = property["description"].as_str().unwrap_or_default().to_owned();
            property["markdownDescription"] =
                format!("{says}\n\n```yaml\n{section}:\n{}\n```", indented(example)).into();
            property["defaultSnippets"] = snippet(label, &says, example).into_iter().collect();
        }
    }
}

/// Exactly one of these sets of keys, none of them null.
fn one_of(definition: &mut Value, ways: &[&[&str]], keys: &[&str]) {
    let given = |key: &&str| ((*key).to_owned(), json!({ "not": { "type": "null" } }));
    let way = |way: &&[&str]| {
        let others: Map<String, Value> = keys
            .iter()
            .filter(|key| !way.contains(key))
            .map(|key| ((*key).to_owned(), json!({ "type": "null" })))
            .collect();
        let mut properties: Map<String, Value> = way.iter().map(given).collect();
        properties.extend(others);
        json!({ "required": way, "properties": properties })
    };
    definition["oneOf"] = ways.iter().map(way).collect();
}

/// Adds the description of a key. In draft-07 a reference ignores keys next to it.
fn explain(property: &mut Map<String, Value>, says: &str) {
    if let Some(reference) = property.remove("$ref") {
        property.insert("allOf".into(), json!([{ "$ref": reference }]));
    }
    property.insert("description".into(), says.into());
}

const MATCHES: &str = "A pattern; `*` matches any text.";

/// The keys of a condition besides a locator.
pub const CONDITIONS: &[(&str, &str)] = &[
    ("not", "The condition is false: no such element is visible."),
    ("enabled", "The element is visible and enabled."),
    ("disabled", "The element is visible and disabled."),
    ("all", "All of these conditions are true."),
    ("any", "At least one of these conditions is true."),
    (
        "given",
        "The template has a value: not empty, not `false`. An attribute that is missing in the job has no value.",
    ),
];

/// One way to continue, and a total with the place of its number.
fn pages(definition: &mut Value) {
    one_of(definition, &[&["next", "until"], &["more", "until"], &["scroll"]], &["next", "more", "scroll"]);
    let number = json!({ "type": "string", "x-word": true, "pattern": "\\{n\\}" });
    let found = json!({
        "type": ["object", "null"], "x-whole": true, "required": ["text"],
        "propertyNames": { "enum": ["text", "in", "has", "under", "nth", "exact"] },
        "properties": { "text": { "anyOf": [number, { "type": "object", "x-whole": true, "properties": { "matches": number } }] } }
    });
    let mut all = vec![found];
    if let Some(total) = definition["properties"]["total"].as_object_mut() {
        all.extend(total.remove("anyOf").map(|any| json!({ "anyOf": any })));
        total.insert("allOf".into(), all.into());
    }
}

fn word(says: &str, pattern: &str) -> Value {
    json!({ "type": "string", "x-word": true, "description": says, "pattern": pattern })
}

/// What [`crate::duration::in_playbook`] reads: up to ten minutes.
const DURATION: &str =
    "^0*(([1-9][0-9]{0,4}|[1-5][0-9]{5}|600000)ms|([1-9][0-9]?|[1-5][0-9]{2}|600)s|([1-9]|10)m)$";

/// What [`super::template::size`] reads: up to 16 MiB.
const SIZE: &str =
    "^0*(([1-9][0-9]{0,3}|1[0-5][0-9]{3}|16[0-2][0-9]{2}|163[0-7][0-9]|1638[0-4])KiB|([1-9]|1[0-6])MiB)$";

/// A path that stays inside.
const INSIDE: &str = "^(?!/)(?!(.*/)?\\.\\.(/|$))";

/// Accepts the same as the reader: a number or a boolean as a text, and an empty section as an empty map.
fn as_read(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            let has = |key: &str| map.contains_key(key);
            let kinds: Vec<Value> = match map.get("type") {
                Some(Value::Array(kinds)) => kinds.clone(),
                Some(kind) => vec![kind.clone()],
                None => Vec::new(),
            };
            let mut more: Vec<&str> = Vec::new();
            if kinds.iter().any(|k| k == "string") && !has("enum") && !has("const") && !has("x-word") {
                more.extend(["number", "boolean"]);
            }
            if kinds.iter().any(|k| k == "object") && !has("required") && !has("x-whole") {
                more.push("null");
            }
            if !more.is_empty() {
                let mut all = kinds;
                for kind in more {
                    if !all.iter().any(|k| k == kind) {
                        all.push(kind.into());
                    }
                }
                map.insert("type".into(), all.into());
            }
            for key in ["x-word", "x-whole"] {
                map.remove(key);
            }
            for (key, value) in map.iter_mut() {
                match (key.as_str(), value) {
                    ("defaultSnippets" | "examples" | "default" | "required", _) => {}
                    // The keys here are names of properties.
                    ("properties", Value::Object(properties)) => properties.values_mut().for_each(as_read),
                    (_, value) => as_read(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(as_read),
        _ => {}
    }
}

/// Translates keywords that draft-07 does not have.
fn old_words(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if let Some(value) = map.remove("dependentRequired") {
                map.insert("dependencies".into(), value);
            }
            map.values_mut().for_each(old_words);
        }
        Value::Array(items) => items.iter_mut().for_each(old_words),
        _ => {}
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
