//! The events of a job on disk, one JSON object per line. The commit is in the file before it is made.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    sync::Mutex,
};

use crate::event::{Event, EventKind, Reader};

/// A trace file: `<job>.trace.ndjson`.
#[derive(Debug)]
pub struct Trace(Mutex<File>);

impl Trace {
    /// Opens the trace of a job. An existing trace is continued.
    pub fn create(folder: &Path, job: &str) -> std::io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let safe: String = job
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' })
            .collect();
        let file = folder.join(format!("{safe}.trace.ndjson"));
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(file)?;
        Ok(Self(Mutex::new(file)))
    }
}

impl Reader for Trace {
    fn event(&self, event: &Event) {
        let Ok(line) = serde_json::to_string(event) else { return };
        if let Ok(mut file) = self.0.lock() {
            // One write per line: a killed process leaves whole lines, and two writers do not mix theirs. A job does not
            // fail because of its trace.
            let _ = file.write_all(format!("{line}\n").as_bytes());
            if matches!(event.kind, EventKind::CommitReached { .. }) {
                let _ = file.sync_data();
            }
        }
    }
}
