//! Sessions and their browsers over time. The clock is driven: nothing here waits.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use seatwright::{
    contract::Code,
    engine::Session,
    ports::driver::{Browser, Context, ContextOptions, DriverError, Launch, Page},
    worker::sessions::{Limits, Sessions},
};
use testbed::text_browser::TextBrowser;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

const MINUTE: Duration = Duration::from_secs(60);
/// How late something may be noticed.
const NOTICED: Duration = Duration::from_secs(2);

/// A browser that holds as much as it is told to.
#[derive(Default)]
struct Heavy {
    text: TextBrowser,
    memory: AtomicU64,
    /// It lives, and answers nothing.
    stuck: AtomicBool,
    /// All pages in it have crashed.
    crashed: Arc<AtomicBool>,
    inside: watch::Sender<usize>,
    ended: watch::Sender<Option<String>>,
}

impl Heavy {
    fn is_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    async fn ends(&self) -> String {
        let mut ended = self.ended.subscribe();
        let how = ended.wait_for(Option::is_some).await.expect("it is told");
        how.clone().expect("how")
    }

    async fn has_inside(&self, number: usize) {
        self.inside.subscribe().wait_for(|inside| *inside == number).await.expect("it is told");
    }
}

#[async_trait]
impl Browser for Heavy {
    fn version(&self) -> String {
        self.text.version()
    }

    async fn open(&self, options: ContextOptions) -> Result<Box<dyn Context>, DriverError> {
        if self.stuck.load(Ordering::SeqCst) {
            return Err(DriverError::Timeout(Duration::from_secs(30)));
        }
        let context = self.text.open(options).await?;
        self.inside.send_modify(|inside| *inside += 1);
        Ok(Box::new(Visitor { context, crashed: Arc::clone(&self.crashed), inside: self.inside.clone() }))
    }

    fn is_alive(&self) -> bool {
        self.text.is_alive()
    }

    async fn memory(&self) -> Option<u64> {
        Some(self.memory.load(Ordering::SeqCst))
    }

    async fn close(&self) {
        self.text.close().await;
        self.ended.send_if_modified(|how| {
            let first = how.is_none();
            how.get_or_insert_with(|| "closed".to_owned());
            first
        });
    }

    async fn kill(&self, why: &str) {
        self.ended.send_replace(Some(why.to_owned()));
        self.text.close().await;
    }
}

/// A context whose browser knows that it is there.
struct Visitor {
    context: Box<dyn Context>,
    crashed: Arc<AtomicBool>,
    inside: watch::Sender<usize>,
}

#[async_trait]
impl Context for Visitor {
    fn page(&self) -> Arc<dyn Page> {
        self.context.page()
    }

    fn is_usable(&self) -> bool {
        !self.crashed.load(Ordering::SeqCst) && self.context.is_usable()
    }

    async fn close(self: Box<Self>) {}
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.inside.send_modify(|inside| *inside -= 1);
    }
}

/// All browsers that were started, in order.
#[derive(Default)]
struct Started(Mutex<Vec<Arc<Heavy>>>);

impl Started {
    fn all(&self) -> Vec<Arc<Heavy>> {
        self.0.lock().expect("no panic").clone()
    }
}

#[async_trait]
impl Launch for Started {
    async fn launch(&self) -> Result<Arc<dyn Browser>, String> {
        let browser = Arc::new(Heavy::default());
        self.0.lock().expect("no panic").push(Arc::clone(&browser));
        Ok(browser)
    }
}

fn sessions(recycle_after: u32) -> (Sessions, Arc<Started>) {
    let started = Arc::new(Started::default());
    let limits = Limits { idle: 10 * MINUTE, recycle_after, max_memory: 1000 };
    (Sessions::with(Arc::clone(&started) as Arc<dyn Launch>, limits), started)
}

async fn take(sessions: &Sessions, account: &str) -> Session {
    sessions.take(account, "tenant", &[], Vec::new()).await.expect("a session")
}

