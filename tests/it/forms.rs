//! Forms as a person fills them, in real Chromium: pages that reset, reformat, take back and save what is set. What counts is
//! the app's own state, and what it received.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Form, State},
    response::{Html, Redirect},
    routing::{get, patch, post},
};
use seatwright::{
    contract::{Code, Job, JobResult, Outcome},
    event::Readers,
    worker::playbooks::Playbooks,
};
use serde_json::{Value, json};

use crate::support::{LOGIN, RealBrowser, runner};

/// An app with two users. The page that changes a user is the page of a test.
#[derive(Clone)]
struct App {
    edit: &'static str,
    world: Arc<Mutex<World>>,
}

struct World {
    users: Vec<BTreeMap<String, String>>,
    /// What may have changed the app, oldest first.
    received: Vec<String>,
}

impl App {
    fn new(edit: &'static str) -> Self {
        let user = |email: &str, name: &str| {
            let fields = [("email", email), ("name", name), ("role", "Viewer"), ("status", "Active")];
            fields.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
        };
        let users = vec![user("ada@acme.example", "Ada Byron"), user("nada@acme.example", "Nada Byron")];
        Self { edit, world: Arc::new(Mutex::new(World { users, received: Vec::new() })) }
    }

    fn change(&self, what: &str, fields: BTreeMap<String, String>) {
        let mut world = self.world.lock().expect("no test panics while it holds this");
        world.received.push(what.to_owned());
        world.users[0].extend(fields);
    }

    fn list(&self) -> String {
        let world = self.world.lock().expect("no test panics while it holds this");
        let row = |user: &BTreeMap<String, String>| {
            let of = |key: &str| user.get(key).map_or("", String::as_str);
            format!(
                "<tr><td>{}<td>{}<td>{}<td>{}<td><a href=/edit>Edit</a></tr>",
                of("email"),
                of("name"),
                of("role"),
                of("status")
            )
        };
        let rows: String = world.users.iter().map(row).collect();
        let heads = "<tr><th>Email<th>Name<th>Role<th>Status<th>Actions</tr>";
        format!(
            "{NAV}<table><caption>Users</caption><thead>{heads}</thead><tbody>{rows}</tbody></table><p>2 users</p>"
        )
    }

    /// The page that changes Ada. It shows who she is.
    fn profile(&self) -> String {
        format!("{NAV}<section aria-label=Profile><p>ada@acme.example</p>{}</section>", self.edit)
    }

    async fn serve(&self) -> u16 {
        let routes = Router::new()
            .route("/login", get(async || Html(SIGN_IN)).post(async || Redirect::to("/users")))
            .route("/users", get(async |State(app): State<Self>| Html(app.list())))
            .route("/edit", get(async |State(app): State<Self>| Html(app.profile())))
            .route("/frame", get(async |State(app): State<Self>| Html(app.edit.replace("iframe", "p"))))
            .route(
                "/save",
                post(async |State(app): State<Self>, Form(fields): Form<BTreeMap<String, String>>| {
                    app.change("save", fields);
                    Html(format!("{NAV}<p role=status>Saved</p>"))
                }),
            )
            .route(
                "/api",
                patch(async |State(app): State<Self>, Json(fields): Json<BTreeMap<String, String>>| {
                    app.change("patch", fields);
                    "saved"
                }),
            )
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        port
    }

    /// Renames Ada with these steps, after `Edit` was clicked in her row.
    async fn update(&self, mode: &str, steps: &str) -> JobResult {
        self.play(mode, steps, json!({ "userName": "ada@acme.example", "displayName": "Ada King" }), "").await
    }

