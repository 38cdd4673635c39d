//! What a page shows of nobody, or of nothing, proves nothing where the page shows it for another reason: its server has
//! failed, was asked something else, or has not sent it yet.

use seatwright::contract::{Code, Outcome};
use serde_json::{Value, json};

use super::{
    Room,
    app::{App, Does},
    code,
};

fn ada() -> Value {
    json!({ "userName": "ada@acme.example" })
}

fn zed() -> Value {
    json!({ "userName": "zed@acme.example" })
}

/// The page draws an answer that it has not got as "nobody".
#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_the_server_did_not_answer_finds_nobody_for_no_reason() {
    let room = Room::new();
    for (how, asks, expected) in [
        ("an error", "'&status=500'", Code::AppUnavailable),
        ("too many requests", "'&status=429'", Code::RateLimited),
        ("no right to search", "'&status=403'", Code::InsufficientRole),
        ("a session that has ended", "'&status=401'", Code::SessionExpired),
        ("no answer", "'&status=0'", Code::AppUnavailable),
    ] {
        let script = format!(
            "go = async (q) => {{ try {{ const answer = await fetch('/api/users?q=' + q + (q ? {asks} : '')); draw(answer.ok ? await answer.json() : []); }} catch {{ draw([]); }} }}; go('');"
        );
        let app = App::new(script, 200, Does::It);
        let created = room
            .run(&app, "user.create", json!({ "userName": "ada@acme.example", "displayName": "Ada Byron" }))
            .await;
        assert_eq!(
            (code(&created), created.changed),
            (Some(expected), Some(false)),
            "{how}: {:?}",
            created.error
        );
        let removed = room.run(&app, "user.delete", ada()).await;
        assert_eq!((code(&removed), removed.outcome), (Some(expected), Outcome::Failed), "{how}");
        assert_eq!(app.found("ada@acme.example"), ["Active"], "{how}: she is there once");
    }
    // An answer of 404 says that there is nobody. A failure that the page makes good says nothing.
    const NOBODY: &str = "go = async (q) => { const answer = await fetch('/api/users?q=' + q + (q ? '&status=404' : '')); draw(answer.ok ? await answer.json() : []); }; go('');";
    const AGAIN: &str = "go = async (q) => { if (q) await fetch('/api/users?status=500&q=' + q); draw(await load(q)); }; go('');";
    for (how, script) in [("404", NOBODY), ("a second try", AGAIN)] {
        let app = App::new(script, 200, Does::It);
        let read = room.run(&app, "user.get", zed()).await;
        assert_eq!(code(&read), Some(Code::UserNotFound), "{how}: {:?}", read.error);
    }
    room.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plus_sign_that_the_page_does_not_encode_asks_for_somebody_else() {
    let room = Room::new();
    let user = || json!({ "userName": "ada+x@acme.example" });
    for (encode, found) in [("encodeURI", false), ("encodeURIComponent", true)] {
        let script = format!(
            "go = async (q) => draw(await (await fetch('/api/users?q=' + {encode}(q))).json()); go('');"
        );
        let app = App::new(script, 200, Does::It).and("ada+x@acme.example", "Ada");
        let read = room.run(&app, "user.get", user()).await;
        match found {
            true => assert_eq!(read.outcome, Outcome::Succeeded, "{:?}", read.error),
            false => assert_eq!(code(&read), Some(Code::ListIncomplete), "{:?}", read.error),
        }
    }
    room.end().await;
}

/// The words for nobody stand beside a number of hits.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_beside_a_number_of_hits_is_a_contradiction() {
    const LATER_PAGE: &str = "go = async (q) => { const users = await load(q); draw(q ? [] : users); document.querySelector('#list p:not(table p)').nextSibling; at('list').innerHTML = at('list').innerHTML.replace('0 users', `${users.length} users`); }; go('');";
    const ALWAYS: &str = "go = async (q) => { const all = await load(''); draw(await load(q)); at('list').innerHTML = at('list').innerHTML.replace(/\\d+ users/, `${all.length} users`); }; go('');";
    let room = Room::new();
    let app = App::new(LATER_PAGE, 200, Does::It);
    let read = room.run(&app, "user.get", ada()).await;
    assert_eq!(code(&read), Some(Code::ListIncomplete), "{:?}", read.error);
    // A number that the page always shows is not the number of hits.
    let app = App::new(ALWAYS, 200, Does::It);
    let read = room.run(&app, "user.get", zed()).await;
    assert_eq!(code(&read), Some(Code::UserNotFound), "{:?}", read.error);
    room.end().await;
}

