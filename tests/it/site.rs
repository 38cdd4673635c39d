//! The fixture sites over real HTTP: what a person can do, what a site refuses, and its faults.

use crate::support::{PASSWORD, control, member, site};
use reqwest::{Client, StatusCode, redirect::Policy};
use seatwright::site::Site;
use serde_json::{Value, json};

/// A visitor with cookies, who follows redirects.
struct Visitor {
    client: Client,
    base: String,
}

impl Visitor {
    fn of(site: &seatwright::site::RunningSite) -> Self {
        let client =
            Client::builder().cookie_store(true).redirect(Policy::limited(5)).build().expect("a client");
        Self { client, base: format!("http://{}", site.addr()) }
    }

    async fn get(&self, path: &str) -> String {
        self.client
            .get(format!("{}{path}", self.base))
            .send()
            .await
            .expect("an answer")
            .text()
            .await
            .expect("text")
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> (StatusCode, String) {
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self
            .client
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(body).send().await.expect("an answer");
        (answer.status(), answer.text().await.expect("text"))
    }

    async fn sign_in(&self, password: &str) -> (StatusCode, String) {
        self.post("/login", &[("email", "svc@acme.example"), ("password", password)]).await
    }

    /// The token of the forms on the members page.
    async fn token(&self) -> String {
        let page = self.get("/members").await;
        let rest = page.split("name=\"csrf\" value=\"").nth(1).expect("a form");
        rest.split('"').next().expect("its token").to_owned()
    }
}

#[tokio::test]
async fn signing_in_takes_the_right_password_and_locks_after_five_wrong_ones() {
    let site = site("ledgerly").await;
    let visitor = Visitor::of(&site);
    assert!(visitor.get("/members").await.contains("Sign in to Ledgerly"));
    let (status, page) = visitor.sign_in("wrong").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(page.contains("Incorrect email or password"));
    assert!(visitor.sign_in(PASSWORD).await.1.contains("<h1>Members</h1>"));
    let stranger = Visitor::of(&site);
    for _ in 0..5 {
        stranger.sign_in("wrong").await;
    }
    assert!(stranger.sign_in(PASSWORD).await.1.contains("This account is locked"));
    site.reset();
    assert!(stranger.sign_in(PASSWORD).await.1.contains("<h1>Members</h1>"));
    site.stop().await;
}

#[tokio::test]
async fn the_list_pages_and_searches() {
    let site = site("ledgerly").await;
    let visitor = Visitor::of(&site);
    visitor.sign_in(PASSWORD).await;
    let first = visitor.get("/members").await;
    assert!(first.contains("300 members") && first.contains("Page 1 of 12"));
    assert_eq!(first.matches(">Edit<").count(), 25);
    assert!(visitor.get("/members?page=12").await.contains("<button disabled>Next page"));
    let found = visitor.get("/members?q=ada%40acme.example").await;
    assert!(found.contains("3 members") && found.contains("nada@acme.example"), "look-alikes are found too");
    assert!(visitor.get("/members?q=zzz").await.contains("No members match"));
    site.stop().await;
}

#[tokio::test]
async fn members_are_invited_edited_suspended_and_removed() {
    let site = site("ledgerly").await;
    let visitor = Visitor::of(&site);
    visitor.sign_in(PASSWORD).await;
    let token = visitor.token().await;
    let invite = [
        ("csrf", token.as_str()),
        ("email", "Ada@acme.example"),
        ("given", "Ada"),
        ("family", "Byron"),
        ("role", "Viewer"),
        ("teams", "Sales"),
        ("teams", "Finance"),
    ];
    assert!(visitor.post("/members", &invite).await.1.contains("Invite sent"));
    let ada = member(&site, "ada@acme.example").expect("she is there");
    assert_eq!(
        (&ada["name"], &ada["role"], &ada["teams"]),
        (&json!("Ada Byron"), &json!("Viewer"), &json!(["Finance", "Sales"]))
    );
    let (status, page) = visitor.post("/members", &invite).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.contains("already exists") && page.contains("value=\"Ada@acme.example\""),
        "what was typed is kept"
    );

