//! Which files of some folders were saved. It looks at them at intervals, which works on every file system.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Time between two looks at the folders.
const POLL: Duration = Duration::from_millis(300);

/// The files of some folders, as they were at the last look.
pub(super) struct FileWatch {
    folders: Vec<PathBuf>,
    seen: Files,
}

/// Every file, with its time of change and its size.
type Files = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

impl FileWatch {
    /// Everything from now on counts as a change.
    pub fn new(playbooks: &Path, sites: &Path) -> Self {
        let folders = vec![playbooks.to_owned(), sites.to_owned()];
        Self { seen: look(&folders), folders }
    }

    /// Waits until files are new, changed or gone, and nothing changes any more. Returns these files.
    pub async fn change(&mut self) -> Vec<PathBuf> {
        let mut all = Vec::new();
        loop {
            let changed = self.changed();
            if changed.is_empty() && !all.is_empty() {
                all.sort();
                all.dedup();
                return all;
            }
            all.extend(changed);
            tokio::time::sleep(POLL).await;
        }
    }

    fn changed(&mut self) -> Vec<PathBuf> {
        let now = look(&self.folders);
        let before = std::mem::replace(&mut self.seen, now);
        let mut changed: Vec<PathBuf> = self
            .seen
            .iter()
            .filter(|(path, is)| before.get(*path) != Some(is))
            .map(|(path, _)| path.clone())
            .collect();
        changed.extend(before.into_keys().filter(|path| !self.seen.contains_key(path)));
        changed
    }
}

fn look(folders: &[PathBuf]) -> Files {
    let mut seen = Files::new();
    let mut open = folders.to_vec();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(about) = entry.metadata() else { continue };
            if about.is_dir() {
                open.push(entry.path());
            } else {
                seen.insert(entry.path(), (about.modified().ok(), about.len()));
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_new_or_deleted_file_is_reported_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| folder.path().join("app").join(name);
        std::fs::create_dir(folder.path().join("app")).expect("a folder");
        std::fs::write(file("playbook.yaml"), "a").expect("written");
        let mut watch = FileWatch::new(folder.path(), Path::new("/nowhere"));
        assert!(watch.changed().is_empty());
        std::fs::write(file("playbook.yaml"), "ab").expect("written");
        std::fs::write(file("scenarios.yaml"), "a").expect("written");
        assert_eq!(watch.changed(), [file("playbook.yaml"), file("scenarios.yaml")]);
        assert!(watch.changed().is_empty());
        std::fs::remove_file(file("playbook.yaml")).expect("removed");
        assert_eq!(watch.changed(), [file("playbook.yaml")]);
    }
}
