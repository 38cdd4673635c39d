//! Processes, as the system tells of them.

use std::fs;

use rustix::process::{Pid, PidfdFlags};
use tokio::io::unix::AsyncFd;

/// The programs with this argument.
pub fn programs(argument: &str) -> Vec<(i32, Vec<String>)> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let arguments: Vec<String> = line.split(['\0', ' ']).map(str::to_owned).collect();
        arguments.iter().any(|given| given == argument).then_some((pid, arguments))
    })
    .collect()
}

/// Every process that descends from this one.
pub fn descendants(ancestor: i32) -> Vec<i32> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let parents: Vec<(i32, i32)> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid: i32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let (_, rest) = stat.rsplit_once(')')?;
            Some((pid, rest.split_whitespace().nth(1)?.parse().ok()?))
        })
        .collect();
    let mut found = vec![ancestor];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| pid));
        next += 1;
    }
    found.split_off(1)
}

/// Waits until a process has ended.
pub async fn ended(pid: Pid) {
    if let Ok(handle) = rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK) {
        // SAFETY: the descriptor is owned by what is registered, and stays the same until both are dropped.
        #[expect(unsafe_code, reason = "the descriptor lives as long as its watch")]
        let handle = unsafe { AsyncFd::register(handle) }.expect("watchable");
        drop(handle.readable().await.expect("its end"));
    }
}
