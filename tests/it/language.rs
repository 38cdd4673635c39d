//! The language: every folder is a case, and its report is the golden file in the folder.
//!
//! To accept new reports after reading them: `GOLDEN=write cargo nextest run language::`.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use seatwright::{
    cli::finding_text,
    playbook::{Finding, Loaded, Modules, load, load_module},
    scenario,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folders, with the findings of this file in each.
fn cases(file: &str) -> Vec<(String, Loaded)> {
    let mut cases: Vec<(String, Loaded)> = fs::read_dir(root().join("tests/language"))
        .expect("the cases")
        .flatten()
        .filter(|entry| entry.path().join(file).is_file())
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let text = fs::read_to_string(entry.path().join(file)).expect("a playbook");
            let mut loaded = load("playbook.yaml", &name, &text, &modules(&entry.path()));
            if let Ok(scenarios) = fs::read_to_string(entry.path().join("scenarios.yaml")) {
                loaded.note_unplayed(&scenario::played(&scenarios));
            }
            (name, loaded)
        })
        .collect();
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    cases
}

/// The module of a case, if it has one.
fn modules(case: &Path) -> Modules {
    let source = fs::read_to_string(case.join("module.yaml")).ok();
    let module = source.map(|source| load_module("idp/gatehouse.yaml", &source));
    module.into_iter().map(|module| ("idp/gatehouse".to_owned(), Arc::new(module))).collect()
}

fn codes(loaded: &Loaded) -> BTreeSet<&'static str> {
    loaded.findings.iter().map(|f| f.finding.code()).collect()
}

fn ledgerly() -> String {
    fs::read_to_string(root().join("playbooks/ledgerly/playbook.yaml")).expect("a playbook")
}

#[test]
fn every_report_reads_as_its_golden_file() {
    let mut wrong = Vec::new();
    for (name, loaded) in cases("playbook.yaml") {
        let report: Vec<String> = loaded.findings.iter().map(|f| finding_text(&loaded, f, false)).collect();
        let report = if report.is_empty() {
            "nothing is wrong\n".to_owned()
        } else {
            format!("{}\n", report.join("\n\n"))
        };
        let golden = root().join("tests/language").join(&name).join("report.txt");
        if std::env::var("GOLDEN").is_ok_and(|v| v == "write") {
            fs::write(&golden, &report).expect("the golden file can be written");
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if expected != report {
            wrong.push(format!("== {name}: expected\n{expected}\n-- but it reads\n{report}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_finding_has_a_bad_example_and_each_case_shows_its_own() {
    let mut shown = BTreeSet::new();
    for (name, loaded) in cases("playbook.yaml") {
        let codes = codes(&loaded);
        if let Some((code, _)) = name.split_once('-') {
            let own = code.to_uppercase();
            // A css selector is fragile as well.
            let others = codes.iter().filter(|c| **c != own && !(own == "P022" && **c == "P014"));
            assert!(codes.contains(own.as_str()) && others.count() == 0, "{name} shows {codes:?}");
        } else {
            assert!(codes.is_empty(), "{name} shows {codes:?}");
        }
        shown.extend(codes);
    }
    let missing: Vec<&str> = Finding::ALL.iter().map(|f| f.code()).filter(|c| !shown.contains(c)).collect();
    assert!(missing.is_empty(), "no bad example of {missing:?}");
}

/// The reference shows the bad example next to the good one.
#[test]
fn every_good_example_is_one() {
    let mut wrong: Vec<String> = cases("good.yaml")
        .iter()
        .filter(|(_, loaded)| !loaded.findings.is_empty())
        .map(|(name, loaded)| format!("{name}/good.yaml shows {:?}", loaded.findings))
        .collect();
    let good: BTreeSet<String> = cases("good.yaml").into_iter().map(|(name, _)| name).collect();
    for finding in Finding::ALL {
        let code = finding.code().to_lowercase();
        if !good.iter().any(|name| name.starts_with(&format!("{code}-"))) {
            wrong.push(format!("no folder of {code} has a good.yaml"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A playbook could type it anywhere by way of a module.
#[test]
fn a_module_types_no_first_password() {
    let module = |secret: &str| {
        let source =
            format!("module: 1\nsteps:\n  - fill: {{ into: {{ label: Password }}, secret: {secret} }}\n");
        load_module("shared/x.yaml", &source)
    };
    assert!(module("password").findings.is_empty());
    let found = module("initial_password").findings;
    assert_eq!(found.first().map(|finding| finding.finding.code()), Some("P060"));
    assert!(found[0].help.as_deref().is_some_and(|help| help.contains("user.create")), "{found:?}");
}

#[test]
fn all_findings_come_at_once() {
    let broken = ledgerly()
        .replace("commit: true", "comit: true")
        .replace("in: members table", "in: membres table")
        .replace("code: no_seat", "code: no_seats");
    let loaded = load("playbook.yaml", "ledgerly", &broken, &Default::default());
    for code in ["P003", "P004", "P010"] {
        assert!(codes(&loaded).contains(code), "{code} is not among {:?}", codes(&loaded));
    }
}

#[test]
fn a_file_over_a_mebibyte_is_refused() {
    let source = format!("playbook: 1\n# {}\n", "x".repeat(1024 * 1024));
    let loaded = load("playbook.yaml", "x", &source, &Default::default());
    assert_eq!(loaded.findings.first().map(|f| f.finding.code()), Some("P001"));
    assert!(loaded.playable().is_none());
}

proptest::proptest! {
    /// Every text gives findings or a playbook.
    #[test]
    fn no_text_breaks_the_reader(text in "[ -~\n]{0,300}") {
        let _ = load("playbook.yaml", "x", &text, &Default::default());
    }

    /// So does a playbook with a piece cut out.
    #[test]
    fn no_cut_breaks_the_reader(from in 0usize..4000, length in 1usize..60) {
        let source = ledgerly();
        let from = source.floor_char_boundary(from % source.len());
        let to = source.floor_char_boundary((from + length).min(source.len()));
        let cut = format!("{}{}", &source[..from], &source[to..]);
        let _ = load("playbook.yaml", "ledgerly", &cut, &Default::default());
    }
}
