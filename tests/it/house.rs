//! The rules of the house, as tests. Each rule is a function of files, so that a planted fault proves it.

mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use source::Files;

/// Room → the rooms that it may import. ARCHITECTURE.md says why.
const ALLOWED: &[(&str, &[&str])] = &[
    ("contract", &[]),
    ("digest", &[]),
    ("duration", &[]),
    ("event", &["contract"]),
    ("secret", &[]),
    ("sealed", &["secret"]),
    ("query", &[]),
    ("nearest", &[]),
    ("ports", &["contract", "query", "secret"]),
    ("playbook", &["contract", "digest", "duration", "nearest", "query"]),
    ("plan", &["contract", "playbook", "query"]),
    (
        "engine",
        &[
            "contract", "digest", "duration", "event", "playbook", "plan", "ports", "query", "sealed",
            "secret",
        ],
    ),
    ("adapters", &["config", "contract", "digest", "ports", "query", "secret"]),
    ("config", &["contract", "duration", "nearest"]),
    ("gateway", &["config", "contract", "digest", "plan", "playbook", "ports", "query", "secret"]),
    ("scenario", &["contract", "event", "nearest", "playbook", "ports", "query", "secret", "site", "worker"]),
    ("site", &[]),
    ("report", &["contract", "event"]),
    ("telemetry", &[]),
    (
        "worker",
        &["config", "contract", "digest", "engine", "event", "nearest", "plan", "playbook", "ports", "query"],
    ),
    (
        "cli",
        &[
            "adapters",
            "config",
            "contract",
            "engine",
            "event",
            "gateway",
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
    ("sqlx", &["adapters/sql/", "adapters/journal_sql/", "adapters/mirror_sql/"]),
    ("serde_saphyr", &["playbook/node.rs", "config.rs", "site/load.rs"]),
    ("annotate_snippets", &["cli/render.rs"]),
    ("clap", &["cli/"]),
    ("indicatif", &["cli/"]),
    ("axum", &["gateway/serve.rs", "gateway/users.rs", "site/", "worker/health.rs"]),
    ("scim_v2", &["gateway/scim/"]),
    ("hyper_util", &["site/proxy.rs", "adapters/cdp/relay"]),
    ("minijinja", &["playbook/template.rs", "site/"]),
    ("rustix", &["adapters/cdp/"]),
    ("secrecy", &["secret.rs"]),
    ("rand", &["secret.rs"]),
    ("age", &["sealed.rs"]),
    ("anyhow", &["cli/"]),
    ("tracing_subscriber", &["telemetry.rs"]),
];

/// Rooms without IO and without async.
const PURE: &[&str] =
    &["contract", "digest.rs", "duration.rs", "nearest.rs", "query", "playbook", "plan", "event.rs"];

/// Names that several types have, and why.
const DOUBLE_NAMES: &[(&str, &str)] = &[
    ("Attempt", "one try of a job: as the journal counts it, and as the engine runs it"),
    ("By", "how an element is found: as a playbook says it, and as a page is asked"),
    ("Column", "a column of a view: as a playbook says it, and as a page is asked"),
    ("Condition", "what is so: as a playbook says it, and as a page is asked"),
    ("Name", "a person's name in SCIM; the accessible name of an element"),
    ("Rows", "the records of a view: as a playbook says it, and as a page is asked"),
    ("Token", "an access token: as a playbook sends it, and as a browser context gets it"),
    ("View", "where records are: as a playbook says it, and as a page is asked"),
];

/// Lines, without tests.
const LONGEST_FILE: usize = 500;
/// Lines, from `fn` to the closing brace.
const LONGEST_FUNCTION: usize = 80;

/// Words that a tired reader stumbles over, and what to write.
const STUMBLES: &[(&str, &str)] = &[
    ("anew", "again, restarted"),
    ("by itself", "automatically, alone"),
    ("by themselves", "automatically, alone"),
    ("mend", "fix"),
    ("mends", "fixes"),
    ("mended", "fixed"),
    ("goes before", "overrides"),
    ("to be had", "available"),
    ("beside", "next to, besides"),
    ("meanwhile", "in the meantime, during this"),
    ("of ours", "our own"),
    ("whoever", "name who or what it is"),
    ("whom", "name who or what it is"),
    ("what is no", "invalid …"),
    ("is no job", "is not a job"),
    ("for so long", "for this long"),
    ("so often", "this many times"),
    ("so many", "this many, or the number"),
    ("without a word", "say what is missing"),
    ("becomes of", "happens to"),
    ("all the same", "still, anyway"),
    ("in vain", "without success"),
    ("told", "reports, returns, logs, publishes"),
    ("tells", "reports, returns, logs, publishes"),
    ("hears", "receives"),
    ("for ever", "forever, without a limit"),
];

#[test]
fn imports_go_one_way() {
    none(directions(&sources()));
}

#[test]
fn each_library_is_named_in_one_place() {
    none(libraries(&sources()));
}

#[test]
fn the_language_does_no_io() {
    none(waits(&sources()));
}

#[test]
fn no_two_files_import_each_other() {
    none(source::circles(&sources()).into_iter().map(|circle| circle.join(" ")).collect());
}

#[test]
fn no_file_is_long() {
    none(long_files(&sources()));
}

#[test]
fn no_function_is_long() {
    none(long_functions(&sources()));
}

#[test]
fn a_type_name_has_one_meaning() {
    let double = double_names(&sources());
    let listed = |name: &str| DOUBLE_NAMES.iter().any(|(known, _)| *known == name);
    none(
        double
            .iter()
            .filter(|(name, _)| !listed(name))
            .map(|(name, files)| format!("`{name}`: {files}"))
            .collect(),
    );
    let once = DOUBLE_NAMES.iter().filter(|(name, _)| !double.contains_key(*name));
    none(once.map(|(name, _)| format!("DOUBLE_NAMES: `{name}` has one type only")).collect());
}

#[test]
fn the_commands_and_the_worker_are_the_same_in_every_build() {
    none(features(&sources()));
}

/// Tests are built together with what only tests need, and then a library has the features that either of the two asks for.
/// What only the tests ask for is missing from the program that a user builds.
#[test]
fn the_program_has_the_features_that_the_tests_run_with() {
    let tree = |edges: &str, depth: &[&str]| {
        let told = Command::new(env!("CARGO"))
            .current_dir(root())
            .args(["tree", "--locked", "--offline", "--package", "seatwright", "--edges", edges])
            .args(["--prefix", "none", "--no-dedupe", "--format", "{p} {f}"])
            .args(depth)
            .output()
            .expect("cargo");
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        String::from_utf8(told.stdout).expect("UTF-8")
    };
    none(only_in_tests(&tree("normal", &["--depth", "1"]), &tree("normal,dev,build", &[])));
}

#[test]
fn the_documents_have_no_words_to_stumble_over() {
    none(stumbles(&documents()));
}

#[test]
fn the_comments_and_texts_have_no_words_to_stumble_over() {
    let texts = sources().into_iter().map(|(file, text)| (file, source::prose(&text))).collect();
    none(stumbles(&texts));
}

#[test]
fn every_path_that_the_map_names_exists() {
    let documents = documents();
    let sources = sources();
    // A bare name is that of some source: the sentence says of which room.
    let bare = |name: &str| sources.keys().any(|file| file.rsplit('/').next() == Some(name));
    let exists = |path: &str| root().join(path).exists() || bare(path);
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let missing = named_paths(&documents[document]).into_iter().filter(|path| !exists(path));
        none(missing.map(|path| format!("{document} names `{path}`, which is not there")).collect());
    }
}

/// A room that imports another one against the direction.
fn directions(files: &Files) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for (file, text) in files {
        let room = file.split(['/', '.']).next().unwrap_or_default();
        if matches!(room, "lib" | "main") {
            continue;
        }
        let Some(may) = allowed.get(room) else {
            wrong.push(format!("src/{file}: `{room}` is a room that tests/it/house.rs does not know"));
            continue;
        };
        for other in imported(text) {
            if other != room && !may.contains(&other.as_str()) {
                wrong.push(format!("src/{file}: `{room}` may not import `{other}`"));
            }
        }
    }
    wrong
}

