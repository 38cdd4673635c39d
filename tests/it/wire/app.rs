//! An app whose page asks its server for everything, in one of many ways that real apps have.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

/// The users, and how the app behaves.
#[derive(Clone)]
pub struct App {
    users: Arc<Mutex<Vec<Value>>>,
    changes: Arc<AtomicUsize>,
    sign_ins: Arc<AtomicUsize>,
    /// The session has ended: pages lead to the sign-in.
    ended: Arc<AtomicBool>,
    /// The script of the page.
    script: String,
    /// The answer to each change. Zero: none, ever.
    status: u16,
    /// What the app does, whatever it answers.
    does: Does,
}

/// What an app does with a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    It,
    Nothing,
}

impl App {
    pub fn new(script: impl Into<String>, status: u16, does: Does) -> Self {
        let user = |mail: &str, name: &str| json!({ "mail": mail, "name": name, "status": "Active" });
        let known =
            [("svc@acme.example", "Service"), ("ada@acme.example", "Ada Byron"), ("bo@acme.example", "Bo")];
        let users = known.map(|(mail, name)| user(mail, name)).into();
        Self {
            users: Arc::new(Mutex::new(users)),
            changes: Arc::default(),
            sign_ins: Arc::default(),
            ended: Arc::default(),
            script: script.into(),
            status,
            does,
        }
    }

    /// With one more user.
    pub fn and(self, mail: &str, name: &str) -> Self {
        let user = json!({ "mail": mail, "name": name, "status": "Active" });
        self.users.lock().expect("no panic").push(user);
        self
    }

    /// How many requests have reached the app that may change it, without those that it sends all the time.
    pub fn changes(&self) -> usize {
        self.changes.load(Ordering::SeqCst)
    }

    /// How many times somebody has signed in.
    pub fn sign_ins(&self) -> usize {
        self.sign_ins.load(Ordering::SeqCst)
    }

    /// The status of each user with this address.
    pub fn found(&self, mail: &str) -> Vec<String> {
        let users = self.users.lock().expect("no panic");
        let found = users.iter().filter(|user| user["mail"] == mail);
        found.map(|user| user["status"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub fn change(&self, asked: &Value) {
        let mut users = self.users.lock().expect("no panic");
        let mail = &asked["mail"];
        match asked["op"].as_str() {
            Some("add") => users.push(json!({ "mail": mail, "name": asked["name"], "status": "Active" })),
            Some("remove") => users.retain(|user| user["mail"] != *mail),
            Some("suspend") => {
                for user in users.iter_mut().filter(|user| user["mail"] == *mail) {
                    user["status"] = "Suspended".into();
                }
            }
            _ => {}
        }
    }

    /// Serves the app on a free port, until the test ends.
    pub async fn serve(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let routes = Router::new()
            .route("/", get(|| async { Redirect::to("/users") }))
            .route("/login", get(login).post(signed_in))
            .route("/users", get(page))
            .route("/api/users", get(search).post(change).put(change))
            .route("/api/search", post(search))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        address
    }
}

async fn login() -> Html<&'static str> {
    Html(
        "<title>Sign in</title><form method=post><label>Email <input name=email></label><label>Password <input type=password name=password></label><button>Sign in</button></form>",
    )
}

async fn signed_in(State(app): State<App>) -> impl IntoResponse {
    app.sign_ins.fetch_add(1, Ordering::SeqCst);
    app.ended.store(false, Ordering::SeqCst);
    ([(header::SET_COOKIE, "s=1; Path=/")], Redirect::to("/users"))
}

async fn page(State(app): State<App>) -> Response {
    match app.ended.load(Ordering::SeqCst) {
        true => Redirect::to("/login").into_response(),
        false => Html(format!("{PAGE}<script>{SCRIPT}{}</script>", app.script)).into_response(),
    }
}

async fn search(State(app): State<App>, Query(query): Query<Vec<(String, String)>>) -> Response {
    let value = |name: &str| query.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str());
    let wanted = value("q").unwrap_or_default();
    if let Some(ms) = value("ms").and_then(|ms| ms.parse().ok()) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    // A page may name the answer here, too. Zero: the connection ends without one.
    match value("status").and_then(|status| status.parse().ok()) {
        Some(0) => {
            let broken = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("gone"))]);
            return Response::new(axum::body::Body::from_stream(broken));
        }
        Some(status) => return StatusCode::from_u16(status).unwrap_or(StatusCode::OK).into_response(),
        None => {}
    }
    let users = app.users.lock().expect("no panic").clone();
    let has =
        |text: &Value| text.as_str().is_some_and(|text| text.to_lowercase().contains(&wanted.to_lowercase()));
    let found: Vec<Value> =
        users.into_iter().filter(|user| has(&user["mail"]) || has(&user["name"])).collect();
    // A browser may keep this answer: what is read back has to be newer.
    ([(header::CACHE_CONTROL, "private, max-age=600")], Json(found)).into_response()
}

