//! A dialog that shows only a name: it is about the user if the name comes from the user's own record, and nobody else has it.

use seatwright::contract::{Code, Outcome};
use serde_json::json;

use super::{
    Room,
    app::{App, Does},
    code,
};

/// `WHO` is removed by the dialog, which says `SAYS`.
const DIALOG: &str = "
remove = (button) => {
  const dialog = document.createElement('dialog');
  dialog.setAttribute('aria-label', 'Remove user');
  dialog.innerHTML = '<p>' + says(button.closest('tr')) + '</p><button>Yes</button>';
  dialog.querySelector('button').onclick = async () => { dialog.close(); told(await send({ op: 'remove', mail: who(button.closest('tr')) })); };
  document.body.append(dialog);
  dialog.showModal();
};
const cell = (row, at) => row.cells[at].textContent;
";

/// The app's own question.
const CONFIRM: &str = "
remove = async (button) => {
  const row = button.closest('tr');
  if (confirm(says(row))) told(await send({ op: 'remove', mail: who(row) }));
};
const cell = (row, at) => row.cells[at].textContent;
";

const RIGHT: &str =
    "const who = (row) => cell(row, 0), says = (row) => 'Remove ' + cell(row, 1) + '?'; go('');";
/// The question is still about the person who was asked about before.
const STALE: &str = "const who = () => 'bo@acme.example', says = () => 'Remove Ada Byron Smith?'; go('');";

/// One hit a page.
const PAGED: &str = "
go = async (q) => {
  const users = await load(q);
  const show = (at) => {
    draw(users.slice(at, at + 1));
    document.querySelector('#list p:last-of-type').textContent = users.length + ' users';
    if (at + 1 < users.length) { const next = document.createElement('button'); next.textContent = 'Next'; next.onclick = () => show(at + 1); document.querySelector('#list').append(next); }
  };
  show(0);
};
";

const BY_DIALOG: &str = r#"
      - { click: { button: Remove, in: user row } }
      - { click: { button: Yes, in: { dialog: Remove user, text: "Remove {{ record.displayName }}?" } }, commit: true, timeout: 1s }
"#;
const BY_CONFIRM: &str = r#"
      - answer: { with: accept, says: "Remove {{ record.displayName }}?" }
      - { click: { button: Remove, in: user row }, commit: true, timeout: 1s }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_name_from_the_record_states_the_user_if_nobody_else_has_it() {
    let ada = || json!({ "userName": "ada@acme.example" });
    for (page, steps) in [(DIALOG, BY_DIALOG), (CONFIRM, BY_CONFIRM)] {
        let room = Room::edited(|playbook| {
            let usual = "\n      - { click: { button: Remove, in: user row }, commit: true }\n";
            assert!(playbook.contains(usual));
            playbook.replace(usual, steps)
        });
        let app = App::new(format!("{page}{RIGHT}"), 200, Does::It);
        let removed = room.run(&app, "user.delete", ada()).await;
        assert_eq!(removed.outcome, Outcome::Succeeded, "{:?}", removed.error);
        assert_eq!((app.found("ada@acme.example").len(), app.found("bo@acme.example").len()), (0, 1));

        let app = App::new(format!("{page}{STALE}"), 200, Does::It);
        let refused = room.run(&app, "user.delete", ada()).await;
        assert_eq!((refused.outcome, refused.changed), (Outcome::Failed, Some(false)), "{:?}", refused.error);
        assert_eq!(app.changes(), 0);

        // The search for her address does not show the other one.
        let app = App::new(format!("{page}{RIGHT}"), 200, Does::It).and("countess@acme.example", "Ada BYRON");
        let refused = room.run(&app, "user.delete", ada()).await;
        assert_eq!(code(&refused), Some(Code::AmbiguousUser), "{:?}", refused.error);
        assert_eq!(app.changes(), 0);
        // The other one is on the second page of those who have the name.
        let app = App::new(format!("{PAGED}{page}{RIGHT}"), 200, Does::It)
            .and("countess@acme.example", "Ada BYRON");
        let refused = room.run(&app, "user.delete", ada()).await;
        assert_eq!(code(&refused), Some(Code::AmbiguousUser), "{:?}", refused.error);
        assert_eq!(app.changes(), 0);
        room.end().await;
    }
}
