//! What left the page, and what came back, decides what is believed: reading, and refusals, on an app with a page that
//! asks its server for everything.

mod app;
mod doubt;
mod later;
mod named;
mod scrolled;
mod socket;
mod unproved;

use std::{net::SocketAddr, sync::Arc};

use seatwright::{
    contract::{Code, Job, JobResult, Outcome},
    event::{Reader, Readers},
    worker::{playbooks::Playbooks, runner::JobRunner},
};
use serde_json::{Value, json};

use crate::support::{Heard, LOGIN, RealBrowser, runner};
use app::{App, Does};

/// How long a patient playbook waits for a word of success.
const PATIENCE_MS: u64 = 6_000;

struct Room {
    runner: JobRunner,
    folder: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        Self::with("")
    }

    /// With more lines in the playbook, before `operations`.
    fn with(lines: &str) -> Self {
        Self::edited(|playbook| playbook.replace("operations:\n", &format!("{lines}operations:\n")))
    }

    /// With another first step of `user.disable`.
    fn with_first_step(step: &str) -> Self {
        Self::edited(|playbook| {
            let first = "  user.disable:\n    steps:\n";
            assert!(playbook.contains(first));
            playbook.replace(first, &format!("{first}      - {step}\n"))
        })
    }

    /// Waits long for a word of success.
    fn patient() -> Self {
        let timeout = format!("timeout: {PATIENCE_MS}ms");
        Self::edited(|playbook| playbook.replace("timeout: 2s", &timeout))
    }

    fn edited(edit: impl Fn(String) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let playbooks = folder.path().join("playbooks/wire");
        std::fs::create_dir_all(&playbooks).expect("a folder");
        let playbook = edit(app::PLAYBOOK.replace("LOGIN\n", LOGIN));
        std::fs::write(playbooks.join("playbook.yaml"), playbook).expect("a playbook");
        let playbooks = Playbooks::read(&folder.path().join("playbooks")).expect("the playbook is read");
        let runner = runner(folder.path(), playbooks, Arc::new(RealBrowser));
        Self { runner, folder }
    }

    /// Does one job on this app.
    async fn run(&self, app: &App, operation: &str, user: Value) -> JobResult {
        self.run_in("execute", app, operation, user).await
    }

    async fn run_in(&self, mode: &str, app: &App, operation: &str, user: Value) -> JobResult {
        self.run_with(app, operation, json!({ "user": user, "mode": mode })).await
    }

    /// Does a job that has these parts, too.
    async fn run_with(&self, app: &App, operation: &str, parts: Value) -> JobResult {
        self.run_at(app.serve().await, operation, parts).await
    }

    /// Does a job on an app that is served already.
    async fn run_at(&self, address: SocketAddr, operation: &str, parts: Value) -> JobResult {
        let port = address.port().to_string();
        let mut job = json!({
            "id": format!("{operation}-{port}"), "app": "wire", "operation": operation,
            "integration": { "id": port, "settings": { "port": port } },
            "service_account": { "username": "svc@acme.example", "secrets": { "password": "file:password" } },
        });
        for (name, part) in parts.as_object().into_iter().flatten() {
            job[name] = part.clone();
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

fn code(result: &JobResult) -> Option<Code> {
    result.error.as_ref().map(|error| error.code)
}

/// Pages that show something else first: the rows are cleared, the answer is late, an older answer comes first.
const EARLY: [(&str, &str); 10] = [
    ("at once", "go('');"),
    (
        "the rows are cleared until the answer comes",
        "go = async (q) => { draw([]); draw(await load(q)); }; go('');",
    ),
    (
        "cleared, and asked for after a while",
        "go = async (q) => { draw([]); await wait(400); draw(await load(q)); }; go('');",
    ),
    (
        "asked for when the typing is over",
        "let t; go = (q) => { clearTimeout(t); t = setTimeout(async () => draw(await load(q)), 500); }; draw([]);",
    ),
    (
        "the answer to an older word first",
        "go = async (q) => { draw(await load(q ? 'nobody' : '')); await wait(700); draw(await load(q)); }; go('');",
    ),
    (
        "drawn after the answer",
        "go = async (q) => { draw([]); const users = await load(q); await wait(200); draw(users); }; go('');",
    ),
    ("nothing is shown before a search", "draw([]);"),
    (
        "searched in what the page has loaded, which takes long",
        "let all = []; go = async (q) => draw(all.filter((u) => u.mail.includes(q))); draw([]); fetch('/api/users?ms=2000').then((answer) => answer.json()).then((users) => { all = users; go(at('q').value); });",
    ),
    (
        "searched in what the page has loaded, and draws later",
        "let all = []; go = async (q) => draw(all.filter((u) => u.mail.includes(q))); draw([]); fetch('/api/users?ms=4000').then((answer) => answer.json()).then(async (users) => { await wait(200); all = users; go(at('q').value); });",
    ),
    (
        "a call that has nothing to do with it, again and again",
        "setInterval(() => fetch('/api/users?poll'), 300); go = async (q) => { draw([]); await wait(300); draw(await load(q)); }; go('');",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_before_the_answer_proves_nothing() {
    let room = Room::new();
    for (how, script) in EARLY {
        let app = App::new(script, 200, Does::It);
        let created = room
            .run(&app, "user.create", json!({ "userName": "ada@acme.example", "displayName": "Ada Byron" }))
            .await;
        assert_eq!(app.found("ada@acme.example"), ["Active"], "{how}: she is not created twice");
        assert_eq!(created.outcome, Outcome::NoChange, "{how}: {:?}", created.error);

        let app = App::new(script, 200, Does::It);
        let disabled = room.run(&app, "user.disable", json!({ "userName": "ada@acme.example" })).await;
        assert_eq!(disabled.outcome, Outcome::Succeeded, "{how}: {:?}", disabled.error);
        assert_eq!(app.found("ada@acme.example"), ["Suspended"], "{how}");
    }
    room.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_found_where_nobody_is() {
    let room = Room::new();
    for (how, script) in EARLY {
        let app = App::new(script, 200, Does::It);
        let read = room.run(&app, "user.get", json!({ "userName": "zed@acme.example" })).await;
        assert_eq!(code(&read), Some(Code::UserNotFound), "{how}: {:?}", read.error);
    }
    room.end().await;
}

/// The user is not disabled, whatever the page shows at first.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_shows_what_it_hopes_for_is_not_believed() {
    let table = [
        (
            "the row is changed before the answer",
            "go = async (q) => { const hoped = JSON.parse(localStorage.hoped || 'null'); if (hoped) draw([hoped]); await wait(0); draw(await load(q)); }; \
             suspend = async () => { const ada = { mail: 'ada@acme.example', name: 'Ada Byron', status: 'Suspended' }; localStorage.hoped = JSON.stringify(ada); draw([ada]); at('said').textContent = 'Done'; const answer = await send({ op: 'suspend', mail: ada.mail }); if (!answer.ok) { localStorage.removeItem('hoped'); go(''); } }; go('');",
        ),
        (
            "the row is kept in the browser",
            "go = async (q) => { const users = await load(q); const hoped = localStorage.hoped; draw(users.map((u) => u.mail === hoped ? { ...u, status: 'Suspended' } : u)); }; \
             suspend = async () => { localStorage.hoped = 'ada@acme.example'; send({ op: 'suspend', mail: localStorage.hoped }); go(''); at('said').textContent = 'Done'; }; go('');",
        ),
    ];
    let room = Room::new();
    for (how, script) in table {
        for status in [409, 500] {
            let app = App::new(script, status, Does::Nothing);
            let result = room.run(&app, "user.disable", json!({ "userName": "ada@acme.example" })).await;
            assert_eq!(app.found("ada@acme.example"), ["Active"]);
            let expected = if status == 409 { Outcome::Failed } else { Outcome::Indeterminate };
            assert_eq!(result.outcome, expected, "{how}, {status}: {:?}", result.error);
            assert_eq!(result.changed, (status == 409).then_some(false), "{how}, {status}");
            assert_eq!(
                result.sent.iter().map(|sent| sent.status).collect::<Vec<_>>(),
                [Some(status)],
                "{how}"
            );
        }
    }
    room.end().await;
}

/// How an app refuses, or does not answer: the outcome, whether something was changed, the code, what was sent, and whether
/// the job waits for a word of success as long as the playbook allows.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_by_what_was_sent_and_what_came_back() {
    const SENDS: &str = "go('');";
    const NATIVE: &str = "at('cost').required = true; go('');";
    const OWN: &str = "invite = () => { at('cost').setAttribute('aria-invalid', 'true'); at('cost').setAttribute('aria-errormessage', 'wrong'); at('wrong').textContent = 'Cost centre is missing'; }; go('');";
    const TOAST: &str = "told = async () => { await wait(600); const toast = document.createElement('div'); toast.role = 'alert'; toast.textContent = 'Not saved'; document.body.append(toast); }; go('');";
    const INLINE: &str = "told = () => { at('wrong').textContent = 'This address is taken'; }; go('');";
    const NOTHING: &str = "invite = () => {}; go('');";
    let not_sent = (Outcome::Failed, Some(false), Some(Code::NothingSent));
    let refused = |code| (Outcome::Failed, Some(false), Some(code));
    let unknown = (Outcome::Indeterminate, None, Some(Code::TargetMissing));
    let table = [
        ("the browser's own validation", NATIVE, 200, not_sent, None, "invalid: Cost centre: "),
        ("the page's own validation", OWN, 200, not_sent, None, "invalid: Cost centre: "),
        ("a toast", TOAST, 409, refused(Code::Refused), Some(409), "Not saved"),
        ("inline words", INLINE, 422, refused(Code::Refused), Some(422), "This address is taken"),
        ("409", SENDS, 409, refused(Code::Refused), Some(409), ""),
        ("422", SENDS, 422, refused(Code::Refused), Some(422), ""),
        ("403", SENDS, 403, refused(Code::InsufficientRole), Some(403), ""),
        ("401", SENDS, 401, refused(Code::SessionExpired), Some(401), ""),
        // The page may send it again later.
        ("429", SENDS, 429, refused(Code::RateLimited), Some(429), ""),
        ("500", SENDS, 500, unknown, Some(500), ""),
        ("502", SENDS, 502, unknown, Some(502), ""),
        ("no answer", SENDS, 0, unknown, Some(0), ""),
        ("nothing at all", NOTHING, 200, not_sent, None, ""),
    ];
    let (room, patient) = (Room::new(), Room::patient());
    for (how, script, status, ends, sent, words) in table {
        let is_known = matches!(status, 400..500) && status != 429;
        let (room, patience_ms) = if is_known { (&patient, PATIENCE_MS) } else { (&room, 2_000) };
        let app = App::new(script, status, Does::Nothing);
        let user = json!({ "userName": "zed@acme.example", "displayName": "Zed" });
        let result = room.run(&app, "user.create", user).await;
        assert!(app.found("zed@acme.example").is_empty());
        assert_eq!((result.outcome, result.changed, code(&result)), ends, "{how}: {:?}", result.error);
        let listed: Vec<u16> = result.sent.iter().map(|sent| sent.status.unwrap_or(0)).collect();
        assert_eq!(listed, Vec::from_iter(sent), "{how}: {:?}", result.sent);
        let said = result.error.and_then(|error| error.page_said).unwrap_or_default();
        assert!(said.contains(words), "{how}: {said}");
        let ms = result.timings.act_ms;
        assert_eq!(ms >= patience_ms, !is_known, "{how}: {ms} ms");
        println!("{how} | {:?} | {:?} | {listed:?} | {ms} ms of {patience_ms}", ends.0, ends.1);
    }
    // An error page that comes although the change was made: what the app shows decides.
    let app = App::new(SENDS, 500, Does::It);
    let user = json!({ "userName": "zed@acme.example", "displayName": "Zed" });
    let result = room.run(&app, "user.create", user).await;
    assert_eq!(result.outcome, Outcome::Succeeded, "{:?}", result.error);
    assert_eq!(app.found("zed@acme.example"), ["Active"]);
    room.end().await;
    patient.end().await;
}

/// A refusal is the end only where the page lets it be the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_tries_again_after_a_refusal_is_waited_for() {
    const RENEWS: &str = "const once = send; send = async (asked) => { const answer = await once({ ...asked, op: 'none', status: 401 }); if (answer.status !== 401) return answer; await load('renew'); await wait(200); return once(asked); }; go('');";
    const RENEWS_SLOWLY: &str = "const once = send; send = async (asked) => { const answer = await once({ ...asked, op: 'none', status: 401 }); if (answer.status !== 401) return answer; await fetch('/api/users?ms=2500'); return once(asked); }; go('');";
    const EXPIRED: &str = "const once = send; send = async (asked) => { const answer = await once({ ...asked, op: 'none', status: 419 }); await wait(2500); return once(asked); }; go('');";
    const ONE_OF_TWO: &str = "const once = send; send = async (asked) => { await once({ op: 'none', status: 409 }); const answer = await once(asked); await wait(3000); return answer; }; go('');";
    const SAYS_LATE: &str = "const once = send; send = async (asked) => { once({ ...asked, status: 409 }); await wait(1000); return { ok: true }; }; go('');";
    let room = Room::patient();
    for (how, script, statuses) in [
        ("a new token", RENEWS, vec![401, 200]),
        ("a new token that takes long", RENEWS_SLOWLY, vec![401, 200]),
        ("a page that has expired", EXPIRED, vec![419, 200]),
        ("one request of two", ONE_OF_TWO, vec![409, 200]),
        ("a word of success a moment later", SAYS_LATE, vec![409]),
    ] {
        let app = App::new(script, 200, Does::It);
        let user = json!({ "userName": "zed@acme.example", "displayName": "Zed" });
        let result = room.run(&app, "user.create", user).await;
        let listed: Vec<u16> = result.sent.iter().filter_map(|sent| sent.status).collect();
        assert_eq!(result.outcome, Outcome::Succeeded, "{how}: {:?}, {listed:?}", result.error);
        assert_eq!(listed, statuses, "{how}");
        assert_eq!(app.found("zed@acme.example"), ["Active"], "{how}: once");
    }
    room.end().await;
}

/// What a page sends before the commit, because of an input, is stopped before it leaves. What it sends without one passes.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_changes_before_the_commit() {
    const ON_BLUR: &str =
        "at('mail').onchange = () => send({ op: 'add', mail: at('mail').value, name: '' }); go('');";
    const WHILE_TYPING: &str = "at('name').oninput = () => fetch('/api/users', { method: 'POST', keepalive: true, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ op: 'add', mail: at('mail').value, name: at('name').value }) }); go('');";
    const BY_FORM: &str = "at('mail').onchange = () => { const form = document.createElement('form'); form.method = 'post'; form.action = '/api/users'; document.body.append(form); form.submit(); }; go('');";
    let zed = || json!({ "userName": "zed@acme.example", "displayName": "Zed" });
    let room = Room::new();
    for (how, script) in [("leaving a field", ON_BLUR), ("typing", WHILE_TYPING), ("a form", BY_FORM)] {
        for mode in ["plan", "execute"] {
            let app = App::new(script, 200, Does::It);
            let result = room.run_in(mode, &app, "user.create", zed()).await;
            assert_eq!(app.changes(), 0, "{how}, {mode}");
            assert_eq!(code(&result), Some(Code::UnexpectedWrite), "{how}, {mode}: {:?}", result.error);
            assert_eq!((result.outcome, result.changed), (Outcome::Blocked, Some(false)), "{how}, {mode}");
            let error = result.error.expect("an error");
            assert!(error.hint.is_some_and(|hint| hint.contains("sends: [POST /api/users]")), "{how}");
        }
    }
    let unasked = [
        (
            "now and then",
            "setTimeout(() => setInterval(() => send({ op: 'poll', time: Date.now() }), 50), 700); go('');",
        ),
        (
            "again and again",
            "setInterval(() => send({ op: 'poll', mail: String(Date.now()) }), 100); go('');",
        ),
        (
            "a message without an answer",
            "at('mail').onchange = () => navigator.sendBeacon('/api/users', '{}'); go('');",
        ),
    ];
    for (how, script) in unasked {
        let app = App::new(script, 200, Does::It);
        let result = room.run_in("plan", &app, "user.create", zed()).await;
        assert_eq!(
            (result.outcome, result.changed),
            (Outcome::Succeeded, Some(false)),
            "{how}: {:?}",
            result.error
        );
        let result = room.run(&app, "user.create", zed()).await;
        assert_eq!(result.outcome, Outcome::Succeeded, "{how}: {:?}", result.error);
        assert_eq!(app.found("zed@acme.example"), ["Active"], "{how}");
    }
    room.end().await;
}

/// A search by POST looks like a change. The playbook says that it reads.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_reads_is_named_by_the_playbook() {
    const BY_POST: &str = "go = async (q) => draw(await (await fetch('/api/search?q=' + q, { method: 'POST', body: 'q=' + q })).json()); draw([]);";
    let ada = || json!({ "userName": "ada@acme.example" });
    let app = App::new(BY_POST, 200, Does::It);
    let room = Room::new();
    // The page says "No users match" before any answer: that proves nothing.
    let removed = room.run(&app, "user.delete", ada()).await;
    assert_eq!(code(&removed), Some(Code::UnexpectedWrite), "{:?}", removed.error);
    assert_eq!((removed.outcome, removed.changed), (Outcome::Blocked, Some(false)));
    assert_eq!(app.found("ada@acme.example"), ["Active"]);
    let stopped = room.run(&app, "user.get", ada()).await;
    let error = stopped.error.expect("an error");
    let hint = error.hint.unwrap_or_default();
    assert!(hint.contains("reads: [POST /api/search]"), "{:?}: {}; {hint}", error.code, error.message);
    room.end().await;
    let room = Room::with("reads: [ { request: POST /api/search, with: [q] } ]\n");
    let read = room.run(&app, "user.get", ada()).await;
    assert_eq!(read.outcome, Outcome::Succeeded, "{:?}", read.error);
    room.end().await;
}

