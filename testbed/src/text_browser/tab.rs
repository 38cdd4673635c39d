//! One page: its document, where the focus is, what was aimed at, what is being edited.
//!
//! It must not know the network: what leads to another document is handed up.

use std::collections::HashMap;

use url::Url;

use super::{
    document::{Document, Id},
    find::Miss,
    form::Effect,
    text::{Matcher, clip},
};
use seatwright::query::{
    Answer, Ask, By, Condition, ControlKind, Key, Point, Pressed, Question, RefusalKind, Target,
};

/// The page in front.
#[derive(Debug)]
pub(super) struct Tab {
    document: Document,
    focus: Option<Id>,
    /// Is all that the focused control holds selected?
    is_selected: bool,
    aimed: Option<Aim>,
    keyed: Option<Keyed>,
    edited: HashMap<u32, Id>,
    last_token: u32,
}

/// What the next press must hit.
#[derive(Debug)]
struct Aim {
    token: u32,
    target: Target,
    element: Id,
    press: Press,
}

/// The element that the next key is meant for. Nothing here can take the focus in between.
#[derive(Debug)]
struct Keyed {
    token: u32,
    was_pressed: bool,
}

#[derive(Debug)]
enum Press {
    Awaited,
    Hit,
    /// Swallowed: what was there instead.
    Missed(String),
}

/// The height that each element is given, in document order: points have to lead back to elements.
const LINE: f64 = 8.0;

impl Tab {
    pub(super) fn new() -> Self {
        let blank = Url::parse("about:blank").expect("an address");
        Self {
            document: Document::new(blank, 0, String::new()),
            focus: None,
            is_selected: false,
            aimed: None,
            keyed: None,
            edited: HashMap::new(),
            last_token: 0,
        }
    }

    /// Another document: nothing of the old one is left but the count of tokens.
    pub(super) fn show(&mut self, document: Document) {
        *self = Self { document, last_token: self.last_token, ..Self::new() };
    }

    pub(super) fn url(&self) -> &Url {
        &self.document.url
    }

    /// Another place of the same document.
    pub(super) fn move_to(&mut self, url: Url) {
        self.document.url = url;
    }

    // ---- questions -----------------------------------------------------------------------------------

    pub(super) fn answer(&mut self, question: &Question) -> Answer {
        self.try_answer(question).unwrap_or_else(|miss| Answer::Refused(miss.refusal))
    }

