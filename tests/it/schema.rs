//! The editor and `check` agree: the JSON Schemas refuse what the reader of the language refuses, and nothing else.

use std::{fs, path::Path, sync::Arc};

use seatwright::{
    playbook::{Finding, Modules, load, load_module, read_text_with_aliases, schema, words},
    worker::playbooks::load_modules,
};
use serde_json::{Map, Value, json};

/// Does the schema refuse a file with this finding? If not, the reason why a schema cannot.
fn schema_says(finding: Finding) -> Result<(), &'static str> {
    use Finding as F;
    Err(match finding {
        F::UnknownKey
        | F::WrongShape
        | F::LanguageVersion
        | F::LocatorShape
        | F::BadDuration
        | F::BadSize => return Ok(()),
        F::NotYaml | F::DuplicateKey => "before the schema: the file cannot be read",
        F::AppName | F::UnknownModule | F::ModuleParameter | F::NotPlayed => {
            "other files are needed to see it"
        }
        F::UnknownTarget
        | F::UnusedTarget
        | F::UnknownView
        | F::TargetLoop
        | F::NoFindUser
        | F::IdentityNotRead
        | F::NotRead
        | F::UnknownAttribute
        | F::ActiveNotRead
        | F::EntitlementNotRead
        | F::PendingNotRead
        | F::NothingToDiscover
        | F::AbsentWithoutProof
        | F::StartOutsideOrigins => "it compares two places of the file",
        F::BadTemplate
        | F::UnknownName
        | F::TemplateInSelector
        | F::TokenWithoutSecret
        | F::WideOrigin
        | F::BadSetting => "it parses a text",
        F::NoCommit
        | F::TwoCommits
        | F::CommitOutsideIdentity
        | F::CommitInRead
        | F::CommitOptional
        | F::CommitInLoop
        | F::NothingAnswered
        | F::ResendNotProved
        | F::SecretOutsideLogin => "it follows the steps",
        F::AnyRequest | F::FragileLocator | F::NoTenant | F::NoneNotShown | F::NotUsed => {
            "it is a warning, and the playbook can be played"
        }
        F::BadColumn
        | F::EntitlementRule
        | F::OperationShape
        | F::NoOperations
        | F::NoLogin
        | F::BadRequest
        | F::Unbounded => "the message of `check` is better than the message of a schema",
    })
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

struct Schema(jsonschema::Validator);

impl Schema {
    fn new() -> Self {
        Self(jsonschema::draft7::new(&schema::playbook()).expect("a schema of draft-07"))
    }

    /// The difference between both sides, if there is one.
    fn disagreement(&self, app: &str, tree: &Value, modules: &Modules) -> Option<String> {
        // JSON is YAML.
        let text = tree.to_string();
        let loaded = load("playbook.yaml", app, &text, modules);
        let demands: Vec<&str> = loaded
            .findings
            .iter()
            .filter(|f| schema_says(f.finding).is_ok())
            .map(|f| f.finding.code())
            .collect();
        if self.0.is_valid(tree) == demands.is_empty() {
            return None;
        }
        let errors: Vec<String> =
            self.0.iter_errors(tree).map(|e| format!("{}: {e}", e.instance_path())).take(2).collect();
        let found: Vec<String> =
            loaded.findings.iter().map(|f| format!("{} {}", f.finding.code(), f.message)).collect();
        Some(format!("check finds {found:?}; the schema finds {errors:?}"))
    }
}

/// A playbook as JSON, if it is YAML.
fn tree(source: &str) -> Option<Value> {
    serde_saphyr::from_str(source).ok()
}

/// The module of a case, if it has one.
fn modules(case: &Path) -> Modules {
    let source = fs::read_to_string(case.join("module.yaml")).ok();
    let module = source.map(|source| load_module("idp/gatehouse.yaml", &source));
    module.into_iter().map(|module| ("idp/gatehouse".to_owned(), Arc::new(module))).collect()
}