/// The button acts when it is pressed down, and moves away from under the pointer: there is no click.
const PRESSED_DOWN: &str = r#"
go = async (q) => {
  draw(await load(q));
  for (const button of document.querySelectorAll('td button')) {
    button.onclick = null;
    if (button.textContent === 'Suspend') button.onmousedown = () => {
      button.animate([{ translate: '0 300px' }, { translate: '0 300px' }], 1000);
      setTimeout(() => suspend(button), 300);
    };
  }
};
go('');"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_heard_in_part_counts_as_made() {
    let room = Room::new();
    let app = App::new(PRESSED_DOWN, 200, Does::It);
    let result = room.run(&app, "user.disable", json!({ "userName": "ada@acme.example" })).await;
    assert_eq!((result.outcome, result.changed), (Outcome::Succeeded, Some(true)), "{:?}", result.error);
    assert_eq!((app.changes(), app.found("ada@acme.example")), (1, vec!["Suspended".to_owned()]));
    assert!(result.drift.iter().any(|note| note.contains("is not repeated")), "{:?}", result.drift);
    room.end().await;
}

/// The app gives no answer, and does not show the user: nobody knows whether there is one with this password.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_password_is_delivered_although_the_end_is_unknown() {
    let room = Room::edited(|playbook| {
        let usual = "      - { click: { button: Invite }, commit: true }\n";
        let secret = "      - fill: { into: { label: Cost centre }, secret: initial_password }\n";
        assert!(playbook.contains(usual));
        playbook.replace(usual, &format!("{secret}{usual}"))
    });
    let reader = age::x25519::Identity::generate();
    let new_user =
        json!({ "generate": { "initial_password": {} }, "deliver_to": reader.to_public().to_string() });
    let user = json!({ "userName": "zed@acme.example", "displayName": "Zed" });
    let app = App::new("go('');", 0, Does::Nothing);
    let result = room.run_with(&app, "user.create", json!({ "user": user, "new_user": new_user })).await;
    assert_eq!((result.outcome, result.changed), (Outcome::Indeterminate, None), "{:?}", result.error);
    let delivered = result.new_user.expect("secrets are delivered");
    let sealed = delivered.secrets["initial_password"].as_deref().expect("it is known");
    assert!(!age::decrypt(&reader, sealed.as_bytes()).expect("the key opens it").is_empty());
    room.end().await;
}

