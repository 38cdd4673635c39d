//! Signing in, and whether one still is.

use std::time::Duration;

use super::{Session, page::Trouble, run::Run};
use crate::{
    contract::{Code, Failure},
    plan::PlannedStep,
    playbook::{Step, locator::Locator},
    ports::driver::{Answer, Ask, Condition, State},
};

/// How long a page may take to show that one is signed in.
const SIGN_IN_TIME: Duration = Duration::from_secs(15);
/// The same, where one should still be from before.
const STILL_IN_TIME: Duration = Duration::from_secs(3);

impl Run<'_> {
    /// A signed-in session in the right tenant. True: it was signed in before.
    pub(super) async fn session(&mut self, session: &mut Session) -> Result<bool, Failure> {
        let source = std::sync::Arc::clone(&self.plan.playbook);
        let Some(login) = &source.playbook.login else {
            return Err(Failure::new(Code::PlaybookInvalid, "nothing says how to sign in"));
        };
        if session.signed_in {
            let still = self.still_signed_in(&login.signed_in).await;
            match still {
                Ok(true) => {
                    self.tenant(&source).await?;
                    return Ok(true);
                }
                Ok(false) => session.signed_in = false,
                Err(trouble) => return Err(self.explain(trouble).await),
            }
        }
        let steps = login.password.as_ref().map(|steps| self.planned_login(steps)).unwrap_or_default();
        self.signing_in = true;
        let signed = self.sign_in(&steps, &login.signed_in).await;
        self.signing_in = false;
        signed?;
        session.signed_in = true;
        self.tenant(&source).await?;
        Ok(false)
    }

    fn planned_login(&self, steps: &[Step]) -> Vec<PlannedStep> {
        let number = |steps: &[Step], prefix: &str| -> Vec<PlannedStep> {
            steps
                .iter()
                .enumerate()
                .map(|(n, step)| PlannedStep {
                    id: format!("{prefix}[{n}]"),
                    at: self.plan.playbook.place(step.at.span),
                    step: step.clone(),
                    then: Vec::new(),
                    otherwise: Vec::new(),
                })
                .collect()
        };
        let mut planned = number(steps, "login.password");
        for step in &mut planned {
            if let crate::playbook::Action::Branch(branch) = &step.step.action {
                step.then = number(&branch.then, &format!("{}.do", step.id));
                step.otherwise = number(&branch.otherwise, &format!("{}.else", step.id));
            }
        }
        planned
    }

    async fn still_signed_in(&mut self, signed_in: &Locator) -> Result<bool, Trouble> {
        let target = self.scope.target(signed_in, false)?;
        let condition = Condition { target, state: State::Visible };
        // What the last job left in front is as good as any page: only what it does not show is worth a navigation.
        if self.holds(vec![condition.clone()]).await.is_ok_and(|holds| holds == [true]) {
            return Ok(true);
        }
        self.page.goto(&self.plan.start, self.until(SIGN_IN_TIME)).await?;
        match self.first_of(vec![condition], STILL_IN_TIME).await {
            Ok(_) => Ok(true),
            Err(Trouble::Refused(_)) => Ok(false),
            Err(other) => Err(other),
        }
    }

    async fn sign_in(&mut self, steps: &[PlannedStep], signed_in: &Locator) -> Result<(), Failure> {
        self.steps(steps).await?;
        let target = self.scope.target(signed_in, false)?;
        let condition = Condition { target, state: State::Visible };
        match self.first_of(vec![condition], SIGN_IN_TIME).await {
            Ok(_) => Ok(()),
            Err(trouble) => {
                let failure = self.explain(trouble).await;
                let failure = match failure.code {
                    Code::TargetMissing => Failure {
                        message: format!("signed in was not seen after the steps of the sign-in: {}", failure.message),
                        ..Failure::new(Code::UnexpectedPage, "")
                            .page_said(failure.page_said.unwrap_or_default())
                            .hint("if the app said why, add that text to `screens` with its code (bad_credentials, mfa_required, …)")
                    },
                    _ => failure,
                };
                Err(failure.at("login.signed_in", self.plan.playbook.place(locator_span(signed_in))))
            }
        }
    }

    /// Never act in the wrong space.
    async fn tenant(&mut self, source: &crate::plan::Source) -> Result<(), Failure> {
        let Some(tenant) = source.playbook.login.as_ref().and_then(|l| l.tenant.as_ref()) else {
            return Ok(());
        };
        let place = source.place(tenant.equals.span);
        let expected = self.scope.text(&tenant.equals)?;
        let target = self.scope.target(&tenant.text_of, false)?;
        let shown = match self.ask(Ask::Text { target, attribute: None }, SIGN_IN_TIME).await {
            Ok(Answer::Text { text }) => text,
            Ok(_) => String::new(),
            Err(trouble) => return Err(self.explain(trouble).await.at("login.tenant", place)),
        };
        if crate::plan::diff::folded(&shown) == crate::plan::diff::folded(&expected) {
            return Ok(());
        }
        Err(Failure::new(
            Code::WrongTenant,
            format!("the page belongs to `{}`, not to `{expected}`", self.mask.text(&shown)),
        )
        .hint("see the integration's settings and what the service account can see")
        .at("login.tenant", place))
    }
}

fn locator_span(locator: &Locator) -> crate::playbook::Span {
    match locator {
        Locator::Named(name) => name.span,
        Locator::Any(any) => any.first().map(locator_span).unwrap_or_default(),
        Locator::Find(find) => find.at.span,
    }
}
