//! The report of `seatwright test` for people. An error that several scenarios share is printed in full once.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::super::{failure, terminal::counted};
use crate::scenario::{Ended, Played, Report};

/// Prints reports as they arrive.
pub(super) struct Printed<'a> {
    evidence: &'a Path,
    color: bool,
    /// How many plays there are, and how many times each scenario is played.
    all: usize,
    repeat: usize,
    done: usize,
    causes: BTreeMap<String, Cause>,
    tallies: BTreeMap<String, Tally>,
}

/// Why scenarios have failed.
struct Cause {
    /// The first of them: `[5/8]`.
    first: String,
    label: String,
    message: String,
    /// The differences that were printed with it.
    printed: BTreeSet<String>,
    times: usize,
}

/// How the plays of one scenario have ended.
#[derive(Default)]
struct Tally {
    title: String,
    played: usize,
    failed: usize,
}

impl<'a> Printed<'a> {
    pub(super) fn new(evidence: &'a Path, color: bool, all: usize, repeat: usize) -> Self {
        let (causes, tallies) = (BTreeMap::new(), BTreeMap::new());
        Self { evidence, color, all, repeat, done: 0, causes, tallies }
    }

    /// Prints one report.
    pub(super) fn report(&mut self, report: &Report) {
        let title = format!("{}: {}", report.app, report.name);
        let tally = self.tallies.entry(report.file_name.clone()).or_default();
        tally.title.clone_from(&title);
        let Ended::Played(played) = &report.ended else { return };
        tally.played += 1;
        tally.failed += usize::from(!played.has_passed());
        self.done += 1;
        let (width, done, all) = (self.all.to_string().len(), self.done, self.all);
        let number = format!("[{done:>width$}/{all}]");
        let of =
            if self.repeat > 1 { format!(" ({} of {})", report.play, self.repeat) } else { String::new() };
        let seconds = played.took.as_secs_f64();
        let (good, bad, plain) = if self.color { ("\x1b[32m", "\x1b[31m", "\x1b[0m") } else { ("", "", "") };
        if played.has_passed() {
            println!("{number} {good}ok{plain}   {title}{of} ({seconds:.1} s)");
            return;
        }
        println!("{number} {bad}FAIL{plain} {title}{of} ({seconds:.1} s)");
        println!("       {}", report.place);
        for line in self.why(&number, report, played) {
            println!("       {line}");
        }
    }

    /// Why a play has failed. What an earlier play has shown already is not repeated.
    fn why(&mut self, number: &str, report: &Report, played: &Played) -> Vec<String> {
        let differences = || played.differences.iter().map(|difference| format!("- {difference}"));
        let Some((key, label, message)) = cause(report, played) else { return differences().collect() };
        if let Some(cause) = self.causes.get_mut(&key) {
            cause.times += 1;
            let mut lines: Vec<String> =
                differences().filter(|line| cause.printed.insert(line.clone())).collect();
            // What did not even begin has no difference but its cause.
            let began = played.result.is_some();
            lines.retain(|_| began);
            // What is there instead differs with the person.
            let short = |message: &str| message.split("; there: ").next().unwrap_or_default().to_owned();
            let other = match began && short(&message) != short(&cause.message) {
                true => format!(": {}", short(&message)),
                false => String::new(),
            };
            lines.push(format!("same cause as {}: {label}{other}", cause.first));
            return lines;
        }
        let mut lines: Vec<String> = differences().collect();
        let printed = lines.iter().cloned().collect();
        self.causes.insert(key, Cause { first: number.to_owned(), label, message, printed, times: 1 });
        if let Some(result) = &played.result {
            let folder = failure::folder_of(&report.place);
            let error = result.error.as_ref();
            lines.extend(error.map(|error| failure::lines(error, folder)).unwrap_or_default());
            lines.extend(failure::pictures(&result.evidence, self.evidence));
        }
        lines
    }

    /// How many plays have failed.
    pub(super) fn failed(&self) -> usize {
        self.tallies.values().map(|tally| tally.failed).sum()
    }

