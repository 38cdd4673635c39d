//! What the words of the language mean, in one sentence each: for the editor and the reference.

use super::{check::ATTRIBUTES, locator::ROLES};
use crate::contract::Operation;

/// What an element of an ARIA role is, as a person would say it.
pub fn role(name: &str) -> &'static str {
    match name {
        "alert" => "A message that wants attention, found by what it says.",
        "article" => "A piece that stands for itself: a card, a post.",
        "button" => "A button, by its name.",
        "cell" => "A cell of a table, by its text.",
        "checkbox" => "A box to tick, by its label.",
        "columnheader" => "The head of a table's column.",
        "combobox" => "A field with a list of suggestions, or a closed select, by its label.",
        "dialog" => "A dialog, by its title. Best inside `in:`, so that nothing outside of it is meant.",
        "form" => "A form that has a name.",
        "grid" => "A table whose cells can be worked in.",
        "gridcell" => "A cell of a grid, by its text.",
        "group" => "Controls that belong together, by their legend.",
        "heading" => "A heading, by its text.",
        "img" => "A picture, by its alternative text.",
        "link" => "A link, by its text.",
        "list" => "A list that has a name.",
        "listbox" => "An open list of options, by its label.",
        "listitem" => "An item of a list.",
        "main" => "The main part of the page.",
        "menu" => "An open menu.",
        "menuitem" => "An entry of an open menu.",
        "navigation" => "A bar or list for getting about, by its label.",
        "option" => "An option of a list.",
        "radio" => "One choice of several, by its label.",
        "radiogroup" => "The choices of which one is taken, by their legend.",
        "region" => "A part of the page that has a name.",
        "row" => {
            "A row of a table or grid, by its text. The row of the job's user is the built-in `user row`."
        }
        "rowheader" => "The head of a table's row.",
        "searchbox" => "A field for searching, by its label.",
        "slider" => "A slider, by its label.",
        "spinbutton" => "A field for a number, by its label.",
        "status" => "A message in passing (a toast), found by what it says.",
        "switch" => "A switch that is on or off, by its label.",
        "tab" => "The head of a tab.",
        "table" => "A table, by its caption or label.",
        "tabpanel" => "What a tab shows.",
        "textbox" => "A field for text, by its label.",
        "tree" => "A list whose items unfold.",
        "treeitem" => "An item of a tree.",
        _ => "",
    }
}

/// The other keys of a locator: what each says, and an example.
pub const LOCATOR_KEYS: &[(&str, &str, &str)] = &[
    ("label", "The form control so labelled, or the group with that legend.", "{ label: Email }"),
    (
        "text",
        "The element with this text; beside a role: that also contains it, as a whole.",
        "{ text: No members match }",
    ),
    ("testid", "The element with this `data-testid`.", "{ testid: workspace }"),
    ("placeholder", "The form control with this placeholder.", "{ placeholder: Search }"),
    ("title", "The element with this title (what shows under the pointer).", "{ title: More }"),
    (
        "frame",
        "A frame (iframe), by its title, name or address. Inside `in:` it means: look in that frame.",
        "{ button: Save, in: { frame: Admin } }",
    ),
    (
        "css",
        "A CSS selector. It breaks when the page's markup changes: `check` warns (P014).",
        "{ css: .members }",
    ),
    (
        "xpath",
        "An XPath. It breaks when the page's markup changes: `check` warns (P014).",
        "{ xpath: //main }",
    ),
    ("in", "Only inside this: a target, `user row`, a dialog, a frame.", "{ button: Remove, in: user row }"),
    ("has", "Only if it also contains this element.", "{ row: ~, has: { link: Ada Byron } }"),
    (
        "under",
        "Only what stands under the heading of this name: behind it, and before the next one of its level or a higher one.",
        "{ button: Clear, under: Current permissions }",
    ),
    (
        "nth",
        "Which of several, from 0. Only where the order has a meaning: `check` warns (P014).",
        "{ button: Edit, nth: 0 }",
    ),
    (
        "exact",
        "`false`: the name may stand anywhere in the element's, upper and lower case being the same.",
        "{ heading: members, exact: false }",
    ),
];

