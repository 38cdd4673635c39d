//! What every journal does.
#![allow(clippy::unwrap_used, reason = "a journal that fails fails the case")]

use std::pin::Pin;

use futures_util::future::join_all;
use jiff::Timestamp;
use seatwright::{
    adapters::journal_sql::SqlJournal,
    contract::{Code, JobResult, Outcome},
    digest::sha256,
    ports::journal::{Attempt, ClaimOutcome, CommitPermit, Entry, Journal, LaneStop},
};

use super::ground::{begun, entry, later, now, open, result, value};

/// Gets the address of a journal that is not there yet.
type Case = fn(String) -> Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! cases {
    ($($name:ident)*) => {
        pub const CASES: &[(&str, Case)] = &[$((stringify!($name), |url| Box::pin($name(url))),)*];
    };
}

cases! {
    a_job_is_taken_up_worked_and_forgotten
    deaths_are_counted_and_a_job_put_down_is_none
    an_intent_stays_until_it_is_withdrawn_or_concluded
    an_older_attempt_is_powerless
    another_body_is_told
    a_job_that_was_begun_before_an_upgrade_is_the_same_job
    a_cancel_may_come_before_or_after
    a_stopped_lane_takes_nothing_up
    an_indeterminate_job_holds_its_user
    what_was_settled_is_told_of_until_it_is_published
    the_next_to_be_looked_at_comes_first
    only_what_is_published_is_forgotten
    who_never_comes_again_leaves_nothing_of_a_user
    two_never_get_the_same_number
    many_may_open_it_at_once
    a_newer_journal_is_refused
    every_text_goes_in
}

async fn a_job_is_taken_up_worked_and_forgotten(url: String) {
    let journal = open(&url).await;
    let job = entry("job");
    assert_eq!(journal.claim(&job).await.unwrap(), begun(1, 0));
    assert_eq!(journal.intend("job", 1, "save").await.unwrap(), CommitPermit::Granted);
    let done = result("job", Outcome::Succeeded);
    assert_eq!(journal.conclude("job", 1, &done, None).await.unwrap(), CommitPermit::Granted);
    // The answer to that may have been lost.
    assert_eq!(journal.conclude("job", 1, &done, None).await.unwrap(), CommitPermit::Granted);
    assert_eq!(journal.claim(&job).await.unwrap(), ClaimOutcome::Done(Box::new(done.clone())));
    assert_eq!(value(&url, "SELECT count(*) FROM journal_jobs WHERE body IS NULL").await, 1, "no copy stays");
    journal.published(&done).await.unwrap();

    let other = open(&url).await;
    assert_eq!(other.identity(), journal.identity());
    assert_eq!(other.claim(&job).await.unwrap(), ClaimOutcome::Done(Box::new(done)));
    assert_eq!(other.forget(later()).await.unwrap(), 1);
    assert_eq!(other.claim(&job).await.unwrap(), begun(1, 0));
}

async fn deaths_are_counted_and_a_job_put_down_is_none(url: String) {
    let journal = open(&url).await;
    let job = entry("job");
    for (number, deaths) in [(1, 0), (2, 1), (3, 2)] {
        assert_eq!(journal.deaths("job").await.unwrap(), deaths);
        assert_eq!(journal.claim(&job).await.unwrap(), begun(number, deaths));
    }
    journal.release("job", 3).await.unwrap();
    assert_eq!(journal.deaths("job").await.unwrap(), 0);
    assert_eq!(journal.claim(&job).await.unwrap(), begun(4, 0));
    assert_eq!(journal.claim(&job).await.unwrap(), begun(5, 1));
    // The fourth was superseded by the fifth, and did not die: it says so when it finds out.
    journal.release("job", 4).await.unwrap();
    assert_eq!(journal.deaths("job").await.unwrap(), 1);
    assert_eq!(journal.claim(&job).await.unwrap(), begun(6, 1));
    journal.conclude("job", 6, &result("job", Outcome::Failed), None).await.unwrap();
    assert_eq!(journal.deaths("job").await.unwrap(), 0, "nothing is tried any more");
}

