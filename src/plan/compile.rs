//! Makes a plan from a playbook and a job, or refuses the job before a browser opens.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::{
    account::Account,
    address,
    diff::{Desired, as_template_value},
    missing::Known,
    planned::{Plan, PlannedStep, number},
    scope::Scope,
    source::{Source, Subject},
    wish::{self, attribute_of},
};
use crate::{
    contract::{Code, Failure, Job, LoginMethod, Operation},
    playbook::{Span, Step, at::List, syntax::OperationSteps},
};

/// Makes the plan, or returns the reason why the job is refused.
pub fn compile(job: &Job, source: &Arc<Source>, account: &Account) -> Result<Plan, Failure> {
    let compiler = Compiler { job, source, account };
    compiler.compile()
}

struct Compiler<'a> {
    job: &'a Job,
    source: &'a Arc<Source>,
    account: &'a Account<'a>,
}

impl Compiler<'_> {
    fn compile(&self) -> Result<Plan, Failure> {
        let operation = self.job.operation;
        let body = self.body()?;
        let subject = self.subject()?;
        self.guard(subject.as_ref())?;
        let settings = address::settings(self.source, self.account)?;
        let (start, mut origins) = address::start_and_origins(self.source, self.account, &settings)?;
        let desired = wish::desired(self.job, self.source, &body)?;
        self.required(&body)?;
        let user =
            self.job.user.as_ref().map(|u| serde_json::to_value(u).unwrap_or_default()).unwrap_or(json!({}));
        let values = json!({
            "user": user,
            "settings": settings,
            "account": { "username": self.account.username },
            "start": start.as_str().trim_end_matches('/'),
        });
        let mut scope = Scope::new(Arc::clone(self.source), subject.clone(), values);
        let wanted = desired.entitlements_after(&self.source.playbook, None);
        scope.set_entitlements(&self.template_values(&wanted));
        scope.set_asked(&self.template_values(&wish::entitlements(self.job, self.source)?));
        let all_steps = self.sign_in().map(|(_, steps)| steps).into_iter().chain(&body.steps);
        origins.extend(address::of_modules(self.source, &scope, all_steps)?);
        let steps = body
            .steps
            .as_ref()
            .map(|steps| number(self.source, steps, operation.as_str()))
            .unwrap_or_default();
        self.nothing_missing(&body, &steps, &scope, &desired)?;
        Ok(Plan {
            job: self.job.id.clone(),
            operation,
            mode: self.job.mode,
            evidence: self.job.evidence,
            start,
            origins,
            subject,
            desired,
            steps,
            login: self.account.login,
            becomes: body.becomes.as_ref().map(|becomes| becomes.value),
            view: body.view.as_ref().map(|view| view.value.clone()),
            safeguard: self.job.safeguard.clone(),
            scope,
            playbook: Arc::clone(self.source),
        })
    }

    fn body(&self) -> Result<OperationSteps, Failure> {
        let operation = self.job.operation;
        let playbook = &self.source.playbook;
        let given = playbook.operations.get(operation.as_str());
        if let Some(why) = given.and_then(|body| body.unsupported.as_ref()) {
            return Err(Failure::new(Code::UnsupportedOperation, why.value.clone())
                .at(operation.as_str(), self.source.place(why.span)));
        }
        // A playbook need not declare these two.
        let implicit = match operation {
            Operation::ConnectionTest => true,
            Operation::UserGet => playbook.find_user.is_some(),
            _ => false,
        };
        match given {
            Some(body) => Ok(body.clone()),
            None if implicit => Ok(OperationSteps::default()),
            None => Err(Failure::new(
                Code::UnsupportedOperation,
                format!("the playbook of {} does not support {operation}", playbook.app.value),
            )
            .hint(format!("it supports: {}", playbook.operations.names().collect::<Vec<_>>().join(", ")))),
        }
    }

    fn subject(&self) -> Result<Option<Subject>, Failure> {
        if !self.job.operation.about_a_user() {
            return Ok(None);
        }
        let identity = self.source.playbook.identity.as_ref();
        let attribute = identity.map_or("userName", |i| i.attribute.value.as_str());
        let value = self.job.user.as_ref().and_then(|user| attribute_of(user, attribute));
        match value.map(|v| v.trim().to_owned()).filter(|v| !v.is_empty()) {
            Some(value) => Ok(Some(Subject {
                attribute: attribute.to_owned(),
                value,
                ignore_case: identity.is_some_and(|i| i.ignore_case),
            })),
            None => Err(Failure::new(
                Code::MissingAttribute,
                format!(
                    "the user has no `{attribute}`, which identifies people in {}",
                    self.source.playbook.app.value
                ),
            )
            .at(
                "identity",
                identity.map_or_else(
                    || self.source.place(Span::default()),
                    |i| self.source.place(i.attribute.span),
                ),
            )),
        }
    }

    /// Refuses to change the service account and protected users.
    fn guard(&self, subject: Option<&Subject>) -> Result<(), Failure> {
        let Some(subject) =
            subject.filter(|_| self.job.operation.writes() && self.job.operation != Operation::UserCreate)
        else {
            return Ok(());
        };
        let same = |name: &str| subject.is(name) || name.eq_ignore_ascii_case(&subject.value);
        if same(self.account.username) {
            return Err(Failure::new(
                Code::ProtectedPrincipal,
                "the user is the service account of this integration",
            )
            .hint("change the service account in the app itself"));
        }
        if self.account.protected.iter().any(|name| same(name)) {
            return Err(Failure::new(
                Code::ProtectedPrincipal,
                "the user is on the integration's `protected` list",
            ));
        }
        Ok(())
    }

    fn required(&self, body: &OperationSteps) -> Result<(), Failure> {
        for attribute in &body.requires {
            let sent = self
                .job
                .user
                .as_ref()
                .and_then(|u| attribute_of(u, &attribute.value))
                .is_some_and(|v| !v.trim().is_empty())
                || self.job.entitlements.iter().any(|e| e.kind == attribute.value);
            if !sent {
                let send = match self.source.playbook.entitlements.get(&attribute.value) {
                    Some(_) => format!("send an entitlement of type `{}`", attribute.value),
                    None => format!("send `user.{}`", attribute.value),
                };
                return Err(Failure::new(
                    Code::MissingAttribute,
                    format!(
                        "{} requires `{}`, which is missing in the job",
                        self.job.operation, attribute.value
                    ),
                )
                .hint(send)
                .at(format!("{}.requires", self.job.operation), self.source.place(attribute.span)));
            }
        }
        Ok(())
    }

    fn template_values(&self, wanted: &BTreeMap<String, Vec<String>>) -> BTreeMap<String, Value> {
        wanted
            .iter()
            .map(|(kind, values)| {
                (kind.clone(), as_template_value(self.source.playbook.entitlements.get(kind), values))
            })
            .collect()
    }

    /// Refuses the job if it lacks a value that a template needs.
    fn nothing_missing(
        &self,
        body: &OperationSteps,
        steps: &[PlannedStep],
        scope: &Scope,
        desired: &Desired,
    ) -> Result<(), Failure> {
        let known = Known::of_job(scope.clone(), desired);
        let playbook = &self.source.playbook;
        if let Some((way, signing_in)) = self.sign_in() {
            known.steps(&number(self.source, signing_in, way))?;
        }
        let find = playbook.find_user.as_ref().filter(|_| self.job.operation.about_a_user());
        for view in find.iter().map(|find| &find.view).chain(body.every_view()) {
            if let Some(open) = playbook.views.get(&view.value).map(|view| &view.open) {
                known.view(&view.value, open)?;
            }
        }
        find.map_or(Ok(()), |find| known.find_user(find))?;
        known.steps(steps)
    }

    /// The steps to sign in with, and their name.
    fn sign_in(&self) -> Option<(&'static str, &List<Step>)> {
        let login = self.source.playbook.login.as_ref()?;
        match self.account.login {
            LoginMethod::Password => Some(("login.password", login.password.as_ref()?)),
            LoginMethod::Sso => Some(("login.sso", login.sso.as_ref()?)),
            LoginMethod::Token => None,
        }
    }
}
