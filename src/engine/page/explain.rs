//! What a step error means, with what the page shows instead.

use tokio::time::Instant;

use super::{
    super::{
        limits::{DRIVER_GRACE, FACTS_TIME},
        origin::{Origin, StepFailure},
    },
    Conversation, StepError, inside, millis,
};
use crate::{
    contract::{Class, Code, Failure},
    query::{Answer, Ask, PageFacts, Question, State},
};

impl Conversation<'_> {
    /// Turns an error into a failure with what the page shows instead. Never fails.
    pub(crate) async fn explain(&mut self, error: StepError) -> StepFailure {
        let StepFailure { mut failure, mut origin } = error.known();
        if failure.page_said.is_some() || failure.code == Code::BrowserLost {
            return self.masked(failure, origin);
        }
        let Some(facts) = self.facts().await else { return self.masked(failure, origin) };
        if matches!(failure.class, Class::Drift) {
            let better = match facts.status {
                500.. => Some((Code::AppUnavailable, Origin::Environment)),
                429 => Some((Code::RateLimited, Origin::App)),
                403 => Some((Code::InsufficientRole, Origin::App)),
                _ if self.signed_out().await => Some((Code::SessionExpired, Origin::Environment)),
                _ => None,
            };
            if let Some((code, from)) = better {
                origin = from;
                let message = format!("{} ({})", code.meaning().trim_end_matches('.'), failure.message);
                failure = Failure::new(code, message);
            }
        }
        failure.page_said = Some(shown(&facts));
        self.masked(failure, origin)
    }

    /// What the page shows, in words. Never fails.
    pub(crate) async fn said(&mut self) -> Option<String> {
        let facts = self.facts().await?;
        Some(self.mask.text(&shown(&facts)))
    }

    /// Does the page call a field invalid?
    pub(crate) async fn calls_invalid(&mut self) -> bool {
        self.facts().await.is_some_and(|facts| !facts.invalid.is_empty())
    }

    /// What is on the page, for a person who was not there. Never fails.
    pub(super) async fn facts(&mut self) -> Option<PageFacts> {
        let within = millis(FACTS_TIME);
        let question = Question { ask: Ask::Page, frame: Vec::new(), within, watch: Vec::new() };
        match self.front.page.ask(&question, Instant::now() + DRIVER_GRACE).await {
            Ok(Answer::Page(facts)) => Some(facts),
            _ => None,
        }
    }

    /// Is the sign-in page in front, in the middle of a job?
    pub(super) async fn signed_out(&mut self) -> bool {
        let Some(conditions) = self.watch.sign_in_page() else { return false };
        for condition in conditions {
            let question = Question {
                frame: condition.target.frame.clone(),
                ask: Ask::Probe { conditions: vec![inside(condition)], settle: false },
                within: 0,
                watch: Vec::new(),
            };
            let holds = match self.front.page.ask(&question, Instant::now() + DRIVER_GRACE).await {
                Ok(Answer::Holds { holds }) => holds == [true],
                _ => condition.state == State::Hidden && !condition.target.frame.is_empty(),
            };
            if !holds {
                return false;
            }
        }
        true
    }

    fn masked(&self, mut failure: Failure, origin: Origin) -> StepFailure {
        failure.message = self.mask.text(&failure.message);
        failure.page_said = failure.page_said.map(|said| self.mask.text(&said));
        StepFailure { failure, origin }
    }
}

/// What a page shows, in one paragraph.
fn shown(facts: &PageFacts) -> String {
    let mut parts =
        vec![format!("\"{}\" at {}", facts.title, facts.url.split('?').next().unwrap_or_default())];
    if facts.status >= 400 {
        parts.push(format!("status {}", facts.status));
    }
    let mut list = |what: &str, items: &[String], most: usize| {
        if !items.is_empty() {
            let shown: Vec<&str> = items.iter().take(most).map(String::as_str).collect();
            parts.push(format!("{what}: {}", shown.join(", ")));
        }
    };
    list("invalid", &facts.invalid, 4);
    list("alerts", &facts.alerts, 4);
    // A page of an error may have only words. Other pages have the data of people.
    if facts.status >= 400 && !facts.text.is_empty() {
        list("text", &[facts.text.chars().take(200).collect()], 1);
    }
    list("dialogs", &facts.dialogs, 3);
    list("headings", &facts.headings, 5);
    list("fields", &facts.fields, 10);
    list("buttons and links", &facts.controls, 15);
    parts.join("; ")
}
