//! Jobs beside one that kills its worker each time.

use seatwright::contract::{Code, Outcome};
use serde_json::json;

use crate::{
    servers::{
        VirtualHost,
        corridor::{Place, Worker, job, results},
    },
    support::control,
};

#[tokio::test(flavor = "multi_thread")]
async fn chaos_who_only_stood_beside_a_job_that_kills_is_done() {
    let broker = VirtualHost::take();
    let lanes = ["guilty".to_owned(), "innocent".to_owned()];
    let place = Place::new(&broker.url, &lanes).await;
    let mut client = place.client().await;
    // Both sign in at the same time; then the one kills, and the other still has something to wait for.
    control(&place.site, "faults", json!([{ "on": "GET /members", "do": "slow", "ms": 2000 }])).await;
    let somebody = place.site.world()["members"][0]["email"].clone();
    for lane in ["innocent", "guilty"] {
        let body = job(
            lane,
            "user.get",
            json!({
                "integration": { "id": format!("int-{lane}"), "settings": { "business_id": "acme" } },
                "user": { "userName": somebody },
            }),
        );
        client.publish(lane, "user.get", lane, &body).await.expect("it is stored");
    }
    let text_browser = ("SEATWRIGHT_TEST_BROWSER", "text");
    for death in 0..5 {
        let fault = ("SEATWRIGHT_TEST_FAULT", "session_ready KILL guilty");
        let mut worker = Worker::start_with(&place.config, &[text_browser, fault]);
        let killed = move || {
            if death >= 2 {
                worker.says("the job now runs alone");
            }
            worker.killed();
        };
        tokio::task::spawn_blocking(killed).await.expect("it was killed");
    }
    let trace = std::fs::read_to_string(place.folder.path().join("evidence/innocent.trace.ndjson"));
    let taken_up = trace.expect("a trace").matches("\"taken_up\"").count();
    assert!(taken_up >= 2, "it stood beside the other {taken_up} times");
    let worker = Worker::start_with(&place.config, &[text_browser]);
    let mut told = results(&mut client, vec!["guilty", "innocent"]).await;
    worker.stop();
    told.sort_by(|a, b| a.job.cmp(&b.job));
    let outcomes: Vec<_> = told.iter().map(|result| (result.job.as_str(), result.outcome)).collect();
    assert_eq!(outcomes, [("guilty", Outcome::Failed), ("innocent", Outcome::Succeeded)], "{told:?}");
    let error = told[0].error.clone().expect("why");
    assert!(error.code == Code::Internal && error.message.contains("died 5 times"), "{error}");
}
