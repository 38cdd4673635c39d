//! What every mirror does: one set of cases, run on SQLite and on a real PostgreSQL server.
#![allow(clippy::unwrap_used, reason = "a mirror that fails fails the case")]

use std::pin::Pin;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use seatwright::{
    adapters::mirror_sql::SqlMirror,
    contract::{Job, Outcome, UserRecord},
    ports::mirror::{
        AccessToken, Activity, EndedJob, Mirror, MirrorJob, MirrorUser, PartOf, Seen, Select, UserChange,
        UserState, Wished,
    },
};
use serde_json::json;

use crate::{journal::result, servers::postgres::PrivatePostgres};

/// Gets the address of a mirror that is not there yet.
type Case = fn(String) -> Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! cases {
    ($($name:ident)*) => {
        const CASES: &[(&str, Case)] = &[$((stringify!($name), |url| Box::pin($name(url))),)*];
    };
}

cases! {
    a_user_is_kept_and_found_by_each_name
    a_change_of_an_older_version_changes_nothing
    one_identity_is_one_user
    a_user_has_one_open_job
    a_job_ends_once
    what_waits_is_due_when_its_pause_is_over
    a_list_has_everybody_once_in_the_order_of_arrival
    of_two_changes_at_once_one_is_made
    what_nobody_needs_is_forgotten
    a_token_names_its_integration
    activity_is_read_from_its_end
    every_text_goes_in
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_does_as_agreed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, case) in CASES {
        eprintln!("case {name}");
        case(format!("sqlite:{}/{name}.db", folder.path().display())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_does_as_agreed() {
    let server = PrivatePostgres::start();
    for (name, case) in CASES {
        eprintln!("case {name}");
        case(server.database(name)).await;
    }
}

async fn open(url: &str) -> SqlMirror {
    SqlMirror::open(url).await.unwrap_or_else(|error| panic!("{error}"))
}

/// As precise as a mirror is.
fn now() -> Timestamp {
    Timestamp::from_microsecond(Timestamp::now().as_microsecond()).unwrap()
}

fn user(id: &str) -> MirrorUser {
    MirrorUser {
        integration: "books".into(),
        id: id.into(),
        key: format!("{id}@acme.example"),
        user_name: format!("{id}@Acme.example"),
        external_id: Some(format!("ext-{id}")),
        email: Some(format!("{id}@mail.example")),
        state: UserState {
            seen: Seen::There(Box::new(UserRecord { user_name: id.into(), ..UserRecord::default() })),
            ..UserState::default()
        },
        retry_at: None,
        created_at: now(),
        changed_at: now(),
        revision: 1,
        version: 0,
    }
}

fn job(id: &str, user: &str) -> MirrorJob {
    let body = json!({
        "id": id, "app": "ledgerly", "operation": "user.get", "integration": { "id": "books" }, "user": { "userName": user },
    });
    MirrorJob {
        integration: "books".into(),
        lane: "acme".into(),
        user: Some(user.into()),
        job: Job::parse(body.to_string().as_bytes()).unwrap(),
        created_at: now(),
        published_at: None,
        outcome: None,
        ended_at: None,
    }
}

fn change(user: MirrorUser) -> UserChange {
    UserChange { user, remove: false, ended: None, begun: None, activity: Vec::new() }
}

/// Adds a user, and returns them as stored.
async fn added(mirror: &SqlMirror, user: MirrorUser) -> MirrorUser {
    assert!(mirror.apply(&change(user.clone())).await.unwrap());
    mirror.user(&user.integration, &user.id).await.unwrap().unwrap()
}

async fn a_user_is_kept_and_found_by_each_name(url: String) {
    let mirror = open(&url).await;
    let ada = added(&mirror, user("ada")).await;
    assert_eq!(MirrorUser { version: 0, ..ada.clone() }, MirrorUser { version: 0, ..user_as(&ada) });
    assert_eq!(ada.version, 1);
    added(&mirror, user("bo")).await;
    for select in [
        Select::Key("ada@acme.example".into()),
        Select::ExternalId("ext-ada".into()),
        Select::Email("ada@mail.example".into()),
    ] {
        let page = mirror.users("books", &select, PartOf::FIRST).await.unwrap();
        assert_eq!((page.total, page.users), (1, vec![ada.clone()]), "{select:?}");
        assert_eq!(mirror.users("other", &select, PartOf::FIRST).await.unwrap().total, 0, "{select:?}");
    }
    assert_eq!(mirror.user("other", "ada").await.unwrap(), None, "one tenant sees one tenant");
    let gone = UserChange { remove: true, ..change(ada) };
    assert!(mirror.apply(&gone).await.unwrap());
    assert_eq!(open(&url).await.user("books", "ada").await.unwrap(), None);
}

/// The same user, made again.
fn user_as(stored: &MirrorUser) -> MirrorUser {
    MirrorUser { created_at: stored.created_at, changed_at: stored.changed_at, ..user(&stored.id) }
}

async fn a_change_of_an_older_version_changes_nothing(url: String) {
    let mirror = open(&url).await;
    let ada = added(&mirror, user("ada")).await;
    let renamed = MirrorUser { user_name: "Ada".into(), ..ada.clone() };
    assert!(mirror.apply(&change(renamed.clone())).await.unwrap());
    let late = UserChange {
        begun: Some(job("job", "ada")),
        activity: vec![activity("late")],
        ..change(MirrorUser { user_name: "Eve".into(), ..ada.clone() })
    };
    assert!(!mirror.apply(&late).await.unwrap());
    assert!(!mirror.apply(&UserChange { remove: true, ..change(ada) }).await.unwrap());
    let kept = mirror.user("books", "ada").await.unwrap().unwrap();
    assert_eq!((kept.user_name.as_str(), kept.version), ("Ada", 2));
    assert_eq!(mirror.job("job").await.unwrap(), None, "nothing of a change is made alone");
    assert!(mirror.activity("books", None, None, 9).await.unwrap().is_empty());
}

async fn one_identity_is_one_user(url: String) {
    let mirror = open(&url).await;
    added(&mirror, user("ada")).await;
    let same = MirrorUser { id: "other".into(), ..user("ada") };
    assert!(!mirror.apply(&change(same.clone())).await.unwrap());
    added(&mirror, MirrorUser { integration: "other".into(), ..same }).await;
}

async fn a_user_has_one_open_job(url: String) {
    let mirror = open(&url).await;
    let ada = added(&mirror, user("ada")).await;
    let begin =
        |user: &MirrorUser, id: &str| UserChange { begun: Some(job(id, "ada")), ..change(user.clone()) };
    assert!(mirror.apply(&begin(&ada, "first")).await.unwrap());
    let ada = mirror.user("books", "ada").await.unwrap().unwrap();
    assert!(!mirror.apply(&begin(&ada, "second")).await.unwrap());
    assert_eq!(mirror.open_job("ada").await.unwrap().unwrap().job.id, "first");
    assert_eq!(mirror.open_jobs("acme").await.unwrap(), 1);
    let ids = |jobs: Vec<MirrorJob>| jobs.into_iter().map(|job| job.job.id).collect::<Vec<_>>();
    assert_eq!(ids(mirror.unpublished().await.unwrap()), ["first"]);
    mirror.published("first").await.unwrap();
    assert_eq!(ids(mirror.unpublished().await.unwrap()), [""; 0]);
    mirror.unpublish().await.unwrap();
    assert_eq!(ids(mirror.unpublished().await.unwrap()), ["first"], "a queue in memory was lost");
}

async fn a_job_ends_once(url: String) {
    let mirror = open(&url).await;
    let ada = added(&mirror, user("ada")).await;
    assert!(mirror.apply(&UserChange { begun: Some(job("job", "ada")), ..change(ada) }).await.unwrap());
    let end = async |outcome: Outcome| {
        let ada = mirror.user("books", "ada").await.unwrap().unwrap();
        let last = outcome != Outcome::Indeterminate;
        let ended = EndedJob { id: "job".into(), result: Box::new(result("job", outcome)), at: now(), last };
        mirror.apply(&UserChange { ended: Some(ended), ..change(ada) }).await.unwrap()
    };
    assert!(end(Outcome::Indeterminate).await);
    let open = mirror.open_job("ada").await.unwrap().expect("another result follows");
    assert_eq!(open.outcome, Some(Outcome::Indeterminate));
    assert!(end(Outcome::Succeeded).await);
    assert_eq!(mirror.open_job("ada").await.unwrap(), None);
    assert!(!end(Outcome::Failed).await, "the second result comes too late");
    let kept = mirror.job("job").await.unwrap().unwrap();
    assert_eq!(kept.outcome, Some(Outcome::Succeeded));
    assert!(kept.ended_at.is_some());
    assert!(mirror.unpublished().await.unwrap().is_empty());
}

async fn what_waits_is_due_when_its_pause_is_over(url: String) {
    let mirror = open(&url).await;
    let wishing = |id: &str, pause: Option<i64>| {
        let mut user = user(id);
        user.state.wish = Some(Wished { number: 1, ..Wished::default() });
        user.retry_at = pause.map(|seconds| now() + SignedDuration::from_secs(seconds));
        user
    };
    added(&mirror, user("without")).await;
    added(&mirror, wishing("at-once", None)).await;
    added(&mirror, wishing("later", Some(60))).await;
    let busy = added(&mirror, wishing("busy", None)).await;
    assert!(mirror.apply(&UserChange { begun: Some(job("job", "busy")), ..change(busy) }).await.unwrap());
    let due = async |at: Timestamp| {
        mirror.due(at).await.unwrap().into_iter().map(|user| user.id).collect::<Vec<_>>()
    };
    assert_eq!(due(now()).await, ["at-once"]);
    assert_eq!(due(now() + SignedDuration::from_secs(61)).await, ["at-once", "later"]);
}

async fn a_list_has_everybody_once_in_the_order_of_arrival(url: String) {
    let mirror = open(&url).await;
    let ids: Vec<String> = (0..25).map(|number| format!("u{}", (number * 7) % 25)).collect();
    for id in &ids {
        added(&mirror, user(id)).await;
    }
    let mut new = user("new");
    new.state = UserState { unanswered: true, ..UserState::default() };
    added(&mirror, new).await;
    let mut found = Vec::new();
    for skip in [0, 10, 20, 30] {
        let page = mirror.users("books", &Select::Everybody, PartOf { skip, most: 10 }).await.unwrap();
        assert_eq!(page.total, 25, "somebody who may never be there is in no list");
        found.extend(page.users.into_iter().map(|user| user.id));
    }
    assert_eq!(found, ids);
    let none = mirror.users("books", &Select::Everybody, PartOf { skip: 0, most: 0 }).await.unwrap();
    assert_eq!((none.total, none.users.len()), (25, 0));
}

async fn of_two_changes_at_once_one_is_made(url: String) {
    let (one, two) = (open(&url).await, open(&url).await);
    let ada = added(&one, user("ada")).await;
    let all = (0..20).map(|number| {
        let mirror = if number % 2 == 0 { &one } else { &two };
        let begun = Some(job(&format!("job-{number}"), "ada"));
        let change = UserChange { begun, ..change(ada.clone()) };
        async move { mirror.apply(&change).await.unwrap() }
    });
    let made = join_all(all).await.into_iter().filter(|made| *made).count();
    assert_eq!(made, 1);
    assert_eq!(one.open_jobs("acme").await.unwrap(), 1);
}

async fn what_nobody_needs_is_forgotten(url: String) {
    let mirror = open(&url).await;
    let refused = |id: &str, wishes: bool| {
        let mut user = user(id);
        let wish = wishes.then(|| Wished { number: 1, ..Wished::default() });
        user.state = UserState { unanswered: true, wish, ..UserState::default() };
        user
    };
    added(&mirror, refused("refused", false)).await;
    added(&mirror, refused("waiting", true)).await;
    let ada = added(&mirror, user("ada")).await;
    assert!(mirror.apply(&UserChange { begun: Some(job("job", "ada")), ..change(ada) }).await.unwrap());
    mirror.forget(now() - SignedDuration::from_secs(60), now()).await.unwrap();
    assert!(mirror.user("books", "refused").await.unwrap().is_some(), "its request may be repeated");
    mirror.forget(now(), now()).await.unwrap();
    for (id, stays) in [("refused", false), ("waiting", true), ("ada", true)] {
        assert_eq!(mirror.user("books", id).await.unwrap().is_some(), stays, "{id}");
    }
    assert!(mirror.job("job").await.unwrap().is_some(), "it has not ended");
}

async fn a_token_names_its_integration(url: String) {
    let mirror = open(&url).await;
    let token = |name: &str| AccessToken {
        integration: "books".into(),
        name: name.into(),
        sha256: format!("digest of {name}"),
        created_at: now(),
        used_at: None,
    };
    let (old, new) = (token("old"), token("new"));
    mirror.add_token(&old).await.unwrap();
    mirror.add_token(&new).await.unwrap();
    let twice = mirror.add_token(&AccessToken { sha256: "another".into(), ..old.clone() }).await.unwrap_err();
    assert!(twice.to_string().contains("has a token named old already"), "{twice}");
    assert_eq!(mirror.tokens("books").await.unwrap(), [old.clone(), new.clone()], "two are valid at a time");
    mirror.used(&old.sha256, now()).await.unwrap();
    assert!(mirror.token(&old.sha256).await.unwrap().unwrap().used_at.is_some());
    assert!(!mirror.remove_token("other", "old").await.unwrap());
    assert!(mirror.remove_token("books", "old").await.unwrap());
    assert_eq!(mirror.token(&old.sha256).await.unwrap(), None);
    assert_eq!(mirror.token(&new.sha256).await.unwrap(), Some(new));
}

fn activity(detail: &str) -> Activity {
    Activity {
        number: 0,
        integration: "books".into(),
        user: Some("ada".into()),
        user_name: None,
        at: now(),
        actor: "okta".into(),
        event: "requested".into(),
        operation: None,
        job: None,
        outcome: None,
        detail: detail.into(),
    }
}

async fn activity_is_read_from_its_end(url: String) {
    let mirror = open(&url).await;
    for number in 0..5 {
        let ada = mirror.user("books", "ada").await.unwrap().unwrap_or_else(|| user("ada"));
        let logged = vec![activity(&number.to_string())];
        assert!(mirror.apply(&UserChange { activity: logged, ..change(ada) }).await.unwrap());
    }
    let read = async |user: Option<&'static str>, before: Option<i64>| {
        mirror.activity("books", user, before, 2).await.unwrap()
    };
    let details = |all: &[Activity]| all.iter().map(|one| one.detail.clone()).collect::<Vec<_>>();
    let last = read(None, None).await;
    assert_eq!(details(&last), ["4", "3"]);
    assert_eq!(details(&read(Some("ada"), Some(last[1].number)).await), ["2", "1"]);
    assert_eq!(details(&read(Some("bo"), None).await), [""; 0]);
}

async fn every_text_goes_in(url: String) {
    let mirror = open(&url).await;
    let mut odd = user("odd");
    odd.user_name = "a\0'; DROP TABLE mirror_users; -- \u{1F600}".into();
    odd.state.sent.user.title = Some("y\0\"\\".into());
    let stored = added(&mirror, odd.clone()).await;
    assert_eq!(stored.state, odd.state);
    assert_eq!(stored.user_name, "a\u{2400}'; DROP TABLE mirror_users; -- \u{1F600}");
}