    let id = ada["id"].as_str().expect("an id").to_owned();
    let edit = [("csrf", token.as_str()), ("name", "Ada King"), ("role", "Member")];
    assert!(visitor.post(&format!("/members/{id}"), &edit).await.1.contains("Changes saved"));
    assert!(visitor.post(&format!("/members/{id}/suspend"), &edit).await.1.contains("Member suspended"));
    let ada = member(&site, "ada@acme.example").expect("she is there");
    assert_eq!(
        (&ada["name"], &ada["status"], &ada["teams"]),
        (&json!("Ada King"), &json!("Suspended"), &json!([]))
    );
    assert!(visitor.post(&format!("/members/{id}/remove"), &edit).await.1.contains("Member removed"));
    assert_eq!(member(&site, "ada@acme.example"), None);

    // A form without the token does nothing.
    let (status, _) = visitor.post("/members/m3/remove", &[("csrf", "made-up")]).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(member(&site, "nada@acme.example").is_some());
    // The last admin stays.
    assert!(visitor.post("/members/m2/remove", &[("csrf", &token)]).await.1.contains("Member removed"));
    assert!(
        visitor
            .post("/members/m1/remove", &[("csrf", &token)])
            .await
            .1
            .contains("At least one admin is needed")
    );
    control(&site, "world", json!({ "settings": { "seats": 10 } })).await;
    let more = [
        ("csrf", token.as_str()),
        ("email", "bo@acme.example"),
        ("given", "Bo"),
        ("family", "B"),
        ("role", "Viewer"),
    ];
    assert!(visitor.post("/members", &more).await.1.contains("No seats left"));
    site.stop().await;
}

