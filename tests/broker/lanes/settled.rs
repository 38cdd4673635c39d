//! What a job that ended `indeterminate` is settled to: one thing, told however its settler ends.

use std::{path::Path, process::Output};

use seatwright::{
    contract::{JobResult, Outcome},
    ports::{journal::Journal, queue::Broker},
};
use sqlx::{AnyConnection, Connection};

use crate::servers::VirtualHost;

use super::{
    crew::{Admin, rabbit},
    hands::{Shift, declared, journal, lost, next_result, removal},
    within,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_comes_second_tells_nothing() {
    let broker = VirtualHost::take();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let journal = journal(&folder).await;
    let open = lost(&journal, "acme", "lost").await;
    let mut shift = Shift::start(&broker.url, &["acme"], 1, &journal);
    declared(&broker.url, &["acme"]).await.expect("the broker is there");
    let teller = rabbit(&broker.url, &["other"], "teller").connect().await.expect("the broker is there");
    teller.outbox().ask_to_settle("acme", "lost").await.expect("it is stored");
    let look = shift.begins().await;
    // A person is faster, and says otherwise than the look will.
    let said = JobResult { outcome: Outcome::Failed, settled: true, ..open };
    assert!(journal.settle("lost", &said).await.expect("a journal"));
    look.ends(Outcome::NoChange);
    let admin = Admin::new(&broker.url).await;
    admin.put("seatwright.jobs", "acme.user.delete", &removal("after", "bo")).await;
    shift.begins().await.ends(Outcome::Succeeded);
    assert_eq!(next_result(&admin).await.job, "after");
    let kept = journal.unsettled("lost").await.expect("a journal");
    assert_eq!(kept, None);
    teller.close().await;
    shift.stops().await;
}

/// The program, with this configuration.
async fn settle(config: &Path, job: &str) -> Output {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_seatwright-testbed"));
    command.args(["settle", job, "--done", "--config"]).arg(config);
    tokio::task::spawn_blocking(move || command.output().expect("it runs")).await.expect("no panic")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_settled_and_not_told_is_told_by_whoever_has_the_lane() {
    let broker = VirtualHost::take();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let journal = journal(&folder).await;
    lost(&journal, "acme", "lost").await;
    let config = folder.path().join("seatwright.yaml");
    let text = format!(
        "broker: {{ url: '{}' }}\njournal: {{ url: 'sqlite:{}/journal.db' }}\n\
         service_accounts:\n  acme: {{ username: svc, secrets: {{ password: 'env:X' }} }}\n",
        broker.url,
        folder.path().display()
    );
    std::fs::write(&config, text).expect("it can be written");
    // Nothing is declared: the broker takes no result.
    let out = settle(&config, "lost").await;
    let said = String::from_utf8_lossy(&out.stdout) + String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    assert!(
        said.contains("lost: settled, succeeded") && said.contains("The result is in the journal"),
        "{said}"
    );
    let again = settle(&config, "lost").await;
    assert_eq!(again.status.code(), Some(1), "a person's word is kept once");

    // It was a minute ago.
    sqlx::any::install_default_drivers();
    let file = format!("sqlite:{}/journal.db", folder.path().display());
    let mut by_hand = AnyConnection::connect(&file).await.expect("it is there");
    let back = sqlx::query::<sqlx::Any>("UPDATE journal_jobs SET changed_at = changed_at - 60000000");
    back.execute(&mut by_hand).await.expect("it is changed");
    let shift = Shift::start(&broker.url, &["acme"], 1, &journal);
    declared(&broker.url, &["acme"]).await.expect("the broker is there");
    let admin = Admin::new(&broker.url).await;
    let told = next_result(&admin).await;
    assert_eq!((told.job.as_str(), told.outcome, told.settled), ("lost", Outcome::Succeeded, true));
    within(shift.stops()).await;
    assert_eq!(admin.get("seatwright.results").await, None, "it was told twice");
    let far = jiff::Timestamp::now() + std::time::Duration::from_secs(60);
    assert_eq!(journal.settled_unpublished(&["acme".to_owned()], far).await.expect("a journal"), []);
}
