//! Faults on request: before an answer, instead of it, after it, or in its page.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value};

use super::state::WorldState;

/// A fault at one address, a number of times.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(crate) struct Fault {
    /// Method and path as in the route: `POST /members/{id}`. A file of the site is `GET /static/app.js`.
    pub on: String,
    /// What goes wrong.
    #[serde(rename = "do")]
    pub kind: Kind,
    /// How many requests pass before the first fault.
    #[serde(default)]
    pub skip: u32,
    /// How many times it happens; without it, always.
    #[serde(default)]
    pub times: Option<u32>,
    /// Milliseconds. `slow`: before the request is handled. `lag`: how long it lasts. `overlay`, `double_render`: after the
    /// page has loaded.
    #[serde(default)]
    pub ms: Option<u64>,
    /// `status`: the code; 503 without it.
    #[serde(default)]
    pub status: Option<u16>,
    /// `status`: the seconds of `Retry-After`.
    #[serde(default)]
    pub retry_after: Option<u32>,
    /// `lag`: for how many reads it lasts.
    #[serde(default)]
    pub reads: Option<u32>,
    /// `overlay`: the name of the dialog; `What's new` without it.
    #[serde(default)]
    pub title: Option<String>,
    /// `overlay`: its text.
    #[serde(default)]
    pub text: Option<String>,
    /// `overlay`: the button that closes it; `Close` without it.
    #[serde(default)]
    pub button: Option<String>,
    /// `changed`: texts of the answer, and what replaces them.
    #[serde(default)]
    pub replace: BTreeMap<String, String>,
    /// `side_effect`: fields of the record, and their values.
    #[serde(default)]
    pub set: Map<String, Value>,
    /// Has it happened?
    #[serde(skip)]
    met: bool,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Waits `ms`, then answers.
    Slow,
    /// Answers with `status` and does not do the request.
    Status,
    /// Does the request and closes the connection without an answer.
    DropAfter,
    /// Does the request and never answers.
    HangAfter,
    /// Ends the session before the request is handled.
    SessionLost,
    /// Does the request, but later reads see the world before it: for `ms`, for a number of `reads`, or always.
    Lag,
    /// A modal dialog covers the page until its button is pressed.
    Overlay,
    /// The page replaces all its elements `ms` (150) after it has loaded.
    DoubleRender,
    /// The page differs from what the playbook knows, by `replace`.
    Changed,
    /// Reports success and changes nothing.
    NoEffect,
    /// Reports success and writes a half: the first fields by name, the first new values of a list, the first records that
    /// it deletes. What would be the only one is not written.
    Partial,
    /// Reports success and writes to another record of the collection: the one before.
    WrongRecord,
    /// Does the request, and also sets the fields of `set` in the records that it writes.
    SideEffect,
    /// Does the request. Each record that it writes is there twice afterwards.
    Duplicate,
    /// Reports success and changes nothing. Pages show the change until one is opened by its address.
    Optimistic,
    /// Does the request, and takes it back when a page is opened by its address.
    RolledBack,
    /// Reports success, changes nothing, and ends the session.
    SignedOut,
}

/// Why a fault as written is not valid, at any address.
pub fn fault_error(written: &Value) -> Option<String> {
    Fault::deserialize(written)
        .and_then(|fault| fault.check().map_err(Error::custom))
        .err()
        .map(|e| e.to_string())
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fault = Fault::deserialize(deserializer)?;
        fault.check().map_err(D::Error::custom)?;
        Ok(fault)
    }
}

impl Kind {
    pub(crate) const ALL: &[Kind] = &[
        Kind::Slow,
        Kind::Status,
        Kind::DropAfter,
        Kind::HangAfter,
        Kind::SessionLost,
        Kind::Lag,
        Kind::Overlay,
        Kind::DoubleRender,
        Kind::Changed,
        Kind::NoEffect,
        Kind::Partial,
        Kind::WrongRecord,
        Kind::SideEffect,
        Kind::Duplicate,
        Kind::Optimistic,
        Kind::RolledBack,
        Kind::SignedOut,
    ];

