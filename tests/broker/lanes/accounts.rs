//! Whose account the app refuses, and who has to wait for that.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use seatwright::{
    contract::{Code, Failure, Outcome},
    ports::journal::Journal,
};
use serde_json::json;

use crate::servers::corridor::job;

use super::{
    crew::Admin,
    hands::{Ground, OWN, next_result},
};

fn refusal() -> Option<Failure> {
    Some(Failure::new(Code::BadCredentials, "the app says no"))
}

async fn send(admin: &Admin, id: &str, integration: &str, account: &str) {
    let more = json!({
        "integration": { "id": integration },
        "service_account": { "username": account, "secrets": { "password": "env:X" } },
    });
    admin.put("seatwright.jobs", "acme.user.list", &job(id, "user.list", more)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_a_job_brings_along_stops_nobody_else() {
    let ground = Ground::new().await;
    let (journal, admin) = (&ground.journal, &ground.admin);
    let send = async |id: &str, account: &str| send(admin, id, "int-42", account).await;
    let stopped = async || {
        let stops = journal.stopped_lanes().await.expect("a journal");
        stops.into_iter().map(|stop| stop.lane).collect::<Vec<_>>()
    };
    for (id, account) in [("own", "own"), ("own again", "own"), ("ours", OWN), ("ours again", OWN)] {
        send(id, account).await;
    }
    let mut shift = ground.shift();
    shift.begins().await.ends_with(Outcome::Failed, refusal());
    assert_eq!(next_result(admin).await.job, "own");
    assert_eq!(stopped().await, ["acme/int-42/own"]);
    // It is tried once, and whoever comes behind it does not wait.
    let again = next_result(admin).await;
    let error = again.error.expect("why");
    assert_eq!((again.job.as_str(), error.code), ("own again", Code::BadCredentials));
    assert!(error.hint.expect("a hint").contains("lanes resume acme/int-42/own"));
    let ours = shift.begins().await;
    assert_eq!(ours.job, "ours");
    // The lane's own account is everybody's.
    ours.ends_with(Outcome::Failed, refusal());
    assert_eq!(next_result(admin).await.job, "ours");
    assert_eq!(stopped().await, ["acme", "acme/int-42/own"]);
    for unit in ["acme", "acme/int-42/own"] {
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

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_let_go_on_while_a_job_of_it_is_answered_goes_on() {
    let ground = Ground::new().await;
    let (journal, admin) = (&ground.journal, &ground.admin);
    let mut shift = ground.shift();
    let mended = Arc::new(AtomicBool::new(false));
    let mends = {
        let (journal, mended) = (Arc::clone(journal), Arc::clone(&mended));
        move || {
            let runtime = tokio::runtime::Handle::current();
            let resume = || runtime.block_on(journal.resume_lane("acme/int-42/own"));
            mended.store(tokio::task::block_in_place(resume).expect("a journal"), Ordering::SeqCst);
        }
    };
    shift.on_refusal(mends);
    for id in ["refused", "barred", "mended"] {
        send(admin, id, "int-42", "own").await;
    }
    shift.begins().await.ends_with(Outcome::Failed, refusal());
    for id in ["refused", "barred"] {
        let told = next_result(admin).await;
        assert_eq!((told.job.as_str(), told.error.expect("why").code), (id, Code::BadCredentials));
    }
    assert!(mended.load(Ordering::SeqCst), "it was stopped, and let go on in the middle of the answer");
    let begun = shift.begins().await;
    assert_eq!(begun.job, "mended");
    begun.ends(Outcome::Succeeded);
    assert_eq!(next_result(admin).await.job, "mended");
    assert_eq!(journal.stopped_lanes().await.expect("a journal"), []);
    shift.stops().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_name_in_two_integrations_is_two_accounts() {
    let ground = Ground::new().await;
    let (journal, admin) = (&ground.journal, &ground.admin);
    let mut shift = ground.shift();
    for (id, integration) in [("one", "int-1"), ("one again", "int-1"), ("two", "int-2")] {
        send(admin, id, integration, "own").await;
    }
    shift.begins().await.ends_with(Outcome::Failed, refusal());
    for id in ["one", "one again"] {
        assert_eq!(next_result(admin).await.job, id);
    }
    let begun = shift.begins().await;
    assert_eq!(begun.job, "two");
    begun.ends(Outcome::Succeeded);
    assert_eq!(next_result(admin).await.job, "two");
    let stops = journal.stopped_lanes().await.expect("a journal");
    assert_eq!(stops.into_iter().map(|stop| stop.lane).collect::<Vec<_>>(), ["acme/int-1/own"]);
    shift.stops().await;
}
