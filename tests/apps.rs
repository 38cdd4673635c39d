//! Real apps, round after round in one state: nobody is missed, and nobody is left behind.
//!
//! Every scenario starts its own world; here each round meets what the last one left. More rounds:
//! `SEATWRIGHT_ROUNDS=100 cargo nextest run --test apps`.

mod support;

use std::{collections::BTreeMap, sync::Arc};

use seatwright::{
    adapters::{secret_sources::LocalSecrets, store::Folder},
    contract::{Job, Outcome},
    event::Readers,
    scenario::Apps,
    worker::{books::Books, handle::Handler, sessions::Sessions},
};
use serde_json::{Value, json};
use support::{PASSWORD, RealBrowser, root};

/// What is different of each app.
struct Kind {
    app: &'static str,
    username: &'static str,
    settings: Value,
    user: fn(usize) -> Value,
    /// The field of a record that holds the user's name.
    named: &'static str,
}

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmq_makes_and_removes_users_round_after_round() {
    rounds(Kind {
        app: "rabbitmq",
        username: "svc",
        settings: json!({ "cluster": "acme" }),
        user: |round| json!({ "userName": format!("ada{round}") }),
        named: "id",
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn django_makes_and_removes_users_round_after_round() {
    rounds(Kind {
        app: "django-admin",
        username: "ops",
        settings: json!({ "site": "admin" }),
        user: |round| {
            json!({
                "userName": format!("ada{round}"),
                "name": { "givenName": "Ada", "familyName": format!("Byron {round}") },
                "emails": [{ "value": "ada@office.example" }],
            })
        },
        named: "username",
    })
    .await;
}

async fn rounds(kind: Kind) {
    let rounds = std::env::var("SEATWRIGHT_ROUNDS").map_or(3, |rounds| rounds.parse().expect("a number"));
    let apps = Apps::new(&root().join("fixtures/apps"), 1).expect("a folder for its data");
    let mut app = apps.take(kind.app).await.expect("it is installed and starts: `make apps`");
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("password"), PASSWORD).expect("the secret can be written");
    let handler = Handler {
        books: Books::read(&root().join("playbooks")).expect("the playbooks can be read"),
        integrations: BTreeMap::new(),
        sessions: Sessions::new(Arc::new(RealBrowser)),
        secrets: Arc::new(LocalSecrets::new(Some(folder.path().to_owned()))),
        evidence: Arc::new(Folder::new(folder.path().join("evidence"))),
    };
    let before = app.world().await.expect("the app's own words");
    let mut settings = kind.settings.clone();
    settings["port"] = app.port().to_string().into();
    for round in 0..rounds {
        let user = (kind.user)(round);
        for (operation, there) in [("user.create", true), ("user.delete", false)] {
            let job = json!({
                "id": format!("{operation}-{round}"),
                "app": kind.app,
                "operation": operation,
                "integration": { "id": "real", "settings": settings },
                "service_account": { "username": kind.username, "secrets": { "password": "file:password" } },
                "user": user,
                "evidence": "error",
            });
            let job = Job::parse(job.to_string().as_bytes())
                .unwrap_or_else(|refusal| panic!("{}", refusal.failure));
            let result = handler.work(&job, Arc::new(Readers::default())).await;
            let outcome = (result.outcome, result.changed);
            assert_eq!(outcome, (Outcome::Succeeded, true), "round {round}, {operation}: {:?}", result.error);
            let now = app.world().await.expect("the app's own words");
            let added: Vec<&Value> =
                users(&now).iter().filter(|user| !users(&before).contains(user)).collect();
            let wanted = if there { vec![user["userName"].clone()] } else { Vec::new() };
            let names: Vec<Value> = added.iter().map(|user| user[kind.named].clone()).collect();
            assert_eq!(names, wanted, "round {round}, after {operation}");
            assert_eq!(
                users(&now).len(),
                users(&before).len() + wanted.len(),
                "round {round}: nobody else is gone"
            );
        }
    }
    assert_eq!(app.world().await.expect("the app's own words"), before);
    handler.sessions.close().await;
    apps.give_back(app).await;
    apps.end().await;
    println!("{}: {rounds} creates and deletes, none missed", kind.app);
}

fn users(world: &Value) -> &Vec<Value> {
    world["users"].as_array().expect("the app has users")
}