#[tokio::test]
async fn faults_happen_where_and_as_often_as_they_were_asked_for() {
    let site = site("ledgerly").await;
    let visitor = Visitor::of(&site);
    visitor.sign_in(PASSWORD).await;
    let token = visitor.token().await;
    control(
        &site,
        "faults",
        json!([
            { "on": "GET /roles", "do": "status", "status": 503, "times": 1 },
            { "on": "POST /members/{id}/suspend", "do": "drop_after", "times": 1 },
            { "on": "GET /members", "do": "session_lost", "times": 1 },
        ]),
    )
    .await;
    assert!(visitor.get("/roles").await.contains("503"));
    assert!(visitor.get("/roles").await.contains("<h1>Roles and teams</h1>"));
    let dropped = visitor
        .client
        .post(format!("{}/members/m3/suspend", visitor.base))
        .body(format!("csrf={token}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .send()
        .await;
    assert!(dropped.is_err(), "the connection is closed without an answer");
    assert_eq!(
        member(&site, "nada@acme.example").expect("she is there")["status"],
        "Suspended",
        "and yet it was done"
    );
    assert!(visitor.get("/members").await.contains("Sign in to Ledgerly"));
    site.stop().await;
}

#[tokio::test]
async fn pages_are_covered_redrawn_and_changed() {
    let site = site("ledgerly").await;
    let visitor = Visitor::of(&site);
    control(
        &site,
        "faults",
        json!([
            { "on": "GET /members", "do": "overlay", "title": "Rate \"us\"", "button": "Not now", "times": 1 },
            { "on": "GET /members", "do": "changed", "replace": { "Invite people": "Add people" }, "skip": 1 },
            { "on": "GET /roles", "do": "double_render", "times": 1 },
            { "on": "GET /static/style.css", "do": "status", "status": 404, "times": 1 },
            { "on": "GET /login", "do": "status", "status": 429, "retry_after": 7, "times": 1 },
        ]),
    )
    .await;
    let busy = visitor.client.get(format!("{}/login", visitor.base)).send().await.expect("an answer");
    assert_eq!(
        (busy.status().as_u16(), &busy.headers()["retry-after"]),
        (429, &"7".parse().expect("a number"))
    );
    // A redirect to the sign-in is not the page of the faults.
    visitor.get("/members").await;
    visitor.sign_in(PASSWORD).await;
    let covered = visitor.get("/members").await;
    assert!(!covered.contains("Rate"), "the page after the sign-in had the dialog, and once only");
    assert!(covered.contains("Add people") && !covered.contains("Invite people"));
    control(
        &site,
        "faults",
        json!([{ "on": "GET /members", "do": "overlay", "title": "Rate \"us\"", "button": "Not now" }]),
    )
    .await;
    let covered = visitor.get("/members").await;
    let (page, end) = covered
        .split_once("<dialog role=\"dialog\" aria-modal=\"true\" aria-label=\"Rate &quot;us&quot;\"")
        .expect("a dialog");
    assert!(
        page.contains("300 members")
            && end.contains(">Not now</button>")
            && end.trim_end().ends_with("</html>")
    );
    control(&site, "faults", json!([{ "on": "GET /roles", "do": "double_render", "times": 1 }])).await;
    assert!(
        visitor.get("/roles").await.contains("document.body.innerHTML = document.body.innerHTML }, 150)")
    );
    assert!(!visitor.get("/roles").await.contains("innerHTML"));
    site.stop().await;
}

#[tokio::test]
async fn scripts_and_data_are_changed_too() {
    let site = site("orbit").await;
    let visitor = Visitor::of(&site);
    control(
        &site,
        "faults",
        json!([
            { "on": "GET /static/operators.js", "do": "changed", "replace": { "Discharge operator": "Remove operator" } },
            { "on": "GET /api/operators", "do": "changed", "replace": { "zoe@": "joe@" } },
            { "on": "GET /static/kit.js", "do": "status", "status": 502, "times": 1 },
        ]),
    )
    .await;
    assert!(visitor.get("/static/operators.js").await.contains("action: \"Remove operator\""));
    assert!(visitor.get("/static/kit.js").await.contains("502"));
    assert!(visitor.get("/static/kit.js").await.contains("export function"));
    visitor.sign_in(PASSWORD).await;
    assert!(visitor.get("/api/operators?q=zimmer").await.contains("joe@acme.example"));
    site.stop().await;
}

#[tokio::test]
async fn reads_lag_behind_a_write_that_was_made() {
    let site = site("ledgerly").await;
    let visitor = Visitor::of(&site);
    visitor.sign_in(PASSWORD).await;
    let token = visitor.token().await;
    let fault = |more: serde_json::Value| {
        let mut fault = json!({ "on": "POST /members/{id}/remove", "do": "lag" });
        fault.as_object_mut().expect("a fault").extend(more.as_object().expect("keys").clone());
        json!([fault])
    };
    control(&site, "faults", fault(json!({ "reads": 2 }))).await;
    // The page that the answer leads to is the first read.
    let (_, page) = visitor.post("/members/m3/remove", &[("csrf", &token)]).await;
    assert!(page.contains("Member removed") && page.contains("300 members"));
    assert!(member(&site, "nada@acme.example").is_none(), "and yet it was done");
    assert!(visitor.get("/members").await.contains("300 members"));
    assert!(visitor.get("/members").await.contains("299 members"));
    control(&site, "faults", fault(json!({ "ms": 0 }))).await;
    assert!(visitor.post("/members/m4/remove", &[("csrf", &token)]).await.1.contains("298 members"));
    control(&site, "faults", fault(json!({}))).await;
    // A second write shows neither itself nor the first one.
    for id in ["m5", "m6"] {
        let (_, page) = visitor.post(&format!("/members/{id}/remove"), &[("csrf", &token)]).await;
        assert!(page.contains("Member removed") && page.contains("298 members"), "{id}");
    }
    assert!(visitor.get("/members").await.contains("298 members"), "for ever");
    site.reset();
    visitor.sign_in(PASSWORD).await;
    assert!(visitor.get("/members").await.contains("300 members"));
    site.stop().await;
}

/// Nada and the one before her, by what a fault makes of a write that reports success.
#[tokio::test]
async fn writes_report_success_and_do_something_else() {
    let site = site("ledgerly").await;
    let visitor = Visitor::of(&site);
    visitor.sign_in(PASSWORD).await;
    let token = visitor.token().await;
    let of = |id: &str| -> Vec<Value> {
        let world = site.world();
        let members = world["members"].as_array().expect("members").iter();
        members.filter(|member| member["id"] == id || member["id"] == format!("{id}-copy")).cloned().collect()
    };
    let seed = site.world();
    let (olga, nada) = (of("m2").remove(0), seed["members"][2].clone());
    let with = |record: &Value, fields: Value| {
        let mut record = record.clone();
        record.as_object_mut().expect("a record").extend(fields.as_object().expect("fields").clone());
        record
    };
    let done = json!({ "name": "Nada King", "role": "Viewer", "teams": ["Finance", "Sales", "Support"] });
    let edit = [
        ("csrf", token.as_str()),
        ("name", "Nada King"),
        ("role", "Viewer"),
        ("teams", "Finance"),
        ("teams", "Sales"),
        ("teams", "Support"),
    ];
    let half = json!({ "name": "Nada King", "teams": ["Finance", "Sales"] });
    let also = with(&with(&nada, done.clone()), json!({ "status": "Locked" }));
    let copy = with(&with(&nada, done.clone()), json!({ "id": "m3-copy" }));
    let all = || with(&nada, done.clone());
    let table = [
        (json!({ "do": "no_effect" }), olga.clone(), vec![nada.clone()]),
        (json!({ "do": "partial" }), olga.clone(), vec![with(&nada, half)]),
        (json!({ "do": "wrong_record" }), with(&olga, done.clone()), vec![nada.clone()]),
        (json!({ "do": "side_effect", "set": { "status": "Locked" } }), olga.clone(), vec![also]),
        (json!({ "do": "duplicate" }), olga.clone(), vec![all(), copy]),
        (json!({ "do": "optimistic" }), olga.clone(), vec![nada.clone()]),
        (json!({ "do": "rolled_back" }), olga.clone(), vec![all()]),
        (json!({ "do": "signed_out" }), olga.clone(), vec![nada.clone()]),
    ];
    for (fault, other, meant) in table {
        let fault = with(&fault, json!({ "on": "POST /members/{id}", "times": 1 }));
        let name = fault["do"].as_str().expect("a name").to_owned();
        control(&site, "world", seed.clone()).await;
        control(&site, "faults", json!([fault])).await;
        let (_, page) = visitor.post("/members/m3", &edit).await;
        assert_eq!((of("m2").remove(0), of("m3")), (other, meant), "{name}");
        assert_eq!(page.contains("Changes saved"), name != "signed_out", "{name}");
        let page = visitor.get("/members?q=nada").await;
        let is_shown = !["no_effect", "signed_out"].contains(&name.as_str());
        assert_eq!(page.contains("Nada King"), is_shown, "{name}");
        // A page that is opened by its address.
        let opened = visitor.client.get(format!("{}/members?q=nada", visitor.base));
        let opened = opened.header("sec-fetch-site", "none").header("sec-fetch-mode", "navigate");
        let page = opened.send().await.expect("an answer").text().await.expect("text");
        if ["optimistic", "rolled_back"].contains(&name.as_str()) {
            assert_eq!(of("m3"), std::slice::from_ref(&nada), "{name}");
            assert!(page.contains("Nada Byron") && !page.contains("Nada King"), "{name}");
        }
    }
    site.stop().await;
}

#[tokio::test]
async fn an_invalid_fault_is_refused() {
    let site = site("ledgerly").await;
    for (fault, said) in [
        (json!({ "on": "POST /member", "do": "lag" }), "`POST /member` would never happen"),
        (json!({ "on": "GET /members/m3", "do": "lag" }), "POST /members/{id}, "),
        (json!({ "on": "GET /members", "do": "lagging" }), "double_render"),
        (json!({ "on": "GET /members", "do": "changed" }), "`changed` needs `replace`"),
        (json!({ "on": "GET /members", "do": "slow" }), "`slow` needs `ms`"),
        (json!({ "on": "POST /members", "do": "side_effect" }), "`side_effect` needs `set`"),
        (json!({ "on": "POST /members", "do": "no_effect", "set": { "role": "Admin" } }), "no key `set`"),
        (json!({ "on": "GET /members", "do": "status", "ms": 5 }), "the fault `status` has no key `ms`"),
        (json!({ "on": "GET /members", "do": "overlay", "titel": "x" }), "`titel`"),
    ] {
        let refused = site.fail_with(&[fault]).expect_err(said);
        assert!(refused.contains(said), "{refused}");
    }
    site.stop().await;
}

#[tokio::test]
async fn forms_bring_files_and_routes_give_them() {
    let site = site("registry").await;
    let visitor = Visitor::of(&site);
    visitor.post("/logon", &[("email", "svc@acme.example"), ("password", PASSWORD)]).await;
    let page = visitor.get("/people/new").await;
    let token = page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let token = token.expect("a form with its token").to_owned();
    let field = |name: &str, value: &str| {
        format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let file = |name: &str, file: &str, kind: &str, content: &str| {
        let head = format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"");
        format!("--edge\r\n{head}\r\nContent-Type: {kind}\r\n\r\n{content}\r\n")
    };
    let typed = [
        field("csrf", &token),
        field("email", "Bo@acme.example"),
        field("first", "Bo"),
        field("last", "Berg --edge"),
        field("no", "2000"),
        field("kind", "Employee"),
        field("until", "2027-01-01"),
    ];
    let post = |parts: String| {
        let call = visitor.client.post(format!("{}/people/new/rights", visitor.base));
        let call = call.header("content-type", "multipart/form-data; boundary=edge").body(parts);
        async move {
            let answer = call.send().await.expect("an answer");
            (answer.status(), answer.text().await.expect("text"))
        }
    };
    // An empty file control adds no file, and the typed values are kept.
    let none =
        file("photo", "", "application/octet-stream", "") + &file("order", "o.txt", "text/plain", "now");
    let (status, page) = post(typed.concat() + &none + "--edge--\r\n").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.matches("Attach a photo (PNG)").count() == 2, "in the summary and beside the field");
    assert!(page.contains("value=\"Berg --edge\"") && !page.contains("Attach the order"), "{page}");
    let both = file("photo", "b.png", "image/png", "\u{1}\r\n\r\n\u{2}")
        + &file("order", "o.txt", "text/plain", "now");
    let (status, page) = post(typed.concat() + &both + "--edge--\r\n").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        page.contains("value=\"b.png (6 bytes)\"") && page.contains("name=\"order\" value=\"now\""),
        "{page}"
    );
    let (status, page) = post(typed.concat()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{page}");
    let stale = post(field("csrf", "another") + "--edge--\r\n").await;
    assert_eq!(stale.0, StatusCode::FORBIDDEN);
    assert!(stale.1.contains("This form is out of date"));
    let answer =
        visitor.client.get(format!("{}/people/p6/export", visitor.base)).send().await.expect("a file");
    let head =
        |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    assert_eq!(head("content-disposition").as_deref(), Some("attachment; filename=\"record-1006.csv\""));
    assert_eq!(head("content-type").as_deref(), Some("text/csv; charset=utf-8"));
    assert!(answer.text().await.expect("text").contains("1006;Byron;Ada;ada@acme.example;"));
    site.stop().await;
}

#[tokio::test]
async fn the_world_is_the_same_every_time() {
    let (one, two) = (site("ledgerly").await, site("ledgerly").await);
    assert_eq!(one.world(), two.world());
    let members = one.world()["members"].as_array().map(Vec::len);
    assert_eq!(members, Some(300));
    one.stop().await;
    two.stop().await;
}

#[test]
fn a_broken_site_says_what_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = |text: &str| {
        std::fs::write(folder.path().join("site.yaml"), text).expect("written");
        Site::load(folder.path()).expect_err("it is broken").to_string()
    };
    assert!(
        Site::load(&folder.path().join("nowhere"))
            .expect_err("nothing there")
            .to_string()
            .contains("site.yaml")
    );
    let base = "site: 1\ntitle: X\nsign_in: { path: /login, template: login.html, home: /, accounts: [] }\nworld: { collections: {} }\n";
    assert!(
        error(&format!("{base}routes: [ {{ get: /x, render: missing.html }} ]\n")).contains("missing.html")
    );
    assert!(error(&format!("{base}routes: [ {{ get: /x }} ]\n")).contains("neither"));
    assert!(error(&format!("{base}rotues: []\n")).contains("rotues"));
    assert!(error("site: 2\n").contains("site.yaml"));
}

