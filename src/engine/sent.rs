//! What a commit has sent, and what came back: read from the driver's exchanges.

use tokio::time::Instant;

use super::{
    limits::{ANSWER_DRAWN, REFUSAL_SHOWN},
    origin::StepFailure,
};
use crate::{
    contract::{Code, Failure},
    ports::driver::{Answered, Exchange, ExchangeKind},
};

/// What a commit has sent, and what came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// Something without an answer, or the driver does not know.
    Unknown,
    /// Nothing has left the page: nothing was done.
    Nothing,
    /// Nothing has left the page, and the page has confirmed the change: it may send it later.
    Kept,
    /// The server refused all of it, with this status.
    Refused(u16),
    /// The server answered all of it with an error.
    Erred(u16),
    /// The server has taken it. Whether it has done it, only reading shows.
    Taken,
}

impl Sent {
    /// Of what a commit has caused. What the page sends all the time does not count.
    pub(super) fn of<'e>(exchanges: impl Iterator<Item = &'e Exchange>) -> Self {
        let left = |one: &&Exchange| {
            !one.is_routine && !matches!(one.answered, Some((Answered::NotSent | Answered::Stopped, _)))
        };
        let all: Vec<&Exchange> = exchanges.filter(left).collect();
        if all.is_empty() {
            return Self::Nothing;
        }
        let changing: Vec<&Exchange> = all.into_iter().filter(|one| one.changes && one.is_own).collect();
        let status = |one: &&Exchange| match one.answered {
            Some((Answered::Status(status), _)) => Some(status),
            _ => None,
        };
        let Some(statuses) = changing.iter().map(status).collect::<Option<Vec<u16>>>() else {
            return Self::Unknown;
        };
        let is_refusal = |status: &u16| (400..500).contains(status) && !matches!(*status, 408 | 425);
        match statuses.first() {
            // A link may change something, too.
            None => Self::Unknown,
            Some(first) if statuses.iter().all(is_refusal) => Self::Refused(*first),
            Some(first) if statuses.iter().all(|status| *status >= 400) => Self::Erred(*first),
            Some(_) => Self::Taken,
        }
    }

    /// Where the server has refused all that a commit has caused, and the page waits for nothing more: when the page has had
    /// the time to show it. From then on, no word of success is waited for. After 429, or with a new token after 419, the page may
    /// send the request again.
    pub(super) fn refusal_shown_at(exchanges: &[Exchange]) -> Option<Instant> {
        if !matches!(Self::of(exchanges.iter()), Self::Refused(_)) {
            return None;
        }
        let mut shown: Option<Instant> = None;
        let waits = |one: &&Exchange| {
            one.is_own && !one.is_routine && matches!(one.kind, ExchangeKind::Document | ExchangeKind::Call)
        };
        for one in exchanges.iter().filter(waits) {
            let at = match (one.answered, one.ended) {
                (Some((Answered::Status(419 | 429), _)), _) => return None,
                // The page may never read the body of a refusal.
                (Some((_, at)), _) if one.changes && one.kind == ExchangeKind::Call => at + REFUSAL_SHOWN,
                (_, Some(at)) if one.changes => at + REFUSAL_SHOWN,
                (_, Some(at)) => at + ANSWER_DRAWN,
                (_, None) => return None,
            };
            shown = Some(shown.map_or(at, |other| other.max(at)));
        }
        shown
    }

    /// Is it certain that the server has done nothing?
    pub(super) fn is_denied(self) -> bool {
        matches!(self, Self::Nothing | Self::Refused(_))
    }

    /// May the app have got something?
    pub(super) fn has_left(self) -> bool {
        !matches!(self, Self::Nothing | Self::Kept)
    }

    /// Has the server reported that it has not done it?
    pub(super) fn is_contradicted_by_success(self) -> bool {
        matches!(self, Self::Refused(_) | Self::Erred(_))
    }

    /// Why the app does not show what it may still do, or have done.
    pub(super) fn error(self) -> Option<Failure> {
        match self {
            Self::Erred(status) => {
                let message =
                    format!("the app answered the change with status {status}, and does not show it");
                Some(Failure::new(Code::AppUnavailable, message).hint("read the user again later"))
            }
            Self::Kept => {
                let message = "the page confirmed the change, but sent no request, and the app does not show the change";
                Some(Failure::new(Code::NothingSent, message).hint(
                    "if the page sends it later, add a step that waits until it has: `expect: { not: … }` with what it \
                     shows until then; if it never does, see whether `expect` names something that was there before",
                ))
            }
            _ => None,
        }
    }

    /// Why nothing was done. `lost`: how the steps ended.
    pub(super) fn failure(self, lost: Option<StepFailure>) -> Option<Failure> {
        let lost = lost.map(|lost| lost.failure);
        let why = lost.as_ref().map_or_else(String::new, |lost| format!(" ({})", lost.message));
        let failure = match self {
            Self::Nothing => Failure::new(
                Code::NothingSent,
                format!("after the commit, the page sent no request, so nothing was changed{why}"),
            )
            .hint("see which field the page calls invalid, and whether the step presses the right button"),
            Self::Refused(status) => {
                let code = match status {
                    401 => Code::SessionExpired,
                    403 => Code::InsufficientRole,
                    429 => Code::RateLimited,
                    _ => Code::Refused,
                };
                Failure::new(code, format!("the app refused the change with status {status}{why}"))
                    .hint("see what the page said")
            }
            Self::Unknown | Self::Kept | Self::Erred(_) | Self::Taken => return None,
        };
        Some(match lost {
            Some(lost) => Failure { step: lost.step, at: lost.at, page_said: lost.page_said, ..failure },
            None => failure,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::secret::Secret;

    fn exchange(method: &str, answered: Option<Answered>) -> Exchange {
        let began = Instant::now();
        Exchange {
            number: 1,
            method: method.to_owned(),
            address: "http://app.example/users".to_owned(),
            kind: ExchangeKind::Call,
            changes: method != "GET",
            is_own: true,
            is_routine: false,
            carried: Secret::new(String::new()),
            began,
            answered: answered.map(|answered| (answered, began)),
            ended: Some(began),
        }
    }

    fn post(status: u16) -> Exchange {
        exchange("POST", Some(Answered::Status(status)))
    }

    #[test]
    fn what_came_back_decides_what_is_known() {
        let routine = Exchange { is_routine: true, ..post(200) };
        let elsewhere = Exchange { is_own: false, ..post(200) };
        let socket = Exchange { kind: ExchangeKind::Socket, ..exchange("SEND", None) };
        let table = [
            (vec![], Sent::Nothing),
            (vec![routine.clone()], Sent::Nothing),
            (vec![exchange("POST", Some(Answered::NotSent))], Sent::Nothing),
            (vec![exchange("POST", Some(Answered::Stopped))], Sent::Nothing),
            (vec![exchange("POST", Some(Answered::Lost))], Sent::Unknown),
            (vec![exchange("POST", None)], Sent::Unknown),
            (vec![socket], Sent::Unknown),
            (vec![elsewhere], Sent::Unknown),
            (vec![exchange("GET", Some(Answered::Status(200)))], Sent::Unknown),
            (vec![post(409)], Sent::Refused(409)),
            (vec![post(422), routine], Sent::Refused(422)),
            (vec![post(408)], Sent::Erred(408)),
            (vec![post(409), post(500)], Sent::Erred(409)),
            (vec![post(502)], Sent::Erred(502)),
            (vec![post(409), post(200)], Sent::Taken),
            (vec![post(200), exchange("POST", None)], Sent::Unknown),
            (vec![post(302)], Sent::Taken),
        ];
        for (exchanges, sent) in table {
            assert_eq!(Sent::of(exchanges.iter()), sent, "{exchanges:?}");
        }
    }

    #[test]
    fn after_a_refusal_a_page_that_waits_for_nothing_is_given_a_short_time() {
        let began = Instant::now();
        let later = began + Duration::from_secs(1);
        let read = |ended| Exchange { ended, ..exchange("GET", ended.map(|_| Answered::Status(200))) };
        let poll = Exchange { is_routine: true, ..read(None) };
        let refused =
            Exchange { began, answered: Some((Answered::Status(409), began)), ended: None, ..post(409) };
        let shown = |exchanges: &[Exchange]| Sent::refusal_shown_at(exchanges);
        assert_eq!(shown(std::slice::from_ref(&refused)), Some(began + REFUSAL_SHOWN));
        assert_eq!(shown(&[refused.clone(), poll]), Some(began + REFUSAL_SHOWN));
        // It has read something because of the refusal. This may lead to another attempt.
        assert_eq!(
            shown(&[refused.clone(), read(Some(later))]),
            Some(later + ANSWER_DRAWN).max(Some(began + REFUSAL_SHOWN))
        );
        assert_eq!(shown(&[refused.clone(), read(None)]), None);
        // Something else was taken, is under way, or the server wants it later.
        assert_eq!(shown(&[refused.clone(), post(200)]), None);
        assert_eq!(shown(&[refused.clone(), exchange("POST", None)]), None);
        assert_eq!(shown(&[refused.clone(), post(429)]), None);
        assert_eq!(shown(&[post(419)]), None);
        assert_eq!(shown(&[post(500)]), None);
        assert_eq!(shown(&[]), None);
        // A form that was sent, and whose answer is a page that is not there yet.
        let document = Exchange { kind: ExchangeKind::Document, ..refused };
        assert_eq!(shown(std::slice::from_ref(&document)), None);
        let parsed = Exchange { ended: Some(later), ..document };
        assert_eq!(shown(&[parsed]), Some(later + REFUSAL_SHOWN));
    }

    #[test]
    fn a_refusal_is_told_by_its_status() {
        let code = |status| Sent::Refused(status).failure(None).map(|failure| failure.code);
        assert_eq!(code(409), Some(Code::Refused));
        assert_eq!(code(403), Some(Code::InsufficientRole));
        assert_eq!(code(401), Some(Code::SessionExpired));
        assert_eq!(code(429), Some(Code::RateLimited));
        assert_eq!(Sent::Nothing.failure(None).map(|failure| failure.code), Some(Code::NothingSent));
        assert_eq!(Sent::Taken.failure(None), None);
        assert_eq!(Sent::Erred(500).failure(None), None);
    }
}