/// A library that is named outside its place.
fn libraries(files: &Files) -> Vec<String> {
    let mut wrong = Vec::new();
    for (file, text) in files {
        let code = source::code(text);
        for (library, places) in LIBRARIES {
            let named = code.lines().any(|line| names(line, library));
            if named && !places.iter().any(|place| file.starts_with(place)) {
                wrong.push(format!("src/{file} names {library}; only {} may", places.join(", ")));
            }
        }
    }
    wrong
}

/// A pure room that does IO or is async.
fn waits(files: &Files) -> Vec<String> {
    let mut wrong = Vec::new();
    for (file, text) in
        files.iter().filter(|(file, _)| PURE.contains(&file.split('/').next().unwrap_or(file)))
    {
        for word in ["async fn", ".await", "std::fs", "std::net", "tokio::"] {
            if text.contains(word) {
                wrong.push(format!("src/{file} has `{word}`"));
            }
        }
    }
    wrong
}

fn long_files(files: &Files) -> Vec<String> {
    let lines = files.iter().map(|(file, text)| (file, source::lines(text)));
    let long = lines.filter(|(_, lines)| *lines > LONGEST_FILE);
    long.map(|(file, lines)| format!("src/{file} has {lines} lines without its tests")).collect()
}

fn long_functions(files: &Files) -> Vec<String> {
    let all =
        files.iter().flat_map(|(file, text)| source::functions(text).into_iter().map(move |f| (file, f)));
    let long = all.filter(|(_, (_, lines))| *lines > LONGEST_FUNCTION);
    long.map(|(file, (name, lines))| format!("src/{file}: `{name}` has {lines} lines")).collect()
}

