//! The whole way of an identity provider's request: SCIM, the mirror, a worker, a real browser, the app, and back. Each test asks the
//! app's own state after each write.

use std::{path::PathBuf, time::Instant};

use futures_util::future::join_all;
use reqwest::{Method, Response};
use seatwright::{
    adapters::mirror_sql::SqlMirror,
    gateway::token,
    ports::mirror::{AccessToken, Mirror},
    site::RunningSite,
};
use serde_json::{Value, json};

use crate::{
    servers::{VirtualHost, corridor::Worker, ports::free_port, postgres::PrivatePostgres},
    support::{PASSWORD, control, member, root, site},
};

const ADA: &str = "ada@acme.example";

/// Site, configuration, mirror, and the token of its integration.
struct Ground {
    site: RunningSite,
    config: PathBuf,
    mirror_url: String,
    port: u16,
    token: String,
    folder: tempfile::TempDir,
}

impl Ground {
    async fn new(more: &str) -> Self {
        Self::on(site("ledgerly").await, more, None).await
    }

    async fn on(site: RunningSite, more: &str, mirror: Option<String>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("seatwright.yaml");
        let mirror_url =
            mirror.unwrap_or_else(|| format!("sqlite:{}", folder.path().join("mirror.db").display()));
        let ground = Self { site, config, mirror_url, port: free_port(), token: String::new(), folder };
        let text = ground.text(ground.port, more);
        std::fs::write(&ground.config, text).expect("the configuration can be written");
        let token = ground.add_token("books", "okta").await;
        Self { token, ..ground }
    }

    fn text(&self, port: u16, more: &str) -> String {
        format!(
            "playbooks: {}\nevidence: evidence\nbrowser: {{ allow_no_sandbox: true }}\n\
             gateway:\n  listen: 127.0.0.1:{port}\n  public_url: https://scim.example\n  mirror: {{ url: '{}' }}\n  wait: 55s\n\
             service_accounts:\n  acme: {{ username: svc@acme.example, secrets: {{ password: 'env:LEDGERLY_PASSWORD' }} }}\n\
             integrations:\n  books: {{ app: ledgerly, settings: {{ business_id: acme, port: '{}' }}, service_account: acme }}\n  \
             other: {{ app: ledgerly, settings: {{ business_id: acme, port: '{}' }}, service_account: acme }}\n{more}\n",
            root().join("playbooks").display(),
            self.mirror_url,
            self.site.addr().port(),
            self.site.addr().port(),
        )
    }

    /// The app shows each change in this time.
    fn settles_within(&self, time: &str) {
        let own = self.folder.path().join("playbooks/ledgerly");
        std::fs::create_dir_all(&own).expect("a folder");
        let shipped = root().join("playbooks/ledgerly/playbook.yaml");
        let playbook = std::fs::read_to_string(shipped).expect("a playbook") + &format!("\nsettle: {time}\n");
        std::fs::write(own.join("playbook.yaml"), playbook).expect("it can be written");
        let text = std::fs::read_to_string(&self.config).expect("the configuration");
        let (_, rest) = text.split_once('\n').expect("several lines");
        std::fs::write(&self.config, format!("playbooks: playbooks\n{rest}")).expect("it can be written");
    }

    /// The same configuration for a second gateway.
    fn second(&self, more: &str) -> (PathBuf, u16) {
        let (config, port) = (self.folder.path().join("second.yaml"), free_port());
        std::fs::write(&config, self.text(port, more)).expect("the configuration can be written");
        (config, port)
    }

    async fn mirror(&self) -> SqlMirror {
        SqlMirror::open(&self.mirror_url).await.expect("the mirror can be opened")
    }

    async fn add_token(&self, integration: &str, name: &str) -> String {
        let (token, sha256) = token::make();
        let (integration, name) = (integration.to_owned(), name.to_owned());
        let made =
            AccessToken { integration, name, sha256, created_at: jiff::Timestamp::now(), used_at: None };
        self.mirror().await.add_token(&made).await.expect("a token");
        token
    }

    /// A gateway with a worker inside, which serves already.
    fn gateway(&self, environment: &[(&str, &str)]) -> Worker {
        let mut gateway = Worker::run(&["gateway", "--with-worker"], &self.config, environment);
        gateway.says("taking jobs");
        gateway
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        self.send_to(self.port, method, path, body).await
    }

