//! Scenarios: what must happen, played on fixture sites or real apps, and compared with the state of the app.
//!
//! This module must not know how a page is driven: it gives jobs to the worker and looks at the site.

mod app;
mod coverage;
mod early;
mod ground;
mod load;
mod run;
mod suite;
mod world;

pub use app::{Apps, Taken};
pub use coverage::{Hole, STATES, coverage, demanded};
pub use load::{Problem, load, played};
pub use run::{Chosen, Ended, Played, Plays, Report, Stage, run};
pub use suite::{Scenario, Suite, schema};
