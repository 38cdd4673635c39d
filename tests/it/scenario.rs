//! Scenarios that must fail do fail, with the reason; broken files and holes are reported. Reports are golden files.
//!
//! To accept new reports after reading them: `GOLDEN=write cargo nextest run scenario::`.

use std::{fs, path::Path};

use crate::support::root;
use assert_cmd::Command;

/// A playbook together with the scenarios of a case.
struct Case {
    name: &'static str,
    folder: tempfile::TempDir,
}

impl Case {
    fn new(name: &'static str, playbook: impl Fn(String) -> String) -> Self {
        Self::of("ledgerly", name, playbook)
    }

    fn of(app: &str, name: &'static str, playbook: impl Fn(String) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let book = root().join("playbooks").join(app).join("playbook.yaml");
        let app = folder.path().join("playbooks").join(app);
        fs::create_dir_all(&app).expect("a folder");
        let source = fs::read_to_string(book).expect("a playbook");
        fs::write(app.join("playbook.yaml"), playbook(source)).expect("written");
        fs::copy(Self::folder(name).join("scenarios.yaml"), app.join("scenarios.yaml")).expect("copied");
        Self { name, folder }
    }

    fn folder(name: &str) -> std::path::PathBuf {
        root().join("tests/scenario").join(name)
    }

    /// The exit code and the output.
    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seatwright"));
        command.current_dir(self.folder.path()).args(arguments);
        command.args(["--playbooks", "playbooks"]).arg("--sites").arg(root().join("fixtures/sites"));
        command
            .env("SITES", root().join("fixtures/sites"))
            .env("SEATWRIGHT", env!("CARGO_BIN_EXE_seatwright"));
        let out = command.output().expect("it runs");
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(!said.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
        (out.status.code().expect("an exit code"), said)
    }

    fn test(&self, more: &[&str]) -> (i32, String) {
        // One after the other, in the order of the file.
        let mut arguments = vec!["test", "--allow-no-sandbox", "--jobs", "1", "--evidence", "out"];
        arguments.extend(more);
        let (code, said) = self.run(&arguments);
        (code, steady(&said))
    }

