//! What is beside a page in real Chromium: frames, windows, native dialogs, files, tokens.

use std::{sync::Arc, time::Duration};

use crate::cdp::site::Site;
use seatwright::{
    adapters::cdp::{Chromium, ChromiumOptions, Sandbox},
    engine::inject::SCRIPT,
    ports::driver::{
        Allowed, Browser, Came, Context, ContextOptions, DialogAnswer, DriverError, Notice, Page, Token,
        TokenPlace,
    },
    query::{Answer, Ask, By, File, Pressed, Query, Question, RefusalKind, ScrollTo, Target, TextMatch},
    secret::Secret,
};
use tokio::time::Instant;

struct Visit {
    site: Site,
    browser: Chromium,
    context: Box<dyn Context>,
    page: Arc<dyn Page>,
}

impl Visit {
    async fn with(options: impl FnOnce(&Site) -> ContextOptions) -> Self {
        let site = Site::open().await;
        let off = ChromiumOptions { sandbox: Sandbox::Off, ..ChromiumOptions::default() };
        let browser = Chromium::launch(off, SCRIPT).await.expect("chromium-headless-shell is installed");
        let context = browser.open(options(&site)).await.expect("a context");
        let page = context.page();
        Self { site, browser, context, page }
    }

    async fn beside() -> Self {
        let visit = Self::with(|site| ContextOptions {
            origins: vec![site.origin(), format!("http://localhost:{}", site.address.port())],
            ..ContextOptions::default()
        })
        .await;
        visit.go("/beside").await;
        visit
    }

    async fn go(&self, path: &str) {
        self.page.goto(&self.site.url(path), soon()).await.expect("a page");
    }

