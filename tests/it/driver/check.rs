//! One case in one driver, step by step.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc, time::Duration};

use seatwright::secret::Secret;
use seatwright::{
    ports::driver::{
        Allowed, Browser, Came, Context, ContextOptions, DialogAnswer, DriverError, Notice, Page, Token,
        TokenPlace,
    },
    query::{Answer, Ask, Edited, File, Point, Pressed, Question, RefusalKind, Target},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{
    case::Case,
    shorthand::{condition, list, target, view},
    site::Site,
};

/// How long a page may try, in milliseconds: longer for what must happen than for what must not.
const PATIENCE: u64 = 5_000;
const IMPATIENCE: u64 = 150;

/// The keys that a step may have besides its verb.
const MORE: [&str; 10] =
    ["in", "frame", "fails", "asks", "is", "refused", "says", "candidates", "watch", "within"];

type Failed = String;

/// Runs a case; the error names the step that failed, and how.
pub async fn check(browser: &dyn Browser, case: &Case) -> Result<(), Failed> {
    let mut visit = Visit { browser, case, site: Site::open(case).await, rooms: BTreeMap::new() };
    let mut outcome = Ok(());
    for (index, step) in case.steps.iter().enumerate() {
        if let Err(failed) = visit.step(step).await {
            outcome = Err(format!("{}, step {}: {}\n{failed}", case.name, index + 1, json!(step)));
            break;
        }
    }
    for context in visit.rooms.into_values().filter_map(|room| room.context) {
        context.close().await;
    }
    outcome
}

/// A case's visit to its site.
struct Visit<'a> {
    browser: &'a dyn Browser,
    case: &'a Case,
    site: Site,
    rooms: BTreeMap<String, Room>,
}

/// One context, with the tokens of its answers.
struct Room {
    /// None for a window of another context.
    context: Option<Box<dyn Context>>,
    page: Arc<dyn Page>,
    /// The points of all aims, oldest first.
    aims: Vec<Point>,
    aim_token: u32,
    edit_token: u32,
    /// The controls that were edited, and their tokens.
    edited: Vec<(Value, u32)>,
}

