//! The script that runs inside every page: finds, judges, waits, reads.
//!
//! It lives in an isolated world of each document, so nothing that the page overrides is in its way, and defines
//! `globalThis.__seatwright.ask(question) → Promise<answer>`, where question and answer are the JSON of
//! [`Question`](crate::query::Question) and [`Answer`](crate::query::Answer). Evaluating it again in
//! the same world changes nothing. It should be there before the page's own scripts: its guard then sees every press
//! first. Plain JavaScript without a dependency; the files are one scope, in this order:
//!
//! | file | knows |
//! |---|---|
//! | `text.js` | folding, matching, nearness |
//! | `tree.js` | the tree that people see, shadow roots and slots included; visibility; what is known of the page just now |
//! | `role.js`, `name.js` | WAI-ARIA roles, accessible names |
//! | `read.js` | texts of elements and cells, the page's facts |
//! | `find.js` | from a target to elements; refusals in words |
//! | `record.js` | tables, lists, identities |
//! | `judge.js` | may it be pressed, where, and the guard that swallows a press gone wrong |
//! | `scan.js` | lists that draw only a part of themselves |
//! | `control.js` | form controls |
//! | `ask.js` | the questions, and the loop that waits |

/// The whole script.
pub const SCRIPT: &str = concat!(
    "(() => {\n\"use strict\";\nif (globalThis.__seatwright) return;\n",
    include_str!("text.js"),
    include_str!("tree.js"),
    include_str!("role.js"),
    include_str!("name.js"),
    include_str!("read.js"),
    include_str!("find.js"),
    include_str!("record.js"),
    include_str!("judge.js"),
    include_str!("scan.js"),
    include_str!("control.js"),
    include_str!("ask.js"),
    "})();\n",
);
