//! The playbook and the user that a plan is made from.

use crate::{
    contract::{Code, Failure},
    playbook::{Loaded, Playbook, Span, syntax::View},
    query::{File, same},
};

/// A playbook without errors, with its text for places.
#[derive(Debug)]
pub struct Source {
    pub loaded: Loaded,
    pub playbook: Playbook,
}

impl Source {
    /// The playbook of a loaded file, if it has no errors.
    pub fn new(loaded: Loaded) -> Result<Self, Box<Loaded>> {
        match loaded.playable().cloned() {
            Some(playbook) => Ok(Self { loaded, playbook }),
            None => Err(Box::new(loaded)),
        }
    }

    /// The view of this name.
    pub fn view(&self, name: &str) -> Result<&View, Failure> {
        let missing = || Failure::new(Code::PlaybookInvalid, format!("there is no view `{name}`"));
        self.playbook.views.get(name).ok_or_else(missing)
    }

    /// A file of the playbook's folder.
    pub fn file(&self, path: &str) -> Result<File, &'static str> {
        let found = self.loaded.files.get(path).ok_or("it is missing, or larger than 16 MiB")?;
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        Ok(File { name, media_type: "application/octet-stream".to_owned(), content: found.to_vec() })
    }

    /// `playbook.yaml:88:9`
    pub fn place(&self, span: Span) -> String {
        let (line, column) = self.loaded.line_column(span.start);
        let file = self.loaded.path.rsplit('/').next().unwrap_or("playbook.yaml");
        format!("{file}:{line}:{column}")
    }
}

/// The user that a job is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The SCIM attribute that identifies people in the app.
    pub attribute: String,
    pub value: String,
    /// Ignore upper and lower case.
    pub ignore_case: bool,
}

impl Subject {
    /// Whether this is the identity of the subject: see [`same`].
    pub fn is(&self, shown: &str) -> bool {
        same(shown, &self.value, self.ignore_case)
    }
}