    fn try_answer(&mut self, question: &Question) -> Result<Answer, Miss> {
        let heeds_watch = matches!(
            question.ask,
            Ask::Probe { settle: true, .. }
                | Ask::Await { .. }
                | Ask::Aim { .. }
                | Ask::AimKey { .. }
                | Ask::Edit { .. }
                | Ask::Set { .. }
                | Ask::Text { .. }
                | Ask::Records { .. }
                | Ask::Scan { .. }
        );
        if heeds_watch && let Some(interruption) = self.interruption(&question.watch)? {
            return Ok(interruption);
        }
        if !question.frame.is_empty() {
            let message = "the text browser enters no frames".to_owned();
            return Err(Miss::new(RefusalKind::NotFound, message, Vec::new()));
        }
        let document = &self.document;
        Ok(match &question.ask {
            Ask::Probe { conditions, .. } => Answer::Holds {
                holds: conditions.iter().map(|one| document.holds(one)).collect::<Result<_, _>>()?,
            },
            Ask::Await { any } => Answer::Which { index: self.which(any)? },
            Ask::Hover { target } => self.aim(target)?,
            Ask::Scroll { .. } => Answer::Scrolled { moved: false },
            // Its controls stay what they are while a list is open.
            Ask::Aim { target, .. } => self.aim(target)?,
            Ask::AimKey { target, key, search } => self.aim_key(target.as_ref(), *key, *search)?,
            Ask::Verdict { token } => self.verdict(*token)?,
            Ask::Edit { target } => self.edit(target)?,
            Ask::Value { token, leave } => {
                let id = self.held(*token)?;
                if *leave && self.focus == Some(id) {
                    self.focus = None;
                }
                Answer::Control(self.document.control(id, *token)?)
            }
            Ask::Review { fields } => Answer::Controls {
                controls: fields
                    .iter()
                    .map(|field| {
                        // Nothing is replaced here: what is known of this document is still there.
                        let id =
                            self.edited.get(&field.token).copied().filter(|&id| document.is_visible(id))?;
                        document.control(id, field.token).ok()
                    })
                    .collect(),
            },
            Ask::Set { token, values } => {
                let id = self.held(*token)?;
                self.document.set(id, values)?;
                Answer::Control(self.document.control(id, *token)?)
            }
            Ask::Text { target, attribute } => {
                let id = document.one(target, None)?;
                let text = document.read_text(id, attribute.as_deref())?;
                let beside = target.any.iter().find_map(|query| match &query.by {
                    By::Text(wanted) if attribute.is_none() => {
                        let wanted = Matcher::new(wanted);
                        if wanted.matches(&text) { None } else { document.own_text(id, &wanted) }
                    }
                    _ => None,
                });
                Answer::Text { text: beside.unwrap_or(text) }
            }
            Ask::Records { view } => Answer::Records(document.records(view)?),
            Ask::Scan { view, key, until } => {
                let holds = until
                    .iter()
                    .map(|one| document.holds(one))
                    .collect::<Result<Vec<_>, _>>()?
                    .contains(&true);
                Answer::Scanned(document.scan(view, *key, holds)?)
            }
            // A document of text does not change.
            Ask::Still => Answer::Still { changed_ms: None },
            Ask::Page => Answer::Page(document.facts()),
            Ask::Contains { needles } => Answer::Contains { contains: document.contains(needles) },
        })
    }

    /// The first watched condition that holds.
    fn interruption(&self, watched: &[Condition]) -> Result<Option<Answer>, Miss> {
        for (watch, condition) in watched.iter().enumerate() {
            if self.document.holds(condition)? {
                let said = self.document.any(&condition.target, None)?.first().map(|&id| {
                    let text = self.document.text(id);
                    if text.is_empty() { self.document.name(id) } else { text }
                });
                return Ok(Some(Answer::Interrupted { watch, text: clip(&said.unwrap_or_default(), 400) }));
            }
        }
        Ok(None)
    }

    fn which(&self, conditions: &[Condition]) -> Result<usize, Miss> {
        for (index, condition) in conditions.iter().enumerate() {
            if self.document.holds(condition)? {
                return Ok(index);
            }
        }
        let said: Vec<_> = conditions.iter().map(|one| self.document.say_condition(one)).collect();
        let queries = conditions.iter().flat_map(|condition| &condition.target.any);
        let near = queries.flat_map(|query| self.document.near(query, None)).collect();
        Err(Miss::new(RefusalKind::NotFound, format!("not on the page: {}", said.join(", or ")), near))
    }

    fn next_token(&mut self) -> u32 {
        self.last_token += 1;
        self.last_token
    }

    fn aim(&mut self, target: &Target) -> Result<Answer, Miss> {
        let element = self.document.one(target, None)?;
        self.document.check_enabled(element)?;
        let token = self.next_token();
        self.aimed = Some(Aim { token, target: target.clone(), element, press: Press::Awaited });
        let at = Point { x: 1.0, y: (element as f64 + 0.5) * LINE };
        Ok(Answer::Aimed { token, at, element: self.document.describe(element) })
    }

    fn aim_key(&mut self, target: Option<&Target>, key: Key, search: bool) -> Result<Answer, Miss> {
        if let Some(target) = target {
            self.edit(target)?;
        }
        if let Some(field) = self.focus.filter(|_| search && key == Key::Enter) {
            self.document.check_own_button(field)?;
        }
        let token = self.next_token();
        self.keyed = Some(Keyed { token, was_pressed: false });
        let element = self.focus.map_or_else(|| "the page".to_owned(), |id| self.document.describe(id));
        Ok(Answer::Armed { token, element })
    }

