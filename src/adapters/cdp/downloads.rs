//! Files between a page and the disk: downloads that were allowed, and uploads.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::json;
use tempfile::TempDir;

use super::target_session::TargetSession;
use crate::{ports::driver::DriverError, query::File};

/// The folders of one page.
pub(super) struct PageFiles {
    page: Arc<TargetSession>,
    /// The browser context whose downloads these are.
    context: String,
    /// Where a download goes, while one is allowed.
    downloads: Mutex<Option<TempDir>>,
    /// The browser reads an upload only when it sends it: the folders stay as long as the page.
    uploads: Mutex<Vec<TempDir>>,
}

impl PageFiles {
    pub(super) fn new(page: Arc<TargetSession>, context: String) -> Self {
        Self { page, context, downloads: Mutex::default(), uploads: Mutex::default() }
    }

    /// Whether the browser may keep a download from now on.
    pub(super) fn allow_download(&self, allowed: bool) {
        let mut downloads = locked(&self.downloads);
        if allowed {
            let folder = tempfile::Builder::new().prefix("seatwright-download-").tempdir().ok();
            self.set_behavior(folder.as_ref());
            *downloads = folder;
        } else if downloads.take().is_some() {
            self.set_behavior(None);
        }
    }

    /// Reads a complete download from its folder.
    pub(super) async fn read_download(&self, guid: &str, name: String) -> Result<File, DriverError> {
        let path = locked(&self.downloads).as_ref().map(|folder| folder.path().join(guid));
        let content = match path {
            Some(path) => tokio::fs::read(&path).await.map_err(|error| error.to_string()),
            None => Err("there was no folder for it".to_owned()),
        };
        let content = content
            .map_err(|reason| DriverError::Protocol(format!("the download {name} was lost: {reason}")))?;
        let media_type = "application/octet-stream".to_owned();
        Ok(File { name, media_type, content })
    }

    /// Writes files for an upload; returns their paths.
    pub(super) async fn write_upload(&self, files: &[File]) -> Result<Vec<PathBuf>, DriverError> {
        let failed = |error: io::Error| {
            DriverError::Protocol(format!("a file for the page cannot be written: {error}"))
        };
        let folder = tempfile::Builder::new().prefix("seatwright-upload-").tempdir().map_err(failed)?;
        let mut paths = Vec::new();
        for file in files {
            // No part of the name may become a path.
            let name = file.name.replace(['/', '\\', '\0'], "_");
            let path = folder.path().join(if name.starts_with('.') { format!("_{name}") } else { name });
            tokio::fs::write(&path, &file.content).await.map_err(failed)?;
            paths.push(path);
        }
        locked(&self.uploads).push(folder);
        Ok(paths)
    }

    fn set_behavior(&self, folder: Option<&TempDir>) {
        let params = match folder {
            Some(folder) => json!({
                "behavior": "allowAndName", "browserContextId": self.context, "eventsEnabled": true,
                "downloadPath": folder.path(),
            }),
            None => json!({"behavior": "deny", "browserContextId": self.context, "eventsEnabled": true}),
        };
        self.page.post_to_browser("Browser.setDownloadBehavior", params);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
