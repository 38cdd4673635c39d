//! A report for CI systems: JUnit XML.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

/// One play of a scenario.
pub struct JunitCase {
    pub suite: String,
    pub name: String,
    /// Where it failed; of one that has not failed, where it begins. CI systems show the failure there.
    pub file: String,
    pub line: Option<usize>,
    pub took: Option<Duration>,
    pub properties: Vec<(&'static str, String)>,
    /// The paths of its pictures.
    pub pictures: Vec<String>,
    pub end: JunitEnd,
}

/// How a play ended.
pub enum JunitEnd {
    Passed,
    Failed(JunitFailure),
    /// Another scenario has failed before it began.
    NotPlayed,
}

/// Why a play has failed.
pub struct JunitFailure {
    /// The code of the error.
    pub kind: String,
    /// The cause, in one sentence.
    pub message: String,
    /// All of it.
    pub text: String,
}

/// The report as XML.
pub fn report(cases: &[JunitCase]) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("seatwright");
    let mut suites: Vec<TestSuite> = Vec::new();
    for case in cases {
        let test = test_case(case);
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

fn test_case(case: &JunitCase) -> TestCase {
    let mut test = TestCase::new(case.name.as_str(), status(&case.end));
    test.set_classname(case.suite.as_str());
    if let Some(took) = case.took {
        test.set_time(took);
    }
    test.extra.insert("file".into(), case.file.as_str().into());
    if let Some(line) = case.line {
        test.extra.insert("line".into(), line.to_string().into());
    }
    test.add_properties(case.properties.iter().map(|(name, value)| Property::new(*name, value.as_str())));
    if !case.pictures.is_empty() {
        // GitLab and Jenkins show the files that the output names in this way.
        let attached = case.pictures.iter().map(|picture| format!("[[ATTACHMENT|{picture}]]"));
        test.set_system_out(attached.collect::<Vec<_>>().join("\n"));
    }
    test
}

fn status(end: &JunitEnd) -> TestCaseStatus {
    match end {
        JunitEnd::Passed => TestCaseStatus::success(),
        JunitEnd::Failed(failure) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type(failure.kind.as_str());
            status.set_message(failure.message.as_str()).set_description(failure.text.as_str());
            status
        }
        JunitEnd::NotPlayed => {
            let mut status = TestCaseStatus::skipped();
            status.set_message("not played: another scenario has failed before");
            status
        }
    }
}