#[test]
fn a_misspelt_key_is_reported_with_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = std::fs::read_to_string(crate::support::root().join("fixtures/sites/ledgerly/site.yaml"))
        .expect("a site");
    for (right, wrong, parts) in [
        (
            "    flash: Invite sent",
            "    flahs: Invite sent",
            ["unknown key `flahs`", "did you mean `flash`?", "site.yaml:79:5"],
        ),
        ("lock_after: 5", "lock_after: often", ["the text \"often\"", "a number", "site.yaml:10:15"]),
    ] {
        std::fs::write(folder.path().join("site.yaml"), source.replacen(right, wrong, 1)).expect("written");
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_seatwright"));
        let out = command.args(["site", "--port", "0"]).arg(folder.path()).output().expect("it runs");
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        assert_eq!(out.status.code(), Some(1), "{said}");
        for part in parts {
            assert!(said.contains(part), "no `{part}` in\n{said}");
        }
    }
}

#[tokio::test]
async fn a_json_api_on_a_host_of_its_own() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join("depot");
    std::fs::create_dir_all(folder.join("parts")).expect("folders");
    std::fs::write(folder.join("login.html"), "<h1>Sign in</h1>").expect("a page");
    std::fs::write(folder.join("parts/app.js"), "class Depot { #shelf = 1 }").expect("a script");
    std::fs::write(folder.join("site.yaml"), DEPOT).expect("a site");
    let site = Site::load(&folder).expect("loads").serve(([127, 0, 0, 1], 0).into()).await.expect("serves");
    let (base, api) = (format!("http://{}", site.addr()), "api.depot.localhost:9");
    let client = Client::builder().redirect(Policy::none()).build().expect("a client");
    let call = |method: &str, path: &str, body: &str| {
        let method = method.parse().expect("a method");
        let call = client.request(method, format!("{base}{path}")).header("accept", "application/json");
        call.header("content-type", "application/json").body(body.to_owned())
    };
    let told = |answer: reqwest::Response| async move {
        (answer.status().as_u16(), answer.text().await.expect("text"))
    };
    let send =
        |call: reqwest::RequestBuilder| async move { told(call.send().await.expect("an answer")).await };
    let bearer = |call: reqwest::RequestBuilder| call.header("host", api).bearer_auth("t-1");
    assert_eq!(send(call("POST", "/items", "{}").header("host", api)).await.0, 401);
    let made = send(bearer(call("POST", "/items", r#"{ "id": "i2", "tags": ["a", "b"] }"#))).await;
    assert_eq!(made, (201, r#"{"id":"i2"}"#.to_owned()));
    assert_eq!(site.world()["items"][1], json!({ "id": "i2", "tags": ["a", "b"] }));
    let again = send(bearer(call("POST", "/items", r#"{ "id": "i2" }"#))).await;
    assert_eq!(again, (409, r#"{"error":"There is one already"}"#.to_owned()));
    assert_eq!(send(bearer(call("POST", "/items", "{"))).await.0, 400);
    assert_eq!(send(bearer(call("PATCH", "/items/i2", r#"{ "tags": [] }"#))).await.0, 200);
    assert_eq!(site.world()["items"][1]["tags"], json!([]));
    // The parts of a path are decoded: `%69` is an i, and an encoded slash does not separate.
    assert_eq!(send(bearer(call("DELETE", "/items/%691", ""))).await.0, 200);
    assert_eq!(send(bearer(call("DELETE", "/items/i2%2Fi3", ""))).await.0, 200);
    assert_eq!(site.world()["items"].as_array().map(Vec::len), Some(1));
    // Other hosts do not have the API, and open routes need no session.
    assert_eq!(send(call("POST", "/items", "{}").bearer_auth("t-1")).await.0, 404);
    let open = send(call("GET", "/health", "").header("host", "depot.localhost:9")).await;
    assert_eq!(open, (200, r#""http://api.depot.localhost:9""#.to_owned()));
    assert!(send(call("GET", "/static/parts/app.js", "")).await.1.contains("#shelf"));
    site.stop().await;
}

const DEPOT: &str = r#"
site: 1
title: Depot
sign_in: { path: /login, template: login.html, home: /, accounts: [ { username: a@b.example, token: t-1 } ] }
world: { collections: { items: { records: [ { id: i1, tags: [] } ] } } }
routes:
  - get: /health
    require_session: false
    json: origin.api
  - post: /items
    host: api
    require: [ { that: "not items|selectattr('id', 'eq', body.id)|list", else: There is one already, status: 409 } ]
    do: [ { insert: { into: items, record: { id: body.id, tags: body.tags } } } ]
    status: 201
    json: "{'id': body.id}"
  - patch: /items/{id}
    host: api
    do: [ { update: { in: items, where: "it.id == path.id", set: { tags: body.tags } } } ]
    json: "true"
  - delete: /items/{id}
    host: api
    do: [ { delete: { from: items, where: "it.id == path.id" } } ]
    json: "true"
"#;

#[tokio::test]
async fn each_address_may_have_a_sign_in_of_its_own() {
    let site = site("django-admin").await;
    let visitor = Visitor::of(&site);
    // A visitor without a session is redirected to the sign-in of the same part of the site.
    assert!(visitor.get("/otp-admin/auth/user/").await.contains("OTP Token:"));
    assert!(!visitor.get("/admin/auth/user/").await.contains("OTP Token:"));
    let (_, page) = visitor.post("/admin/login/", &[("email", "ops"), ("password", "correct horse")]).await;
    assert!(page.contains("Site administration"), "{page}");
    // The message after a change names the person.
    let rest = visitor.get("/admin/auth/user/add/").await;
    let token =
        rest.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a token");
    let form = [("csrf", token), ("username", "grace"), ("usable_password", "false")];
    let (_, page) = visitor.post("/admin/auth/user/add/", &form).await;
    assert!(page.contains("The user “grace” was added successfully."), "{page}");
}
