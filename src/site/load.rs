//! `site.yaml` and its templates, read and checked.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{request::matches, state::WorldState};

/// A site as authored.
#[derive(Debug, Clone)]
pub struct Site {
    pub(super) file: SiteFile,
    pub(super) folder: PathBuf,
    pub(super) templates: BTreeMap<String, String>,
    /// The first state of the world, made when it is first needed.
    pub(super) seed: Arc<OnceLock<Result<WorldState, String>>>,
}

/// Why a site cannot be loaded or served.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    #[error(
        "{file} cannot be read: {reason}.\nName a site, for example ledgerly, or a folder that contains a site.yaml"
    )]
    Unreadable { file: String, reason: String },
    #[error("{file}: {reason}")]
    Wrong { file: String, reason: String },
    #[error("the site cannot listen on {address}: {source}")]
    Listen { address: std::net::SocketAddr, source: std::io::Error },
}

/// `site.yaml`. Only this module knows its content.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteFile {
    /// The version of the format: 1.
    pub(super) site: u32,
    /// Its title; pages see it as `title`.
    pub(super) title: String,
    /// How people sign in.
    pub(super) sign_in: SignIn,
    /// The first state of the world.
    pub(super) world: SiteWorld,
    /// What happens at each address. The first route that matches counts.
    pub(super) routes: Vec<Route>,
}

/// How people sign in: a form that posts `email` and `password` to `path`. The path may have parts in braces, as in
/// routes: then each address has a sign-in of its own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    /// The path of the form, and where it posts: `/login`. `?out=1` signs out.
    pub path: String,
    /// The page: an `.html` file of the folder.
    pub template: String,
    /// The page after the sign-in, and for `/`; with the same parts in braces.
    pub home: String,
    /// Who can sign in.
    pub accounts: Vec<SiteAccount>,
    /// Records that can sign in, too: people that the app itself has created.
    #[serde(default)]
    pub people: Option<SignInPeople>,
    /// An identity provider: `<path>/sso` leads to it (`?popup` where that is a window), `<path>/callback` back from it.
    #[serde(default)]
    pub sso: Option<Sso>,
    /// How many wrong passwords lock the account; 5 without it.
    #[serde(default = "five")]
    pub lock_after: u32,
}

fn yes() -> bool {
    true
}

fn five() -> u32 {
    5
}

/// An account that can sign in.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename = "Account", deny_unknown_fields)]
pub(super) struct SiteAccount {
    /// What is posted as `email`; the expressions' `signed_in`.
    pub username: String,
    /// A value of the fixture: it must not be a secret anywhere else.
    #[serde(default)]
    pub password: String,
    /// Base32: the sign-in needs a one-time code after the password (RFC 6238).
    #[serde(default)]
    pub totp: Option<String>,
    /// An access token that signs in without a password.
    #[serde(default)]
    pub token: Option<String>,
}

/// Records that can sign in. A record without a password cannot.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignInPeople {
    /// The collection.
    #[serde(rename = "in")]
    pub collection: String,
    /// The field with the name that they sign in with.
    pub username: String,
    /// The field with their password.
    pub password: String,
}

/// An identity provider: another host of the same site, with the same accounts and a page of its own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Sso {
    /// `login`: `http://login.<site>.localhost`.
    pub host: String,
    /// The path of its form: `/authorize`.
    pub path: String,
    /// Its page: an `.html` file of the folder.
    pub template: String,
}

/// The first state of the world.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename = "World", deny_unknown_fields)]
pub(super) struct SiteWorld {
    /// Values by name: `settings.seats`.
    #[serde(default)]
    pub settings: Value,
    /// Lists for templates and generators. They never change.
    #[serde(default)]
    pub lists: BTreeMap<String, Vec<Value>>,
    /// Records by collection. Routes change them and scenarios compare them.
    pub collections: BTreeMap<String, Collection>,
}

/// Records, written out or made by a rule.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Collection {
    /// Records that are written out. Each needs an `id`, by which scenarios distinguish records.
    #[serde(default)]
    pub records: Vec<Value>,
    /// More records, the same every time.
    #[serde(default)]
    pub generate: Option<Generate>,
}

/// A rule that makes records.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Generate {
    /// The number of records.
    pub count: u32,
    /// Field → expression over `i` (from 0), the lists, and the fields before it, in the order of `fields`.
    pub fields: Vec<BTreeMap<String, String>>,
}

