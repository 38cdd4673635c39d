//! Apps that report success and have done something else: no result says more than the state of the app bears out.
//!
//! Every fault of a write, at every kind of write, on sites of different kinds. The site's own state judges each result.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use seatwright::{
    contract::{Job, JobResult, Outcome},
    event::Readers,
    site::RunningSite,
    worker::{playbooks::Playbooks, runner::JobRunner},
};
use serde_json::{Map, Value, json};

use crate::support::{RealBrowser, root, runner, site};

/// What the app does with the write. The first one is the app that does what it says.
const EFFECTS: [&str; 9] = [
    "as asked",
    "no_effect",
    "partial",
    "wrong_record",
    "side_effect",
    "duplicate",
    "optimistic",
    "rolled_back",
    "signed_out",
];

const OPERATIONS: [&str; 5] =
    ["user.create", "user.update", "user.disable", "entitlement.grant", "user.delete"];

/// A site, and how it is asked for each kind of write.
struct App {
    site: &'static str,
    collection: &'static str,
    /// Who is there, and is changed.
    who: &'static str,
    writes: Vec<Write>,
}

struct Write {
    operation: &'static str,
    /// Where the site is told to do it.
    on: &'static str,
    /// More of the user, in the job.
    user: Value,
    entitlements: &'static [(&'static str, &'static str)],
    /// The fields of the record afterwards; `null`: it is gone.
    sets: Value,
    /// What the fault `side_effect` sets as well.
    also: Value,
}

/// A new user of every site.
const NEW: &str = "zed@acme.example";

/// A table with dialogs, which the server draws.
fn ledgerly() -> App {
    App {
        site: "ledgerly",
        collection: "members",
        who: "nada@acme.example",
        writes: vec![
            Write {
                operation: "user.create",
                on: "POST /members",
                user: json!({ "name": { "givenName": "Zed", "familyName": "Zorn" } }),
                entitlements: &[("role", "Viewer"), ("team", "Finance"), ("team", "Sales")],
                sets: json!({ "name": "Zed Zorn", "status": "Active", "role": "Viewer", "teams": ["Finance", "Sales"] }),
                also: json!({ "role": "Admin" }),
            },
            Write {
                operation: "user.update",
                on: "POST /members/{id}",
                user: json!({ "displayName": "Nada King" }),
                entitlements: &[("role", "Viewer")],
                sets: json!({ "name": "Nada King", "role": "Viewer" }),
                also: json!({ "teams": [] }),
            },
            Write {
                operation: "user.disable",
                on: "POST /members/{id}/suspend",
                user: json!({}),
                entitlements: &[],
                sets: json!({ "status": "Suspended" }),
                also: json!({ "role": "Viewer" }),
            },
            Write {
                operation: "entitlement.grant",
                on: "POST /members/{id}",
                user: json!({}),
                entitlements: &[("team", "Sales"), ("team", "Support")],
                sets: json!({ "teams": ["Finance", "Sales", "Support"] }),
                also: json!({ "role": "Admin" }),
            },
            Write {
                operation: "user.delete",
                on: "POST /members/{id}/remove",
                user: json!({}),
                entitlements: &[],
                sets: Value::Null,
                also: json!({ "role": "Admin" }),
            },
        ],
    }
}

/// A page that asks its server for everything.
fn orbit() -> App {
    App {
        site: "orbit",
        collection: "operators",
        who: "zoe@acme.example",
        writes: vec![
            Write {
                operation: "user.create",
                on: "POST /api/operators",
                user: json!({ "name": { "givenName": "Zed", "familyName": "Zorn" }, "nickName": "Zed" }),
                entitlements: &[("role", "Observer"), ("mission", "Aurora"), ("mission", "Cygnus")],
                sets: json!({ "name": "Zed Zorn", "callsign": "Zed", "status": "On duty", "role": "Observer", "missions": ["Aurora", "Cygnus"] }),
                also: json!({ "callsign": "Nobody" }),
            },
            Write {
                operation: "user.update",
                on: "PATCH /api/operators/{id}",
                user: json!({ "displayName": "Zoe King", "nickName": "Zebra" }),
                entitlements: &[],
                sets: json!({ "name": "Zoe King", "callsign": "Zebra" }),
                also: json!({ "role": "Dispatcher" }),
            },
            Write {
                operation: "user.disable",
                on: "PUT /api/operators/{id}/duty",
                user: json!({}),
                entitlements: &[],
                sets: json!({ "status": "Off duty" }),
                also: json!({ "missions": [] }),
            },
            Write {
                operation: "entitlement.grant",
                on: "PATCH /api/operators/{id}",
                user: json!({}),
                entitlements: &[("mission", "Aurora"), ("mission", "Borealis")],
                sets: json!({ "missions": ["Aurora", "Borealis", "Draco"] }),
                also: json!({ "name": "Zoe Nobody" }),
            },
            Write {
                operation: "user.delete",
                on: "DELETE /api/operators/{id}",
                user: json!({}),
                entitlements: &[],
                sets: Value::Null,
                also: json!({ "name": "Nobody" }),
            },
        ],
    }
}

