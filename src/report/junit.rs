//! A report for CI systems: JUnit XML.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

/// One scenario that was played.
pub struct JunitCase {
    pub suite: String,
    pub name: String,
    /// Its file and line.
    pub place: String,
    pub took: Duration,
    /// Why it failed; `None`: it passed.
    pub failed: Option<String>,
}

/// The report as XML.
pub fn report(cases: &[JunitCase]) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("seatwright");
    let mut suites: Vec<TestSuite> = Vec::new();
    for case in cases {
        let status = match &case.failed {
            None => TestCaseStatus::success(),
            Some(why) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(why.lines().next().unwrap_or_default()).set_description(why);
                status
            }
        };
        let mut test = TestCase::new(case.name.as_str(), status);
        test.set_classname(case.suite.as_str()).set_time(case.took);
        test.extra.insert("file".into(), case.place.as_str().into());
        match suites.iter_mut().find(|suite| suite.name.as_str() == case.suite) {
            Some(suite) => {
                suite.add_test_case(test);
            }
            None => {
                let mut suite = TestSuite::new(case.suite.as_str());
                suite.add_test_case(test);
                suites.push(suite);
            }
        }
    }
    report.add_test_suites(suites);
    report.to_string()
}
