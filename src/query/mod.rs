//! Questions to a page, and its answers: plain data in JSON.
//!
//! This is the whole vocabulary between the engine and a driver. It knows no playbooks, jobs or browsers,
//! and has no async code.

mod about;
mod answer;
mod input;
mod maybe;
mod question;
mod request;
mod same;
mod target;
mod view;

pub use about::Person;
pub use answer::{Answer, Control, ControlKind, PageFacts, Pressed, Records, Refusal, RefusalKind, Scanned};
pub use input::{File, Key, Point};
pub use maybe::{may_be, may_be_cut};
pub use question::{Ask, Edited, OpenedControl, Question, ScrollTo};
pub use request::{RequestRule, body_fields, fields, may_change};
pub use same::{canonical, same, visible};
pub use target::{
    BETWEEN, By, ColumnAt, Condition, NUMBER, Query, RecordQuery, Rows, State, Target, TextMatch,
    stands_alone,
};
pub use view::{Column, View, WholeRecord};
