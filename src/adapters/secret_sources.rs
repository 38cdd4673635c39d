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
        let mut text = tokio::fs::read_to_string(&real).await.map_err(|e| missing(e.to_string()))?;
        let secret = Secret::new(text.trim_end_matches(['\r', '\n']).to_owned());
        text.zeroize();
        Ok(secret)
    }
}

#[async_trait]
impl Secrets for LocalSecrets {
    async fn fetch(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        let (scheme, rest) = reference.parts();
        match scheme {
            "env" => std::env::var(rest).map(Secret::new).map_err(|_| SecretError::Missing {
                reference: reference.as_str().to_owned(),
                reason: "the environment of this process has no such variable".to_owned(),
            }),
            "file" => self.file(reference, rest).await,
            _ => Err(SecretError::NoProvider { reference: reference.as_str().to_owned() }),
        }
    }
}
