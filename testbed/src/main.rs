//! `seatwright` with what a test asks for: the text browser instead of Chromium, and a fault at an event.

use std::{env, process::ExitCode, sync::Arc};

use seatwright::{event::Readers, ports::driver::Launch};
use testbed::{fault::FaultAt, text_browser::TextBrowsers};

fn main() -> ExitCode {
    let text = env::var("SEATWRIGHT_TEST_BROWSER").is_ok_and(|browser| browser == "text");
    let launch = text.then(|| Arc::new(TextBrowsers) as Arc<dyn Launch>);
    let fault = env::var("SEATWRIGHT_TEST_FAULT").ok().and_then(|fault| FaultAt::parse(&fault));
    let readers = fault.map_or_else(Readers::default, |fault| Readers::default().with(Arc::new(fault)));
    seatwright::cli::run_with(launch, readers)
}
