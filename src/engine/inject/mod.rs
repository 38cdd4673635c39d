//! The script that runs inside every page: it finds, judges, waits and reads.
//!
//! It runs in an isolated world of each document, where the page can override nothing, and defines
//! `globalThis.__seatwright.ask(question) → Promise<answer>`, where question and answer are the JSON of
//! [`Question`](crate::query::Question) and [`Answer`](crate::query::Answer). Evaluating it again in
//! the same world changes nothing. It should run before the page's own scripts, so that its guard sees every press
//! first. Plain JavaScript without a dependency. The files are one scope, in this order:
//!
//! | file | knows |
//! |---|---|
//! | `dom.js` | the browser's own properties of nodes, which no field of a form can hide |
//! | `text.js` | folding, matching, nearness |
//! | `tree.js` | the tree that people see, shadow roots and slots included; visibility; the cache of one attempt |
//! | `role.js`, `name.js` | WAI-ARIA roles, accessible names |
//! | `read.js` | texts of elements and cells, facts about the page |
//! | `about.js` | whether an element is about exactly one person |
//! | `find.js` | from a target to elements; the messages of refusals |
//! | `record.js` | tables, lists, identities |
//! | `judge.js` | whether and where an element may be pressed |
//! | `guard.js` | what an input is meant for; it swallows an input that would reach something else |
//! | `keys.js` | the same for keys; what Enter would submit |
//! | `scan.js` | lists that draw only a part of their records |
//! | `control.js` | form controls |
//! | `ask.js` | the questions, and the loop that waits |

/// The whole script.
pub const SCRIPT: &str = concat!(
    "(() => {\n\"use strict\";\nif (Object.hasOwn(globalThis, \"__seatwright\")) return;\n",
    include_str!("dom.js"),
    include_str!("text.js"),
    include_str!("tree.js"),
    include_str!("role.js"),
    include_str!("name.js"),
    include_str!("read.js"),
    include_str!("about.js"),
    include_str!("find.js"),
    include_str!("record.js"),
    include_str!("judge.js"),
    include_str!("guard.js"),
    include_str!("keys.js"),
    include_str!("scan.js"),
    include_str!("control.js"),
    include_str!("ask.js"),
    "})();\n",
);