    async fn play(&self, mode: &str, steps: &str, user: Value, more: &str) -> JobResult {
        let port = self.serve().await;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let playbook = folder.path().join("desk/playbook.yaml");
        std::fs::create_dir(playbook.parent().expect("its folder")).expect("a folder");
        let more = if more.starts_with("identity:") {
            more.to_owned()
        } else {
            format!("identity: userName\n{more}")
        };
        std::fs::write(
            &playbook,
            PLAYBOOK.replace("LOGIN\n", LOGIN).replace("STEPS", steps).replace("MORE", &more),
        )
        .expect("a playbook");
        let playbooks = Playbooks::read(folder.path()).expect("the playbook can be read");
        let runner = runner(folder.path(), playbooks, Arc::new(RealBrowser));
        let job = json!({
            "id": "job-1", "app": "desk", "operation": "user.update", "mode": mode, "user": user,
            "integration": { "id": "trial", "settings": { "port": port.to_string() } },
            "service_account": { "username": "svc@acme.example", "secrets": { "password": "file:password" } },
        });
        let job =
            Job::parse(job.to_string().as_bytes()).unwrap_or_else(|refusal| panic!("{}", refusal.failure));
        let result = runner.run(&job, Arc::new(Readers::default())).await;
        runner.sessions.close().await;
        result
    }

    fn received(&self) -> Vec<String> {
        self.world.lock().expect("no test panics while it holds this").received.clone()
    }

    fn ada(&self, key: &str) -> String {
        let world = self.world.lock().expect("no test panics while it holds this");
        world.users[0].get(key).cloned().unwrap_or_default()
    }

    /// The rename was saved, once.
    fn is_saved(&self, result: &JobResult, how: &str) {
        assert_eq!(result.outcome, Outcome::Succeeded, "{:?}", result.error);
        assert_eq!((self.ada("name").as_str(), self.received()), ("Ada King", vec![how.to_owned()]));
    }

    /// The job ended before its commit. Returns the message.
    fn is_untouched(&self, result: &JobResult, code: Code) -> String {
        assert_eq!(self.received(), Vec::<String>::new(), "{:?}", result.error);
        assert_eq!(result.changed, Some(false));
        let error = result.error.as_ref().expect("an error");
        assert_eq!(error.code, code, "{}", error.message);
        error.message.clone()
    }
}

const NAV: &str =
    "<!doctype html><title>Desk</title><nav><a href=/users>Users</a> <b data-testid=workspace>acme</b></nav>";

const SIGN_IN: &str =
    "<!doctype html><title>Desk</title><form method=post><label>Email <input name=email></label>
<label>Password <input type=password name=password></label><button>Sign in</button></form>";

const PLAYBOOK: &str = r#"
playbook: 1
app: desk
version: 1.0.0
start: "http://127.0.0.1:{{ settings.port }}"
origins: ["http://127.0.0.1:{{ settings.port }}"]
settings: { port: { pattern: "[0-9]{2,5}" } }
MORE
views:
  users:
    open: /users
    rows: { in: { table: Users } }
    columns:
      userName: { column: Email }
      displayName: { column: Name }
      active: { column: Status, map: { Active: true, Suspended: false } }
    pages: { next: { button: Next page }, until: absent, max: 5, total: { text: "{n} users" } }
find_user: { view: users }
login:
  signed_in: { link: Users }
  tenant: { text_of: { testid: workspace }, equals: acme }
  password:
LOGIN
operations:
  user.update:
    changes: [displayName]
    steps:
      - click: { link: Edit, in: user row }
STEPS
"#;

/// Saves the form.
const SAVE: &str = r#"
      - click: { button: Save, in: { region: Profile, text: "{{ user.userName }}" } }
        commit: true
      - expect: { status: Saved }
"#;

/// Steps, and then the form is saved.
fn then_save(steps: &str) -> String {
    format!("{steps}{SAVE}")
}