async fn an_intent_stays_until_it_is_withdrawn_or_concluded(url: String) {
    let journal = open(&url).await;
    let job = entry("job");
    let start = now();
    journal.claim(&job).await.unwrap();
    assert_eq!(journal.intend("job", 1, "save").await.unwrap(), CommitPermit::Granted);
    assert_eq!(journal.intend("job", 1, "confirm").await.unwrap(), CommitPermit::Granted);
    let ClaimOutcome::Unknown { attempt, intent } = journal.claim(&job).await.unwrap() else {
        panic!("the intent is lost")
    };
    assert_eq!((attempt, intent.step.as_str()), (Attempt { number: 2, deaths: 1 }, "confirm"), "the newest");
    assert!(start <= intent.at && intent.at <= now(), "{}", intent.at);
    journal.withdraw("job", 1).await.unwrap();
    assert!(
        matches!(journal.claim(&job).await.unwrap(), ClaimOutcome::Unknown { .. }),
        "it is not theirs any more"
    );
    journal.withdraw("job", 3).await.unwrap();
    assert_eq!(journal.claim(&job).await.unwrap(), begun(4, 3));
}

async fn an_older_attempt_is_powerless(url: String) {
    let (asleep, awake) = (open(&url).await, open(&url).await);
    let job = Entry { worker: "awake".into(), reply_to: Some("elsewhere".into()), ..entry("job") };
    asleep.claim(&entry("job")).await.unwrap();
    assert_eq!(awake.claim(&job).await.unwrap(), begun(2, 1));
    let theirs = result("job", Outcome::Succeeded);
    assert_eq!(asleep.intend("job", 1, "save").await.unwrap(), CommitPermit::Superseded);
    assert_eq!(asleep.conclude("job", 1, &theirs, None).await.unwrap(), CommitPermit::Superseded);
    assert_eq!(awake.intend("job", 2, "save").await.unwrap(), CommitPermit::Granted);
    let ours = result("job", Outcome::Indeterminate);
    assert_eq!(awake.conclude("job", 2, &ours, None).await.unwrap(), CommitPermit::Granted);
    let open = awake.unsettled("job").await.unwrap().expect("it is open");
    assert_eq!((open.entry.worker.as_str(), open.entry.reply_to), ("awake", entry("job").reply_to));
    // Not even its own attempt changes what was concluded.
    assert_eq!(awake.intend("job", 2, "save").await.unwrap(), CommitPermit::Superseded);
    assert_eq!(awake.conclude("job", 2, &theirs, None).await.unwrap(), CommitPermit::Superseded);
    awake.withdraw("job", 2).await.unwrap();
    assert_eq!(awake.unsettled("job").await.unwrap().expect("it is open").intent.step, "save");
    assert_eq!(awake.intend("nobody", 1, "save").await.unwrap(), CommitPermit::Superseded);
    assert_eq!(awake.conclude("nobody", 1, &theirs, None).await.unwrap(), CommitPermit::Superseded);
}

async fn another_body_is_told(url: String) {
    let journal = open(&url).await;
    let other = Entry { digest: "other".into(), ..entry("job") };
    journal.claim(&entry("job")).await.unwrap();
    assert_eq!(journal.claim(&other).await.unwrap(), ClaimOutcome::OtherBody);
    assert_eq!(journal.claim(&entry("job")).await.unwrap(), begun(2, 1), "it was not counted");
    journal.conclude("job", 2, &result("job", Outcome::Failed), None).await.unwrap();
    assert_eq!(journal.claim(&other).await.unwrap(), ClaimOutcome::OtherBody);
}

/// Older versions kept the digest of the body's bytes.
async fn a_job_that_was_begun_before_an_upgrade_is_the_same_job(url: String) {
    let journal = open(&url).await;
    let before = Entry { digest: sha256(&entry("job").body), ..entry("job") };
    journal.claim(&before).await.unwrap();
    assert_eq!(journal.claim(&entry("job")).await.unwrap(), begun(2, 1));
    let done = result("job", Outcome::Failed);
    journal.conclude("job", 2, &done, None).await.unwrap();
    assert_eq!(journal.claim(&entry("job")).await.unwrap(), ClaimOutcome::Done(Box::new(done)));
    let other = Entry { body: b"{ bo }".to_vec(), ..entry("job") };
    assert_eq!(journal.claim(&other).await.unwrap(), ClaimOutcome::OtherBody);
}

