//! What goes wrong on request: before an answer, instead of it, after it, or in the page that it carries.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

use super::state::WorldState;

/// Something that goes wrong at one address, a number of times.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(crate) struct Fault {
    /// Method and path as the route has them: `POST /members/{id}`. A file of the site is `GET /static/app.js`.
    pub on: String,
    /// What goes wrong.
    #[serde(rename = "do")]
    pub kind: Kind,
    /// So many times nothing happens at first.
    #[serde(default)]
    pub skip: u32,
    /// How often; without it, always.
    #[serde(default)]
    pub times: Option<u32>,
    /// Milliseconds. `slow`: before anything happens. `lag`: so long. `overlay`, `double_render`: after the page has
    /// loaded.
    #[serde(default)]
    pub ms: Option<u64>,
    /// `status`: which; 503 without it.
    #[serde(default)]
    pub status: Option<u16>,
    /// `status`: so many seconds are to be waited, as `Retry-After` says.
    #[serde(default)]
    pub retry_after: Option<u32>,
    /// `lag`: for so many reads.
    #[serde(default)]
    pub reads: Option<u32>,
    /// `overlay`: the name of the dialog; `What's new` without it.
    #[serde(default)]
    pub title: Option<String>,
    /// `overlay`: what it says.
    #[serde(default)]
    pub text: Option<String>,
    /// `overlay`: the button that closes it; `Close` without it.
    #[serde(default)]
    pub button: Option<String>,
    /// `changed`: texts as they stand in the answer, and what stands there instead.
    #[serde(default)]
    pub replace: BTreeMap<String, String>,
    /// Has it come?
    #[serde(skip)]
    met: bool,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Waits `ms`, then answers.
    Slow,
    /// Answers with `status`, and does nothing.
    Status,
    /// Does it, and closes the connection without an answer.
    DropAfter,
    /// Does it, and never answers.
    HangAfter,
    /// The session is over before it is looked at.
    SessionLost,
    /// Does it; but reads answer from the world before it, for `ms` or for `reads` of them, else for ever.
    Lag,
    /// A modal dialog lies over the page, until its button is pressed.
    Overlay,
    /// What the page shows is made anew, `ms` (150) after it has loaded: elements from before are dead.
    DoubleRender,
    /// `replace`: the page is another than the playbook knows.
    Changed,
}

/// What is wrong with a fault as it is written, wherever it is to happen.
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
    ];

    /// As it is written; the keys that it needs, and those that it may have.
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
        }
    }

    /// Is it the page that is different?
    fn of_page(self) -> bool {
        matches!(self, Kind::Overlay | Kind::DoubleRender | Kind::Changed)
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

    /// The next fault of the exchange at this place, if there is one; counted.
    pub(crate) fn take(faults: &mut [Fault], place: &str) -> Option<Fault> {
        let here = |fault: &Fault| fault.on == place && !fault.kind.of_page() && fault.times != Some(0);
        let index = faults.iter().position(here)?;
        faults[index].count().then(|| faults[index].clone())
    }

    /// Whether an answer from this place is to be given to [`Fault::reshape`].
    pub(crate) fn reshapes(faults: &[Fault], place: &str) -> bool {
        faults.iter().any(|fault| fault.on == place && fault.kind.of_page() && fault.times != Some(0))
    }

    /// The answer's text as the faults at this place make it. A fault is counted where it finds something to do: an
    /// overlay on a whole page, not on a redirect to the sign-in.
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

    /// Is it this one's turn?
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

    /// Those that never came, as `slow on GET /members`.
    pub(super) fn unmet(faults: &[Fault]) -> Vec<String> {
        let unmet = faults.iter().filter(|fault| !fault.met);
        unmet.map(|fault| format!("{} on {}", fault.kind.written().0, fault.on)).collect()
    }

    /// The page with this fault in it, where it can have it.
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

/// A whole page, not a part of one that a script fetches.
fn is_page(media: &str, text: &str) -> bool {
    let begins = text.trim_start().get(..9).unwrap_or_default().to_ascii_lowercase();
    media == "text/html" && (begins == "<!doctype" || begins.starts_with("<html"))
}

fn has_words(media: &str) -> bool {
    matches!(media, "text/html" | "text/javascript" | "application/javascript" | "application/json")
}

/// The page with something more at the end of its body.
fn at_the_end(page: &str, more: &str) -> String {
    let end = page.to_ascii_lowercase().rfind("</body").unwrap_or(page.len());
    format!("{}{more}{}", &page[..end], &page[end..])
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// The world before a write, which reads still answer from.
pub(super) struct Lag {
    world: WorldState,
    until: Option<Instant>,
    reads: Option<u32>,
}

impl Lag {
    /// Begins with a write. Where reads lag behind an earlier one still, they do not see that one yet either.
    pub fn of(fault: &Fault, earlier: Option<Lag>, world: &WorldState) -> Self {
        let until = fault.ms.map(|ms| Instant::now() + Duration::from_millis(ms));
        let world = earlier.and_then(|mut lag| lag.read()).unwrap_or_else(|| world.clone());
        Self { world, until, reads: fault.reads }
    }

    /// What one more read sees; nothing where the lag is over.
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
