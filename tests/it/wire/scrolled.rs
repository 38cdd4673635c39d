//! A list that is scrolled: what it loads, what it counts, and what it fills in later.

use seatwright::contract::{Code, JobResult, Outcome};
use serde_json::{Value, json};

use super::{
    Room,
    app::{App, Does},
    code,
};

/// No search, and a list that scrolls. With `ignore_case`, and groups.
fn room() -> Room {
    Room::edited(|playbook| {
        let search = "  search: { into: { label: Search }, value: \"{{ user.userName }}\" }\n  absent: { text: No users match }\n";
        let pages = "pages: { next: { button: Next }, until: absent, max: 5, total";
        let columns = "      displayName: { column: Name }\n";
        assert!(
            [search, pages, columns, "views:\n", "identity: userName\n"]
                .iter()
                .all(|part| playbook.contains(part))
        );
        playbook
            .replace(search, "")
            .replace(pages, "pages: { scroll: true, max: 100, total")
            .replace("identity: userName\n", "identity: { attribute: userName, ignore_case: true }\n")
            .replace(columns, &format!("{columns}      group: {{ column: Groups, split: \",\" }}\n"))
            .replace("views:\n", "entitlements: { group: { any_of: [Sales, Ops] } }\nviews:\n")
            .replace("operations:\n", "operations:\n  user.list: { view: users }\n")
    })
}

/// Sixty people: those of every app, and others.
fn people(script: &str) -> App {
    let app = App::new(script, 200, Does::It);
    (0..57).fold(app, |app, n| app.and(&format!("p{n:02}@acme.example"), &format!("Person {n}")))
}

fn user(who: &str) -> Value {
    json!({ "userName": who })
}

fn groups(result: &JobResult, who: &str) -> Option<Vec<String>> {
    let users = result.users.as_ref()?;
    let user = users.iter().find(|user| user.user_name == who)?;
    let is_read = !user.unread.iter().any(|name| name == "group");
    is_read.then(|| user.entitlements.iter().map(|one| one.value.clone()).collect())
}

/// The list is loaded in portions of twenty, each when the end of the one before is in sight. `COUNTED`: what the page
/// says is the number of users. The order of the users is `ORDER`.
const PORTIONS: &str = r#"
at('list').innerHTML = '<p id=count></p><div id=box style="height:300px;overflow:auto"><table aria-label=Users><thead><tr><th>Email<th>Name<th>Status<th>Groups<th>Do</tr></thead><tbody id=rows></tbody></table><div id=end>&nbsp;</div></div>';
let have = 0, busy = false;
const more = async () => {
  if (busy) return;
  busy = true;
  const all = ORDER(await (await fetch('/api/users?ms=MS&at=' + have)).json());
  for (const u of all.slice(have, have + 20)) at('rows').insertAdjacentHTML('beforeend', `<tr style="height:30px"><td>${u.mail}<td>${u.name}<td>${u.status}<td>Sales<td><button onclick="remove(this)">Remove</button></tr>`);
  have = Math.min(all.length, have + 20);
  at('count').textContent = (COUNTED) + ' users';
  busy = false;
  if (have >= all.length) watch.disconnect();
};
const watch = new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting)) more(); }, { root: at('box') });
watch.observe(at('end'));
"#;

fn portions(order: &str, counted: &str, ms: u32) -> String {
    PORTIONS.replace("ORDER", order).replace("COUNTED", counted).replace("MS", &ms.to_string())
}

const ADA_LAST: &str =
    "((all) => [...all.filter((u) => !/^ada/i.test(u.mail)), ...all.filter((u) => /^ada/i.test(u.mail))])";

