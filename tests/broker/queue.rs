//! The whole corridor on real parts: RabbitMQ, the worker as its own process, Chromium, and kill -9.

use std::{io::Read, path::PathBuf, process::Command, time::Instant};

use crate::{
    servers::{
        PrivateBroker, VirtualHost,
        corridor::{PATIENCE, Worker, job, results},
        ports::free_port,
    },
    support::{PASSWORD, ada, control, member, root, site},
};
use base64::prelude::{BASE64_STANDARD, Engine};
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    message::BasicGetMessage,
    options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::FieldTable,
};
use seatwright::{
    adapters::amqp::{Client, GatewayMessage},
    contract::{Code, JobResult, Outcome},
    site::RunningSite,
};
use serde_json::json;

/// Broker, site, configuration.
struct Corridor {
    url: String,
    _host: Option<VirtualHost>,
    site: RunningSite,
    folder: tempfile::TempDir,
    config: PathBuf,
}

impl Corridor {
    async fn new() -> Self {
        let host = VirtualHost::take();
        let corridor = Self::on(&host.url).await;
        Self { _host: Some(host), ..corridor }
    }

    async fn on(url: &str) -> Self {
        let site = site("ledgerly").await;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("seatwright.yaml");
        let text = format!(
            "broker: {{ url: '{}' }}\nplaybooks: {}\nevidence: evidence\nbrowser: {{ allow_no_sandbox: true }}\n\
             service_accounts:\n  acme: {{ username: svc@acme.example, secrets: {{ password: 'env:LEDGERLY_PASSWORD' }} }}\n\
             integrations:\n  int-42: {{ app: ledgerly, settings: {{ port: '{}' }}, service_account: acme }}\n",
            url,
            root().join("playbooks").display(),
            site.addr().port(),
        );
        std::fs::write(&config, text).expect("the configuration can be written");
        Self { url: url.to_owned(), _host: None, site, folder, config }
    }

    async fn client(&self) -> Client {
        Client::connect(&self.url, &["acme".to_owned()]).await.expect("the broker can be reached")
    }

