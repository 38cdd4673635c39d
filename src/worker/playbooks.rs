//! The playbooks of a worker: a folder that is read once. A playbook with errors does not affect the others.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use rayon::prelude::*;

use crate::{
    contract::{Code, Failure},
    plan::Source,
    playbook::{self, Loaded, Modules, Severity},
};

/// The largest file that a playbook may upload.
const LARGEST_UPLOAD: u64 = 16 << 20;

/// Playbooks by app.
#[derive(Debug, Clone, Default)]
pub struct Playbooks {
    sources: BTreeMap<String, Result<Arc<Source>, Box<Loaded>>>,
}

/// A folder of playbooks that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "the playbooks in {folder} cannot be read: {reason}\nname the folder that contains one folder for each app: --playbooks DIR"
)]
pub struct PlaybooksError {
    folder: PathBuf,
    reason: String,
}

impl Playbooks {
    /// Reads `<folder>/<app>/playbook.yaml` for every app.
    pub fn read(folder: &Path) -> Result<Self, PlaybooksError> {
        let sources = load_all(folder)?
            .into_iter()
            .map(|(app, loaded)| (app, Source::new(loaded).map(Arc::new)))
            .collect();
        Ok(Self { sources })
    }

    /// The playbook of an app, or why there is none.
    pub fn of(&self, app: &str) -> Result<Arc<Source>, Failure> {
        match self.sources.get(app) {
            Some(Ok(source)) => Ok(Arc::clone(source)),
            Some(Err(loaded)) => {
                let first = loaded.findings.iter().find(|f| f.finding.severity() == Severity::Error);
                let failure =
                    Failure::new(Code::PlaybookInvalid, format!("the playbook of {app} has errors"));
                Err(match first {
                    Some(finding) => {
                        let (line, column) = loaded.line_column(finding.span.start);
                        Failure {
                            message: format!(
                                "the playbook of {app} has errors: {} {}",
                                finding.finding.code(),
                                finding.message
                            ),
                            ..failure
                        }
                        .hint(format!("run `seatwright check {}` to see all its errors", loaded.path))
                        .at(finding.finding.code(), format!("playbook.yaml:{line}:{column}"))
                    }
                    None => failure,
                })
            }
            None => Err(Failure::new(Code::UnknownApp, format!("there is no playbook for `{app}`")).hint(
                match crate::nearest::nearest(app, self.sources.keys().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => {
                        format!("known apps: {}", self.sources.keys().cloned().collect::<Vec<_>>().join(", "))
                    }
                },
            )),
        }
    }

    /// The apps, and whether the playbook of each is valid.
    pub fn apps(&self) -> impl Iterator<Item = (&str, bool)> {
        self.sources.iter().map(|(app, source)| (app.as_str(), source.is_ok()))
    }
}

/// Loads every playbook below a folder, with its findings.
pub fn load_all(folder: &Path) -> Result<Vec<(String, Loaded)>, PlaybooksError> {
    let refuse =
        |reason: std::io::Error| PlaybooksError { folder: folder.to_owned(), reason: reason.to_string() };
    let modules = load_modules(folder);
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).map_err(refuse)?.filter_map(|entry| entry.ok().map(|e| e.path())).collect();
    entries.retain(|entry| entry.join("playbook.yaml").is_file());
    entries.sort();
    let read = |entry: &PathBuf| {
        let app = entry.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        read_file(&entry.join("playbook.yaml"), &modules).map(|loaded| (app, loaded))
    };
    entries.par_iter().map(read).collect::<std::io::Result<_>>().map_err(refuse)
}

/// Loads one playbook file. The name of its folder is the app; the modules are next to that folder.
pub fn load_file(file: &Path) -> std::io::Result<Loaded> {
    let modules = file.canonicalize()?.parent().and_then(Path::parent).map(load_modules).unwrap_or_default();
    read_file(file, &modules)
}

fn read_file(file: &Path, modules: &Modules) -> std::io::Result<Loaded> {
    let path = file.canonicalize()?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let bytes = std::fs::read(file)?;
    let source = String::from_utf8_lossy(&bytes);
    let mut loaded = playbook::load(&file.to_string_lossy(), &name, &source, modules);
    let uploads: Vec<String> = loaded.uploads().into_iter().map(str::to_owned).collect();
    for upload in uploads {
        let inside = folder.join(&upload).canonicalize().is_ok_and(|found| found.starts_with(folder));
        let small = std::fs::metadata(folder.join(&upload)).is_ok_and(|found| found.len() <= LARGEST_UPLOAD);
        if inside && small {
            let content = std::fs::read(folder.join(&upload))?;
            loaded.files.insert(upload, content.into());
        }
    }
    Ok(loaded)
}

/// Loads every module: a YAML file in a folder without a playbook, such as `idp/gatehouse.yaml`.
pub fn load_modules(folder: &Path) -> Modules {
    let entries = |folder: &Path| {
        let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
            .map(|entries| entries.filter_map(|entry| entry.ok().map(|e| e.path())).collect())
            .unwrap_or_default();
        found.sort();
        found
    };
    let mut modules = Modules::new();
    let folders = entries(folder).into_iter().filter(|folder| !folder.join("playbook.yaml").exists());
    for file in folders.flat_map(|folder| entries(&folder)) {
        let name =
            |path: &Path| path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if file.extension().is_some_and(|extension| extension == "yaml")
            && let (Some(folder), Ok(bytes)) = (file.parent(), std::fs::read(&file))
        {
            let module = playbook::load_module(&file.to_string_lossy(), &String::from_utf8_lossy(&bytes));
            modules.insert(format!("{}/{}", name(folder), name(&file)), Arc::new(module));
        }
    }
    modules
}