/// The page shows something old first, and then the answer.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_after_a_pause_is_waited_for() {
    let room = Room::new();
    for (how, script) in [
        (
            "the words for nobody fade away first",
            "go = async (q) => { const users = await load(q); draw([]); setTimeout(() => draw(users), 600); }; go('');",
        ),
        (
            "searched when the typing is over for a second",
            "let t; go = (q) => { clearTimeout(t); t = setTimeout(async () => draw(await load(q)), 1000); }; draw([]);",
        ),
        (
            "searched in what the page has got, which comes in portions",
            "let all = []; go = (q) => draw(all.filter((u) => u.mail.includes(q))); draw([]); (async () => { for (const q of ['svc', 'ada']) { all.push(...await load(q)); go(at('q').value); await wait(800); } })();",
        ),
    ] {
        let app = App::new(script, 200, Does::It);
        let created = room
            .run(&app, "user.create", json!({ "userName": "ada@acme.example", "displayName": "Ada Byron" }))
            .await;
        assert_eq!(created.outcome, Outcome::NoChange, "{how}: {:?}", created.error);
        assert_eq!(app.found("ada@acme.example"), ["Active"], "{how}: she is there once");
    }
    room.end().await;
}

/// The page shows what it has kept, and asks its server a moment later.
#[tokio::test(flavor = "multi_thread")]
async fn no_change_is_said_after_a_second_look() {
    const KEPT: &str = "go = async (q) => { const users = await load(q); draw(users.map((u) => ({ ...u, status: 'Suspended' }))); setTimeout(async () => draw(await load(q)), 800); }; go('');";
    let room = Room::new();
    let app = App::new(KEPT, 200, Does::It);
    let disabled = room.run(&app, "user.disable", ada()).await;
    assert_eq!(app.found("ada@acme.example"), ["Suspended"], "{:?}", disabled.error);
    assert_eq!(app.changes(), 1);
    let again = room.run(&app, "user.disable", ada()).await;
    assert_eq!((again.outcome, app.changes()), (Outcome::NoChange, 1), "{:?}", again.error);
    room.end().await;
}

/// Without a search, the number of rows proves that nobody else is there. The number of people does.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_shows_somebody_twice_lacks_somebody() {
    // "More" adds the next rows, and with them one that was there.
    const MORE: &str = "let all; const show = (users) => { draw(users); at('list').innerHTML = at('list').innerHTML.replace(/\\d+ users/, `${all.length} users`) + (users.length < all.length ? '<button type=button id=more>More</button>' : ''); if (at('more')) at('more').onclick = () => show([...users.slice(0, 2), users[1]]); }; (async () => { all = await load(''); const ada = all.findIndex((u) => u.mail.startsWith('ada')); all.push(...all.splice(ada, 1)); show(all.slice(0, 2)); })();";
    let room = Room::edited(|playbook| {
        let (search, next) = (
            "  search: { into: { label: Search }, value: \"{{ user.userName }}\" }\n  absent: { text: No users match }\n",
            "next: { button: Next }",
        );
        assert!(playbook.contains(search) && playbook.contains(next));
        playbook.replace(search, "").replace(next, "more: { button: More }")
    });
    let app = App::new(MORE, 200, Does::It);
    let created = room
        .run(&app, "user.create", json!({ "userName": "ada@acme.example", "displayName": "Ada Byron" }))
        .await;
    assert_eq!(code(&created), Some(Code::ListIncomplete), "{:?}", created.error);
    assert_eq!(app.found("ada@acme.example"), ["Active"], "she is there once");
    room.end().await;
}

/// The second page of the list is refused, and the page draws the reason as a row.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_whose_session_ends_is_not_read_on() {
    const ENDS: &str = "draw([]); (async () => { draw((await (await fetch('/api/users?q=&status=')).json()).slice(0, 2)); at('list').insertAdjacentHTML('beforeend', '<button id=next>Next</button>'); at('next').onclick = async () => { await fetch('/api/users?q=2&status=401'); draw([{ mail: 'Session expired', name: '', status: '' }]); at('list').innerHTML = at('list').innerHTML.replace('1 users', '3 users'); }; })();";
    let room = Room::edited(|playbook| {
        let search = "  search: { into: { label: Search }, value: \"{{ user.userName }}\" }\n  absent: { text: No users match }\n";
        assert!(playbook.contains(search));
        playbook.replace(search, "")
    });
    let app = App::new(ENDS, 200, Does::It);
    let read = room.run(&app, "user.get", zed()).await;
    assert_eq!(code(&read), Some(Code::SessionExpired), "{:?}", read.error);
    assert_eq!(app.sign_ins(), 2, "it was renewed once");
    room.end().await;
}
