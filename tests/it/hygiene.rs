//! What is left in the house after the worst: hung and crashed pages, browsers that are killed or hold too much,
//! owners that are killed, a full disk. With the real browser, by /proc and by the folders.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use crate::support::processes::{descendants, ended};
use crate::support::{Bench, PASSWORD, RealBrowser, ada, control, member, root, site};
use async_trait::async_trait;
use rustix::process::{Pid, Signal};
use seatwright::{
    contract::{Code, JobResult, Outcome},
    ports::driver::{Browser, Launch},
    site::RunningSite,
    worker::{
        playbooks::Playbooks,
        sessions::{Limits, Sessions},
    },
};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

const SOON: Duration = Duration::from_secs(20);

// ---- what the tests are written with ------------------------------------------------------------

/// Counts the browsers that are started.
#[derive(Default)]
struct Counted(AtomicU32);

#[async_trait]
impl Launch for Counted {
    async fn launch(&self) -> Result<Arc<dyn Browser>, String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        RealBrowser.launch().await
    }
}

async fn bench(max_memory: u64) -> (Bench, Arc<Counted>) {
    let counted = Arc::new(Counted::default());
    let launch = Arc::clone(&counted) as Arc<dyn Launch>;
    let playbooks = Playbooks::read(&root().join("playbooks")).expect("the playbooks can be read");
    let mut bench = Bench::with(playbooks, Arc::clone(&launch)).await;
    let limits = Limits { idle: Duration::from_secs(600), recycle_after: 200, max_memory };
    bench.runner.sessions = Sessions::with(launch, limits);
    (bench, counted)
}

/// From now on the site's answers have something else in this place.
async fn changed(site: &RunningSite, on: &str, place: &str, instead: &str) {
    control(site, "faults", json!([{ "on": on, "do": "changed", "replace": { (place): instead } }])).await;
}

fn code(result: &JobResult) -> Option<Code> {
    result.error.as_ref().map(|error| error.code)
}

fn me() -> i32 {
    Pid::as_raw(Some(rustix::process::getpid()))
}

/// Those that descend from a process and have this argument, and their arguments.
fn ours(ancestor: i32, argument: &str) -> Vec<i32> {
    let line = |pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let has = |pid: &i32| String::from_utf8_lossy(&line(pid)).contains(argument);
    descendants(ancestor).into_iter().filter(has).collect()
}

fn renderers(ancestor: i32) -> BTreeSet<i32> {
    ours(ancestor, "--type=renderer").into_iter().collect()
}

/// The programs themselves, not their helpers.
fn browsers(ancestor: i32) -> Vec<i32> {
    let helpers = ours(ancestor, "--type=");
    ours(ancestor, "--user-data-dir=").into_iter().filter(|pid| !helpers.contains(pid)).collect()
}

fn kill(pid: i32) {
    let pid = Pid::from_raw(pid).expect("a process");
    rustix::process::kill_process(pid, Signal::KILL).expect("killed");
}

