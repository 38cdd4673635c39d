//! A list that shows somebody who may be the user does not prove that the user is absent.

use seatwright::contract::{Code, Outcome};
use serde_json::{Value, json};

use super::{
    Room,
    app::{App, Does},
    code,
};

const SEARCH: &str = "  search: { into: { label: Search }, value: \"{{ user.userName }}\" }\n";
const ABSENT: &str = "  absent: { text: No users match }\n";
const PAGES: &str =
    "pages: { next: { button: Next }, until: absent, max: 5, total: { text: \"{n} users\" } }";

fn user(who: &str) -> Value {
    json!({ "userName": who, "displayName": "Somebody" })
}

/// Shows the address of one user in another way.
fn shows(who: &str, how: &str) -> String {
    format!(
        "go = async (q) => draw((await load(q)).map((u) => u.mail === '{who}' ? {{ ...u, mail: '{how}' }} : u)); go('');"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_with_a_badge_or_a_gap_proves_no_absence() {
    const GROWS: &str =
        "pages: { more: { button: More }, until: absent, max: 5, total: { text: \"{n} users\" } }";
    const SCROLLS: &str = "pages: { scroll: true, max: 50, total: { text: \"{n} users\" } }";
    let ways = [
        ("a search", PAGES, true),
        ("pages", PAGES, false),
        ("a list that grows", GROWS, false),
        ("a list that scrolls", SCROLLS, false),
        ("a search in a list that scrolls", SCROLLS, true),
    ];
    let cells = [
        "ada@acme.example <b>Unverified</b>",
        "ada@acme.example<b>Owner</b>",
        "a•••@acme.example",
        "ada…@acme.example (you)",
    ];
    for (way, pages, searches) in ways {
        let room = Room::edited(|playbook| {
            assert!(playbook.contains(PAGES) && playbook.contains(SEARCH) && playbook.contains(ABSENT));
            let playbook = playbook.replace(PAGES, pages);
            if searches { playbook } else { playbook.replace(SEARCH, "").replace(ABSENT, "") }
        });
        for (n, cell) in cells.iter().enumerate() {
            // Each way with one of them.
            if way != ways[n].0 && way != "a search" && !(n == 0 && way == "a search in a list that scrolls")
            {
                continue;
            }
            let how = format!("{way}, {cell}");
            let app = App::new(shows("ada@acme.example", cell), 200, Does::It);
            let operations: &[&str] =
                if n == 0 { &["user.get", "user.delete", "user.create"] } else { &["user.create"] };
            for operation in operations {
                let result = room.run(&app, operation, user("ada@acme.example")).await;
                assert_eq!(
                    code(&result),
                    Some(Code::ListIncomplete),
                    "{how}, {operation}: {:?}",
                    result.error
                );
                let error = result.error.expect("an error");
                let shown = cell.replace("<b>", "").replace("</b>", "");
                assert!(error.message.contains(&format!("`{shown}`")), "{how}: {}", error.message);
                assert!(error.hint.is_some(), "{how}");
                assert_eq!(app.found("ada@acme.example"), ["Active"], "{how}, {operation}");
            }
            assert_eq!(app.changes(), 0, "{how}");
            // Somebody else is not concerned.
            let other = room.run(&app, "user.get", user("zed@other.example")).await;
            assert_eq!(code(&other), Some(Code::UserNotFound), "{how}: {:?}", other.error);
            let other = room.run(&app, "user.get", user("bo@acme.example")).await;
            assert_eq!(other.outcome, Outcome::Succeeded, "{how}: {:?}", other.error);
        }
        room.end().await;
    }
}

/// The app says that nobody matches, next to a row that is always there, and that it does not count: the account's own.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_beside_the_words_for_nobody_is_looked_at() {
    let pinned = "go = async (q) => { const found = q ? [] : await load(q); draw([{ mail: 'ada@acme.example (you)', name: 'Ada', status: 'Active' }, ...found]); document.querySelector('#list p').textContent = found.length + ' users'; if (!found.length) at('list').insertAdjacentHTML('beforeend', '<p>No users match</p>'); }; go('');";
    let room = Room::new();
    let app = App::new(pinned, 200, Does::It);
    let result = room.run(&app, "user.delete", user("ada@acme.example")).await;
    assert_eq!(code(&result), Some(Code::ListIncomplete), "{:?}", result.error);
    let other = room.run(&app, "user.get", user("zed@acme.example")).await;
    assert_eq!(code(&other), Some(Code::UserNotFound), "{:?}", other.error);
    room.end().await;
}

/// The desks of all users, in another list.
const DESKS: &str = "
const desks = (shown) => { at('list').innerHTML = `<p>${shown.length} desks</p><table aria-label=Desks><thead><tr><th>Email<th>Desk</tr></thead><tbody>` + shown.map(([mail, desk]) => `<tr><td>${mail}<td>${desk}</tr>`).join('') + '</table>'; };
";

#[tokio::test(flavor = "multi_thread")]
async fn who_may_be_in_another_list_is_not_said_to_be_in_none() {
    let room = Room::edited(|playbook| {
        let view = "  users:\n    open: /users\n";
        assert!(playbook.contains(view));
        let desks = "  desks:\n    open: /users?desks\n    rows: { in: { table: Desks } }\n    columns: { userName: { column: Email }, title: { column: Desk, without: none } }\n    pages: { next: { button: Next }, until: absent, max: 5, total: { text: \"{n} desks\" } }\n";
        playbook.replace(view, &format!("{desks}{view}    also: [desks]\n"))
    });
    for (shown, title) in [("a•••@acme.example", None), ("bo@acme.example", Some("none"))] {
        let script =
            format!("{DESKS} if (location.search === '?desks') desks([['{shown}', 'A1']]); else go('');");
        let app = App::new(script, 200, Does::It);
        let result = room.run(&app, "user.get", user("ada@acme.example")).await;
        match title {
            None => {
                assert_eq!(code(&result), Some(Code::ListIncomplete), "{:?}", result.error);
                let message = result.error.expect("an error").message;
                assert!(message.contains("a•••@acme.example"), "{message}");
            }
            Some(title) => {
                let read = result.after.or(result.before).expect("a record");
                assert_eq!(read.attributes.get("title").map(String::as_str), Some(title));
            }
        }
    }
    room.end().await;
}

/// The only administrator is in the list once more, pinned on top of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_row_of_the_last_holder_is_no_other_holder() {
    let room = Room::edited(|playbook| {
        let columns = "      displayName: { column: Name }\n";
        assert!(playbook.contains(columns) && playbook.contains("views:\n"));
        let rule = "entitlements: { role: { one_of: [Viewer, Admin], protect_last: Admin } }\nviews:\n";
        playbook
            .replace(columns, &format!("{columns}      role: {{ column: Role }}\n"))
            .replace("views:\n", rule)
    });
    for (pinned, is_last) in [("ada@acme.example pinned", true), ("nada@acme.example", false)] {
        let script = format!(
            "go = async (q) => {{ const users = await load(q); draw(users.length ? [{{ mail: '{pinned}', name: 'P', status: 'Active' }}, ...users] : []); document.querySelector('thead tr').insertAdjacentHTML('beforeend', '<th>Role'); for (const row of document.querySelectorAll('tbody tr')) row.insertAdjacentHTML('beforeend', '<td>' + (/^n?ada/.test(row.cells[0].textContent) ? 'Admin' : 'Viewer')); }}; go('');"
        );
        let app = App::new(script, 200, Does::It);
        let result = room.run(&app, "user.delete", user("ada@acme.example")).await;
        if is_last {
            assert_eq!(code(&result), Some(Code::ProtectedPrincipal), "{:?}", result.error);
            assert_eq!(app.found("ada@acme.example"), ["Active"]);
        } else {
            assert_eq!(result.outcome, Outcome::Succeeded, "{:?}", result.error);
            assert!(app.found("ada@acme.example").is_empty());
        }
    }
    room.end().await;
}

