//! The format of a case.
//!
//! ```yaml
//! about: What the case specifies, in a sentence.
//! needs: [layout]              # the abilities that a driver must have; without it: HTML
//! origins: [$here]             # the allowed origins of the contexts; without it: all
//! site:                        # answers of the server besides `page.html` at / and `x.html` at /x
//!   /gone: {status: 404}       # also: location, cookie, challenge, type, page
//! steps:
//! - goto: /                    # `fails: blocked` or `fails: failed` if it must fail
//! - click: {role: button, name: Save}        # aims, presses, expects a hit, and lets the page settle
//!   refused: not_found                       # for any question: it is refused,
//!   says: no button "Save"                   # with a message that contains this,
//!   candidates: [button "Safe"]              # and with these among the candidates
//! - edit: {label: E-mail}                    # likewise aim, text, records, await, probe, page, contains
//!   is: {kind: text}                         # for any question: the answer contains this
//! - type: ada@example.org
//! - value:                                   # of the control of the last `edit`; `set: [...]` too
//! - aim_key: {key: Enter, target: {label: E-mail}}   # holds the next key to it; `search: true`
//! - press: Enter
//! - goto: /                                   # `asks: [GET /]`: the requests that this causes
//! - url: /saved                              # the current address of the page
//! - hover: {text: More}                     # moves the pointer there
//! - scroll: {css: ul, to: onward}           # `to`: itself, start, onward
//!   is: {moved: true}
//! - allow: popup                            # what the next input may cause: `Allowed` in YAML, in lower case
//! - came: {popup: child}                    # it appeared: `in: child` is that window; or {dialog: message}, {download:
//!                                           # {name, content}}, or `nothing`
//! - is_open: false                          # waits for this; `close:` closes the window
//! - upload: [{name: a.csv, content: text}]  # into the control of the last `edit`
//! - received: [GET /save?email=ada]          # the requests since the last `received` or `goto`
//! - notices: [blocked $there/]               # the notices of the driver
//! ```
//!
//! Every step may have `in: another`, for another context. Every question may have `watch`, `within` and `frame` (the
//! targets of its frames, from the top inwards). In pages and cases, `$here` and `$there` are the two origins of the
//! site. Targets have a short form: see `shorthand.rs`.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

/// One folder.
#[derive(Debug, Clone)]
pub struct Case {
    pub name: String,
    pub folder: PathBuf,
    pub needs: Vec<Need>,
    pub origins: Vec<String>,
    pub tokens: Vec<WrittenToken>,
    pub site: BTreeMap<String, Reply>,
    pub steps: Vec<Map<String, Value>>,
}

/// The abilities that not every driver has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// JavaScript: a page changes without input.
    Scripts,
    /// Style sheets and positions: elements cover each other.
    Layout,
    Xpath,
    /// Frames, windows, native dialogs, files and tokens.
    Beside,
}

/// The answer of the server at one path.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reply {
    pub status: Option<u16>,
    pub location: Option<String>,
    pub cookie: Option<String>,
    /// `WWW-Authenticate`: the browser itself asks for a password.
    pub challenge: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The page that is served: `saved.html`.
    pub page: Option<String>,
}

/// A token of the contexts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenToken {
    pub origin: String,
    /// `header`, `cookie` or `storage`
    pub place: String,
    pub name: String,
    pub value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    about: String,
    #[serde(default)]
    needs: Vec<Need>,
    #[serde(default)]
    origins: Vec<String>,
    #[serde(default)]
    tokens: Vec<WrittenToken>,
    #[serde(default)]
    site: BTreeMap<String, Reply>,
    steps: Vec<Map<String, Value>>,
}

impl Case {
    /// All cases, in the order of their names.
    pub fn all() -> Vec<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/driver/cases");
        let mut folders: Vec<PathBuf> =
            fs::read_dir(root).expect("the cases").map(|entry| entry.expect("a folder").path()).collect();
        folders.sort();
        folders.into_iter().map(Self::read).collect()
    }

    fn read(folder: PathBuf) -> Self {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(folder.join("case.yaml")).unwrap_or_else(|e| panic!("{name}: {e}"));
        let written: Written = serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let Written { about, needs, origins, tokens, site, steps } = written;
        assert!(!about.is_empty(), "{name} is about nothing");
        Self { name, folder, needs, origins, tokens, site, steps }
    }
}
