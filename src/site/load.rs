//! `site.yaml` and its templates, read and checked.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use serde::Deserialize;
use serde_json::Value;

use super::world::Held;

/// A site as authored.
#[derive(Debug, Clone)]
pub struct Site {
    pub(super) file: SiteFile,
    pub(super) folder: PathBuf,
    pub(super) templates: BTreeMap<String, String>,
    /// The world as it begins, once somebody has asked for it.
    pub(super) seed: Arc<OnceLock<Result<Held, String>>>,
}

/// Why a site cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    #[error(
        "{file} cannot be read: {reason}\nname a folder with a site.yaml in it, such as fixtures/sites/ledgerly"
    )]
    Unreadable { file: String, reason: String },
    #[error("{file}: {reason}")]
    Wrong { file: String, reason: String },
}

/// `site.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SiteFile {
    /// The version of the format: 1.
    pub site: u32,
    pub title: String,
    pub sign_in: SignIn,
    /// `settings`, and collections of records.
    pub world: World,
    pub routes: Vec<Route>,
}

/// How people sign in: a form that posts `email` and `password` to `path`. It may have parts in braces, as routes have:
/// then each address has a sign-in of its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    pub path: String,
    pub template: String,
    /// Where one gets afterwards; with the same parts in braces.
    pub home: String,
    pub accounts: Vec<Account>,
    /// `<path>/sso` leads to it (`?popup` where that is a window), `<path>/callback` back from it.
    #[serde(default)]
    pub sso: Option<Sso>,
    /// After so many wrong passwords the account is locked.
    #[serde(default = "five")]
    pub lock_after: u32,
}

fn yes() -> bool {
    true
}

fn five() -> u32 {
    5
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Account {
    pub username: String,
    #[serde(default)]
    pub password: String,
    /// Base32: after the password a one-time code is asked for (RFC 6238).
    #[serde(default)]
    pub totp: Option<String>,
    /// An access token that lets in by itself.
    #[serde(default)]
    pub token: Option<String>,
}

/// An identity provider: another host of the same site, with the same accounts and a page of its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sso {
    /// `login`: `http://login.<site>.localhost`.
    pub host: String,
    pub path: String,
    pub template: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct World {
    #[serde(default)]
    pub settings: Value,
    /// Lists that templates and generators draw from.
    #[serde(default)]
    pub lists: BTreeMap<String, Vec<Value>>,
    pub collections: BTreeMap<String, Collection>,
}

/// Records, written out or made by a rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Collection {
    #[serde(default)]
    pub records: Vec<Value>,
    #[serde(default)]
    pub generate: Option<Generate>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Generate {
    pub count: u32,
    /// Field → expression over `i` (from 0), the lists, and the fields before it, in the order of `fields`.
    pub fields: Vec<BTreeMap<String, String>>,
}

/// What happens at one address.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Route {
    #[serde(default)]
    pub get: Option<String>,
    #[serde(default)]
    pub post: Option<String>,
    #[serde(default)]
    pub put: Option<String>,
    #[serde(default)]
    pub patch: Option<String>,
    #[serde(default)]
    pub delete: Option<String>,
    /// Only on this host: `admin` is `http://admin.<site>.localhost`. Without it: on every host.
    #[serde(default)]
    pub host: Option<String>,
    /// `false`: for everybody, and without a token against forged requests.
    #[serde(default = "yes")]
    pub require_session: bool,
    /// Of the answer, where it is not 200.
    #[serde(default)]
    pub status: Option<u16>,
    /// Names for expressions, worked out in order.
    #[serde(default, rename = "let")]
    pub lets: Vec<BTreeMap<String, String>>,
    /// What must hold before anything is done.
    #[serde(default)]
    pub require: Vec<Require>,
    #[serde(default, rename = "do")]
    pub actions: Vec<Action>,
    /// A template: shown on the next page, as a status.
    #[serde(default)]
    pub flash: Option<String>,
    /// A template: where one gets after a post.
    #[serde(default)]
    pub redirect: Option<String>,
    #[serde(default)]
    pub render: Option<String>,
    /// Or JSON: an expression.
    #[serde(default)]
    pub json: Option<String>,
    /// What is shown when a requirement does not hold.
    #[serde(default)]
    pub fail: Option<Fail>,
}