/// Each name that several types have, with their files.
fn double_names(files: &Files) -> BTreeMap<String, String> {
    let mut places: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (file, text) in files {
        for name in source::types(text) {
            places.entry(name).or_default().insert(file);
        }
    }
    let double = places.into_iter().filter(|(_, files)| files.len() > 1);
    double.map(|(name, files)| (name, files.into_iter().collect::<Vec<_>>().join(", "))).collect()
}

fn features(files: &Files) -> Vec<String> {
    let mut found = Vec::new();
    for (file, text) in
        files.iter().filter(|(file, _)| file.starts_with("cli/") || file.starts_with("worker/"))
    {
        for (line, _) in text.lines().enumerate().filter(|(_, line)| line.contains("cfg(feature")) {
            found.push(format!("src/{file}:{}", line + 1));
        }
    }
    found
}

/// The [`STUMBLES`] of texts. What is quoted as code is none.
/// The features that only the second of two trees has, for the libraries of the first.
fn only_in_tests(program: &str, tests: &str) -> Vec<String> {
    // A clock that is driven.
    const HARMLESS: &[&str] = &["tokio test-util"];
    let libraries = |tree: &str| -> BTreeMap<String, BTreeSet<String>> {
        let mut all = BTreeMap::<String, BTreeSet<String>>::new();
        for line in tree.lines() {
            let mut words = line.split(' ').filter(|word| !word.starts_with('('));
            let library = words.by_ref().take(2).collect::<Vec<_>>().join(" ");
            all.entry(library).or_default().extend(words.flat_map(|word| word.split(',')).map(str::to_owned));
        }
        all
    };
    let tests = libraries(tests);
    let mut wrong = Vec::new();
    for (library, features) in libraries(program) {
        let name = library.split(' ').next().unwrap_or_default();
        let more = tests.get(&library).into_iter().flatten().filter(|feature| !features.contains(*feature));
        wrong.extend(
            more.filter(|more| *more != "default" && !HARMLESS.contains(&format!("{name} {more}").as_str()))
                .map(|more| {
                    format!("{library}: only the tests have the feature \"{more}\"; name it in Cargo.toml")
                }),
        );
    }
    wrong
}

fn stumbles(files: &Files) -> Vec<String> {
    let mut found = Vec::new();
    for (file, text) in files {
        let text = without_code(text).to_lowercase();
        for (words, better) in STUMBLES {
            for (at, _) in text.match_indices(words) {
                let inner = |c: char| c.is_alphanumeric() || c == '_';
                if !text[..at].ends_with(inner) && !text[at + words.len()..].starts_with(inner) {
                    let line = 1 + text[..at].matches('\n').count();
                    found.push(format!("{file}:{line}: {words} → {better}"));
                }
            }
        }
    }
    found
}

/// A text with what stands between backticks blanked; its lines stay.
fn without_code(text: &str) -> String {
    let mut fenced = false;
    let mut prose = String::new();
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        if !fenced && !fence {
            for (place, part) in line.split('`').enumerate() {
                prose.push_str(if place % 2 == 0 { part } else { "``" });
            }
        }
        prose.push('\n');
    }
    prose
}

/// What looks like the path of a file or a folder, between backticks.
fn named_paths(text: &str) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    let paths = quoted.filter_map(|quoted| {
        let path = quoted.split("::").next().unwrap_or_default();
        let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
        (plain && (path.contains('/') || path.ends_with(".rs"))).then(|| path.to_owned())
    });
    paths.collect()
}