async fn a_cancel_may_come_before_or_after(url: String) {
    let journal = open(&url).await;
    journal.cancel("early").await.unwrap();
    journal.cancel("early").await.unwrap();
    let cancelled = |number, deaths| ClaimOutcome::Cancelled(Attempt { number, deaths });
    assert_eq!(journal.claim(&entry("early")).await.unwrap(), cancelled(1, 0));
    assert_eq!(journal.claim(&entry("early")).await.unwrap(), cancelled(2, 1));
    let done = result("early", Outcome::Cancelled);
    assert_eq!(journal.conclude("early", 2, &done, None).await.unwrap(), CommitPermit::Granted);
    assert_eq!(journal.claim(&entry("early")).await.unwrap(), ClaimOutcome::Done(Box::new(done)));

    journal.claim(&entry("between")).await.unwrap();
    journal.cancel("between").await.unwrap();
    assert_eq!(journal.intend("between", 1, "save").await.unwrap(), CommitPermit::Cancelled);
    assert_eq!(journal.intend("between", 2, "save").await.unwrap(), CommitPermit::Superseded);
    assert_eq!(journal.claim(&entry("between")).await.unwrap(), cancelled(2, 1));

    journal.claim(&entry("late")).await.unwrap();
    journal.intend("late", 1, "save").await.unwrap();
    journal.cancel("late").await.unwrap();
    assert_eq!(journal.intend("late", 1, "confirm").await.unwrap(), CommitPermit::Granted, "it has begun");
    assert!(matches!(journal.claim(&entry("late")).await.unwrap(), ClaimOutcome::Unknown { .. }));
    journal.withdraw("late", 2).await.unwrap();
    assert_eq!(journal.claim(&entry("late")).await.unwrap(), cancelled(3, 2));
}

async fn a_stopped_lane_takes_nothing_up(url: String) {
    let journal = open(&url).await;
    let stop = |lane: &str, message: &str| LaneStop {
        lane: lane.into(),
        code: Code::BadCredentials,
        message: message.into(),
        at: now(),
    };
    journal.claim(&entry("done")).await.unwrap();
    let done = result("done", Outcome::NoChange);
    journal.conclude("done", 1, &done, None).await.unwrap();
    journal.claim(&entry("begun")).await.unwrap();
    let first = stop("lane", "refused");
    journal.stop_lane(&first).await.unwrap();
    journal.stop_lane(&stop("lane", "refused again")).await.unwrap();
    let b = stop("B lane", "refused, too");
    journal.stop_lane(&b).await.unwrap();
    assert_eq!(journal.stopped_lanes().await.unwrap(), [b, first.clone()], "by name; the first reason stays");
    for job in ["begun", "new"] {
        assert_eq!(journal.claim(&entry(job)).await.unwrap(), ClaimOutcome::LaneStopped(first.clone()));
    }
    assert_eq!(journal.claim(&entry("done")).await.unwrap(), ClaimOutcome::Done(Box::new(done)));
    let elsewhere = Entry { lane: "other".into(), ..entry("elsewhere") };
    assert_eq!(journal.claim(&elsewhere).await.unwrap(), begun(1, 0));
    assert!(journal.resume_lane("lane").await.unwrap());
    assert!(!journal.resume_lane("lane").await.unwrap());
    assert_eq!(journal.claim(&entry("begun")).await.unwrap(), begun(2, 1), "nothing was counted");
    assert_eq!(journal.claim(&entry("new")).await.unwrap(), begun(1, 0));
}

