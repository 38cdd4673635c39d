//! What the page has sent since the commit: waited for, judged, and listed in the result.

use tokio::time::Instant;

use super::{
    limits::{POLL, SENT_TIME},
    page::StepError,
    read::Reading,
    run::{Run, ms_between},
    sent::Sent,
};
use crate::{
    contract::{Class, Code, Failure, SentRequest},
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
    /// contain nothing of the job, may come from a timer of the page: they are stopped, and the step goes on. `who` may have
    /// sent it. `earlier`: how many requests were stopped before.
    pub(super) fn nothing_stopped(&mut self, who: &str, earlier: usize) -> Result<(), Failure> {
        if self.attempt.commit.reached() || self.attempt.acting.is_none() {
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
        let Some(stopped) = self.attempt.front.stopped.iter().skip(earlier).find(counts) else {
            return Ok(());
        };
        let pattern = self.pattern(stopped);
        Err(self.unexpected_write(who, stopped).hint(format!(
            "if the app saves here, make that step the commit; if the request changes nothing, add `sends: [{pattern}]` to \
             it, or `reads: [{pattern}]` to the playbook"
        )))
    }

    /// A search whose request was stopped, was not understood by the server, or has failed, has no answer: what the page
    /// shows proves nothing.
    pub(super) fn search_was_answered(&self) -> Result<(), StepError> {
        let Some((since, sought)) = self.attempt.reading.as_ref().and_then(Reading::asked) else {
            return Ok(());
        };
        let exchanges = self.attempt.front.page.exchanges(since).unwrap_or_default();
        if let Some(failure) = search_failure(&exchanges, sought) {
            return Err(failure.into());
        }
        let is_search = |one: &&Exchange| {
            let is_stopped = matches!(one.answered, Some((Answered::Stopped, _)));
            is_stopped && one.is_own && one.kind != ExchangeKind::Beacon && one.carries(sought)
        };
        exchanges.iter().find(is_search).map_or(Ok(()), |stopped| {
            let hint = format!("if it only reads, add `reads: [{}]` to the playbook", self.pattern(stopped));
            Err(self.unexpected_write("the search", stopped).hint(hint).into())
        })
    }

    /// Where the server has refused the next page of a list, because the session has ended, the page shows something else than
    /// users. What a first page asks for besides may always be refused.
    pub(super) fn session_lives(&self, pages: u32) -> Result<(), StepError> {
        let Some(since) = self.attempt.reading.as_ref().map(Reading::since).filter(|_| pages > 1) else {
            return Ok(());
        };
        let exchanges = self.attempt.front.page.exchanges(since).unwrap_or_default();
        let is_call = |one: &&Exchange| one.is_own && one.kind == ExchangeKind::Call;
        match exchanges.iter().rfind(is_call).map(|one| one.answered) {
            Some(Some((Answered::Status(401), _))) => {
                let message = "the next page of a list was answered with status 401";
                Err(Failure::new(Code::SessionExpired, message).into())
            }
            _ => Ok(()),
        }
    }

    /// A failure before the commit, and what was stopped before it: the page may lack the answer.
    pub(super) fn after_stopped(&self, failure: Failure) -> Failure {
        let may_lack = matches!(failure.class, Class::Drift) || failure.code == Code::UserNotFound;
        let is_awaited = |one: &&Exchange| one.is_own && one.kind != ExchangeKind::Beacon;
        match self.attempt.front.stopped.iter().find(is_awaited) {
            Some(stopped) if may_lack && !self.attempt.commit.reached() => {
                let SentRequest { method, address, .. } = self.named(stopped);
                let more = format!(
                    "{method} {address} was stopped before; if it only reads, add `reads: [{}]`",
                    self.pattern(stopped)
                );
                failure.also_hint(&more)
            }
            _ => failure,
        }
    }

    fn unexpected_write(&self, who: &str, stopped: &Exchange) -> Failure {
        let SentRequest { method, address, .. } = self.named(stopped);
        let message = format!("{who} sent {method} {address}, which may change the app; it was stopped");
        Failure::new(Code::UnexpectedWrite, message)
    }

    /// The request as a playbook names it: for every user.
    fn pattern(&self, stopped: &Exchange) -> String {
        let SentRequest { method, address, .. } = self.named(stopped);
        let is_of_one = |part: &str| {
            part.starts_with('{') || (!part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
        };
        let path: Vec<&str> =
            address.split('/').skip(3).map(|part| if is_of_one(part) { "*" } else { part }).collect();
        format!("{method} /{}", path.join("/"))
    }

    /// What the commit has sent so far, after its answers had time to arrive. `left`: the last exchange before its page was left,
    /// if it was left.
    pub(super) async fn sent(&mut self, left: Option<u64>) -> Sent {
        let Some(mark) = self.attempt.commit.mark() else { return Sent::Unknown };
        let page = std::sync::Arc::clone(&self.attempt.front.page);
        if left.is_none() {
            page.quiet(mark, SENT_TIME, self.until(SENT_TIME)).await;
        }
        let Some(all) = page.exchanges(mark) else { return Sent::Unknown };
        let counts = |one: &&Exchange| match left {
            Some(left) if one.number > left => {
                // A page that is left may send something at the last moment. The rest is the reading.
                one.number <= self.attempt.opened && (one.changes || one.kind == ExchangeKind::Beacon)
            }
            _ => true,
        };
        let sent = match Sent::of(all.iter().filter(counts)) {
            Sent::Nothing if self.attempt.confirmed => Sent::Kept,
            sent => sent,
        };
        self.attempt.conclusion.sent = self.listed_requests(all.iter().filter(counts));
        sent
    }

    /// What the commit sends after the page has confirmed it. As long as the app may take to show a change, the page is not
    /// left: it may wait for an undo, or send what it has kept.
    pub(super) async fn sent_later(&mut self) -> Sent {
        if self.page().calls_invalid().await {
            return Sent::Nothing;
        }
        let until = self.until(self.plan.playbook.playbook.settle_time());
        loop {
            let sent = self.sent(None).await;
            if sent != Sent::Kept || Instant::now() >= until {
                return sent;
            }
            tokio::time::sleep(POLL).await;
        }
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

/// Why the answer to a search for this text says nothing about it: that of the last request that carries the text, or if none
/// does, of any that the search has caused and that only reads. An app may answer with 404 that it has nobody.
fn search_failure(exchanges: &[Exchange], sought: &str) -> Option<Failure> {
    let own: Vec<&Exchange> = exchanges
        .iter()
        .filter(|one| one.is_own && matches!(one.kind, ExchangeKind::Document | ExchangeKind::Call))
        .collect();
    let blank = sought.replace('+', " ");
    let carry = |text: &str| own.iter().rev().find(|one| one.carries(text)).copied();
    let asked = carry(sought);
    if asked.is_none() && blank != sought && carry(&blank).is_some() {
        let message = format!(
            "the page asked its server for `{blank}`, not for `{sought}`: it does not encode the plus sign"
        );
        return Some(
            Failure::new(Code::ListIncomplete, message)
                .hint("search for a part without the sign: `search: { value: … }`"),
        );
    }
    // A page may try again, and gives up a request when it sends the next one.
    let is_last = |one: &&Exchange| {
        let is_lost = matches!(one.answered, Some((Answered::Lost, _)));
        !own.iter().any(|later| later.number > one.number && (is_lost || later.address == one.address))
    };
    let suspects: Vec<&Exchange> = match asked {
        Some(one) => vec![one],
        None => own.iter().filter(|one| !one.is_routine && !one.changes).copied().collect(),
    };
    let code = |one: &&Exchange| match one.answered? {
        (Answered::Status(401), _) => Some((Code::SessionExpired, "status 401".to_owned())),
        (Answered::Status(403), _) => Some((Code::InsufficientRole, "status 403".to_owned())),
        (Answered::Status(429), _) => Some((Code::RateLimited, "status 429".to_owned())),
        (Answered::Status(404 | 410), _) => None,
        (Answered::Status(status @ 400..), _) => Some((Code::AppUnavailable, format!("status {status}"))),
        (Answered::Lost | Answered::NotSent, _) => Some((Code::AppUnavailable, "no answer".to_owned())),
        _ => None,
    };
    let (code, how) = suspects.iter().filter(|one| is_last(one)).find_map(code)?;
    let message = format!("the search got {how}: that the page shows nobody proves nothing");
    Some(Failure::new(code, message))
}
