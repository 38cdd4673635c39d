//! The fixture site over real HTTP: what a person can do, what it refuses, and what goes wrong on request.

mod support;

use reqwest::{Client, StatusCode, redirect::Policy};
use seatwright::site::Site;
use serde_json::json;
use support::{PASSWORD, control, member, site};

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

    // Forms of others do nothing.
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
    assert_eq!(send(bearer(call("DELETE", "/items/i1", ""))).await.0, 200);
    assert_eq!(site.world()["items"].as_array().map(Vec::len), Some(1));
    // Elsewhere the API is not, and what is open is open.
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
    // Whoever is not in is led to the sign-in of the same part of the site.
    assert!(visitor.get("/otp-admin/auth/user/").await.contains("OTP Token:"));
    assert!(!visitor.get("/admin/auth/user/").await.contains("OTP Token:"));
    let (_, page) = visitor.post("/admin/login/", &[("email", "ops"), ("password", "correct horse")]).await;
    assert!(page.contains("Site administration"), "{page}");
    // What is said after a change names whom it was about.
    let rest = visitor.get("/admin/auth/user/add/").await;
    let token =
        rest.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a token");
    let form = [("csrf", token), ("username", "grace"), ("usable_password", "false")];
    let (_, page) = visitor.post("/admin/auth/user/add/", &form).await;
    assert!(page.contains("The user “grace” was added successfully."), "{page}");
}
