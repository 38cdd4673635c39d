//! Plays scenarios: each on a site and in a browser context of its own, side by side.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use serde_json::{Map, Value, json};

use super::{
    load::{Account, Scenario, Suite},
    model,
};
use crate::{
    contract::{Job, JobResult, SecretRef},
    event::Reader,
    ports::{
        driver::Launch,
        evidence::EvidenceStore,
        secrets::{SecretError, Secrets},
    },
    secret::Secret,
    site::Site,
    worker::{books::Books, handle::Handler, sessions::Sessions},
};

/// A scenario that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(90);

/// What all scenarios share.
pub struct Stage {
    pub books: Books,
    /// Gives every scenario the same browser.
    pub launch: Arc<dyn Launch>,
    pub evidence: Arc<dyn EvidenceStore>,
}

/// How a scenario ended.
#[derive(Debug)]
pub struct Report {
    pub app: String,
    pub name: String,
    /// `playbooks/ledgerly/scenarios.yaml:12:11`
    pub place: String,
    pub took: Duration,
    pub failed: Option<Failed>,
}

/// Why a scenario failed.
#[derive(Debug)]
pub struct Failed {
    /// What is not as the scenario says: of the result, and of the world.
    pub differences: Vec<String>,
    /// What the job came to, where there was one.
    pub result: Option<Box<JobResult>>,
}

/// Plays scenarios, so many side by side; gives each report as it comes.
pub async fn run(
    stage: &Stage,
    chosen: Vec<(&Suite, &Site, &Scenario)>,
    side_by_side: usize,
    mut each: impl FnMut(&Report),
) -> Vec<Report> {
    let playing = chosen.into_iter().enumerate().map(|(number, (suite, site, scenario))| async move {
        let begun = Instant::now();
        let failed = play(stage, suite, site, scenario, number).await.err();
        Report {
            app: suite.app.clone(),
            name: scenario.name.value.clone(),
            place: suite.place(scenario),
            took: begun.elapsed(),
            failed,
        }
    });
    let mut reports = Vec::new();
    let mut running = stream::iter(playing).buffer_unordered(side_by_side.max(1));
    while let Some(report) = running.next().await {
        each(&report);
        reports.push(report);
    }
    reports
}

async fn play(
    stage: &Stage,
    suite: &Suite,
    site: &Site,
    scenario: &Scenario,
    number: usize,
) -> Result<(), Failed> {
    let broken = |reason: String| Failed { differences: vec![reason], result: None };
    let served = site.clone().serve(SocketAddr::from(([127, 0, 0, 1], 0))).await;
    let served = served.map_err(|error| broken(error.to_string()))?;
    let prepared = served
        .change(|world| model::change(world, &scenario.world))
        .and_then(|()| served.fail_with(&scenario.faults));
    prepared.map_err(broken)?;
    let before = served.world();
    let account = merged(&suite.file.account, &scenario.account);
    let job = job(suite, scenario, &account, served.addr().port(), number);
    let body = serde_json::to_vec(&job).unwrap_or_default();
    let job = Job::parse(&body).map_err(|refusal| broken(format!("`job`: {}", refusal.failure)))?;
    let handler = Handler {
        books: stage.books.clone(),
        integrations: BTreeMap::new(),
        sessions: Sessions::new(Arc::clone(&stage.launch)),
        secrets: Arc::new(Literal(account.secrets.clone())),
        evidence: Arc::clone(&stage.evidence),
    };
    let played = tokio::time::timeout(LONGEST, handler.work(&job, Arc::new(Deaf))).await;
    handler.sessions.end_all().await;
    let after = served.world();
    served.stop().await;
    let Ok(result) = played else {
        return Err(broken(format!("it takes longer than {} s", LONGEST.as_secs())));
    };
    let mut differences = unlike(scenario, &result);
    match model::differences(&before, &after, &scenario.world_after, &suite.file.ignore) {
        Ok(of_world) => differences.extend(of_world.into_iter().map(|d| format!("the site's state: {d}"))),
        Err(reason) => differences.push(format!("`world_after`: {reason}")),
    }
    if differences.is_empty() { Ok(()) } else { Err(Failed { differences, result: Some(Box::new(result)) }) }
}

