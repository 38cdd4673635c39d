//! Playbook + job → plan. Whatever is refused here costs no browser.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use url::Url;

use super::{
    Plan, PlannedStep, Scope, Source, Subject,
    diff::{Desired, Wish, as_template_value},
    missing::Known,
};
use crate::{
    contract::{Code, Entitlement, Failure, Job, LoginMethod, Operation, User},
    playbook::{
        Action, At, Step,
        at::{List, Span},
        syntax::{OperationSteps, Values},
        template::{self, TemplateError},
        visit::each_step,
    },
};

/// What the plan has to know of the service account.
#[derive(Debug, Clone)]
pub struct Account<'a> {
    pub username: &'a str,
    pub login: LoginMethod,
    /// Settings of the integration.
    pub settings: &'a BTreeMap<String, String>,
    /// Users of the integration that are never touched.
    pub protected: &'a [String],
}

/// Makes the plan, or says why not.
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
        let settings = self.settings()?;
        let (start, mut origins) = self.places(&settings)?;
        let desired = self.desired(&body)?;
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
        scope.set_asked(&self.template_values(&self.entitlements()?));
        self.module_origins(&body, &scope, &mut origins)?;
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
        // Signing in and looking at one user need no words of their own.
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
                format!("the playbook of {} does not do {operation}", playbook.app.value),
            )
            .hint(format!("it does: {}", playbook.operations.names().collect::<Vec<_>>().join(", ")))),
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
                    "the user has no `{attribute}`, by which {} knows people",
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

    /// The service account and those who are listed are never touched.
    fn guard(&self, subject: Option<&Subject>) -> Result<(), Failure> {
        let Some(subject) =
            subject.filter(|_| self.job.operation.writes() && self.job.operation != Operation::UserCreate)
        else {
            return Ok(());
        };
        let same = |name: &str| subject.is(name) || name.eq_ignore_ascii_case(&subject.value);
        if same(self.account.username) {
            return Err(Failure::new(Code::ProtectedPrincipal, "this is the service account itself")
                .hint("a person has to change it in the app"));
        }
        if self.account.protected.iter().any(|name| same(name)) {
            return Err(Failure::new(
                Code::ProtectedPrincipal,
                "the user is on the integration's `protected` list",
            ));
        }
        Ok(())
    }

    fn settings(&self) -> Result<BTreeMap<String, String>, Failure> {
        let mut settings = BTreeMap::new();
        for (name, setting) in self.source.playbook.settings.iter() {
            let place = || self.source.place(name.span);
            let value = match self.account.settings.get(&name.value).or(setting.default.as_ref()) {
                Some(value) => value.clone(),
                None => {
                    let failure = Failure::new(
                        Code::MissingAttribute,
                        format!("the integration does not bring the setting `{}`", name.value),
                    );
                    let help = setting
                        .help
                        .clone()
                        .unwrap_or_else(|| "add it to the integration's settings".to_owned());
                    return Err(failure.hint(help).at("settings", place()));
                }
            };
            if let Some(pattern) = &setting.pattern {
                let fits =
                    regex::Regex::new(&format!("^(?:{})$", pattern.value)).is_ok_and(|p| p.is_match(&value));
                if !fits {
                    let message = format!(
                        "the setting `{}` is `{value}`, which does not match `{}`",
                        name.value, pattern.value
                    );
                    return Err(Failure::new(Code::InvalidValue, message).at("settings", place()));
                }
            }
            settings.insert(name.value.clone(), value);
        }
        Ok(settings)
    }

    /// `start` and the origins. A setting fills in a part of a host or a port, never more.
    fn places(&self, settings: &BTreeMap<String, String>) -> Result<(Url, Vec<String>), Failure> {
        let playbook = &self.source.playbook;
        let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let plain: BTreeMap<&String, &String> =
            settings.iter().filter(|(_, v)| v.chars().all(harmless)).collect();
        let scope = json!({ "settings": plain, "account": { "username": self.account.username } });
        let render = |text: &At<String>| {
            let refuse = |reason: String| {
                Failure::new(Code::InvalidValue, format!("`{}`: {reason}", text.value))
                    .at("origins", self.source.place(text.span))
            };
            let address = template::render(&text.value, &scope).map_err(|e| {
                refuse(match e {
                    TemplateError::Missing(name) => {
                        format!("`{name}` is missing, or holds what no host name has")
                    }
                    TemplateError::Bad(reason) => reason,
                })
            })?;
            Url::parse(&address).map_err(|e| refuse(format!("`{address}` is no address: {e}")))
        };
        let origins = playbook
            .origins
            .iter()
            .map(|o| render(o).map(|url| url.origin().ascii_serialization()))
            .collect::<Result<Vec<_>, _>>()?;
        let start = render(&playbook.start)?;
        if !origins.contains(&start.origin().ascii_serialization()) {
            return Err(Failure::new(
                Code::OriginViolation,
                format!("`start` ({start}) is on none of the origins"),
            )
            .at("start", self.source.place(playbook.start.span)));
        }
        Ok((start, origins))
    }

    /// Where the pages of the modules are that this job may use: what it signs in by, and its steps.
    fn module_origins(
        &self,
        body: &OperationSteps,
        scope: &Scope,
        origins: &mut Vec<String>,
    ) -> Result<(), Failure> {
        let mut calls = Vec::new();
        for steps in self.sign_in().map(|(_, steps)| steps).into_iter().chain(&body.steps) {
            each_step(steps, &mut |step| {
                if let Action::Use(call) = &step.action {
                    calls.push(call);
                }
            });
        }
        for call in calls {
            let loaded = self.source.loaded.modules.get(&call.module.value);
            let Some((loaded, module)) = loaded.and_then(|loaded| Some((loaded, loaded.playable()?))) else {
                continue;
            };
            let fixed = module.origins.iter().all(|origin| !origin.value.contains("{{"));
            let with = if fixed { serde_json::Map::new() } else { scope.parameters(module, call)? };
            let inner = scope.inside(loaded, with);
            for origin in module.origins.iter() {
                let address = inner.text(origin)?;
                let url = Url::parse(&address).map_err(|error| {
                    Failure::new(Code::InvalidValue, format!("`{address}` is no address: {error}"))
                        .at("origins", loaded.place(origin.span.start))
                })?;
                origins.push(url.origin().ascii_serialization());
            }
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
                return Err(Failure::new(
                    Code::MissingAttribute,
                    format!(
                        "{} needs `{}`, which the job does not carry",
                        self.job.operation, attribute.value
                    ),
                )
                .hint(format!("send `user.{}`", attribute.value))
                .at(format!("{}.requires", self.job.operation), self.source.place(attribute.span)));
            }
        }
        Ok(())
    }

    fn desired(&self, body: &OperationSteps) -> Result<Desired, Failure> {
        let wished = self.entitlements()?;
        self.bounded(body, &wished)?;
        let mut desired = Desired::default();
        match self.job.operation {
            Operation::UserCreate => {
                desired.attributes = self.attributes();
                desired.active = self.job.user.as_ref().and_then(|u| u.active);
                let mut wished = wished;
                for (kind, rule) in self.source.playbook.entitlements.iter() {
                    if let (Some(default), false) = (&rule.default, wished.contains_key(&kind.value)) {
                        wished.insert(kind.value.clone(), vec![default.value.clone()]);
                        desired.defaulted.push(kind.value.clone());
                    }
                }
                desired.entitlements = Wish::Be(wished);
            }
            Operation::UserUpdate => {
                desired.attributes = self.attributes();
                desired.active = self.job.user.as_ref().and_then(|u| u.active);
                self.changeable(body, &desired, &wished)?;
                desired.entitlements = Wish::Be(wished);
            }
            Operation::UserDisable => desired.active = Some(false),
            Operation::UserEnable => desired.active = Some(true),
            Operation::EntitlementGrant => desired.entitlements = Wish::Add(wished),
            Operation::EntitlementRevoke => desired.entitlements = Wish::Remove(wished),
            _ => {}
        }
        Ok(desired)
    }

    /// The attributes that the job sends, without the identity and what only the gateway uses.
    fn attributes(&self) -> BTreeMap<String, String> {
        let identity =
            self.source.playbook.identity.as_ref().map_or("userName", |i| i.attribute.value.as_str());
        let user = self.job.user.as_ref();
        crate::playbook::check::ATTRIBUTES
            .iter()
            .filter(|name| **name != identity && !matches!(**name, "active" | "externalId" | "id"))
            .filter_map(|name| Some(((*name).to_owned(), attribute_of(user?, name)?)))
            .collect()
    }

    /// What the job asks for, by kind; unknown and conflicting ones are refused.
    fn entitlements(&self) -> Result<BTreeMap<String, Vec<String>>, Failure> {
        let playbook = &self.source.playbook;
        let mut wished: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for Entitlement { kind, value, .. } in &self.job.entitlements {
            let Some(rule) = playbook.entitlements.get(kind) else {
                let known = playbook.entitlements.names().collect::<Vec<_>>().join(", ");
                return Err(Failure::new(
                    Code::UnknownEntitlement,
                    format!("{} has no entitlements of type `{kind}`", playbook.app.value),
                )
                .hint(format!("it has: {known}")));
            };
            let values: Vec<&str> =
                rule.values().into_iter().flat_map(Values::listed).map(|v| v.value.as_str()).collect();
            let discovered = matches!(rule.values(), Some(Values::Discovered(_)));
            if !discovered && !values.contains(&value.as_str()) {
                return Err(Failure::new(
                    Code::UnknownEntitlement,
                    format!("{} has no {kind} `{value}`", playbook.app.value),
                )
                .hint(format!("it has: {}", values.join(", "))));
            }
            let list = wished.entry(kind.clone()).or_default();
            if !list.contains(value) {
                list.push(value.clone());
            }
            if rule.one_of.is_some() && list.len() > 1 {
                return Err(Failure::new(
                    Code::ConflictingEntitlements,
                    format!("a user has one {kind}; the job asks for {}", list.join(" and ")),
                ));
            }
        }
        for values in wished.values_mut() {
            values.sort();
        }
        Ok(wished)
    }

    /// How many entitlements one job may name, and which a new user can be given.
    fn bounded(&self, body: &OperationSteps, wished: &BTreeMap<String, Vec<String>>) -> Result<(), Failure> {
        let operation = self.job.operation;
        let asked: usize = wished.values().map(Vec::len).sum();
        if let Some(max) = &body.max
            && asked as u64 > max.value
        {
            let message = format!(
                "this app takes {} in one {operation}; the job names {asked}",
                if max.value == 1 {
                    "one entitlement".to_owned()
                } else {
                    format!("{} entitlements", max.value)
                }
            );
            return Err(Failure::new(Code::InvalidValue, message)
                .hint("send a job for each")
                .at(format!("{operation}.max"), self.source.place(max.span)));
        }
        if let Some(gives) = &body.gives
            && let Some(kind) = wished.keys().find(|kind| !gives.iter().any(|given| given.value == **kind))
        {
            let can: Vec<&str> = gives.iter().map(|given| given.value.as_str()).collect();
            let place = gives.first().map_or_else(String::new, |given| self.source.place(given.span));
            return Err(Failure::new(
                Code::InvalidValue,
                format!("{operation} cannot give `{kind}` in this app"),
            )
            .hint(format!("it can give: {}; grant the others afterwards", can.join(", ")))
            .at(format!("{operation}.gives"), place));
        }
        Ok(())
    }

    /// `user.update` says what it can change.
    fn changeable(
        &self,
        body: &OperationSteps,
        desired: &Desired,
        wished: &BTreeMap<String, Vec<String>>,
    ) -> Result<(), Failure> {
        let can: Vec<&str> = body.changes.iter().flatten().map(|c| c.value.as_str()).collect();
        let asked = desired.attributes.keys().chain(wished.keys()).map(String::as_str);
        let asked = asked.chain(desired.active.map(|_| "active"));
        for attribute in asked {
            if !can.contains(&attribute) {
                let at = self.source.playbook.operations.iter().find(|(name, _)| name.value == "user.update");
                let place = at.map_or_else(String::new, |(name, _)| self.source.place(name.span));
                return Err(Failure::new(
                    Code::InvalidValue,
                    format!("user.update cannot change `{attribute}` in this app"),
                )
                .hint(format!("it can change: {}; send nothing else", can.join(", ")))
                .at("user.update.changes", place));
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

    /// Refuses the job where it lacks what a template needs.
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

    /// The steps by which the service account signs in, and their name.
    fn sign_in(&self) -> Option<(&'static str, &List<Step>)> {
        let login = self.source.playbook.login.as_ref()?;
        match self.account.login {
            LoginMethod::Password => Some(("login.password", login.password.as_ref()?)),
            LoginMethod::Sso => Some(("login.sso", login.sso.as_ref()?)),
            LoginMethod::Token => None,
        }
    }
}

/// Gives steps their names and places: `user.create[4].do[0]`.
pub fn number(source: &Arc<Source>, steps: &[Step], prefix: &str) -> Vec<PlannedStep> {
    let place = |span: Span| source.place(span);
    numbered(source, &place, steps, prefix)
}

fn numbered(
    source: &Arc<Source>,
    place: &dyn Fn(Span) -> String,
    steps: &[Step],
    prefix: &str,
) -> Vec<PlannedStep> {
    let one = |(index, step): (usize, &Step)| {
        let id = format!("{prefix}[{index}]");
        let blocks = match &step.action {
            Action::Use(call) => {
                let module = source.loaded.modules.get(&call.module.value);
                let steps = module.and_then(|loaded| Some((loaded, loaded.module.as_ref()?)));
                steps
                    .map(|(loaded, module)| {
                        let place = |span: Span| loaded.place(span.start);
                        numbered(source, &place, &module.steps, &format!("{id}.use"))
                    })
                    .into_iter()
                    .collect()
            }
            action => action
                .blocks()
                .into_iter()
                .map(|(key, steps)| numbered(source, place, steps, &format!("{id}.{key}")))
                .collect(),
        };
        PlannedStep { at: place(step.at.span), id, step: step.clone(), blocks }
    };
    steps.iter().enumerate().map(one).collect()
}

/// What a user carries of an attribute, as text.
pub fn attribute_of(user: &User, attribute: &str) -> Option<String> {
    let value = serde_json::to_value(user).ok()?;
    let found = attribute.split('.').try_fold(&value, |value, key| value.get(key))?;
    match found {
        Value::String(text) => Some(text.clone()),
        Value::Bool(b) => Some(b.to_string()),
        Value::Number(n) => Some(n.to_string()),
        // Multi-valued: the primary one, else the first (RFC 7643 §2.4).
        Value::Array(items) => {
            let primary = items.iter().find(|item| item["primary"] == Value::Bool(true)).or(items.first())?;
            primary["value"].as_str().map(str::to_owned)
        }
        Value::Null | Value::Object(_) => None,
    }
}