/// Each row has controls that save at once: a select by PUT, and radio buttons by POST, with a value that no job names.
const SAVES_AT_ONCE: &str = r#"
const save = (method, control, value) => fetch('/api/users', { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ op: 'suspend', mail: control.closest('tr').cells[0].textContent, value }) });
go = async (q) => {
  draw(await load(q));
  for (const row of document.querySelectorAll('tbody tr')) row.cells[3].insertAdjacentHTML('beforeend', `<select aria-label=Access onchange="save('PUT', this, this.value)"><option>Full<option>None</select>
    <fieldset><legend>State</legend>${['On', 'Off'].map((name, value) => `<label><input type=radio name="${row.cells[0].textContent}" ${value ? '' : 'checked'} onchange="save('POST', this, ${value})">${name}</label>`).join('')}</fieldset>`);
};
go('');"#;

/// The first step saves, and is not marked as the commit.
#[tokio::test(flavor = "multi_thread")]
async fn a_control_that_saves_at_once_changes_nothing_before_the_commit() {
    let ada = || json!({ "userName": "ada@acme.example" });
    for (method, field) in [("PUT", "Access: None"), ("POST", "State: \"Off\"")] {
        let room = Room::with_first_step(&format!("form: {{ {field} }}\n        in: user row"));
        for mode in ["plan", "execute"] {
            let app = App::new(SAVES_AT_ONCE, 200, Does::It);
            let result = room.run_in(mode, &app, "user.disable", ada()).await;
            let ends = (result.outcome, result.changed, code(&result));
            assert_eq!(
                ends,
                (Outcome::Blocked, Some(false), Some(Code::UnexpectedWrite)),
                "{field}, {mode}: {:?}",
                result.error
            );
            assert_eq!(
                (app.changes(), app.found("ada@acme.example")),
                (0, vec!["Active".to_owned()]),
                "{field}, {mode}"
            );
        }
        room.end().await;
        // Where the playbook names the request, it reaches the app: the control does save.
        let named =
            format!("form: {{ {field} }}\n        in: user row\n        sends: [{method} /api/users]");
        let room = Room::with_first_step(&named);
        let app = App::new(SAVES_AT_ONCE, 200, Does::It);
        let result = room.run(&app, "user.disable", ada()).await;
        assert_eq!(result.outcome, Outcome::Succeeded, "{field}: {:?}", result.error);
        assert_eq!(app.changes(), 2, "{field}: of the control, and of the commit");
        room.end().await;
        // Only in that step: the next one saves again, and names nothing.
        let back = field.replace("None", "Full").replace("Off", "On");
        let room =
            Room::with_first_step(&format!("{named}\n      - form: {{ {back} }}\n        in: user row"));
        let app = App::new(SAVES_AT_ONCE, 200, Does::It);
        let result = room.run(&app, "user.disable", ada()).await;
        assert_eq!(code(&result), Some(Code::UnexpectedWrite), "{field}: {:?}", result.error);
        assert_eq!(app.changes(), 1, "{field}: of the first step alone");
        room.end().await;
    }
}

