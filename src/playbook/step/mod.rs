//! Steps: one thing that a person would do.

mod action;
mod condition;
mod payload;

pub use action::{Action, Branch, Download, Modifiers, Popup, Repeat, STEPS, Step};
pub use condition::Condition;
pub use payload::{
    AnswerDialog, Capture, Choose, Collect, EnterCode, Fill, FormValue, Move, Reply, Upload, Use,
};
