//! Whose account the app refuses, and who has to wait for that.

use seatwright::{
    contract::{Code, Failure, Outcome},
    ports::journal::Journal,
};
use serde_json::json;

use super::{
    crew::Admin,
    hands::{Shift, declared, journal, next_result},
    support::{PrivateBroker, corridor::job},
};

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_a_job_brings_along_stops_nobody_else() {
    let broker = PrivateBroker::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let journal = journal(&folder).await;
    declared(&broker.url, &["acme"]).await.expect("the broker is there");
    let admin = Admin::new(&broker.url).await;
    let send = async |id: &str, account: &str| {
        let account = json!({ "username": account, "secrets": { "password": "env:X" } });
        let body = job(id, "user.list", json!({ "service_account": account }));
        admin.put("seatwright.jobs", "acme.user.list", &body).await;
    };
    let refusal = || Some(Failure::new(Code::BadCredentials, "the app says no"));
    let stopped = async || {
        let stops = journal.stopped_lanes().await.expect("a journal");
        stops.into_iter().map(|stop| stop.lane).collect::<Vec<_>>()
    };
    for (id, account) in
        [("own", "own"), ("own again", "own"), ("ours", "acme-svc"), ("ours again", "acme-svc")]
    {
        send(id, account).await;
    }
    let mut shift = Shift::start(&broker.url, &["acme"], 1, &journal);
    shift.begins().await.ends_with(Outcome::Failed, refusal());
    assert_eq!(next_result(&admin).await.job, "own");
    assert_eq!(stopped().await, ["acme/own"]);
    // It is tried once, and whoever comes behind it does not wait.
    let again = next_result(&admin).await;
    let error = again.error.expect("why");
    assert_eq!((again.job.as_str(), error.code), ("own again", Code::BadCredentials));
    assert!(error.hint.expect("a hint").contains("lanes resume acme/own"));
    let ours = shift.begins().await;
    assert_eq!(ours.job, "ours");
    // The lane's own account is everybody's.
    ours.ends_with(Outcome::Failed, refusal());
    assert_eq!(next_result(&admin).await.job, "ours");
    assert_eq!(stopped().await, ["acme", "acme/own"]);
    for unit in ["acme", "acme/own"] {
        assert!(journal.resume_lane(unit).await.expect("a journal"));
    }
    send("own mended", "own").await;
    for id in ["ours again", "own mended"] {
        let begun = shift.begins().await;
        assert_eq!(begun.job, id);
        begun.ends(Outcome::Succeeded);
    }
    shift.stops().await;
}
