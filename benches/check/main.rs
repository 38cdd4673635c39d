//! How long the findings of a thousand playbooks take: `cargo bench --bench check`. The promise: under a second.

use std::{fs, path::Path, time::Instant};

use seatwright::worker::playbooks::load_all;

const HOW_MANY: usize = 1_000;

fn main() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks/ledgerly/playbook.yaml");
    let source = fs::read_to_string(source).expect("a playbook");
    let folder = tempfile::tempdir().expect("a folder");
    for number in 0..HOW_MANY {
        let app = format!("app{number}");
        let mut text = source.replace("app: ledgerly", &format!("app: {app}"));
        // Every tenth has much to be said of it.
        if number % 10 == 0 {
            text =
                text.replace("commit: true", "comit: true").replace("in: members table", "in: membres table");
        }
        fs::create_dir(folder.path().join(&app)).expect("a folder");
        fs::write(folder.path().join(&app).join("playbook.yaml"), text).expect("written");
    }
    let mut times = Vec::new();
    let mut findings = 0;
    for _ in 0..5 {
        let start = Instant::now();
        let all = load_all(folder.path()).expect("playbooks");
        times.push(start.elapsed());
        assert_eq!(all.len(), HOW_MANY);
        findings = all.iter().map(|(_, loaded)| loaded.findings.len()).sum();
    }
    times.sort();
    println!(
        "{HOW_MANY} playbooks of {} lines, {findings} findings: {:.0} ms (best {:.0}, worst {:.0})",
        source.lines().count(),
        times[2].as_secs_f64() * 1e3,
        times[0].as_secs_f64() * 1e3,
        times[4].as_secs_f64() * 1e3,
    );
}
