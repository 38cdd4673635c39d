//! Cases as they stand in their folders.
//!
//! ```yaml
//! about: What this fixes, in a sentence.
//! needs: [layout]              # what a driver must be able to; without it: HTML is enough
//! origins: [$here]             # the fence of the contexts; without it: none
//! site:                        # what the server does beside serving `page.html` at / and `x.html` at /x
//!   /gone: {status: 404}       # also: location, cookie, challenge, type, page
//! steps:
//! - goto: /                    # `fails: blocked` or `fails: failed` where it must not come about
//! - click: {role: button, name: Save}        # aims, presses, wants a hit, lets things settle
//!   refused: not_found                       # of any question: it is refused,
//!   says: no button "Save"                   # in words that contain this,
//!   candidates: [button "Safe"]              # with these among the candidates
//! - edit: {label: E-mail}                    # likewise aim, text, records, await, probe, page, contains
//!   is: {kind: text}                         # of any question: what is given here is so in the answer
//! - type: ada@example.org
//! - value:                                   # of the control of the last `edit`; `set: [...]` too
//! - press: Enter
//! - goto: /                                   # `asks: [GET /]`: what the server was asked for by that
//! - url: /saved                              # where the page is now
//! - hover: {text: More}                     # brings the pointer there
//! - scroll: {css: ul, to: onward}           # `to`: itself, start, onward
//!   is: {moved: true}
//! - allow: popup                            # what the next input may set off: `Allowed` in YAML, in lower case
//! - came: {popup: child}                    # and it came: `in: child` is that window; or {dialog: says}, {download:
//!                                           # {name, content}}, or `nothing`
//! - is_open: false                          # waits until it is so; `close:` closes the window
//! - upload: [{name: a.csv, content: text}]  # into the control of the last `edit`
//! - received: [GET /save?email=ada]          # what the server was asked for since the last `received` or `goto`
//! - notices: [blocked $there/]               # what the driver had to do
//! ```
//!
//! Every step may say `in: another`, which is another context; every question `watch` and `within`, and `frame`: the
//! targets of the frames that it is asked in, from the top inwards. In pages and
//! cases, `$here` and `$there` are the site's two origins. Targets are written short: see `shorthand.rs`.

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

/// What not every driver is able to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// Pages with JavaScript: things change by themselves.
    Scripts,
    /// Style sheets and positions: things cover each other.
    Layout,
    Xpath,
    /// What is beside a page: frames, windows, native dialogs, files, tokens.
    Beside,
}

/// What the server answers at one path.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reply {
    pub status: Option<u16>,
    pub location: Option<String>,
    pub cookie: Option<String>,
    /// `WWW-Authenticate`: the browser itself would ask for a password.
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
