//! Requests that may change the app, from a job that has not begun its commit: a reading, a plan, a write before its commit.

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
};

use crate::{
    contract::{Job, Mode},
    event::{Event, EventKind, Reader},
    playbook::{
        Loaded,
        request::RequestPattern,
        visit::{each_step, each_step_of},
    },
    query::{RequestRule, fields, may_change},
    site::{LoggedRequest, RequestLog, Site},
};

/// Notes how many requests the app had received when the job's commit began.
pub(super) struct BeforeCommit {
    log: Arc<RequestLog>,
    count: OnceLock<usize>,
}

impl Reader for BeforeCommit {
    fn event(&self, event: &Event) {
        if matches!(event.kind, EventKind::CommitReached { .. }) {
            self.count.get_or_init(|| self.log.count());
        }
    }
}

impl BeforeCommit {
    pub(super) fn new(log: Arc<RequestLog>) -> Self {
        Self { log, count: OnceLock::new() }
    }

    /// What the job should not have sent. Excepted is what signs in, and what the rules name.
    pub(super) fn differences(&self, job: &Job, site: &Site, rules: &[RequestRule]) -> Vec<String> {
        let mut requests = self.log.all();
        requests.truncate(*self.count.get().unwrap_or(&usize::MAX));
        let operation = job.operation;
        let sent = |request: &str| match job.mode {
            Mode::Execute if operation.writes() => format!("{operation} sent {request} before its commit"),
            Mode::Execute => format!("{operation} only reads, but sent {request}"),
            Mode::Plan => format!("the plan of {operation} sent {request}"),
            Mode::Verify => format!("the verification of {operation} sent {request}"),
        };
        let early = requests.iter().filter(|request| {
            may_change(&request.method, Some(&request.body))
                && !site.signs_in_at(&request.path)
                && !rules.iter().any(|rule| allows(rule, request))
        });
        let named: BTreeSet<String> =
            early.map(|request| format!("{} {}", request.method, request.path)).collect();
        let tell = |request: String| {
            format!(
                "{}, which may change the app; if it changes nothing, name it under `reads` of the playbook or `sends` of its \
                 step; if the page sends it without being asked, under `unasked` of scenarios.yaml",
                sent(&request)
            )
        };
        named.into_iter().map(tell).collect()
    }
}

/// The requests that a playbook names: under `reads`, and under `sends` of its steps and of its modules.
pub(super) fn named(loaded: &Loaded) -> Vec<RequestRule> {
    let mut patterns: Vec<&RequestPattern> = Vec::new();
    if let Some(playbook) = loaded.playable() {
        patterns.extend(playbook.reads.iter());
        each_step_of(playbook, &mut |step| patterns.extend(step.modifiers.sends.iter()));
    }
    for module in loaded.modules.values().filter_map(|module| module.playable()) {
        each_step(&module.steps, &mut |step| patterns.extend(step.modifiers.sends.iter()));
    }
    patterns.into_iter().filter_map(RequestPattern::rule).collect()
}

fn allows(rule: &RequestRule, request: &LoggedRequest) -> bool {
    let address = format!("http://{}{}", request.host, request.path);
    rule.allows(&request.method, &address, &fields(&request.query, &request.body))
}
