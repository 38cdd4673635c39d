//! The reports of `seatwright test` for programs: JUnit and JSON.

use std::path::Path;

use super::super::failure;
use crate::{
    report::junit::{JunitCase, JunitEnd, JunitFailure},
    scenario::{Ended, Played, Report},
};

/// A play as CI systems show it: what failed, in which step and line of the playbook, and its pictures.
pub(super) fn case(report: &Report, repeat: usize, evidence: &Path) -> JunitCase {
    let (file, line) = failure::file_and_line(&report.place);
    let mut case = JunitCase {
        suite: report.app.clone(),
        name: match repeat {
            1 => report.name.clone(),
            _ => format!("{} ({} of {repeat})", report.name, report.play),
        },
        file,
        line,
        took: None,
        properties: vec![("scenario", report.place.clone())],
        pictures: Vec::new(),
        end: JunitEnd::NotPlayed,
    };
    let Ended::Played(played) = &report.ended else { return case };
    case.took = Some(played.took);
    case.end = JunitEnd::Passed;
    if !played.has_passed() {
        fail(&mut case, report, played, evidence);
    }
    case
}

fn fail(case: &mut JunitCase, report: &Report, played: &Played, evidence: &Path) {
    let folder = failure::folder_of(&report.place);
    let error = played.result.as_ref().and_then(|result| result.error.as_ref());
    let mut text = played.differences.clone();
    text.extend(error.map(|error| failure::lines(error, folder)).unwrap_or_default());
    let kept = played.result.iter().flat_map(|result| &result.evidence);
    case.pictures = kept
        .filter_map(|evidence| evidence.reference.as_ref())
        .map(|name| evidence.join(name).display().to_string())
        .collect();
    text.extend(case.pictures.iter().map(|picture| format!("picture: {picture}")));
    text.push(format!("scenario: {}", report.place));
    let first = played.differences.first().cloned().unwrap_or_default();
    let (kind, message) = match played.cause() {
        Some(error) => (error.code.to_string(), error.message.clone()),
        None => ("difference".to_owned(), first),
    };
    if let Some(error) = error {
        case.properties.push(("code", error.code.to_string()));
        if let (Some(step), Some(at)) = (&error.step, &error.at) {
            let (file, line) = failure::in_folder(folder, at);
            case.properties.push(("step", step.clone()));
            let place = line.map_or_else(|| file.clone(), |line| format!("{file}:{line}"));
            case.properties.push(("playbook", place));
            if played.cause().is_some() {
                (case.file, case.line) = (file, line);
            }
        }
    }
    case.properties.extend(case.pictures.iter().map(|picture| ("picture", picture.clone())));
    case.end = JunitEnd::Failed(JunitFailure { kind, message, text: text.join("\n") });
}

/// A play with its whole result.
pub(super) fn json(report: &Report) -> serde_json::Value {
    let mut all = serde_json::json!({
        "app": report.app,
        "scenario": report.name,
        "at": report.place,
        "play": report.play,
        "played": false,
    });
    if let (Some(all), Ended::Played(played)) = (all.as_object_mut(), &report.ended) {
        all.insert("played".to_owned(), true.into());
        all.insert("seconds".to_owned(), played.took.as_secs_f64().into());
        all.insert("passed".to_owned(), played.has_passed().into());
        all.insert("differences".to_owned(), played.differences.clone().into());
        all.insert("result".to_owned(), serde_json::json!(played.result));
    }
    all
}