async fn change(State(app): State<App>, asked: Bytes) -> Response {
    let asked: Value = serde_json::from_slice(&asked).unwrap_or_default();
    if asked["op"] != "poll" {
        app.changes.fetch_add(1, Ordering::SeqCst);
    }
    // A page may name the answer.
    let status = asked["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(app.status);
    if asked["op"] == "end" {
        app.ended.store(true, Ordering::SeqCst);
    }
    if app.does == Does::It {
        app.change(&asked);
    }
    if status == 0 {
        tokio::time::sleep(Duration::from_secs(600)).await;
    }
    StatusCode::from_u16(status).unwrap_or(StatusCode::OK).into_response()
}

const PAGE: &str = r#"<!doctype html><title>Wire</title><h1>Users</h1><a href="/users">Users</a> <b id=space data-testid=space>acme</b>
<form id=find><label>Search <input id=q></label></form><p role=status id=said></p><p role=alert id=wrong></p><div id=list></div>
<form id=new><label>Email <input id=mail></label><label>Name <input id=name></label><label>Cost centre <input id=cost></label><button>Invite</button></form>"#;

/// What every variant has: drawing, asking, changing. A variant says when.
const SCRIPT: &str = r#"
const at = (id) => document.getElementById(id);
const wait = (ms) => new Promise((go) => setTimeout(go, ms));
const load = async (q) => (await fetch('/api/users?q=' + encodeURIComponent(q))).json();
const draw = (users) => { at('list').innerHTML = (users.length ? '' : '<p>No users match</p>') + `<p>${users.length} users</p><table aria-label=Users><thead><tr><th>Email<th>Name<th>Status<th>Do</tr></thead><tbody>` + users.map((u) => `<tr><td>${u.mail}<td>${u.name}<td>${u.status}<td><button onclick="suspend(this)">Suspend</button> <button onclick="remove(this)">Remove</button></tr>`).join('') + '</table>'; };
let send = (asked) => fetch('/api/users', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(asked) });
let go = async (q) => draw(await load(q));
let told = (answer) => { if (answer.ok) at('said').textContent = 'Done'; };
let suspend = async (button) => told(await send({ op: 'suspend', mail: button.closest('tr').cells[0].textContent }));
let remove = async (button) => told(await send({ op: 'remove', mail: button.closest('tr').cells[0].textContent }));
let invite = async () => told(await send({ op: 'add', mail: at('mail').value, name: at('name').value }));
at('find').onsubmit = (event) => { event.preventDefault(); go(at('q').value); };
at('new').onsubmit = (event) => { event.preventDefault(); invite(); };
"#;

pub const PLAYBOOK: &str = r#"playbook: 1
app: wire
version: 0.1.0
start: http://127.0.0.1:{{ settings.port }}
origins: [ "http://127.0.0.1:{{ settings.port }}" ]
settings: { port: { pattern: "[0-9]{2,5}" } }
identity: userName
settle: 2s
views:
  users:
    open: /users
    rows: { in: { table: Users } }
    columns:
      userName: { column: Email }
      displayName: { column: Name }
      active: { column: Status, map: { Active: true, Suspended: false } }
    pages: { next: { button: Next }, until: absent, max: 5, total: { text: "{n} users" } }
find_user:
  view: users
  search: { into: { label: Search }, value: "{{ user.userName }}" }
  absent: { text: No users match }
login:
  signed_in: { link: Users }
  password:
LOGIN
operations:
  user.get: {}
  user.create:
    requires: [userName, displayName]
    steps:
      - form: { Email: "{{ user.userName }}", Name: "{{ user.displayName }}" }
      - { click: { button: Invite }, commit: true }
      - { expect: { status: Done }, timeout: 2s }
  user.delete:
    steps:
      - { click: { button: Remove, in: user row }, commit: true }
      - { expect: { status: Done }, timeout: 2s }
  user.disable:
    steps:
      - { click: { button: Suspend, in: user row }, commit: true }
      - { expect: { status: Done }, timeout: 2s }
"#;
