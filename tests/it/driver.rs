//! The conformance suite: one set of cases that every driver passes.
//!
//! A case is a folder of `tests/driver/cases`: pages, and `case.yaml` with questions, inputs and expected results
//! (`tests/it/driver/case.rs` describes the format). A driver is a function that starts it. A driver skips cases that need
//! an ability that it does not have (`needs`).
//!
//! `DRIVER_CASE=name` runs only the cases whose names contain it.

mod case;
mod check;
mod shorthand;
mod site;

use std::{env, sync::Arc};

use futures_util::{StreamExt, stream};
use seatwright::{
    adapters::cdp::{Chromium, ChromiumOptions, Sandbox},
    engine::inject::SCRIPT,
    ports::driver::Browser,
};

use case::{Case, Need};
use testbed::text_browser::TextBrowser;

/// The number of cases that run at once: cases with refusals mostly wait.
const AT_ONCE: usize = 4;

#[tokio::test]
async fn the_text_browser_answers_as_agreed() {
    conforms(async || Arc::new(TextBrowser::default()) as Arc<dyn Browser>, &[]).await;
}

#[tokio::test]
async fn chromium_answers_as_agreed() {
    let start = async || {
        let options = ChromiumOptions { sandbox: Sandbox::Off, ..ChromiumOptions::default() };
        let chromium = Chromium::launch(options, SCRIPT).await;
        Arc::new(chromium.expect("chromium-headless-shell must be installed for this test"))
            as Arc<dyn Browser>
    };
    conforms(start, &[Need::Scripts, Need::Layout, Need::Xpath, Need::Beside]).await;
}

/// Runs all cases for which a driver has the abilities; reports all failures.
async fn conforms(start: impl AsyncFnOnce() -> Arc<dyn Browser>, abilities: &[Need]) {
    let wanted = env::var("DRIVER_CASE").unwrap_or_default();
    let cases = Case::all().into_iter().filter(|case| case.name.contains(&wanted));
    let cases: Vec<Case> =
        cases.filter(|case| case.needs.iter().all(|need| abilities.contains(need))).collect();
    let browser = start().await;
    let checks = stream::iter(cases.iter().map(|case| check::check(&*browser, case)));
    let outcomes: Vec<_> = checks.buffered(AT_ONCE).collect().await;
    let failures: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    let version = browser.version();
    browser.close().await;
    assert!(!browser.is_alive(), "{version} lives on after its end");
    assert!(
        failures.is_empty(),
        "{} of {} cases fail in {version}:\n\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n\n")
    );
    assert!(!cases.is_empty(), "no case is named like {wanted:?}");
}
