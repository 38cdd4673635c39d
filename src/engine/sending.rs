//! What the page has sent since the commit: waited for, judged, and listed in the result.

use tokio::time::Instant;

use super::{
    limits::EXCHANGE_TIME,
    run::{Run, ms_between},
    sent::Sent,
};
use crate::{
    contract::SentRequest,
    ports::driver::{Answered, Exchange, ExchangeKind},
};

/// The most requests that a result lists.
const MOST_LISTED: usize = 20;

impl Run<'_> {
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
