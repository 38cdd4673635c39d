//! The Chromium driver with the real program: what the port promises, and failures.

pub mod site;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use crate::support::processes::{descendants, ended, programs};
use rustix::process::{Pid, Signal};
use seatwright::{
    adapters::cdp::{Chromium, ChromiumOptions, LaunchError, Sandbox},
    ports::driver::{Browser, Context, ContextOptions, DriverError, Notice, Page},
    query::{Answer, Ask, By, Condition, Key, Point, Query, Question, State, Target},
};
use site::Site;
use tokio::time::Instant;
use url::Url;

const SCRIPT: &str = include_str!("cdp/script.js");

// ---- helpers ------------------------------------------------------------------------------------

fn off() -> ChromiumOptions {
    ChromiumOptions { sandbox: Sandbox::Off, ..ChromiumOptions::default() }
}

async fn launch() -> Chromium {
    Chromium::launch(off(), SCRIPT).await.expect("chromium-headless-shell must be installed for these tests")
}

/// A site, a browser, and a context of it.
struct Visit {
    site: Site,
    browser: Chromium,
    context: Box<dyn Context>,
    page: Arc<dyn Page>,
}

impl Visit {
    async fn with(options: impl FnOnce(&Site) -> ContextOptions) -> Self {
        let site = Site::open().await;
        let browser = launch().await;
        let context = browser.open(options(&site)).await.expect("a context");
        let page = context.page();
        Self { site, browser, context, page }
    }

    /// Only the site's own origin is allowed.
    async fn fenced() -> Self {
        Self::with(|site| ContextOptions { origins: vec![site.origin()], ..ContextOptions::default() }).await
    }

    async fn at(path: &str) -> Self {
        let visit = Self::with(|_| ContextOptions::default()).await;
        visit.go(path).await;
        visit
    }

    async fn go(&self, path: &str) {
        let url = self.site.url(path);
        self.page.goto(&url, soon()).await.expect("a page");
    }

