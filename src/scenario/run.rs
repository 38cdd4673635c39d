//! Plays scenarios in parallel, each on a site and in a browser context of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use serde_json::{Map, Value, json};

use super::{
    app::Apps,
    early::{BeforeCommit, named},
    ground::Ground,
    suite::{Scenario, ScenarioAccount, Suite},
    world,
};
use crate::{
    contract::{Failure, Job, JobResult, SecretRef},
    playbook::{At, request::RequestPattern},
    ports::{
        driver::Launch,
        evidence::EvidenceStore,
        secrets::{SecretError, Secrets},
    },
    secret::Secret,
    site::Site,
    worker::{playbooks::Playbooks, runner::JobRunner, sessions::Sessions},
};

/// How long a scenario may take.
const SCENARIO_TIMEOUT: Duration = Duration::from_secs(90);

/// What all scenarios share.
pub struct Stage {
    pub playbooks: Playbooks,
    /// Returns the same browser for every scenario.
    pub launch: Arc<dyn Launch>,
    pub evidence: Arc<dyn EvidenceStore>,
    /// With apps, a scenario is played on the real app and then on its twin. Both must have the same result.
    pub apps: Option<Apps>,
}

/// A scenario that was chosen, with its site.
#[derive(Clone, Copy)]
pub struct Chosen<'s> {
    pub suite: &'s Suite,
    pub site: &'s Site,
    pub scenario: &'s Scenario,
    /// Its name for files: see [`Suite::file_names`].
    pub file_name: &'s str,
}

/// How scenarios are played.
#[derive(Debug, Clone, Copy)]
pub struct Plays {
    /// How many at the same time.
    pub side_by_side: usize,
    /// How many times each of them.
    pub repeat: usize,
    /// No other play begins after the first failure.
    pub fail_fast: bool,
}

/// How a scenario ended.
#[derive(Debug)]
pub struct Report {
    pub app: String,
    pub name: String,
    /// Its name for files, which no other scenario has.
    pub file_name: String,
    /// `playbooks/ledgerly/scenarios.yaml:12:11`
    pub place: String,
    /// The number of this play, from 1.
    pub play: usize,
    pub ended: Ended,
}

/// The end of one play.
#[derive(Debug)]
pub enum Ended {
    Played(Box<Played>),
    /// Another scenario has failed before it began.
    NotPlayed,
}

/// What one play has shown.
#[derive(Debug)]
pub struct Played {
    pub took: Duration,
    /// Where the result and the world differ from the scenario. None: it has passed.
    pub differences: Vec<String>,
    /// The result of the job, if it ran; that of the real app, if there is one.
    pub result: Option<JobResult>,
    /// The result has another outcome or another code than the scenario expects.
    pub ended_otherwise: bool,
}

impl Played {
    pub fn has_passed(&self) -> bool {
        self.differences.is_empty()
    }

    /// The error of the job, if the scenario does not expect it.
    pub fn cause(&self) -> Option<&Failure> {
        self.result.as_ref().filter(|_| self.ended_otherwise)?.error.as_ref()
    }
}

