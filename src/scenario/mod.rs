//! Scenarios: what QA says must happen, played on fixture sites or real apps and held against the app's own state.
//!
//! Knows nothing of how a page is driven: it hands jobs to the worker's runner and looks at the site.

mod app;
mod coverage;
mod ground;
mod load;
mod run;
mod suite;
mod world;

pub use app::{Apps, Taken};
pub use coverage::{Hole, STATES, coverage, demanded};
pub use load::{Problem, load, played};
pub use run::{Report, Stage, run};
pub use suite::{Scenario, Suite, schema};