/// Fills in the name and saves the form.
fn rename_and_save() -> String {
    then_save(r#"      - form: { Name: "{{ user.displayName }}" }"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_whose_data_arrives_after_the_first_input_is_filled_again() {
    let app = App::new(
        r#"<form method=post action=/save><label>Name <input name=name value="Ada Byron"></label><button>Save</button></form>
        <script>
          const field = document.querySelector("input"); let loaded = false;
          field.oninput = () => { if (!loaded) requestAnimationFrame(() => { loaded = true; field.value = "Ada Byron" }) };
        </script>"#,
    );
    let result = app.update("execute", &rename_and_save()).await;
    app.is_saved(&result, "save");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_resets_a_field_again_and_again_is_not_sent() {
    let app = App::new(
        r#"<form method=post action=/save><label>Name <input name=name value="Ada Byron"></label><button>Save</button></form>
        <script>const field = document.querySelector("input"); field.oninput = () => setTimeout(() => { field.value = "Ada Byron" })</script>
        "#,
    );
    let result = app.update("execute", &rename_and_save()).await;
    let said = app.is_untouched(&result, Code::TargetCovered);
    assert!(said.starts_with("textbox \"Name\" was given `Ada King` and shows `Ada Byron`"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_control_is_set_again() {
    // What is set last resets what was set before: a country its states, a plan all the rest.
    let app = App::new(
        r#"<form method=post action=/save><label>Name <input name=name></label>
        <label>State <select name=state><option>None<option>Bavaria</select></label>
        <label><input type=checkbox name=contractor value=yes> Contractor</label>
        <fieldset><legend>Team</legend><label><input type=radio name=team value=red checked> Red</label><label><input type=radio name=team value=blue> Blue</label></fieldset>
        <label>Start <input type=date name=start></label>
        <label>Country <select name=country onchange="const kept = this.value, f = this.form; if (!f.done) { f.done = true; f.reset(); this.value = kept }"><option>France<option>Germany</select></label>
        <button>Save</button></form>"#,
    );
    let steps = then_save(
        r#"      - form:
          Name: "{{ user.displayName }}"
          State: Bavaria
          Contractor: "true"
          Team: Blue
          Start: "2026-11-30"
          Country: Germany"#,
    );
    let result = app.update("execute", &steps).await;
    app.is_saved(&result, "save");
    let sent = ["state", "contractor", "team", "start", "country"].map(|key| app.ada(key));
    assert_eq!(sent, ["Bavaria", "yes", "blue", "2026-11-30", "Germany"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_that_the_page_takes_back_is_not_sent() {
    let app = App::new(
        r#"<form method=post action=/save><label>Name <input name=name></label>
        <label>Role <select name=role onchange="if (this.value === 'Admin') this.value = 'Viewer'"><option>Viewer<option>Admin</select></label>
        <button>Save</button></form>"#,
    );
    let steps = rename_and_save().replace("user.displayName }}\" }", "user.displayName }}\", Role: Admin }");
    let result = app.update("execute", &steps).await;
    // The playbook itself names the role.
    let said = app.is_untouched(&result, Code::TargetMissing);
    assert_eq!(said, "combobox \"Role\" was given \"Admin\" and shows \"Viewer\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_the_page_has_used_is_not_filled_again_and_a_number_may_be_written_in_another_way() {
    let app = App::new(
        r#"<label>Add name <input id=line></label> <button onclick="whole.value = line.value; line.value = ''">Add</button>
        <form method=post action=/save><input type=hidden name=name id=whole>
        <label>Phone <input name=phone onblur="this.value = '(' + this.value.slice(0, 3) + ') ' + this.value.slice(3).trim()"></label>
        <label>Title <input name=title></label><button>Save</button></form>"#,
    );
    let steps = then_save(
        r#"      - fill: { into: { label: Add name }, value: "{{ user.displayName }}" }
      - click: { button: Add }
      - form: { Phone: "030 1234", Title: Countess }"#,
    );
    let result = app.update("execute", &steps).await;
    app.is_saved(&result, "save");
    assert_eq!(app.ada("phone"), "(030) 1234");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_in_a_frame_is_read_once_more_though_the_button_is_outside() {
    let app = App::new(
        r#"<iframe title=Person src=/frame></iframe><button onclick="frames[0].document.forms[0].submit()">Save</button>
        <form method=post action=/save target=_top><label>Name <input name=name value="Ada Byron"></label></form>
        <script>
          const field = document.querySelector("input"); let loaded = false;
          field.oninput = () => { if (!loaded) requestAnimationFrame(() => { loaded = true; field.value = "Ada Byron" }) };
          if (window === top) document.forms[0].remove();
        </script>"#,
    );
    let steps = then_save(
        r#"      - form: { Name: "{{ user.displayName }}" }
        in: { frame: Person }"#,
    );
    let result = app.update("execute", &steps).await;
    app.is_saved(&result, "save");
}

/// Editing in place: leaving the line saves it.
const IN_PLACE: &str = r#"<label>Name <input value="Ada Byron"></label><p role=status></p><script>
  const field = document.querySelector("input"); let kept = field.value;
  field.onblur = async () => {
    if (field.value === kept) return;
    kept = field.value;
    await fetch("/api", { method: "PATCH", headers: { "content-type": "application/json" }, body: JSON.stringify({ name: kept }) });
    document.querySelector("[role=status]").textContent = "Saved";
  };
</script>"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_saves_when_it_is_left_is_left_by_the_commit_alone() {
    let steps = r#"
      - fill: { into: { label: Name, in: { region: Profile, text: "{{ user.userName }}" } }, value: "{{ user.displayName }}" }
      - press: Tab
        commit: true
      - expect: { status: Saved }
"#;
    let app = App::new(IN_PLACE);
    let result = app.update("plan", steps).await;
    assert_eq!((result.outcome, app.received()), (Outcome::Succeeded, Vec::new()), "{:?}", result.error);

    let steps = r#"
      - fill: { into: { label: Name, in: { region: Profile, text: "{{ user.userName }}" } }, value: "{{ user.displayName }}" }
        commit: true
      - expect: { status: Saved }
"#;
    let app = App::new(IN_PLACE);
    let result = app.update("plan", steps).await;
    assert_eq!((result.outcome, app.received()), (Outcome::Succeeded, Vec::new()), "{:?}", result.error);
    let result = app.update("execute", steps).await;
    app.is_saved(&result, "patch");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_its_server_turns_is_waited_for_and_pressed_once() {
    let app = App::new(
        r#"<form method=post action=/save><label>Name <input name=name></label><input type=hidden name=turned id=turned value="">
        <button type=button role=switch aria-checked=false aria-label=Contractor onclick="turned.value += '1'; setTimeout(() => { this.ariaChecked = 'true' }, 300)">o</button>
        <button>Save</button></form>"#,
    );
    let steps = format!("      - check: {{ switch: Contractor }}\n{}", rename_and_save());
    let result = app.update("execute", &steps).await;
    app.is_saved(&result, "save");
    assert_eq!(app.ada("turned"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_native_dialog_is_waited_for_as_long_as_its_step() {
    let app = App::new(
        r#"<form method=post action=/save><label>Name <input name=name></label>
        <button type=button onclick="setTimeout(() => { if (confirm('Save ada@acme.example?')) this.form.submit() }, 3500)">Save</button></form>"#,
    );
    let steps = r#"
      - form: { Name: "{{ user.displayName }}" }
      - answer: { with: accept, says: "Save {{ user.userName }}?" }
      - click: { button: Save, in: { region: Profile, text: "{{ user.userName }}" } }
        commit: true
        timeout: 20s
      - expect: { status: Saved }
"#;
    let result = app.update("execute", steps).await;
    app.is_saved(&result, "save");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overlay_in_a_frame_is_put_away_when_the_page_around_it_is_asked() {
    let app = App::new(
        r#"<form method=post action=/save><label>Name <input name=name></label><button>Save</button></form>
        <script>
          const frame = document.createElement("iframe"); frame.title = "Privacy";
          frame.srcdoc = "<button onclick='parent.postMessage(1)'>Accept</button>";
          frame.style.cssText = "position: fixed; inset: 0; width: 100%; height: 100%; background: #eee";
          document.body.append(frame); onmessage = () => frame.remove();
        </script>"#,
    );
    let overlays = r#"
overlays:
  - when: { button: Accept, in: { frame: Privacy } }
    do: [{ click: { button: Accept, in: { frame: Privacy } } }]
"#;
    let ada = json!({ "userName": "ada@acme.example", "displayName": "Ada King" });
    let result = app.play("execute", &rename_and_save(), ada, overlays).await;
    app.is_saved(&result, "save");
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_reset_each_other_are_not_sent() {
    let app = App::new(
        r#"<form method=post action=/save><label>Name <input name=name></label>
        <label>State <select name=state onchange="this.form.country.value = 'None'"><option>None<option>Bavaria</select></label>
        <label>Country <select name=country onchange="this.form.state.value = 'None'"><option>None<option>Germany</select></label>
        <button>Save</button></form>"#,
    );
    let steps = rename_and_save()
        .replace("user.displayName }}\" }", "user.displayName }}\", State: Bavaria, Country: Germany }");
    let result = app.update("execute", &steps).await;
    let said = app.is_untouched(&result, Code::TargetCovered);
    assert!(
        said.starts_with("combobox \"Country\" was given `Germany` and shows `None`; it was set again"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_stays_closed_because_its_control_is_drawn_anew_is_opened_again() {
    let app = App::new(
        r#"<form method=post action=/save><label>Name <input name=name></label><input type=hidden name=role value=Viewer>
        <span id=box><button type=button role=combobox aria-label=Role aria-haspopup=listbox aria-expanded=false aria-controls=list>Viewer</button></span>
        <ul id=list role=listbox aria-label=Role hidden><li role=option>Viewer<li role=option>Admin</ul><button>Save</button></form>
        <script>
          const list = document.getElementById("list"), box = document.getElementById("box");
          box.addEventListener("mouseup", () => { box.innerHTML = box.innerHTML }, { once: true });
          box.addEventListener("click", ({ target }) => {
            if (!target.matches("button")) return;
            list.hidden = !list.hidden; target.setAttribute("aria-expanded", !list.hidden);
          });
          list.addEventListener("click", ({ target }) => {
            const button = box.querySelector("button");
            button.textContent = document.querySelector("[name=role]").value = target.textContent;
            list.hidden = true; button.setAttribute("aria-expanded", false);
          });
        </script>"#,
    );
    let steps = rename_and_save().replace("user.displayName }}\" }", "user.displayName }}\", Role: Admin }");
    let result = app.update("execute", &steps).await;
    app.is_saved(&result, "save");
    assert_eq!(app.ada("role"), "Admin");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_that_only_the_pointer_shows_is_pressed_between_what_floats_above_the_page() {
    let app = App::new(
        r#"<form method=post action=/save><label>Name <input name=name></label>
        <style>ul { margin: 900px 0 } li { height: 40px; text-align: right } li button { visibility: hidden } li:hover button { visibility: visible }</style>
        <ul aria-label=Actions><li><button>Save</button></ul></form>
        <div style="position: fixed; inset: 0 0 auto 0; height: 90px; background: #eee">Header</div>
        <div style="position: fixed; right: 0; top: 280px; width: 300px; height: 320px; background: #cfc">Chat with us</div>
        <div style="position: fixed; inset: auto 0 0 0; height: 120px; background: #fec">Cookies</div>"#,
    );
    let steps = rename_and_save()
        .replace("      - click:", "      - hover: { listitem: ~, in: { list: Actions } }\n      - click:");
    let result = app.update("execute", &steps).await;
    app.is_saved(&result, "save");
}

/// Cards: a name, and what it means.
const CARDS: &str = r#"<form method=post action=/save><label>Name <input name=name></label><fieldset><legend>Role</legend>
  <label style="display: block"><input type=radio name=role value=v checked><b>Viewer</b> Looks, like an Admin without a pen</label>
  <label style="display: block"><input type=radio name=role value=a><span>Admin</span><p>Can do everything</p></label>
  <label style="display: block"><input type=radio name=role value=o><div>Owner</div><div>of one team</div></label>
  <label style="display: block"><input type=radio name=role value=p><div>Owner</div><div>of everything</div></label></fieldset>
  <fieldset><legend>Teams</legend><label><input type=checkbox name=team value=sales><strong>Sales</strong> sells</label>
  <label><input type=checkbox name=other value=ops checked><strong>Ops</strong> keeps it running</label></fieldset><button>Save</button></form>"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_option_of_a_card_is_chosen_by_its_heading() {
    let app = App::new(CARDS);
    let form = r#"      - form: { Name: "{{ user.displayName }}", Role: Admin, Teams: [Sales] }"#;
    let result = app.update("execute", &then_save(form)).await;
    app.is_saved(&result, "save");
    assert_eq!(["role", "team", "other"].map(|key| app.ada(key)), ["a", "sales", ""]);
    let app = App::new(CARDS);
    let result = app.update("execute", &then_save(&form.replace("Admin", "Owner"))).await;
    let said = app.is_untouched(&result, Code::TargetAmbiguous);
    assert!(said.contains("begin with `Owner`: Owner of one team; Owner of everything"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_writes_in_lower_case_takes_the_identity_where_case_does_not_matter() {
    let lower = "oninput='this.value = this.value.trim().toLowerCase()'";
    let page = format!(
        "<form method=post action=/save><label>Email <input name=email {lower}></label><label>Name <input name=name></label><button>Save</button></form>"
    );
    let app = App::new(page.leak());
    let form = then_save(r#"      - form: { Email: "{{ user.userName }}", Name: "{{ user.displayName }}" }"#);
    let ada = json!({ "userName": "Ada@Acme.example", "displayName": "Ada King" });
    let result =
        app.play("execute", &form, ada, "identity: { attribute: userName, ignore_case: true }\n").await;
    app.is_saved(&result, "save");
    assert_eq!(app.ada("email"), "ada@acme.example");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_takes_something_else_is_named_with_what_to_try() {
    for (takes, hint) in [
        ("oninput='this.value = this.value.toLowerCase()'", "`| lower`"),
        ("maxlength=5", "takes only 5 characters"),
    ] {
        let page = format!(
            "<form method=post action=/save><label>Name <input name=name {takes}></label><button>Save</button></form>"
        );
        let app = App::new(page.leak());
        let result = app.update("execute", &rename_and_save()).await;
        app.is_untouched(&result, Code::InvalidValue);
        let said = result.error.and_then(|error| error.hint).unwrap_or_default();
        assert!(said.contains(hint), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_native_dialogs_of_one_press_have_their_answers_in_order() {
    const TWICE: &str = r#"<form method=post action=/save><label>Name <input name=name></label>
      <button onclick="return confirm('Save ada@acme.example?') && confirm('Really?')">Save</button></form>"#;
    let press = |answers: &str| {
        format!(
            r#"
      - form: {{ Name: "{{{{ user.displayName }}}}" }}
{answers}
      - click: {{ button: Save }}
        commit: true
      - expect: {{ status: Saved }}
"#
        )
    };
    let first = r#"      - answer: { with: accept, says: "Save {{ user.userName }}?" }"#;
    let app = App::new(TWICE);
    let answers = format!("{first}\n      - answer: {{ with: accept, says: Really? }}");
    let result = app.update("execute", &press(&answers)).await;
    app.is_saved(&result, "save");
    let app = App::new(TWICE);
    let answers = format!("{first}\n      - answer: {{ with: accept, says: Sure? }}");
    let result = app.update("execute", &press(&answers)).await;
    assert_eq!((app.received(), result.outcome), (Vec::new(), Outcome::Failed), "{:?}", result.error);
    let said = result.error.map(|error| error.message).unwrap_or_default();
    assert!(
        said.contains("text `Sure?` was expected; another one was raised, and dismissed: Really?"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_sent_from_a_window_of_its_own_needs_popup() {
    let app = App::new(
        "<form method=post action=/save target=_blank><label>Name <input name=name></label><button>Save</button></form>",
    );
    let result = app.update("execute", &rename_and_save()).await;
    app.is_untouched(&result, Code::NothingSent);
    let said = result.error.and_then(|error| error.hint).unwrap_or_default();
    assert!(said.contains("put this step into `popup:"), "{said}");
}
