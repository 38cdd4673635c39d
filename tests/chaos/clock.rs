//! A worker whose clock jumps by an hour in the middle of a job, and while a job is indeterminate.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use seatwright::contract::Outcome;
use serde_json::{Value, json};

use crate::{
    servers::{
        VirtualHost,
        corridor::{Terms, Worker},
    },
    support::control,
    tally::Tally,
    trial::{OPERATIONS, Trial},
    whole,
};

/// The offset, and what is said of it.
const JUMPS: [(&str, &str); 2] = [("+1h", "an hour forward"), ("-1h", "an hour back")];

/// What a worker takes for the time of day. What it takes for time that has passed is the machine's, as with a clock that
/// is set.
struct Clock(tempfile::TempDir);

impl Clock {
    fn new() -> Self {
        let clock = Self(tempfile::tempdir().expect("a folder"));
        clock.set("+0");
        clock
    }

    fn set(&self, offset: &str) {
        let next = self.0.path().join("next");
        fs::write(&next, offset).expect("written");
        fs::rename(next, self.0.path().join("offset")).expect("in one step");
    }

    /// A browser with the machine's clock: it is the worker's that is tried.
    fn browser(&self) -> PathBuf {
        let program = self.0.path().join("browser");
        // The program itself: whoever stood between it and the worker would outlive a kill.
        let script = "#!/bin/sh\ncd /usr/lib/chromium\nfor one in chromium-headless-shell chromium; do\n\
                      [ ! -x $one ] || exec env -u LD_PRELOAD ./$one \"$@\"\ndone\n";
        fs::write(&program, script).expect("written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program");
        program
    }

    fn worker(&self, config: &Path, fault: &str) -> Worker {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let (library, offset) = (text(library()), text(self.0.path().join("offset")));
        let environment = [
            ("LD_PRELOAD", library.as_str()),
            ("FAKETIME_TIMESTAMP_FILE", &offset),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("SEATWRIGHT_TEST_FAULT", fault),
        ];
        Worker::start_with(config, &environment)
    }
}

/// libfaketime, where the packages put it.
fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").expect("libraries").flatten();
    let mut found = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    found.find(|library| library.exists()).expect("no libfaketime on this machine: scripts/install test")
}

#[tokio::test(flavor = "multi_thread")]
async fn chaos_a_clock_that_jumps_changes_nothing_and_settles_neither_early_nor_late() {
    let broker = VirtualHost::take();
    let tally = Tally::default();
    let mut cases = Vec::new();
    for moment in ["step_started:2", "commit_reached:1", "verifying:1"] {
        for jump in JUMPS {
            for operation in OPERATIONS {
                cases.push((moment, jump, operation));
            }
        }
    }
    if !whole() {
        // A create that is let pass, and an update that is read back.
        cases.retain(|(moment, (offset, _), operation)| {
            let case = (*moment, *offset, *operation);
            matches!(case, ("commit_reached:1", "+1h", "user.create") | ("verifying:1", "-1h", "user.update"))
        });
    }
    let runs = cases.into_iter().enumerate().map(|(number, (moment, jump, operation))| {
        in_a_job(&broker.url, number, moment, jump, operation, &tally)
    });
    let turns = if whole() { 3 } else { 1 };
    let later = (0..turns).flat_map(|turn| JUMPS.map(|jump| (turn, jump)));
    let later = later.map(|(turn, jump)| while_indeterminate(&broker.url, turn, jump, &tally));
    tokio::join!(
        stream::iter(later).buffer_unordered(2).collect::<Vec<()>>(),
        stream::iter(runs).buffer_unordered(1).collect::<Vec<()>>(),
    );
    tally.close("clock");
}

async fn in_a_job(
    url: &str,
    number: usize,
    moment: &str,
    (offset, name): (&str, &str),
    operation: &'static str,
    tally: &Tally,
) {
    let clock = Clock::new();
    let browser = clock.browser();
    let terms = Terms { settle: Some("3s"), browser: Some(&browser), ..Terms::default() };
    let mut trial = Trial::new(url, &format!("clock-{number}"), operation, terms).await;
    let mut worker = clock.worker(&trial.lane.config, &format!("{moment} STOP"));
    trial.publish_to(&mut worker).await;
    clock.set(offset);
    worker.signal("CONT");
    let told = trial.told().await;
    worker.stop();
    assert_eq!(told[0].outcome, Outcome::Succeeded, "{offset} at {moment}: {:?}", told[0].error);
    assert!(jumped(&trial), "the worker did not see its clock jump");
    trial.close(&format!("worker: its clock jumps {name}"), tally, told).await;
}

/// By its trace: between two events lies most of an hour, in one direction or the other.
fn jumped(trial: &Trial) -> bool {
    let at: Vec<Timestamp> = trial.lane.trace("job").iter().map(|event| time(&event["at"])).collect();
    at.windows(2).any(|pair| pair[1].duration_since(pair[0]).abs() > SignedDuration::from_mins(50))
}

fn time(at: &Value) -> Timestamp {
    at.as_str().expect("a time").parse().expect("a time")
}

/// An app that shows what was done later than its author said: what became of it is known when the app shows it, whatever
/// the clock says meanwhile; not before, and not an hour later.
async fn while_indeterminate(url: &str, turn: usize, (offset, name): (&str, &str), tally: &Tally) {
    let clock = Clock::new();
    let browser = clock.browser();
    let terms = Terms { settle: Some("2s"), browser: Some(&browser), ..Terms::default() };
    let lane = format!("later-{turn}-{}", name.replace(' ', "-"));
    let mut trial = Trial::new(url, &lane, "user.create", terms).await;
    let lag = json!([{ "on": "POST /members", "do": "lag" }]);
    control(&trial.lane.site, "faults", lag).await;
    let mut first = Worker::start_for(&trial.lane.config, "verifying KILL");
    first.says("taking jobs");
    trial.publish().await;
    tokio::task::spawn_blocking(|| first.killed()).await.expect("it was killed");
    trial.begin();
    let mut second = clock.worker(&trial.lane.config, "");
    let told = trial.told().await;
    assert_eq!(told[0].outcome, Outcome::Indeterminate, "{:?}", told[0].error);
    clock.set(offset);
    // The app shows it after the first look, and before the last.
    second.says("reconciled, and still unsettled");
    control(&trial.lane.site, "faults", json!([])).await;
    let settled = trial.told().await;
    let last = settled.last().expect("a result");
    assert!(last.settled && last.outcome == Outcome::Succeeded, "{last:?}");
    second.stop();
    trial.close(&format!("worker: its clock jumps {name}, a job being indeterminate"), tally, settled).await;
}