/// Plays scenarios; passes on each report when its play ends.
pub async fn run(
    stage: &Stage,
    chosen: &[Chosen<'_>],
    plays: Plays,
    mut each: impl FnMut(&Report),
) -> Vec<Report> {
    let has_failed = &AtomicBool::new(false);
    let all = chosen.iter().flat_map(|chosen| (1..=plays.repeat).map(move |play| (*chosen, play)));
    let playing = all.map(|(chosen, play)| async move {
        let ended = if plays.fail_fast && has_failed.load(Ordering::Relaxed) {
            Ended::NotPlayed
        } else {
            let played = play_once(stage, &chosen, &id(&chosen, play, plays.repeat)).await;
            has_failed.fetch_or(!played.has_passed(), Ordering::Relaxed);
            Ended::Played(Box::new(played))
        };
        Report {
            app: chosen.suite.app.clone(),
            name: chosen.scenario.name.value.clone(),
            file_name: chosen.file_name.to_owned(),
            place: chosen.suite.place(chosen.scenario),
            play,
            ended,
        }
    });
    let mut reports = Vec::new();
    let mut running = stream::iter(playing).buffer_unordered(plays.side_by_side.max(1));
    while let Some(report) = running.next().await {
        each(&report);
        reports.push(report);
    }
    reports
}

/// The id of a job, which its pictures are named after.
fn id(chosen: &Chosen<'_>, play: usize, of: usize) -> String {
    match of {
        1 => chosen.file_name.to_owned(),
        _ => format!("{}.{play}", chosen.file_name),
    }
}

async fn play_once(stage: &Stage, chosen: &Chosen<'_>, id: &str) -> Played {
    let begun = Instant::now();
    let (differences, result) = match play(stage, chosen, id).await {
        Ok((differences, result)) => (differences, Some(result)),
        Err(reason) => (vec![reason], None),
    };
    let ended_otherwise = result.as_ref().is_some_and(|result| ends_otherwise(chosen.scenario, result));
    Played { took: begun.elapsed(), differences, result, ended_otherwise }
}

/// The differences, and the result of the job.
type Compared = (Vec<String>, JobResult);

async fn play(stage: &Stage, chosen: &Chosen<'_>, id: &str) -> Result<Compared, String> {
    let Chosen { suite, site, scenario, .. } = *chosen;
    let (Some(apps), Some(app)) = (&stage.apps, &suite.file.app) else {
        return play_on(stage, chosen, Ground::site(site, scenario).await?, id).await;
    };
    let ground = Ground::app(apps, &app.value, scenario).await?;
    let (mut differences, real) = play_on(stage, chosen, ground, id).await?;
    let ground = Ground::site(site, scenario).await?;
    let (of_twin, twin) = play_on(stage, chosen, ground, &format!("{id}.twin")).await?;
    differences.extend(of_twin.into_iter().map(|difference| format!("on the twin: {difference}")));
    differences.extend(twin_differences(&real, &twin));
    Ok((differences, real))
}

async fn play_on(
    stage: &Stage,
    chosen: &Chosen<'_>,
    ground: Ground<'_>,
    id: &str,
) -> Result<Compared, String> {
    let Chosen { suite, site, scenario, .. } = *chosen;
    let account = merged(&suite.file.account, &scenario.account);
    let job = job(suite, scenario, &account, ground.port(), id);
    let body = serde_json::to_vec(&job).unwrap_or_default();
    let job = Job::parse(&body).map_err(|refusal| format!("`job`: {}", refusal.failure));
    let mut rules = stage.playbooks.of(&suite.app).map(|source| named(&source.loaded)).unwrap_or_default();
    rules.extend(suite.file.unasked.iter().filter_map(RequestPattern::rule));
    let before_commit = Arc::new(BeforeCommit::new(ground.log()));
    let runner = JobRunner {
        playbooks: stage.playbooks.clone(),
        integrations: BTreeMap::new(),
        sessions: Sessions::new(Arc::clone(&stage.launch)),
        secrets: Arc::new(Literal(account.secrets.clone())),
        evidence: Arc::clone(&stage.evidence),
    };
    let played = match &job {
        Ok(job) => tokio::time::timeout(SCENARIO_TIMEOUT, runner.run(job, Arc::clone(&before_commit) as _))
            .await
            .map_err(|_| format!("the scenario took longer than {} s", SCENARIO_TIMEOUT.as_secs())),
        Err(reason) => Err(reason.clone()),
    };
    runner.sessions.end_all().await;
    let before = ground.before.clone();
    let unmet = ground.unmet_faults();
    let after = ground.end().await?;
    let (job, result) = (job?, played?);
    let mut differences = result_differences(scenario, &result);
    differences.extend(unmet.into_iter().map(|fault| format!("the fault never happened: {fault}")));
    differences.extend(before_commit.differences(&job, site, &rules));
    match world::differences(&before, &after, &scenario.world_after, &suite.file.ignore) {
        Ok(of_world) => differences.extend(of_world.into_iter().map(|d| format!("the site's state: {d}"))),
        Err(reason) => differences.push(format!("`world_after`: {reason}")),
    }
    Ok((differences, result))
}

/// Where the result of a twin differs from that of the real app. Texts for people may differ.
fn twin_differences(real: &JobResult, twin: &JobResult) -> Vec<String> {
    let compared = |result: &JobResult| {
        json!({
            "outcome": result.outcome,
            "code": result.error.as_ref().map(|error| error.code),
            "changed": result.changed,
            "before": result.before,
            "after": result.after,
            "users": result.users,
            "complete": result.completeness.as_ref().map(|completeness| completeness.complete),
            "entitlements": result.entitlements,
        })
    };
    let mut found = Vec::new();
    value_differences("", &compared(real), &compared(twin), &mut found);
    found
}

/// Where two values differ: for each list and each object the first place.
fn value_differences(path: &str, real: &Value, twin: &Value, found: &mut Vec<String>) {
    match (real, twin) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
            let before = found.len();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                value_differences(&path, &real[name], &twin[name], found);
            }
            // All differences of the result are listed; of a user, the first one.
            if !path.is_empty() {
                found.truncate(before + 1);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            if let Some(index) = (0..ours.len()).find(|index| ours[*index] != theirs[*index]) {
                value_differences(&format!("{path}[{index}]"), &ours[index], &theirs[index], found);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            let (ours, theirs) = (ours.len(), theirs.len());
            found.push(format!("`{path}` has {ours} entries on the real app, {theirs} on its twin"));
        }
        _ if real != twin => found.push(format!("`{path}` is {real} on the real app, {twin} on its twin")),
        _ => {}
    }
}