    async fn end(self) {
        self.context.close().await;
        self.browser.close().await;
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn within(milliseconds: u64) -> Instant {
    Instant::now() + Duration::from_millis(milliseconds)
}

fn css(selector: &str) -> Target {
    Query::new(By::Css(selector.to_owned())).into()
}

fn is_there(selector: &str) -> Condition {
    Condition { target: css(selector), state: State::Visible }
}

fn question(ask: Ask) -> Question {
    Question { ask, frame: Vec::new(), within: 10_000, watch: Vec::new() }
}

fn probe(selector: &str, settle: bool) -> Question {
    let conditions = vec![is_there(selector)];
    question(Ask::Probe { conditions, settle })
}

async fn holds(page: &dyn Page, selector: &str, settle: bool) -> Result<bool, DriverError> {
    match page.ask(&probe(selector, settle), soon()).await? {
        Answer::Holds { holds } => Ok(holds == [true]),
        other => panic!("{other:?}"),
    }
}

async fn text(page: &dyn Page, selector: &str, attribute: Option<&str>) -> String {
    let ask = Ask::Text { target: css(selector), attribute: attribute.map(str::to_owned) };
    match page.ask(&question(ask), soon()).await {
        Ok(Answer::Text { text }) => text,
        other => panic!("{selector}: {other:?}"),
    }
}

async fn aim(page: &dyn Page, selector: &str) -> Point {
    let target = css(selector);
    match page.ask(&question(Ask::Aim { target, owner: None }), soon()).await {
        Ok(Answer::Aimed { at, .. }) => at,
        other => panic!("{selector}: {other:?}"),
    }
}

async fn click(page: &dyn Page, selector: &str) {
    let at = aim(page, selector).await;
    page.click(at, soon()).await.expect("a click");
}

async fn edit(page: &dyn Page, selector: &str, value: &str) {
    let target = css(selector);
    match page.ask(&question(Ask::Edit { target }), soon()).await {
        Ok(Answer::Control(_)) => page.insert_text(value, soon()).await.expect("typed"),
        other => panic!("{selector}: {other:?}"),
    }
}

/// A browser whose program can be distinguished from others.
async fn launch_marked(mark: &str) -> Chromium {
    let options = ChromiumOptions { extra_args: vec![format!("--mark={mark}")], ..off() };
    Chromium::launch(options, SCRIPT).await.expect("a browser")
}

fn program(mark: &str) -> (Pid, PathBuf) {
    // During its start, a child is a copy of its parent for a moment.
    let until = std::time::Instant::now() + Duration::from_secs(10);
    let (pid, arguments) = loop {
        let mut found = programs(&format!("--mark={mark}"));
        if let (Some(one), []) = (found.pop(), found.as_slice()) {
            break one;
        }
        assert!(std::time::Instant::now() < until, "not one program beside {found:?}");
        std::thread::yield_now();
    };
    let profile =
        arguments.iter().find_map(|argument| argument.strip_prefix("--user-data-dir=")).expect("a profile");
    (Pid::from_raw(pid).expect("a process"), profile.into())
}

// ---- the ordinary ways --------------------------------------------------------------------------

async fn basics(options: ChromiumOptions) {
    let site = Site::open().await;
    let browser = Chromium::launch(options, SCRIPT).await.expect("a browser");
    assert!(browser.version().starts_with("Chromium 1"), "{}", browser.version());
    let context = browser.open(ContextOptions::default()).await.expect("a context");
    let page = context.page();
    assert_eq!(page.url(), "about:blank");
    page.goto(&site.url("/"), soon()).await.expect("a page");
    assert_eq!(page.url(), site.url("/").as_str());
    assert_eq!(holds(&*page, "#name", false).await, Ok(true));
    assert_eq!(holds(&*page, "#nowhere", false).await, Ok(false));

    click(&*page, "#count").await;
    assert_eq!(text(&*page, "#out", None).await, "true", "a trusted click");
    edit(&*page, "#name", "Zoë 漢字 👍").await;
    assert_eq!(text(&*page, "#name", Some("value")).await, "Zoë 漢字 👍");
    page.press(Key::Backspace, soon()).await.expect("a key");
    page.press(Key::Space, soon()).await.expect("a key");
    assert_eq!(text(&*page, "#name", Some("value")).await, "Zoë 漢字  ");
    page.press(Key::Enter, soon()).await.expect("a key");
    assert_eq!(holds(&*page, "#after", true).await, Ok(true), "Enter submits");

    let picture = page.screenshot(soon()).await.expect("a picture");
    assert_eq!(&picture[..8], b"\x89PNG\r\n\x1a\n");
    assert_eq!(&picture[16..24], &[0, 0, 5, 0, 0, 0, 3, 32], "1280 x 800");
    assert_eq!(page.take_notices(), []);
    context.close().await;
    assert_eq!(holds(&*page, "#after", false).await, Err(DriverError::PageClosed));
    assert!(browser.is_alive());
    browser.close().await;
    assert!(!browser.is_alive());
}

#[tokio::test]
async fn the_headless_shell_does_the_basics() {
    basics(off()).await;
}

#[tokio::test]
async fn the_full_browser_does_the_basics() {
    basics(ChromiumOptions { executable: Some("/usr/lib/chromium/chromium".into()), ..off() }).await;
}

#[tokio::test]
async fn the_script_lives_in_a_world_of_its_own() {
    let visit = Visit::at("/").await;
    // The page has put a `__seatwright` of its own into its world.
    match visit.page.ask(&question(Ask::Page), soon()).await {
        Ok(Answer::Page(facts)) => assert_eq!(
            facts.alerts,
            ["undefined", "undefined", "1280x800", "en-US", "true"],
            "page's variables, chrome, size, language, focus"
        ),
        other => panic!("{other:?}"),
    }
    let needles = vec!["x".to_owned()];
    match visit.page.ask(&question(Ask::Contains { needles }), soon()).await {
        Err(DriverError::Protocol(reason)) => {
            assert!(reason.ends_with("Error: this script cannot do that"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    visit.end().await;
}

#[tokio::test]
async fn answers_may_be_big_and_strange() {
    let visit = Visit::at("/big").await;
    assert_eq!(text(&*visit.page, "#big", None).await.len(), 4 << 20);
    visit.go("/strange").await;
    assert_eq!(text(&*visit.page, "#strange", None).await, "a\u{fffd}b\u{0}c\u{2028}");
    visit.end().await;
}

#[tokio::test]
async fn contexts_share_no_cookies() {
    let visit = Visit::at("/give-cookie").await;
    visit.go("/cookie").await;
    assert_eq!(text(&*visit.page, "#cookie", None).await, "who=me");
    let other = visit.browser.open(ContextOptions::default()).await.expect("a context");
    let page = other.page();
    page.goto(&visit.site.url("/cookie"), soon()).await.expect("a page");
    assert_eq!(text(&*page, "#cookie", None).await, "none");
    other.close().await;
    visit.go("/cookie").await;
    assert_eq!(text(&*visit.page, "#cookie", None).await, "who=me");
    visit.end().await;
}

// ---- navigation ---------------------------------------------------------------------------------

#[tokio::test]
async fn what_a_click_sets_off_is_known_when_the_page_has_settled() {
    let visit = Visit::fenced().await;
    for round in 0..100 {
        let button = ["#submit", "#post", "#link", "#script", "#fetch"][round % 5];
        visit.go("/").await;
        click(&*visit.page, button).await;
        let after = holds(&*visit.page, "#after", true).await;
        assert_eq!(after, Ok(true), "{button}, round {round}");
    }
    visit.end().await;
}

#[tokio::test]
async fn a_question_waits_for_a_navigation_under_way() {
    let visit = Visit::at("/").await;
    for (button, query) in [("#link", "link"), ("#post", ""), ("#pushing", "")] {
        visit.go("/").await;
        visit.site.forget();
        click(&*visit.page, button).await;
        visit.site.is_asked_for("/slow").await;
        // The answer follows the events of the navigation.
        visit.page.press(Key::Tab, soon()).await.expect("a key");
        assert_eq!(text(&*visit.page, "#after", None).await, query, "{button}");
    }
    visit.end().await;
}

#[tokio::test]
async fn a_navigation_that_comes_to_nothing_leaves_the_page_usable() {
    let visit = Visit::at("/").await;
    for button in ["#nothing", "#download", "#mail", "#void", "#hash", "#stop"] {
        click(&*visit.page, button).await;
        assert_eq!(holds(&*visit.page, "#name", true).await, Ok(true), "{button}");
        assert_eq!(holds(&*visit.page, "#after", true).await, Ok(false), "{button}");
    }
    assert_eq!(visit.page.url(), visit.site.url("/#x").as_str());
    let url = visit.site.url("/file").to_string();
    assert_eq!(visit.page.take_notices(), [Notice::DownloadRefused { url }]);
    visit.end().await;
}

#[tokio::test]
async fn a_question_whose_document_goes_away_says_so() {
    let visit = Visit::at("/").await;
    let at = aim(&*visit.page, "#link").await;
    let any = vec![is_there("#never")];
    let waiting = question(Ask::Await { any });
    // Asked first, then clicked: they are sent in this order.
    let (answer, clicked) = tokio::join!(visit.page.ask(&waiting, soon()), visit.page.click(at, soon()));
    assert_eq!(clicked, Ok(()));
    assert_eq!(answer, Err(DriverError::Navigated));
    assert_eq!(text(&*visit.page, "#after", None).await, "link");
    visit.end().await;
}

#[tokio::test]
async fn frames_that_navigate_do_not_disturb() {
    let visit = Visit::at("/frames").await;
    for _ in 0..50 {
        assert_eq!(holds(&*visit.page, "#top", true).await, Ok(true));
    }
    visit.end().await;
}

#[tokio::test]
async fn a_page_rendered_ahead_takes_no_place() {
    let visit = Visit::at("/prerenders").await;
    click(&*visit.page, "#there").await;
    assert_eq!(holds(&*visit.page, "#after", true).await, Ok(true));
    assert_eq!(visit.page.take_notices(), []);
    visit.end().await;
}

#[tokio::test]
async fn opening_another_fragment_loads_the_document_again() {
    let visit = Visit::at("/").await;
    visit.go("/#somewhere").await;
    assert_eq!(visit.page.url(), visit.site.url("/#somewhere").as_str());
    assert_eq!(visit.site.requests().len(), 2, "{:?}", visit.site.requests());
    visit.end().await;
}

#[tokio::test]
async fn what_is_read_comes_from_the_server_and_not_from_a_cache() {
    let visit = Visit::at("/list").await;
    for times in 1..=3 {
        assert_eq!(text(&*visit.page, "#list", None).await, format!("read {times}"));
        visit.go("/list").await;
    }
    visit.end().await;
}

#[tokio::test]
async fn a_failed_navigation_is_explained() {
    let visit = Visit::at("/").await;
    // Bound, so that no other program takes the port, but nothing listens.
    let closed = tokio::net::TcpSocket::new_v4().expect("a socket");
    closed.bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let port = closed.local_addr().expect("an address").port();
    let tls = format!("https://{}/", visit.site.address);
    for (url, expected) in [
        (format!("http://127.0.0.1:{port}/"), &*format!("nothing listens on this port (127.0.0.1:{port})")),
        ("http://nowhere.invalid/".to_owned(), "its name cannot be resolved: "),
        (tls, "no secure connection (net::ERR_SSL_PROTOCOL_ERROR)"),
        (visit.site.url("/circle").to_string(), "it redirects in circles (net::ERR_TOO_MANY_REDIRECTS)"),
        (
            visit.site.url("/empty").to_string(),
            "no document arrived: the answer was empty (204), or the navigation was aborted",
        ),
        (visit.site.url("/file").to_string(), "it is a download, which is refused"),
    ] {
        let parsed = Url::parse(&url).expect("an address");
        match visit.page.goto(&parsed, soon()).await {
            Err(DriverError::NavigationFailed { url: at, reason }) => {
                assert_eq!(at, url);
                assert!(reason.starts_with(expected), "{url}: {reason}");
            }
            other => panic!("{url}: {other:?}"),
        }
        // And the page can be used at once.
        visit.go("/").await;
        assert_eq!(holds(&*visit.page, "#name", false).await, Ok(true));
    }
    visit.end().await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_by_the_deadline() {
    let visit = Visit::at("/").await;
    for path in ["/never", "/half"] {
        let begun = Instant::now();
        let gone = visit.page.goto(&visit.site.url(path), within(300)).await;
        assert!(matches!(gone, Err(DriverError::Timeout(_))), "{path}: {gone:?}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        // The old document can still be asked.
        assert!(holds(&*visit.page, "#name", false).await.is_ok());
    }
    visit.go("/").await;
    assert_eq!(holds(&*visit.page, "#name", false).await, Ok(true));
    visit.end().await;
}

// ---- what comes up unasked ----------------------------------------------------------------------

#[tokio::test]
async fn dialogs_are_dismissed_with_a_notice() {
    let visit = Visit::at("/").await;
    let dialog = |kind: &str, message: &str| Notice::DialogDismissed {
        kind: kind.to_owned(),
        message: message.to_owned(),
    };
    click(&*visit.page, "#alert").await;
    assert_eq!(text(&*visit.page, "#out", None).await, "alerted");
    click(&*visit.page, "#confirm").await;
    assert_eq!(text(&*visit.page, "#out", None).await, "false");
    click(&*visit.page, "#leaving").await;
    assert_eq!(text(&*visit.page, "#out", None).await, "stays");
    visit.go("/cookie").await;
    assert_eq!(
        visit.page.take_notices(),
        [dialog("alert", "Hello"), dialog("confirm", "Sure?"), dialog("beforeunload", "")]
    );
    let inside = visit.site.elsewhere("/frame-alert");
    visit.go(&format!("/frame?{inside}")).await;
    loop {
        match &visit.page.take_notices()[..] {
            [] => assert_eq!(holds(&*visit.page, "#top", true).await, Ok(true)),
            notices => {
                assert_eq!(notices, [dialog("alert", "from a frame")]);
                break;
            }
        }
    }
    visit.end().await;
}

#[tokio::test]
async fn windows_are_closed_with_a_notice() {
    let visit = Visit::at("/").await;
    let opened = || Notice::PopupClosed { url: visit.site.url("/opened").to_string() };
    for round in 0..5 {
        for button in ["#open", "#blank"] {
            click(&*visit.page, button).await;
            assert_eq!(holds(&*visit.page, "#name", true).await, Ok(true), "{button} {round}");
            assert_eq!(visit.page.take_notices(), [opened()], "{button} {round}");
        }
    }
    assert_eq!(text(&*visit.page, "#out", None).await, "opened");
    assert!(!visit.site.was_asked_for("/opened"));
    // One without an address is closed, too, and the page that opened it sees that.
    click(&*visit.page, "#empty").await;
    let any = vec![is_there("#out.closed")];
    let answer = visit.page.ask(&question(Ask::Await { any }), soon()).await;
    assert_eq!(answer, Ok(Answer::Which { index: 0 }));
    visit.end().await;
}

// ---- the fence ----------------------------------------------------------------------------------

#[tokio::test]
async fn only_allowed_origins_are_visited() {
    let visit = Visit::fenced().await;
    let page = &*visit.page;
    let away = visit.site.elsewhere("/away");
    let blocked = || {
        let url = away.to_string();
        (Err(DriverError::Blocked { url: url.clone() }), [Notice::NavigationBlocked { url }])
    };
    // Straight, and by a redirect.
    for there in [away.clone(), visit.site.url(&format!("/to?{away}"))] {
        let (error, notices) = blocked();
        assert_eq!(page.goto(&there, soon()).await, error);
        assert_eq!(page.take_notices(), notices);
        visit.go("/").await;
    }
    // In a frame, and in a frame by a redirect.
    for inside in [away.to_string(), format!("/to?{away}")] {
        visit.go(&format!("/frame?{inside}")).await;
        while page.take_notices() != blocked().1 {
            assert_eq!(holds(page, "#top", true).await, Ok(true));
        }
    }
    // Addresses without an origin.
    let file = Url::parse("file:///etc/passwd").expect("an address");
    let stopped = page.goto(&file, soon()).await;
    assert!(matches!(stopped, Err(DriverError::Blocked { .. })), "{stopped:?}");
    page.take_notices();
    // A window of any kind.
    visit.go("/").await;
    click(page, "#blank").await;
    assert_eq!(holds(page, "#name", true).await, Ok(true));
    assert!(matches!(page.take_notices()[..], [Notice::PopupClosed { .. }]));
    assert!(!visit.site.was_asked_for("/away"));
    assert!(!visit.site.was_asked_for("/opened"));
    visit.end().await;
}

#[tokio::test]
async fn the_fence_stands_around_frames_of_other_sites() {
    let visit = Visit::with(|site| ContextOptions {
        origins: vec![site.origin(), format!("http://localhost:{}", site.address.port())],
        ..ContextOptions::default()
    })
    .await;
    let page = &*visit.page;
    let forbidden = format!("http://[::1]:{}/away", visit.site.address.port());
    // An allowed frame in a process of its own, which goes where it must not.
    let inside = visit.site.elsewhere(&format!("/to?{forbidden}"));
    let frame = visit.site.elsewhere(&format!("/frame?{inside}"));
    visit.go(&format!("/frame?{frame}")).await;
    let expected = [Notice::NavigationBlocked { url: forbidden }];
    while page.take_notices() != expected {
        assert_eq!(holds(page, "#top", true).await, Ok(true));
    }
    let opener = visit.site.elsewhere("/frame-open");
    visit.go(&format!("/frame?{opener}")).await;
    loop {
        match &page.take_notices()[..] {
            [] => assert_eq!(holds(page, "#top", true).await, Ok(true)),
            notices => {
                let url = visit.site.elsewhere("/opened-by-frame").to_string();
                assert_eq!(notices, [Notice::PopupClosed { url }]);
                break;
            }
        }
    }
    assert!(!visit.site.was_asked_for("/opened-by-frame"));
    visit.end().await;
}

#[tokio::test]
async fn an_invalid_origin_is_refused() {
    let browser = launch().await;
    let options = ContextOptions { origins: vec!["app.example".to_owned()], ..ContextOptions::default() };
    let error = browser.open(options).await.err();
    let expected = DriverError::Protocol("\"app.example\" is not an origin".to_owned());
    assert_eq!(error, Some(expected));
    browser.close().await;
}

// ---- what breaks --------------------------------------------------------------------------------

#[tokio::test]
async fn a_page_that_hangs_is_given_up_by_the_deadline() {
    let visit = Visit::at("/").await;
    click(&*visit.page, "#hang").await;
    let begun = Instant::now();
    let answer = visit.page.ask(&probe("#name", true), within(300)).await;
    assert!(matches!(answer, Err(DriverError::Timeout(_))), "{answer:?}");
    let picture = visit.page.screenshot(within(300)).await;
    assert!(matches!(picture, Err(DriverError::Timeout(_))), "{picture:?}");
    let key = visit.page.press(Key::Tab, within(300)).await;
    assert!(matches!(key, Err(DriverError::Timeout(_))), "{key:?}");
    // Others live on, and the context can be ended.
    let other = visit.browser.open(ContextOptions::default()).await.expect("a context");
    other.page().goto(&visit.site.url("/"), soon()).await.expect("a page");
    visit.context.close().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(holds(&*visit.page, "#name", false).await, Err(DriverError::PageClosed));
    assert_eq!(holds(&*other.page(), "#name", false).await, Ok(true));
    visit.browser.close().await;
}

#[tokio::test]
async fn a_page_that_crashes_fails_at_once() {
    let visit = Visit::at("/").await;
    let any = vec![is_there("#never")];
    let waiting = question(Ask::Await { any });
    let crash = Url::parse("chrome://crash").expect("an address");
    let (answer, gone) = tokio::join!(visit.page.ask(&waiting, soon()), visit.page.goto(&crash, soon()));
    assert_eq!(answer, Err(DriverError::PageCrashed));
    assert!(gone.is_err(), "{gone:?}");
    let begun = Instant::now();
    assert_eq!(holds(&*visit.page, "#name", true).await, Err(DriverError::PageCrashed));
    assert_eq!(visit.page.screenshot(soon()).await, Err(DriverError::PageCrashed));
    let gone = visit.page.goto(&visit.site.url("/"), soon()).await;
    assert_eq!(gone, Err(DriverError::PageCrashed));
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert!(visit.browser.is_alive());
    let other = visit.browser.open(ContextOptions::default()).await.expect("a context");
    other.page().goto(&visit.site.url("/"), soon()).await.expect("a page");
    visit.end().await;
}

#[tokio::test]
async fn a_browser_that_is_killed_fails_everything_at_once() {
    let site = Site::open().await;
    let mark = format!("killed-{}", std::process::id());
    let browser = launch_marked(&mark).await;
    let (pid, profile) = program(&mark);
    let context = browser.open(ContextOptions::default()).await.expect("a context");
    let page = context.page();
    page.goto(&site.url("/"), soon()).await.expect("a page");
    let any = vec![is_there("#never")];
    let waiting = question(Ask::Await { any });
    let (answer, ()) = tokio::join!(page.ask(&waiting, soon()), async {
        rustix::process::kill_process(pid, Signal::KILL).expect("killed");
    });
    let begun = Instant::now();
    assert!(matches!(answer, Err(DriverError::BrowserGone(_))), "{answer:?}");
    assert!(!browser.is_alive());
    for _ in 0..3 {
        let answer = page.ask(&waiting, soon()).await;
        assert!(matches!(answer, Err(DriverError::BrowserGone(_))), "{answer:?}");
    }
    let gone = page.goto(&site.url("/"), soon()).await;
    assert!(matches!(gone, Err(DriverError::BrowserGone(_))), "{gone:?}");
    let gone = browser.open(ContextOptions::default()).await.err();
    assert!(matches!(gone, Some(DriverError::BrowserGone(_))), "{gone:?}");
    context.close().await;
    browser.close().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(!profile.exists(), "the profile is removed");
}

#[tokio::test]
async fn nothing_of_a_browser_is_left() {
    let mark = format!("left-{}", std::process::id());
    let browser = launch_marked(&mark).await;
    let (pid, profile) = program(&mark);
    let mode = fs::metadata(&profile).expect("a profile").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let family = descendants(pid.as_raw_nonzero().get());
    assert!(!family.is_empty());
    browser.close().await;
    browser.close().await;
    assert!(!profile.exists());
    for pid in family.into_iter().filter_map(Pid::from_raw).chain([pid]) {
        tokio::time::timeout_at(soon(), ended(pid)).await.expect("its end");
    }
}

/// The environment of the tests is full of variables that a browser has no use for.
#[tokio::test]
async fn a_browser_gets_little_of_our_environment_and_dumps_no_core() {
    let mark = format!("environment-{}", std::process::id());
    let browser = launch_marked(&mark).await;
    let (pid, profile) = program(&mark);
    let pid = pid.as_raw_nonzero().get();
    let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).expect("of the browser");
    let environment = String::from_utf8_lossy(&read("environ")).into_owned();
    let variables: Vec<(&str, &str)> =
        environment.split('\0').filter_map(|variable| variable.split_once('=')).collect();
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some(), "there is something to keep from it");
    let of_the_tests = ["CARGO", "NEXTEST", "RUST", "SEATWRIGHT"];
    for (name, _) in &variables {
        assert!(!of_the_tests.iter().any(|prefix| name.starts_with(prefix)), "{name}");
    }
    for (name, value) in variables.iter().filter(|(name, _)| name.starts_with("XDG_")) {
        assert_eq!(Path::new(value), profile, "{name}");
    }
    for name in ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
        assert!(variables.iter().any(|(known, _)| *known == name), "{name}");
    }
    let limits = String::from_utf8_lossy(&read("limits")).into_owned();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("the limit");
    let bytes: Vec<&str> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(bytes, ["0", "0"], "{core}");
    browser.close().await;
}

#[tokio::test]
async fn a_browser_that_is_dropped_ends() {
    let mark = format!("dropped-{}", std::process::id());
    let browser = launch_marked(&mark).await;
    let (pid, _) = program(&mark);
    drop(browser);
    tokio::time::timeout_at(soon(), ended(pid)).await.expect("its end");
}

/// Not a test: the worker that the next test kills.
#[tokio::test]
async fn worker() {
    let Ok(mark) = std::env::var("SEATWRIGHT_TEST_WORKER") else {
        return;
    };
    let browser = launch_marked(&mark).await;
    let context = browser.open(ContextOptions::default()).await.expect("a context");
    let blank = Url::parse("data:text/html,<h1>here").expect("an address");
    context.page().goto(&blank, soon()).await.expect("a page");
    fs::write(std::env::var("SEATWRIGHT_TEST_READY").expect("a pipe"), "ready").expect("written");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_worker_that_is_killed_leaves_no_browser() {
    let folder = tempfile::tempdir().expect("a folder");
    let ready = folder.path().join("ready");
    let made = Command::new("mkfifo").arg(&ready).status().expect("mkfifo");
    assert!(made.success());
    let mark = format!("orphan-{}", std::process::id());
    let mut worker = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "cdp::worker", "--nocapture"])
        .env("SEATWRIGHT_TEST_WORKER", &mark)
        .env("SEATWRIGHT_TEST_READY", &ready)
        .env("TMPDIR", folder.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("a worker");
    let says = tokio::time::timeout_at(soon(), tokio::fs::read_to_string(&ready)).await;
    assert_eq!(says.expect("in time").expect("readable"), "ready");
    let (browser, _) = program(&mark);
    let family = descendants(browser.as_raw_nonzero().get());
    assert!(family.len() >= 3, "helpers and a page: {family:?}");
    worker.kill().expect("killed");
    worker.wait().expect("its end");
    let begun = Instant::now();
    for pid in family.into_iter().filter_map(Pid::from_raw).chain([browser]) {
        tokio::time::timeout_at(soon(), ended(pid)).await.expect("its end");
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

// ---- what is said when there is no browser ------------------------------------------------------

async fn fails(options: ChromiumOptions) -> LaunchError {
    match Chromium::launch(options, SCRIPT).await {
        Ok(browser) => panic!("{} was started", browser.version()),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_missing_program_is_reported_with_advice() {
    let error = fails(ChromiumOptions { executable: Some("/nowhere/chromium".into()), ..off() }).await;
    assert_eq!(
        error.to_string(),
        "Chromium was not found: looked for /nowhere/chromium.\n\
         Install it (Debian: apt-get install chromium-headless-shell), \
         or name the program: `--browser PROGRAM`, in seatwright.yaml `browser.executable`"
    );
}

#[tokio::test]
async fn without_a_sandbox_no_browser_starts_unless_it_is_allowed() {
    if !rustix::process::geteuid().is_root() {
        let options = ChromiumOptions::default();
        let browser = Chromium::launch(options, SCRIPT).await.expect("a browser with a sandbox");
        browser.close().await;
        return;
    }
    let error = fails(ChromiumOptions::default()).await;
    assert!(matches!(error, LaunchError::SandboxUnavailable { .. }), "{error:?}");
    let said = error.to_string();
    for part in ["as root", "`--allow-no-sandbox`", "`browser.allow_no_sandbox: true`"] {
        assert!(said.contains(part), "{said}");
    }
}

fn script(folder: &Path, text: &str) -> Option<PathBuf> {
    let path = folder.join("chromium");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
    Some(path)
}

#[tokio::test]
async fn a_program_that_dies_at_once_is_reported_with_its_output() {
    let folder = tempfile::tempdir().expect("a folder");
    let executable = script(folder.path(), "echo one >&2; echo no such library >&2; exit 127");
    let error = fails(ChromiumOptions { executable, ..off() }).await;
    let said = error.to_string();
    assert!(
        said.ends_with(
            "ended while starting: it ended with exit code 127.\nIts last output:\none\nno such library"
        ),
        "{said}"
    );
    let executable =
        script(folder.path(), "echo '[1:1:FATAL:x.cc(1)] No usable sandbox!' >&2; kill -ABRT $$");
    let error = fails(ChromiumOptions { executable, ..off() }).await;
    assert!(matches!(error, LaunchError::SandboxUnavailable { .. }), "{error:?}");
}