async fn all_ended(processes: impl IntoIterator<Item = i32>) {
    for pid in processes {
        let ended = ended(Pid::from_raw(pid).expect("a process"));
        timeout(SOON, ended).await.unwrap_or_else(|_| panic!("{pid} goes on"));
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn count(folder: String) -> usize {
    fs::read_dir(folder).expect("a folder").count()
}

/// Waits until the site has been asked for more than this.
async fn asked(site: &RunningSite, seen: usize) {
    let asking = async { while log(site).await <= seen {} };
    timeout(SOON, asking).await.expect("somebody asks");
}

async fn log(site: &RunningSite) -> usize {
    let url = format!("http://{}/_site/log", site.addr());
    let log: Value = reqwest::get(url).await.expect("the site answers").json().await.expect("JSON");
    log.as_array().map_or(0, Vec::len)
}

// ---- pages --------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_an_endless_loop_costs_its_job_and_nothing_else() {
    let (bench, started) = bench(2048).await;
    assert_eq!(bench.run("connection.test", json!({})).await.outcome, Outcome::Succeeded);
    let before = renderers(me());
    changed(&bench.site, "GET /members", "will lose access at once.", "<script>for(;;);</script>").await;
    let begun = Instant::now();
    let stuck = bench.run("user.delete", json!({ "user": { "userName": "nada@acme.example" } })).await;
    let took = begun.elapsed();
    eprintln!("an endless loop: {:?} after {} ms", code(&stuck), took.as_millis());
    assert_eq!(
        (stuck.outcome, code(&stuck)),
        (Outcome::Failed, Some(Code::AppUnavailable)),
        "{:?}",
        stuck.error
    );
    // A step has ten seconds; a picture of what is there is tried, too.
    assert!(took < Duration::from_secs(25), "{took:?}");
    assert!(member(&bench.site, "nada@acme.example").is_some());
    control(&bench.site, "faults", json!([])).await;
    let begun = Instant::now();
    assert_eq!(bench.run("connection.test", json!({})).await.outcome, Outcome::Succeeded);
    eprintln!("the next job: {} ms", begun.elapsed().as_millis());
    assert_eq!(started.0.load(Ordering::SeqCst), 1, "the browser is well");
    let now = renderers(me());
    all_ended(before.difference(&now).copied()).await;
    assert!(now.len() <= before.len(), "nothing spins on: {before:?}, {now:?}");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_hears_at_once_of_what_is_killed() {
    let (bench, started) = bench(2048).await;
    for (what, message) in [("a page's process", "the page crashed"), ("the browser", "the browser is gone")]
    {
        assert_eq!(bench.run("connection.test", json!({})).await.outcome, Outcome::Succeeded);
        // The page is there, has asked for something else, and stands still.
        let still = "<script>fetch('/roles').then(() => { for (;;); })</script></body>";
        changed(&bench.site, "GET /members", "</body>", still).await;
        let seen = log(&bench.site).await;
        let killing = async {
            asked(&bench.site, seen + 1).await;
            let victims = match what {
                "the browser" => browsers(me()),
                _ => renderers(me()).into_iter().collect(),
            };
            assert!(!victims.is_empty());
            victims.into_iter().for_each(kill);
            Instant::now()
        };
        let (lost, killed) = tokio::join!(bench.run("user.list", json!({})), killing);
        let heard = killed.elapsed();
        eprintln!("{what} is killed: {:?} after {} ms", code(&lost), heard.as_millis());
        assert_eq!(code(&lost), Some(Code::BrowserLost), "{:?}", lost.error);
        let said = lost.error.expect("an error").message;
        assert!(said.contains(message), "{said}");
        assert!(heard < Duration::from_secs(8), "{heard:?}");
        control(&bench.site, "faults", json!([])).await;
    }
    assert_eq!(bench.run("connection.test", json!({})).await.outcome, Outcome::Succeeded);
    assert_eq!(started.0.load(Ordering::SeqCst), 2, "only a browser that died is replaced");
    bench.end().await;
}

// ---- memory -------------------------------------------------------------------------------------

/// A page that takes this many MiB, as its script says.
fn greedy(mib: &str, then: &str) -> String {
    format!(
        "<script>globalThis.held = []; for (let i = 0; i < {mib}; i++) held.push(new Uint8Array(1 << 20).fill(i));\
         {then}</script></body>"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_has_grown_is_replaced_between_two_jobs() {
    let (bench, started) = bench(180).await;
    assert_eq!(bench.run("connection.test", json!({})).await.outcome, Outcome::Succeeded);
    let old = browsers(me());
    // Only the last page of the job is greedy: a browser may still hold the documents before, which together would be more than
    // twice the limit.
    changed(&bench.site, "GET /members", "</body>", &greedy("(location.search ? 110 : 0)", "")).await;
    let done = bench.run("user.get", json!({ "user": { "userName": "nada@acme.example" } })).await;
    assert_eq!(done.outcome, Outcome::Succeeded, "{:?}", done.error);
    let begun = Instant::now();
    all_ended(old).await;
    eprintln!("a browser that has grown ended {} ms after its job", begun.elapsed().as_millis());
    control(&bench.site, "faults", json!([])).await;
    assert_eq!(bench.run("connection.test", json!({})).await.outcome, Outcome::Succeeded);
    assert_eq!(started.0.load(Ordering::SeqCst), 2);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_grows_without_end_is_ended_in_the_middle_of_a_job() {
    let (bench, started) = bench(260).await;
    assert_eq!(bench.run("connection.test", json!({})).await.outcome, Outcome::Succeeded);
    changed(&bench.site, "GET /members", "</body>", &greedy("800", "for (;;);")).await;
    let begun = Instant::now();
    let lost = bench.run("user.get", json!({ "user": { "userName": "nada@acme.example" } })).await;
    let took = begun.elapsed();
    eprintln!("800 MiB where 520 are the end: {:?} after {} ms", code(&lost), took.as_millis());
    assert_eq!(code(&lost), Some(Code::BrowserLost), "{:?}", lost.error);
    let said = lost.error.expect("an error").message;
    assert!(said.contains("more than twice `browser.max_memory`"), "{said}");
    assert!(took < Duration::from_secs(10), "{took:?}: not by a step's deadline");
    control(&bench.site, "faults", json!([])).await;
    assert_eq!(bench.run("connection.test", json!({})).await.outcome, Outcome::Succeeded);
    assert_eq!(started.0.load(Ordering::SeqCst), 2);
    bench.end().await;
}

// ---- what is left -------------------------------------------------------------------------------

/// The program with a job for this site, and a folder for temporary things of its own.
fn run(site: &RunningSite, job: &str, folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seatwright"));
    command
        .current_dir(root())
        .args(["run", &format!("fixtures/jobs/{job}.json"), "--allow-no-sandbox"])
        .args(["--set", &format!("port={}", site.addr().port()), "--evidence"])
        .arg(folder.join("evidence"))
        .env("LEDGERLY_PASSWORD", PASSWORD)
        .env("TMPDIR", temporary(folder))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn temporary(folder: &Path) -> PathBuf {
    let temporary = folder.join("tmp");
    fs::create_dir_all(&temporary).expect("a folder");
    temporary
}

async fn output(child: Child) -> Output {
    let output = tokio::task::spawn_blocking(|| child.wait_with_output());
    output.await.expect("no panic").expect("its end")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_is_killed_leaves_no_process_and_the_next_one_its_folder() {
    let site = site("ledgerly").await;
    let folder = tempfile::tempdir().expect("a folder");
    control(&site, "faults", json!([{ "on": "GET /members", "do": "hang_after" }])).await;
    let seen = log(&site).await;
    let mut owner = run(&site, "list", folder.path()).spawn().expect("it starts");
    let owner_id = i32::try_from(owner.id()).expect("a process");
    // The sign-in page, the sign-in, the members.
    asked(&site, seen + 2).await;
    let family = descendants(owner_id);
    assert!(family.len() >= 3 && browsers(owner_id).len() == 1, "helpers and a page: {family:?}");
    owner.kill().expect("killed");
    let begun = Instant::now();
    owner.wait().expect("its end");
    let number = family.len();
    all_ended(family).await;
    eprintln!(
        "the owner of {number} processes is killed: none is left after {} ms",
        begun.elapsed().as_millis()
    );
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let temporary = temporary(folder.path());
    let left = names(&temporary);
    assert!(matches!(&left[..], [profile] if profile.starts_with("seatwright-chromium-")), "{left:?}");

    control(&site, "faults", json!([])).await;
    let next = output(run(&site, "connection", folder.path()).spawn().expect("it starts")).await;
    assert!(next.status.success(), "{}", String::from_utf8_lossy(&next.stderr));
    assert_eq!(names(&temporary), [] as [String; 0], "neither of the one killed nor of the one that ended");
    site.stop().await;
}

/// Not a test by itself: the process that the next one looks at.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_sessions() {
    if std::env::var("SEATWRIGHT_TEST_SESSIONS").is_err() {
        return;
    }
    let site = site("ledgerly").await;
    let url = format!("http://acme.ledgerly.localhost:{}/login", site.addr().port()).parse().expect("a URL");
    let limits = Limits { idle: Duration::from_secs(600), recycle_after: 200, max_memory: 2048 };
    let sessions = Sessions::with(Arc::new(RealBrowser), limits);
    let here = std::env::temp_dir();
    let visit = async || {
        let session = sessions.take("svc", "acme", &[], Vec::new()).await.expect("a session");
        session.context.page().goto(&url, Instant::now() + SOON).await.expect("a page");
        session.context.close().await;
    };
    // Processes, those of pages, folders, descriptors of ours, descriptors of the browser.
    let there = || {
        let browser = browsers(me())[0];
        let descriptors = ["self".to_owned(), browser.to_string()].map(|of| count(format!("/proc/{of}/fd")));
        [descendants(me()).len(), renderers(me()).len(), names(&here).len(), descriptors[0], descriptors[1]]
    };
    visit().await;
    all_ended(renderers(me())).await;
    let before = there();
    for _ in 0..50 {
        visit().await;
    }
    // Processes and connections end a moment after what they were for.
    let quiet = timeout(SOON, async {
        while is_more(&there(), &before) {
            tokio::task::yield_now().await;
        }
    });
    let _ = quiet.await;
    println!("{}", json!({ "before": before, "after": there() }));
    sessions.close().await;
    println!("{}", json!({ "processes": descendants(me()), "folders": names(&here) }));
    site.stop().await;
}

fn is_more(now: &[usize], before: &[usize]) -> bool {
    now.iter().zip(before).any(|(now, before)| now > before)
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_sessions_leave_what_was_there_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child
        .args(["--exact", "hygiene::fifty_sessions", "--nocapture"])
        .env("SEATWRIGHT_TEST_SESSIONS", "yes")
        .env("TMPDIR", temporary(folder.path()))
        .stdout(Stdio::piped());
    let output = output(child.spawn().expect("it starts")).await;
    let said = String::from_utf8_lossy(&output.stdout);
    let told: Vec<Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let [sessions, end] = &told[..] else { panic!("{said}") };
    eprintln!("processes, those of pages, folders, descriptors of ours and of the browser: {sessions}");
    let counts =
        |when: &str| -> Vec<usize> { serde_json::from_value(sessions[when].clone()).expect("counts") };
    // Not the same: what the first session needed may still have been ending when it was counted.
    assert!(!is_more(&counts("after"), &counts("before")), "{sessions}");
    assert_eq!(end, &json!({ "processes": [], "folders": [] }));
    assert_eq!(names(&temporary(folder.path())), [] as [String; 0]);
}

// ---- evidence -----------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_full_changes_no_outcome() {
    let site = site("ledgerly").await;
    let folder = tempfile::tempdir().expect("a folder");
    let evidence = folder.path().join("evidence");
    fs::create_dir(&evidence).expect("a folder");
    // Room for a trace and for no picture, in a mount that ends with the process.
    let inner = run(&site, "create", folder.path());
    let mut outer = Command::new("unshare");
    outer.args([
        "--mount",
        "--map-root-user",
        "sh",
        "-ec",
        "mount -t tmpfs -o size=32k tmpfs \"$0\"; \"$@\"; ls -A \"$0\" >&2",
    ]);
    outer.arg(&evidence).arg(inner.get_program()).args(inner.get_args()).current_dir(root());
    for (name, value) in inner.get_envs() {
        outer.env(name, value.unwrap_or_default());
    }
    outer.stdout(Stdio::piped()).stderr(Stdio::piped());
    let full = output(outer.spawn().expect("unshare is there")).await;
    let said = String::from_utf8_lossy(&full.stderr);
    let result: Value = serde_json::from_slice(&full.stdout).unwrap_or_else(|_| panic!("{said}"));
    assert_eq!((full.status.code(), &result["outcome"]), (Some(0), &json!("succeeded")), "{said}");
    assert!(member(&site, "ada@acme.example").is_some());
    let told: Vec<(&Value, &Value)> = result["evidence"]
        .as_array()
        .expect("evidence")
        .iter()
        .map(|picture| (&picture["reason"], &picture["withheld"]))
        .collect();
    eprintln!("{told:?}");
    assert_eq!(told.len(), 2);
    let why = told[1].1.as_str().expect("the second one could not be kept");
    assert!(why.contains("evidence could not be stored") && why.contains("No space left"), "{why}");
    assert!(!said.contains(".partial"), "half a picture takes room: {said}");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_written_changes_no_outcome() {
    let site = site("ledgerly").await;
    let folder = tempfile::tempdir().expect("a folder");
    // No folder can be made where a file is, not even by root.
    fs::write(folder.path().join("evidence"), "").expect("written");
    let done = output(run(&site, "create", folder.path()).spawn().expect("it starts")).await;
    let said = String::from_utf8_lossy(&done.stderr);
    let result: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{said}"));
    assert_eq!((done.status.code(), &result["outcome"]), (Some(0), &json!("succeeded")), "{said}");
    assert!(said.contains("no trace: "), "{said}");
    let pictures = result["evidence"].as_array().expect("evidence");
    assert!(pictures.iter().all(|picture| picture["withheld"].is_string()), "{pictures:?}");
    assert_eq!(pictures.len(), 2);
    assert_eq!(ada()["userName"], result["after"]["userName"]);
    site.stop().await;
}
