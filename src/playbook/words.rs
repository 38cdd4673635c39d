//! The words of the language, with one sentence each for the editor and the reference.

use super::{check::ATTRIBUTES, locator::ROLES};
use crate::contract::Operation;

/// What an element with this ARIA role is.
pub fn role(name: &str) -> &'static str {
    match name {
        "alert" => "An important message, found by its text.",
        "article" => "A self-contained part of a page: a card, a post.",
        "button" => "A button, by its name.",
        "cell" => "A cell of a table, by its text.",
        "checkbox" => "A box to tick, by its label.",
        "columnheader" => "The header of a table column.",
        "combobox" => "A field with a list of suggestions, or a closed select, by its label.",
        "dialog" => {
            "A dialog, by its title. Use it inside `in:`, so that a locator finds nothing outside of the dialog."
        }
        "form" => "A form that has a name.",
        "grid" => "A table with editable or selectable cells.",
        "gridcell" => "A cell of a grid, by its text.",
        "group" => "A group of controls, by its legend.",
        "heading" => "A heading, by its text.",
        "img" => "A picture, by its alternative text.",
        "link" => "A link, by its text.",
        "list" => "A list that has a name.",
        "listbox" => "An open list of options, by its label.",
        "listitem" => "An item of a list.",
        "main" => "The main part of the page.",
        "menu" => "An open menu.",
        "menuitem" => "An entry of an open menu.",
        "navigation" => "A navigation bar or list, by its label.",
        "option" => "An option of a list.",
        "radio" => "One choice of several, by its label.",
        "radiogroup" => "A group of choices, one of which is selected, by its legend.",
        "region" => "A part of the page that has a name.",
        "row" => {
            "A row of a table or grid, by its text. The row of the job's user is the built-in `user row`."
        }
        "rowheader" => "The header of a table row.",
        "searchbox" => "A search field, by its label.",
        "slider" => "A slider, by its label.",
        "spinbutton" => "A number field, by its label.",
        "status" => "A short message (a toast), found by its text.",
        "switch" => "A switch that is on or off, by its label.",
        "tab" => "The title of a tab.",
        "table" => "A table, by its caption or label.",
        "tabpanel" => "The content of a tab.",
        "textbox" => "A text field, by its label.",
        "tree" => "A list with items that unfold.",
        "treeitem" => "An item of a tree.",
        _ => "",
    }
}

/// The other keys of a locator: their meaning, and an example.
pub const LOCATOR_KEYS: &[(&str, &str, &str)] = &[
    ("label", "The form control with this label, or the group with this legend.", "{ label: Email }"),
    (
        "text",
        "The element with this text. With a role: the element also contains this whole text.",
        "{ text: No members match }",
    ),
    ("testid", "The element with this `data-testid`.", "{ testid: workspace }"),
    ("placeholder", "The form control with this placeholder.", "{ placeholder: Search }"),
    ("title", "The element with this title (its tooltip).", "{ title: More }"),
    (
        "frame",
        "A frame (iframe), by its title, name or address. Inside `in:`, the locator finds elements in that frame.",
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
    (
        "in",
        "Only elements inside this: a target, `user row`, a dialog, a frame.",
        "{ button: Remove, in: user row }",
    ),
    ("has", "Only elements that contain this element.", "{ row: ~, has: { link: Ada Byron } }"),
    (
        "under",
        "Only elements under the heading of this name: after it, and before the next heading of the same or a higher level.",
        "{ button: Clear, under: Current permissions }",
    ),
    (
        "nth",
        "The position among several matches, from 0. Use it only if the order has a meaning: `check` warns (P014).",
        "{ button: Edit, nth: 0 }",
    ),
    (
        "exact",
        "`false`: the name may be any part of the element's name, ignoring case.",
        "{ heading: members, exact: false }",
    ),
];

/// The meaning of a SCIM attribute (RFC 7643 §4.1).
pub fn attribute(name: &str) -> &'static str {
    match name {
        "userName" => "The name to sign in with; often the mail address.",
        "externalId" => "The id of the person in the requester's directory.",
        "id" => "The id of the person in the app.",
        "displayName" => "The name that the app shows.",
        "nickName" => "The casual name of the person.",
        "title" => "The job title: Vice President.",
        "userType" => "The relation to the organization: Employee, Contractor.",
        "preferredLanguage" => "The preferred language of the person: en-GB.",
        "locale" => "The format of dates and numbers: de-CH.",
        "timezone" => "The time zone: Europe/Zurich.",
        "active" => "Whether the person may sign in: true, false, or another word such as `invited`.",
        "name.formatted" => "The full name, with all its parts.",
        "name.familyName" => "The family name.",
        "name.givenName" => "The given name.",
        "name.middleName" => "The middle name.",
        "name.honorificPrefix" => "The title before the name: Dr.",
        "name.honorificSuffix" => "The suffix after the name: III.",
        "emails" => "The mail addresses.",
        "phoneNumbers" => "The phone numbers.",
        "profileUrl" => "The address of the person's own page.",
        "ims" => "The addresses for instant messages.",
        "photos" => "The addresses of pictures of the person.",
        "addresses" => "The postal addresses.",
        "addresses.formatted" => "The whole postal address.",
        "addresses.streetAddress" => "The street and the number of the house.",
        "addresses.locality" => "The city.",
        "addresses.region" => "The state or region.",
        "addresses.postalCode" => "The postal code.",
        "addresses.country" => "The country: CH.",
        "groups" => "The groups of the person in the directory.",
        "roles" => "The roles of the person in the directory.",
        "entitlements" => "The entitlements of the person in the directory.",
        "x509Certificates" => "The certificates of the person.",
        "employeeNumber" => "The number of the employee (enterprise extension).",
        "costCenter" => "The cost center (enterprise extension).",
        "organization" => "The organization (enterprise extension).",
        "division" => "The division (enterprise extension).",
        "department" => "The department (enterprise extension).",
        "manager" => "The manager, by id (enterprise extension).",
        "manager.displayName" => "The name of the manager (enterprise extension).",
        _ => "",
    }
}