/// Two of the five groups are there, and the button for more is gone, because its call has failed.
#[tokio::test(flavor = "multi_thread")]
async fn an_entitlement_is_unknown_only_where_all_are_read() {
    let room = Room::edited(|playbook| {
        assert!(playbook.contains("views:\n") && playbook.contains("operations:\n"));
        let groups = "  groups:\n    open: /users?groups\n    rows: { in: { table: Groups } }\n    columns: { value: { column: Group } }\n    pages: { more: { button: More }, until: absent, max: 5, total: { text: \"{n} groups\" } }\n";
        let columns = "      displayName: { column: Name }\n";
        let grant = "operations:\n  entitlement.list: { view: groups }\n  entitlement.grant:\n    steps:\n      - { fill: { into: { label: Cost centre }, value: \"{{ entitlements.group | join(',') }}\" } }\n      - { click: { button: Suspend, in: user row }, commit: true }\n";
        playbook
            .replace(
                "views:\n",
                &format!("entitlements: {{ group: {{ any_of: discovered }} }}\nviews:\n{groups}"),
            )
            .replace(columns, &format!("{columns}      group: {{ column: Do, split: \",\" }}\n"))
            .replace("operations:\n", grant)
    });
    for (shown, expected, complete) in [(5, Code::ListIncomplete, false), (2, Code::UnknownEntitlement, true)]
    {
        let script = format!(
            "if (location.search === '?groups') at('list').innerHTML = '<p>{shown} groups</p><table aria-label=Groups><thead><tr><th>Group<th>For</tr></thead><tbody><tr><td>Design<td>all<tr><td>Ops<td>all</table>'; else go('');"
        );
        let app = App::new(script, 200, Does::It);
        let asked = json!({ "user": { "userName": "ada@acme.example" }, "entitlements": [{ "type": "group", "value": "Sales" }] });
        let result = room.run_with(&app, "entitlement.grant", asked).await;
        assert_eq!(code(&result), Some(expected), "{shown}: {:?}", result.error);
        assert_eq!(app.changes(), 0);
        let listed = room.run_with(&app, "entitlement.list", json!({})).await;
        assert_eq!(listed.entitlements.map(|all| all.len()), Some(2), "{:?}", listed.error);
        let said = listed.completeness.expect("a list says how complete it is");
        assert_eq!((said.complete, said.shown, said.rows), (complete, Some(shown), 2));
    }
    room.end().await;
}