    async fn send_to(&self, port: u16, method: Method, path: &str, body: Option<Value>) -> Response {
        let url = format!("http://127.0.0.1:{port}/scim/books/v2{path}");
        let mut request = reqwest::Client::new().request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header("content-type", "application/scim+json").body(body.to_string());
        }
        request.send().await.expect("the gateway answers")
    }

    /// Status and body of a request.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let answer = self.send(method, path, body).await;
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn create(&self, body: Value) -> (u16, Value) {
        self.ask(Method::POST, "/Users", Some(body)).await
    }

    async fn jobs(&self) -> u64 {
        let all = self.mirror().await.activity("books", None, None, 1000).await.expect("the activity");
        all.iter().filter(|one| one.job.is_some()).count() as u64
    }
}

/// A new user, as Okta sends one.
fn person(email: &str, role: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": email,
        "name": { "givenName": "Ada", "familyName": "Byron" },
        "emails": [{ "primary": true, "value": email, "type": "work" }],
        "displayName": "Ada Byron",
        "locale": "en-US",
        "externalId": "00u1",
        "groups": [],
        "password": "1mz050nq",
        "active": true,
        "roles": [{ "value": role }],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_comes_changes_leaves_and_returns() {
    let ground = Ground::new("").await;
    let gateway = ground.gateway(&[]);
    let find = "/Users?filter=userName%20eq%20%22Ada%40acme.example%22&startIndex=1&count=100";
    let (status, list) = ground.ask(Method::GET, find, None).await;
    assert_eq!((status, &list["totalResults"]), (200, &json!(0)), "{list}");

    let (status, user) = ground.create(person(ADA, "Viewer")).await;
    assert_eq!(
        (status, &user["active"], &user["roles"][0]["value"]),
        (201, &json!(true), &json!("Viewer")),
        "{user}"
    );
    let id = user["id"].as_str().expect("an id").to_owned();
    assert_eq!(user["meta"]["location"], format!("https://scim.example/scim/books/v2/Users/{id}"));
    assert!(user.get("password").is_none() && user["locale"] == "en-US", "{user}");
    let ada = || member(&ground.site, ADA);
    assert_eq!(ada().map(|ada| ada["role"].clone()), Some(json!("Viewer")));
    assert_eq!(ground.ask(Method::GET, find, None).await.1["Resources"][0]["id"], *id);
    let again = ground.create(person(ADA, "Viewer")).await;
    assert_eq!((again.0, &again.1["scimType"]), (409, &json!("uniqueness")));

    // What is so already needs no job.
    let jobs = ground.jobs().await;
    let path = format!("/Users/{id}");
    let (status, same) = ground.ask(Method::PUT, &path, Some(person(ADA, "Viewer"))).await;
    assert_eq!((status, ground.jobs().await), (200, jobs), "{same}");

    // Entra's way to write a change, and Okta's.
    let entra = json!({ "Operations": [
        { "op": "Replace", "path": "displayName", "value": "Ada Lovelace" },
        { "op": "Add", "path": "roles[primary eq \"True\"].value", "value": "{\"id\":\"7\",\"value\":\"Member\"}" },
    ] });
    let (status, changed) = ground.ask(Method::PATCH, &path, Some(entra)).await;
    assert_eq!((status, &changed["displayName"]), (200, &json!("Ada Lovelace")), "{changed}");
    let now = ada().expect("she is there");
    assert_eq!((&now["name"], &now["role"]), (&json!("Ada Lovelace"), &json!("Member")));
    let okta = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "value": { "active": false } }] });
    let (status, left) = ground.ask(Method::PATCH, &path, Some(okta)).await;
    assert_eq!((status, &left["active"]), (200, &json!(false)), "{left}");
    assert_eq!(ada().expect("she is there")["status"], "Suspended");

    // Somebody who comes back has the same id.
    let (status, back) = ground.create(person(ADA, "Member")).await;
    assert_eq!(
        (status, back["id"].as_str(), &back["active"]),
        (201, Some(id.as_str()), &json!(true)),
        "{back}"
    );
    assert_eq!(ada().expect("she is there")["status"], "Active");

    assert_eq!(ground.ask(Method::DELETE, &path, None).await.0, 204);
    assert_eq!(ada(), None);
    assert_eq!(ground.ask(Method::GET, &path, None).await.0, 404);
    assert_eq!(ground.ask(Method::DELETE, &path, None).await.0, 404);
    let log = gateway.stop();
    assert!(!log.contains(PASSWORD) && !log.contains("1mz050nq") && !log.contains(&ground.token), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_and_a_token_are_what_they_say() {
    let ground = Ground::new("").await;
    let _gateway = ground.gateway(&[]);
    let (_, user) = ground.create(person(ADA, "Viewer")).await;
    let path = format!("/Users/{}", user["id"].as_str().expect("an id"));
    let tag = user["meta"]["version"].as_str().expect("a version").to_owned();
    let url = format!("http://127.0.0.1:{}/scim/books/v2{path}", ground.port);
    let client = reqwest::Client::new();
    let get = |header: &'static str, value: String| {
        client.get(&url).bearer_auth(&ground.token).header(header, value).send()
    };
    assert_eq!(get("if-none-match", tag.clone()).await.expect("an answer").status(), 304);
    let put = |tag: String| {
        let body = person(ADA, "Member").to_string();
        client.put(&url).bearer_auth(&ground.token).header("if-match", tag).body(body).send()
    };
    assert_eq!(put("W/\"0\"".to_owned()).await.expect("an answer").status(), 412);
    assert_eq!(
        member(&ground.site, ADA).expect("she is there")["role"],
        "Viewer",
        "a refused change is not made"
    );
    assert_eq!(put(tag.clone()).await.expect("an answer").status(), 200);
    assert_eq!(get("if-none-match", tag).await.expect("an answer").status(), 200, "it has changed");

    // Of another integration, of nobody, of an integration that is not there: the same answer.
    let foreign = ground.add_token("other", "entra").await;
    let ask = async |url: &str, token: &str| {
        let answer = client.get(url).header("authorization", token).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a body"))
    };
    let refused = ask(&url, &format!("Bearer {foreign}")).await;
    assert_eq!(refused.0, 401);
    assert_eq!(ask(&url, "").await, refused);
    assert_eq!(ask(&url.replace("books", "nothing"), &format!("Bearer {}", ground.token)).await, refused);
    // Okta sends a token with and without a word before it.
    for written in [ground.token.clone(), format!("bearer {}", ground.token)] {
        assert_eq!(ask(&url.replace("/v2/", "/v2//"), &written).await.0, 200, "{written}");
    }
    assert!(ground.mirror().await.remove_token("books", "okta").await.expect("it can be removed"));
    assert_eq!(ask(&url, &format!("Bearer {}", ground.token)).await, refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_requests_that_overtake_each_other_the_latest_holds() {
    let ground = Ground::new("").await;
    let _gateway = ground.gateway(&[]);
    let (_, user) = ground.create(person(ADA, "Viewer")).await;
    let path = format!("/Users/{}", user["id"].as_str().expect("an id"));
    let rename = |number: usize| {
        let value = json!({ "displayName": format!("Ada {number}") });
        json!({ "Operations": [{ "op": "replace", "value": value }] })
    };
    let all = (0..4).map(|number| ground.ask(Method::PATCH, &path, Some(rename(number))));
    let answers = join_all(all).await;
    let name = member(&ground.site, ADA).expect("she is there")["name"].clone();
    for (status, answer) in &answers {
        assert_eq!((*status, &answer["displayName"]), (200, &name), "{answers:?}");
    }
    assert_eq!(ground.ask(Method::GET, &path, None).await.1["displayName"], name);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_are_each_made_once() {
    // Shorter than all of them take in one lane: most get a 429 first.
    let ground = Ground::new("").await;
    let text = std::fs::read_to_string(&ground.config).expect("the configuration").replace("55s", "3s");
    std::fs::write(&ground.config, text).expect("the configuration can be written");
    let _gateway = ground.gateway(&[]);
    let all = (0..10).map(|number| {
        let (ground, email) = (&ground, format!("person{number}@acme.example"));
        async move {
            let mut waits = 0;
            loop {
                let answer = ground.send(Method::POST, "/Users", Some(person(&email, "Viewer"))).await;
                if answer.status() != 429 {
                    return (answer.status().as_u16(), waits);
                }
                waits += 1;
                let after =
                    answer.headers()["retry-after"].to_str().expect("a text").parse().expect("seconds");
                tokio::time::sleep(std::time::Duration::from_secs(after)).await;
            }
        }
    });
    let ended = join_all(all).await;
    assert!(ended.iter().all(|(status, _)| *status == 201), "{ended:?}");
    assert!(ended.iter().any(|(_, waits)| *waits > 0), "{ended:?}");
    for number in 0..10 {
        assert!(member(&ground.site, &format!("person{number}@acme.example")).is_some(), "{number}");
    }
    assert_eq!(ground.jobs().await, 10, "a job for each of them");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_answered_once_and_not_tried_again_by_itself() {
    let ground = Ground::new("").await;
    control(&ground.site, "world", json!({ "settings": { "seats": 0 } })).await;
    let _gateway = ground.gateway(&[]);
    let (status, refused) = ground.create(person(ADA, "Viewer")).await;
    assert_eq!(status, 503, "401 and 403 are kept for the token: {refused}");
    assert!(refused["detail"].as_str().expect("a text").contains("no free seat"), "{refused}");
    assert_eq!((ground.jobs().await, member(&ground.site, ADA)), (1, None));
    let (_, list) = ground.ask(Method::GET, "/Users", None).await;
    assert_eq!(list["totalResults"], 0, "nobody is in a list who was never there: {list}");
    control(&ground.site, "world", json!({ "settings": { "seats": 320 } })).await;
    assert_eq!(ground.create(person(ADA, "Viewer")).await.0, 201);
    // Guards refuse, too.
    let owner = person("svc@acme.example", "Admin");
    let (status, linked) = ground.create(owner).await;
    assert_eq!((status, &linked["scimType"]), (400, &json!("invalidValue")), "{linked}");
}

/// The gateway and its worker are killed at these moments of a create, start again, and the same request arrives again.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_makes_nobody_twice_and_loses_nobody() {
    for moment in ["step_started:2", "commit_reached", "verifying", "concluded"] {
        let ground = Ground::new("").await;
        ground.settles_within("1s");
        let gateway = ground.gateway(&[("SEATWRIGHT_TEST_FAULT", &format!("{moment} KILL"))]);
        let url = format!("http://127.0.0.1:{}/scim/books/v2/Users", ground.port);
        let sent = reqwest::Client::new().post(url).bearer_auth(&ground.token);
        let lost = sent.body(person(ADA, "Viewer").to_string()).send();
        assert!(lost.await.is_err(), "{moment}: the gateway dies before it answers");
        gateway.killed();
        let _again = ground.gateway(&[]);
        let begun = Instant::now();
        let (status, user) = loop {
            // A provider comes back after what it was told.
            let answer = ground.create(person(ADA, "Viewer")).await;
            if answer.0 != 429 && answer.0 != 503 {
                break answer;
            }
            assert!(begun.elapsed().as_secs() < 120, "{moment}: {answer:?}");
        };
        assert_eq!((status, &user["active"]), (201, &json!(true)), "{moment}: {user}");
        assert_eq!(user["displayName"], "Ada Byron", "{moment}");
        assert!(member(&ground.site, ADA).is_some(), "{moment}: she is there, once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_and_a_worker_over_broker_and_server_make_one_user() {
    let host = VirtualHost::take();
    let server = PrivatePostgres::start();
    let more = format!("broker: {{ url: '{}' }}", host.url);
    let ground = Ground::on(site("ledgerly").await, &more, Some(server.database("mirror"))).await;
    let (second, port) = ground.second(&more);
    let mut gateways =
        [Worker::run(&["gateway"], &ground.config, &[]), Worker::run(&["gateway"], &second, &[])];
    for gateway in &mut gateways {
        gateway.says("connected to the workers' queue");
    }
    // Nobody does the job yet: it waits in the queue.
    let both = [ground.port, port]
        .map(|port| ground.send_to(port, Method::POST, "/Users", Some(person(ADA, "Viewer"))));
    let worker = async { Worker::start(&ground.config) };
    let (answers, _worker) = tokio::join!(join_all(both), worker);
    let mut ids = Vec::new();
    for answer in answers {
        assert_eq!(answer.status(), 201);
        let user: Value = serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON");
        ids.push(user["id"].as_str().expect("an id").to_owned());
    }
    assert_eq!(ids[0], ids[1], "both get the same user");
    assert!(member(&ground.site, ADA).is_some(), "she is there, once");
    let [first, _] = gateways;
    first.kill();
    let path = format!("/Users/{}", ids[0]);
    let answer = ground.send_to(port, Method::DELETE, &path, None).await;
    assert_eq!(answer.status(), 204, "the other one goes on");
    assert_eq!(member(&ground.site, ADA), None);
}