/// What an operation does, and an example.
pub fn operation(operation: Operation) -> (&'static str, &'static str) {
    match operation {
        Operation::ConnectionTest => {
            ("Signs in and checks the tenant. Needs no keys.", "connection.test: {}")
        }
        Operation::UserGet => ("Reads one user with `find_user`.", "user.get: {}"),
        Operation::UserList => ("Reads every user of a view.", "user.list: { view: members }"),
        Operation::UserCreate => (
            "Creates or invites a user. Does nothing if a user with this identity exists already.",
            "user.create:\n  requires: [userName]\n  steps:\n    - open: /members\n    - click: { button: Invite people }\n    - form: { Email: \"{{ user.userName }}\" }\n    - click: { button: Send invite }\n      commit: true\n    - expect: { status: Invite sent }",
        ),
        Operation::UserUpdate => (
            "Changes the attributes and entitlements that `changes` lists.",
            "user.update:\n  changes: [displayName]\n  steps:\n    - click: { button: Edit, in: user row }\n    - form: { Name: \"{{ user.displayName }}\" }\n    - click: { button: Save, in: { dialog: Edit, text: \"{{ user.userName }}\" } }\n      commit: true",
        ),
        Operation::UserDisable => (
            "Prevents the user from signing in, and keeps the user. Verified by `active`.",
            "user.disable:\n  steps:\n    - click: { button: Suspend, in: user row }\n      commit: true",
        ),
        Operation::UserEnable => (
            "Lets the user sign in again. Verified by `active`.",
            "user.enable:\n  steps:\n    - click: { button: Reactivate, in: user row }\n      commit: true",
        ),
        Operation::UserDelete => (
            "Removes a user. Verified by the app's message that it finds nobody.",
            "user.delete:\n  steps:\n    - click: { button: Remove, in: user row }\n    - click: { button: Remove member, in: { dialog: Remove member, text: \"{{ user.userName }}\" } }\n      commit: true",
        ),
        Operation::EntitlementList => (
            "Reads the entitlements that the app has: columns `type` and `value`.",
            "entitlement.list: { view: roles and teams }",
        ),
        Operation::EntitlementGrant => (
            "Adds an entitlement to a user. `{{ entitlements.… }}` contains all entitlements of the user after the job.",
            "entitlement.grant:\n  steps:\n    - click: { button: Edit, in: user row }\n    - form: { Role: \"{{ entitlements.role }}\" }\n    - click: { button: Save, in: { dialog: Edit, text: \"{{ user.userName }}\" } }\n      commit: true",
        ),
        Operation::EntitlementRevoke => (
            "Removes an entitlement from a user. `{{ entitlements.… }}` contains all entitlements of the user after the job.",
            "entitlement.revoke:\n  steps:\n    - click: { button: Edit, in: user row }\n    - form: { Role: \"{{ entitlements.role }}\" }\n    - click: { button: Save, in: { dialog: Edit, text: \"{{ user.userName }}\" } }\n      commit: true",
        ),
        Operation::InviteResend => (
            "Sends an invitation again. No record shows this, so an `expect` after the commit must verify it.",
            "invite.resend:\n  steps:\n    - click: { button: Resend, in: user row }\n      commit: true\n    - expect: { status: Invite sent }",
        ),
        Operation::InviteCancel => (
            "Cancels an invitation.",
            "invite.cancel:\n  steps:\n    - click: { button: Cancel invite, in: user row }\n      commit: true",
        ),
    }
}

/// The words without a sentence. A test demands that there are none.
pub fn silent() -> Vec<&'static str> {
    let roles = ROLES.iter().filter(|name| role(name).is_empty());
    let attributes = ATTRIBUTES.iter().filter(|name| attribute(name).is_empty());
    roles.chain(attributes).copied().collect()
}