#[tokio::test(flavor = "multi_thread")]
async fn a_number_of_what_is_loaded_so_far_proves_nothing() {
    let room = room();
    for ms in [250, 900] {
        let app = people(&portions(ADA_LAST, "have", ms));
        let read = room.run(&app, "user.get", user("ada@acme.example")).await;
        assert_eq!(read.outcome, Outcome::Succeeded, "{ms} ms: {:?}", read.error);
        // Nothing would prove that she is gone.
        let removed = room.run(&app, "user.delete", user("ada@acme.example")).await;
        assert_eq!(code(&removed), Some(Code::ListIncomplete), "{ms} ms: {:?}", removed.error);
        assert_eq!((app.changes(), app.found("ada@acme.example").len()), (0, 1));
        let absent = room.run(&app, "user.get", user("zed@acme.example")).await;
        assert_eq!(code(&absent), Some(Code::ListIncomplete), "{ms} ms: {:?}", absent.error);
        let listed = room.run_with(&app, "user.list", json!({})).await;
        let said = listed.completeness.expect("a list says how complete it is");
        assert!(said.rows == 60 || !said.complete, "{ms} ms: {said:?}");
    }
    room.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_of_all_records_proves_who_is_absent() {
    let room = room();
    let app = people(&portions(ADA_LAST, "all.length", 100));
    let listed = room.run_with(&app, "user.list", json!({})).await;
    let said = listed.completeness.expect("a list says how complete it is");
    assert!(said.complete && said.rows == 60, "{said:?}");
    let absent = room.run(&app, "user.get", user("zed@acme.example")).await;
    assert_eq!(code(&absent), Some(Code::UserNotFound), "{:?}", absent.error);
    let removed = room.run(&app, "user.delete", user("ada@acme.example")).await;
    assert_eq!(removed.outcome, Outcome::Succeeded, "{:?}", removed.error);
    assert_eq!((app.changes(), app.found("ada@acme.example").len()), (1, 0));
    room.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_records_of_one_identity_are_found_in_a_list_that_scrolls() {
    let room = room();
    let app = people(&portions("((all) => all)", "all.length", 50)).and("Ada@acme.example", "Ada Byron");
    for operation in ["user.get", "user.delete"] {
        let result = room.run(&app, operation, user("ada@acme.example")).await;
        assert_eq!(code(&result), Some(Code::AmbiguousUser), "{operation}: {:?}", result.error);
    }
    assert_eq!((app.changes(), app.found("ada@acme.example").len()), (0, 1));
    // Who is there once is in front again, although the list was read to its end.
    let removed = room.run(&app, "user.delete", user("bo@acme.example")).await;
    assert_eq!(removed.outcome, Outcome::Succeeded, "{:?}", removed.error);
    assert!(app.found("bo@acme.example").is_empty());
    room.end().await;
}

/// Draws only the rows in sight. Their groups are asked for when the scrolling has stopped.
const FILLED_LATER: &str = r#"
at('list').innerHTML = '<p id=count></p><div id=box style="height:300px;overflow:auto"><table aria-label=Users><thead><tr><th>Email<th>Name<th>Status<th>Groups<th>Do</tr></thead><tbody id=rows></tbody></table></div>';
let all = [], known = {}, timer;
const show = () => {
  const first = Math.floor(at('box').scrollTop / 30), last = Math.min(all.length, first + 12);
  const gap = (rows) => `<tr aria-hidden=true style="height:${rows * 30}px"></tr>`;
  at('rows').innerHTML = gap(first) + all.slice(first, last).map((u) => `<tr style="height:30px"><td>${u.mail}<td>${u.name}<td>${u.status}<td>${known[u.mail] ?? ''}<td><button onclick="remove(this)">Remove</button></tr>`).join('') + gap(all.length - last);
  return all.slice(first, last);
};
const fill = async () => { const seen = show(); await fetch('/api/users?ms=100&about=' + seen.map((u) => u.mail)); for (const u of seen) known[u.mail] = GROUPS; show(); };
at('box').onscroll = () => { show(); clearTimeout(timer); timer = setTimeout(fill, 350); };
load('').then((users) => { all = users; at('count').textContent = all.length + ' users'; show(); timer = setTimeout(fill, 350); });
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_list_fills_in_after_the_scrolling_is_read_or_said_to_be_unread() {
    let room = room();
    let app = people(&FILLED_LATER.replace("GROUPS", "'Ops'"));
    let listed = room.run_with(&app, "user.list", json!({})).await;
    let users = listed.users.as_ref().expect("users");
    assert_eq!(users.len(), 60, "{:?}", listed.error);
    for one in users {
        let read = groups(&listed, &one.user_name);
        assert!(read.is_none_or(|read| read == ["Ops"]), "{} is not said to have no group", one.user_name);
    }
    let read = room.run(&app, "user.get", user("p40@acme.example")).await;
    let record = read.after.or(read.before).expect("a record");
    let has: Vec<&str> = record.entitlements.iter().map(|one| one.value.as_str()).collect();
    assert!(has == ["Ops"] || record.unread == ["group"], "{record:?}");
    // Where nothing is filled in, there is nothing.
    let app = people(&FILLED_LATER.replace("GROUPS", "''"));
    let listed = room.run_with(&app, "user.list", json!({})).await;
    assert_eq!(groups(&listed, "p40@acme.example"), Some(Vec::new()));
    room.end().await;
}