    fn reads_as_its_golden_file(&self, report: &str) {
        let golden = Self::folder(self.name).join("report.txt");
        if std::env::var("GOLDEN").is_ok_and(|v| v == "write") {
            fs::write(&golden, report).expect("the golden file can be written");
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        assert!(expected == report, "expected\n{expected}\n-- but it reads\n{report}");
    }
}

/// The report without the parts that differ every time: seconds, ports, names of pictures.
fn steady(report: &str) -> String {
    let replace = |text: &str, pattern: &str, with: &str| {
        regex::Regex::new(pattern).expect("a pattern").replace_all(text, with).into_owned()
    };
    let report = replace(report, r"\d+\.\d s\b", "… s");
    let report = replace(&report, r"localhost:\d+", "localhost:…");
    replace(&report, r"picture: out/\S+", "picture: out/…")
}

#[test]
fn what_must_fail_fails_and_says_why() {
    let wrong_button = |source: String| {
        assert!(source.contains("button: Send invite,"));
        source.replace("button: Send invite,", "button: Send invitation,")
    };
    let case = Case::new("fails", wrong_button);
    let (code, said) = case.test(&["--junit", "junit.xml", "--json", "results.json"]);
    assert_eq!(code, 1, "{said}");
    case.reads_as_its_golden_file(&said);

    let read = |file: &str| fs::read_to_string(case.folder.path().join(file)).expect(file);
    let junit = read("junit.xml");
    assert!(junit.contains(r#"tests="8""#) && junit.contains(r#"failures="8""#), "{junit}");
    // What a CI system shows: the code and the cause, the step, the line of the playbook, and the picture.
    let button = junit.split("<testcase").find(|case| case.contains("a step does not find its button"));
    let button = button.expect("the case").replace("&quot;", "\"");
    for part in [
        r#"file="playbooks/ledgerly/playbook.yaml" line="85""#,
        r#"<failure message="no button "Send invitation" in dialog "Invite people""#,
        r#"type="target_missing">"#,
        r#"<property name="step" value="user.create[3]"/>"#,
        r#"<property name="playbook" value="playbooks/ledgerly/playbook.yaml:85"/>"#,
        r#"<property name="scenario" value="playbooks/ledgerly/scenarios.yaml:28:11"/>"#,
        "the outcome is failed, not succeeded\n",
        "[[ATTACHMENT|out/ledgerly--a-step-does-not-find-its-button.1.failed.",
    ] {
        assert!(button.contains(part), "{part}\n{button}");
    }
    // Where the error is the expected one, the difference is the cause, and the scenario is the place.
    let lost = junit.split("<testcase").find(|case| case.contains("somebody is removed")).expect("the case");
    for part in [r#"file="playbooks/ledgerly/scenarios.yaml" line="14""#, r#"type="difference""#] {
        assert!(lost.contains(part), "{part}\n{lost}");
    }
    let results: serde_json::Value = serde_json::from_str(&read("results.json")).expect("JSON");
    let passed: Vec<bool> = results.as_array().expect("a list").iter().map(|r| r["passed"] == true).collect();
    assert_eq!(passed, [false; 8]);
    // A failed step has a picture of the page.
    let picture = results[4]["result"]["evidence"][0]["ref"].as_str().expect("a picture").to_owned();
    assert!(Path::new(&case.folder.path().join("out").join(picture)).is_file());
}

/// The change is read back, so the job succeeds. The words behind the commit are wrong still.
#[test]
fn drift_fails_a_scenario_that_does_not_expect_it() {
    let other_words = |source: String| {
        assert!(source.contains("status: Member suspended"));
        source.replace("status: Member suspended }", "status: Person suspended }\n        timeout: 1s")
    };
    let case = Case::new("drift", other_words);
    let (code, said) = case.test(&[]);
    assert_eq!(code, 1, "{said}");
    case.reads_as_its_golden_file(&said);
}

/// The app's own log decides, not what the browser reports.
#[test]
fn before_its_commit_a_job_sends_nothing_that_may_change_the_app() {
    let with_reads = |source: String| {
        assert!(source.contains("\noperations:\n"));
        source.replace("\noperations:\n", "\nreads: [POST /search]\noperations:\n")
    };
    let case = Case::new("early", with_reads);
    let (code, said) = case.test(&[]);
    assert_eq!(code, 1, "{said}");
    case.reads_as_its_golden_file(&said);
}

fn wrong_button(source: String) -> String {
    assert!(source.contains("{ click: { button: Remove, in: user row }, timeout: 3s }"));
    source.replace(
        "{ button: Remove, in: user row }, timeout: 3s }",
        "{ button: Delete, in: user row }, timeout: 1s }",
    )
}

#[test]
fn an_error_that_several_scenarios_share_is_shown_in_full_once() {
    let case = Case::new("causes", wrong_button);
    let (code, said) = case.test(&[]);
    assert_eq!(code, 1, "{said}");
    case.reads_as_its_golden_file(&said);
}

#[test]
fn pictures_have_the_scenarios_name_and_only_those_of_the_last_run_are_removed() {
    let case = Case::new("causes", wrong_button);
    let out = case.folder.path().join("out");
    let pictures = || -> Vec<String> {
        let files = fs::read_dir(&out).expect("a folder").flatten();
        let mut names: Vec<String> = files
            .map(|file| file.file_name().to_string_lossy().into_owned())
            .filter(|n| n.ends_with(".png"))
            .collect();
        names.sort();
        names
    };
    case.test(&[]);
    let first = pictures();
    // Two names that differ only in a sign are two files.
    for (name, file) in first.iter().zip([
        "ledgerly--another-person-is-removed.1.failed.",
        "ledgerly--nada-is-removed-first-2.1.failed.",
        "ledgerly--nada-is-removed-first.1.failed.",
    ]) {
        assert!(name.starts_with(file), "{first:?}");
    }
    assert_eq!(first.len(), 3, "{first:?}");
    // Files of other people stay, also one that has taken the place of a picture.
    fs::write(out.join("ledgerly--notes.1.failed.0123456789ab.png"), "a person's own").expect("written");
    fs::write(out.join(&first[0]), "a person's own").expect("written");
    let (_, said) = case.test(&["--filter", "nobody is there"]);
    assert!(said.contains("1 passed"), "{said}");
    assert_eq!(pictures(), [first[0].as_str(), "ledgerly--notes.1.failed.0123456789ab.png"]);
}

#[test]
fn only_what_failed_is_played_again() {
    let case = Case::new("causes", wrong_button);
    let (code, said) = case.test(&["--last-failed"]);
    assert_eq!((code, said.contains("there is no last run in out")), (1, true), "{said}");
    let (_, said) = case.test(&[]);
    assert!(said.contains("4 scenarios: 1 passed, 3 failed"), "{said}");
    let (code, said) = case.test(&["--last-failed"]);
    assert_eq!((code, said.contains("3 scenarios: 0 passed, 3 failed")), (1, true), "{said}");
    let (code, said) = case.test(&["--last-failed", "--filter", "nobody is there"]);
    assert_eq!((code, said.contains("no scenario that failed in the last run matches")), (1, true), "{said}");
    // What was not played in the meantime is not forgotten.
    let (_, said) = case.test(&["--filter", "nobody is there"]);
    assert!(said.contains("1 passed"), "{said}");
    let book = case.folder.path().join("playbooks/ledgerly/playbook.yaml");
    let source = fs::read_to_string(&book).expect("a playbook");
    fs::write(&book, source.replace("button: Delete, in: user row", "button: Remove, in: user row"))
        .expect("written");
    let (code, said) = case.test(&["--last-failed"]);
    assert_eq!((code, said.contains("3 scenarios: 3 passed, 0 failed")), (0, true), "{said}");
    let (code, said) = case.test(&["--last-failed"]);
    assert_eq!((code, said.contains("nothing failed in the last run")), (0, true), "{said}");
}

#[test]
fn after_the_first_failure_no_other_scenario_begins() {
    let case = Case::new("causes", wrong_button);
    let (code, said) = case.test(&["--fail-fast", "--junit", "junit.xml"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("4 scenarios: 0 passed, 1 failed, 3 not played"), "{said}");
    let junit = fs::read_to_string(case.folder.path().join("junit.xml")).expect("a report");
    assert_eq!(junit.matches("<skipped").count(), 3, "{junit}");
}

#[test]
fn a_scenario_is_played_several_times_and_one_failure_fails_the_run() {
    let case = Case::new("causes", wrong_button);
    let options = ["--repeat", "2", "--filter", "another person", "--junit", "junit.xml"];
    let (code, said) = case.test(&options);
    assert_eq!(code, 1, "{said}");
    for part in [
        "[1/2] FAIL ledgerly: another person is removed (1 of 2)",
        "[2/2] FAIL ledgerly: another person is removed (2 of 2)",
        "ledgerly: another person is removed: 2 of 2 failed",
        "1 scenario, 2 times each: 0 passed, 2 failed",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let junit = fs::read_to_string(case.folder.path().join("junit.xml")).expect("a report");
    assert!(junit.contains(r#"name="another person is removed (2 of 2)""#), "{junit}");
    let (code, said) = case.test(&["--repeat", "2", "--filter", "nobody is there"]);
    assert_eq!((code, said.contains("1 scenario, 2 times each: 2 passed, 0 failed")), (0, true), "{said}");
}

/// Real apps work in the same way: their own state counts, faults happen, and the twin must have the same result.
#[test]
fn a_real_app_is_held_against_its_twin() {
    let case = Case::new("real", |source| source);
    let (code, said) = case.test(&["--real", "--real-apps", &apps_of("real")]);
    assert_eq!(code, 1, "{said}");
    case.reads_as_its_golden_file(&said);
}

fn apps_of(case: &str) -> String {
    Case::folder(case).join("apps").display().to_string()
}

#[test]
fn another_message_for_an_empty_list_is_quoted() {
    let other_words = |source: String| {
        assert!(source.contains("absent: { heading: No people match }"));
        source.replace("heading: No people match }", "heading: Nobody was found }")
    };
    let case = Case::of("roster", "absent", other_words);
    let (code, said) = case.test(&[]);
    assert_eq!(code, 1, "{said}");
    case.reads_as_its_golden_file(&said);
}

#[test]
fn a_missing_region_of_a_page_is_reported_with_the_existing_ones() {
    let another_name = |source: String| {
        assert!(source.contains("in: { region: Profile }"));
        source.replace("in: { region: Profile }", "in: { region: Person }")
    };
    let case = Case::of("roster", "detail", another_name);
    let (code, said) = case.test(&[]);
    assert_eq!(code, 1, "{said}");
    case.reads_as_its_golden_file(&said);
}

#[test]
fn an_app_without_scenarios_is_all_holes() {
    let case = Case::new("holes", |source| source);
    fs::remove_file(case.folder.path().join("playbooks/ledgerly/scenarios.yaml")).expect("it is there");
    for arguments in [&["coverage"][..], &["coverage", "ledgerly"]] {
        let (code, said) = case.run(arguments);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("ledgerly: there is no playbooks/ledgerly/scenarios.yaml"), "{said}");
        assert!(said.contains("hole: user.delete has no scenario at all"), "{said}");
    }
}

#[test]
fn a_file_that_is_saved_is_played_again() {
    use std::io::{BufRead, BufReader};
    let case = Case::new("holes", |source| source);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_seatwright"));
    command.current_dir(case.folder.path()).stdout(std::process::Stdio::piped());
    command.args(["test", "--watch", "--allow-no-sandbox", "--filter", "connection.test"]);
    command.args(["--playbooks", "playbooks"]).arg("--sites").arg(root().join("fixtures/sites"));
    let mut playing = command.spawn().expect("it runs");
    let mut lines = BufReader::new(playing.stdout.take().expect("its output")).lines();
    let mut until = |end: &str| {
        let said: Vec<String> =
            lines.by_ref().map(|line| line.expect("text")).take_while(|line| !line.contains(end)).collect();
        said.join("\n")
    };
    let first = until("waiting for a file to be saved");
    assert!(first.contains("1 passed"), "{first}");
    let file = case.folder.path().join("playbooks/ledgerly/scenarios.yaml");
    let source = fs::read_to_string(&file).expect("scenarios");
    // The file is replaced at once, as editors do it.
    let save = |text: &str| {
        let draft = case.folder.path().join("draft");
        fs::write(&draft, text).expect("written");
        fs::rename(&draft, &file).expect("saved");
    };
    save(&source.replace("code: bad_credentials", "code: no_seat, page_said: No"));
    let second = until("waiting for a file to be saved");
    assert!(second.contains("playbooks/ledgerly/scenarios.yaml was saved"), "{second}");
    assert!(second.contains("1 failed"), "{second}");
    // A broken file is reported and does not end the watch.
    save("suite: 1\nsitte: ledgerly\n");
    let third = until("waiting for a file to be saved");
    assert!(third.contains("did you mean `site`?"), "{third}");
    let pid = playing.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().expect("kill runs").success());
    assert!(playing.wait().expect("it ends").success());
}

#[test]
fn all_findings_of_a_broken_file_are_reported_and_nothing_is_played() {
    let case = Case::new("broken", |source| source);
    let (code, said) = case.test(&[]);
    assert_eq!(code, 1, "{said}");
    assert!(!said.contains("passed"), "{said}");
    case.reads_as_its_golden_file(&said);
}

#[test]
fn states_without_a_scenario_are_holes() {
    let case = Case::new("holes", |source| source);
    let (code, said) = case.run(&["coverage"]);
    assert_eq!(code, 1, "{said}");
    case.reads_as_its_golden_file(&said);

    let (code, said) = case.run(&["coverage", "--json"]);
    let holes: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(code, 1);
    let covered = |operation: &str| holes["ledgerly"]["covered"][operation].to_string();
    assert_eq!(covered("user.create"), r#"["lost_after_commit"]"#, "it shows in the fault");
    assert_eq!(covered("connection.test"), r#"["wrong_password"]"#, "it shows in the code");
}

#[test]
fn ledgerlys_scenarios_leave_nothing_out() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seatwright"));
    let out = command.current_dir(root()).args(["coverage", "ledgerly"]).output().expect("it runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stdout));
}

#[test]
fn the_document_shows_a_file_that_can_be_read_and_the_table_that_is_asked_for() {
    let document = fs::read_to_string(root().join("docs/scenarios.md")).expect("the document");
    let marked = document.split("<!-- test: scenarios -->\n```yaml\n").nth(1).expect("a file");
    let source = marked.split("```").next().expect("it ends");
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("ledgerly")).expect("a folder");
    fs::write(folder.path().join("ledgerly/scenarios.yaml"), source).expect("written");
    let suites = seatwright::scenario::load(folder.path(), Path::new("fixtures/sites")).expect("scenarios");
    assert_eq!(suites[0].scenarios().len(), 1);

    for (state, about) in seatwright::scenario::STATES {
        assert!(
            document.contains(&format!("| `{state}` | {about} |")),
            "{state} is not in docs/scenarios.md"
        );
    }
    let rows = document.split("| operation | required states |").nth(1).expect("the table");
    for operation in seatwright::contract::Operation::ALL {
        let row = rows.lines().find(|row| row.contains(operation.as_str())).expect("a row of each");
        for state in seatwright::scenario::demanded(*operation) {
            assert!(row.contains(state), "docs/scenarios.md: {operation} does not name {state}");
        }
        let named = row.matches(", ").count() + 1;
        let operations = row.split('|').nth(1).expect("a cell").matches(',').count();
        let demanded = seatwright::scenario::demanded(*operation).len().max(1);
        assert_eq!(named - operations, demanded, "docs/scenarios.md: {row}");
    }
}
