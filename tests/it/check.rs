//! The output of `seatwright check`: for people, for programs, and for code hosts.

use std::{fs, path::Path};

use assert_cmd::Command;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn check(arguments: &[&str], code: i32) -> String {
    let mut command = Command::cargo_bin("seatwright").expect("the program");
    let done =
        command.current_dir(root()).env_remove("SEATWRIGHT_REFERENCE").arg("check").args(arguments).assert();
    let output = done.code(code).get_output().stdout.clone();
    String::from_utf8(output).expect("text")
}

#[test]
fn sarif_has_places_and_messages_and_links_to_the_reference() {
    let schema = fs::read_to_string(root().join("tests/check/sarif.schema.json")).expect("the schema");
    let schema =
        jsonschema::draft202012::new(&serde_json::from_str(&schema).expect("JSON")).expect("a schema");
    let log: Value = serde_json::from_str(&check(&["--format", "sarif", "tests/language"], 1)).expect("JSON");
    let wrong: Vec<String> =
        schema.iter_errors(&log).map(|e| format!("{}: {e}", e.instance_path())).take(5).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().expect("rules");
    let results = log["runs"][0]["results"].as_array().expect("results");
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small")];
        assert_eq!(rule["id"], result["ruleId"]);
    }
    let found = results
        .iter()
        .find(|r| {
            r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
                == "tests/language/p005-language-version/playbook.yaml"
        })
        .expect("the finding");
    let region = &found["locations"][0]["physicalLocation"]["region"];
    assert_eq!(
        *region,
        serde_json::json!({ "startLine": 1, "startColumn": 11, "endLine": 1, "endColumn": 12 })
    );
    assert_eq!(found["level"], "error");
    assert_eq!(
        found["message"]["text"],
        "this version of Seatwright does not support version 2 of the language; write `playbook: 1`"
    );
}

#[test]
fn every_link_of_a_finding_leads_to_its_section() {
    let page = fs::read_to_string(root().join("docs/reference/findings.md")).expect("the page");
    let log: Value = serde_json::from_str(&check(&["--format", "sarif", "playbooks"], 0)).expect("JSON");
    for rule in log["runs"][0]["tool"]["driver"]["rules"].as_array().expect("rules") {
        let address = rule["helpUri"].as_str().expect("an address");
        let (file, anchor) = address.split_once('#').expect("an anchor");
        assert!(Path::new(file.strip_prefix("file://").expect("a file")).is_file(), "{address}");
        assert!(page.contains(&format!("\n## {}\n", anchor.to_uppercase())), "{address}");
    }
    let published =
        check(&["--format", "sarif", "--reference", "https://docs.example/reference/", "playbooks"], 0);
    assert!(published.contains("\"https://docs.example/reference/findings.md#p001\""));
}

#[test]
fn json_has_every_finding_with_its_place() {
    let folder = "tests/language/p003-unknown-key";
    let found: Value = serde_json::from_str(&check(&["--format", "json", folder], 1)).expect("JSON");
    assert_eq!(found["playbooks"], 1);
    let first = &found["findings"][0];
    assert_eq!(first["code"], "P003");
    assert_eq!(first["severity"], "error");
    assert_eq!(first["start"], serde_json::json!({ "line": 23, "column": 3 }));
    assert_eq!(first["end"], serde_json::json!({ "line": 23, "column": 7 }));
    assert_eq!(first["label"], "did you mean `view`?");
    assert_eq!(first["path"], format!("{folder}/playbook.yaml"));
}

#[test]
fn the_summary_counts_files_and_modules_are_checked_too() {
    assert!(check(&["playbooks"], 0).ends_with(" 0 errors, 0 warnings\n"));
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join("idp")).expect("a folder");
    fs::write(folder.path().join("idp/gate.yaml"), "module: 1\nsteps:\n  - clik: Next\n").expect("written");
    let path = folder.path().to_str().expect("text");
    for path in [path, &format!("{path}/idp/gate.yaml")] {
        let said = check(&[path], 1);
        assert!(said.contains("did you mean `click`?") && said.contains("1 file checked: 1 error"), "{said}");
    }
}
