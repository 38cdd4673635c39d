//! Reads secrets from the environment (`env:`) and from files below one folder (`file:`), as Kubernetes mounts them.

use std::path::{Component, Path, PathBuf};

use async_trait::async_trait;
use zeroize::Zeroize;

use crate::{
    contract::SecretRef,
    ports::secrets::{SecretError, Secrets},
    secret::Secret,
};

/// The largest secret, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Secrets of the environment and of files.
pub struct LocalSecrets {
    root: Option<PathBuf>,
}

impl LocalSecrets {
    /// `root`: the only folder that `file:` reads.
    pub fn new(root: Option<PathBuf>) -> Self {
        Self { root }
    }

    async fn file(&self, reference: &SecretRef, path: &str) -> Result<Secret, SecretError> {
        let missing =
            |reason: String| SecretError::Missing { reference: reference.as_str().to_owned(), reason };
        let Some(root) = &self.root else {
            return Err(missing("no folder for secrets is set: use `secrets_root` in seatwright.yaml, or `run --secrets-root DIR`".to_owned()));
        };
        let inside = Path::new(path).components().all(|c| matches!(c, Component::Normal(_)));
        if !inside {
            return Err(missing("the path must be relative, without `..`".to_owned()));
        }
        let real = tokio::fs::canonicalize(root.join(path)).await.map_err(|e| missing(e.to_string()))?;
        let root = tokio::fs::canonicalize(root).await.map_err(|e| missing(e.to_string()))?;
        if !real.starts_with(&root) {
            return Err(missing("the path leads out of the folder for secrets".to_owned()));
        }
        let size = tokio::fs::metadata(&real).await.map_err(|e| missing(e.to_string()))?.len();
        if size > MAX_BYTES {
            return Err(missing(format!("the file has {size} bytes; the limit is {MAX_BYTES}")));
        }
        let text = tokio::fs::read_to_string(&real).await.map_err(|e| missing(e.to_string()))?;
        plain(text).ok_or_else(|| missing("the file is empty".to_owned()))
    }
}

/// A secret without what tools put around it: a byte order mark in front, line ends behind. `None`: nothing is left.
fn plain(mut text: String) -> Option<Secret> {
    let bare = text.trim_start_matches('\u{FEFF}').trim_end_matches(['\r', '\n']);
    let secret = (!bare.trim().is_empty()).then(|| Secret::new(bare.to_owned()));
    text.zeroize();
    secret
}

#[async_trait]
impl Secrets for LocalSecrets {
    async fn fetch(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        let (scheme, rest) = reference.parts();
        match scheme {
            "env" => {
                let missing = |reason: &str| SecretError::Missing {
                    reference: reference.as_str().to_owned(),
                    reason: reason.to_owned(),
                };
                let text = std::env::var(rest)
                    .map_err(|_| missing("the environment of this process has no such variable"))?;
                plain(text).ok_or_else(|| missing("the variable is empty"))
            }
            "file" => self.file(reference, rest).await,
            _ => Err(SecretError::NoProvider { reference: reference.as_str().to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tools_put_around_a_secret_is_no_part_of_it() {
        let read = |text: &str| plain(text.to_owned()).map(|secret| secret.expose().to_owned());
        for text in ["correct horse", "correct horse\n", "correct horse\r\n", "\u{FEFF}correct horse\r\n"] {
            assert_eq!(read(text).as_deref(), Some("correct horse"), "{text:?}");
        }
        assert_eq!(read(" spaced ").as_deref(), Some(" spaced "), "blanks may belong to it");
        for empty in ["", "\n", "\r\n", "\u{FEFF}", " \n"] {
            assert_eq!(read(empty), None, "{empty:?}");
        }
    }
}