/// What one address does: one method with its path, and one kind of answer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Route {
    /// A path, to read: `/members/{id}`. Expressions see what `{id}` matches as `path.id`.
    #[serde(default)]
    pub get: Option<String>,
    /// A path, to write.
    #[serde(default)]
    pub post: Option<String>,
    /// A path, to write.
    #[serde(default)]
    pub put: Option<String>,
    /// A path, to write.
    #[serde(default)]
    pub patch: Option<String>,
    /// A path, to write.
    #[serde(default)]
    pub delete: Option<String>,
    /// Only on this host: `admin` is `http://admin.<site>.localhost`. Without it: on every host.
    #[serde(default)]
    pub host: Option<String>,
    /// `false`: no session is needed, and no token against forged requests.
    #[serde(default = "yes")]
    pub require_session: bool,
    /// The status of the answer, if it is not 200.
    #[serde(default)]
    pub status: Option<u16>,
    /// Names for expressions, evaluated in order.
    #[serde(default, rename = "let")]
    pub lets: Vec<BTreeMap<String, String>>,
    /// What must hold before anything is done.
    #[serde(default)]
    pub require: Vec<Require>,
    /// How the world changes.
    #[serde(default, rename = "do")]
    pub actions: Vec<SiteAction>,
    /// A message that the next page shows once: `flash`. A template.
    #[serde(default)]
    pub flash: Option<String>,
    /// The answer: a redirect to this path, as a template.
    #[serde(default)]
    pub redirect: Option<String>,
    /// The answer: a page of the folder.
    #[serde(default)]
    pub render: Option<String>,
    /// The answer: JSON, as an expression.
    #[serde(default)]
    pub json: Option<String>,
    /// The rendered text is a download with this file name (a template).
    #[serde(default)]
    pub download: Option<String>,
    /// What is shown when a requirement is not met; without it, the text alone.
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

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Require {
    /// An expression.
    pub that: String,
    /// The message if it is not met: `error`.
    #[serde(rename = "else")]
    pub message: String,
    /// The status of the refusal, if it is not 422.
    #[serde(default)]
    pub status: Option<u16>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Fail {
    /// The path of the page that is shown again, with `error` and the typed values.
    pub show: String,
    /// More names for the page.
    #[serde(default)]
    pub with: BTreeMap<String, String>,
}

/// A change of the world.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename = "Action", rename_all = "snake_case", deny_unknown_fields)]
pub(super) struct SiteAction {
    /// Adds a record.
    #[serde(default)]
    pub insert: Option<Insert>,
    /// Changes records.
    #[serde(default)]
    pub update: Option<RecordUpdate>,
    /// Deletes records.
    #[serde(default)]
    pub delete: Option<Delete>,
    /// Settings by name, each an expression.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Insert {
    /// The collection.
    pub into: String,
    /// Its fields, each an expression.
    pub record: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename = "Update", deny_unknown_fields)]
pub(super) struct RecordUpdate {
    /// The collection.
    #[serde(rename = "in")]
    pub collection: String,
    /// An expression over `it`, the current record.
    #[serde(rename = "where")]
    pub which: String,
    /// The changed fields, each an expression over `it`.
    pub set: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Delete {
    /// The collection.
    pub from: String,
    /// An expression over `it`, the current record.
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
            return Err(wrong(format!(
                "version {} of the format is not supported: write `site: 1`",
                file.site
            )));
        }
        let mut templates = BTreeMap::new();
        files_of(folder, "", &mut templates).map_err(|(path, error)| unreadable(&path, error))?;
        for route in &file.routes {
            let (method, pattern) = route.place();
            if !pattern.starts_with('/') {
                return Err(wrong(format!(
                    "a route needs `get:`, `post:`, `put:`, `patch:` or `delete:` with a path, not `{pattern}`"
                )));
            }
            if route.render.is_none() && route.json.is_none() && route.redirect.is_none() {
                return Err(wrong(format!("{method} {pattern} has neither `render`, `json` nor `redirect`")));
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

    /// Can a fault ever happen at this place, such as `POST /members/{id}`?
    pub(super) fn has_place(&self, on: &str) -> Result<(), String> {
        let sign_in = &self.file.sign_in;
        let door = &sign_in.path;
        let mut places: Vec<String> =
            self.file.routes.iter().map(Route::place).map(|(m, p)| format!("{m} {p}")).collect();
        places.extend([format!("GET {door}"), format!("POST {door}")]);
        if let Some(sso) = &sign_in.sso {
            places.extend([format!("GET {door}/sso"), format!("GET {door}/callback")]);
            places.extend([format!("GET {}", sso.path), format!("POST {}", sso.path)]);
        }
        places.extend(self.templates.keys().map(|file| format!("GET /static/{file}")));
        if on == "GET /" || places.iter().any(|place| place == on) {
            return Ok(());
        }
        places.retain(|place| !place.ends_with(".html"));
        places.sort();
        Err(format!(
            "a fault on `{on}` would never happen: use one of the places of the site: {}",
            places.join(", ")
        ))
    }

    /// Does a sign-in happen at this path?
    pub fn signs_in_at(&self, path: &str) -> bool {
        let sign_in = &self.file.sign_in;
        matches(&sign_in.path, path).is_some() || sign_in.sso.as_ref().is_some_and(|sso| sso.path == path)
    }

    /// The name of its folder.
    pub fn name(&self) -> String {
        self.folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_else(|| "site".to_owned())
    }
}

/// Pages, styles, scripts and lists, by their path in the folder.
fn files_of(
    folder: &Path,
    within: &str,
    found: &mut BTreeMap<String, String>,
) -> Result<(), (PathBuf, std::io::Error)> {
    for entry in std::fs::read_dir(folder).map_err(|e| (folder.to_owned(), e))?.flatten() {
        let (path, name) = (entry.path(), format!("{within}{}", entry.file_name().to_string_lossy()));
        if path.is_dir() {
            files_of(&path, &format!("{name}/"), found)?;
        } else if [".html", ".css", ".js", ".csv"].iter().any(|ending| name.ends_with(ending)) {
            let text = std::fs::read_to_string(&path).map_err(|e| (path, e))?;
            found.insert(name, text);
        }
    }
    Ok(())
}
