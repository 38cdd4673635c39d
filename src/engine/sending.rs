//! What the page has sent since the commit: waited for, judged, and listed in the result.

use tokio::time::Instant;

use super::{
    limits::EXCHANGE_TIME,
    run::{Run, ms_between},
    sent::Sent,
};
use crate::{
    contract::{Code, Failure, SentRequest},
    ports::driver::{Answered, Exchange, ExchangeKind, Sending},
};

/// The most requests that a result lists.
const MOST_LISTED: usize = 20;

impl Run<'_> {
    /// Until the commit, only what reads may leave the page, and what the step under way names.
    pub(super) fn only_reads(&self) {
        let rules = self.plan.reads.iter().chain(&self.attempt.sends).cloned().collect();
        self.attempt.front.page.may_send(Sending::Reads(rules));
    }

    /// Everything may leave the page.
    pub(super) fn anything(&self) {
        self.attempt.front.page.may_send(Sending::Anything);
    }

    /// Before the commit, a step must not send what may change the app. Messages that expect no answer, and calls by POST that
    /// contain nothing of the job, may come from a timer of the page: they are stopped, and the step goes on.
    pub(super) fn nothing_stopped(&mut self) -> Result<(), Failure> {
        if self.attempt.commit.reached() || !self.attempt.is_acting {
            return Ok(());
        }
        let desired = &self.plan.desired;
        let of_job: Vec<&str> =
            desired.attributes.values().map(String::as_str).chain([self.subject()]).collect();
        let carries = |one: &Exchange| of_job.iter().any(|value| value.len() > 2 && one.carries(value));
        let counts = |one: &&Exchange| {
            let is_call = one.kind == ExchangeKind::Call && (one.method != "POST" || carries(one));
            one.is_own && (is_call || one.kind == ExchangeKind::Document)
        };
        let stopped = self.attempt.front.stopped.iter().find(counts);
        stopped.map_or(Ok(()), |stopped| Err(self.unexpected_write(stopped)))
    }

    /// A failure, and what was stopped before it: the page may lack the answer.
    pub(super) fn after_stopped(&self, failure: Failure) -> Failure {
        let mut awaited =
            self.attempt.front.stopped.iter().filter(|one| one.is_own && one.kind != ExchangeKind::Beacon);
        let Some(stopped) = awaited.next().filter(|_| failure.code != Code::UnexpectedWrite) else {
            return failure;
        };
        let SentRequest { method, address, .. } = self.named(stopped);
        let message = format!(
            "{}; {method} {address} was stopped before, because it may change the app",
            failure.message
        );
        Failure { message, ..failure }.hint(format!("if it only reads, add `reads: [{}]`", pattern(stopped)))
    }

    fn unexpected_write(&self, stopped: &Exchange) -> Failure {
        let SentRequest { method, address, .. } = self.named(stopped);
        let message = format!("the step sent {method} {address}, which may change the app; it was stopped");
        let pattern = pattern(stopped);
        Failure::new(Code::UnexpectedWrite, message).hint(format!(
            "if the app saves here, make this step the commit; if the request changes nothing, add `sends: [{pattern}]` to the \
             step, or `reads: [{pattern}]` to the playbook"
        ))
    }

    /// What the commit has sent so far, after its answers had time to arrive. `left`: the last exchange before its page was left,
    /// if it was left.
    pub(super) async fn sent(&mut self, left: Option<u64>) -> Sent {
        let Some(mark) = self.attempt.commit.mark() else { return Sent::Unknown };
        let page = std::sync::Arc::clone(&self.attempt.front.page);
        if left.is_none() {
            page.quiet(mark, EXCHANGE_TIME, self.until(EXCHANGE_TIME)).await;
        }
        let Some(all) = page.exchanges(mark) else { return Sent::Unknown };
        let counts = |one: &&Exchange| match left {
            Some(left) if one.number > left => {
                // A page that is left may send something at the last moment. The rest is the reading.
                one.number <= self.attempt.opened && (one.changes || one.kind == ExchangeKind::Beacon)
            }
            _ => true,
        };
        let sent = Sent::of(all.iter().filter(counts));
        self.attempt.conclusion.sent = self.listed_requests(all.iter().filter(counts));
        sent
    }

    fn listed_requests<'e>(&self, exchanges: impl Iterator<Item = &'e Exchange>) -> Vec<SentRequest> {
        let listed = exchanges.filter(|one| one.changes && !one.is_routine).take(MOST_LISTED);
        listed.map(|one| self.named(one)).collect()
    }

    /// A request as a result lists it: no query, no body, and no identifier of the user.
    fn named(&self, one: &Exchange) -> SentRequest {
        let subject = self.subject().to_lowercase();
        let segment = |part: &str| {
            let decoded = percent_encoding::percent_decode_str(part).decode_utf8_lossy().to_lowercase();
            match !subject.is_empty() && decoded == subject {
                true => format!("{{{}}}", self.identity()),
                false => part.to_owned(),
            }
        };
        let address = one.address.split('/').map(segment).collect::<Vec<_>>().join("/");
        let (status, answered) = match one.answered {
            Some((Answered::Status(status), at)) => (Some(status), at),
            Some((_, at)) => (None, at),
            None => (None, Instant::now()),
        };
        SentRequest {
            method: one.method.clone(),
            address: self.credentials.mask().text(&address),
            status,
            ms: ms_between(one.began, answered),
        }
    }
}

/// The request as a playbook names it.
fn pattern(stopped: &Exchange) -> String {
    let path = stopped.address.splitn(4, '/').nth(3).unwrap_or_default();
    format!("{} /{path}", stopped.method)
}