impl Visit<'_> {
    async fn step(&mut self, step: &Map<String, Value>) -> Result<(), Failed> {
        let name = step.get("in").and_then(Value::as_str).unwrap_or("first").to_owned();
        if !self.rooms.contains_key(&name) {
            let room = self.open().await?;
            self.rooms.insert(name.clone(), room);
        }
        let room = self.rooms.get_mut(&name).expect("just made");
        let site = &self.site;
        let (verb, what) = step.iter().next().expect("a step that does something");
        let unknown = step.keys().skip(1).find(|key| !MORE.contains(&key.as_str()));
        assert!(unknown.is_none(), "{}: a step may not say {unknown:?}", self.case.name);
        match verb.as_str() {
            "goto" => {
                let done = room.page.goto(&site.url(text(what)), soon()).await;
                match step.get("fails").map(text) {
                    Some("blocked") => {
                        want(matches!(done, Err(DriverError::Blocked { .. })), "blocked", &done)?;
                    }
                    Some(_) => {
                        want(matches!(done, Err(DriverError::NavigationFailed { .. })), "failed", &done)?;
                    }
                    None => done.map_err(say)?,
                }
                match step.get("asks") {
                    Some(asks) => {
                        let expected = list(asks, |line| site.fill_in(text(line)));
                        let received = site.received();
                        want(received == expected, &expected, &received)?;
                    }
                    None if step.contains_key("fails") => {}
                    None => drop(site.received()),
                }
            }
            "click" => {
                let aimed = room.ask(Ask::Aim { target: target(what), owner: None }, step).await?;
                if expect(&aimed, step, site)? {
                    room.press_aimed(step).await?;
                }
            }
            "click_at" => {
                let at = room.aims[what.as_u64().expect("a number") as usize];
                room.page.click(at, soon()).await.map_err(say)?;
            }
            "type" => room.page.insert_text(text(what), soon()).await.map_err(say)?,
            "press" => {
                room.page.press(parsed(what), soon()).await.map_err(say)?;
                room.settle().await?;
            }
            "url" => {
                room.settle().await?;
                want(room.page.url() == site.url(text(what)).as_str(), what, &room.page.url())?;
            }
            "received" => {
                let expected = list(what, |line| site.fill_in(text(line)));
                let received = site.received();
                want(received == expected, &expected, &received)?;
            }
            "notices" => {
                room.settle().await?;
                let expected = list(what, |line| site.fill_in(text(line)));
                let mut notices: Vec<_> = room.page.take_notices().iter().map(say_notice).collect();
                // Some notices arrive after the page has settled, if they are not about a navigation.
                let until = Instant::now() + Duration::from_millis(PATIENCE);
                while notices.len() < expected.len() && Instant::now() < until {
                    tokio::task::yield_now().await;
                    notices.extend(room.page.take_notices().iter().map(say_notice));
                }
                want(notices == expected, &expected, &notices)?;
            }
            "hover" => {
                let aimed = room.ask(Ask::Hover { target: target(what) }, step).await?;
                if expect(&aimed, step, site)? {
                    let at = *room.aims.last().ok_or("no point to hover over")?;
                    room.page.hover(at, soon()).await.map_err(say)?;
                }
            }
            "allow" => room.page.allow(allowed(what)),
            "came" => {
                let patience = if what == "nothing" { IMPATIENCE } else { PATIENCE };
                let came = room.page.came(Instant::now() + Duration::from_millis(patience)).await;
                if let Some((name, page)) = check_came(what, came)? {
                    self.rooms.insert(name, Room::of(None, page));
                }
            }
            "is_open" => {
                let until = Instant::now() + Duration::from_millis(PATIENCE);
                while Value::Bool(room.page.is_open()) != *what && Instant::now() < until {
                    tokio::task::yield_now().await;
                }
                want(Value::Bool(room.page.is_open()) == *what, what, &room.page.is_open())?;
            }
            "close" => room.page.close().await,
            "upload" => {
                let files = list(what, |file| File {
                    name: text(&file["name"]).to_owned(),
                    media_type: "text/csv".to_owned(),
                    content: text(&file["content"]).as_bytes().to_vec(),
                });
                room.page.upload(&frame(step), room.edit_token, &files, soon()).await.map_err(say)?;
            }
            "screenshot" => {
                let picture = room.page.screenshot(soon()).await.map_err(say)?;
                want(picture.starts_with(b"\x89PNG"), "a PNG", &picture.get(..8))?;
            }
            verb => {
                let ask = room.question(verb, what, site);
                let answer = room.ask(ask, step).await?;
                if let ("edit", Answer::Control(control)) = (verb, &answer) {
                    room.edited.push((what.clone(), control.token));
                }
                expect(&answer, step, site)?;
            }
        }
        Ok(())
    }

    async fn open(&self) -> Result<Room, Failed> {
        let origins = self.case.origins.iter().map(|origin| self.site.fill_in(origin)).collect();
        let tokens = self.case.tokens.iter().map(|token| Token {
            origin: self.site.fill_in(&token.origin),
            place: match token.place.as_str() {
                "header" => TokenPlace::Header,
                "cookie" => TokenPlace::Cookie,
                "storage" => TokenPlace::Storage,
                unknown => panic!("no place is called {unknown:?}"),
            },
            name: token.name.clone(),
            value: Secret::new(token.value.clone()),
        });
        let options = ContextOptions { origins, tokens: tokens.collect() };
        let context = self.browser.open(options).await.map_err(say)?;
        let page = context.page();
        Ok(Room::of(Some(context), page))
    }
}

impl Room {
    fn of(context: Option<Box<dyn Context>>, page: Arc<dyn Page>) -> Self {
        Self { context, page, aims: Vec::new(), aim_token: 0, edit_token: 0, edited: Vec::new() }
    }

