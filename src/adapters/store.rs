//! Keeps evidence in a folder. A file is named after its job and its reason; its digest is returned.

use std::path::PathBuf;

use async_trait::async_trait;

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
        let reference = format!("{}.{}.{extension}", stem.trim_start_matches('.'), &sha256[..12]);
        tokio::fs::create_dir_all(&self.root).await.map_err(refuse)?;
        let partial = self.root.join(format!(".{reference}.partial"));
        let written = match tokio::fs::write(&partial, bytes).await {
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
