//! Keeps evidence in a folder. A file is named after its job and its reason; its digest is returned. Only our own user may
//! read it.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tokio::io::AsyncWriteExt;

use crate::ports::evidence::{EvidenceError, EvidenceStore, Kept};

/// A folder for evidence.
pub struct Folder {
    root: PathBuf,
    inline_below: u64,
}

impl Folder {
    /// The folder is created with the first file.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), inline_below: 0 }
    }

    /// Pictures with fewer bytes are sent in the result, too.
    #[must_use]
    pub fn inline_below(self, bytes: u64) -> Self {
        Self { inline_below: bytes, ..self }
    }

    /// Removes a file that was kept under this reference. A file that is not ours any more stays: one with another content,
    /// a link, or one in another folder.
    pub async fn remove(&self, reference: &str) -> std::io::Result<()> {
        let file = self.root.join(reference);
        let is_plain = Path::new(reference).file_name().is_some_and(|name| name == reference);
        if !is_plain || !tokio::fs::symlink_metadata(&file).await?.is_file() {
            return Ok(());
        }
        let mut parts = reference.rsplit('.').skip(1);
        let sha256 = crate::digest::sha256(&tokio::fs::read(&file).await?);
        match parts.next() {
            Some(digest) if digest == &sha256[..SHOWN] => tokio::fs::remove_file(&file).await,
            _ => Ok(()),
        }
    }
}

/// How many characters of its digest a file has in its name.
const SHOWN: usize = 12;

/// Writes a file that only our own user may read.
async fn write(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // What is left of an earlier one keeps its mode: it is removed first.
    let _ = tokio::fs::remove_file(file).await;
    let mut options = tokio::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(file).await?;
    file.write_all(bytes).await?;
    file.flush().await
}

#[async_trait]
impl EvidenceStore for Folder {
    async fn keep(&self, name: &str, bytes: &[u8]) -> Result<Kept, EvidenceError> {
        let refuse = |e: std::io::Error| EvidenceError(format!("{}: {e}", self.root.display()));
        let sha256 = crate::digest::sha256(bytes);
        // Ids come from outside: they must not become paths.
        let safe: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' })
            .collect();
        let (stem, extension) = safe.rsplit_once('.').unwrap_or((&safe, "bin"));
        let reference = format!("{}.{}.{extension}", stem.trim_start_matches('.'), &sha256[..SHOWN]);
        tokio::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.root).await.map_err(refuse)?;
        let partial = self.root.join(format!(".{reference}.partial"));
        let written = match write(&partial, bytes).await {
            Ok(()) => tokio::fs::rename(&partial, self.root.join(&reference)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            // Half a picture is useless, and takes the space of the next one.
            let _ = tokio::fs::remove_file(&partial).await;
            return Err(refuse(error));
        }
        Ok(Kept { sha256, reference })
    }

    fn inline_below(&self) -> u64 {
        self.inline_below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_was_kept_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Folder::new(folder.path());
        let kept = store.keep("ada.1.failed.png", b"a picture").await.expect("kept").reference;
        let changed = store.keep("ada.2.failed.png", b"another one").await.expect("kept").reference;
        std::fs::write(folder.path().join(&changed), "somebody's own").expect("written");
        let link = format!("link{}", &kept[kept.find('.').unwrap_or_default()..]);
        std::os::unix::fs::symlink(&kept, folder.path().join(&link)).expect("a link");
        for reference in [&changed, &link, &format!("../{kept}"), &"notes.txt".to_owned()] {
            let _ = store.remove(reference).await;
        }
        assert!(folder.path().join(&kept).is_file() && folder.path().join(&changed).is_file());
        assert!(folder.path().join(&link).is_symlink());
        store.remove(&kept).await.expect("removed");
        assert!(!folder.path().join(&kept).exists());
        assert!(store.remove(&kept).await.is_err(), "it is gone");
    }
}