/// What a SCIM attribute holds (RFC 7643 §4.1).
pub fn attribute(name: &str) -> &'static str {
    match name {
        "userName" => "The name that a person signs in with; often the mail address.",
        "externalId" => "The id that the requester's directory knows the person by.",
        "id" => "The id that the app itself gives.",
        "displayName" => "The name as it is shown.",
        "nickName" => "What the person is called among friends.",
        "title" => "The title at work: Vice President.",
        "userType" => "The kind of relation: Employee, Contractor.",
        "preferredLanguage" => "The language that the person reads: en-GB.",
        "locale" => "How dates and numbers are written: de-CH.",
        "timezone" => "The time zone: Europe/Zurich.",
        "active" => "Whether the person may sign in: true, false, or another word such as `invited`.",
        "name.formatted" => "The whole name, with all its parts.",
        "name.familyName" => "The family name.",
        "name.givenName" => "The given name.",
        "name.middleName" => "The middle name.",
        "name.honorificPrefix" => "What stands before the name: Dr.",
        "name.honorificSuffix" => "What stands behind the name: III.",
        "emails" => "The mail addresses.",
        "phoneNumbers" => "The phone numbers.",
        _ => "",
    }
}

/// What an operation does, and an example of it.
pub fn operation(operation: Operation) -> (&'static str, &'static str) {
    match operation {
        Operation::ConnectionTest => (
            "Signs in, looks whether it is the right tenant, and nothing else. Needs nothing said.",
            "connection.test: {}",
        ),
        Operation::UserGet => ("Reads one user by `find_user`.", "user.get: {}"),
        Operation::UserList => ("Reads every user of a view.", "user.list: { view: members }"),
        Operation::UserCreate => (
            "Makes a user, or invites one. Not done where one with this identity is there already.",
            "user.create:\n  requires: [userName]\n  steps:\n    - open: /members\n    - click: { button: Invite people }\n    - form: { Email: \"{{ user.userName }}\" }\n    - click: { button: Send invite }\n      commit: true\n    - expect: { status: Invite sent }",
        ),
        Operation::UserUpdate => (
            "Changes attributes and entitlements: those that `changes` lists, no others.",
            "user.update:\n  changes: [displayName]\n  steps:\n    - click: { button: Edit, in: user row }\n    - form: { Name: \"{{ user.displayName }}\" }\n    - click: { button: Save, in: { dialog: Edit, text: \"{{ user.userName }}\" } }\n      commit: true",
        ),
        Operation::UserDisable => (
            "Takes the sign-in away and keeps the user. Proved by `active`.",
            "user.disable:\n  steps:\n    - click: { button: Suspend, in: user row }\n      commit: true",
        ),
        Operation::UserEnable => (
            "Gives the sign-in back. Proved by `active`.",
            "user.enable:\n  steps:\n    - click: { button: Reactivate, in: user row }\n      commit: true",
        ),
        Operation::UserDelete => (
            "Removes a user. Proved by the app's own words that nobody is there.",
            "user.delete:\n  steps:\n    - click: { button: Remove, in: user row }\n    - click: { button: Remove member, in: { dialog: Remove member, text: \"{{ user.userName }}\" } }\n      commit: true",
        ),
        Operation::EntitlementList => (
            "Reads what entitlements the app has: columns `type` and `value`.",
            "entitlement.list: { view: roles and teams }",
        ),
        Operation::EntitlementGrant => (
            "Gives a user an entitlement more. `{{ entitlements.… }}` is what they shall have in the end.",
            "entitlement.grant:\n  steps:\n    - click: { button: Edit, in: user row }\n    - form: { Role: \"{{ entitlements.role }}\" }\n    - click: { button: Save, in: { dialog: Edit, text: \"{{ user.userName }}\" } }\n      commit: true",
        ),
        Operation::EntitlementRevoke => (
            "Takes an entitlement away. `{{ entitlements.… }}` is what they shall have in the end.",
            "entitlement.revoke:\n  steps:\n    - click: { button: Edit, in: user row }\n    - form: { Role: \"{{ entitlements.role }}\" }\n    - click: { button: Save, in: { dialog: Edit, text: \"{{ user.userName }}\" } }\n      commit: true",
        ),
        Operation::InviteResend => (
            "Sends an invitation again. No record shows that, so an `expect` behind the commit has to.",
            "invite.resend:\n  steps:\n    - click: { button: Resend, in: user row }\n      commit: true\n    - expect: { status: Invite sent }",
        ),
        Operation::InviteCancel => (
            "Takes an invitation back.",
            "invite.cancel:\n  steps:\n    - click: { button: Cancel invite, in: user row }\n      commit: true",
        ),
    }
}

/// Every word that has nothing said of it: none, a test demands.
pub fn silent() -> Vec<&'static str> {
    let roles = ROLES.iter().filter(|name| role(name).is_empty());
    let attributes = ATTRIBUTES.iter().filter(|name| attribute(name).is_empty());
    roles.chain(attributes).copied().collect()
}
