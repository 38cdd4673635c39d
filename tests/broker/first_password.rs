//! First passwords on real parts: only their reader learns one, and a worker that dies invents no second one.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use age::x25519::Identity;
use lapin::{Channel, Connection, ConnectionProperties, options::BasicGetOptions};
use reqwest::{Client as Visitor, redirect::Policy};
use seatwright::{
    adapters::amqp::{Client, GatewayMessage},
    contract::{JobResult, Outcome},
    site::RunningSite,
};
use serde_json::{Value, json};

use crate::{
    servers::{
        VirtualHost,
        corridor::{PATIENCE, Worker, results},
    },
    support::{control, root, site},
};

/// A first password that the job names by a reference.
const REFERENCED: &str = "tin roof rusted 7";

/// Broker, site and configuration of an app that demands a first password.
struct Vault {
    url: String,
    _host: VirtualHost,
    site: RunningSite,
    folder: tempfile::TempDir,
    config: PathBuf,
}

impl Vault {
    async fn new() -> Self {
        let (host, site) = (VirtualHost::take(), site("keyring").await);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("seatwright.yaml");
        let text = format!(
            "broker: {{ url: '{}' }}\nplaybooks: {}\nevidence: evidence\nbrowser: {{ allow_no_sandbox: true }}\n\
             service_accounts:\n  acme: {{ username: svc@acme.example, secrets: {{ password: 'env:LEDGERLY_PASSWORD' }} }}\n\
             integrations:\n  int-42: {{ app: keyring, settings: {{ business_id: acme, port: '{}' }}, service_account: acme }}\n",
            host.url,
            root().join("playbooks").display(),
            site.addr().port(),
        );
        std::fs::write(&config, text).expect("the configuration can be written");
        Self { url: host.url.clone(), _host: host, site, folder, config }
    }

    fn worker(&self) -> Worker {
        let mut worker = Worker::start_with(&self.config, &[("FIRST_PASSWORD", REFERENCED)]);
        worker.says("taking jobs");
        worker
    }

    async fn client(&self) -> Client {
        Client::connect(&self.url, &["acme".to_owned()]).await.expect("the broker can be reached")
    }

    async fn channel(&self) -> Channel {
        let connection = Connection::connect(&self.url, ConnectionProperties::default()).await;
        connection.expect("a connection").create_channel().await.expect("a channel")
    }

    async fn create(&self, client: &Client, id: &str, address: &str, new_user: Value) {
        let job = json!({
            "id": id, "app": "keyring", "operation": "user.create", "integration": { "id": "int-42" },
            "user": { "userName": address, "displayName": "Bo Diaz" }, "evidence": "all", "new_user": new_user,
        });
        let body = job.to_string();
        client.publish("acme", "user.create", id, body.as_bytes()).await.expect("it is stored");
    }

    /// The password of everybody with this address, in the site's own state.
    fn passwords(&self, address: &str) -> Vec<String> {
        let world = self.site.world();
        let people = world["people"].as_array().expect("the site has people");
        let theirs = people.iter().filter(|person| person["email"] == address);
        theirs.map(|person| person["password"].as_str().expect("a password").to_owned()).collect()
    }

    /// Signs in to the site as a person would.
    async fn signs_in(&self, address: &str, password: &str) -> bool {
        let visitor =
            Visitor::builder().cookie_store(true).redirect(Policy::limited(5)).build().expect("a client");
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("email", address), ("password", password)])
            .finish();
        let request = visitor
            .post(format!("http://{}/login", self.site.addr()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let page = request.send().await.expect("an answer").text().await.expect("text");
        page.contains("People with keys")
    }
}

/// What the worker's files contain, with their names.
fn files(folder: &Path, all: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => files(&path, all),
            false => all.push((path.display().to_string(), std::fs::read(&path).expect("a file"))),
        }
    }
}

/// The places that contain a secret.
fn leaks<'p>(places: &'p [(String, Vec<u8>)], secret: &str) -> Vec<&'p str> {
    let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let has = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    let found = places.iter().filter(|(_, bytes)| has(bytes, secret) || has(bytes, &encoded));
    found.map(|(place, _)| place.as_str()).collect()
}

