//! The site for the tests of the Chromium driver: small pages, some of which misbehave.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use tokio::sync::Notify;
use url::Url;

/// A server on a free port of this machine.
pub struct Site {
    pub address: SocketAddr,
    seen: Arc<Seen>,
}

/// Its requests.
#[derive(Default)]
pub struct Seen {
    requests: Mutex<Vec<String>>,
    changed: Notify,
}

impl Site {
    pub async fn open() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let seen = Arc::new(Seen::default());
        let app = Router::new().fallback(answer).with_state(Arc::clone(&seen));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, seen }
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn url(&self, path: &str) -> Url {
        Url::parse(&format!("{}{path}", self.origin())).expect("an address")
    }

    /// The same server, as another site.
    pub fn elsewhere(&self, path: &str) -> Url {
        let address = format!("http://localhost:{}{path}", self.address.port());
        Url::parse(&address).expect("an address")
    }

    /// The requests so far: `host path`.
    pub fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().expect("unpoisoned").clone()
    }

    pub fn was_asked_for(&self, path: &str) -> bool {
        self.requests().iter().any(|request| request.contains(&format!("{path}?")))
    }

    /// Clears the log of requests.
    pub fn forget(&self) {
        self.seen.requests.lock().expect("unpoisoned").clear();
    }

    /// Waits for a request of this path.
    pub async fn is_asked_for(&self, path: &str) {
        loop {
            let changed = self.seen.changed.notified();
            if self.was_asked_for(path) {
                return;
            }
            changed.await;
        }
    }
}

async fn answer(State(seen): State<Arc<Seen>>, request: Request) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let cookie = request
        .headers()
        .get(header::COOKIE)
        .and_then(|cookie| cookie.to_str().ok())
        .unwrap_or("none")
        .to_owned();
    let authorization = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("none")
        .to_owned();
    seen.requests.lock().expect("unpoisoned").push(format!("{host} {path}?{query}"));
    seen.changed.notify_waiters();
    let page = |body: &str| Html(format!("<!doctype html><title>t</title>{body}")).into_response();
    match path.as_str() {
        "/" => page(FORM),
        // A slow server; the test itself does not wait.
        "/slow" => {
            tokio::time::sleep(Duration::from_millis(60)).await;
            page(&format!("<h1 id=after>{query}</h1>{FORM}"))
        }
        "/slow-empty" => {
            tokio::time::sleep(Duration::from_millis(60)).await;
            StatusCode::NO_CONTENT.into_response()
        }
        "/never" => std::future::pending().await,
        "/half" => {
            let never = futures_util::stream::pending();
            let begun = "<!doctype html><h1 id=begun>begun</h1>".to_owned();
            let begun = futures_util::stream::iter([Ok::<_, std::io::Error>(begun)]);
            let body = futures_util::StreamExt::chain(begun, never);
            ([(header::CONTENT_TYPE, "text/html")], Body::from_stream(body)).into_response()
        }
        "/empty" => StatusCode::NO_CONTENT.into_response(),
        "/file" => (
            [
                (header::CONTENT_TYPE, "application/octet-stream"),
                (header::CONTENT_DISPOSITION, "attachment; filename=f.bin"),
            ],
            "file",
        )
            .into_response(),
        "/circle" => (StatusCode::FOUND, [(header::LOCATION, path)]).into_response(),
        "/to" => (StatusCode::FOUND, [(header::LOCATION, query)]).into_response(),
        "/give-cookie" => (
            [(header::SET_COOKIE, "who=me; Path=/".to_owned())],
            Html(format!("<!doctype html><h1 id=cookie>{cookie}</h1>")),
        )
            .into_response(),
        "/cookie" => page(&format!("<h1 id=cookie>{cookie}</h1>")),
        "/big" => page(&format!("<p id=big hidden>{}</p>", "x".repeat(4 << 20))),
        "/frame" => page(&format!("<h1 id=top>top</h1><iframe src='{query}'></iframe>")),
        "/frames" => page(
            "<h1 id=top>top</h1><iframe id=f></iframe><script>
             let n = 0; setInterval(() => f.src = '/cookie?' + n++, 5)</script>",
        ),
        "/frame-alert" => page("<script>alert('from a frame')</script>"),
        "/frame-open" => page("<script>open('/opened-by-frame')</script>"),
        "/prerenders" => page(
            r#"<h1 id=here>here</h1><a id=there href="/slow?ahead">there</a><script type=speculationrules>
            {"prerender":[{"source":"list","urls":["/slow?ahead"],"eagerness":"immediate"}]}</script>"#,
        ),
        "/beside" => page(include_str!("beside.html")),
        "/child" => page(include_str!("child.html")),
        "/flash" => page("<script>opener.postMessage('flashed', '*'); window.close()</script>"),
        "/inner" => page(
            "<div style='height:1200px'>far</div><label>Inner <input id=inner></label>
             <button id=press onclick=\"out.textContent = 'pressed ' + inner.value\">Press</button><p id=out>nothing</p>",
        ),
        "/headers" => page(&format!("<h1 id=authorization>{authorization}</h1>")),
        // A list from an address that may be cached for an hour.
        "/list" => page(
            "<script>fetch('/cached').then((answer) => answer.text()).then((text) => {
             document.body.innerHTML = '<h1 id=list>' + text + '</h1>' })</script>",
        ),
        "/cached" => {
            let times = seen.requests.lock().expect("unpoisoned").iter().filter(|one| one.contains("/cached?")).count();
            ([(header::CACHE_CONTROL, "max-age=3600")], format!("read {times}")).into_response()
        }
        "/strange" => {
            page(r#"<h1 id=strange></h1><script>strange.textContent = "a\ud800b\u0000c\u2028";</script>"#)
        }
        _ => page(&format!("<h1 id=other>{path}</h1>")),
    }
}

/// A form, links and buttons for everything that a page may do.
const FORM: &str = include_str!("page.html");
