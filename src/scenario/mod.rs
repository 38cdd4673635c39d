//! Scenarios: what QA says must happen, played on fixture sites and held against the site's own state.
//!
//! Knows nothing of how a page is driven: it hands jobs to the worker's handler and looks at the site.

mod coverage;
mod load;
mod model;
mod run;

pub use coverage::{Hole, STATES, coverage, demanded};
pub use load::{Problem, Scenario, Suite, load, schema};
pub use run::{Failed, Report, Stage, run};
