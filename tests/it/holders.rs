//! The last holder of a protected entitlement: who else has it is read, and no further than needed.

use std::sync::Arc;

use crate::support::{Bench, Heard, control, member, site};
use seatwright::{
    contract::{Code, Job, Outcome},
    event::{EventKind, Reader, Readers},
    site::RunningSite,
};
use serde_json::{Value, json};

/// How many times the site was asked for a path that begins so.
async fn asked(site: &RunningSite, begins: &str) -> usize {
    let url = format!("http://{}/_site/log", site.addr());
    let log: Vec<Value> = reqwest::get(url).await.expect("the site answers").json().await.expect("JSON");
    let is = |line: &&Value| {
        line["method"] == "GET" && line["path"].as_str().is_some_and(|path| path.starts_with(begins))
    };
    log.iter().filter(is).count()
}

fn told(heard: &Heard) -> Vec<String> {
    let heard = heard.0.lock().expect("no panic");
    let what = heard.iter().filter_map(|event| match &event.kind {
        EventKind::Noticed { what } => Some(what.clone()),
        _ => None,
    });
    what.filter(|what| what.contains("role")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_read_up_to_the_second_holder() {
    let bench = Bench::new().await;
    // The list is in the order of names.
    let mut members = bench.site.world()["members"].clone();
    let list = members.as_array_mut().expect("members");
    let first =
        list.iter_mut().filter(|one| one["status"] == "Active").min_by_key(|one| one["name"].to_string());
    first.expect("somebody")["role"] = "Admin".into();
    control(&bench.site, "world", json!({ "members": members })).await;
    let olga = json!({ "user": { "userName": "olga@acme.example" } });
    let disabled = bench.run("user.disable", olga).await;
    assert_eq!(disabled.outcome, Outcome::Succeeded, "{:?}", disabled.error);
    assert_eq!(member(&bench.site, "olga@acme.example").expect("she is there")["status"], "Suspended");
    let pages = asked(&bench.site, "/members").await;
    assert!(pages < 12, "the whole job has asked for {pages} pages; the list alone has twelve");
    let told = told(&bench.heard);
    assert!(told.iter().any(|what| what.ends_with("another one has it")), "{told:?}");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_users_are_opened_up_to_the_second_holder() {
    let (bench, site) = (Bench::new().await, site("roster").await);
    let run = async |id: &str| {
        let settings = json!({ "business_id": "acme", "port": site.addr().port().to_string() });
        let job = json!({
            "id": id, "app": "roster", "operation": "user.disable", "user": { "userName": "olga@acme.example" },
            "integration": { "id": "roster", "settings": settings },
            "service_account": { "username": "svc@acme.example", "secrets": { "password": "file:password" } },
        });
        let job = Job::parse(job.to_string().as_bytes()).expect("a job");
        let heard = Arc::<Heard>::default();
        let readers = Readers::default().with(Arc::clone(&heard) as Arc<dyn Reader>);
        (bench.runner.run(&job, Arc::new(readers)).await, told(&heard))
    };
    let person = |people: &Value, email: &str| {
        let found = people.as_array().expect("people").iter().find(|one| one["email"] == email);
        found.cloned().expect("somebody")
    };
    let before = asked(&site, "/api/people/").await;
    let (refused, told) = run("the-last").await;
    assert_eq!(
        refused.error.as_ref().map(|error| error.code),
        Some(Code::ProtectedPrincipal),
        "{:?}",
        refused.error
    );
    assert!(told.iter().any(|what| what.ends_with("no other one has it")), "{told:?}");
    let all = asked(&site, "/api/people/").await - before;
    assert_eq!(person(&site.world()["people"], "olga@acme.example")["status"], "Active");

    let mut people = site.world()["people"].clone();
    for one in people.as_array_mut().expect("people") {
        if one["email"] == "ada@acme.example" {
            one["role"] = "Owner".into();
        }
    }
    control(&site, "world", json!({ "people": people })).await;
    let before = asked(&site, "/api/people/").await;
    let (disabled, told) = run("not-the-last").await;
    assert_eq!(disabled.outcome, Outcome::Succeeded, "{:?}", disabled.error);
    let some = asked(&site, "/api/people/").await - before;
    assert_eq!(person(&site.world()["people"], "olga@acme.example")["status"], "Deactivated");
    assert!(told.iter().any(|what| what.ends_with("another one has it")), "{told:?}");
    assert!(all > 20 && some < all / 2, "{some} pages of people were opened, and {all} exist");
    bench.end().await;
    site.stop().await;
}