    /// No file that the worker wrote holds the password.
    fn nothing_leaks(&self) {
        for entry in std::fs::read_dir(self.folder.path().join("evidence")).expect("evidence").flatten() {
            let bytes = std::fs::read(entry.path()).expect("a file");
            let leaks = bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
            assert!(!leaks, "{} holds the password", entry.path().display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_a_lane_are_done_in_order_and_a_drain_loses_none() {
    let corridor = Corridor::new().await;
    let mut client = corridor.client().await;
    let mut worker = Worker::start(&corridor.config);
    worker.says("taking jobs");
    for (id, operation, more) in [
        ("1", "user.create", json!({ "user": ada() })),
        ("2", "user.create", json!({ "user": ada() })),
        ("3", "user.delete", json!({ "user": { "userName": "ada@acme.example" } })),
        ("4", "user.delete", json!({ "user": { "userName": "ada@acme.example" } })),
    ] {
        client.publish("acme", operation, id, &job(id, operation, more)).await.expect("it is stored");
    }
    let all = results(&mut client, vec!["1", "2", "3", "4"]).await;
    let told: Vec<(&str, Outcome)> = all.iter().map(|r| (r.job.as_str(), r.outcome)).collect();
    assert_eq!(
        told,
        [
            ("1", Outcome::Succeeded),
            ("2", Outcome::NoChange),
            ("3", Outcome::Succeeded),
            ("4", Outcome::NoChange)
        ]
    );
    // The password has come back wrong from nowhere: the drain ends what runs, and says so.
    client.publish("acme", "user.list", "5", &job("5", "user.list", json!({}))).await.expect("it is stored");
    loop {
        if let GatewayMessage::Event(event) = client.next().await.expect("the broker stays")
            && event.job == "5"
        {
            break;
        }
    }
    let log = worker.stop();
    assert!(!log.contains(PASSWORD));
    let listed = results(&mut client, vec!["5"]).await.remove(0);
    assert_eq!((listed.outcome, listed.users.map(|u| u.len())), (Outcome::Succeeded, Some(300)));
    corridor.nothing_leaks();
}

#[tokio::test(flavor = "multi_thread")]
async fn small_pictures_travel_in_the_result() {
    let corridor = Corridor::new().await;
    let text = std::fs::read_to_string(&corridor.config).expect("the configuration can be read");
    let inline = text.replace("evidence: evidence", "evidence: { folder: evidence, inline_below: 1 MiB }");
    std::fs::write(&corridor.config, inline).expect("the configuration can be written");
    let mut client = corridor.client().await;
    let mut worker = Worker::start(&corridor.config);
    worker.says("taking jobs");
    let body = job("1", "user.create", json!({ "user": ada() }));
    client.publish("acme", "user.create", "1", &body).await.expect("it is stored");
    let made = results(&mut client, vec!["1"]).await.remove(0);
    assert_eq!(made.evidence.len(), 2, "before and after the commit");
    for picture in &made.evidence {
        let inline = picture.inline.as_ref().expect("it is small enough");
        let bytes = BASE64_STANDARD.decode(inline).expect("base64");
        let file = picture.reference.as_ref().expect("it is kept all the same");
        let file = std::fs::read(corridor.folder.path().join("evidence").join(file)).expect("the file");
        assert_eq!(bytes.len() as u64, picture.bytes);
        assert!(bytes == file, "the file's bytes");
    }
    worker.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_job_is_answered_and_kept_and_stops_nobody() {
    let corridor = Corridor::new().await;
    let mut client = corridor.client().await;
    let mut worker = Worker::start(&corridor.config);
    worker.says("taking jobs");
    let secret = "hunter2-in-clear";
    let with_secret = json!({ "service_account": { "username": "x", "secrets": { "password": secret } } });
    let long = json!({ "user": { "userName": "x".repeat(300 * 1024) } });
    let nameless = json!({ "user": { "userName": "bo@acme.example", "name": { "givenName": "Bo" } } });
    let good = || job("good", "connection.test", json!({}));
    let mut app = job("app", "user.list", json!({}));
    app = String::from_utf8(app).expect("JSON").replace("ledgerly", "ledgerli").into_bytes();
    let reference = json!({ "service_account": { "username": "x", "secrets": { "password": "env:X" } } });
    // The secret is the value that does not count.
    let twice = String::from_utf8(job("twice", "user.list", reference)).expect("JSON");
    let twice = twice.replace("\"password\":", &format!("\"password\":\"{secret}\",\"password\":"));
    let twice = twice.into_bytes();
    let bad: Vec<(&str, Vec<u8>, Code, &str)> = vec![
        ("not-json", b"{ \"id\": ".to_vec(), Code::InvalidJob, "not JSON"),
        ("key", job("key", "user.list", json!({ "evidenze": "all" })), Code::InvalidJob, "evidenze"),
        ("attribute", job("attribute", "user.create", nameless), Code::MissingAttribute, "name.familyName"),
        (
            "secret",
            job("secret", "user.list", with_secret),
            Code::InvalidJob,
            "/service_account/secrets/password",
        ),
        ("long", job("long", "user.get", long), Code::InvalidJob, "bytes"),
        ("twice", twice, Code::InvalidJob, "/service_account/secrets/password is in the job twice"),
        ("app", app, Code::UnknownApp, "ledgerli"),
    ];
    for (id, body, code, says) in &bad {
        client.publish("acme", "user.list", id, body).await.expect("it is stored");
        client.publish("acme", "connection.test", "good", &good()).await.expect("it is stored");
        let told = results(&mut client, vec![id, "good"]).await;
        let refused = told.iter().find(|r| r.job == *id).expect("an answer");
        let error = refused.error.clone().expect("an error");
        assert_eq!((refused.outcome, error.code), (Outcome::Rejected, *code), "{id}: {error}");
        assert!(error.message.contains(says), "{id}: {error}");
        assert!(!serde_json::to_string(refused).expect("JSON").contains(secret));
        let done = told.iter().find(|r| r.job == "good").expect("the good one too");
        assert_eq!(done.outcome, Outcome::Succeeded, "after {id}: {:?}", done.error);
    }

    // A type that nobody knows, and a lane that nobody declared.
    let connection =
        Connection::connect(&corridor.url, ConnectionProperties::default()).await.expect("a connection");
    let channel = connection.create_channel().await.expect("a channel");
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
    for (kind, key, body) in [
        ("seatwright.job.v9", "acme.user.list", job("version", "user.list", json!({}))),
        ("seatwright.job.v1", "nobody.user.list", job("lane", "user.list", json!({}))),
    ] {
        let properties = BasicProperties::default().with_type(kind.into());
        let confirm = channel.basic_publish(
            "seatwright.jobs".into(),
            key.into(),
            BasicPublishOptions::default(),
            &body,
            properties,
        );
        confirm.await.expect("sent").await.expect("stored");
    }
    let mut told = Vec::new();
    while told.len() < 2 {
        let got = channel
            .basic_get("seatwright.results".into(), BasicGetOptions { no_ack: true })
            .await
            .expect("the queue is there");
        told.extend(
            got.map(|message| serde_json::from_slice::<JobResult>(&message.delivery.data).expect("a result")),
        );
    }
    let code = |id: &str| told.iter().find(|r| r.job == id).and_then(|r| r.error.as_ref()).map(|e| e.code);
    assert_eq!(code("version"), Some(Code::InvalidJob));
    assert_eq!(code("lane"), Some(Code::UnknownIntegration));

    // Nothing is lost: what was no job waits on the dead-letter queue, without the secret.
    // Not JSON, unknown key, secret, too long, a key twice, unknown version, unknown lane; the last is told before it is kept.
    let mut dead = Vec::new();
    let until = Instant::now() + PATIENCE;
    while dead.len() < 7 {
        assert!(Instant::now() < until, "only {dead:#?}");
        let got = channel.basic_get("seatwright.dead".into(), BasicGetOptions { no_ack: true }).await;
        let body = |message: BasicGetMessage| String::from_utf8_lossy(&message.delivery.data).into_owned();
        dead.extend(got.expect("the queue is there").map(body));
    }
    assert!(dead.iter().all(|body| !body.contains(secret)));
    let log = worker.stop();
    let more = channel.basic_get("seatwright.dead".into(), BasicGetOptions { no_ack: true }).await;
    assert!(more.expect("the queue is there").is_none(), "each is there once");
    assert!(!log.contains(secret) && !log.contains(PASSWORD));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_expires_in_its_queue_has_one_result() {
    let corridor = Corridor::new().await;
    // Declares the queues, and is away when the messages come.
    let mut first = Worker::start(&corridor.config);
    first.says("taking jobs");
    first.stop();
    let connection =
        Connection::connect(&corridor.url, ConnectionProperties::default()).await.expect("a connection");
    let channel = connection.create_channel().await.expect("a channel");
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
    let queue =
        channel.queue_declare("replies".into(), QueueDeclareOptions::default(), FieldTable::default());
    queue.await.expect("a queue for the replies to one message");
    let removal = json!({ "user": { "userName": "nada@acme.example" } });
    let send = async |id: &str, body: Vec<u8>, expiration: Option<&str>| {
        let mut properties = BasicProperties::default()
            .with_type("seatwright.job.v1".into())
            .with_correlation_id(format!("mine-{id}").into());
        if let Some(time) = expiration {
            properties = properties.with_expiration(time.into());
        }
        if id == "two" {
            properties = properties.with_reply_to("replies".into());
        }
        let key = format!("acme.{id}").into();
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish("seatwright.jobs".into(), key, options, &body, properties);
        sent.await.expect("sent").await.expect("stored");
    };
    for id in ["one", "two"] {
        send(id, job(id, "user.delete", removal.clone()), Some("1")).await;
    }
    let next = async |queue: &str| {
        let until = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < until, "nothing on {queue}");
            let got = channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await;
            if let Some(message) = got.expect("the queue is there") {
                return message.delivery;
            }
        }
    };
    // Both have expired, and people find them where all dead letters are.
    for _ in 0..2 {
        let dead = next("seatwright.dead").await;
        assert!(dead.properties.correlation_id().as_ref().is_some_and(|id| id.as_str().starts_with("mine-")));
    }
    let workers = [Worker::start(&corridor.config), Worker::start(&corridor.config)];
    let answers = async |queues: &[&str]| {
        let mut answers = Vec::new();
        for queue in queues {
            let message = next(queue).await;
            let result: JobResult = serde_json::from_slice(&message.data).expect("a result");
            let correlation = message.properties.correlation_id().as_ref().expect("an id").to_string();
            assert_eq!(correlation, format!("mine-{}", result.job));
            answers.push((result.job, result.outcome, result.error.map(|error| error.code)));
        }
        answers.sort_by(|one: &(String, Outcome, Option<Code>), other| one.0.cmp(&other.0));
        answers
    };
    let late = |id: &str| (id.to_owned(), Outcome::Expired, Some(Code::DeadlinePassed));
    assert_eq!(answers(&["seatwright.results", "replies"]).await, [late("one"), late("two")]);
    assert!(member(&corridor.site, "nada@acme.example").is_some(), "what has expired is not done");
    // An invalid message is a dead letter with the id of its sender. Its answer is the next one: the others came once.
    send("three", b"{}".to_vec(), None).await;
    let dead = next("seatwright.dead").await;
    assert!(dead.properties.correlation_id().as_ref().is_some_and(|id| id.as_str() == "mine-three"));
    let refused = next("seatwright.results").await;
    let outcome = serde_json::from_slice::<JobResult>(&refused.data).expect("a result").outcome;
    assert_eq!(outcome, Outcome::Rejected);
    // The same job in another spelling has the same result again.
    let again = format!(" {}", String::from_utf8(job("one", "user.delete", removal)).expect("JSON"));
    send("one", again.into_bytes(), None).await;
    assert_eq!(answers(&["seatwright.results"]).await, [late("one")]);
    for worker in workers {
        worker.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_after_its_commit_makes_nobody_twice() {
    let corridor = Corridor::new().await;
    let mut client = corridor.client().await;
    let mut worker = Worker::start(&corridor.config);
    worker.says("taking jobs");
    // The app does it, and its answer never comes: the worker is killed between the click and the answer.
    control(&corridor.site, "faults", json!([{ "on": "POST /members", "do": "hang_after" }])).await;
    client
        .publish("acme", "user.create", "k", &job("k", "user.create", json!({ "user": ada() })))
        .await
        .expect("it is stored");
    while member(&corridor.site, "ada@acme.example").is_none() {
        tokio::task::yield_now().await;
    }
    worker.kill();
    control(&corridor.site, "faults", json!([])).await;
    let mut second = Worker::start(&corridor.config);
    second.says("taking jobs");
    let result = results(&mut client, vec!["k"]).await.remove(0);
    assert!(matches!(result.outcome, Outcome::Succeeded | Outcome::NoChange), "{:?}", result.error);
    // `member` fails where somebody is there twice.
    assert!(member(&corridor.site, "ada@acme.example").is_some());
    second.stop();
}

/// What a worker says of itself.
async fn ready(port: std::net::SocketAddr) -> (u16, serde_json::Value) {
    let answer = reqwest::get(format!("http://{port}/readyz")).await.expect("it answers");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_may_come_late_and_go_in_the_middle() {
    let mut broker = PrivateBroker::start();
    let corridor = Corridor::on(&broker.url).await;
    broker.kill();
    let port = std::net::SocketAddr::from(([127, 0, 0, 1], free_port()));
    let text = std::fs::read_to_string(&corridor.config).expect("the configuration");
    std::fs::write(&corridor.config, format!("{text}health: '{port}'\n")).expect("it can be written");
    let mut worker = Worker::start(&corridor.config);
    worker.says("trying again in");
    assert_eq!(
        ready(port).await,
        (503, json!({ "ready": false, "broker": false, "journal": false, "alone_with_its_journal": false }))
    );
    broker.again();
    worker.says("taking jobs");
    while ready(port).await.0 != 200 {
        tokio::task::yield_now().await;
    }
    // A quorum queue that was declared a moment before a power cut may never answer again (RabbitMQ 3.10, docs/queue.md): so
    // this one is no longer new when the power goes.
    broker.stop();
    worker.says("was lost");
    broker.again();
    worker.says("taking jobs");
    let client = corridor.client().await;
    // The job is under way (the site is asked, and answers nobody) when the broker goes.
    control(&corridor.site, "faults", json!([{ "on": "POST /members", "do": "hang_after", "times": 1 }]))
        .await;
    client
        .publish("acme", "user.create", "b", &job("b", "user.create", json!({ "user": ada() })))
        .await
        .expect("it is stored");
    while member(&corridor.site, "ada@acme.example").is_none() {
        tokio::task::yield_now().await;
    }
    broker.kill();
    worker.says("was lost");
    broker.again();
    worker.says("taking jobs");
    // The reply queue died with the broker: the result waits where all results wait.
    let connection =
        Connection::connect(&corridor.url, ConnectionProperties::default()).await.expect("a connection");
    let channel = connection.create_channel().await.expect("a channel");
    let result = loop {
        let got = channel
            .basic_get("seatwright.results".into(), BasicGetOptions { no_ack: true })
            .await
            .expect("the queue is there");
        if let Some(message) = got {
            break serde_json::from_slice::<JobResult>(&message.delivery.data).expect("a result");
        }
    };
    assert_eq!(result.job, "b");
    assert!(matches!(result.outcome, Outcome::Succeeded | Outcome::NoChange), "{:?}", result.error);
    assert!(member(&corridor.site, "ada@acme.example").is_some());
    worker.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_in_python_gets_its_result() {
    let corridor = Corridor::new().await;
    let mut worker = Worker::start(&corridor.config);
    worker.says("taking jobs");
    let folder = root().join("target/gateway");
    let python = folder.join("bin/python");
    let run = |command: &mut Command| {
        let out = command.output().expect("python3 is installed");
        assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
        out.stdout
    };
    if !folder.join("ready").exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "-r"])
            .arg(root().join("tests/gateway/requirements.txt")));
        std::fs::write(folder.join("ready"), "").expect("the folder can be written");
    }
    let file = corridor.folder.path().join("job.json");
    std::fs::write(&file, job("py", "user.create", json!({ "user": ada() })))
        .expect("the job can be written");
    let printed = tokio::task::spawn_blocking({
        let (url, client) = (corridor.url.clone(), root().join("tests/gateway/client.py"));
        move || Command::new(python).arg(client).args([&url, "acme"]).arg(file).output().expect("python runs")
    })
    .await
    .expect("no panic");
    let mut said = String::new();
    (&printed.stderr[..]).read_to_string(&mut said).expect("text");
    let result: JobResult = serde_json::from_slice(&printed.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    assert_eq!((result.job.as_str(), result.outcome), ("py", Outcome::Succeeded), "{:?}", result.error);
    assert!(member(&corridor.site, "ada@acme.example").is_some());
    worker.stop();
}