impl Route {
    /// Method and path pattern.
    pub fn place(&self) -> (&'static str, &str) {
        let places = [
            ("GET", &self.get),
            ("POST", &self.post),
            ("PUT", &self.put),
            ("PATCH", &self.patch),
            ("DELETE", &self.delete),
        ];
        places.into_iter().find_map(|(method, path)| Some((method, path.as_deref()?))).unwrap_or(("GET", ""))
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Require {
    /// An expression.
    pub that: String,
    #[serde(rename = "else")]
    pub message: String,
    /// Of the refusal, where it is not 422.
    #[serde(default)]
    pub status: Option<u16>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fail {
    /// The path of the page that is shown again, with `error` and what was typed.
    pub show: String,
    /// More names for it.
    #[serde(default)]
    pub with: BTreeMap<String, String>,
}

/// A change of the world.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) struct Action {
    #[serde(default)]
    pub insert: Option<Insert>,
    #[serde(default)]
    pub update: Option<Update>,
    #[serde(default)]
    pub delete: Option<Delete>,
    /// A setting by name, to the value of an expression.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Insert {
    pub into: String,
    pub record: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Update {
    #[serde(rename = "in")]
    pub collection: String,
    /// An expression over `it`.
    #[serde(rename = "where")]
    pub which: String,
    pub set: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Delete {
    pub from: String,
    #[serde(rename = "where")]
    pub which: String,
}

impl Site {
    /// Reads a site from its folder.
    pub fn load(folder: &Path) -> Result<Site, SiteError> {
        let path = folder.join("site.yaml");
        let unreadable = |path: &Path, e: std::io::Error| SiteError::Unreadable {
            file: path.display().to_string(),
            reason: e.to_string(),
        };
        let text = std::fs::read_to_string(&path).map_err(|e| unreadable(&path, e))?;
        let file: SiteFile = serde_saphyr::from_str(&text)
            .map_err(|e| SiteError::Wrong { file: path.display().to_string(), reason: e.to_string() })?;
        let wrong = |reason: String| SiteError::Wrong { file: path.display().to_string(), reason };
        if file.site != 1 {
            return Err(wrong(format!("version {} of the format is not known: write `site: 1`", file.site)));
        }
        let mut templates = BTreeMap::new();
        files_of(folder, "", &mut templates).map_err(|(path, error)| unreadable(&path, error))?;
        for route in &file.routes {
            let (method, pattern) = route.place();
            if !pattern.starts_with('/') {
                return Err(wrong(format!(
                    "a route needs `get:`, `post:`, `put:`, `patch:` or `delete:` with a path, here is `{pattern}`"
                )));
            }
            if route.render.is_none() && route.json.is_none() && route.redirect.is_none() {
                return Err(wrong(format!(
                    "{method} {pattern} says neither `render`, `json` nor `redirect`"
                )));
            }
            if let Some(name) = route.render.iter().find(|name| !templates.contains_key(*name)) {
                return Err(wrong(format!(
                    "{method} {pattern} renders `{name}`, which is not in the folder"
                )));
            }
        }
        if !templates.contains_key(&file.sign_in.template) {
            return Err(wrong(format!(
                "the sign-in renders `{}`, which is not in the folder",
                file.sign_in.template
            )));
        }
        Ok(Site { file, folder: folder.to_owned(), templates, seed: Arc::default() })
    }

    /// Its name: that of its folder.
    pub fn name(&self) -> String {
        self.folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_else(|| "site".to_owned())
    }
}

/// Pages, styles and scripts, by their path in the folder.
fn files_of(
    folder: &Path,
    within: &str,
    found: &mut BTreeMap<String, String>,
) -> Result<(), (PathBuf, std::io::Error)> {
    for entry in std::fs::read_dir(folder).map_err(|e| (folder.to_owned(), e))?.flatten() {
        let (path, name) = (entry.path(), format!("{within}{}", entry.file_name().to_string_lossy()));
        if path.is_dir() {
            files_of(&path, &format!("{name}/"), found)?;
        } else if [".html", ".css", ".js"].iter().any(|ending| name.ends_with(ending)) {
            let text = std::fs::read_to_string(&path).map_err(|e| (path, e))?;
            found.insert(name, text);
        }
    }
    Ok(())
}
