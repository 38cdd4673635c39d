//! From a job to its plan, its account and the key of its session. A refusal here needs no browser.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::integration::KnownIntegration;
use crate::{
    contract::{Code, Failure, Job, LoginMethod, ServiceAccount},
    plan::{self, Account, Plan, Source},
};

/// A job whose integration, account and playbook are known.
pub(super) struct Resolved {
    pub plan: Plan,
    pub account: ServiceAccount,
    /// What identifies the account: app, origin, user name, sign-in method, and the references of its secrets.
    pub session_key: String,
    pub tenant: String,
}

/// Resolves a job with the playbook of its app.
pub(super) fn resolve(
    job: &Job,
    source: &Arc<Source>,
    integrations: &BTreeMap<String, KnownIntegration>,
) -> Result<Resolved, Failure> {
    let known = integrations.get(&job.integration.id);
    if let Some(known) = known.filter(|known| known.app != job.app) {
        let message =
            format!("the integration `{}` belongs to {}, not to {}", job.integration.id, known.app, job.app);
        return Err(Failure::new(Code::UnknownIntegration, message));
    }
    // The account in the job overrides that of the integration.
    let own = || known?.service_account.as_ref();
    let Some(account) = job.service_account.as_ref().or_else(own).cloned() else {
        let message = format!(
            "the integration `{}` is not configured here, and the job has no service account",
            job.integration.id
        );
        return Err(Failure::new(Code::UnknownIntegration, message)
            .hint("add it under `integrations`, or send `service_account`"));
    };
    check_sign_in(source, account.login)?;
    let mut settings = known.map(|k| k.settings.clone()).unwrap_or_default();
    settings.extend(job.integration.settings.clone());
    let protected = known.map(|k| k.protected.as_slice()).unwrap_or_default();
    let plan = plan::compile(
        job,
        source,
        &Account { username: &account.username, login: account.login, settings: &settings, protected },
    )?;
    let origin = plan.start.origin().ascii_serialization();
    Ok(Resolved {
        session_key: format!("{} {origin} {account:?}", job.app),
        tenant: format!("{} {settings:?}", plan.start),
        plan,
        account,
    })
}

/// Why a job is not begun whose message expired.
pub(super) fn expired() -> Failure {
    let message = "the message of the job expired in its queue before a worker took it";
    Failure::new(Code::DeadlinePassed, message)
        .hint("give the job a `window.deadline` instead of an AMQP `expiration`, or more time")
}

/// Why a job is outside its window, if it is.
pub(super) fn out_of_window(job: &Job) -> Option<Failure> {
    let now = Timestamp::now();
    if job.window.deadline.is_some_and(|deadline| deadline <= now) {
        return Some(Failure::new(
            Code::DeadlinePassed,
            "the deadline of the job had passed before it began",
        ));
    }
    let begin = job.window.not_before.filter(|begin| *begin > now)?;
    let message = format!("the job must not begin before {begin}");
    Some(Failure::new(Code::OutOfWindow, message).hint("publish it then"))
}

/// Refuses a sign-in method that the playbook does not have.
fn check_sign_in(source: &Source, method: LoginMethod) -> Result<(), Failure> {
    let Some(login) = &source.playbook.login else { return Ok(()) };
    let methods = [
        (LoginMethod::Password, "password", login.password.is_some()),
        (LoginMethod::Sso, "sso", login.sso.is_some()),
        (LoginMethod::Token, "token", login.token.is_some()),
    ];
    if methods.iter().any(|(known, _, has)| *known == method && *has) {
        return Ok(());
    }
    let known: Vec<&str> = methods.iter().filter(|(.., has)| *has).map(|(_, name, _)| *name).collect();
    let message = format!("the playbook of {} does not have this sign-in method", source.playbook.app.value);
    Err(Failure::new(Code::UnsupportedOperation, message)
        .hint(format!("set `login:` of the service account to one of {}", known.join(", "))))
}