    fn question(&self, verb: &str, what: &Value, site: &Site) -> Ask {
        match verb {
            "probe" => Ask::Probe { conditions: list(what, condition), settle: false },
            "await" => Ask::Await { any: list(what, condition) },
            "aim" => Ask::Aim { target: target(what), owner: None },
            "aim_key" => Ask::AimKey {
                target: what.get("target").map(target),
                key: parsed(&what["key"]),
                search: what["search"] == true,
            },
            "verdict" => Ask::Verdict { token: self.aim_token },
            "edit" => Ask::Edit { target: target(what) },
            "scroll" => Ask::Scroll { target: target(what), to: parsed(&what["to"]) },
            "value" => Ask::Value { token: self.edit_token, leave: false },
            "leave" => Ask::Value { token: self.edit_token, leave: true },
            "review" => Ask::Review {
                fields: list(what, |field| Edited {
                    token: self
                        .edited
                        .iter()
                        .rfind(|(edited, _)| edited == field)
                        .map_or(0, |(_, token)| *token),
                    target: target(field),
                    text: None,
                }),
            },
            "set" => Ask::Set { token: self.edit_token, values: list(what, |value| text(value).to_owned()) },
            "text" => {
                Ask::Text { target: target(what), attribute: what["attribute"].as_str().map(str::to_owned) }
            }
            "records" => Ask::Records { view: view(what) },
            "scan" => {
                let key = what["key"].as_u64().map(|key| usize::try_from(key).expect("a column"));
                Ask::Scan { view: view(what), key, until: list(&what["until"], condition) }
            }
            "still" => Ask::Still,
            "page" => Ask::Page,
            "contains" => Ask::Contains { needles: list(what, |needle| site.fill_in(text(needle))) },
            unknown => panic!("no step is called {unknown:?}"),
        }
    }

    async fn ask(&mut self, ask: Ask, step: &Map<String, Value>) -> Result<Answer, Failed> {
        let usual = if step.contains_key("refused") { IMPATIENCE } else { PATIENCE };
        let within = step.get("within").and_then(Value::as_u64).unwrap_or(usual);
        let watch = list(step.get("watch").unwrap_or(&Value::Null), condition);
        let question = Question { ask, frame: frame(step), within, watch };
        let answer = loop {
            match self.page.ask(&question, soon()).await {
                // The last document is gone; the question goes to the new one.
                Err(DriverError::Navigated) => {}
                answer => break answer.map_err(say)?,
            }
        };
        match &answer {
            Answer::Aimed { token, at, .. } => {
                self.aims.push(*at);
                self.aim_token = *token;
            }
            Answer::Armed { token, .. } => self.aim_token = *token,
            Answer::Control(control) => self.edit_token = control.token,
            _ => {}
        }
        Ok(answer)
    }

    /// Presses at the point of the last aim. A press that navigates has arrived.
    async fn press_aimed(&mut self, step: &Map<String, Value>) -> Result<(), Failed> {
        let at = self.aims.last().copied().ok_or("nothing was aimed at")?;
        self.page.click(at, soon()).await.map_err(say)?;
        let ask = Ask::Verdict { token: self.aim_token };
        let verdict = self
            .page
            .ask(&Question { ask, frame: frame(step), within: PATIENCE, watch: Vec::new() }, soon())
            .await;
        match verdict {
            Ok(Answer::Pressed(Pressed { hit: true, .. })) | Err(DriverError::Navigated) => {}
            // A window may close itself under the press.
            Err(DriverError::PageClosed) => return Ok(()),
            Ok(Answer::Refused(refusal)) if refusal.kind == RefusalKind::NotFound => {}
            other => return Err(format!("the press came to {other:?}")),
        }
        match self.settle().await {
            Err(_) if !self.page.is_open() => Ok(()),
            settled => settled,
        }
    }

    /// Waits for the effects of the last input.
    async fn settle(&self) -> Result<(), Failed> {
        let ask = Ask::Probe { conditions: Vec::new(), settle: true };
        let question = Question { ask, frame: Vec::new(), within: PATIENCE, watch: Vec::new() };
        self.page.ask(&question, soon()).await.map(drop).map_err(say)
    }
}

/// The frames of a step.
fn frame(step: &Map<String, Value>) -> Vec<Target> {
    list(step.get("frame").unwrap_or(&Value::Null), target)
}

fn allowed(what: &Value) -> Allowed {
    match what.as_str() {
        Some("nothing") => Allowed::Nothing,
        Some("popup") => Allowed::Popup,
        Some(unknown) => panic!("nothing is allowed by {unknown:?}"),
        None if what["download"].is_u64() => Allowed::Download { max_bytes: parsed(&what["download"]) },
        None if what["dialog"].is_array() => Allowed::Dialogs(list(&what["dialog"], answer)),
        None => Allowed::Dialogs(vec![answer(&what["dialog"])]),
    }
}

