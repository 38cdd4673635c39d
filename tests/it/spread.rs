//! A record that is spread over tabs, pages and windows: what each shows is read, and each proves whose record it is.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Form, Json, Router,
    extract::{Path, State},
    http::header,
    response::{Html, IntoResponse, Redirect},
    routing::get,
};
use seatwright::{
    contract::{Code, Job, JobResult, Outcome},
    event::{Reader, Readers},
    worker::{playbooks::Playbooks, runner::JobRunner},
};
use serde_json::{Value, json};

use crate::support::{Heard, LOGIN, RealBrowser, runner};

/// An app with a list of users, and three places for each of them: two tabs of one page, a second page, a card in a window.
#[derive(Clone)]
struct App {
    users: Arc<Mutex<Vec<Value>>>,
    /// Whose card the window shows, whoever was asked for.
    card_of: Option<usize>,
    /// How many desks the list counts, and does not show.
    hidden_desks: usize,
    /// The page with the role fills it when it comes into sight.
    role_below: bool,
}

impl App {
    fn new() -> Self {
        let user = |mail: &str, name: &str, title: &str| json!({ "mail": mail, "name": name, "title": title, "phone": "+44 1", "role": "Member", "city": "London" });
        let mut users = vec![
            user("svc@acme.example", "Service", "Robot"),
            user("ada@acme.example", "Ada Byron", "Engineer"),
            user("bo@acme.example", "Bo Diddley", "Singer"),
        ];
        users[1]["desk"] = "D7".into();
        Self { users: Arc::new(Mutex::new(users)), card_of: None, hidden_desks: 0, role_below: false }
    }

    fn user(&self, at: usize) -> Value {
        self.users.lock().expect("no panic")[at].clone()
    }