/// Each guard finds the fault that is planted for it, and nothing in what is right.
#[test]
fn every_guard_finds_a_planted_fault() {
    type Guard = fn(&Files) -> Vec<String>;
    type Texts<'a> = &'a [(&'a str, &'a str)];
    let long = |lines: usize| "    a();\n".repeat(lines);
    let tested = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", long(600));
    let table: [(&str, Guard, Texts, Texts); 9] = [
        (
            "direction",
            directions,
            &[("playbook/load.rs", "use crate::{contract::Code, ports::driver::Page};")],
            &[("engine/page.rs", "use crate::ports::driver::Page; // crate::worker")],
        ),
        ("ports in the language", directions, &[("playbook/step.rs", "fn f() { crate::ports::f() }")], &[]),
        (
            "library",
            libraries,
            &[("worker/desk.rs", "use lapin::Channel;")],
            &[("worker/desk.rs", "// lapin::\nlet overlapin = \"lapin::\";")],
        ),
        ("io", waits, &[("plan/scope.rs", "async fn f() {}")], &[("engine/run.rs", "async fn f() {}")]),
        ("file", long_files, &[("plan/a.rs", &long(501))], &[("plan/a.rs", &(long(500) + &tested))]),
        (
            "function",
            long_functions,
            &[("plan/a.rs", &format!("fn f(a: [u8; 2]) {{\n{}}}\n", long(79)))],
            &[(
                "plan/a.rs",
                &format!("fn f() {{\n{}}}\n#[cfg(test)]\nfn g() {{\n{}}}\n", long(78), long(99)),
            )],
        ),
        (
            "type",
            |files| double_names(files).into_keys().collect(),
            &[("plan/a.rs", "pub struct Desk;"), ("worker/a.rs", "enum Desk { A }")],
            &[
                ("plan/a.rs", "struct Desk;\nfn f() { struct Raw; }"),
                ("worker/a.rs", "struct Raw; // struct Desk;"),
            ],
        ),
        (
            "feature",
            features,
            &[("cli/a.rs", "#[cfg(feature = \"fake\")]")],
            &[("adapters/a.rs", "#[cfg(feature = \"fake\")]")],
        ),
        (
            "word",
            stumbles,
            &[("docs/a.md", "It is begun Anew.")],
            &[("docs/a.md", "`anew`, besides\n```text\nanew\n```\nrecommended")],
        ),
    ];
    let files =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(f, t)| ((*f).to_owned(), (*t).to_owned())).collect();
    for (name, guard, planted, right) in table {
        assert_eq!(guard(&files(planted)).len(), 1, "{name}: {:?}", guard(&files(planted)));
        assert_eq!(guard(&files(right)), Vec::<String>::new(), "{name}");
    }
    assert_eq!(named_paths("`src/a.rs`, `b.rs::f`, `make test`, `codes!`, `a::b`"), ["src/a.rs", "b.rs"]);
    assert!(sources().len() > 100 && documents().len() > 10);
}

#[test]
fn a_feature_that_only_tests_have_is_found() {
    let program = "regex v1.0.0 std\nserde v1.0.0 (proc-macro) std";
    let tests = "regex v1.0.0 default,std,unicode\nserde v1.0.0 (proc-macro) std\nproptest v1.0.0 std";
    let found = only_in_tests(program, tests);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("\"unicode\""), "{found:?}");
}

#[test]
fn a_planted_circle_is_found() {
    let tree = |pairs: &[(&str, &str)]| -> Files {
        pairs.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect()
    };
    let circles = |pairs: &[(&str, &str)]| source::circles(&tree(pairs));
    let circle = circles(&[
        ("lib.rs", "pub mod a;"),
        ("a/mod.rs", "mod one;\nmod two;\nmod three;\npub use two::Two;"),
        // By a name that `mod.rs` passes on, by an inline path, and by a module that was imported.
        ("a/one.rs", "use super::Two;\nfn f(_: Two) {}"),
        ("a/two.rs", "pub struct Two;\nfn f() { crate::a::three::f() }"),
        ("a/three.rs", "use crate::{\n    a::{one, four::Four},\n    b,\n};"),
        ("a/four.rs", "use super::*;\n#[cfg(test)]\nmod tests { use super::super::three; }"),
        ("b.rs", "// use crate::a::three;\nconst A: &str = \"crate::a::three\";"),
    ]);
    assert_eq!(circle, [["a/one.rs", "a/three.rs", "a/two.rs"]]);
    let parent = circles(&[
        ("lib.rs", "mod a;"),
        ("a.rs", "mod b;\nuse b::f;\nstruct A;"),
        ("a/b.rs", "use super::A;\npub fn f(_: A) {}"),
    ]);
    assert_eq!(parent, [["a.rs", "a/b.rs"]]);
}

/// The rooms that a source names: `crate::room`, also inside `use crate::{…}`.
fn imported(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let code = source::code(text);
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
        after.starts_with("::") && !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
    })
}

/// All sources, by path below `src`.
fn sources() -> Files {
    let mut found = Files::new();
    let mut folders: Vec<PathBuf> = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the sources can be read").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(root().join("src")).expect("below src");
                found.insert(
                    name.to_string_lossy().into_owned(),
                    fs::read_to_string(&path).expect("a source can be read"),
                );
            }
        }
    }
    found
}

/// The documents that people write; the reference is made from doc comments.
fn documents() -> Files {
    let mut found = Files::new();
    for folder in ["", "docs/"] {
        for entry in fs::read_dir(root().join(folder)).expect("the documents can be read").flatten() {
            let name = format!("{folder}{}", entry.file_name().to_string_lossy());
            if name.ends_with(".md") {
                found.insert(name, fs::read_to_string(entry.path()).expect("a document can be read"));
            }
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{} against the rule of this test:\n{}", wrong.len(), wrong.join("\n"));
}
