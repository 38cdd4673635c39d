//! The direction of imports is a test, not a wish.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Room → the rooms that it may import. `docs` of why: ARCHITECTURE.md.
const ALLOWED: &[(&str, &[&str])] = &[
    ("contract", &[]),
    ("event", &["contract"]),
    ("secret", &[]),
    ("query", &[]),
    ("ports", &["contract", "query", "secret"]),
    ("playbook", &["contract", "query"]),
    ("plan", &["contract", "playbook", "query"]),
    ("engine", &["contract", "event", "playbook", "plan", "ports", "query", "secret"]),
    ("adapters", &["config", "contract", "ports", "query", "secret"]),
    ("config", &["contract", "playbook"]),
    ("scenario", &["contract", "event", "playbook", "ports", "secret", "site", "worker"]),
    ("site", &[]),
    ("report", &["contract", "event"]),
    ("telemetry", &[]),
    ("worker", &["config", "contract", "engine", "event", "plan", "playbook", "ports"]),
    (
        "cli",
        &[
            "adapters",
            "config",
            "contract",
            "engine",
            "event",
            "playbook",
            "ports",
            "report",
            "scenario",
            "site",
            "telemetry",
            "worker",
        ],
    ),
];

/// Library → the only places that may name it.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("lapin", &["adapters/amqp/"]),
    ("sqlx", &["adapters/journal_sql/"]),
    ("serde_saphyr", &["playbook/node.rs", "config.rs", "site/load.rs"]),
    ("annotate_snippets", &["cli/render.rs"]),
    ("clap", &["cli/"]),
    ("indicatif", &["cli/"]),
    ("axum", &["site/", "worker/health.rs"]),
    ("hyper_util", &["site/proxy.rs", "adapters/cdp/relay"]),
    ("minijinja", &["playbook/template.rs", "site/"]),
    ("rustix", &["adapters/cdp/", "worker/fault.rs"]),
    ("secrecy", &["secret.rs"]),
    ("anyhow", &["cli/"]),
    ("tracing_subscriber", &["telemetry.rs"]),
];

/// Rooms that wait for nothing: no IO and no async.
const PURE: &[&str] = &["contract", "query", "playbook", "plan", "event.rs"];

#[test]
fn imports_go_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let room = file.split(['/', '.']).next().unwrap_or_default();
        if matches!(room, "lib" | "main") {
            continue;
        }
        let Some(may) = allowed.get(room) else {
            wrong.push(format!("src/{file}: `{room}` is a room that tests/house.rs does not know"));
            continue;
        };
        for other in imported(&text) {
            if other != room && !may.contains(&other.as_str()) {
                wrong.push(format!("src/{file}: `{room}` may not import `{other}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn each_library_stands_in_one_place() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        for (library, places) in LIBRARIES {
            let named = text.lines().any(|line| {
                let line = line.trim_start();
                !line.starts_with("//") && names(line, library)
            });
            if named && !places.iter().any(|place| file.starts_with(place)) {
                wrong.push(format!("src/{file} names {library}; only {} may", places.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_language_waits_for_nothing() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let room = file.split('/').next().unwrap_or_default();
        if !PURE.contains(&room) {
            continue;
        }
        for word in ["async fn", ".await", "std::fs", "std::net", "tokio::"] {
            if text.contains(word) {
                wrong.push(format!("src/{file} has `{word}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_guard_that_sees_nothing_guards_nothing() {
    assert_eq!(
        imported("use crate::{engine::run, ports::driver::{Key, Page}};\nfn f() { crate::plan::compile() }"),
        ["engine", "plan", "ports"]
    );
    assert!(names("use lapin::Channel;", "lapin") && !names("let overlapin = 1;", "lapin"));
    assert!(sources().len() > 40);
}

/// The rooms that a source names: `crate::room`, also inside `use crate::{…}`.
fn imported(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let word = |text: &str| {
            text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
        };
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut start = true;
            for (at, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    c if start && c.is_ascii_alphabetic() => {
                        found.push(word(&group[at..]));
                        start = false;
                    }
                    _ => {}
                }
            }
        } else {
            found.push(word(rest));
        }
    }
    found.retain(|room| ALLOWED.iter().any(|(known, _)| known == room));
    found.sort();
    found.dedup();
    found
}

fn names(line: &str, library: &str) -> bool {
    line.match_indices(library).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + library.len()..];
        let quoted = line[..at].matches('"').count() % 2 == 1;
        after.starts_with("::")
            && !quoted
            && !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
    })
}

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the sources can be read").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(&root).expect("below src").to_string_lossy().into_owned();
                found.push((name, fs::read_to_string(&path).expect("a source can be read")));
            }
        }
    }
    found.sort();
    found
}