fn examples() -> Vec<(String, String, Modules)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(root().join("tests/language")).expect("the cases").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        for file in ["playbook.yaml", "good.yaml"] {
            if let Ok(source) = fs::read_to_string(entry.path().join(file)) {
                all.push((name.clone(), source, modules(&entry.path())));
            }
        }
    }
    for entry in fs::read_dir(root().join("playbooks")).expect("the playbooks").flatten() {
        if let Ok(source) = fs::read_to_string(entry.path().join("playbook.yaml")) {
            all.push((
                entry.file_name().to_string_lossy().into_owned(),
                source,
                load_modules(&root().join("playbooks")),
            ));
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[test]
fn both_say_the_same_of_every_example() {
    let schema = Schema::new();
    let mut wrong = Vec::new();
    for (name, source, modules) in examples() {
        let known = load("playbook.yaml", &name, &source, &modules);
        if known.findings.iter().any(|f| matches!(f.finding, Finding::NotYaml | Finding::DuplicateKey)) {
            continue;
        }
        let tree = tree(&source).expect("YAML");
        wrong.extend(schema.disagreement(&name, &tree, &modules).map(|said| format!("{name}: {said}")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Every key is removed, every key is renamed, and every value is replaced by values of other kinds.
#[test]
fn both_say_the_same_of_every_small_mistake() {
    let schema = Schema::new();
    let (mut wrong, mut tried) = (Vec::<String>::new(), 0);
    let name = "everything";
    let folder = root().join("tests/language").join(name);
    let source = fs::read_to_string(folder.join("playbook.yaml")).expect("a playbook");
    let whole = tree(&source).expect("YAML");
    let modules = modules(&folder);
    let mut places = Vec::new();
    walk(&whole, &mut String::new(), &mut places);
    let broken: Vec<(String, Value)> = places
        .iter()
        .enumerate()
        .flat_map(|(turn, place)| {
            mistakes(&whole, place, turn)
                .into_iter()
                .map(move |(what, tree)| (format!("{place} {what}"), tree))
        })
        .collect();
    tried += broken.len();
    let half = broken.len().div_ceil(2);
    std::thread::scope(|scope| {
        let look = |part: &[(String, Value)]| -> Vec<String> {
            part.iter()
                .filter_map(|(what, tree)| {
                    schema.disagreement(name, tree, &modules).map(|said| format!("{name}{what}: {said}"))
                })
                .collect()
        };
        let parts: Vec<_> = broken.chunks(half).map(|part| scope.spawn(move || look(part))).collect();
        wrong.extend(parts.into_iter().flat_map(|part| part.join().expect("it looked")));
    });
    assert!(tried > 1_000, "only {tried}");
    let shown = wrong.iter().take(30).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {tried}\n{shown}", wrong.len());
}

/// JSON pointers to all values inside this one.
fn walk(value: &Value, at: &mut String, places: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(k, v)| (k.replace('~', "~0").replace('/', "~1"), v)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
        _ => Vec::new(),
    };
    for (key, child) in children {
        let length = at.len();
        at.push('/');
        at.push_str(&key);
        places.push(at.clone());
        walk(child, at, places);
        at.truncate(length);
    }
}

/// Every place gets some of the values in turn.
fn mistakes(whole: &Value, place: &str, turn: usize) -> Vec<(String, Value)> {
    let values = [
        Value::Null,
        json!(true),
        json!(7),
        json!(-3),
        json!(1.5),
        json!("discovered"),
        json!([]),
        json!({}),
        json!(["a"]),
        json!({ "a": "b" }),
        json!({ "button": "Save" }),
        json!({ "button": "Save", "link": "Save" }),
        json!({ "given": "{{ user.title }}" }),
    ];
    let mut all = Vec::new();
    for value in values.into_iter().cycle().skip(turn * 2).take(2) {
        let mut broken = whole.clone();
        *broken.pointer_mut(place).expect("the place") = value.clone();
        all.push((format!("= {value}"), broken));
    }
    let (parent, key) = place.rsplit_once('/').expect("a pointer");
    let key = key.replace("~1", "/").replace("~0", "~");
    let edit = |what: &str, edit: &dyn Fn(&mut Map<String, Value>)| {
        let mut broken = whole.clone();
        let map = broken.pointer_mut(parent).and_then(Value::as_object_mut)?;
        edit(map);
        Some((what.to_owned(), broken))
    };
    all.extend(edit("without it", &|map| drop(map.shift_remove(&key))));
    all.extend(edit("called otherwise", &|map| {
        if let Some(value) = map.shift_remove(&key) {
            map.insert(format!("{key}x"), value);
        }
    }));
    all
}

/// The files that authors write.
const WRITTEN: &[&str] = &["playbook", "module", "scenarios", "site"];

#[test]
fn every_key_is_explained() {
    assert!(words::silent().is_empty(), "{:?} have no words", words::silent());
    for (name, schema) in
        seatwright::cli::schemas().into_iter().filter(|(name, _)| WRITTEN.iter().any(|w| name.starts_with(w)))
    {
        let mut silent = Vec::new();
        unexplained(&schema, name, &mut silent);
        assert!(silent.is_empty(), "no description of {silent:#?}");
    }
}

fn unexplained(schema: &Value, at: &str, silent: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            // Alternatives of `oneOf` repeat keys only to demand them.
            for (key, property) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
                if property.get("description").is_none() {
                    silent.push(format!("{at}.{key}"));
                }
            }
            for (key, value) in map {
                if !matches!(key.as_str(), "oneOf" | "allOf" | "defaultSnippets" | "dependencies") {
                    unexplained(value, &format!("{at}/{key}"), silent);
                }
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| unexplained(item, &format!("{at}/{i}"), silent));
        }
        _ => {}
    }
}

#[test]
fn every_shipped_scenario_file_is_as_its_schema_says() {
    let schema = jsonschema::draft7::new(&seatwright::scenario::schema()).expect("a schema");
    for entry in fs::read_dir(root().join("playbooks")).expect("the playbooks").flatten() {
        let Ok(source) = fs::read_to_string(entry.path().join("scenarios.yaml")) else { continue };
        let tree = tree(&source).expect("YAML");
        let wrong: Vec<String> =
            schema.iter_errors(&tree).map(|e| format!("{}: {e}", e.instance_path())).take(3).collect();
        assert!(wrong.is_empty(), "{}: {wrong:#?}", entry.path().display());
    }
}

#[test]
fn every_shipped_site_is_as_its_schema_says_and_names_it() {
    let schemas: std::collections::BTreeMap<_, _> = seatwright::cli::schemas().into_iter().collect();
    let schema = jsonschema::draft7::new(&schemas["site.draft-07"]).expect("a schema of draft-07");
    for entry in fs::read_dir(root().join("fixtures/sites")).expect("the sites").flatten() {
        let Ok(source) = fs::read_to_string(entry.path().join("site.yaml")) else { continue };
        let site = entry.path();
        let modeline = "# yaml-language-server: $schema=../../../docs/schema/site.draft-07.schema.json\n";
        assert!(source.starts_with(modeline), "{} does not name its schema", site.display());
        let (_, findings) = read_text_with_aliases::<seatwright::site::SiteFile>(&source);
        assert!(findings.is_empty(), "{}: {findings:#?}", site.display());
        let tree = tree(&source).expect("YAML");
        let wrong: Vec<String> =
            schema.iter_errors(&tree).map(|e| format!("{}: {e}", e.instance_path())).take(3).collect();
        assert!(wrong.is_empty(), "{}: {wrong:#?}", site.display());
        let broken = source.replacen("\nroutes:", "\nrotues:", 1);
        let broken = self::tree(&broken).expect("YAML");
        assert!(!schema.is_valid(&broken), "{}", site.display());
    }
}