/// So much time passes on the driven clock, with all that happens in it.
async fn passes(time: Duration) {
    timeout(time, std::future::pending::<()>()).await.expect_err("nothing is waited for");
}

#[tokio::test(start_paused = true)]
async fn a_session_is_used_again_and_ended_when_nobody_wants_it_for_long() {
    let (sessions, started) = sessions(200);
    let first = take(&sessions, "ada").await;
    let page = first.context.page();
    sessions.keep("ada", first).await;
    passes(10 * MINUTE - NOTICED).await;
    let again = take(&sessions, "ada").await;
    assert!(Arc::ptr_eq(&page, &again.context.page()), "the same page");
    // Used, however long, it is not idle.
    passes(20 * MINUTE).await;
    sessions.keep("ada", again).await;
    let kept = Instant::now();
    let [browser] = &started.all()[..] else { panic!("one browser") };
    assert_eq!(*browser.inside.borrow(), 1);
    browser.has_inside(0).await;
    let idle = kept.elapsed();
    assert!(idle >= 10 * MINUTE && idle <= 10 * MINUTE + NOTICED, "{idle:?}");
    assert!(browser.is_alive(), "the browser goes on");
}

#[tokio::test(start_paused = true)]
async fn one_session_is_kept_for_an_account_and_none_of_another_tenant() {
    let (sessions, started) = sessions(200);
    let (first, second) = (take(&sessions, "ada").await, take(&sessions, "ada").await);
    sessions.keep("ada", first).await;
    sessions.keep("ada", second).await;
    let browser = Arc::clone(&started.all()[0]);
    assert_eq!(*browser.inside.borrow(), 1);
    let other = sessions.take("ada", "another tenant", &[], Vec::new()).await.expect("a session");
    assert_eq!((*browser.inside.borrow(), other.signed_in), (1, false));
}