    async fn serve(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let routes = Router::new()
            .route("/login", get(login).post(signed_in))
            .route("/users", get(list))
            .route("/desks", get(desks))
            .route("/people", get(people))
            .route("/users/{at}/title", get(title))
            .route("/users/{at}", get(profile).post(save))
            .route("/users/{at}/contact", get(contact))
            .route("/users/{at}/access", get(access))
            .route("/users/{at}/card", get(card))
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

async fn signed_in() -> impl IntoResponse {
    ([(header::SET_COOKIE, "s=1; Path=/")], Redirect::to("/users"))
}

/// A page of the app. `{…}` stands for what the user has.
fn page(user: &Value, at: usize, text: &str) -> Html<String> {
    let mut text = text.replace("{at}", &at.to_string());
    for (name, value) in user.as_object().into_iter().flatten() {
        text = text.replace(&format!("{{{name}}}"), value.as_str().unwrap_or_default());
    }
    Html(format!(
        "<!doctype html><title>Spread</title><nav><a href=/users>Users</a></nav><main>{text}</main>"
    ))
}

async fn list(State(app): State<App>) -> Html<String> {
    let users = app.users.lock().expect("no panic").clone();
    let row = |(at, user): (usize, &Value)| {
        let mail = user["mail"].as_str().unwrap_or_default();
        format!(
            "<tr><td>{mail}<td><a href=/users/{at}>Open</a> <a href=/users/{at}/card target=_blank>Card</a></tr>"
        )
    };
    let rows: String = users.iter().enumerate().map(row).collect();
    let text = format!(
        "<p>{} users</p><table aria-label=Users><thead><tr><th>Email<th>Links</tr></thead><tbody>{rows}</tbody></table>",
        users.len()
    );
    page(&Value::Null, 0, &text)
}

/// A list beside a drawer. For a moment, the drawer shows the new name over the values of the one before.
async fn people(State(app): State<App>) -> Html<String> {
    let users = app.users.lock().expect("no panic").clone();
    let row = |(at, user): (usize, &Value)| {
        let mail = user["mail"].as_str().unwrap_or_default();
        format!("<tr><td>{mail}<td><button onclick=\"show({at}, '{mail}')\">Open</button></tr>")
    };
    let rows: String = users.iter().enumerate().map(row).collect();
    let text = format!(
        "<p>{} users</p><table aria-label=People><thead><tr><th>Email<th>Do</tr></thead><tbody>{rows}</tbody></table>
        <section aria-label=Drawer><h2 data-testid=mail></h2><p data-testid=title></p></section>
        <script>const show = async (at, mail) => {{
          document.querySelector('h2').textContent = mail;
          const title = await (await fetch('/users/' + at + '/title')).json();
          setTimeout(() => document.querySelector('section p').textContent = title, 100);
        }};</script>",
        users.len()
    );
    page(&Value::Null, 0, &text)
}

async fn title(State(app): State<App>, Path(at): Path<usize>) -> Json<Value> {
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    Json(app.user(at)["title"].clone())
}

/// Another list, of those who have a desk.
async fn desks(State(app): State<App>) -> Html<String> {
    let users = app.users.lock().expect("no panic").clone();
    let rows: Vec<String> = users
        .iter()
        .filter_map(|user| {
            Some(format!("<tr><td>{}<td>{}</tr>", user["mail"].as_str()?, user["desk"].as_str()?))
        })
        .collect();
    let text = format!(
        "<p>{} desks</p><table aria-label=Desks><thead><tr><th>User<th>Desk</tr></thead><tbody>{}</tbody></table>",
        rows.len() + app.hidden_desks,
        rows.concat()
    );
    page(&Value::Null, 0, &text)
}

/// The second tab asks for its text when it is chosen, and shows it a moment later.
async fn profile(State(app): State<App>, Path(at): Path<usize>) -> Html<String> {
    page(
        &app.user(at),
        at,
        r#"<h1 data-testid=mail>{mail}</h1><p data-testid=name>{name}</p>
        <div role=tablist><button role=tab>Profile</button><button role=tab>Contact</button></div>
        <div role=tabpanel id=panel><p data-testid=title>{title}</p></div>
        <a href=/users/{at}/access>Access</a>
        <form method=post><label>Title <input name=title value="{title}"></label><label>Phone <input name=phone value="{phone}"></label>
        <label>Role <select name=role><option>{role}</option><option>Member</option><option>Admin</option></select></label><button>Save {mail}</button></form>
        <script>document.querySelectorAll('[role=tab]')[1].onclick = async () => {
          document.querySelector('#panel').textContent = '…';
          const { phone } = await (await fetch('/users/{at}/contact')).json();
          setTimeout(() => document.querySelector('#panel').innerHTML = '<p data-testid=phone>' + phone + '</p>', 150);
        };</script>"#,
    )
}

async fn contact(State(app): State<App>, Path(at): Path<usize>) -> Json<Value> {
    Json(json!({ "phone": app.user(at)["phone"] }))
}

async fn access(State(app): State<App>, Path(at): Path<usize>) -> Html<String> {
    let role = match app.role_below {
        false => "<p data-testid=role>{role}</p>",
        true => {
            "<div style='height:3000px'></div><p data-testid=role>—</p><script>
            const role = document.querySelector('[data-testid=role]');
            new IntersectionObserver(([seen]) => { if (seen.isIntersecting) setTimeout(() => { role.textContent = '{role}'; }, 200); }).observe(role);
            </script>"
        }
    };
    let text = format!("<h1 data-testid=mail>{{mail}}</h1>{role}<a href=/users/{{at}}>Profile</a>");
    page(&app.user(at), at, &text)
}

async fn card(State(app): State<App>, Path(at): Path<usize>) -> Html<String> {
    let shown = app.card_of.unwrap_or(at);
    page(&app.user(shown), shown, "<p data-testid=mail>{mail}</p><p data-testid=city>{city}</p>")
}

async fn save(State(app): State<App>, Path(at): Path<usize>, Form(form): Form<Value>) -> Redirect {
    let mut users = app.users.lock().expect("no panic");
    for (name, value) in form.as_object().into_iter().flatten() {
        users[at][name] = value.clone();
    }
    Redirect::to(&format!("/users/{at}"))
}

const PLAYBOOK: &str = r#"playbook: 1
app: spread
version: 0.1.0
start: http://127.0.0.1:{{ settings.port }}
origins: [ "http://127.0.0.1:{{ settings.port }}" ]
settings: { port: { pattern: "[0-9]{2,5}" } }
identity: userName
settle: 2s
entitlements:
  role: { one_of: [Member, Admin], default: Member }
views:
  users:
    open: /users
    rows: { in: { table: Users } }
    columns: { userName: { column: Email } }
    pages: { next: { button: Next }, until: absent, max: 5, total: { text: "{n} users" } }
    also: [desks]
    detail:
      - open: { link: Card }
        window: true
        in: { main: ~ }
        columns: { userName: { cell: { testid: mail } }, addresses: { cell: { testid: city } } }
      - open: { link: Open }
        in: { main: ~ }
        columns: { userName: { cell: { testid: mail } }, displayName: { cell: { testid: name } }, title: { cell: { testid: title } } }
      - prepare: [ { click: { tab: Contact } } ]
        in: { main: ~ }
        columns: { userName: { cell: { testid: mail } }, phoneNumbers: { cell: { testid: phone } } }
      - prepare: [ { expect: { text: "{{ record.displayName }}" } }, { click: { link: Access } } ]
        in: { main: ~ }
        columns: { userName: { cell: { testid: mail } }, role: { cell: { testid: role } } }
  desks:
    open: /desks
    rows: { in: { table: Desks } }
    columns: { userName: { column: User }, division: { column: Desk, without: none } }
    pages: { next: { button: Next }, until: absent, max: 5, total: { text: "{n} desks" } }
  people:
    open: /people
    rows: { in: { table: People } }
    columns: { userName: { column: Email } }
    pages: { next: { button: Next }, until: absent, max: 5, total: { text: "{n} users" } }
    detail: { open: { button: Open }, in: { region: Drawer }, columns: { userName: { cell: { testid: mail } }, title: { cell: { testid: title } } } }
find_user: { view: users }
login:
  signed_in: { link: Users }
  password:
LOGIN
operations:
  user.get: {}
  user.list: { view: users }
  user.update:
    changes: [title, phoneNumbers, role]
    steps:
      - click: { link: Profile, in: user row }
      - form: { Title: "{{ user.title }}", Phone: "{{ user.phoneNumbers | first | attr('value') }}", Role: "{{ entitlements.role }}" }
      - { click: { button: "Save {{ user.userName }}" }, commit: true }
"#;

struct Room {
    runner: JobRunner,
    folder: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        Self::with(|playbook| playbook)
    }

    /// With another playbook.
    fn with(edit: impl Fn(String) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let playbooks = folder.path().join("playbooks/spread");
        std::fs::create_dir_all(&playbooks).expect("a folder");
        std::fs::write(playbooks.join("playbook.yaml"), edit(PLAYBOOK.replace("LOGIN\n", LOGIN)))
            .expect("a playbook");
        let playbooks = Playbooks::read(&folder.path().join("playbooks")).expect("the playbook is read");
        let runner = runner(folder.path(), playbooks, Arc::new(RealBrowser));
        Self { runner, folder }
    }

    async fn run(&self, app: &App, operation: &str, more: Value) -> JobResult {
        let port = app.serve().await.port().to_string();
        let mut job = json!({
            "id": format!("{operation}-{port}"), "app": "spread", "operation": operation,
            "integration": { "id": port, "settings": { "port": port } },
            "service_account": { "username": "svc@acme.example", "secrets": { "password": "file:password" } },
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            job[name] = value.clone();
        }
        let job = Job::parse(job.to_string().as_bytes()).unwrap_or_else(|wrong| panic!("{}", wrong.failure));
        self.runner
            .run(&job, Arc::new(Readers::default().with(Arc::<Heard>::default() as Arc<dyn Reader>)))
            .await
    }

    async fn end(self) {
        self.runner.sessions.close().await;
        drop(self.folder);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_on_tabs_pages_and_in_a_window_is_read_updated_and_read_back() {
    let (room, app) = (Room::new(), App::new());
    let ada = || json!({ "user": { "userName": "ada@acme.example" } });

    let read = room.run(&app, "user.get", ada()).await;
    assert_eq!(read.outcome, Outcome::Succeeded, "{:?}", read.error);
    let shown = serde_json::to_value(&read.after).expect("JSON");
    for (name, value) in [
        ("displayName", "Ada Byron"),
        ("title", "Engineer"),
        ("phoneNumbers", "+44 1"),
        ("addresses", "London"),
        ("division", "D7"),
    ] {
        assert_eq!(shown[name], value, "{shown}");
    }
    assert_eq!(shown["entitlements"][0]["value"], "Member", "{shown}");

    let change = json!({
        "user": { "userName": "ada@acme.example", "title": "Countess", "phoneNumbers": [ { "value": "+44 2" } ] },
        "entitlements": [ { "type": "role", "value": "Admin" } ]
    });
    let before = app.user(2);
    let updated = room.run(&app, "user.update", change.clone()).await;
    assert_eq!((updated.outcome, updated.changed), (Outcome::Succeeded, Some(true)), "{:?}", updated.error);
    assert_eq!(app.user(1)["title"], "Countess");
    assert_eq!(app.user(1)["phone"], "+44 2");
    assert_eq!(app.user(1)["role"], "Admin");
    assert_eq!(app.user(2), before, "nobody else is touched");
    let again = room.run(&app, "user.update", change).await;
    assert_eq!((again.outcome, again.changed), (Outcome::NoChange, Some(false)), "{:?}", again.error);

    let listed = room.run(&app, "user.list", json!({})).await;
    assert_eq!(listed.outcome, Outcome::Succeeded, "{:?}", listed.error);
    let users = listed.users.unwrap_or_default();
    let seen: Vec<(&str, &str, &str)> = users
        .iter()
        .map(|user| {
            (user.user_name.as_str(), user.attributes["title"].as_str(), user.attributes["division"].as_str())
        })
        .collect();
    assert!(users.iter().all(|user| user.entitlements.len() == 1), "{users:?}");
    assert_eq!(
        seen,
        [
            ("svc@acme.example", "Robot", "none"),
            ("ada@acme.example", "Countess", "D7"),
            ("bo@acme.example", "Singer", "none")
        ]
    );
    room.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_about_somebody_else_is_not_taken_for_the_users() {
    let room = Room::new();
    let app = App { card_of: Some(2), ..App::new() };
    let change = json!({ "user": { "userName": "ada@acme.example", "title": "Countess" } });
    let refused = room.run(&app, "user.update", change).await;
    assert_eq!((refused.outcome, refused.changed), (Outcome::Failed, Some(false)), "{:?}", refused.error);
    assert_eq!(
        refused.error.as_ref().map(|error| error.code),
        Some(Code::TargetMissing),
        "{:?}",
        refused.error
    );
    assert_eq!(app.user(1)["title"], "Engineer");
    room.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_in_another_list_is_known_only_if_that_list_is_complete() {
    let room = Room::new();
    let bo = || json!({ "user": { "userName": "bo@acme.example" } });
    let app = App::new();
    let read = room.run(&app, "user.get", bo()).await;
    assert_eq!(
        read.after.map(|user| user.attributes["division"].clone()).as_deref(),
        Some("none"),
        "{:?}",
        read.error
    );

    let app = App { hidden_desks: 1, ..App::new() };
    let read = room.run(&app, "user.get", bo()).await;
    assert_eq!(read.outcome, Outcome::Failed);
    assert_eq!(read.error.map(|error| error.code), Some(Code::ListIncomplete));
    room.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drawer_that_still_shows_the_values_of_the_one_before_is_not_read_yet() {
    let room =
        Room::with(|playbook| playbook.replace("user.list: { view: users }", "user.list: { view: people }"));
    let listed = room.run(&App::new(), "user.list", json!({})).await;
    assert_eq!(listed.outcome, Outcome::Succeeded, "{:?}", listed.error);
    let users = listed.users.unwrap_or_default();
    let titles: Vec<&str> = users.iter().map(|user| user.attributes["title"].as_str()).collect();
    assert_eq!(titles, ["Robot", "Engineer", "Singer"]);
    room.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_filled_when_it_comes_into_sight_is_read() {
    let room = Room::new();
    let app = App { role_below: true, ..App::new() };
    let read = room.run(&app, "user.get", json!({ "user": { "userName": "ada@acme.example" } })).await;
    assert_eq!(read.outcome, Outcome::Succeeded, "{:?}", read.error);
    let held = read.after.map(|user| user.entitlements).unwrap_or_default();
    assert_eq!(held.iter().map(|one| one.value.as_str()).collect::<Vec<_>>(), ["Member"]);
    room.end().await;
}