/// Pages with forms, in the frame of another host.
fn atrium() -> App {
    App {
        site: "atrium",
        collection: "people",
        who: "nada@acme.example",
        writes: vec![
            Write {
                operation: "user.create",
                on: "POST /people",
                user: json!({ "displayName": "Zed Zorn" }),
                entitlements: &[("role", "Guest"), ("area", "Lobby"), ("area", "Roof")],
                sets: json!({ "name": "Zed Zorn", "status": "Active", "role": "Guest", "areas": ["Lobby", "Roof"] }),
                also: json!({ "areas": ["Garage"] }),
            },
            Write {
                operation: "user.update",
                on: "POST /people/{id}",
                user: json!({ "displayName": "Nada King" }),
                entitlements: &[("role", "Guest")],
                sets: json!({ "name": "Nada King", "role": "Guest" }),
                also: json!({ "areas": [] }),
            },
            Write {
                operation: "user.disable",
                on: "POST /people/{id}/block",
                user: json!({}),
                entitlements: &[],
                sets: json!({ "status": "Blocked" }),
                also: json!({ "name": "Nobody" }),
            },
            Write {
                operation: "entitlement.grant",
                on: "POST /people/{id}",
                user: json!({}),
                entitlements: &[("area", "Lobby"), ("area", "Roof")],
                sets: json!({ "areas": ["Garden", "Lobby", "Roof"] }),
                also: json!({ "role": "Manager" }),
            },
        ],
    }
}

/// Cards, and a page for each person. New people are invited.
fn roster() -> App {
    App {
        site: "roster",
        collection: "people",
        who: "zoe@acme.example",
        writes: vec![
            Write {
                operation: "user.create",
                on: "POST /api/people",
                user: json!({ "name": { "givenName": "Zed", "familyName": "Zorn" }, "title": "Clerk" }),
                entitlements: &[("role", "Guest"), ("group", "Finance"), ("group", "Legal")],
                sets: json!({ "name": "Zed Zorn", "title": "Clerk", "status": "Invited", "role": "Guest", "groups": ["Finance", "Legal"] }),
                also: json!({ "title": "Boss" }),
            },
            Write {
                operation: "user.update",
                on: "POST /api/people/{id}",
                user: json!({ "displayName": "Zoe King", "title": "Author" }),
                entitlements: &[],
                sets: json!({ "name": "Zoe King", "title": "Author" }),
                also: json!({ "groups": [] }),
            },
            Write {
                operation: "user.disable",
                on: "POST /api/people/{id}/deactivate",
                user: json!({}),
                entitlements: &[],
                sets: json!({ "status": "Deactivated" }),
                also: json!({ "role": "People admin" }),
            },
            Write {
                operation: "entitlement.grant",
                on: "POST /api/people/{id}",
                user: json!({}),
                entitlements: &[("group", "Finance"), ("group", "Legal")],
                sets: json!({ "groups": ["Design", "Finance", "Legal"] }),
                also: json!({ "title": "Boss" }),
            },
        ],
    }
}

/// A table that draws only the rows in sight: before its search is answered, it shows the user once.
fn beacon() -> App {
    App {
        site: "beacon",
        collection: "people",
        who: "hugo@acme.example",
        writes: vec![
            Write {
                operation: "user.update",
                on: "PATCH /api/people/{id}",
                user: json!({ "displayName": "Hugo King", "title": "Author" }),
                entitlements: &[],
                sets: json!({ "name": "Hugo King", "title": "Author" }),
                also: json!({ "groups": [] }),
            },
            Write {
                operation: "user.disable",
                on: "PUT /api/people/{id}/status",
                user: json!({}),
                entitlements: &[],
                sets: json!({ "status": "Suspended" }),
                also: json!({ "role": "Manager" }),
            },
        ],
    }
}

