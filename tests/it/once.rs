//! A request that may change the app arrives once, even if its connection breaks. In real Chromium, which repeats a
//! request automatically if a kept connection breaks without an answer.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use seatwright::{
    adapters::cdp::{Chromium, ChromiumOptions, Sandbox},
    engine::inject::SCRIPT,
    ports::driver::{Browser, Context, ContextOptions, Page},
    query::{Answer, Ask, By, Condition, Query, Question, State},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpSocket, TcpStream},
    sync::watch,
    time::Instant,
};
use url::Url;

/// A server that keeps connections open and closes the connection of each request under `/lost`. During a request of
/// `/long` it accepts no new connection.
struct Server {
    address: SocketAddr,
    seen: watch::Sender<Vec<Seen>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Seen {
    request: String,
    /// The number of earlier requests on its connection.
    earlier: usize,
}

impl Server {
    async fn open() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
        // Two connections may wait to be accepted; a third one gets no answer.
        let listener = socket.listen(1).expect("it listens");
        let address = listener.local_addr().expect("an address");
        let seen = watch::Sender::new(Vec::new());
        let log = seen.clone();
        let open = watch::Sender::new(true);
        tokio::spawn(async move {
            let mut may = open.subscribe();
            loop {
                may.wait_for(|open| *open).await.expect("it is here");
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    _ = may.wait_for(|open| !*open) => continue,
                };
                let (stream, _) = accepted.expect("a connection");
                tokio::spawn(connection(stream, log.clone(), open.clone()));
            }
        });
        Self { address, seen }
    }

    fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    fn seen(&self, path: &str) -> Vec<Seen> {
        self.seen.borrow().iter().filter(|seen| seen.request.ends_with(path)).cloned().collect()
    }

    async fn is_asked_for(&self, path: &str) {
        let mut seen = self.seen.subscribe();
        let there = seen.wait_for(|seen| seen.iter().any(|seen| seen.request.ends_with(path)));
        let there = tokio::time::timeout_at(soon(), there).await;
        there.unwrap_or_else(|_| panic!("nobody asks for {path}")).expect("the server is there");
    }
}

async fn connection(stream: TcpStream, log: watch::Sender<Vec<Seen>>, open: watch::Sender<bool>) {
    let address = stream.local_addr().expect("an address");
    let mut stream = BufReader::new(stream);
    for earlier in 0.. {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            match line.trim() {
                "" => break,
                line => head.push(line.to_owned()),
            }
        }
        let field = |name: &str| {
            head.iter()
                .find_map(|line| line.to_lowercase().strip_prefix(name).map(|value| value.trim().to_owned()))
        };
        let length = field("content-length:").and_then(|length| length.parse().ok()).unwrap_or(0);
        stream.read_exact(&mut vec![0; length]).await.expect("a body");
        let request = head[0].trim_end_matches(" HTTP/1.1").to_owned();
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        log.send_modify(|seen| seen.push(Seen { request, earlier }));
        if path.starts_with("/lost") {
            return;
        }
        if path == "/long" {
            open.send_replace(false);
            let waiting = [TcpStream::connect(address).await, TcpStream::connect(address).await];
            // Answered while the connection of the other request is being opened: the relay waits a second for answers, the
            // first attempt gets no answer, and the next one follows a second later.
            tokio::time::sleep(Duration::from_millis(1500)).await;
            let open = open.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(300)).await;
                drop(waiting);
                open.send_replace(true);
            });
        }
        let (status, more, body) = match path.as_str() {
            "/moved" => ("307 Temporary Redirect", "Location: /lost/moved\r\n".to_owned(), String::new()),
            "/worker.js" => (
                "200 OK",
                "Content-Type: text/javascript\r\n".to_owned(),
                "onmessage = e => fetch(e.data, {method: 'POST', body: 'x'})\
                 .then(() => postMessage('done'), () => postMessage('failed'))"
                    .to_owned(),
            ),
            _ => ("200 OK", "Content-Type: text/html\r\n".to_owned(), PAGE.to_owned()),
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\n{more}Connection: keep-alive\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Each button makes three requests, so that three connections are kept, and then sends something.
const PAGE: &str = r#"<!doctype html><title>t</title>
<form method=post action=/lost/form><button id=form>form</button></form>
<a id=link href=/lost/link>link</a>
<button id=fetch>fetch</button> <button id=warm>warm</button> <button id=beside>beside</button> <button id=xhr>xhr</button> <button id=moved>moved</button>
<button id=worker>worker</button> <p></p>
<script>
const say = word => { const p = document.querySelector('p'); p.id = word; p.textContent = word; };
const kept = () => Promise.all([1, 2, 3].map(n => fetch('/kept/' + n).then(r => r.text())));
const send = path => fetch(path, { method: 'POST', body: 'x' }).then(() => say('done'), () => say('failed'));
const then = (id, act) => document.getElementById(id).onclick = () => kept().then(act);
then('fetch', () => send('/lost/fetch'));
then('moved', () => send('/moved'));
then('warm', () => say('warm'));
document.getElementById('beside').onclick = () => { fetch('/long'); send('/lost/beside'); };
then('xhr', () => {
  const request = new XMLHttpRequest();
  request.open('DELETE', '/lost/xhr');
  request.onerror = () => say('failed');
  request.send();
});
const worker = new Worker('/worker.js');
worker.onmessage = e => say(e.data);
then('worker', () => worker.postMessage('/lost/worker'));
</script>"#;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn question(ask: Ask) -> Question {
    Question { ask, frame: Vec::new(), within: 10_000, watch: Vec::new() }
}

