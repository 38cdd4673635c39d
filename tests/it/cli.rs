//! The command line: its output and its exit codes.

use std::os::unix::fs::PermissionsExt;

use crate::support::{PASSWORD, control, member, root, site};
use assert_cmd::Command;
use serde_json::{Value, json};

fn seatwright() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seatwright"));
    command.current_dir(root());
    command
}

/// Exit code, standard output, standard error.
fn ended(command: &mut Command) -> (i32, String, String) {
    let out = command.output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code().expect("an exit code"), text(&out.stdout), text(&out.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_without_a_broker_prints_the_result_that_a_worker_publishes() {
    let site = site("ledgerly").await;
    let evidence = tempfile::tempdir().expect("a folder");
    let run = |job: &str| {
        let mut command = seatwright();
        command.args(["run", job, "--allow-no-sandbox", "--set", &format!("port={}", site.addr().port())]);
        command.arg("--evidence").arg(evidence.path().join("new")).env("LEDGERLY_PASSWORD", PASSWORD);
        tokio::task::spawn_blocking(move || ended(&mut command))
    };
    let (code, printed, progress) = run("fixtures/jobs/create.json").await.expect("no panic");
    assert_eq!(code, 0, "{progress}");
    let result: Value = serde_json::from_str(&printed).expect("JSON");
    let schema = std::fs::read_to_string(root().join("docs/schema/result.schema.json")).expect("a schema");
    let validator =
        jsonschema::draft202012::new(&serde_json::from_str(&schema).expect("JSON")).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(&result).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(result["outcome"], "succeeded");
    assert!(member(&site, "ada@acme.example").is_some());
    assert!(progress.contains("commit") && !progress.contains(PASSWORD) && !printed.contains(PASSWORD));
    // Only our own user reads what a job leaves.
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    let folder = evidence.path().join("new");
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<_> =
        std::fs::read_dir(&folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    assert!(files.iter().any(|file| file.extension().is_some_and(|e| e == "png")), "{files:?}");
    files.iter().for_each(|file| assert_eq!(mode(file), 0o600, "{}", file.display()));
    // The commit is in the trace before the step that made it has ended.
    let trace =
        std::fs::read_to_string(evidence.path().join("new/01JD8ZK3W7Q4.trace.ndjson")).expect("a trace");
    assert!(!trace.contains(PASSWORD));
    let events: Vec<Value> = trace.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let at = |event: &str| {
        events.iter().position(|e| e["event"] == event && e["step"] == "user.create[3]").expect(event)
    };
    assert!(at("step_started") < at("commit_reached") && at("commit_reached") < at("step_ended"));

    let (code, printed, _) = run("fixtures/jobs/wrong.json").await.expect("no panic");
    let result: Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(
        (code, &result["outcome"], &result["error"]["code"]),
        (1, &"rejected".into(), &"missing_attribute".into())
    );
    site.stop().await;
}

/// The trace is what a person has after a power cut: nothing of it may wait in the program's memory.
#[tokio::test(flavor = "multi_thread")]
async fn while_the_app_has_the_commit_the_trace_file_has_it_too() {
    let site = site("ledgerly").await;
    control(&site, "faults", json!([{ "on": "POST /members", "do": "hang_after" }])).await;
    let evidence = tempfile::tempdir().expect("a folder");
    let mut run = std::process::Command::new(env!("CARGO_BIN_EXE_seatwright"))
        .args(["run", "fixtures/jobs/create.json", "--allow-no-sandbox", "--evidence"])
        .arg(evidence.path())
        .args(["--set", &format!("port={}", site.addr().port())])
        .current_dir(root())
        .env("LEDGERLY_PASSWORD", PASSWORD)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it runs");
    let log = format!("http://{}/_site/log", site.addr());
    let is_commit = |line: &Value| line["method"] == "POST" && line["path"] == "/members";
    loop {
        let log: Vec<Value> = reqwest::get(&log).await.expect("the site answers").json().await.expect("JSON");
        if log.iter().any(is_commit) {
            break;
        }
        assert!(run.try_wait().expect("it can be asked").is_none(), "it ended without a commit");
    }
    let trace = std::fs::read_to_string(evidence.path().join("01JD8ZK3W7Q4.trace.ndjson")).expect("a trace");
    run.kill().expect("killed");
    run.wait().expect("ended");
    assert!(trace.lines().any(|line| line.contains("commit_reached")), "{trace}");
    site.stop().await;
}

#[test]
fn without_chromium_or_its_sandbox_nothing_begins() {
    const MISSING: [&str; 3] =
        ["looked for /nowhere/chromium", "apt-get install chromium-headless-shell", "--browser PROGRAM"];
    const ROOT: [&str; 4] =
        ["as root", "controls your account", "`--allow-no-sandbox`", "`browser.allow_no_sandbox: true`"];
    let folder = tempfile::tempdir().expect("a folder");
    let evidence = folder.path().join("evidence");
    let run = |options: &[&str]| {
        let mut command = seatwright();
        command.args(["run", "fixtures/jobs/connection.json", "--evidence"]).arg(&evidence).args(options);
        ended(command.env("LEDGERLY_PASSWORD", PASSWORD).env_remove("SEATWRIGHT_ALLOW_NO_SANDBOX"))
    };
    let config = folder.path().join("seatwright.yaml");
    let work = |browser: &str| {
        let playbooks = root().join("playbooks");
        let text = format!(
            "broker: {{ url: \"amqp://127.0.0.1:1\" }}\nplaybooks: {}\nbrowser: {{ {browser} }}\n",
            playbooks.display()
        );
        std::fs::write(&config, text).expect("written");
        ended(seatwright().arg("worker").arg("--config").arg(&config))
    };
    let mut all = vec![
        (run(&["--browser", "/nowhere/chromium", "--allow-no-sandbox"]), &MISSING[..]),
        (work("executable: /nowhere/chromium, allow_no_sandbox: true"), &MISSING[..]),
    ];
    if rustix::process::geteuid().is_root() {
        all.push((run(&[]), &ROOT));
        all.push((work("allow_no_sandbox: false"), &ROOT));
    }
    for ((code, printed, error), parts) in &all {
        assert_eq!((code, printed.as_str()), (&3, ""), "{error}");
        parts.iter().for_each(|part| assert!(error.contains(part), "{part}: {error}"));
    }
    assert!(!evidence.exists(), "nothing was begun");
}

#[test]
fn a_taken_port_of_a_site_is_reported_with_a_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let (code, out, error) = ended(seatwright().args(["site", "ledgerly", "--port", &port]));
    assert_eq!((code, out.as_str()), (3, ""));
    for part in [port.as_str(), "`--port 0`", "`--set port=NUMBER`"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn check_has_an_exit_code() {
    let (code, out, _) = ended(seatwright().args(["check", "playbooks"]));
    assert_eq!((code, out.contains("0 errors, 0 warnings")), (0, true), "{out}");
    let (code, out, _) = ended(seatwright().args(["check", "tests/language/p032-commit-outside-identity"]));
    assert_eq!((code, out.contains("error[P032]")), (1, true), "{out}");
    let (code, _, err) = ended(seatwright().args(["check", "nowhere"]));
    assert_eq!((code, err.contains("nowhere")), (3, true), "{err}");
}

#[test]
fn a_worker_reports_what_is_wrong_with_its_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("seatwright.yaml");
    let refused = |text: &str| {
        std::fs::write(&file, text).expect("written");
        ended(seatwright().arg("worker").arg("--config").arg(&file))
    };
    let (code, _, err) = ended(seatwright().args(["worker", "--config", "/nowhere.yaml"]));
    assert_eq!((code, err.contains("/nowhere.yaml")), (3, true), "{err}");
    let (code, _, err) = refused("slotz: 1\n");
    assert_eq!((code, err.contains("slotz")), (3, true), "{err}");
    let (_, _, err) = refused(
        "service_accounts: { acme: { username: x } }\nintegrations: { i: { app: a, service_account: acm } }\n",
    );
    assert!(err.contains("did you mean `acme`?"), "{err}");
    let (_, _, err) =
        refused("service_accounts: { acme: { username: x, secrets: { password: hunter2 } } }\n");
    assert!(err.contains("reference") && !err.contains("hunter2"), "{err}");
    let (_, _, err) = refused("slots: 2\n");
    assert!(err.contains("broker.url"), "{err}");
}

#[test]
fn each_command_has_help_and_completions() {
    let (code, out, _) = ended(seatwright().arg("--help"));
    assert_eq!(code, 0);
    for command in ["worker", "run", "enqueue", "check", "schema", "site", "doctor", "completions"] {
        assert!(out.contains(command), "{command} is not in the help");
        let (code, help, _) = ended(seatwright().args([command, "--help"]));
        assert_eq!(code, 0);
        assert!(help.len() > 100, "{command} --help is too short");
    }
    assert!(out.contains("Exit codes"));
    let (code, out, _) = ended(seatwright().args(["completions", "bash"]));
    assert_eq!((code, out.contains("complete -F")), (0, true));
    let (code, _, _) = ended(seatwright().arg("fly"));
    assert_eq!(code, 2);
}

#[test]
fn the_doctor_reports_what_is_missing() {
    let (code, out, _) =
        ended(seatwright().args(["doctor", "--allow-no-sandbox", "--broker", "amqp://127.0.0.1:1"]));
    assert_eq!(code, 3);
    assert!(out.contains("ok    browser: Chromium"), "{out}");
    assert!(out.contains("wrong broker"), "{out}");
    assert!(out.contains("ok    playbook ledgerly"), "{out}");
    let (_, out, _) =
        ended(seatwright().args(["doctor", "--browser", "/nowhere/chromium", "--allow-no-sandbox"]));
    assert!(out.contains("wrong browser") && out.contains("/nowhere/chromium"), "{out}");
}

/// Runs the program with a closed pipe for one of its outputs. Gives the exit code and the other output.
fn with_closed(stream: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_seatwright"));
    command.args(arguments).current_dir(root());
    let out = match stream {
        "stdout" => command.stdout(writer),
        _ => command.stderr(writer),
    };
    let out = out.output().expect("it runs");
    let other = if stream == "stdout" { out.stderr } else { out.stdout };
    (out.status.code(), String::from_utf8_lossy(&other).into_owned())
}

#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    for command in
        [&["coverage"][..], &["completions", "bash"], &["completions", "zsh"], &["schema", "playbook"]]
    {
        assert_eq!(with_closed("stdout", command), (Some(141), String::new()), "{command:?}");
    }
    // An error that nobody reads still has its exit code.
    assert_eq!(with_closed("stderr", &["check", "nowhere"]), (Some(3), String::new()));
}

#[test]
fn a_log_that_is_not_a_terminal_has_no_colours() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("seatwright.yaml");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let health = taken.local_addr().expect("an address");
    let playbooks = root().join("playbooks");
    let text = format!(
        "broker: {{ url: \"amqp://127.0.0.1:1\" }}\nhealth: {health}\nbrowser: {{ allow_no_sandbox: true }}\nplaybooks: {}\n",
        playbooks.display()
    );
    std::fs::write(&file, text).expect("written");
    for options in [&[][..], &["--log-json"]] {
        let mut command = seatwright();
        command.arg("worker").arg("--config").arg(&file).args(options).env_remove("NO_COLOR");
        let (code, _, log) = ended(&mut command);
        assert_eq!(code, 3, "{log}");
        assert!(log.contains("playbook ledgerly"), "{log}");
        assert!(!log.contains('\u{1b}'), "{log:?}");
    }
}

#[test]
fn a_journal_that_was_not_there_is_in_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("seatwright.yaml");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let health = taken.local_addr().expect("an address");
    let text = format!(
        "broker: {{ url: \"amqp://127.0.0.1:1\" }}\nhealth: {health}\nbrowser: {{ allow_no_sandbox: true }}\n\
         playbooks: {}\njournal: {{ url: sqlite:missing/x.db }}\n",
        root().join("playbooks").display()
    );
    std::fs::write(&file, text).expect("written");
    let work = || ended(seatwright().arg("worker").arg("--config").arg(&file)).2;
    let (first, second) = (work(), work());
    assert!(folder.path().join("missing/x.db").exists(), "{first}");
    for said in ["the folder of the database did not exist, and is created", "a new database is created"] {
        assert!(first.contains(said) && !second.contains(said), "{said}: {first} {second}");
    }
}

#[test]
fn the_environment_names_the_playbooks_of_every_command() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("lonely")).expect("a folder");
    std::fs::write(folder.path().join("lonely/playbook.yaml"), "playbook: 1\napp: lonely\n")
        .expect("written");
    let run =
        |arguments: &[&str]| ended(seatwright().args(arguments).env("SEATWRIGHT_PLAYBOOKS", folder.path()));
    let (code, out, _) = run(&["check"]);
    assert_eq!((code, out.contains("lonely/playbook.yaml")), (1, true), "{out}");
    let (_, out, err) = run(&["coverage", "lonely"]);
    assert!(format!("{out}{err}").contains("lonely"), "{out}{err}");
    let (_, out, err) = run(&["test", "lonely"]);
    assert!(format!("{out}{err}").contains("lonely/scenarios.yaml"), "{out}{err}");
    let (_, out, _) = run(&["doctor", "--browser", "/nowhere"]);
    assert!(out.contains("playbook lonely"), "{out}");
    // The command line overrides the environment.
    let (code, out, _) = run(&["check", "playbooks/ledgerly"]);
    assert_eq!((code, out.contains("lonely")), (0, false), "{out}");
}
