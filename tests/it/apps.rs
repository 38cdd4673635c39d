//! Real apps: what is read is what they hold, and round after round in one state nobody is missed or left behind.
//!
//! Every scenario starts its own world; here each round meets what the last one left. More rounds:
//! `SEATWRIGHT_ROUNDS=100 cargo nextest run apps::`.

use std::{collections::BTreeMap, sync::Arc};

use crate::support::{PASSWORD, RealBrowser, root};
use seatwright::{
    adapters::{secret_sources::LocalSecrets, store::Folder},
    contract::{Job, JobResult, Outcome},
    event::Readers,
    scenario::{Apps, Taken},
    worker::{playbooks::Playbooks, runner::JobRunner, sessions::Sessions},
};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmq_makes_and_removes_users_round_after_round() {
    let mut real = Real::start("rabbitmq", "svc", json!({ "cluster": "acme" })).await;
    real.rounds("id", |round| json!({ "userName": format!("ada{round}x") })).await;
    real.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn django_makes_and_removes_users_round_after_round() {
    let mut real = Real::start("django-admin", "ops", json!({ "site": "admin" })).await;
    let user = |round| {
        json!({
            "userName": format!("ada{round}x"),
            "name": { "givenName": "Ada", "familyName": format!("Byron {round}") },
            "emails": [{ "value": "ada@office.example" }],
        })
    };
    real.rounds("username", user).await;
    real.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_djangos_users_are_read_as_its_orm_has_them() {
    let mut real = Real::start("django-admin", "ops", json!({ "site": "admin" })).await;
    let listed = real.run("user.list", "list", None).await;
    assert_eq!(listed.outcome, Outcome::Succeeded, "{:?}", listed.error);
    assert!(listed.completeness.is_some_and(|completeness| completeness.complete));
    let world = real.app.world().await.expect("the app's own words");
    let mut theirs: Vec<Vec<String>> = users(&world)
        .iter()
        .map(|user| {
            let text = |field: &str| user[field].as_str().expect("a text").to_owned();
            let staff = if user["staff"] == true { "Staff" } else { "User" };
            let [name, email, first, last] = ["username", "email", "first_name", "last_name"].map(text);
            vec![name, email, first, last, user["active"].to_string(), staff.to_owned()]
        })
        .collect();
    let read = listed.users.expect("users");
    let mut ours: Vec<Vec<String>> = read
        .iter()
        .map(|user| {
            let text = |name: &str| user.attributes.get(name).cloned().unwrap_or_default();
            let role =
                user.entitlements.iter().find(|held| held.kind == "role").map(|held| held.value.clone());
            let [email, first, last] = ["emails", "name.givenName", "name.familyName"].map(text);
            let active = (user.active == Some(true)).to_string();
            vec![user.user_name.clone(), email, first, last, active, role.unwrap_or_default()]
        })
        .collect();
    theirs.sort();
    ours.sort();
    assert_eq!(ours.len(), 300);
    assert_eq!(ours, theirs);
    real.end().await;
}

/// A real app, and a worker with one session in it.
struct Real {
    apps: Apps,
    app: Taken,
    runner: JobRunner,
    name: &'static str,
    username: &'static str,
    settings: Value,
    _folder: tempfile::TempDir,
}

impl Real {
    async fn start(name: &'static str, username: &'static str, mut settings: Value) -> Self {
        let apps = Apps::new(&root().join("fixtures/apps"), 1).expect("a folder for its data");
        let app = apps.take(name).await.expect("it is installed and starts: `make apps`");
        settings["port"] = app.port().to_string().into();
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("password"), PASSWORD).expect("the secret can be written");
        let runner = JobRunner {
            playbooks: Playbooks::read(&root().join("playbooks")).expect("the playbooks can be read"),
            integrations: BTreeMap::new(),
            sessions: Sessions::new(Arc::new(RealBrowser)),
            secrets: Arc::new(LocalSecrets::new(Some(folder.path().to_owned()))),
            evidence: Arc::new(Folder::new(folder.path().join("evidence"))),
        };
        Self { apps, app, runner, name, username, settings, _folder: folder }
    }

    async fn run(&self, operation: &str, id: &str, user: Option<&Value>) -> JobResult {
        let mut job = json!({
            "id": format!("{operation}-{id}"),
            "app": self.name,
            "operation": operation,
            "integration": { "id": "real", "settings": self.settings },
            "service_account": { "username": self.username, "secrets": { "password": "file:password" } },
            "evidence": "error",
        });
        if let Some(user) = user {
            job["user"] = user.clone();
        }
        let job =
            Job::parse(job.to_string().as_bytes()).unwrap_or_else(|refusal| panic!("{}", refusal.failure));
        self.runner.run(&job, Arc::new(Readers::default())).await
    }

    /// Makes somebody and removes them again, as often as it is asked for. `named`: the field that holds the name.
    async fn rounds(&mut self, named: &str, user: impl Fn(usize) -> Value) {
        let rounds = std::env::var("SEATWRIGHT_ROUNDS").map_or(3, |rounds| rounds.parse().expect("a number"));
        let before = self.app.world().await.expect("the app's own words");
        for round in 0..rounds {
            let user = user(round);
            for (operation, there) in [("user.create", true), ("user.delete", false)] {
                let result = self.run(operation, &round.to_string(), Some(&user)).await;
                let outcome = (result.outcome, result.changed);
                assert_eq!(
                    outcome,
                    (Outcome::Succeeded, Some(true)),
                    "{operation}, round {round}: {:?}",
                    result.error
                );
                let now = self.app.world().await.expect("the app's own words");
                let added = users(&now).iter().filter(|user| !users(&before).contains(user));
                let names: Vec<&Value> = added.map(|user| &user[named]).collect();
                let wanted = if there { vec![&user["userName"]] } else { Vec::new() };
                assert_eq!(names, wanted, "after {operation}, round {round}");
                assert_eq!(users(&now).len(), users(&before).len() + wanted.len(), "nobody else is gone");
            }
        }
        assert_eq!(self.app.world().await.expect("the app's own words"), before);
        println!("{}: {rounds} creates and deletes, none missed", self.name);
    }

    async fn end(self) {
        self.runner.sessions.close().await;
        self.apps.give_back(self.app).await;
        self.apps.end().await;
    }
}

fn users(world: &Value) -> &Vec<Value> {
    world["users"].as_array().expect("the app has users")
}
