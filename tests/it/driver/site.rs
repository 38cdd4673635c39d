//! The server of one case: its pages, and a log of its requests.

use std::{
    fs, mem,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::{Response, header},
};
use url::Url;

use super::case::{Case, Reply};

/// A server on a free port of this machine.
pub struct Site {
    address: SocketAddr,
    book: Arc<Book>,
}

struct Book {
    case: Case,
    address: SocketAddr,
    received: Mutex<Vec<String>>,
}

impl Site {
    pub async fn open(case: &Case) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let book = Arc::new(Book { case: case.clone(), address, received: Mutex::default() });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&book));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, book }
    }

    /// The text with the origins of this site for `$here` and `$there`.
    pub fn fill_in(&self, text: &str) -> String {
        fill_in(self.address, text)
    }

    /// An address; `/path` is on this site.
    pub fn url(&self, written: &str) -> Url {
        let filled = self.fill_in(written);
        let whole = if filled.starts_with('/') { self.fill_in("$here") + &filled } else { filled };
        Url::parse(&whole).expect("an address")
    }

    /// The requests since the last call.
    pub fn received(&self) -> Vec<String> {
        mem::take(&mut self.book.received.lock().expect("unpoisoned"))
    }
}

fn fill_in(address: SocketAddr, text: &str) -> String {
    let there = format!("http://there.localhost:{}", address.port());
    text.replace("$here", &format!("http://{address}")).replace("$there", &there)
}

async fn answer(State(book): State<Arc<Book>>, request: Request) -> Response<String> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let said =
        |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("none").to_owned();
    let (cookie, token) = (said(header::COOKIE), said(header::AUTHORIZATION));
    let body: Bytes = to_bytes(body, 1 << 20).await.unwrap_or_default();
    let body = String::from_utf8_lossy(&body);
    let asked = format!("{} {} {body}", head.method, head.uri);
    if path != "/favicon.ico" {
        book.received.lock().expect("unpoisoned").push(asked.trim_end().to_owned());
    }
    let reply = book.case.site.get(&path).cloned().unwrap_or_default();
    let name = reply.page.clone().unwrap_or_else(|| match path.as_str() {
        "/" => "page.html".to_owned(),
        path => format!("{}.html", &path[1..]),
    });
    let page = fs::read_to_string(book.case.folder.join(name)).unwrap_or_else(|_| {
        format!("<title>Nothing special</title><h1>{path}</h1><p>Cookie: {cookie}</p><i>Token: {token}</i>")
    });
    respond(&reply, book.address, &page)
}

fn respond(reply: &Reply, address: SocketAddr, page: &str) -> Response<String> {
    let status = reply.status.unwrap_or(if reply.location.is_some() { 302 } else { 200 });
    let kind = reply.kind.as_deref().unwrap_or("text/html; charset=utf-8");
    let mut response = Response::builder().status(status).header(header::CONTENT_TYPE, kind);
    if let Some(location) = &reply.location {
        response = response.header(header::LOCATION, fill_in(address, location));
    }
    if let Some(cookie) = &reply.cookie {
        response = response.header(header::SET_COOKIE, cookie);
    }
    if let Some(challenge) = &reply.challenge {
        response = response.header(header::WWW_AUTHENTICATE, challenge);
    }
    let body = if status == 204 { String::new() } else { fill_in(address, page) };
    response.body(body).expect("a response")
}
