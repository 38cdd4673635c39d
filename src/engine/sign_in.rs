//! Signing in, and the check whether the session is still signed in.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Session,
    credentials::{fetch_all, no_secret},
    limits::{SIGN_IN_TIME, STILL_IN_TIME},
    page::StepError,
    run::Run,
};
use crate::{
    contract::{Code, Failure, LoginMethod, SecretRef},
    plan::{self, Plan, PlannedStep, Scope},
    playbook::{
        locator::Locator,
        syntax::{SendToken, Token},
        template,
    },
    ports::{
        driver::{self, TokenPlace},
        secrets::Secrets,
    },
    query::{Answer, Ask, Condition, State},
    secret::Secret,
};

impl Run<'_> {
    /// Makes sure that the session is signed in, in the right tenant. Returns whether it was signed in before.
    pub(super) async fn session(&mut self, session: &mut Session) -> Result<bool, Failure> {
        let source = std::sync::Arc::clone(&self.plan.playbook);
        let Some(login) = &source.playbook.login else {
            return Err(Failure::new(Code::PlaybookInvalid, "the playbook has no `login`"));
        };
        if session.signed_in {
            // The page that the last job left may show no tenant, or one of before.
            let fresh = login.tenant.is_some();
            let still = self.still_signed_in(&login.signed_in, fresh).await;
            match still {
                Ok(true) => {
                    self.tenant(&source).await?;
                    return Ok(true);
                }
                Ok(false) => session.signed_in = false,
                Err(error) => return Err(self.page().explain(error).await.failure),
            }
        }
        let steps = match (self.plan.login, &login.password, &login.sso, &login.token) {
            (LoginMethod::Password, Some(steps), ..) => plan::number(&source, steps, "login.password"),
            (LoginMethod::Sso, _, Some(steps), _) => plan::number(&source, steps, "login.sso"),
            (LoginMethod::Token, .., Some(token)) => {
                self.enter_with(token).await?;
                Vec::new()
            }
            // The plan was refused already.
            _ => return Err(Failure::new(Code::PlaybookInvalid, "the playbook does not have this sign-in")),
        };
        let signing_in = self.attempt.watch.signing_in();
        let signed = self.sign_in(&steps, &login.signed_in).await;
        drop(signing_in);
        signed?;
        session.signed_in = true;
        self.tenant(&source).await?;
        Ok(false)
    }

    /// Opens the app with a token. The context carries the token already, or the address does.
    async fn enter_with(&mut self, token: &Token) -> Result<(), Failure> {
        let mut url = self.plan.start.clone();
        if token.send == SendToken::Query {
            let value = value_of(token, &self.attempt.scope, self.credentials.all())?;
            url.query_pairs_mut().append_pair(&token.name.value, value.expose());
            self.credentials.hide(value);
        }
        let place = self.plan.playbook.place(token.name.span);
        match self.attempt.front.page.goto(&url, self.until(SIGN_IN_TIME)).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.page().explain(error.into()).await.failure.at("login.token", place)),
        }
    }

    /// `fresh`: the start page has to show it.
    async fn still_signed_in(&mut self, signed_in: &Locator, fresh: bool) -> Result<bool, StepError> {
        let target = self.attempt.scope.target(signed_in, false)?;
        let condition = Condition { target, state: State::Visible };
        // The page that the last job has left may show it. Only if it does not, the start page is opened.
        if !fresh && self.holds(vec![condition.clone()]).await.is_ok_and(|holds| holds == [true]) {
            return Ok(true);
        }
        self.attempt.front.page.goto(&self.plan.start, self.until(SIGN_IN_TIME)).await?;
        match self.first_of(vec![condition], STILL_IN_TIME).await {
            Ok(_) => Ok(true),
            Err(StepError::Refused(_)) => Ok(false),
            Err(other) => Err(other),
        }
    }

    async fn sign_in(&mut self, steps: &[PlannedStep], signed_in: &Locator) -> Result<(), Failure> {
        self.steps(steps).await.map_err(|failed| failed.failure)?;
        let target = self.attempt.scope.target(signed_in, false)?;
        let condition = Condition { target, state: State::Visible };
        match self.first_of(vec![condition], SIGN_IN_TIME).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let failure = self.page().explain(error).await.failure;
                let failure = match failure.code {
                    Code::TargetMissing => Failure {
                        message: format!("after the sign-in the page does not show `signed_in`: {}", failure.message),
                        ..Failure::new(Code::UnexpectedPage, "")
                            .page_said(failure.page_said.unwrap_or_default())
                            .hint("if the picture shows that the sign-in worked, put what it shows into `signed_in`; if the app shows an error, add its text to `screens` with a code (bad_credentials, mfa_required, …)")
                    },
                    _ => failure,
                };
                Err(failure.at("login.signed_in", self.plan.playbook.place(locator_span(signed_in))))
            }
        }
    }

    /// Refuses a page of another tenant.
    async fn tenant(&mut self, source: &crate::plan::Source) -> Result<(), Failure> {
        let Some(tenant) = source.playbook.login.as_ref().and_then(|l| l.tenant.as_ref()) else {
            return Ok(());
        };
        let place = source.place(tenant.equals.span);
        let expected = self.attempt.scope.text(&tenant.equals)?;
        let target = self.attempt.scope.target(&tenant.text_of, false)?;
        let shown = match self.ask(Ask::Text { target, attribute: None }, SIGN_IN_TIME).await {
            Ok(Answer::Text { text }) => text,
            Ok(_) => String::new(),
            Err(error) => return Err(self.page().explain(error).await.failure.at("login.tenant", place)),
        };
        if crate::plan::diff::folded(&shown) == crate::plan::diff::folded(&expected) {
            return Ok(());
        }
        Err(Failure::new(
            Code::WrongTenant,
            format!("the page belongs to `{}`, not to `{expected}`", self.credentials.mask().text(&shown)),
        )
        .hint("check the integration's settings, and which tenants the service account can open")
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

/// The token that the browser context carries, where the plan signs in with one.
pub async fn tokens(
    plan: &Plan,
    secrets: &dyn Secrets,
    references: &BTreeMap<String, SecretRef>,
) -> Result<Vec<driver::Token>, Failure> {
    let login = plan.playbook.playbook.login.as_ref();
    let Some(token) =
        login.and_then(|login| login.token.as_ref()).filter(|_| plan.login == LoginMethod::Token)
    else {
        return Ok(Vec::new());
    };
    let place = match token.send {
        SendToken::Header => TokenPlace::Header,
        SendToken::Cookie => TokenPlace::Cookie,
        SendToken::Storage => TokenPlace::Storage,
        SendToken::Query => return Ok(Vec::new()),
    };
    let known = fetch_all(secrets, references).await?;
    let value = value_of(token, &plan.scope, &known)?;
    let origin = plan.start.origin().ascii_serialization();
    Ok(vec![driver::Token { origin, place, name: token.name.value.clone(), value }])
}

/// The value of a token, rendered from its template.
fn value_of(token: &Token, scope: &Scope, secrets: &BTreeMap<String, Secret>) -> Result<Secret, Failure> {
    let named = template::names(&token.value.value).unwrap_or_default();
    let mut missing = named.iter().filter_map(|name| name.strip_prefix("secret."));
    if let Some(name) = missing.find(|name| !secrets.contains_key(*name)) {
        let message = format!("the service account has no secret `{name}`");
        return Err(no_secret(Code::SecretMissing, message, name));
    }
    let known: serde_json::Map<String, Value> =
        secrets.iter().map(|(name, secret)| (name.clone(), Value::from(secret.expose()))).collect();
    scope.text_with(&token.value, "secret", Value::Object(known)).map(Secret::new)
}
