//! The language: a folder is a case, its report is the golden file beside it.
//!
//! To accept new reports after reading them: `GOLDEN=write cargo nextest run --test language`.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use seatwright::{
    cli::finding_text,
    playbook::{Finding, Modules, load, load_module},
};

fn cases() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/language");
    let mut cases: Vec<(String, String)> = fs::read_dir(folder)
        .expect("the cases")
        .flatten()
        .map(|entry| {
            let text = fs::read_to_string(entry.path().join("playbook.yaml")).expect("a playbook");
            (entry.file_name().to_string_lossy().into_owned(), text)
        })
        .collect();
    cases.sort();
    cases
}

/// The module of a case, where it has one.
fn modules(case: &str) -> Modules {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/language").join(case).join("module.yaml");
    let source = fs::read_to_string(path).ok();
    let module = source.map(|source| load_module("idp/gatehouse.yaml", &source));
    module.into_iter().map(|module| ("idp/gatehouse".to_owned(), Arc::new(module))).collect()
}

#[test]
fn every_report_reads_as_its_golden_file() {
    let mut wrong = Vec::new();
    for (name, source) in cases() {
        let loaded = load("playbook.yaml", &name, &source, &modules(&name));
        let report: Vec<String> = loaded.findings.iter().map(|f| finding_text(&loaded, f, false)).collect();
        let report = if report.is_empty() {
            "nothing is wrong\n".to_owned()
        } else {
            format!("{}\n", report.join("\n\n"))
        };
        let golden =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/language").join(&name).join("report.txt");
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
    for (name, source) in cases() {
        let codes: Vec<&str> = load("playbook.yaml", &name, &source, &modules(&name))
            .findings
            .iter()
            .map(|f| f.finding.code())
            .collect();
        if let Some((code, _)) = name.split_once('-') {
            assert!(codes.contains(&code.to_uppercase().as_str()), "{name} shows {codes:?}");
        } else {
            assert!(codes.is_empty(), "{name} shows {codes:?}");
        }
        shown.extend(codes.iter().map(|c| (*c).to_owned()));
    }
    let missing: Vec<&str> = Finding::ALL.iter().map(|f| f.code()).filter(|c| !shown.contains(*c)).collect();
    assert!(missing.is_empty(), "no bad example of {missing:?}");
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let source =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks/ledgerly/playbook.yaml"))
            .expect("a playbook");
    let broken = source
        .replace("commit: true", "comit: true")
        .replace("in: members table", "in: membres table")
        .replace("code: no_seat", "code: no_seats");
    let codes: BTreeSet<&str> = load("playbook.yaml", "ledgerly", &broken, &Default::default())
        .findings
        .iter()
        .map(|f| f.finding.code())
        .collect();
    for code in ["P003", "P004", "P010"] {
        assert!(codes.contains(code), "{code} is not among {codes:?}");
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
    /// Whatever stands in the file, it is findings or a playbook.
    #[test]
    fn no_text_breaks_the_reader(text in "[ -~\n]{0,300}") {
        let _ = load("playbook.yaml", "x", &text, &Default::default());
    }

    /// Nor does a playbook with a piece cut out.
    #[test]
    fn no_cut_breaks_the_reader(from in 0usize..4000, length in 1usize..60) {
        let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks/ledgerly/playbook.yaml")).expect("a playbook");
        let from = source.floor_char_boundary(from % source.len());
        let to = source.floor_char_boundary((from + length).min(source.len()));
        let cut = format!("{}{}", &source[..from], &source[to..]);
        let _ = load("playbook.yaml", "ledgerly", &cut, &Default::default());
    }
}
