//! A list that draws only a part of itself, read as a whole. What counts is the site's own state.

use std::{collections::BTreeMap, sync::Arc};

use crate::support::{Bench, site};
use seatwright::{
    contract::{Job, Outcome},
    event::Readers,
};
use serde_json::{Value, json};

/// A record as the site holds it, in the words of a result.
fn as_read(person: &Value) -> Value {
    let grants = person["groups"].as_array().expect("groups").iter().map(|group| json!(["group", group]));
    json!({
        "userName": person["email"],
        "displayName": person["name"],
        "title": person["title"],
        "active": person["status"] == "Active",
        "grants": grants.chain([json!(["role", person["role"]])]).collect::<Vec<_>>(),
    })
}

fn as_told(user: &Value) -> Value {
    let grants = user["entitlements"].as_array().expect("entitlements");
    json!({
        "userName": user["userName"],
        "displayName": user["displayName"],
        "title": user["title"],
        "active": user["active"],
        "grants": grants.iter().map(|grant| json!([grant["type"], grant["value"]])).collect::<Vec<_>>(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_5000_is_read_as_the_site_holds_them() {
    let (bench, site) = (Bench::new().await, site("beacon").await);
    let settings = json!({ "business_id": "acme", "port": site.addr().port().to_string() });
    let job = json!({
        "id": "everybody", "app": "beacon", "operation": "user.list",
        "integration": { "id": "beacon", "settings": settings },
        "service_account": { "username": "svc@acme.example", "secrets": { "password": "file:password" } },
    });
    let job = Job::parse(job.to_string().as_bytes()).expect("a job");
    let result = bench.runner.run(&job, Arc::new(Readers::default())).await;
    assert_eq!(result.outcome, Outcome::Succeeded, "{:?}", result.error);
    let completeness = result.completeness.expect("a list says how complete it is");
    assert_eq!((completeness.complete, completeness.shown), (true, Some(5000)));

    let by_name = |users: Vec<Value>| -> BTreeMap<String, Value> {
        users.into_iter().map(|user| (user["userName"].to_string(), user)).collect()
    };
    let told = serde_json::to_value(result.users.expect("users")).expect("users are JSON");
    let told = by_name(told.as_array().expect("a list").iter().map(as_told).collect());
    let world = site.world();
    let held = by_name(world["people"].as_array().expect("people").iter().map(as_read).collect());
    assert_eq!((told.len(), held.len()), (5000, 5000));
    for (name, person) in &held {
        assert_eq!(told.get(name), Some(person), "{name}");
    }
}