impl App {
    /// The records of a user, without their ids.
    fn records(&self, world: &Value, who: &str) -> Vec<Map<String, Value>> {
        let all =
            world[self.collection].as_array().expect("a collection").iter().filter_map(Value::as_object);
        let mut found: Vec<_> = all.filter(|record| record["email"] == who).cloned().collect();
        found.iter_mut().for_each(|record| drop(record.shift_remove("id")));
        found
    }

    /// Does one write on a served site, with one fault.
    async fn run(&self, lane: &Lane<'_>, write: &Write, effect: &'static str) -> Run {
        let (site, begun) = (&lane.site, Instant::now());
        site.change(|world| {
            world.clone_from(&lane.seed);
            Ok(())
        })
        .expect("the world as it was");
        let mut faults = Vec::new();
        if effect != EFFECTS[0] {
            let mut fault = json!({ "on": write.on, "do": effect });
            if effect == "side_effect" {
                fault["set"] = write.also.clone();
            }
            faults.push(fault);
        }
        site.fail_with(&faults).expect("a fault of this site");
        let who = if write.operation == "user.create" { NEW } else { self.who };
        let mut user = write.user.clone();
        user["userName"] = who.into();
        let entitlements: Vec<Value> =
            write.entitlements.iter().map(|(kind, value)| json!({ "type": kind, "value": value })).collect();
        let mut job = json!({
            "id": format!("{}-{}-{effect}", self.site, write.operation).replace(' ', "-"),
            "app": self.site, "operation": write.operation, "user": user, "evidence": "none",
            "integration": { "id": lane.id, "settings": { "business_id": "acme", "port": site.addr().port().to_string() } },
            "service_account": { "username": "svc@acme.example", "secrets": { "password": "file:password" } },
        });
        if !entitlements.is_empty() {
            job["entitlements"] = entitlements.into();
        }
        let job = Job::parse(job.to_string().as_bytes()).unwrap_or_else(|wrong| panic!("{}", wrong.failure));
        let result = lane.runner.run(&job, Arc::new(Readers::default())).await;
        let unmet = site.unmet_faults();
        let (before, after) = (self.records(&lane.seed, who), self.records(&site.world(), who));
        let wrong = match unmet.first() {
            Some(fault) => Some(format!("the fault never happened: {fault}")),
            None => belied(&result, &before, &after, write, effect),
        };
        let wrong = wrong.map(|why| {
            let error = result.error.as_ref().map(|error| format!("{}: {}", error.code, error.message));
            format!(
                "{} {} {effect}: {why}; {:?}, changed {:?}, {}, drift {:?}\n  before {before:?}\n  after {after:?}",
                self.site, write.operation, result.outcome, result.changed, error.unwrap_or_default(), result.drift
            )
        });
        Run { site: self.site, operation: write.operation, effect, result, wrong, took: begun.elapsed() }
    }
}

/// Does the state of the app bear out the result? `before` and `after`: the records of the job's own user.
fn belied(
    result: &JobResult,
    before: &[Map<String, Value>],
    after: &[Map<String, Value>],
    write: &Write,
    effect: &str,
) -> Option<String> {
    let sets = write.sets.as_object().cloned().unwrap_or_default();
    let is_done = match (before, after) {
        (_, []) => write.sets.is_null(),
        // Of a new record, what the job names.
        ([], [new]) => sets.iter().all(|(field, value)| new.get(field) == Some(value)),
        ([was], [now]) => {
            let mut wanted = was.clone();
            wanted.extend(sets);
            wanted == *now
        }
        _ => false,
    };
    let says_done =
        matches!(result.outcome, Outcome::Succeeded | Outcome::PendingExternal | Outcome::NoChange);
    match (says_done, result.changed) {
        (true, _) if !is_done => Some("reported as done, and it is not".to_owned()),
        (_, Some(true)) if before == after => Some("`changed: true`, and nothing has changed".to_owned()),
        (_, Some(false)) if before != after => Some("`changed: false`, and it has changed".to_owned()),
        (false, _) if effect == EFFECTS[0] => Some("done, and not reported as done".to_owned()),
        (true, changed) if effect == EFFECTS[0] && changed != Some(true) => {
            Some("done, and not reported as changed".to_owned())
        }
        _ => None,
    }
}

