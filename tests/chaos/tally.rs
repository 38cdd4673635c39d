//! What came of the runs of a fault: tries, lost, doubled, wrong.

use std::{collections::BTreeMap, fs, sync::Mutex};

use seatwright::contract::{Code, JobResult, Outcome};
use serde::Serialize;

use crate::{servers::corridor::Lane, support::root, whole};

/// One row of the table.
#[derive(Debug, Default, Serialize)]
pub struct Row {
    pub fault: String,
    pub tries: u32,
    /// Jobs without a result.
    pub lost: u32,
    /// Users that were made twice, jobs with two different results.
    pub doubled: u32,
    /// Results that the app's state belies; others that were touched.
    pub wrong: u32,
    pub outcomes: BTreeMap<String, u32>,
    /// The worst recovery: from the fault to the result, in milliseconds.
    pub slowest_ms: u64,
}

/// Rows, as they come.
#[derive(Default)]
pub struct Tally(Mutex<Vec<Row>>);

/// What a run was about.
pub struct Expected<'a> {
    pub operation: &'a str,
    pub address: &'a str,
    /// `user.update`: the name that it gives.
    pub name: &'a str,
    pub others: &'a [serde_json::Value],
    pub before: &'a [serde_json::Value],
}

impl Tally {
    /// Counts one run.
    pub fn count(
        &self,
        fault: &str,
        lane: &Lane,
        job: &str,
        told: &[JobResult],
        expected: &Expected<'_>,
        ms: u64,
    ) {
        let of_job: Vec<&JobResult> = told.iter().filter(|result| result.job == job).collect();
        let mut rows = self.0.lock().expect("no panic");
        let place = rows.iter().position(|row| row.fault == fault).unwrap_or_else(|| {
            rows.push(Row { fault: fault.to_owned(), ..Row::default() });
            rows.len() - 1
        });
        let row = &mut rows[place];
        row.tries += 1;
        row.slowest_ms = row.slowest_ms.max(ms);
        let Some(first) = of_job.first() else {
            row.lost += 1;
            return;
        };
        // That is no answer.
        row.lost += u32::from(first.error.as_ref().is_some_and(|error| error.code == Code::QueueLost));
        *row.outcomes.entry(first.outcome.to_string()).or_default() += 1;
        let (others, there) = lane.members(expected.address);
        // What it is settled to later is another message: of that there is one, too.
        let (settled, told): (Vec<&JobResult>, Vec<&JobResult>) =
            of_job.iter().copied().partition(|result| result.settled);
        let differ = |all: &[&JobResult]| {
            all.windows(2)
                .any(|pair| (pair[0].outcome, pair[0].changed) != (pair[1].outcome, pair[1].changed))
        };
        let differs = differ(&told) || differ(&settled);
        row.doubled += u32::from(there.len() > 1 || differs);
        let done = match expected.operation {
            "user.create" => there.len() == 1,
            "user.delete" => there.is_empty(),
            _ => there.iter().any(|member| member["name"] == expected.name),
        };
        let untouched = there == expected.before;
        let true_word = |result: &JobResult| match result.outcome {
            Outcome::Succeeded | Outcome::NoChange | Outcome::PendingExternal => done,
            Outcome::Indeterminate => done || untouched,
            _ => untouched,
        };
        let wrong = !of_job.iter().all(|result| true_word(result)) || others != expected.others;
        if wrong || there.len() > 1 || differs {
            eprintln!("WRONG: {fault}, {}: {first:#?}\nthe app has {there:?}", expected.operation);
        }
        row.wrong += u32::from(wrong);
    }

    /// Prints the table, keeps a whole one for the document, and fails where anything is not zero.
    pub fn close(self, name: &str) {
        let rows = self.0.into_inner().expect("no panic");
        if whole() {
            let folder = root().join("target/chaos");
            fs::create_dir_all(&folder).expect("a folder");
            let json = serde_json::to_string_pretty(&rows).expect("JSON");
            fs::write(folder.join(format!("{name}.json")), json).expect("it can be written");
        }
        for row in &rows {
            eprintln!(
                "{}: {} tries, {} lost, {} doubled, {} wrong, {:?}, slowest {} ms",
                row.fault, row.tries, row.lost, row.doubled, row.wrong, row.outcomes, row.slowest_ms
            );
        }
        assert!(!rows.is_empty(), "nothing was tried");
        let bad: Vec<&Row> = rows.iter().filter(|row| row.lost + row.doubled + row.wrong > 0).collect();
        assert!(bad.is_empty(), "{bad:#?}");
    }
}