#[tokio::test(start_paused = true)]
async fn after_so_many_sessions_the_browser_is_replaced_and_ends_with_its_last_session() {
    let (sessions, started) = sessions(3);
    let (ada, bo, cy) =
        (take(&sessions, "ada").await, take(&sessions, "bo").await, take(&sessions, "cy").await);
    sessions.keep("cy", cy).await;
    let dan = take(&sessions, "dan").await;
    let [old, new] = &started.all()[..] else { panic!("two browsers") };
    assert_eq!((*old.inside.borrow(), *new.inside.borrow()), (3, 1));
    // Who is idle is ended at once, who works is let finish.
    old.has_inside(2).await;
    passes(5 * MINUTE).await;
    assert!(!old.is_ended());
    sessions.keep("ada", ada).await;
    assert_eq!(*old.inside.borrow(), 1, "nobody is kept there");
    bo.context.close().await;
    assert_eq!(old.ends().await, "closed");
    assert!(!new.is_ended());
    sessions.keep("dan", dan).await;
    drop(take(&sessions, "ada").await);
    assert_eq!(started.all().len(), 2, "the new one takes three, too");
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_holds_too_much_is_replaced_between_jobs() {
    let (sessions, started) = sessions(200);
    let ada = take(&sessions, "ada").await;
    let old = Arc::clone(&started.all()[0]);
    old.memory.store(1000, Ordering::SeqCst);
    passes(MINUTE).await;
    sessions.keep("ada", ada).await;
    let ada = take(&sessions, "ada").await;
    assert_eq!(started.all().len(), 1, "as much as it may");
    old.memory.store(2000, Ordering::SeqCst);
    let begun = Instant::now();
    sessions.keep("ada", ada).await;
    assert_eq!(old.ends().await, "closed");
    assert!(begun.elapsed() <= NOTICED, "{:?}", begun.elapsed());
    let ada = take(&sessions, "ada").await;
    let new = Arc::clone(&started.all()[1]);
    new.memory.store(2000, Ordering::SeqCst);
    passes(MINUTE).await;
    assert!(!new.is_ended(), "never in the middle of a job");
    drop(ada);
    assert_eq!(new.ends().await, "closed");
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_holds_twice_what_it_may_is_ended_in_the_middle_of_a_job() {
    let (sessions, started) = sessions(200);
    let ada = take(&sessions, "ada").await;
    let old = Arc::clone(&started.all()[0]);
    old.memory.store(2001, Ordering::SeqCst);
    let begun = Instant::now();
    let why = old.ends().await;
    assert!(begun.elapsed() <= NOTICED, "{:?}", begun.elapsed());
    assert_eq!(why, "its pages used 2001 MiB together, more than twice `browser.max_memory`");
    assert!(!ada.context.is_usable());
    sessions.keep("ada", ada).await;
    let ada = take(&sessions, "ada").await;
    assert!(ada.context.is_usable());
    assert_eq!(started.all().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_browser_on_its_way_out_is_watched_as_well() {
    let (sessions, started) = sessions(1);
    let ada = take(&sessions, "ada").await;
    let bo = take(&sessions, "bo").await;
    let [old, _new] = &started.all()[..] else { panic!("two browsers") };
    old.memory.store(5000, Ordering::SeqCst);
    assert!(old.ends().await.starts_with("its pages used 5000 MiB"));
    assert!(!ada.context.is_usable() && bo.context.is_usable());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_crashed_while_it_was_idle_is_not_used_again() {
    let (sessions, started) = sessions(200);
    let ada = take(&sessions, "ada").await;
    let page = ada.context.page();
    sessions.keep("ada", ada).await;
    let old = Arc::clone(&started.all()[0]);
    old.crashed.store(true, Ordering::SeqCst);
    old.has_inside(0).await;
    old.crashed.store(false, Ordering::SeqCst);
    let ada = take(&sessions, "ada").await;
    assert!(!Arc::ptr_eq(&page, &ada.context.page()));
    assert_eq!(started.all().len(), 1, "the browser is well");
    // Or all of it.
    sessions.keep("ada", ada).await;
    old.text.close().await;
    assert!(take(&sessions, "ada").await.context.is_usable());
    assert_eq!(started.all().len(), 2);
    assert_eq!(old.ends().await, "closed", "what is left of it is swept up");
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_does_not_answer_is_replaced() {
    let (sessions, started) = sessions(200);
    let ada = take(&sessions, "ada").await;
    let old = Arc::clone(&started.all()[0]);
    old.stuck.store(true, Ordering::SeqCst);
    let refused = sessions.take("bo", "tenant", &[], Vec::new()).await.err().expect("no session");
    assert_eq!(refused.code, Code::BrowserLost);
    let bo = take(&sessions, "bo").await;
    assert!(bo.context.is_usable() && !old.is_ended());
    drop(ada);
    assert_eq!(old.ends().await, "closed");
}

#[tokio::test(start_paused = true)]
async fn in_the_end_nothing_is_left_running() {
    let (sessions, started) = sessions(1);
    let (ada, bo) = (take(&sessions, "ada").await, take(&sessions, "bo").await);
    sessions.keep("bo", bo).await;
    sessions.close().await;
    assert!(started.all().iter().all(|browser| browser.is_ended()));
    drop(ada);
}

#[tokio::test(start_paused = true)]
async fn without_limits_a_browser_may_be_somebody_elses_as_well() {
    let started = Arc::new(Started::default());
    let sessions = Sessions::new(Arc::clone(&started) as Arc<dyn Launch>);
    let ada = take(&sessions, "ada").await;
    let browser = Arc::clone(&started.all()[0]);
    browser.memory.store(u64::MAX, Ordering::SeqCst);
    passes(MINUTE).await;
    sessions.keep("ada", ada).await;
    browser.has_inside(0).await;
    assert!(!browser.is_ended());
}