    fn verdict(&mut self, token: u32) -> Result<Answer, Miss> {
        if let Some(keyed) = self.keyed.as_ref().filter(|keyed| keyed.token == token) {
            let instead = (!keyed.was_pressed).then(|| "no key arrived".to_owned());
            return Ok(pressed(instead));
        }
        let Some(aim) = self.aimed.as_mut().filter(|aim| aim.token == token) else {
            let message = "this document has no aim with this token";
            return Err(Miss::new(RefusalKind::NotFound, message, Vec::new()));
        };
        let instead = match &aim.press {
            Press::Hit => None,
            Press::Missed(instead) => Some(instead.clone()),
            Press::Awaited => {
                let nothing = "no press arrived".to_owned();
                // A press that comes after this answer must not count any more.
                aim.press = Press::Missed(nothing.clone());
                Some(nothing)
            }
        };
        Ok(pressed(instead))
    }

    fn edit(&mut self, target: &Target) -> Result<Answer, Miss> {
        let document = &self.document;
        let id = document.control_of(document.one(target, None)?)?;
        document.check_enabled(id)?;
        let kind = document.kind(id);
        let is_typed = matches!(kind, Some(ControlKind::Text | ControlKind::Password));
        if (is_typed || kind == Some(ControlKind::Formatted)) && document.is_readonly(id) {
            return Err(document.not_editable(id, "is read-only"));
        }
        let line = match kind {
            Some(ControlKind::Combobox) => document.line(id),
            _ => Some(id).filter(|_| is_typed),
        };
        if line.is_some() {
            self.focus = line;
            self.is_selected = true;
        }
        let known = self.edited.iter().find_map(|(token, edited)| (*edited == id).then_some(*token));
        let token = known.unwrap_or_else(|| self.next_token());
        self.edited.insert(token, id);
        Ok(Answer::Control(self.document.control(id, token)?))
    }

    fn held(&self, token: u32) -> Result<Id, Miss> {
        let gone = || Miss::new(RefusalKind::NotFound, "the field is not on the page any more", Vec::new());
        self.edited.get(&token).copied().ok_or_else(gone)
    }

    // ---- input ---------------------------------------------------------------------------------------

    /// A press, if the guard lets it pass.
    pub(super) fn click(&mut self, at: Point) -> Effect {
        let hit = (at.y / LINE).max(0.0) as Id;
        if hit >= self.document.len() {
            return Effect::Nothing;
        }
        if let Some(mut aim) = self.aimed.take() {
            let is_awaited = matches!(aim.press, Press::Awaited);
            if is_awaited {
                aim.press = self.instead(&aim, hit).map_or(Press::Hit, Press::Missed);
            }
            let is_swallowed = is_awaited && matches!(aim.press, Press::Missed(_));
            self.aimed = Some(aim);
            if is_swallowed {
                return Effect::Nothing;
            }
        }
        self.use_at(hit)
    }

    /// What a press would hit instead of what was aimed at; none: it is still that very element.
    fn instead(&self, aim: &Aim, hit: Id) -> Option<String> {
        let document = &self.document;
        match document.one(&aim.target, None) {
            Err(miss) => Some(miss.refusal.message),
            Ok(now) if now != aim.element => Some(format!(
                "{} is now another element: {}",
                document.say_target(&aim.target),
                document.describe_where(now)
            )),
            Ok(now) if !document.is_within(now, hit) => Some(document.describe(hit)),
            Ok(now) => document
                .is_disabled(now)
                .then(|| format!("{}, which is disabled now", document.describe(now))),
        }
    }

    fn use_at(&mut self, hit: Id) -> Effect {
        self.focus = self.document.up(hit).find(|&id| self.document.is_focusable(id));
        self.is_selected = false;
        let Some(mut acting) = self.document.acting(hit) else { return Effect::Nothing };
        if self.document.tag(acting) == "label" {
            let Some(control) = self.document.labelled(acting) else { return Effect::Nothing };
            self.focus = Some(control).filter(|&control| self.document.is_focusable(control));
            acting = control;
        }
        self.document.activate(acting)
    }