    /// What all plays come to.
    pub(super) fn summary(&self, scenarios: usize, seconds: f64) -> Vec<String> {
        let shared = self.causes.values().filter(|cause| cause.times > 1);
        let mut lines: Vec<String> = shared
            .map(|cause| format!("{} failures, one cause, see {}: {}", cause.times, cause.first, cause.label))
            .collect();
        if self.repeat > 1 {
            let failing = self.tallies.values().filter(|tally| tally.failed > 0);
            lines.extend(
                failing.map(|tally| format!("{}: {} of {} failed", tally.title, tally.failed, tally.played)),
            );
        }
        let failed = self.failed();
        let what = match self.repeat {
            1 => counted(scenarios, "scenario"),
            times => format!("{}, {times} times each", counted(scenarios, "scenario")),
        };
        let left = match self.all - self.done {
            0 => String::new(),
            left => format!(", {left} not played"),
        };
        lines.push(format!("{what}: {} passed, {failed} failed{left} in {seconds:.1} s", self.done - failed));
        lines
    }
}

/// What equal causes have in common, the cause in a few words, and its message.
fn cause(report: &Report, played: &Played) -> Option<(String, String, String)> {
    let Some(result) = &played.result else {
        let reason = played.differences.join("; ");
        return Some((without_numbers(&reason), reason.clone(), reason));
    };
    let error = result.error.as_ref()?;
    Some(match (&error.step, &error.at) {
        (Some(step), Some(at)) => {
            let key = format!("{} {} {at}", report.app, error.code);
            (key, format!("{} in {step}, {at}", error.code), error.message.clone())
        }
        _ => {
            let label = format!("{}: {}", error.code, error.message);
            (without_numbers(&label), label, error.message.clone())
        }
    })
}

/// Ports, times and process ids differ from play to play.
fn without_numbers(text: &str) -> String {
    text.split(|c: char| c.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ended(play: usize, differences: &[&str]) -> Report {
        let differences: Vec<String> = differences.iter().map(|text| (*text).to_owned()).collect();
        let played = Played { took: Duration::ZERO, differences, result: None, ended_otherwise: false };
        Report {
            app: "roster".to_owned(),
            name: "removes Ada".to_owned(),
            file_name: "roster--removes-ada".to_owned(),
            place: "playbooks/roster/scenarios.yaml:3:11".to_owned(),
            play,
            ended: Ended::Played(Box::new(played)),
        }
    }

    #[test]
    fn it_says_how_many_plays_of_a_scenario_failed() {
        let mut printed = Printed::new(Path::new("out"), false, 6, 6);
        for play in 1..=5 {
            let why: &[&str] = if play % 2 == 1 { &["no app on port 4711"] } else { &[] };
            printed.report(&ended(play, why));
        }
        printed.report(&Report { ended: Ended::NotPlayed, ..ended(6, &[]) });
        assert_eq!(printed.failed(), 3);
        assert_eq!(
            printed.summary(1, 1.0),
            [
                "3 failures, one cause, see [1/6]: no app on port 4711",
                "roster: removes Ada: 3 of 5 failed",
                "1 scenario, 6 times each: 2 passed, 3 failed, 1 not played in 1.0 s",
            ]
        );
    }

    #[test]
    fn ports_and_times_do_not_make_two_causes() {
        let mut printed = Printed::new(Path::new("out"), false, 2, 1);
        let first = ended(1, &["no app on port 4711"]);
        let second = ended(1, &["no app on port 4712"]);
        let why = |printed: &mut Printed<'_>, report: &Report| match &report.ended {
            Ended::Played(played) => printed.why("[1/2]", report, played),
            Ended::NotPlayed => Vec::new(),
        };
        assert_eq!(why(&mut printed, &first), ["- no app on port 4711"]);
        assert_eq!(why(&mut printed, &second), ["same cause as [1/2]: no app on port 4712"]);
    }
}