/// A job begins where a new session would begin: the page that the job before has left proves nothing about the tenant.
#[tokio::test(flavor = "multi_thread")]
async fn the_tenant_is_looked_for_on_a_fresh_page() {
    let room = Room::edited(|playbook| {
        let signed_in = "  signed_in: { link: Users }\n";
        assert!(playbook.contains(signed_in));
        let tenant = "  tenant: { text_of: { testid: space }, equals: acme }\n";
        playbook.replace(signed_in, &format!("{signed_in}{tenant}"))
    });
    for (how, left) in
        [("shows none", "at('space').remove()"), ("shows another", "at('space').textContent = 'other'")]
    {
        let script = format!("go = async (q) => {{ draw(await load(q)); if (q) {left}; }}; go('');");
        let app = App::new(script, 200, Does::It);
        let address = app.serve().await;
        for _ in 0..2 {
            let ada = json!({ "user": { "userName": "ada@acme.example" } });
            let read = room.run_at(address, "user.get", ada).await;
            assert_eq!(read.outcome, Outcome::Succeeded, "the page {how}: {:?}", read.error);
        }
        assert_eq!(app.sign_ins(), 1, "the session is used again");
    }
    // The other way round: the page that was left shows the right tenant, and the app is in another one by now.
    let app = App::new(
        "if (localStorage.moved) at('space').textContent = 'other'; go = async (q) => { draw(await load(q)); if (q) localStorage.moved = 1; }; go('');",
        200,
        Does::It,
    );
    let address = app.serve().await;
    let ada = || json!({ "user": { "userName": "ada@acme.example" } });
    let read = room.run_at(address, "user.get", ada()).await;
    assert_eq!(read.outcome, Outcome::Succeeded, "{:?}", read.error);
    let moved = room.run_at(address, "user.delete", ada()).await;
    assert_eq!(code(&moved), Some(Code::WrongTenant), "{:?}", moved.error);
    assert_eq!(app.found("ada@acme.example"), ["Active"]);
    room.end().await;
}
