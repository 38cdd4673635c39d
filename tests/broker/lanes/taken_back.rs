//! Jobs that requesters take back: whoever was told that it was heard was heard for good.

use lapin::{BasicProperties, Confirmation, options::BasicPublishOptions};
use seatwright::{
    contract::{CANCEL_TYPE, Operation, Outcome},
    ports::journal::{ClaimOutcome, Entry, Journal},
};
use serde_json::json;

use super::{
    crew::{Admin, deadline},
    hands::{Ground, next_result, removal},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_that_comes_while_a_worker_drains_is_noted() {
    let ground = Ground::new().await;
    let Ground { broker, journal, admin, .. } = &ground;
    let mut shift = ground.shift();
    for id in ["runs", "waits"] {
        admin.put("seatwright.jobs", "acme.user.delete", &removal(id, id)).await;
    }
    let runs = shift.begins().await;
    shift.drains();
    assert_eq!(seatwright::adapters::amqp::cancel(&broker.url, "waits").await, Ok(true));
    // One after the other, until nobody is there any more.
    let mut told = vec!["waits".to_owned()];
    let mut runs = Some(runs);
    let telling = async {
        while heard(admin, told.len()).await {
            told.push(told.len().to_string());
            // In the middle of it the worker ends.
            if told.len() == 50 {
                runs.take().expect("once").ends(Outcome::Succeeded);
            }
        }
    };
    deadline(std::time::Duration::from_secs(120), "the worker stays", telling).await;
    shift.ended().await;
    for job in &told {
        let entry = Entry {
            job: job.clone(),
            digest: String::new(),
            lane: "other".to_owned(),
            worker: "test".to_owned(),
            app: "ledgerly".to_owned(),
            operation: Operation::UserDelete,
            integration: "int-42".to_owned(),
            user: None,
            body: Vec::new(),
            reply_to: None,
        };
        if job != "waits" {
            let known = journal.claim(&entry).await.expect("a journal");
            assert!(matches!(known, ClaimOutcome::Cancelled(_)), "{job} of {}: {known:?}", told.len());
        }
    }
    // What waited is not begun by whoever comes next.
    assert_eq!(next_result(admin).await.job, "runs");
    let next = ground.shift();
    let waits = next_result(admin).await;
    assert_eq!((waits.job.as_str(), waits.outcome), ("waits", Outcome::Cancelled));
    next.stops().await;
}

/// Takes a job back. False: nobody heard of it.
async fn heard(admin: &Admin, job: usize) -> bool {
    let body = json!({ "job": job.to_string() }).to_string();
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let properties = BasicProperties::default().with_type(CANCEL_TYPE.into());
    let sent = admin.channel.basic_publish(
        "seatwright.workers".into(),
        "".into(),
        options,
        body.as_bytes(),
        properties,
    );
    matches!(sent.await.expect("it is sent").await.expect("it is taken"), Confirmation::Ack(None))
}