    async fn end(self) {
        self.context.close().await;
        self.browser.close().await;
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn css(selector: &str) -> Target {
    Query::new(By::Css(selector.to_owned())).into()
}

fn frame(title: &str) -> Target {
    Query::new(By::Frame(TextMatch::Exact(title.to_owned()))).into()
}

async fn ask(page: &dyn Page, frame: &[Target], ask: Ask) -> Answer {
    let question = Question { ask, frame: frame.to_vec(), within: 10_000, watch: Vec::new() };
    page.ask(&question, soon()).await.expect("an answer")
}

async fn text(page: &dyn Page, frame: &[Target], selector: &str) -> String {
    match ask(page, frame, Ask::Text { target: css(selector), attribute: None }).await {
        Answer::Text { text } => text,
        other => panic!("{other:?}"),
    }
}

/// Waits until an element says this.
async fn says(page: &dyn Page, frame: &[Target], words: &str) {
    let target = Query::new(By::Text(TextMatch::Exact(words.to_owned()))).into();
    match ask(page, frame, Ask::Text { target, attribute: None }).await {
        Answer::Text { text } => assert_eq!(text, words),
        other => panic!("{other:?}"),
    }
}

async fn click(page: &dyn Page, frame: &[Target], selector: &str) {
    let Answer::Aimed { token, at, .. } =
        ask(page, frame, Ask::Aim { target: css(selector), owner: None }).await
    else {
        panic!("no aim at {selector}");
    };
    page.click(at, soon()).await.expect("a click");
    let verdict =
        Question { ask: Ask::Verdict { token }, frame: frame.to_vec(), within: 1_000, watch: Vec::new() };
    match page.ask(&verdict, soon()).await {
        Ok(Answer::Pressed(Pressed { hit: true, .. }))
        | Err(DriverError::Navigated | DriverError::PageClosed) => {}
        other => panic!("{selector}, aimed at {at:?}: {other:?}"),
    }
}

async fn fill(page: &dyn Page, frame: &[Target], selector: &str, value: &str) {
    let Answer::Control(control) = ask(page, frame, Ask::Edit { target: css(selector) }).await else {
        panic!("no control {selector}");
    };
    page.insert_text(value, soon()).await.expect("typed");
    let Answer::Control(read) = ask(page, frame, Ask::Value { token: control.token, leave: true }).await
    else {
        panic!("no value of {selector}");
    };
    assert_eq!(read.values, [value]);
}

#[tokio::test]
async fn frames_of_this_and_of_another_origin_are_filled_and_pressed() {
    let visit = Visit::beside().await;
    let page = &*visit.page;
    let inner = Target::from(Query::new(By::Css("iframe".to_owned())));
    for path in [vec![frame("Near")], vec![frame("Far"), inner]] {
        fill(page, &path, "#inner", "ada").await;
        click(page, &path, "#press").await;
        says(page, &path, "pressed ada").await;
    }
    let question = Question {
        ask: Ask::Text { target: css("h1"), attribute: None },
        frame: vec![frame("Nearby")],
        within: 50,
        watch: Vec::new(),
    };
    match page.ask(&question, soon()).await.expect("an answer") {
        Answer::Refused(refusal) => {
            assert_eq!(refusal.kind, RefusalKind::NotFound);
            assert!(refusal.candidates.contains(&"frame \"Near\"".to_owned()), "{refusal:?}");
        }
        other => panic!("{other:?}"),
    }
    // A secret that shows in a frame shows.
    let needles = vec!["pressed ada".to_owned()];
    assert_eq!(ask(page, &[], Ask::Contains { needles }).await, Answer::Contains { contains: true });
    visit.end().await;
}

#[tokio::test]
async fn a_window_that_was_waited_for_is_used_and_closes_itself() {
    let visit = Visit::beside().await;
    let page = &*visit.page;
    for opener in ["#open", "#blank"] {
        page.allow(Allowed::Popup);
        click(page, &[], opener).await;
        let Came::Popup(window) = page.came(soon()).await.expect("a window") else { panic!("no window") };
        assert_eq!(text(&*window, &[], "#child").await, "child");
        fill(&*window, &[], "#name", opener).await;
        click(&*window, &[], "#done").await;
        says(page, &[], opener).await;
        // It speaks before it closes itself; that it did is told a moment later.
        while window.is_open() {
            tokio::task::yield_now().await;
        }
        assert!(page.is_open());
    }
    assert_eq!(page.take_notices(), []);
    // Nobody waits for this one.
    click(page, &[], "#open").await;
    says(page, &[], "#blank").await;
    while page.take_notices().is_empty() {
        tokio::task::yield_now().await;
    }
    // One that goes where it must not comes, and shows nothing of there.
    page.allow(Allowed::Popup);
    click(page, &[], "#away").await;
    let Came::Popup(window) = page.came(soon()).await.expect("a window") else { panic!("no window") };
    window.close().await;
    visit.end().await;
}

#[tokio::test]
async fn a_window_that_closes_itself_at_once_came() {
    let visit = Visit::beside().await;
    let page = &*visit.page;
    for _ in 0..20 {
        page.allow(Allowed::Popup);
        click(page, &[], "#flash").await;
        let Came::Popup(window) = page.came(soon()).await.expect("a window") else { panic!("no window") };
        while window.is_open() {
            tokio::task::yield_now().await;
        }
    }
    says(page, &[], "flashed").await;
    assert_eq!(page.take_notices(), []);
    visit.end().await;
}

#[tokio::test]
async fn a_window_may_be_gone_before_it_has_answered_the_press() {
    let visit = Visit::beside().await;
    let page = &*visit.page;
    page.allow(Allowed::Popup);
    click(page, &[], "#open").await;
    let Came::Popup(window) = page.came(soon()).await.expect("a window") else { panic!("no window") };
    let aim = Ask::Aim { target: css("#stuck"), owner: None };
    let Answer::Aimed { at, .. } = ask(&*window, &[], aim).await else { panic!("no aim") };
    // It never answers, and is closed when the press is known to have arrived.
    let close = async {
        visit.site.is_asked_for("/stuck").await;
        window.close().await;
    };
    let (pressed, ()) = tokio::join!(window.click(at, soon()), close);
    assert_eq!(pressed, Ok(()));
    assert!(!window.is_open());
    // What is pressed afterwards is pressed in vain.
    assert_eq!(window.click(at, soon()).await, Err(DriverError::PageClosed));
    visit.end().await;
}

#[tokio::test]
async fn a_dialog_is_answered_if_it_says_what_it_should() {
    let visit = Visit::beside().await;
    let page = &*visit.page;
    let dialog = |says: &str, accept, text: Option<&str>| {
        let (about, says) = (None, Some(TextMatch::Glob(says.to_owned())));
        Allowed::Dialogs(vec![DialogAnswer { about, says, accept, text: text.map(str::to_owned) }])
    };
    for (allowed, button, said) in [
        (dialog("Remove ada@acme.example?", true, None), "#ask", "removed"),
        (dialog("Remove *", false, None), "#ask", "kept"),
        (dialog("Your name?", true, Some("Ada")), "#name", "Ada"),
    ] {
        page.allow(allowed);
        click(page, &[], button).await;
        assert!(matches!(page.came(soon()).await, Ok(Came::Dialog { .. })));
        assert_eq!(text(page, &[], "#said").await, said);
    }
    // About somebody else: dismissed, and told.
    page.allow(dialog("Remove nada@acme.example?", true, None));
    click(page, &[], "#ask").await;
    assert_eq!(text(page, &[], "#said").await, "kept");
    assert!(matches!(page.take_notices()[..], [Notice::DialogDismissed { .. }]));
    visit.end().await;
}

#[tokio::test]
async fn files_go_up_and_come_down() {
    let visit = Visit::beside().await;
    let page = &*visit.page;
    page.allow(Allowed::Download { max_bytes: 1_000 });
    click(page, &[], "#file").await;
    let Came::Download(file) = page.came(soon()).await.expect("a file") else { panic!("no file") };
    assert_eq!((file.name.as_str(), &*file.content), ("f.bin", &b"file"[..]));
    page.allow(Allowed::Download { max_bytes: 2 });
    click(page, &[], "#file").await;
    assert!(page.came(Instant::now() + Duration::from_millis(500)).await.is_err(), "it is too large");

    let Answer::Control(control) = ask(page, &[], Ask::Edit { target: css("#csv") }).await else {
        panic!("no file input");
    };
    let file =
        File { name: "../users.csv".into(), media_type: "text/csv".into(), content: b"ada,Byron".to_vec() };
    page.upload(&[], control.token, &[file], soon()).await.expect("uploaded");
    says(page, &[], "_.._users.csv: ada,Byron").await;
    visit.end().await;
}

#[tokio::test]
async fn the_pointer_hovers_and_lists_scroll() {
    let visit = Visit::beside().await;
    let page = &*visit.page;
    let Answer::Aimed { at, .. } = ask(page, &[], Ask::Hover { target: css("#hover") }).await else {
        panic!("nothing to hover over");
    };
    page.hover(at, soon()).await.expect("hovered");
    says(page, &[], "open").await;
    let mut moves = 0;
    let scroll = |to| Ask::Scroll { target: css("#list"), to };
    while ask(page, &[], scroll(ScrollTo::Onward)).await == (Answer::Scrolled { moved: true }) {
        moves += 1;
    }
    assert_eq!(moves, 10, "900 of 1000 pixels, 90 at a time");
    assert_eq!(ask(page, &[], scroll(ScrollTo::Start)).await, Answer::Scrolled { moved: true });
    visit.end().await;
}

#[tokio::test]
async fn a_token_goes_to_its_origin_and_nowhere_else() {
    let token = |site: &Site, place, name: &str| Token {
        origin: site.origin(),
        place,
        name: name.to_owned(),
        value: Secret::new("hunter2-token".to_owned()),
    };
    let visit = Visit::with(|site| ContextOptions {
        tokens: vec![
            token(site, TokenPlace::Header, "Authorization"),
            token(site, TokenPlace::Cookie, "who"),
            token(site, TokenPlace::Storage, "access"),
        ],
        ..ContextOptions::default()
    })
    .await;
    let page = &*visit.page;
    visit.go("/headers").await;
    assert_eq!(text(page, &[], "#authorization").await, "hunter2-token");
    visit.go("/cookie").await;
    assert_eq!(text(page, &[], "#cookie").await, "who=hunter2-token");
    page.goto(&visit.site.elsewhere("/headers"), soon()).await.expect("another site");
    assert_eq!(text(page, &[], "#authorization").await, "none");
    // A redirect to another origin, and a frame of one.
    visit.go(&format!("/to?{}", visit.site.elsewhere("/headers"))).await;
    assert_eq!(text(page, &[], "#authorization").await, "none");
    visit.go(&format!("/frame?{}", visit.site.elsewhere("/headers"))).await;
    assert_eq!(text(page, &[css("iframe")], "#authorization").await, "none");
    visit.end().await;
}