/// What the result says that the scenario does not.
fn unlike(scenario: &Scenario, result: &JobResult) -> Vec<String> {
    let expect = &scenario.expect;
    let mut found = Vec::new();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut same = |what: &str, wanted: Value, is: Value| {
        if wanted != is {
            found.push(format!("{what} is {}, not {}", text(&is), text(&wanted)));
        }
    };
    same("the outcome", json!(expect.outcome.value), json!(result.outcome));
    let code = result.error.as_ref().map(|error| error.code);
    if let Some(wanted) = &expect.code {
        same("the error's code", json!(wanted), json!(code));
    }
    if let Some(changed) = expect.changed {
        same("`changed`", json!(changed), json!(result.changed));
    }
    if let Some(users) = expect.users {
        same("the number of users", json!(users), json!(result.users.as_ref().map(Vec::len)));
    }
    if let Some(complete) = expect.complete {
        same("`complete`", json!(complete), json!(result.completeness.as_ref().map(|c| c.complete)));
    }
    let shown = result.after.as_ref().map(|user| serde_json::to_value(user).unwrap_or_default());
    for (name, wanted) in &expect.user {
        let shown = shown.as_ref().map(|user| value_of(user, name)).unwrap_or_default();
        same(&format!("the user's `{name}`"), wanted.clone(), shown);
    }
    if let Some(part) = &expect.page_said {
        let said = result.error.as_ref().and_then(|error| error.page_said.clone()).unwrap_or_default();
        if !said.contains(part) {
            found.push(format!("the page said `{said}`, which does not contain `{part}`"));
        }
    }
    for reason in &scenario.evidence {
        let kept = result.evidence.iter().any(|e| e.reason == *reason && e.reference.is_some());
        if !kept {
            found.push(format!("there is no picture `{reason}`"));
        }
    }
    found
}

/// An attribute of a user as a result has it; an entitlement by its kind.
fn value_of(user: &Value, name: &str) -> Value {
    let direct = user.get(name).or_else(|| user["attributes"].get(name));
    if let Some(value) = direct {
        return value.clone();
    }
    let held = user["entitlements"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut values: Vec<Value> =
        held.iter().filter(|e| e["type"] == name).map(|e| e["value"].clone()).collect();
    if values.len() == 1 { values.remove(0) } else { Value::from(values) }
}

fn merged(all: &Account, one: &Account) -> Account {
    let mut secrets = all.secrets.clone();
    secrets.extend(one.secrets.clone());
    Account {
        username: one.username.clone().or_else(|| all.username.clone()),
        login: one.login.or(all.login),
        secrets,
    }
}

fn job(suite: &Suite, scenario: &Scenario, account: &Account, port: u16, number: usize) -> Value {
    let mut settings = suite.file.integration.clone();
    settings.insert("port".to_owned(), port.to_string());
    settings.extend(scenario.integration.clone());
    let secrets: Map<String, Value> =
        account.secrets.keys().map(|name| (name.clone(), json!(format!("env:{name}")))).collect();
    let evidence = if scenario.evidence.is_empty() { "error" } else { "commit" };
    let mut job = json!({
        "id": format!("{}-{number}", suite.app),
        "app": suite.app,
        "integration": { "id": suite.app, "settings": settings },
        "service_account": {
            "username": account.username, "login": account.login.unwrap_or_default(), "secrets": secrets,
        },
        "evidence": evidence,
    });
    if let Some(job) = job.as_object_mut() {
        job.extend(scenario.job.clone());
    }
    job
}

/// The fixture's own secrets, by name.
struct Literal(BTreeMap<String, String>);

#[async_trait]
impl Secrets for Literal {
    async fn fetch(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        let value = self.0.get(reference.parts().1);
        value.map(|value| Secret::new(value.clone())).ok_or_else(|| SecretError::Missing {
            reference: reference.as_str().to_owned(),
            reason: "the scenario's account has no such secret".to_owned(),
        })
    }
}

/// Nobody listens to the events of a scenario: its result says enough.
struct Deaf;

impl Reader for Deaf {
    fn event(&self, _: &crate::event::Event) {}
}