async fn an_indeterminate_job_holds_its_user(url: String) {
    let journal = open(&url).await;
    let (start, first, second) = (now(), entry("first"), entry("second"));
    let lost = |job: &str| result(job, Outcome::Indeterminate);
    let at = Timestamp::from_second(2_000_000_000).unwrap();
    journal.claim(&first).await.unwrap();
    assert_eq!(journal.unsettled("first").await.unwrap(), None);
    journal.intend("first", 1, "save").await.unwrap();
    journal.conclude("first", 1, &lost("first"), Some(at)).await.unwrap();
    journal.published(&lost("first")).await.unwrap();
    // Without an intent, and for a person to look at.
    journal.claim(&second).await.unwrap();
    journal.conclude("second", 1, &lost("second"), None).await.unwrap();

    let held = journal.unsettled_of_user("int-42", "ada").await.unwrap().expect("ada is held");
    assert_eq!((&held.entry, &held.result), (&first, &lost("first")));
    assert_eq!((held.attempts, held.reconcile_at, held.intent.step.as_str()), (0, Some(at), "save"));
    assert_eq!(journal.unsettled("first").await.unwrap(), Some(held));
    assert_eq!(journal.unsettled_of_user("int-42", "grace").await.unwrap(), None);
    assert_eq!(journal.unsettled_of_user("int-43", "ada").await.unwrap(), None);
    let open = journal.unsettled("second").await.unwrap().expect("it is open");
    assert_eq!((open.intent.step.as_str(), open.reconcile_at), ("", None));
    assert!(start <= open.intent.at && open.intent.at <= now());
    assert_eq!(journal.claim(&first).await.unwrap(), ClaimOutcome::Done(Box::new(lost("first"))));
    assert_eq!(journal.forget(later()).await.unwrap(), 0, "it holds somebody");

    let known = result("first", Outcome::Succeeded);
    assert!(journal.settle("first", &known).await.unwrap());
    assert_eq!(journal.unsettled("first").await.unwrap(), None);
    assert_eq!(journal.claim(&first).await.unwrap(), ClaimOutcome::Done(Box::new(known.clone())));
    assert_eq!(value(&url, "SELECT count(*) FROM journal_jobs WHERE body IS NULL").await, 1);
    let holder = journal.unsettled_of_user("int-42", "ada").await.unwrap().expect("ada is still held");
    assert_eq!(holder.entry.job, "second");
    // Known is known: who looked at the same time changes nothing.
    assert!(!journal.settle("first", &result("first", Outcome::Failed)).await.unwrap());
    assert_eq!(journal.claim(&first).await.unwrap(), ClaimOutcome::Done(Box::new(known.clone())));
    // Somebody was still at publishing the old one.
    journal.published(&lost("first")).await.unwrap();
    assert_eq!(journal.forget(later()).await.unwrap(), 0, "what is known now was not published");
    journal.published(&known).await.unwrap();
    assert_eq!(journal.forget(later()).await.unwrap(), 1);
}

async fn what_was_settled_is_told_of_until_it_is_published(url: String) {
    let journal = open(&url).await;
    let lanes = ["lane".to_owned(), "nobody's".to_owned()];
    let lost = |job: &str| result(job, Outcome::Indeterminate);
    let known = |job: &str| JobResult { settled: true, ..result(job, Outcome::Succeeded) };
    for job in ["open", "first", "second"] {
        journal.claim(&Entry { reply_to: Some(job.into()), ..entry(job) }).await.unwrap();
        journal.conclude(job, 1, &lost(job), None).await.unwrap();
    }
    // Its own turn ended it: its delivery brings it up again.
    journal.claim(&entry("delivered")).await.unwrap();
    journal.conclude("delivered", 1, &result("delivered", Outcome::Succeeded), None).await.unwrap();
    let names = async |before| {
        let all = journal.settled_unpublished(&lanes, before).await.unwrap();
        all.into_iter().map(|settled| (settled.reply_to, settled.result)).collect::<Vec<_>>()
    };
    let before = now();
    assert_eq!(names(later()).await, []);
    for job in ["second", "first"] {
        assert!(journal.settle(job, &known(job)).await.unwrap());
    }
    let told = |job: &str| (Some(job.to_owned()), known(job));
    assert_eq!(names(later()).await, [told("second"), told("first")], "who waits longest comes first");
    assert_eq!(names(before).await, [], "whoever has settled it has a while to publish it");
    assert_eq!(journal.settled_unpublished(&["other".to_owned()], later()).await.unwrap(), []);
    assert_eq!(journal.settled_unpublished(&[], later()).await.unwrap(), []);
    journal.published(&lost("first")).await.unwrap();
    journal.published(&known("second")).await.unwrap();
    assert_eq!(names(later()).await, [told("first")]);
}