/// A served site, with a session of its own.
struct Lane<'r> {
    id: String,
    site: RunningSite,
    seed: Value,
    runner: &'r JobRunner,
}

struct Run {
    site: &'static str,
    operation: &'static str,
    effect: &'static str,
    result: JobResult,
    wrong: Option<String>,
    took: Duration,
}

/// The playbooks, which wait for a short time: for the app's word, and until a change shows.
fn impatient(folder: &std::path::Path, apps: &[App]) -> Playbooks {
    for app in apps {
        let file = |folder: &std::path::Path| folder.join("playbooks").join(app.site).join("playbook.yaml");
        let text = std::fs::read_to_string(file(&root())).expect("a playbook");
        let text = text.replacen("playbook: 1\n", "playbook: 1\nsettle: 500ms\n", 1);
        let word = "      - expect: { status: ";
        let text: String = text
            .lines()
            .map(|line| match line.starts_with(word) {
                true => format!("{line}\n        timeout: 4s\n"),
                false => format!("{line}\n"),
            })
            .collect();
        std::fs::create_dir_all(file(folder).parent().expect("a folder")).expect("a folder");
        std::fs::write(file(folder), text).expect("a playbook");
    }
    Playbooks::read(&folder.join("playbooks")).expect("the playbooks are read")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_result_says_more_than_the_app_bears_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let apps = [ledgerly(), orbit(), atrium(), roster(), beacon()];
    let runner = runner(folder.path(), impatient(folder.path(), &apps), Arc::new(RealBrowser));
    let lanes = apps.iter().flat_map(|app| app.writes.chunks(3).map(move |writes| (app, writes)));
    let lanes = lanes.enumerate().map(|(number, (app, writes))| {
        let runner = &runner;
        async move {
            let site = site(app.site).await;
            let lane = Lane { id: format!("lane-{number}"), seed: site.world(), site, runner };
            let mut runs = Vec::new();
            for write in writes {
                for effect in EFFECTS {
                    runs.push(app.run(&lane, write, effect).await);
                }
            }
            lane.site.stop().await;
            runs
        }
    });
    let begun = Instant::now();
    let runs: Vec<Run> = join_all(lanes).await.into_iter().flatten().collect();
    runner.sessions.close().await;
    print(&runs, begun.elapsed());
    let wrong: Vec<&str> = runs.iter().filter_map(|run| run.wrong.as_deref()).collect();
    assert!(wrong.is_empty(), "{} of {} runs:\n{}", wrong.len(), runs.len(), wrong.join("\n"));
}

/// Effect by operation: how often which outcome, with its `changed`.
fn print(runs: &[Run], took: Duration) {
    let told = |run: &Run| {
        let outcome = serde_json::to_value(run.result.outcome).unwrap_or_default();
        let changed = run.result.changed.map_or("null".to_owned(), |changed| changed.to_string());
        format!("{} ({changed})", outcome.as_str().unwrap_or_default())
    };
    let counted = |effect: &str, operation: Option<&str>| {
        let mut counts = BTreeMap::<String, usize>::new();
        let of = |run: &&Run| run.effect == effect && operation.is_none_or(|one| one == run.operation);
        runs.iter().filter(of).for_each(|run| *counts.entry(told(run)).or_default() += 1);
        counts.iter().map(|(told, number)| format!("{number} {told}")).collect::<Vec<_>>().join(", ")
    };
    println!("{} runs in {:.0} s", runs.len(), took.as_secs_f64());
    println!("| effect | {} | all |", OPERATIONS.join(" | "));
    for effect in EFFECTS {
        let cells = OPERATIONS.map(|operation| counted(effect, Some(operation)));
        println!("| {effect} | {} | {} |", cells.join(" | "), counted(effect, None));
    }
    let mut slow: Vec<&Run> = runs.iter().collect();
    slow.sort_by_key(|run| std::cmp::Reverse(run.took));
    for run in slow.iter().take(3) {
        println!("{} {} {} took {:.1} s", run.site, run.operation, run.effect, run.took.as_secs_f64());
    }
}
