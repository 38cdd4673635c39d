//! A reading under way, and from when on the answer to its act is certain. Pure.

use tokio::time::Instant;

use super::super::limits::{ANSWER_BEGINS, ANSWER_DRAWN, EMPTY_TIME, SEARCH_TIME};
use crate::{
    ports::driver::{Exchange, ExchangeKind},
    query::Target,
};

/// A reading under way: the page answers an act, and the answer is read.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// The last exchange before the page was opened. What the page asked for before the act, it may still wait for.
    pub(super) opened: u64,
    /// The last exchange before the act.
    pub(super) since: u64,
    pub(super) acted: Instant,
    /// The text that the act has asked for.
    pub(super) sought: Option<String>,
    pub(super) frame: Vec<Target>,
    /// The exchanges, begun and ended, when the page last stood still.
    pub(super) still: Option<(usize, usize)>,
    /// How the page stood then.
    pub(super) changed: Option<Instant>,
}

impl Reading {
    /// The last exchange before the act.
    pub(crate) fn since(&self) -> u64 {
        self.since
    }

    /// The last exchange before the act, and the text that the act has asked for.
    pub(crate) fn asked(&self) -> Option<(u64, &str)> {
        self.sought.as_deref().map(|sought| (self.since, sought))
    }
}

/// How many exchanges there are, and how many of them have ended.
pub(super) fn state(exchanges: &[Exchange]) -> (usize, usize) {
    (exchanges.len(), exchanges.iter().filter(|one| one.ended.is_some()).count())
}

/// From when on the page has drawn what it had asked for before the act, and was answered after it: a page that searches in
/// what it has loaded answers only then.
pub(super) fn loaded_at(exchanges: &[Exchange], reading: &Reading, changed: Option<Instant>) -> Instant {
    let earlier = exchanges.iter().filter(|one| one.number <= reading.since && one.is_own);
    let awaited = earlier
        .filter(|one| matches!(one.kind, ExchangeKind::Document | ExchangeKind::Call))
        .filter_map(|one| one.ended);
    match awaited.filter(|ended| *ended > reading.acted).max() {
        Some(ended) if changed.is_none_or(|changed| changed < ended) => ended + ANSWER_DRAWN,
        Some(ended) => ended,
        None => reading.acted,
    }
}

/// The calls that the page does not also make without being asked.
pub(super) fn asked_for(exchanges: &[Exchange]) -> Vec<&Exchange> {
    exchanges.iter().filter(|one| one.is_own && !one.is_routine && one.kind == ExchangeKind::Call).collect()
}

/// The same, and the first call of each other kind: a page may ask for one record as it asks for another unasked.
pub(super) fn asked_once(exchanges: &[Exchange]) -> Vec<&Exchange> {
    let mut asked: Vec<&Exchange> = Vec::new();
    for one in exchanges.iter().filter(|one| one.is_own && one.kind == ExchangeKind::Call) {
        if !one.is_routine || !asked.iter().any(|other| other.address == one.address) {
            asked.push(one);
        }
    }
    asked
}

/// From when on the answers to these calls are drawn, if they have changed nothing yet.
pub(super) fn drawn_at(calls: &[&Exchange], changed: Option<Instant>) -> Option<Instant> {
    let ended = calls.iter().filter_map(|one| one.ended).max()?;
    changed.is_none_or(|changed| changed < ended).then_some(ended + ANSWER_DRAWN)
}

/// From when on the page's answer to an act is certain.
pub(super) fn certain_at(exchanges: &[Exchange], reading: &Reading, changed: Option<Instant>) -> Instant {
    let carries = |one: &Exchange| reading.sought.as_deref().is_some_and(|sought| one.carries(sought));
    let mut answers: Vec<&Exchange> = Vec::new();
    for one in exchanges.iter().filter(|one| one.is_own && one.ended.is_some()) {
        let is_answer = matches!(one.kind, ExchangeKind::Document | ExchangeKind::Call);
        let repeats = answers.iter().any(|other| other.address == one.address) && !carries(one);
        if is_answer && !repeats {
            answers.push(one);
        }
    }
    let Some(last) = answers.iter().max_by_key(|one| one.ended) else {
        // A page may search in what it holds, or wait for the end of the typing.
        return reading.acted + if reading.sought.is_some() { SEARCH_TIME } else { ANSWER_BEGINS };
    };
    let ended = last.ended.unwrap_or(last.began);
    let is_carried = answers.iter().any(|one| carries(one));
    let only_documents = answers.iter().all(|one| one.kind == ExchangeKind::Document);
    match (&reading.sought, is_carried) {
        // The server has made the page for this very question.
        (Some(_), true) if last.kind == ExchangeKind::Document => ended,
        // The calls were about something else: the one about this question may come later.
        (Some(_), false) if !only_documents => ended + SEARCH_TIME,
        _ if only_documents && changed.is_some_and(|changed| changed >= ended) => ended,
        _ => ended + EMPTY_TIME,
    }
}