    /// Its name; the keys that it needs, and those that it may have.
    pub(crate) fn written(self) -> (&'static str, &'static [&'static str], &'static [&'static str]) {
        match self {
            Kind::Slow => ("slow", &["ms"], &[]),
            Kind::Status => ("status", &[], &["status", "retry_after"]),
            Kind::DropAfter => ("drop_after", &[], &[]),
            Kind::HangAfter => ("hang_after", &[], &[]),
            Kind::SessionLost => ("session_lost", &[], &[]),
            Kind::Lag => ("lag", &[], &["ms", "reads"]),
            Kind::Overlay => ("overlay", &[], &["ms", "title", "text", "button"]),
            Kind::DoubleRender => ("double_render", &[], &["ms"]),
            Kind::Changed => ("changed", &["replace"], &[]),
            Kind::NoEffect => ("no_effect", &[], &[]),
            Kind::Partial => ("partial", &[], &[]),
            Kind::WrongRecord => ("wrong_record", &[], &[]),
            Kind::SideEffect => ("side_effect", &["set"], &[]),
            Kind::Duplicate => ("duplicate", &[], &[]),
            Kind::Optimistic => ("optimistic", &[], &[]),
            Kind::RolledBack => ("rolled_back", &[], &[]),
            Kind::SignedOut => ("signed_out", &[], &[]),
        }
    }

    /// Does it change the page?
    fn of_page(self) -> bool {
        matches!(self, Kind::Overlay | Kind::DoubleRender | Kind::Changed)
    }

    /// Does it change what a write does to the world?
    fn of_world(self) -> bool {
        use Kind::{
            Duplicate, NoEffect, Optimistic, Partial, RolledBack, SideEffect, SignedOut, WrongRecord,
        };
        let effects =
            [NoEffect, Partial, WrongRecord, SideEffect, Duplicate, Optimistic, RolledBack, SignedOut];
        effects.contains(&self)
    }

    /// Does it need a site that knows its world? A real app is behind a proxy, which does not.
    pub(super) fn needs_site(self) -> bool {
        self == Kind::Lag || self.of_world()
    }

    pub(super) fn name(self) -> &'static str {
        self.written().0
    }
}

impl Fault {
    fn check(&self) -> Result<(), String> {
        let (name, needs, may) = self.kind.written();
        let keys = [
            ("ms", self.ms.is_some()),
            ("status", self.status.is_some()),
            ("retry_after", self.retry_after.is_some()),
            ("reads", self.reads.is_some()),
            ("title", self.title.is_some()),
            ("text", self.text.is_some()),
            ("button", self.button.is_some()),
            ("replace", !self.replace.is_empty()),
            ("set", !self.set.is_empty()),
        ];
        let given = |key: &str| keys.iter().any(|(known, given)| *known == key && *given);
        if let Some(missing) = needs.iter().find(|key| !given(key)) {
            return Err(format!("the fault `{name}` needs `{missing}`"));
        }
        let strange = keys.iter().find(|(key, given)| *given && !needs.contains(key) && !may.contains(key));
        match strange {
            Some((key, _)) => Err(format!("the fault `{name}` has no key `{key}`")),
            None => Ok(()),
        }
    }

    /// Takes the next fault of the request at this place, if there is one.
    pub(crate) fn take(faults: &mut [Fault], place: &str) -> Option<Fault> {
        Self::take_of(faults, place, |kind| !kind.of_page() && !kind.of_world())
    }

    /// Takes the next fault of a write at this place, if there is one. A write that is refused does not count.
    pub(super) fn take_of_write(faults: &mut [Fault], place: &str) -> Option<Fault> {
        Self::take_of(faults, place, Kind::of_world)
    }

    fn take_of(faults: &mut [Fault], place: &str, is_of: impl Fn(Kind) -> bool) -> Option<Fault> {
        let here = |fault: &Fault| fault.on == place && is_of(fault.kind) && fault.times != Some(0);
        let index = faults.iter().position(here)?;
        faults[index].count().then(|| faults[index].clone())
    }

    /// Does an answer from this place need [`Fault::reshape`]?
    pub(crate) fn reshapes(faults: &[Fault], place: &str) -> bool {
        faults.iter().any(|fault| fault.on == place && fault.kind.of_page() && fault.times != Some(0))
    }

    /// The text of the answer, changed by the faults at this place. A fault counts only if it can apply: an overlay needs a
    /// whole page, not a redirect to the sign-in.
    pub(crate) fn reshape(faults: &mut [Fault], place: &str, content_type: &str, mut text: String) -> String {
        for fault in faults {
            if fault.on == place
                && fault.times != Some(0)
                && let Some(reshaped) = fault.page(content_type, &text)
                && fault.count()
            {
                text = reshaped;
            }
        }
        text
    }

