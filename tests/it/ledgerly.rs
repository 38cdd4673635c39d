//! Whole jobs on the fixture site, with the real browser. What counts is the site's own state.

use std::sync::Arc;

use crate::support::{Bench, FaultsAtReadBack, PASSWORD, ada, control, member, root, site};
use seatwright::{
    adapters::cdp::{Chromium, ChromiumOptions, Sandbox},
    contract::{Code, Outcome, Owner},
    event::{EventKind, Readers},
    ports::driver::{Browser, Launch},
    worker::playbooks::Playbooks,
};
use serde_json::{Value, json};
use testbed::text_browser::TextBrowsers;

fn who(email: &str) -> Value {
    json!({ "user": { "userName": email } })
}

fn code(result: &seatwright::contract::JobResult) -> Option<Code> {
    result.error.as_ref().map(|e| e.code)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_life_from_create_to_delete() {
    let bench = Bench::new().await;

    let created = bench
        .run("user.create", json!({ "user": ada(), "entitlements": [{ "type": "team", "value": "Sales" }] }))
        .await;
    assert_eq!((created.outcome, created.changed), (Outcome::Succeeded, Some(true)), "{:?}", created.error);
    let ada_now = member(&bench.site, "ada@acme.example").expect("she is there");
    assert_eq!(
        (&ada_now["name"], &ada_now["role"], &ada_now["teams"]),
        (&json!("Ada Byron"), &json!("Member"), &json!(["Sales"]))
    );
    assert_eq!(created.after.as_ref().map(|a| a.active), Some(Some(true)));
    assert!(created.verified.is_some());
    let reasons: Vec<&str> = created.evidence.iter().map(|e| e.reason.as_str()).collect();
    assert_eq!(reasons, ["before_commit", "after_commit"]);
    for picture in &created.evidence {
        let file =
            bench.folder.path().join("evidence").join(picture.reference.as_deref().expect("it was kept"));
        let bytes = std::fs::read(file).expect("the picture is there");
        assert_eq!(bytes.get(..4), Some(&b"\x89PNG"[..]));
    }

    let again = bench
        .run("user.create", json!({ "user": ada(), "entitlements": [{ "type": "team", "value": "Sales" }] }))
        .await;
    assert_eq!((again.outcome, again.changed), (Outcome::NoChange, Some(false)));
    let reused = bench
        .heard
        .0
        .lock()
        .expect("no panic")
        .iter()
        .filter(|e| matches!(e.kind, EventKind::SessionReady { reused: true, .. }))
        .count();
    assert_eq!(reused, 1, "the session is used again");

    let unnamed = bench.run("user.create", json!({ "user": ada() })).await;
    assert_eq!(unnamed.outcome, Outcome::NoChange, "only what is sent is compared");

    let other = bench
        .run("user.create", json!({ "user": ada(), "entitlements": [{ "type": "role", "value": "Viewer" }] }))
        .await;
    assert_eq!((other.outcome, code(&other)), (Outcome::Failed, Some(Code::UserExists)));
    assert_eq!(other.changes.len(), 1, "{:?}", other.changes);

    let updated = bench
        .run("user.update", json!({ "user": { "userName": "ada@acme.example", "displayName": "Ada King" } }))
        .await;
    assert_eq!(updated.outcome, Outcome::Succeeded, "{:?}", updated.error);
    let ada_now = member(&bench.site, "ada@acme.example").expect("she is there");
    assert_eq!(
        (&ada_now["name"], &ada_now["role"], &ada_now["teams"]),
        (&json!("Ada King"), &json!("Member"), &json!(["Sales"]))
    );

    let more = json!({ "user": { "userName": "ada@acme.example" }, "entitlements": [{ "type": "team", "value": "Finance" }, { "type": "role", "value": "Viewer" }] });
    let granted = bench.run("entitlement.grant", more.clone()).await;
    assert_eq!(granted.outcome, Outcome::Succeeded, "{:?}", granted.error);
    let ada_now = member(&bench.site, "ada@acme.example").expect("she is there");
    assert_eq!((&ada_now["role"], &ada_now["teams"]), (&json!("Viewer"), &json!(["Finance", "Sales"])));
    assert_eq!(bench.run("entitlement.grant", more).await.outcome, Outcome::NoChange);

    let less = json!({ "user": { "userName": "ada@acme.example" }, "entitlements": [{ "type": "team", "value": "Sales" }, { "type": "role", "value": "Viewer" }] });
    let revoked = bench.run("entitlement.revoke", less).await;
    assert_eq!(revoked.outcome, Outcome::Succeeded, "{:?}", revoked.error);
    let ada_now = member(&bench.site, "ada@acme.example").expect("she is there");
    assert_eq!(
        (&ada_now["role"], &ada_now["teams"]),
        (&json!("Member"), &json!(["Finance"])),
        "a role falls back to the default"
    );

    for (operation, status) in [("user.disable", "Suspended"), ("user.enable", "Active")] {
        let done = bench.run(operation, who("ada@acme.example")).await;
        assert_eq!(done.outcome, Outcome::Succeeded, "{:?}", done.error);
        assert_eq!(member(&bench.site, "ada@acme.example").expect("she is there")["status"], status);
        assert_eq!(bench.run(operation, who("ada@acme.example")).await.outcome, Outcome::NoChange);
    }

    let deleted = bench.run("user.delete", who("ada@acme.example")).await;
    assert_eq!(deleted.outcome, Outcome::Succeeded, "{:?}", deleted.error);
    assert_eq!(member(&bench.site, "ada@acme.example"), None);
    for look_alike in ["nada@acme.example", "ada@acme.example.org", "ada@acme.examples"] {
        assert!(member(&bench.site, look_alike).is_some(), "{look_alike} was touched");
    }
    assert_eq!(bench.run("user.delete", who("ada@acme.example")).await.outcome, Outcome::NoChange);
    assert_eq!(code(&bench.run("user.disable", who("ada@acme.example")).await), Some(Code::UserNotFound));
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_whole_and_say_so() {
    let bench = Bench::new().await;
    let listed = bench.run("user.list", json!({})).await;
    let (users, completeness) = (listed.users.expect("users"), listed.completeness.expect("completeness"));
    assert!(completeness.complete);
    assert_eq!((completeness.pages, completeness.shown, completeness.rows), (12, Some(300), 300));
    let world = bench.site.world();
    let mut theirs: Vec<(String, String, bool, String)> = Vec::new();
    for m in world["members"].as_array().expect("members") {
        let text = |key: &str| m[key].as_str().unwrap_or_default().to_owned();
        theirs.push((text("email"), text("name"), m["status"] == "Active", text("role")));
    }
    let mut ours: Vec<(String, String, bool, String)> = users
        .iter()
        .map(|u| {
            let role =
                u.entitlements.iter().find(|e| e.kind == "role").map(|e| e.value.clone()).unwrap_or_default();
            (u.user_name.clone(), u.attributes["displayName"].clone(), u.active == Some(true), role)
        })
        .collect();
    theirs.sort();
    ours.sort();
    assert_eq!(ours, theirs);

    let tripped = bench.run("user.list", json!({ "safeguard": { "known_users": 400 } })).await;
    assert_eq!((tripped.outcome, code(&tripped)), (Outcome::Blocked, Some(Code::SafeguardTripped)));
    assert_eq!(tripped.completeness.map(|c| c.complete), Some(false));

    let entitlements = bench.run("entitlement.list", json!({})).await.entitlements.expect("entitlements");
    let told: Vec<(&str, &str, bool)> =
        entitlements.iter().map(|e| (e.kind.as_str(), e.value.as_str(), e.multiple)).collect();
    assert_eq!(told.len(), 8);
    assert!(told.contains(&("role", "Admin", false)) && told.contains(&("team", "Sales", true)), "{told:?}");

    let one = bench.run("user.get", who("nada@acme.example")).await;
    assert_eq!(one.after.map(|a| a.user_name), Some("nada@acme.example".to_owned()));
    assert_eq!(code(&bench.run("user.get", who("nobody@acme.example")).await), Some(Code::UserNotFound));
    assert_eq!(bench.run("connection.test", json!({})).await.outcome, Outcome::Succeeded);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_shows_a_user_twice_is_not_complete() {
    let playbooks = Playbooks::read(&root().join("playbooks")).expect("the playbooks can be read");
    let bench = Bench::with(playbooks, Arc::new(TextBrowsers)).await;
    // The app counts three members and shows three rows: two of them are the same person.
    for (second, complete) in
        [("nada@acme.example", false), ("Nada@Acme.example", false), ("ada@acme.example", true)]
    {
        let member = |id: &str, email: &str| json!({ "id": id, "email": email, "name": "N", "status": "Active", "role": "Member", "teams": [] });
        let members = [("m1", "svc@acme.example"), ("m2", "nada@acme.example"), ("m3", second)];
        let members: Vec<Value> = members.into_iter().map(|(id, email)| member(id, email)).collect();
        control(&bench.site, "world", json!({ "members": members })).await;
        let listed = bench.run("user.list", json!({})).await;
        let completeness = listed.completeness.expect("a list says how complete it is");
        assert_eq!((completeness.shown, completeness.rows), (Some(3), 3), "{second}: {:?}", listed.error);
        assert_eq!(completeness.complete, complete, "{second}");
    }
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_app_refuses_is_told_in_codes() {
    let bench = Bench::new().await;
    control(&bench.site, "world", json!({ "settings": { "seats": 300 } })).await;
    let full = bench.run("user.create", json!({ "user": ada() })).await;
    assert_eq!((full.outcome, code(&full)), (Outcome::Failed, Some(Code::NoSeat)), "{:?}", full.error);
    assert_eq!(member(&bench.site, "ada@acme.example"), None);
    control(&bench.site, "world", json!({ "settings": { "seats": 320 } })).await;

    let mut odd = ada();
    odd["userName"] = json!("ada@acme");
    let invalid = bench.run("user.create", json!({ "user": odd })).await;
    assert_eq!(
        (invalid.outcome, code(&invalid)),
        (Outcome::Failed, Some(Code::InvalidValue)),
        "{:?}",
        invalid.error
    );

    // Olga is the last admin but the service account; without it she would be the last one.
    control(&bench.site, "world", json!({ "members": [
        { "id": "m2", "email": "olga@acme.example", "name": "Olga Owner", "status": "Active", "role": "Admin", "teams": [] },
        { "id": "m3", "email": "nada@acme.example", "name": "Nada Byron", "status": "Active", "role": "Member", "teams": [] },
    ] })).await;
    for operation in ["user.delete", "user.disable"] {
        let last = bench.run(operation, who("olga@acme.example")).await;
        assert_eq!(
            (last.outcome, code(&last)),
            (Outcome::Blocked, Some(Code::ProtectedPrincipal)),
            "{:?}",
            last.error
        );
    }
    assert_eq!(member(&bench.site, "olga@acme.example").expect("she is there")["status"], "Active");
    let itself = bench.run("user.delete", who("svc@acme.example")).await;
    assert_eq!(code(&itself), Some(Code::ProtectedPrincipal));
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_tried_once() {
    let bench = Bench::new().await;
    let wrong = json!({ "service_account": { "username": "svc@acme.example", "secrets": { "password": "file:wrong" } } });
    let refused = bench.run("connection.test", wrong).await;
    assert_eq!(code(&refused), Some(Code::BadCredentials), "{:?}", refused.error);
    let error = refused.error.expect("an error");
    assert!(error.page_said.expect("the page's words").contains("Incorrect email or password"));
    assert_eq!(posts(&bench, "/login").await, 1);

    let missing = json!({ "service_account": { "username": "svc@acme.example", "secrets": { "password": "file:nowhere" } } });
    assert_eq!(code(&bench.run("connection.test", missing).await), Some(Code::SecretMissing));
    let tenant = json!({ "integration": { "id": "x", "settings": { "business_id": "other", "port": bench.site.addr().port().to_string() } } });
    assert_eq!(code(&bench.run("connection.test", tenant).await), Some(Code::WrongTenant));
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_of_one_name_in_two_apps_keep_their_sessions() {
    let playbooks = Playbooks::read(&root().join("playbooks")).expect("the playbooks can be read");
    let bench = Bench::with(playbooks, Arc::new(TextBrowsers)).await;
    let second = site("ledgerly").await;
    let there = json!({ "integration": {
        "id": "int-43", "settings": { "business_id": "acme", "port": second.addr().port().to_string() },
    } });
    for more in [json!({}), there.clone(), json!({}), there] {
        let done = bench.run("connection.test", more).await;
        assert_eq!(done.outcome, Outcome::Succeeded, "{:?}", done.error);
    }
    let heard = bench.heard.0.lock().expect("no panic").clone();
    let ready = heard.iter().filter_map(|event| match event.kind {
        EventKind::SessionReady { reused, .. } => Some(reused),
        _ => None,
    });
    assert_eq!(ready.collect::<Vec<_>>(), [false, false, true, true]);
    // Who brings the name and not the secret does not get the session either.
    let account = json!({ "username": "svc@acme.example", "secrets": { "password": "file:wrong" } });
    let stranger = bench.run("connection.test", json!({ "service_account": account })).await;
    assert_eq!(code(&stranger), Some(Code::BadCredentials));
    bench.end().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_stops_before_its_commit_and_a_look_changes_nothing() {
    let bench = Bench::new().await;
    let before = bench.site.world();
    let planned = bench.run("user.create", json!({ "user": ada(), "mode": "plan" })).await;
    assert_eq!((planned.outcome, planned.changed), (Outcome::Succeeded, Some(false)), "{:?}", planned.error);
    assert_eq!(planned.evidence.iter().map(|e| e.reason.as_str()).collect::<Vec<_>>(), ["planned"]);
    assert!(!planned.changes.is_empty());
    let looked = bench.run("user.create", json!({ "user": ada(), "mode": "verify" })).await;
    assert_eq!(code(&looked), Some(Code::VerifyMismatch));
    assert_eq!(bench.site.world(), before);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn overlays_are_put_away_and_lost_sessions_are_renewed() {
    let bench = Bench::new().await;
    control(&bench.site, "world", json!({ "settings": { "whats_new": true } })).await;
    let created = bench.run("user.create", json!({ "user": ada() })).await;
    assert_eq!(created.outcome, Outcome::Succeeded, "{:?}", created.error);
    let put_away = bench
        .heard
        .0
        .lock()
        .expect("no panic")
        .iter()
        .any(|e| matches!(e.kind, EventKind::OverlayPutAway { .. }));
    assert!(put_away);
    // The session is over on the server: the next job signs in again.
    control(&bench.site, "faults", json!([{ "on": "GET /members", "do": "session_lost", "times": 1 }])).await;
    let deleted = bench.run("user.delete", who("ada@acme.example")).await;
    let midway = code(&deleted) == Some(Code::SessionExpired);
    assert!(midway || deleted.outcome == Outcome::Succeeded, "{:?}", deleted.error);
    let next = bench.run("user.delete", who("ada@acme.example")).await;
    assert!(matches!(next.outcome, Outcome::Succeeded | Outcome::NoChange), "{:?}", next.error);
    assert_eq!(member(&bench.site, "ada@acme.example"), None);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_lost_after_the_commit_is_read_and_never_repeated() {
    // Not a test of patience: the app has a second to show what was done.
    let playbooks = edited(&[("version: 1.0.0\n", "version: 1.0.0\nsettle: 1s\n")]);
    let bench = Bench::with(playbooks, Arc::new(crate::support::RealBrowser)).await;
    control(&bench.site, "faults", json!([{ "on": "POST /members", "do": "drop_after", "times": 1 }])).await;
    let created = bench.run("user.create", json!({ "user": ada() })).await;
    assert_eq!((created.outcome, created.changed), (Outcome::Succeeded, Some(true)), "{:?}", created.error);
    assert!(member(&bench.site, "ada@acme.example").is_some());
    assert!(!created.drift.is_empty(), "it is told that the answer was lost");
    assert_eq!(posts(&bench, "/members").await, 1, "neither the engine nor the browser repeats it");

    control(
        &bench.site,
        "faults",
        json!([{ "on": "POST /members/{id}/remove", "do": "status", "status": 500, "times": 1 }]),
    )
    .await;
    let unknown = bench.run("user.delete", who("ada@acme.example")).await;
    assert_eq!(unknown.outcome, Outcome::Indeterminate, "{:?}", unknown.error);
    let posts = posts(&bench, "/remove").await;
    assert_eq!(posts, 1, "a commit is made once");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_cannot_be_read_after_the_commit_is_not_called_gone() {
    // Not a test of patience: the app has a second to show what was done.
    let playbooks = edited(&[("version: 1.0.0\n", "version: 1.0.0\nsettle: 1s\n")]);
    let bench = Bench::with(playbooks, Arc::new(TextBrowsers)).await;
    let faults = json!([{ "on": "GET /members", "do": "status", "status": 503 }]);
    let at_read_back = FaultsAtReadBack { site: bench.site.addr(), faults };
    let events = Readers::default().with(Arc::new(at_read_back));
    let job = bench.job("user.delete", who("nada@acme.example"));
    let deleted = bench.runner.run(&job, Arc::new(events)).await;
    assert_eq!(deleted.outcome, Outcome::Indeterminate, "{:?}", deleted.error);
    assert_eq!((deleted.verified, deleted.after), (None, None));
    assert_eq!(posts(&bench, "/remove").await, 1, "a commit is made once");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_the_page_shows_is_in_no_part_of_an_error() {
    let playbooks = Playbooks::read(&root().join("playbooks")).expect("the playbooks can be read");
    let bench = Bench::with(playbooks, Arc::new(TextBrowsers)).await;
    // A button and a heading that read as the password does: the page said it, the result does not.
    let replace = json!({ ">Remove<": format!(">{PASSWORD}<"), "<h1>Members": format!("<h1>{PASSWORD}") });
    control(&bench.site, "faults", json!([{ "on": "GET /members", "do": "changed", "replace": replace }]))
        .await;
    let missing = bench.run("user.delete", who("nada@acme.example")).await;
    assert_eq!(code(&missing), Some(Code::TargetMissing), "{:?}", missing.error);
    let error = missing.error.expect("an error");
    let said = error.page_said.expect("what the page shows");
    assert!(said.contains("headings: [masked]"), "{said}");
    assert!(error.message.contains("[masked]"), "{}", error.message);
    // Nor where the app's own words refuse: the password is a part of the refusal.
    std::fs::write(bench.folder.path().join("shown"), "email or password")
        .expect("the secret can be written");
    let account = json!({ "username": "svc@acme.example", "secrets": { "password": "file:shown" } });
    let refused = bench.run("connection.test", json!({ "service_account": account })).await;
    assert_eq!(code(&refused), Some(Code::BadCredentials), "{:?}", refused.error);
    let said = refused.error.and_then(|error| error.page_said).expect("the app's words");
    assert_eq!(said, "Incorrect [masked]");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_the_app_shows_of_its_users_is_in_no_result() {
    let playbooks = Playbooks::read(&root().join("playbooks")).expect("the playbooks can be read");
    let bench = Bench::with(playbooks, Arc::new(TextBrowsers)).await;
    let named = |id: &str, email: &str| json!({ "id": id, "email": email, "name": PASSWORD, "status": "Active", "role": "Member", "teams": [] });
    let members = json!([named("m1", "svc@acme.example"), named("m2", "nada@acme.example")]);
    control(&bench.site, "world", json!({ "members": members })).await;
    // `Bench::run` looks for the password in every result and every event.
    let name = |record: Option<seatwright::contract::UserRecord>| {
        record.and_then(|record| record.attributes.get("displayName").cloned())
    };
    let one = bench.run("user.get", who("nada@acme.example")).await;
    assert_eq!(name(one.after).as_deref(), Some("[masked]"));
    let all = bench.run("user.list", json!({})).await;
    let names: Vec<Option<String>> =
        all.users.expect("users").into_iter().map(|user| name(Some(user))).collect();
    assert_eq!(names, vec![Some("[masked]".to_owned()); 2]);
    let user = json!({ "user": { "userName": "nada@acme.example", "displayName": "Nada King" } });
    let updated = bench.run("user.update", user).await;
    assert_eq!(updated.outcome, Outcome::Succeeded, "{:?}", updated.error);
    assert_eq!(updated.changes.first().and_then(|change| change.from.as_deref()), Some("[masked]"));
    assert_eq!(name(updated.before).as_deref(), Some("[masked]"));
    bench.end().await;
}

/// The requests that the site has had.
async fn log(bench: &Bench) -> Vec<Value> {
    let url = format!("http://{}/_site/log", bench.site.addr());
    reqwest::get(url).await.expect("the site answers").json().await.expect("JSON")
}

async fn posts(bench: &Bench, ending: &str) -> usize {
    let is = |line: &&Value| {
        line["method"] == "POST" && line["path"].as_str().is_some_and(|p| p.ends_with(ending))
    };
    log(bench).await.iter().filter(is).count()
}

/// A real kill -9 of what this process started: its browser.
fn kill_children() {
    let mine = std::process::id().to_string();
    for entry in std::fs::read_dir("/proc").expect("a Linux").flatten() {
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // After the name in brackets: state, then the parent.
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
        if parent == Some(mine.as_str()) {
            let pid = entry.file_name();
            let killed =
                std::process::Command::new("kill").arg("-KILL").arg(pid).status().expect("kill runs");
            assert!(killed.success());
        }
    }
}

/// Counts the browsers that are started.
#[derive(Default)]
struct Counted(std::sync::atomic::AtomicU32);

#[async_trait::async_trait]
impl Launch for Counted {
    async fn launch(&self) -> Result<Arc<dyn Browser>, String> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        crate::support::RealBrowser.launch().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_dies_is_replaced() {
    let counted = Arc::new(Counted::default());
    let playbooks = Playbooks::read(&crate::support::root().join("playbooks")).expect("playbooks");
    let bench = Bench::with(playbooks, Arc::clone(&counted) as Arc<dyn Launch>).await;
    assert_eq!(bench.run("connection.test", json!({})).await.outcome, Outcome::Succeeded);
    // The page hangs on its way to the list; meanwhile the browser goes.
    control(&bench.site, "faults", json!([{ "on": "GET /members", "do": "hang_after" }])).await;
    let before = log(&bench).await.len();
    let lost = tokio::select! {
        result = bench.run("user.list", json!({})) => result,
        () = async {
            while log(&bench).await.len() == before {}
            kill_children();
            std::future::pending::<()>().await;
        } => unreachable!(),
    };
    assert_eq!(code(&lost), Some(Code::BrowserLost), "{:?}", lost.error);
    control(&bench.site, "faults", json!([])).await;
    assert_eq!(bench.run("connection.test", json!({})).await.outcome, Outcome::Succeeded);
    assert_eq!(counted.0.load(std::sync::atomic::Ordering::SeqCst), 2);
    bench.end().await;
}

struct NoBrowser;

#[async_trait::async_trait]
impl Launch for NoBrowser {
    async fn launch(&self) -> Result<Arc<dyn Browser>, String> {
        let options = ChromiumOptions {
            executable: Some("/nowhere/chromium".into()),
            sandbox: Sandbox::Off,
            ..ChromiumOptions::default()
        };
        match Chromium::launch(options, "").await {
            Ok(browser) => Ok(Arc::new(browser)),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_browser_the_answer_says_what_to_install() {
    let playbooks = Playbooks::read(&crate::support::root().join("playbooks")).expect("playbooks");
    let bench = Bench::with(playbooks, Arc::new(NoBrowser)).await;
    let refused = bench.run("connection.test", json!({})).await;
    let error = refused.error.expect("an error");
    assert_eq!(error.code, Code::BrowserLost);
    assert!(error.message.contains("/nowhere/chromium"), "{}", error.message);
    assert!(error.hint.expect("a hint").contains("doctor"));
    // What needs no browser is answered without one.
    let mut nameless = ada();
    nameless["name"] = json!({ "givenName": "Ada" });
    let missing = bench.run("user.create", json!({ "user": nameless })).await;
    assert_eq!((missing.outcome, code(&missing)), (Outcome::Rejected, Some(Code::MissingAttribute)));
    let place = missing.error.and_then(|e| e.at).expect("a place");
    assert!(place.starts_with("playbook.yaml:"), "{place}");
    bench.end().await;
}

/// Ledgerly's playbook with other words in it.
fn edited(edits: &[(&str, &str)]) -> Playbooks {
    let mut text =
        std::fs::read_to_string(root().join("playbooks/ledgerly/playbook.yaml")).expect("a playbook");
    for (from, to) in edits {
        assert!(text.contains(from), "the playbook has no {from}");
        text = text.replacen(from, to, 1);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let app = folder.path().join("ledgerly");
    std::fs::create_dir(&app).expect("a folder");
    std::fs::write(app.join("playbook.yaml"), text).expect("the playbook can be written");
    Playbooks::read(folder.path()).expect("the playbook can be read")
}

const SENT: &str = "      - expect: { status: Invite sent }\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_playbook_that_cannot_go_on_after_its_commit_does_not_deny_it() {
    // The role is set afterwards, to one that the app does not have.
    let playbooks = edited(&[
        ("          Role: \"{{ entitlements.role }}\"\n", ""),
        (
            SENT,
            concat!(
                "      - expect: { status: Invite sent }\n",
                "      - fill: { into: { label: Search members }, value: \"{{ user.userName }}\" }\n",
                "      - press: Enter\n",
                "      - click: { button: Edit, in: { css: tr, has: { text: \"{{ user.userName }}\" } } }\n",
                "      - form: { Role: Administrator }\n",
            ),
        ),
    ]);
    let bench = Bench::with(playbooks, Arc::new(crate::support::RealBrowser)).await;
    let admin = json!({ "user": ada(), "entitlements": [{ "type": "role", "value": "Admin" }] });
    let half = bench.run("user.create", admin).await;
    let invited = member(&bench.site, "ada@acme.example").unwrap_or_else(|| panic!("{:?}", half.error));
    assert_eq!(invited["role"], "Member");
    assert_eq!((half.outcome, half.changed), (Outcome::Failed, Some(true)), "{:?}", half.error);
    let after = half.after.expect("what the app shows");
    assert_eq!(after.user_name, "ada@acme.example");
    assert!(after.entitlements.iter().any(|held| held.kind == "role" && held.value == "Member"), "{after:?}");
    let error = half.error.expect("why the rest was not done");
    assert_eq!((error.code, error.owner), (Code::TargetMissing, Owner::Author), "{error}");
    assert!(error.message.contains("Administrator") && error.at.is_some(), "{error}");
    assert_eq!(posts(&bench, "/members").await, 1, "a commit is made once");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_without_its_value_after_the_commit_does_not_deny_it() {
    let wordy = |shown: &str| {
        format!("      - expect: {{ any: [ {{ status: \"{shown}\" }}, {{ status: Invite sent }} ] }}\n")
    };
    // What needs only the job may be refused before anything is done; what was read from the page cannot be.
    let of_job = edited(&[(SENT, &wordy("Invited {{ user.nickName }}"))]);
    let seen = format!(
        "      - capture: {{ text_of: {{ testid: workspace }} }}\n        as: seen\n{}",
        wordy("{{ seen }} has {{ user.nickName }}")
    );
    let of_page = edited(&[(SENT, &seen)]);
    for (playbooks, may_be_refused) in [(of_job, true), (of_page, false)] {
        let bench = Bench::with(playbooks, Arc::new(crate::support::RealBrowser)).await;
        control(&bench.site, "faults", json!([{ "on": "POST /members", "do": "lag", "ms": 4_000 }])).await;
        let created = bench.run("user.create", json!({ "user": ada() })).await;
        let is_there = member(&bench.site, "ada@acme.example").is_some();
        assert_eq!(created.changed, Some(is_there), "{:?} {:?}", created.outcome, created.error);
        if may_be_refused && created.outcome == Outcome::Rejected {
            assert_eq!(code(&created), Some(Code::MissingAttribute));
        } else {
            assert_eq!(created.outcome, Outcome::Succeeded, "{:?}", created.error);
            assert_eq!(created.after.map(|after| after.user_name), Some("ada@acme.example".to_owned()));
            assert!(created.drift.iter().any(|line| line.contains("nickName")), "{:?}", created.drift);
        }
        bench.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_found_under_another_spelling_of_the_identity() {
    let playbooks = Playbooks::read(&root().join("playbooks")).expect("the playbooks can be read");
    let bench = Bench::with(playbooks, Arc::new(TextBrowsers)).await;
    let disabled = bench.run("user.disable", who(" nada@acme\u{200B}.example ")).await;
    assert_eq!((disabled.outcome, code(&disabled)), (Outcome::Succeeded, None), "{:?}", disabled.error);
    assert_eq!(member(&bench.site, "nada@acme.example").expect("she is there")["status"], "Suspended");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_for_a_suspended_user_is_not_called_unchanged() {
    let playbooks = Playbooks::read(&root().join("playbooks")).expect("the playbooks can be read");
    let bench = Bench::with(playbooks, Arc::new(TextBrowsers)).await;
    let disabled = bench.run("user.disable", who("nada@acme.example")).await;
    assert_eq!(disabled.outcome, Outcome::Succeeded, "{:?}", disabled.error);
    let name = json!({ "givenName": "Nada", "familyName": "Byron" });
    let user = json!({ "user": { "userName": "nada@acme.example", "name": name } });
    let created = bench.run("user.create", user).await;
    assert_eq!((created.outcome, code(&created)), (Outcome::Failed, Some(Code::UserExists)));
    assert_eq!(created.changed, Some(false));
    assert_eq!(created.changes.first().map(|change| change.attribute.as_str()), Some("active"));
    assert_eq!(member(&bench.site, "nada@acme.example").expect("she is there")["status"], "Suspended");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_the_page_never_heard_was_not_made() {
    let removal = "        commit: true\n      - expect: { status: Member removed }\n";
    let playbooks = edited(&[(removal, &format!("        timeout: 1s\n{removal}"))]);
    let bench = Bench::with(playbooks, Arc::new(crate::support::RealBrowser)).await;
    let created = bench.run("user.create", json!({ "user": ada() })).await;
    assert_eq!(created.outcome, Outcome::Succeeded, "{:?}", created.error);
    // Under the pointer, the dialog is about somebody else for a moment.
    let script = "</table><script>
        const swap = (from, to) => {
            const dialog = document.querySelector('dialog[open], [role=dialog]:not([hidden])');
            const texts = dialog && document.createTreeWalker(dialog, NodeFilter.SHOW_TEXT);
            while (texts?.nextNode()) texts.currentNode.data = texts.currentNode.data.replace(from, to);
        };
        addEventListener('mousemove', () => { swap('ada@', 'eve@'); setTimeout(swap, 50, 'eve@', 'ada@') });
    </script>";
    let fault = json!([{ "on": "GET /members", "do": "changed", "replace": { "</table>": script } }]);
    control(&bench.site, "faults", fault).await;
    let kept = bench.run("user.delete", who("ada@acme.example")).await;
    assert_eq!((kept.outcome, kept.changed), (Outcome::Failed, Some(false)), "{:?}", kept.error);
    let is_stopped = matches!(code(&kept), Some(Code::TargetCovered | Code::TargetMissing));
    assert!(is_stopped, "{:?}", kept.error);
    assert_eq!(posts(&bench, "/remove").await, 0);
    let taken_back = bench.heard.0.lock().expect("no panic").iter().any(|event| {
        matches!(&event.kind, EventKind::Noticed { what } if what.starts_with("the commit was not made"))
    });
    assert!(taken_back, "it is reported that the commit was not made after all");
    control(&bench.site, "faults", json!([])).await;
    let gone = bench.run("user.delete", who("ada@acme.example")).await;
    assert_eq!(gone.outcome, Outcome::Succeeded, "{:?}", gone.error);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_what_the_app_shows_and_a_mismatch_says_what_was_expected() {
    let update = "          Name: \"{{ user.displayName }}\"\n          Role: \"{{ entitlements.role }}\"\n";
    let careless = "          Name: \"{{ user.displayName }}\"\n          Role: Viewer\n";
    let bench = Bench::with(edited(&[(update, careless)]), Arc::new(TextBrowsers)).await;
    let renamed = json!({ "user": { "userName": "nada@acme.example", "displayName": "Nada King" } });
    let update = |mode: &str| {
        let mut job = renamed.clone();
        job["mode"] = mode.into();
        job
    };
    let named = |result: &seatwright::contract::JobResult| -> Vec<String> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        result
            .changes
            .iter()
            .map(|c| format!("{}: {} > {}", c.attribute, text(&c.from), text(&c.to)))
            .collect()
    };
    let planned = bench.run("user.update", update("plan")).await;
    assert_eq!(named(&planned), ["displayName: Nada Byron > Nada King"], "what it would change");
    let ended = bench.run("user.update", update("execute")).await;
    assert_eq!((ended.outcome, code(&ended)), (Outcome::Failed, Some(Code::VerifyMismatch)));
    assert_eq!(ended.changed, Some(true));
    assert_eq!(named(&ended), ["displayName: Nada Byron > Nada King", "role: Member > Viewer"]);
    let message = ended.error.expect("a mismatch").message;
    assert!(message.ends_with("role is `Viewer`, not `Member`"), "{message}");
    bench.end().await;
    // What fails before the commit has changed nothing.
    let save = "{ button: Save changes, in: edit dialog }\n        commit: true\n";
    let missing = "{ button: Store, in: edit dialog }\n        commit: true\n        timeout: 1s\n";
    let bench = Bench::with(edited(&[(save, missing)]), Arc::new(TextBrowsers)).await;
    let failed = bench.run("user.update", renamed).await;
    assert_eq!((failed.changed, code(&failed)), (Some(false), Some(Code::TargetMissing)));
    assert_eq!(named(&failed), [""; 0]);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_are_reported_with_their_values() {
    let suspend = "      - click: { button: Suspend, in: user row }\n";
    let seen = format!("      - expect: {{ text: \"{{{{ user.userName }}}}\" }}\n{suspend}");
    let bench = Bench::with(edited(&[(suspend, &seen)]), Arc::new(TextBrowsers)).await;
    let disabled = bench.run("user.disable", who("nada@acme.example")).await;
    assert_eq!(disabled.outcome, Outcome::Succeeded, "{:?}", disabled.error);
    let heard = bench.heard.0.lock().expect("no panic").clone();
    let steps: Vec<String> = heard
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::StepStarted { what, .. } => Some(what.clone()),
            _ => None,
        })
        .collect();
    assert!(steps.contains(&"expect \"nada@acme.example\"".to_owned()), "{steps:?}");
    assert!(steps.iter().all(|what| !what.contains("{{")), "{steps:?}");
    bench.end().await;
}