/// Does the result have another outcome or another code than the scenario expects?
fn ends_otherwise(scenario: &Scenario, result: &JobResult) -> bool {
    let expect = &scenario.expect;
    let code = result.error.as_ref().map(|error| error.code.as_str());
    let wanted = expect.code.as_ref();
    expect.outcome.value != result.outcome
        || wanted.is_some_and(|wanted| Some(&wanted.value) != code.as_ref())
}

/// Where the result differs from the scenario.
fn result_differences(scenario: &Scenario, result: &JobResult) -> Vec<String> {
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
        same("the error's code", json!(wanted.value), json!(code));
    }
    if let Some(changed) = expect.changed {
        same("`changed`", json!(changed.0), json!(result.changed));
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
        let mut taken = result.evidence.iter().filter(|e| e.reason == *reason).peekable();
        let why = taken.peek().and_then(|e| e.withheld.as_ref()).map(|why| format!(": {why}"));
        if !taken.any(|e| e.reference.is_some()) {
            found.push(format!("there is no picture `{reason}`{}", why.unwrap_or_default()));
        }
    }
    found.extend(drift_differences(&expect.drift, &result.drift));
    found
}

/// Remarks that the scenario does not expect, and expected ones that the result does not have.
fn drift_differences(expected: &[At<String>], drift: &[String]) -> Vec<String> {
    let is_expected = |remark: &&String| expected.iter().any(|part| remark.contains(&part.value));
    let unexpected = drift.iter().filter(|remark| !is_expected(remark));
    let is_missing = |part: &&At<String>| !drift.iter().any(|remark| remark.contains(&part.value));
    let missing = expected.iter().filter(is_missing);
    unexpected
        .map(|remark| format!("unexpected drift: {remark}"))
        .chain(missing.map(|part| format!("no remark under `drift` contains `{}`", part.value)))
        .collect()
}

/// An attribute of a user in a result; an entitlement by its kind.
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

fn merged(all: &ScenarioAccount, one: &ScenarioAccount) -> ScenarioAccount {
    let mut secrets = all.secrets.clone();
    secrets.extend(one.secrets.clone());
    ScenarioAccount {
        username: one.username.clone().or_else(|| all.username.clone()),
        login: one.login.or(all.login),
        secrets,
    }
}

fn job(suite: &Suite, scenario: &Scenario, account: &ScenarioAccount, port: u16, id: &str) -> Value {
    let mut settings = suite.file.integration.clone();
    settings.insert("port".to_owned(), port.to_string());
    settings.extend(scenario.integration.clone());
    let secrets: Map<String, Value> =
        account.secrets.keys().map(|name| (name.clone(), json!(format!("env:{name}")))).collect();
    let evidence = if scenario.evidence.is_empty() { "error" } else { "commit" };
    let mut job = json!({
        "id": id,
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

/// The secrets of the fixture, by name.
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