async fn the_next_to_be_looked_at_comes_first(url: String) {
    let journal = open(&url).await;
    let at = |seconds| Timestamp::from_second(seconds).unwrap();
    let jobs =
        [("a", "x", Some(at(30))), ("b", "x", None), ("c", "y", Some(at(10))), ("d", "z", Some(at(5)))];
    for (job, lane, reconcile_at) in jobs {
        journal.claim(&Entry { lane: lane.into(), user: Some(job.into()), ..entry(job) }).await.unwrap();
        journal.conclude(job, 1, &result(job, Outcome::Indeterminate), reconcile_at).await.unwrap();
    }
    let lanes = ["x".to_owned(), "y".to_owned(), "nobody's".to_owned()];
    let names = async || {
        let all = journal.all_unsettled(&lanes).await.unwrap();
        all.into_iter().map(|open| (open.entry.job, open.attempts, open.reconcile_at)).collect::<Vec<_>>()
    };
    let expected = |all: [(&str, u32, Option<Timestamp>); 3]| all.map(|(job, n, at)| (job.to_owned(), n, at));
    assert_eq!(names().await, expected([("c", 0, Some(at(10))), ("a", 0, Some(at(30))), ("b", 0, None)]));
    journal.postpone("c", Some(at(40))).await.unwrap();
    assert_eq!(names().await, expected([("a", 0, Some(at(30))), ("c", 1, Some(at(40))), ("b", 0, None)]));
    journal.postpone("a", None).await.unwrap();
    journal.postpone("c", Some(at(50))).await.unwrap();
    assert_eq!(names().await, expected([("c", 2, Some(at(50))), ("a", 1, None), ("b", 0, None)]));
    assert_eq!(journal.all_unsettled(&[]).await.unwrap(), []);
}

async fn only_what_is_published_is_forgotten(url: String) {
    let journal = open(&url).await;
    for job in ["begun", "concluded", "published"] {
        journal.claim(&entry(job)).await.unwrap();
        journal.cancel(job).await.unwrap();
    }
    for job in ["concluded", "published"] {
        journal.conclude(job, 1, &result(job, Outcome::Failed), None).await.unwrap();
    }
    let before = now();
    // Without a result there is nothing that could have been published.
    for job in ["begun", "published"] {
        journal.published(&result(job, Outcome::Failed)).await.unwrap();
    }
    assert_eq!(journal.forget(before).await.unwrap(), 0);
    journal.cancel("never came").await.unwrap();
    assert_eq!(journal.forget(later()).await.unwrap(), 1);
    assert_eq!(
        journal.claim(&entry("published")).await.unwrap(),
        begun(1, 0),
        "its cancel is forgotten, too"
    );
    assert_eq!(journal.claim(&entry("never came")).await.unwrap(), begun(1, 0));
    assert!(matches!(journal.claim(&entry("begun")).await.unwrap(), ClaimOutcome::Cancelled(_)));
    assert!(matches!(journal.claim(&entry("concluded")).await.unwrap(), ClaimOutcome::Done(_)));
}

async fn who_never_comes_again_leaves_nothing_of_a_user(url: String) {
    let journal = open(&url).await;
    for job in ["gone", "committing", "lost"] {
        journal.claim(&entry(job)).await.unwrap();
    }
    for job in ["committing", "lost"] {
        journal.intend(job, 1, "save").await.unwrap();
    }
    journal.conclude("lost", 1, &result("lost", Outcome::Indeterminate), None).await.unwrap();
    let before = now();
    journal.claim(&entry("young")).await.unwrap();
    assert_eq!(journal.forget(before).await.unwrap(), 0);
    let kept = "SELECT count(*) FROM journal_jobs WHERE body IS NOT NULL AND username IS NOT NULL";
    let empty = "SELECT count(*) FROM journal_jobs WHERE body IS NULL AND username IS NULL";
    assert_eq!((value(&url, kept).await, value(&url, empty).await), (3, 1));
    // It comes again after all: as often as before, and whole.
    assert_eq!(journal.intend("gone", 2, "save").await.unwrap(), CommitPermit::Superseded);
    assert_eq!(journal.claim(&entry("gone")).await.unwrap(), begun(2, 1));
    assert_eq!(
        journal.intend("gone", 1, "save").await.unwrap(),
        CommitPermit::Superseded,
        "who slept meanwhile"
    );
    journal.conclude("gone", 2, &result("gone", Outcome::Indeterminate), None).await.unwrap();
    assert_eq!(journal.unsettled("gone").await.unwrap().expect("it is open").entry, entry("gone"));
    let ClaimOutcome::Unknown { intent, .. } = journal.claim(&entry("committing")).await.unwrap() else {
        panic!("the intent is forgotten")
    };
    assert_eq!(intent.step, "save");
}

