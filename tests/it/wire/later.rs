//! Before and after the commit, the page is not where it seems to be: it holds another record than it shows, sends later
//! than it says, or has lost its session.

use seatwright::contract::{Code, Outcome};
use serde_json::json;

use super::{
    Room,
    app::{App, Does},
    code,
};

fn ada() -> serde_json::Value {
    json!({ "userName": "ada@acme.example" })
}

/// The button of the row opens one dialog for all users. It shows the address at once, and acts on whom it has loaded.
fn dialog(holds_until: &str) -> String {
    format!(
        r#"
let held = 'bo@acme.example';
document.body.insertAdjacentHTML('beforeend', '<dialog id=ask aria-label="Suspend user"><p id=whom></p><button id=yes>Yes</button></dialog>');
suspend = async (button) => {{ at('whom').textContent = button.closest('tr').cells[0].textContent; at('ask').show(); {holds_until} held = at('whom').textContent; at('whom').append(' '); }};
at('yes').onclick = async () => told(await send({{ op: 'suspend', mail: held }}));
go('');"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dialog_that_still_holds_somebody_else_is_not_confirmed() {
    let room = Room::edited(|playbook| {
        let usual = "      - { click: { button: Suspend, in: user row }, commit: true }\n";
        let asks = "      - click: { button: Suspend, in: user row }\n      - { click: { button: \"Yes\", in: { dialog: Suspend user, text: \"{{ user.userName }}\" } }, commit: true }\n";
        assert!(playbook.contains(usual));
        playbook.replace(usual, asks)
    });
    for (how, holds_until) in [
        ("loads for a while", "await fetch('/api/users?ms=1200');"),
        ("loads for long", "await fetch('/api/users?ms=4000');"),
        ("draws what it has loaded later", "await load('ada'); await wait(250);"),
    ] {
        let app = App::new(dialog(holds_until), 200, Does::It);
        let result = room.run(&app, "user.disable", ada()).await;
        assert_eq!(app.found("bo@acme.example"), ["Active"], "the dialog {how}");
        assert_eq!(app.found("ada@acme.example"), ["Suspended"], "the dialog {how}: {:?}", result.error);
        assert_eq!((result.outcome, result.changed), (Outcome::Succeeded, Some(true)), "the dialog {how}");
    }
    room.end().await;
}

/// The page says that it is done, and sends the change later.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_confirms_before_it_sends_is_not_left() {
    const UNDO: &str = "suspend = async (button) => { at('said').textContent = 'Done'; const mail = button.closest('tr').cells[0].textContent; await wait(1500); send({ op: 'suspend', mail }); }; go('');";
    const QUEUE: &str = "suspend = (button) => { at('said').textContent = 'Done'; localStorage.kept = button.closest('tr').cells[0].textContent; }; \
         if (localStorage.kept) setTimeout(() => { const mail = localStorage.kept; if (!mail) return; localStorage.removeItem('kept'); send({ op: 'suspend', mail }); }, 400); go('');";
    let room = Room::new();
    for (how, script) in [("after a time for an undo", UNDO), ("from the next page", QUEUE)] {
        let app = App::new(script, 200, Does::It);
        let result = room.run(&app, "user.disable", ada()).await;
        assert_eq!(app.found("ada@acme.example"), ["Suspended"], "{how}: {:?}", result.error);
        assert_eq!((result.outcome, result.changed), (Outcome::Succeeded, Some(true)), "{how}");
        assert_eq!(app.changes(), 1, "{how}");
    }
    room.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_confirms_and_never_sends_leaves_it_unknown() {
    let room = Room::new();
    for (how, more, ends) in [
        ("", "", (Outcome::Indeterminate, None, Some(Code::NothingSent))),
        // The words were there before, or are about something else: the page itself says that it has not sent.
        (
            " and calls a field invalid",
            "at('cost').setAttribute('aria-invalid', 'true');",
            (Outcome::Failed, Some(false), Some(Code::NothingSent)),
        ),
    ] {
        let script = format!("suspend = () => {{ at('said').textContent = 'Done'; {more} }}; go('');");
        let app = App::new(script, 200, Does::It);
        let result = room.run(&app, "user.disable", ada()).await;
        assert_eq!(
            (result.outcome, result.changed, code(&result)),
            ends,
            "it confirms{how}: {:?}",
            result.error
        );
        assert_eq!(app.changes(), 0);
    }
    room.end().await;
}

/// The session ends at the commit. The server has refused it: one reading, after another sign-in, is enough.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_at_the_commit_ends_in_a_refusal() {
    const ASKS: &str = "suspend = async () => { await send({ op: 'end', status: 401 }); document.body.insertAdjacentHTML('beforeend', '<dialog id=in>Your session has ended</dialog>'); at('in').showModal(); }; go('');";
    const LEAVES: &str =
        "suspend = async () => { await send({ op: 'end', status: 401 }); location = '/login'; }; go('');";
    let room = Room::new();
    for (how, script) in [("asks for the password", ASKS), ("leads to the sign-in", LEAVES)] {
        let app = App::new(script, 200, Does::It);
        let result = room.run(&app, "user.disable", ada()).await;
        let ends = (result.outcome, result.changed, code(&result));
        let refused = (Outcome::Failed, Some(false), Some(Code::SessionExpired));
        assert_eq!(ends, refused, "the page {how}: {:?}", result.error);
        assert_eq!((app.changes(), app.sign_ins()), (1, 2), "the page {how}");
        assert_eq!(app.found("ada@acme.example"), ["Active"]);
    }
    room.end().await;
}
