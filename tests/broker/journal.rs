//! What every journal does: one set of cases, run on SQLite and on a real PostgreSQL server; and what befalls each.
//!
//! A case is a function that gets fresh journals (`tests/broker/journal/cases.rs`). `JOURNAL_CASE=name` runs only the cases
//! whose names contain it.

mod cases;
mod ground;

use std::{
    env, fs,
    io::{BufRead, BufReader, ErrorKind, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use crate::servers::postgres::{PG_PASSWORD, PrivatePostgres};
use cases::CASES;
pub use ground::result;
use ground::{entry, open};
use seatwright::{
    adapters::journal_sql::SqlJournal,
    contract::Outcome,
    ports::journal::{ClaimOutcome, Entry, Journal, JournalError},
};

/// Names the journal for a test that runs again as a process of its own.
const CHILD: &str = "JOURNAL_CHILD";

#[tokio::test(flavor = "multi_thread")]
async fn a_file_does_as_agreed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    conforms(|case| format!("sqlite:{}/{case}.db", folder.path().display())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_does_as_agreed() {
    let server = PrivatePostgres::start();
    conforms(|case| server.database(case)).await;
}

async fn conforms(fresh: impl Fn(&str) -> String) {
    let wanted = env::var("JOURNAL_CASE").unwrap_or_default();
    for (name, case) in CASES.iter().filter(|(name, _)| name.contains(&wanted)) {
        // Shown where it fails.
        eprintln!("case {name}");
        case(fresh(name)).await;
    }
}

#[tokio::test]
async fn what_a_killed_worker_wrote_is_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = format!("sqlite:{}/journal.db", folder.path().display());
    let server = PrivatePostgres::start();
    let database = server.database("journal");
    for url in [file, database] {
        let told = kill_a_worker(&url);
        if url.starts_with("postgres:") {
            server.kill();
            server.again();
        }
        let journal = open(&url).await;
        for job in &told {
            let ClaimOutcome::Unknown { attempt, intent } =
                journal.claim(&entry(job)).await.expect("a journal")
            else {
                panic!("{url}: the intent of {job} is lost")
            };
            assert_eq!((attempt.number, attempt.deaths, intent.step.as_str()), (2, 1, "save"), "{url}");
        }
    }
}

/// Lets a worker write intents, and kills it in the middle; the jobs whose intents it was told are written.
fn kill_a_worker(url: &str) -> Vec<String> {
    let mut worker = again("a_worker_that_is_killed", url).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(worker.stdout.take().expect("its output")).lines().map_while(Result::ok);
    let job = |line: String| line.strip_prefix("intended ").map(str::to_owned);
    let mut told: Vec<String> = lines.by_ref().filter_map(job).take(20).collect();
    worker.kill().expect("it can be killed");
    worker.wait().expect("it ends");
    told.extend(lines.filter_map(job));
    assert!(told.len() >= 20, "it said only {told:?}");
    told
}

#[tokio::test]
async fn a_worker_that_is_killed() {
    let Ok(url) = env::var(CHILD) else { return };
    let journal = open(&url).await;
    for number in 0.. {
        let job = format!("job-{number}");
        journal.claim(&entry(&job)).await.expect("a journal");
        journal.intend(&job, 1, "save").await.expect("a journal");
        // A line of its own: the test runner has begun one.
        print!("\nintended {job}\n");
        std::io::stdout().flush().expect("somebody listens");
    }
}

/// A disk of 1 MiB in a mount namespace of its own: nobody else sees it, and it is gone with the process.
#[test]
fn a_full_disk_and_a_read_only_one_lose_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let child = again("a_small_disk", &folder.path().display().to_string());
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-ec"]);
    command.arg(r#"mount -t tmpfs -o size=1m none "$JOURNAL_CHILD"; exec "$0" "$@""#);
    command.arg(child.get_program()).args(child.get_args()).env(CHILD, folder.path());
    let out = command.output().expect("unshare runs");
    let said = String::from_utf8_lossy(&out.stdout) + String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn a_small_disk() {
    let Ok(folder) = env::var(CHILD) else { return };
    let folder = Path::new(&folder);
    let url = format!("sqlite:{}/journal.db", folder.display());
    let journal = open(&url).await;
    journal.claim(&entry("before")).await.expect("there is room");
    journal.intend("before", 1, "save").await.expect("there is room");
    journal.claim(&entry("during")).await.expect("there is room");

    let filler = folder.join("filler");
    fill(&filler);
    let big = Entry { body: vec![b'x'; 100_000], ..entry("after") };
    let mut refusals = vec![journal.claim(&big).await.expect_err("there is no room")];
    // The log has some room in its last pages: small things may still go in, and then they are kept.
    let mut written = 0;
    let refusal = loop {
        match journal.intend("during", 1, &"save".repeat(5000 + written)).await {
            Ok(_) => written += 1,
            Err(refusal) => break refusal,
        }
    };
    refusals.push(refusal);
    let intended = |known: ClaimOutcome| match known {
        ClaimOutcome::Unknown { intent, .. } => intent.step,
        other => panic!("there is no intent: {other:?}"),
    };
    for JournalError(said) in refusals {
        assert!(said.contains("journal.db: the disk is full") && said.contains("free some space"), "{said}");
    }

    fs::remove_file(&filler).expect("it can be removed");
    assert_eq!(intended(journal.claim(&entry("before")).await.expect("there is room again")), "save");
    match journal.claim(&entry("during")).await.expect("there is room again") {
        ClaimOutcome::Unknown { intent, .. } => assert_eq!(intent.step, "save".repeat(5000 + written - 1)),
        ClaimOutcome::Begun(attempt) => assert_eq!((attempt.number, written), (2, 0)),
        other => panic!("{other:?}"),
    }
    match journal.claim(&big).await.expect("there is room again") {
        ClaimOutcome::Begun(attempt) => assert_eq!(attempt.number, 1, "what was refused was not counted"),
        other => panic!("{other:?}"),
    }

    drop(journal);
    // The library closes its file behind our back: until then the disk is in use.
    let remount =
        || Command::new("mount").args(["-o", "remount,ro"]).arg(folder).stderr(Stdio::null()).status();
    while !remount().expect("mount runs").success() {
        tokio::task::yield_now().await;
    }
    let JournalError(said) = SqlJournal::open(&url).await.err().expect("it cannot be written");
    assert!(
        said.contains("journal.db: Read-only file system") && said.contains("may write the file"),
        "{said}"
    );
}

/// Fills the disk to the last byte.
fn fill(file: &Path) {
    let mut file = fs::File::create(file).expect("it can be made");
    for size in [4096, 1] {
        loop {
            match file.write(&vec![0; size]) {
                Ok(_) => {}
                Err(full) if full.kind() == ErrorKind::StorageFull => break,
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[tokio::test]
async fn a_file_that_is_no_journal_is_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("deep/er/journal.db");
    let url = format!("sqlite:{}", file.display());
    drop(open(&url).await);
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(
        (mode(&file), mode(&folder.path().join("deep"))),
        (0o600, 0o700),
        "it is nobody else's business"
    );

    let other = folder.path().join("letter.txt");
    let letter = "Dear Ada, ".repeat(1000);
    fs::write(&other, &letter).expect("it can be written");
    let JournalError(said) = refused(&format!("sqlite:{}", other.display())).await;
    assert!(
        said.contains("letter.txt: it is damaged, or not a database") && said.contains("backup"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(&other).expect("it is there"), letter);

    let JournalError(said) = refused(&format!("sqlite:{}/below.db", other.display())).await;
    assert!(said.contains("below.db: File exists"), "{said}");
}

#[tokio::test]
async fn a_server_that_does_not_let_us_in_is_named_without_its_password() {
    let server = PrivatePostgres::start();
    server.database("journal");
    let known = server.by_tcp("journal", PG_PASSWORD);
    drop(open(&known).await);
    let wrong = server.by_tcp("journal", "hunter2");
    let nobody = known.replace("127.0.0.1:", "127.0.0.1:1");
    let nobody =
        nobody.get(..nobody.rfind(':').expect("a port") + 1).expect("its start").to_owned() + "1/journal";
    let table = [
        (wrong, "database `journal`: it refuses the login"),
        (server.by_tcp("nothing", PG_PASSWORD), "database `nothing`: there is no such database"),
        (nobody, "at 127.0.0.1:1, database `journal`: it does not answer"),
    ];
    for (url, what) in table {
        let error = refused(&url).await;
        assert!(error.0.contains(what), "{error}");
        for secret in ["hunter2", PG_PASSWORD, &PG_PASSWORD.replace(' ', "%20")] {
            assert!(!error.to_string().contains(secret) && !format!("{error:?}").contains(secret), "{error}");
        }
    }
}

#[tokio::test]
async fn a_server_may_go_and_come_back() {
    let server = PrivatePostgres::start();
    let journal = open(&server.database("journal")).await;
    journal.claim(&entry("job")).await.expect("a journal");
    server.kill();
    let JournalError(said) = journal.intend("job", 1, "save").await.expect_err("nobody is there");
    assert!(said.contains("database `journal`: "), "{said}");
    server.again();
    journal.conclude("job", 1, &result("job", Outcome::Failed), None).await.expect("it is there again");
    assert!(matches!(journal.claim(&entry("job")).await.expect("a journal"), ClaimOutcome::Done(_)));
}

async fn refused(url: &str) -> JournalError {
    SqlJournal::open(url).await.err().expect("it is refused")
}

/// This test binary once more, for one test.
fn again(test: &str, journal: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("the test has a file"));
    command.args(["--exact", &format!("journal::{test}"), "--nocapture"]).env(CHILD, journal);
    command
}