async fn click(page: &dyn Page, id: &str) {
    let target = Query::new(By::Css(format!("#{id}"))).into();
    match page.ask(&question(Ask::Aim { target, owner: None }), soon()).await {
        Ok(Answer::Aimed { at, .. }) => page.click(at, soon()).await.expect("a click"),
        other => panic!("{id}: {other:?}"),
    }
}

/// Waits until the page shows the result.
async fn says(page: &dyn Page, word: &str) {
    let target = Query::new(By::Css(format!("#{word}"))).into();
    let any = vec![Condition { target, state: State::Visible }];
    let answer = page.ask(&question(Ask::Await { any }), soon()).await;
    assert!(answer.is_ok(), "{word}: {answer:?}");
}

struct Visit {
    server: Server,
    browser: Chromium,
    context: Box<dyn Context>,
}

impl Visit {
    async fn begin() -> Self {
        let server = Server::open().await;
        let options = ChromiumOptions { sandbox: Sandbox::Off, ..ChromiumOptions::default() };
        let browser = Chromium::launch(options, SCRIPT).await.expect("chromium-headless-shell is installed");
        let options = ContextOptions { origins: vec![server.origin()], ..ContextOptions::default() };
        let context = browser.open(options).await.expect("a context");
        Self { server, browser, context }
    }

    async fn fresh_page(&self) -> Arc<dyn Page> {
        let page = self.context.page();
        page.goto(&Url::parse(&self.server.origin()).expect("an address"), soon()).await.expect("a page");
        page
    }

    async fn end(self) {
        self.context.close().await;
        self.browser.close().await;
    }
}

#[tokio::test]
async fn without_it_chromium_sends_a_post_again() {
    let visit = Visit::begin().await;
    let page = visit.fresh_page().await;
    click(&*page, "fetch").await;
    says(&*page, "failed").await;
    let seen = visit.server.seen("/lost/fetch");
    assert!(
        seen.len() > 1 && seen[0].earlier > 0,
        "if that is no longer so, send_once() is not needed: {seen:?}"
    );
    visit.end().await;
}

/// While a new connection is being opened, Chromium uses one that becomes free in the meantime.
#[tokio::test]
async fn a_connection_that_becomes_free_is_not_used() {
    let visit = Visit::begin().await;
    let page = visit.fresh_page().await;
    click(&*page, "warm").await;
    says(&*page, "warm").await;
    page.send_once(true).await;
    click(&*page, "beside").await;
    says(&*page, "failed").await;
    let seen = visit.server.seen("/lost/beside");
    assert!(seen.len() == 1 && seen[0].earlier == 0, "{seen:?}");
    assert_eq!(visit.server.seen("/long").len(), 1);
    visit.end().await;
}

#[tokio::test]
async fn what_may_change_the_app_is_sent_once() {
    let visit = Visit::begin().await;
    for (id, ends) in [
        ("fetch", Some("failed")),
        ("xhr", Some("failed")),
        ("moved", Some("failed")),
        ("worker", Some("failed")),
        ("form", None),
        ("link", None),
    ] {
        for _ in 0..3 {
            let page = visit.fresh_page().await;
            page.send_once(true).await;
            visit.server.seen.send_modify(Vec::clear);
            let lost = format!("/lost/{id}");
            click(&*page, id).await;
            match ends {
                Some(word) => says(&*page, word).await,
                // The document goes away: whoever asks has an answer when that is over.
                None => {
                    visit.server.is_asked_for(&lost).await;
                    drop(page.ask(&question(Ask::Page), soon()).await);
                }
            }
            page.send_once(false).await;
            // Whatever was to be sent again would have been before this is answered.
            visit.fresh_page().await;
            let seen = visit.server.seen(&lost);
            assert!(seen.len() == 1 && seen[0].earlier == 0, "{id}: {seen:?}");
        }
    }
    visit.end().await;
}