fn opened(result: &JobResult, reader: &Identity) -> String {
    let delivered = result.new_user.as_ref().expect("secrets are delivered");
    let sealed = delivered.secrets["initial_password"].as_deref().expect("it is known");
    let opened = age::decrypt(reader, sealed.as_bytes()).expect("the key opens it");
    String::from_utf8(opened).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn only_its_reader_learns_a_first_password() {
    let vault = Vault::new().await;
    // The app shows the password of a new person. Nothing of that may leave the worker.
    control(&vault.site, "world", json!({ "settings": { "talkative": "yes" } })).await;
    let (mut client, worker, reader) = (vault.client().await, vault.worker(), Identity::generate());
    let key = reader.to_public().to_string();
    let made = json!({ "generate": { "initial_password": { "length": 24 } }, "deliver_to": key });
    vault.create(&client, "made", "bo@acme.example", made.clone()).await;
    let given = json!({ "secrets": { "initial_password": "env:FIRST_PASSWORD" } });
    vault.create(&client, "given", "cy@acme.example", given).await;
    // Another job under an id that was used, and a key that is not one: both are dead letters.
    vault.create(&client, "made", "di@acme.example", made).await;
    let wrong = json!({ "generate": { "initial_password": {} }, "deliver_to": "age1wrong" });
    vault.create(&client, "wrong", "ed@acme.example", wrong).await;

    let mut places = Vec::new();
    let mut all: Vec<JobResult> = Vec::new();
    let until = Instant::now() + PATIENCE;
    while all.len() < 4 {
        assert!(Instant::now() < until, "only {all:?}");
        match client.next().await.expect("the broker stays") {
            GatewayMessage::Result(result) => {
                places
                    .push((format!("result of {}", result.job), serde_json::to_vec(&result).expect("JSON")));
                all.push(*result);
            }
            GatewayMessage::Event(event) => {
                places.push((format!("event of {}", event.job), serde_json::to_vec(&event).expect("JSON")));
            }
            GatewayMessage::Other(text) => panic!("neither event nor result: {text}"),
        }
    }
    let outcomes: Vec<(&str, Outcome)> = all.iter().map(|r| (r.job.as_str(), r.outcome)).collect();
    assert_eq!(
        outcomes,
        [
            ("made", Outcome::Succeeded),
            ("given", Outcome::Succeeded),
            ("made", Outcome::Rejected),
            ("wrong", Outcome::Rejected)
        ]
    );

    // The app has the password that the reader opens, and takes it.
    let password = opened(&all[0], &reader);
    assert_eq!(vault.passwords("bo@acme.example"), std::slice::from_ref(&password));
    assert_eq!(password.chars().count(), 24);
    assert!(
        vault.signs_in("bo@acme.example", &password).await && !vault.signs_in("bo@acme.example", "x").await
    );
    // Nobody asked for the one that the requester has.
    assert_eq!(all[1].new_user, None);
    assert_eq!(vault.passwords("cy@acme.example"), [REFERENCED]);
    let channel = vault.channel().await;
    while let Some(message) = channel
        .basic_get("seatwright.dead".into(), BasicGetOptions { no_ack: true })
        .await
        .expect("the queue is there")
    {
        places.push(("dead letter".to_owned(), message.delivery.data));
    }
    places.push(("log".to_owned(), worker.stop().into_bytes()));
    files(vault.folder.path(), &mut places);
    let kinds = ["result", "event", "dead letter", "log", ".trace.ndjson", ".png", ".db"];
    for kind in kinds {
        assert!(places.iter().any(|(place, _)| place.contains(kind)), "no {kind} was looked at");
    }
    // What is no secret is found in all of them, so a secret would be, too.
    for (text, kinds) in
        [("bo@acme.example", ["result", ".db"]), ("di@acme.example", ["dead letter", "dead letter"])]
    {
        let found = leaks(&places, text);
        for kind in kinds {
            assert!(found.iter().any(|place| place.contains(kind)), "no {kind} has {text}");
        }
    }
    for (text, kind) in [("user.create[2]", ".trace.ndjson"), ("user.create", "event"), ("finished", "log")] {
        assert!(leaks(&places, text).iter().any(|place| place.contains(kind)), "no {kind} has {text}");
    }
    for secret in [password.as_str(), REFERENCED] {
        assert!(leaks(&places, secret).is_empty(), "{:?}", leaks(&places, secret));
    }
    // The page that showed it is in no picture.
    let after = all[0].evidence.iter().find(|picture| picture.reason == "after_commit").expect("a picture");
    assert_eq!((after.withheld.as_deref(), &after.reference), (Some("the page shows a secret"), &None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_the_commit_invents_no_second_password() {
    let vault = Vault::new().await;
    let (mut client, worker, reader) = (vault.client().await, vault.worker(), Identity::generate());
    control(&vault.site, "faults", json!([{ "on": "POST /people", "do": "hang_after" }])).await;
    let key = reader.to_public().to_string();
    let made = json!({ "generate": { "initial_password": {} }, "deliver_to": key });
    vault.create(&client, "k", "bo@acme.example", made).await;
    let until = Instant::now() + PATIENCE;
    while vault.passwords("bo@acme.example").is_empty() {
        assert!(Instant::now() < until, "nobody was made");
        tokio::task::yield_now().await;
    }
    let first = vault.passwords("bo@acme.example");
    worker.kill();
    control(&vault.site, "faults", json!([])).await;
    let second = vault.worker();
    let result = results(&mut client, vec!["k"]).await.remove(0);
    assert_eq!((result.outcome, result.changed), (Outcome::Succeeded, Some(true)), "{:?}", result.error);
    // The password died with the worker. Nothing else is given out for it.
    let delivered = result.new_user.expect("it is mentioned").secrets;
    assert_eq!(delivered.get("initial_password"), Some(&None));
    assert_eq!(vault.passwords("bo@acme.example"), first, "there is one person, with the first password");
    second.stop();
}