    /// Counts a request. Does the fault happen now?
    fn count(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if let Some(times) = &mut self.times {
            *times -= 1;
        }
        self.met = true;
        true
    }

    /// The faults that never happened, as `slow on GET /members`.
    pub(super) fn unmet(faults: &[Fault]) -> Vec<String> {
        let unmet = faults.iter().filter(|fault| !fault.met);
        unmet.map(|fault| format!("{} on {}", fault.kind.name(), fault.on)).collect()
    }

    /// The page with this fault, if the fault applies to it.
    fn page(&self, content_type: &str, text: &str) -> Option<String> {
        let media = content_type.split(';').next().unwrap_or_default().trim();
        match self.kind {
            Kind::Overlay if is_page(media, text) => Some(at_the_end(text, &self.overlay())),
            Kind::DoubleRender if is_page(media, text) => {
                let ms = self.ms.unwrap_or(150);
                let script = format!(
                    "<script>addEventListener('load', () => setTimeout(() => {{ \
                     document.body.innerHTML = document.body.innerHTML }}, {ms}))</script>"
                );
                Some(at_the_end(text, &script))
            }
            Kind::Changed if has_words(media) => {
                let mut changed = text.to_owned();
                for (from, to) in &self.replace {
                    changed = changed.replace(from, to);
                }
                (changed != text).then_some(changed)
            }
            _ => None,
        }
    }

    fn overlay(&self) -> String {
        let title = escaped(self.title.as_deref().unwrap_or("What's new"));
        let text = escaped(self.text.as_deref().unwrap_or("Something has changed since you were here."));
        let button = escaped(self.button.as_deref().unwrap_or("Close"));
        let show = match self.ms {
            Some(ms) => format!("addEventListener('load', () => setTimeout(() => box.showModal(), {ms}))"),
            None => "box.showModal()".to_owned(),
        };
        format!(
            "<dialog role=\"dialog\" aria-modal=\"true\" aria-label=\"{title}\" style=\"all: revert; max-width: 24rem\">\
             <h2>{title}</h2><p>{text}</p>\
             <button type=\"button\" onclick=\"this.closest('dialog').remove()\">{button}</button></dialog>\
             <script>{{ const box = document.currentScript.previousElementSibling; {show} }}</script>"
        )
    }
}

/// Is it a whole page, not a part of one that a script loads?
fn is_page(media: &str, text: &str) -> bool {
    let begins = text.trim_start().get(..9).unwrap_or_default().to_ascii_lowercase();
    media == "text/html" && (begins == "<!doctype" || begins.starts_with("<html"))
}

fn has_words(media: &str) -> bool {
    matches!(media, "text/html" | "text/javascript" | "application/javascript" | "application/json")
}

/// The page with more content at the end of its body.
fn at_the_end(page: &str, more: &str) -> String {
    let end = page.to_ascii_lowercase().rfind("</body").unwrap_or(page.len());
    format!("{}{more}{}", &page[..end], &page[end..])
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// The world that reads see instead of the real one: that before a write, or one that a write did not make.
pub(super) struct Lag {
    world: WorldState,
    until: Option<Instant>,
    reads: Option<u32>,
    /// It ends when a page is opened by its address.
    pub(super) of_page: bool,
}

impl Lag {
    /// Begins with a write. If reads still lag behind an earlier write, they do not see that one either.
    pub fn of(fault: &Fault, earlier: Option<Lag>, world: &WorldState) -> Self {
        let until = fault.ms.map(|ms| Instant::now() + Duration::from_millis(ms));
        let world = earlier.and_then(|mut lag| lag.read()).unwrap_or_else(|| world.clone());
        Self { world, until, reads: fault.reads, of_page: false }
    }

    /// What the pages of a write show that was not made.
    pub fn optimistic(world: WorldState) -> Self {
        Self { world, until: None, reads: None, of_page: true }
    }

    /// The world that the next read sees; none when the lag is over.
    pub fn read(&mut self) -> Option<WorldState> {
        if self.until.is_some_and(|until| Instant::now() >= until) {
            return None;
        }
        if let Some(reads) = &mut self.reads {
            *reads = reads.checked_sub(1)?;
        }
        Some(self.world.clone())
    }
}
