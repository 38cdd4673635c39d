//! The folder in which a running browser keeps its cookies.
//!
//! It is removed with its browser. A killed worker leaves it behind, so each start of a browser removes the folders that
//! no process locks any more.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rustix::fs::FlockOperation;

const PREFIX: &str = "seatwright-chromium-";

/// The file that is locked while the browser has an owner.
const OWNED: &str = "owned";

/// A new profile that only our user can read. Dropping it removes the folder.
pub(super) struct Profile {
    folder: PathBuf,
    _owned: File,
}

impl Profile {
    /// A profile in the folder for temporary files.
    pub(super) fn new() -> io::Result<Self> {
        Self::new_in(&std::env::temp_dir())
    }

    fn new_in(place: &Path) -> io::Result<Self> {
        remove_orphans(place);
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(place)?;
        // Locked first and named then, so no other process ever sees it unlocked.
        let unnamed = folder.path().join("owning");
        let owned = File::create(&unnamed)?;
        rustix::fs::flock(&owned, FlockOperation::NonBlockingLockExclusive)?;
        fs::rename(&unnamed, folder.path().join(OWNED))?;
        Ok(Self { folder: folder.keep(), _owned: owned })
    }

    pub(super) fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // Helpers that were killed a moment ago may still be writing their last file.
        for pause in [0, 10, 20, 50, 100, 200, 500, 1000] {
            thread::sleep(Duration::from_millis(pause));
            match fs::remove_dir_all(&self.folder) {
                Ok(()) => return,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return,
                Err(_) => {}
            }
        }
        let folder = self.folder.display();
        tracing::warn!(%folder, "a browser's profile could not be removed");
    }
}

/// Removes the profiles of browsers whose owner was killed. Those of other users cannot be opened.
fn remove_orphans(place: &Path) {
    let folders = fs::read_dir(place).into_iter().flatten().flatten();
    for folder in folders {
        let ours = folder.file_name().to_string_lossy().starts_with(PREFIX)
            && folder.file_type().is_ok_and(|kind| kind.is_dir());
        let Some(owned) = ours.then(|| File::open(folder.path().join(OWNED)).ok()).flatten() else {
            continue;
        };
        if rustix::fs::flock(&owned, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = fs::remove_dir_all(folder.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unlocked_profiles_are_removed() {
        let place = tempfile::tempdir().expect("a folder");
        let held = Profile::new_in(place.path()).expect("a profile");
        let orphan = place.path().join(format!("{PREFIX}orphan"));
        let begun = place.path().join(format!("{PREFIX}begun"));
        for folder in [&orphan, &begun] {
            fs::create_dir(folder).expect("made");
        }
        fs::write(orphan.join(OWNED), "").expect("written");
        let next = Profile::new_in(place.path()).expect("a profile");
        assert!(held.path().exists() && next.path().exists() && begun.exists());
        assert!(!orphan.exists());
        let mode = fs::metadata(held.path()).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let path = held.path().to_owned();
        drop(held);
        assert!(!path.exists());
    }
}
