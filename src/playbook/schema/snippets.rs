//! Snippets: what an editor writes for an author, made from examples.

use serde_json::{Value, json};

use crate::playbook::node::{self, Node};

/// An example of each section, which is its snippet too.
pub const SECTIONS: &[(&str, &str, &str)] = &[
    ("origins", "one origin", "- https://{{ settings.tenant }}.app.example"),
    (
        "settings",
        "a setting with a pattern",
        "tenant: { pattern: \"[a-z0-9-]+\", help: \"the first part of the address: https://HERE.app.example\" }",
    ),
    (
        "entitlements",
        "a role",
        "role: { one_of: [Viewer, Member, Admin], default: Member, protect_last: Admin }",
    ),
    ("targets", "an element with a name", "members table: { table: Members }"),
    (
        "views",
        "a table with pages",
        "members:\n  open: /members\n  rows: { in: { table: Members } }\n  columns:\n    userName: { column: Email }\n    active: { column: Status, map: { Active: true, Suspended: false } }\n  pages: { next: { button: Next page }, until: disabled, max: 400, total: { text: \"{n} members\" } }",
    ),
    (
        "find_user",
        "by a search",
        "view: members\nsearch: { into: { label: Search members }, value: \"{{ user.userName }}\" }\nabsent: { text: No members match }",
    ),
    (
        "overlays",
        "put a dialog away",
        "- { when: { dialog: What's new }, do: [ { click: { button: Close, in: { dialog: What's new } } } ], max: 2 }",
    ),
    ("screens", "what a message means", "- { when: { alert: No seats left }, code: no_seat }"),
    (
        "login",
        "by password",
        "signed_in: { link: Members }\ntenant: { text_of: { testid: workspace }, equals: \"{{ settings.tenant }}\" }\npassword:\n  - open: /login\n  - form: { Email: \"{{ account.username }}\" }\n  - fill: { into: { label: Password }, secret: password }\n  - click: { button: Sign in }",
    ),
];

pub(super) fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

pub(super) fn of_operations() -> Value {
    [
        ("steps with a commit", "A write: what a person would do.", "steps:\n  - click: { button: Edit, in: user row }\n  - click: { button: Save, in: { dialog: Edit, text: \"{{ user.userName }}\" } }\n    commit: true"),
        ("unsupported", "Why the app cannot do this, and what to do instead.", "unsupported: the app has no suspended state, use user.delete"),
        ("view", "The view that a list reads.", "view: members"),
    ]
    .into_iter()
    .filter_map(|(label, says, example)| snippet(label, says, example))
    .collect()
}

/// A snippet from an example: its texts are the places to type at, one after the other.
pub(super) fn snippet(label: &str, says: &str, example: &str) -> Option<Value> {
    let mut next = 0;
    let body = body(&node::parse(example).ok()?, &mut next);
    Some(json!({ "label": label, "description": says, "body": body }))
}

fn body(node: &Node, next: &mut usize) -> Value {
    match &node.value {
        node::Value::Null => Value::Null,
        node::Value::Bool(b, _) => Value::Bool(*b),
        node::Value::Number(n, _) => Value::Number(n.clone()),
        node::Value::Text(text) => {
            *next += 1;
            let text = text.replace('\\', "\\\\").replace('$', "\\$").replace('}', "\\}");
            Value::String(format!("${{{next}:{text}}}"))
        }
        node::Value::List(items) => items.iter().map(|item| body(item, next)).collect(),
        node::Value::Map(entries) => {
            let entries = entries.iter().filter_map(|(key, value)| match &key.value {
                node::Value::Text(key) => Some((key.clone(), body(value, next))),
                _ => None,
            });
            Value::Object(entries.collect())
        }
    }
}
