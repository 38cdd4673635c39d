//! Job after job through one worker with the real browser: nothing grows.

use std::path::Path;

use seatwright::contract::Outcome;
use serde_json::json;

use crate::{
    servers::{
        VirtualHost,
        corridor::{Lane, Terms, Worker, results},
    },
    whole,
};

/// What a worker and its browser hold.
#[derive(Debug, PartialEq)]
struct Held {
    /// Of the worker itself: anonymous memory, in KiB.
    memory: u64,
    processes: usize,
    descriptors: usize,
    /// Folders of browsers.
    folders: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn chaos_job_after_job_nothing_grows() {
    let rounds = if whole() { 4 } else { 3 };
    let jobs = if whole() { 500 } else { 10 };
    let broker = VirtualHost::take();
    let temporary = tempfile::tempdir().expect("a folder");
    let lane = Lane::new(&broker.url, "soak", Terms { more: "", ..Terms::default() }).await;
    let mut client = lane.client().await;
    let place = temporary.path().to_string_lossy().into_owned();
    let mut worker = Worker::start_with(&lane.config, &[("TMPDIR", &place)]);
    worker.says("taking jobs");
    let mut seen = Vec::new();
    for round in 0..rounds {
        for number in 0..jobs / 2 {
            let name = format!("s{round}x{number}@acme.example");
            let user = json!({ "userName": name, "name": { "givenName": "So", "familyName": "Ak" } });
            let (make, remove) = (format!("c-{round}-{number}"), format!("d-{round}-{number}"));
            let more = |user: serde_json::Value| json!({ "user": user, "evidence": "none" });
            lane.publish(&client, &make, "user.create", more(user)).await;
            lane.publish(&client, &remove, "user.delete", more(json!({ "userName": name }))).await;
            for result in results(&mut client, vec![&make, &remove]).await {
                assert_eq!(result.outcome, Outcome::Succeeded, "{}: {:?}", result.job, result.error);
            }
        }
        let held = held(worker.id(), temporary.path());
        eprintln!("after {} jobs: {held:?}", (round + 1) * jobs);
        seen.push(held);
    }
    worker.stop();
    assert_eq!(std::fs::read_dir(temporary.path()).expect("a folder").count(), 0, "a folder was left");
    let (first, last) = (&seen[0], &seen[seen.len() - 1]);
    // A browser that is replaced may be there beside its successor for a moment; pages have a process each.
    assert!(last.processes <= first.processes + 6, "{seen:?}");
    assert!(last.folders <= 2 && first.folders >= 1, "{seen:?}");
    assert!(last.descriptors <= first.descriptors + 8, "{seen:?}");
    // What a runtime keeps for later use it keeps from the first hundreds of jobs on.
    let slack = if whole() { 16 * 1024 } else { 64 * 1024 };
    assert!(last.memory <= first.memory + slack, "{seen:?}");
}

fn held(worker: u32, temporary: &Path) -> Held {
    let status = std::fs::read_to_string(format!("/proc/{worker}/status")).expect("the worker is there");
    let memory = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB")?.parse().ok());
    let processes = std::fs::read_dir("/proc")
        .expect("processes")
        .flatten()
        .filter(|process| crate::outside::belongs_to(&process.path(), worker))
        .count();
    Held {
        memory: memory.expect("its memory"),
        processes,
        descriptors: std::fs::read_dir(format!("/proc/{worker}/fd")).expect("its descriptors").count(),
        folders: std::fs::read_dir(temporary).expect("a folder").count(),
    }
}