fn answer(dialog: &Value) -> DialogAnswer {
    let says = dialog.get("says").map(super::shorthand::text);
    let text = dialog["text"].as_str().map(str::to_owned);
    let about = dialog.get("about").map(super::shorthand::person);
    DialogAnswer { says, about, accept: dialog["accept"] == true, text }
}

/// A window, with its name.
type Window = (String, Arc<dyn Page>);

fn check_came(what: &Value, came: Result<Came, DriverError>) -> Result<Option<Window>, Failed> {
    match came {
        Ok(Came::Popup(page)) => {
            let name = what["popup"].as_str().ok_or_else(|| format!("wanted: {what}\n   got: a window"))?;
            return Ok(Some((name.to_owned(), page)));
        }
        Ok(Came::Dialog { message, .. }) => want(what["dialog"] == message.as_str(), what, &message)?,
        Ok(Came::Download(file)) => {
            let got = json!({"name": file.name, "content": String::from_utf8_lossy(&file.content)});
            want(what["download"] == got, what, &got)?;
        }
        Err(error) if what != "nothing" => return Err(say(error)),
        Err(_) => {}
    }
    Ok(None)
}

/// Compares an answer with what a step expects; false for an expected refusal.
fn expect(answer: &Answer, step: &Map<String, Value>, site: &Site) -> Result<bool, Failed> {
    let fill_in = |value: &Value| -> Value { parsed_text(&site.fill_in(&value.to_string())) };
    let Some(kind) = step.get("refused") else {
        let expected = step.get("is").map_or(Value::Null, fill_in);
        let real = serde_json::to_value(answer).expect("an answer in JSON");
        let is_answered = expected.get("answer").is_some() || !matches!(answer, Answer::Refused(_));
        want(is_answered && is_part(&expected, &real), &expected, &real)?;
        return Ok(true);
    };
    let Answer::Refused(refusal) = answer else {
        return Err(format!("wanted: a refusal\n   got: {answer:?}"));
    };
    want(refusal.kind == parsed(kind), kind, refusal)?;
    if let Some(said) = step.get("says") {
        want(refusal.message.contains(text(said)), said, refusal)?;
    }
    for wanted in list(step.get("candidates").unwrap_or(&Value::Null), |one| text(one).to_owned()) {
        let is_there = refusal.candidates.iter().any(|candidate| candidate.contains(&wanted));
        want(is_there, &wanted, refusal)?;
    }
    Ok(false)
}

/// Does the value contain all that is expected? Of objects only the given fields count; lists must have the same length.
fn is_part(expected: &Value, real: &Value) -> bool {
    match (expected, real) {
        (Value::Null, _) if real.is_object() => true,
        (Value::Object(fields), _) => {
            fields.iter().all(|(name, field)| real.get(name).is_some_and(|found| is_part(field, found)))
        }
        (Value::Array(items), Value::Array(found)) => {
            items.len() == found.len() && items.iter().zip(found).all(|(item, found)| is_part(item, found))
        }
        _ => expected == real,
    }
}

fn say_notice(notice: &Notice) -> String {
    match notice {
        Notice::DialogDismissed { kind, message } => format!("dismissed {kind} {message}"),
        Notice::NavigationBlocked { url } => format!("blocked {url}"),
        Notice::PopupClosed { url } => format!("popup {url}"),
        Notice::DownloadRefused { url } => format!("download {url}"),
        Notice::WriteStopped { method, address, .. } => format!("stopped {method} {address}"),
    }
}

fn want(is_so: bool, wanted: impl Debug, got: &(impl Debug + ?Sized)) -> Result<(), Failed> {
    if is_so { Ok(()) } else { Err(format!("wanted: {wanted:?}\n   got: {got:?}")) }
}

fn say(error: DriverError) -> Failed {
    format!("the driver failed: {error}")
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn parsed<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|e| panic!("{value}: {e}"))
}

fn parsed_text(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON stays JSON")
}