    pub(super) fn insert_text(&mut self, text: &str) {
        let Some(id) = self.focused_text() else { return };
        let mut held = match self.is_selected {
            true => String::new(),
            false => self.held_text(id),
        };
        let is_line = self.document.tag(id) == "input";
        let is_number = self.document.is_input(id, &["number"]);
        let is_taken = |letter: &char| !is_number || letter.is_ascii_digit() || "+-.eE".contains(*letter);
        // A line has no line ends.
        let laid_out = |letter| if is_line && letter == '\n' { ' ' } else { letter };
        held.extend(text.chars().map(laid_out).filter(is_taken));
        if let Some(most) = self.document.attr(id, "maxlength").and_then(|most| most.parse().ok()) {
            held = held.chars().take(most).collect();
        }
        // What is no number yet has no value.
        if is_number && held.parse::<f64>().is_err() {
            held.clear();
        }
        self.document.element_mut(id).typed = Some(held);
        self.is_selected = false;
    }

    fn held_text(&self, id: Id) -> String {
        self.document.value(id).unwrap_or_else(|| self.document.text(id))
    }

    /// The focused control, if it takes text.
    fn focused_text(&self) -> Option<Id> {
        let is_typed = |&id: &Id| match self.document.kind(id) {
            Some(ControlKind::Text | ControlKind::Password) => !self.document.is_readonly(id),
            Some(ControlKind::Combobox) => self.document.line(id) == Some(id),
            _ => false,
        };
        self.focus.filter(is_typed)
    }

    pub(super) fn press(&mut self, key: Key) -> Effect {
        if let Some(keyed) = &mut self.keyed {
            keyed.was_pressed = true;
        }
        match key {
            Key::Tab => self.focus_next(),
            Key::Enter | Key::Space => return self.press_to_act(key),
            Key::Backspace | Key::Delete => {
                if let Some(id) = self.focused_text() {
                    let mut held = self.held_text(id);
                    if self.is_selected {
                        held.clear();
                    } else if key == Key::Backspace {
                        held.pop();
                    }
                    self.document.element_mut(id).typed = Some(held);
                    self.is_selected = false;
                }
            }
            Key::Home | Key::End | Key::ArrowLeft | Key::ArrowRight => self.is_selected = false,
            Key::Escape | Key::ArrowUp | Key::ArrowDown | Key::PageUp | Key::PageDown => {}
        }
        Effect::Nothing
    }

    fn press_to_act(&mut self, key: Key) -> Effect {
        let Some(id) = self.focus else { return Effect::Nothing };
        let document = &mut self.document;
        let is_button = matches!(document.tag(id), "button" | "summary")
            || document.is_input(id, &["submit", "reset", "button", "image"]);
        let is_box = document.is_input(id, &["checkbox", "radio"]);
        match (key, document.tag(id)) {
            _ if is_button => document.activate(id),
            (Key::Enter, "a" | "area") => document.activate(id),
            (Key::Space, _) if is_box => document.activate(id),
            (Key::Enter, "input") => document.submit_implicitly(id),
            (Key::Enter, _) => {
                self.insert_text("\n");
                Effect::Nothing
            }
            _ => {
                self.insert_text(" ");
                Effect::Nothing
            }
        }
    }

    fn focus_next(&mut self) {
        let document = &self.document;
        let from = self.focus.map_or(0, |id| id + 1);
        let can_be = |&id: &Id| {
            let is_left_out = document.attr(id, "tabindex").is_some_and(|index| index.trim() == "-1");
            document.is_focusable(id) && !is_left_out && document.is_visible(id)
        };
        self.focus = (from..document.len()).find(can_be);
        self.is_selected = true;
    }
}

/// Nothing happens during a press here: it arrives as a whole, or not at all.
fn pressed(instead: Option<String>) -> Answer {
    let hit = instead.is_none();
    Answer::Pressed(Pressed { hit, heard: hit, instead, other: None, changed: false })
}