async fn two_never_get_the_same_number(url: String) {
    let workers = [open(&url).await, open(&url).await];
    let job = entry("job");
    let tries = (0..20).map(|n| workers[n % 2].claim(&job));
    let mut numbers: Vec<u32> = join_all(tries)
        .await
        .into_iter()
        .map(|known| match known.unwrap() {
            ClaimOutcome::Begun(attempt) => {
                assert_eq!(attempt.deaths, attempt.number - 1);
                attempt.number
            }
            other => panic!("{other:?}"),
        })
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20).collect::<Vec<u32>>());
    // Of all of them one may go on.
    let leaves = join_all((1..=20).map(|n| workers[n as usize % 2].intend("job", n, "save"))).await;
    let granted =
        leaves.into_iter().filter(|leave| *leave.as_ref().unwrap() == CommitPermit::Granted).count();
    assert_eq!(granted, 1);
    // A cancel and an intent that meet: either the one or the other.
    let jobs: Vec<String> = (0..25).map(|n| format!("job-{n}")).collect();
    for job in &jobs {
        workers[0].claim(&entry(job)).await.unwrap();
    }
    let meet = async |job: &String| {
        let (leave, cancel) = tokio::join!(workers[0].intend(job, 1, "save"), workers[1].cancel(job));
        cancel.unwrap();
        match (leave.unwrap(), workers[1].claim(&entry(job)).await.unwrap()) {
            (CommitPermit::Granted, ClaimOutcome::Unknown { .. })
            | (CommitPermit::Cancelled, ClaimOutcome::Cancelled(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    join_all(jobs.iter().map(meet)).await;
}

async fn many_may_open_it_at_once(url: String) {
    let journals = join_all((0..8).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { open(&url).await })
    }));
    let journals: Vec<SqlJournal> = journals.await.into_iter().map(|one| one.expect("no panic")).collect();
    let identity = journals[0].identity();
    assert!(identity.name.len() == 32 && identity.made_at <= now(), "{identity:?}");
    for journal in &journals {
        assert_eq!(journal.identity(), identity);
    }
    for (n, journal) in (1..).zip(&journals) {
        assert_eq!(journal.claim(&entry("job")).await.unwrap(), begun(n, n - 1));
    }
}

async fn a_newer_journal_is_refused(url: String) {
    drop(open(&url).await);
    value(&url, "UPDATE journal_meta SET version = 2 RETURNING version").await;
    let said = SqlJournal::open(&url).await.err().expect("it is newer").to_string();
    assert!(said.contains("version 2") && said.contains("knows version 1"), "{said}");
    assert!(said.contains("its own journal"), "{said}");
}

async fn every_text_goes_in(url: String) {
    let journal = open(&url).await;
    let long = "ä'\"\\%_;--".repeat(20_000);
    let odd = Entry {
        user: Some(long.clone()),
        integration: long.clone(),
        body: vec![0, 255, 0],
        reply_to: None,
        ..entry("odd '$1' job")
    };
    assert_eq!(journal.claim(&odd).await.unwrap(), begun(1, 0));
    journal.intend(&odd.job, 1, &long).await.unwrap();
    let lost = JobResult { runbook: Some("\0".into()), ..result(&odd.job, Outcome::Indeterminate) };
    journal.conclude(&odd.job, 1, &lost, None).await.unwrap();
    let open = journal.unsettled_of_user(&long, &long).await.unwrap().expect("it is held");
    assert_eq!((open.entry, open.result, open.intent.step), (odd, lost, long));
    // JSON can carry a NUL. It makes no sense in an id, and no error of the journal either.
    let nul = Entry { user: Some("a\0".into()), ..entry("nul\0") };
    assert_eq!(journal.claim(&nul).await.unwrap(), begun(1, 0));
    journal.conclude("nul\0", 1, &result("nul\0", Outcome::Indeterminate), None).await.unwrap();
    assert!(journal.unsettled_of_user("int-42", "a\0").await.unwrap().is_some());
}
