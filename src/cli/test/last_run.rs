//! What a run of scenarios leaves for the next run, in its evidence folder: the pictures that it has kept, and which scenarios
//! have failed.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Mutex,
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::super::terminal::note;
use crate::{
    adapters::store::Folder,
    ports::evidence::{EvidenceError, EvidenceStore, Kept},
};

/// One line of JSON for each. A run that is killed leaves whole lines.
const FILE: &str = ".seatwright-test.ndjson";

/// A line of the file. Scenarios have their file names.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Note {
    Picture(String),
    Failed(String),
    Passed(String),
}

/// What the runs so far have left.
#[derive(Debug, Default)]
pub(super) struct LastRun {
    pictures: BTreeSet<String>,
    /// The scenarios that failed when they were last played, by file name.
    pub(super) failed: BTreeSet<String>,
}

impl LastRun {
    /// `None`: no run has used this folder.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        let text = fs::read_to_string(folder.join(FILE)).ok()?;
        let mut last = Self::default();
        for line in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
            match line {
                Note::Picture(reference) => drop(last.pictures.insert(reference)),
                Note::Failed(scenario) => drop(last.failed.insert(scenario)),
                Note::Passed(scenario) => drop(last.failed.remove(&scenario)),
            }
        }
        Some(last)
    }
}

/// An evidence folder that notes what a run leaves in it.
pub(super) struct RecordedRun {
    store: Folder,
    lines: Mutex<Option<File>>,
}

impl RecordedRun {
    /// Begins a run: the pictures of the run before are removed, and which scenarios have failed is still known.
    pub(super) async fn begin(folder: &Path, last: LastRun) -> Self {
        let store = Folder::new(folder);
        let mut lines: Vec<Note> = last.failed.into_iter().map(Note::Failed).collect();
        for reference in last.pictures {
            match store.remove(&reference).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    note(format_args!("{} cannot be removed: {error}", folder.join(&reference).display()));
                    lines.push(Note::Picture(reference));
                }
                _ => {}
            }
        }
        let file = create(folder, &lines).map_err(|error| {
            note(format_args!(
                "{} cannot be written, so `--last-failed` will not know this run: {error}",
                folder.join(FILE).display()
            ));
        });
        Self { store, lines: Mutex::new(file.ok()) }
    }

    /// Notes how a scenario has ended.
    pub(super) fn ended(&self, scenario: &str, failed: bool) {
        let scenario = scenario.to_owned();
        self.add(&if failed { Note::Failed(scenario) } else { Note::Passed(scenario) });
    }

    fn add(&self, line: &Note) {
        if let Ok(mut file) = self.lines.lock()
            && let Some(file) = file.as_mut()
        {
            // A run goes on when it cannot be noted.
            let _ = file.write_all(text(line).as_bytes());
        }
    }
}

#[async_trait]
impl EvidenceStore for RecordedRun {
    async fn keep(&self, name: &str, bytes: &[u8]) -> Result<Kept, EvidenceError> {
        let kept = self.store.keep(name, bytes).await?;
        self.add(&Note::Picture(kept.reference.clone()));
        Ok(kept)
    }
}

/// A new file, which replaces the old one at once.
fn create(folder: &Path, lines: &[Note]) -> std::io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let (partial, path): (PathBuf, PathBuf) = (folder.join(format!("{FILE}.partial")), folder.join(FILE));
    let _ = fs::remove_file(&partial);
    let mut file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(&partial)?;
    file.write_all(lines.iter().map(text).collect::<String>().as_bytes())?;
    fs::rename(&partial, &path)?;
    Ok(file)
}

fn text(line: &Note) -> String {
    serde_json::to_string(line).map(|line| format!("{line}\n")).unwrap_or_default()
}
