//! Makes a plan from a playbook and a job, or refuses the job before a browser opens.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::{
    account::Account,
    address,
    carried::{self, attribute_of},
    diff::{Desired, as_template_value},
    missing::Known,
    planned::{Plan, PlannedStep, number},
    scope::Scope,
    source::{Source, Subject},
    wish,
};
use crate::{
    contract::{Code, Failure, Job, LoginMethod, Operation},
    playbook::{
        Span, Step,
        at::List,
        request::RequestPattern,
        syntax::{OperationSteps, View},
    },
    query::{same, visible},
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
        let own_origins = origins.clone();
        let mut desired = wish::desired(self.job, self.source, &body)?;
        self.required(&body)?;
        let mut user = self.job.user.as_ref().map_or_else(|| json!({}), carried::in_templates);
        as_seen(&mut user, subject.as_ref());
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
        let ignored = carried::ignored(self.job, self.source, body.steps.as_deref(), &scope, &mut desired);
        self.nothing_ignored(&ignored)?;
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
            own_origins,
            subject,
            desired,
            steps,
            login: self.account.login,
            becomes: body.becomes.as_ref().map(|becomes| becomes.value),
            view: body.view.as_ref().map(|view| view.value.clone()),
            protected: self
                .account
                .protected
                .iter()
                .cloned()
                .chain([self.account.username.to_owned()])
                .collect(),
            also_changes: body.also_changes.iter().map(|name| name.value.clone()).collect(),
            reads: self.source.playbook.reads.iter().filter_map(RequestPattern::rule).collect(),
            ignored,
            new_user: self.job.new_user.clone(),
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
        match value.and_then(|value| visible(&value)) {
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
        let user = self.job.user.as_ref();
        let mut names = vec![subject.value.as_str()];
        names.extend(user.and_then(|user| user.user_name.as_deref()));
        names.extend(user.into_iter().flat_map(|user| &user.emails).map(|email| email.value.as_str()));
        let is_one_of = |name: &str| names.iter().any(|one| same(one, name, true));
        if is_one_of(self.account.username) {
            return Err(Failure::new(
                Code::ProtectedPrincipal,
                "the user is the service account of this integration",
            )
            .hint("change the service account in the app itself"));
        }
        if self.account.protected.iter().any(|name| is_one_of(name)) {
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

    /// Refuses an update, grant or revoke that asks for something which no step does and no column reads.
    fn nothing_ignored(&self, ignored: &[String]) -> Result<(), Failure> {
        let operation = self.job.operation;
        let is_asked = |name: &&String| match operation {
            Operation::UserUpdate => *name != "groups" && !name.contains('['),
            Operation::EntitlementGrant | Operation::EntitlementRevoke => true,
            _ => false,
        };
        match ignored.iter().find(is_asked) {
            None => Ok(()),
            Some(name) => {
                let message = format!("no step of {operation} uses `{name}`, and no column reads it");
                Err(Failure::new(Code::InvalidValue, message)
                    .hint("leave it out of the job, or use it in the steps of the playbook"))
            }
        }
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
        let known = Known::of_job(self.job, scope.clone(), desired);
        let playbook = &self.source.playbook;
        if let Some((way, signing_in)) = self.sign_in() {
            known.steps(&number(self.source, signing_in, way))?;
        }
        let find = playbook.find_user.as_ref().filter(|_| self.job.operation.about_a_user());
        for name in find.iter().map(|find| &find.view).chain(body.every_view()) {
            let Some(view) = playbook.views.get(&name.value) else { continue };
            self.nothing_missing_in(&name.value, view, &known)?;
            for (name, other) in view.also.iter().zip(&view.joined) {
                self.nothing_missing_in(&name.value, other, &known)?;
            }
        }
        find.map_or(Ok(()), |find| known.find_user(find))?;
        known.steps(steps)
    }

    /// Refuses the job if it lacks a value that a view needs.
    fn nothing_missing_in(&self, name: &str, view: &View, known: &Known) -> Result<(), Failure> {
        known.view(name, &view.open)?;
        let own = view.prepare.iter().map(|steps| (format!("views.{name}.prepare"), steps));
        let parts = view.detail.iter().enumerate();
        let parts = parts.filter_map(|(index, part)| {
            Some((format!("views.{name}.detail[{index}].prepare"), part.prepare.as_ref()?))
        });
        for (prefix, steps) in own.chain(parts) {
            known.steps(&number(self.source, steps, &prefix))?;
        }
        Ok(())
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

/// Types what identifies a person as it is compared: without invisible characters, and without blanks at its ends.
fn as_seen(user: &mut Value, subject: Option<&Subject>) {
    let clean = |value: &mut Value| {
        if let Some(seen) = value.as_str().and_then(visible) {
            *value = Value::from(seen);
        }
    };
    if let Some(subject) = subject {
        let pointer = format!("/{}", subject.attribute.replace('.', "/"));
        user.pointer_mut(&pointer).into_iter().for_each(clean);
    }
    user.pointer_mut("/userName").into_iter().for_each(clean);
    let emails = user.pointer_mut("/emails").and_then(Value::as_array_mut);
    emails.into_iter().flatten().filter_map(|email| email.get_mut("value")).for_each(clean);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::{At, Modules, load};

    const PLAYBOOK: &str = r#"
playbook: 1
app: beacon
version: 1.0.0
start: https://app.example.com
origins: [https://app.example.com]
identity: externalId
views:
  people:
    open: /people
    rows: { in: { table: People } }
    columns: { externalId: { column: No. }, userName: { column: User }, emails: { column: Mail } }
    unread: [displayName, department, "urn:acme:badge:1.0:User:colour"]
find_user: { view: people, absent: { text: Nobody } }
login:
  signed_in: { link: People }
  password: [ { open: /login } ]
operations:
  user.delete:
    steps:
      - { click: { button: Delete, in: user row }, commit: true }
  user.create:
    steps:
      - form: { Name: "{{ user.displayName }}", Mail: "{{ user.emails | primary }}", City: "{{ user.addresses[0].locality }}" }
      - { click: { button: Save }, commit: true }
  user.update:
    changes: [displayName, department, "urn:acme:badge:1.0:User:colour"]
    steps:
      - form:
          Name: "{{ user.displayName }}"
          Department: "{{ user.department }}"
          Badge: "{{ user['urn:acme:badge:1.0:User'].colour }}"
      - { click: { button: Save, in: user row }, commit: true }
"#;

    const ENTERPRISE: &str = carried::ENTERPRISE;

    fn plan(identity: &str, operation: &str, user: Value) -> Result<Plan, Failure> {
        let text = PLAYBOOK.replace("identity: externalId", &format!("identity: {identity}"));
        let loaded = load("playbook.yaml", "beacon", &text, &Modules::default());
        let source = Arc::new(Source::new(loaded).expect("it can be played"));
        let job: Job = serde_json::from_value(json!({
            "id": "j-1", "app": "beacon", "operation": operation, "user": user,
            "integration": { "id": "beacon-acme" },
        }))
        .expect("a job");
        let account = Account {
            username: "svc@acme.example",
            login: LoginMethod::Password,
            settings: &BTreeMap::new(),
            protected: &["JÖRG@acme.example".to_owned()],
        };
        compile(&job, &source, &account)
    }

    #[test]
    fn protected_users_are_known_by_every_identifier_and_spelling() {
        let code = |identity: &str, user: Value| {
            plan(identity, "user.delete", user).map_err(|refused| refused.code).err()
        };
        let protected = Some(Code::ProtectedPrincipal);
        assert_eq!(
            code("externalId", json!({ "externalId": "7", "userName": "svc@acme.example" })),
            protected
        );
        assert_eq!(
            code("externalId", json!({ "externalId": "7", "userName": "SVC@acme.example" })),
            protected
        );
        let email = json!({ "externalId": "7", "emails": [{ "value": "svc@acme.example" }] });
        assert_eq!(code("externalId", email), protected);
        for spelling in ["jörg@acme.example", "jo\u{308}rg@acme.example", "J\u{200B}ÖRG@acme.example"] {
            assert_eq!(code("userName", json!({ "userName": spelling })), protected, "{spelling}");
        }
        assert_eq!(code("externalId", json!({ "externalId": "7", "userName": "ada@acme.example" })), None);
    }

    #[test]
    fn an_identity_is_typed_as_it_is_compared() {
        let user =
            json!({ "userName": " ada@\u{200B}acme.example ", "emails": [{ "value": "\u{FEFF}a@x " }] });
        let done = plan("userName", "user.delete", user).expect("a plan");
        assert_eq!(done.subject.map(|subject| subject.value).as_deref(), Some("ada@acme.example"));
        let typed =
            |template: &str| done.scope.text(&At { value: template.to_owned(), span: Span::default() });
        let both = typed("{{ user.userName }}/{{ user.emails[0].value }}");
        assert_eq!(both, Ok("ada@acme.example/a@x".to_owned()));
        let nothing = plan("userName", "user.delete", json!({ "userName": " \u{200B} " }));
        assert_eq!(nothing.map(drop).map_err(|refused| refused.code), Err(Code::MissingAttribute));
    }

    #[test]
    fn an_attribute_of_an_extension_is_not_dropped_without_a_word() {
        let refused = |user: Value| {
            let refused = plan("externalId", "user.update", user).map(drop);
            refused.map_err(|refused| (refused.code, refused.message.split('`').nth(1).map(str::to_owned)))
        };
        let cannot = |name: &str| Err((Code::InvalidValue, Some(name.to_owned())));
        let cost = json!({ "externalId": "7", ENTERPRISE: { "costCenter": "7" } });
        assert_eq!(refused(cost), cannot("costCenter"));
        let other = json!({ "externalId": "7", "urn:acme:badge:1.0:User": { "colour": "red", "size": 3 } });
        assert_eq!(refused(other), cannot("urn:acme:badge:1.0:User:size"));
        let photos = json!({ "externalId": "7", "photos": [{ "value": "https://a.example/1" }] });
        assert_eq!(refused(photos), cannot("photos"));
        let groups = json!({ "externalId": "7", "displayName": "Ada", "groups": [{ "value": "g1" }] });
        assert_eq!(refused(groups), Ok(()), "a directory's own");
    }

    #[test]
    fn what_an_extension_says_can_be_changed() {
        let user = json!({
            "externalId": "7", ENTERPRISE: { "department": "Sales" }, "urn:acme:badge:1.0:User": { "colour": "red" },
        });
        let done = plan("externalId", "user.update", user).expect("a plan");
        let wished: Vec<(&str, &str)> =
            done.desired.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(wished, [("department", "Sales"), ("urn:acme:badge:1.0:User:colour", "red")]);
        assert_eq!(done.ignored, [""; 0]);
        let typed = |template: &str| {
            done.scope.text(&At { value: template.to_owned(), span: Span::default() }).expect("a text")
        };
        assert_eq!(typed("{{ user.department }}"), "Sales");
        assert_eq!(typed("{{ user['urn:acme:badge:1.0:User'].colour }}"), "red");
    }

    #[test]
    fn a_whole_user_is_accepted_and_what_nothing_uses_is_named() {
        let user = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
            "id": "2819", "externalId": "7", "userName": "ada", "meta": { "resourceType": "User" },
            "name": { "formatted": "Ada Byron", "givenName": "Ada" }, "displayName": "Ada", "active": true,
            "emails": [{ "value": "a@home.example" }, { "value": "a@work.example", "primary": true }],
            "phoneNumbers": [], "photos": [{ "value": "https://a.example/1", "type": "photo" }], "nickName": null,
            "addresses": [{ "locality": "Paris", "country": "FR" }], "groups": [{ "value": "g1" }],
            ENTERPRISE: { "department": "Sales", "manager": { "value": "26", "displayName": "Bo" } },
            "urn:acme:badge:1.0:User": { "colour": "red" },
        });
        let done = plan("externalId", "user.create", user).expect("a plan");
        let mut ignored = done.ignored.clone();
        ignored.sort();
        let names = [
            "active",
            "department",
            "emails[0]",
            "groups",
            "manager",
            "name.formatted",
            "name.givenName",
            "photos",
            "urn:acme:badge:1.0:User:colour",
        ];
        assert_eq!(ignored, names);
        let wished: Vec<&String> = done.desired.attributes.keys().collect();
        assert_eq!(wished, ["addresses.country", "addresses.locality", "displayName", "emails", "userName"]);
    }
}
