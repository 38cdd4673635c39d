//! Renders the templates of an operation before a browser opens, so that a job with a missing attribute is refused in time.
//!
//! A job is refused only if the failure is certain. Templates with a captured value are skipped, and so are steps with a `when`
//! that depends on the page. A `when` that depends only on the job is evaluated.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    condition::given,
    diff::{Desired, Wish},
    planned::PlannedStep,
    scope::Scope,
};
use crate::{
    contract::{Code, Failure, INITIAL_PASSWORD, Job, Mode, NewUser},
    playbook::{
        Action, At, Condition, FormValue, Locator, Step,
        step::{Fill, Use},
        syntax::FindUser,
        template,
        visit::StepPart,
    },
};

/// The largest depth of targets that refer to targets.
const DEPTH: usize = 16;

/// The names that are known before a browser opens, and their values.
pub(super) struct Known {
    scope: Scope,
    /// `user`, or `with.factor`.
    names: BTreeSet<String>,
    /// The first secrets of the new user. `None`: nothing will be typed.
    secrets: Option<BTreeSet<String>>,
}

impl Known {
    /// The names of an operation's steps.
    pub(super) fn of_job(job: &Job, scope: Scope, desired: &Desired) -> Self {
        let mut names: BTreeSet<String> =
            ["user", "settings", "account", "start", "asked"].map(str::to_owned).into();
        // What is left of a user's entitlements depends on what the user has.
        if !matches!(desired.entitlements, Wish::Remove(_)) {
            names.insert("entitlements".to_owned());
        }
        let secrets = job.new_user.iter().flat_map(NewUser::names).cloned().collect();
        Self { scope, names, secrets: (job.mode != Mode::Verify).then_some(secrets) }
    }

    /// Refuses the job if steps lack a value.
    pub(super) fn steps(&self, steps: &[PlannedStep]) -> Result<(), Failure> {
        steps.iter().try_for_each(|planned| self.step(planned))
    }

    /// Refuses the job if `find_user` lacks a value.
    pub(super) fn find_user(&self, find: &FindUser) -> Result<(), Failure> {
        let search = || {
            if let Some(search) = &find.search {
                self.locator(&search.into, 0)?;
                self.text(&search.value)?;
                if let Some(button) = &search.click {
                    self.locator(button, 0)?;
                }
            }
            find.absent.iter().try_for_each(|absent| self.locator(absent, 0))
        };
        search().map_err(|failure: Failure| of_step(failure, "find_user"))
    }

    /// Refuses the job if the address of a view lacks a value.
    pub(super) fn view(&self, name: &str, open: &At<String>) -> Result<(), Failure> {
        self.text(open).map_err(|failure| of_step(failure, &format!("views.{name}")))
    }

    fn step(&self, planned: &PlannedStep) -> Result<(), Failure> {
        let own = |failure| of_step(failure, &planned.id);
        let modifiers = &planned.step.modifiers;
        let when = modifiers.when.iter().map(|condition| (condition, true));
        for (condition, wanted) in when.chain(modifiers.unless.iter().map(|condition| (condition, false))) {
            self.condition(condition).map_err(own)?;
            if self.holds(condition) != Some(wanted) {
                return Ok(());
            }
        }
        if self.parts(&planned.step).map_err(own)? {
            self.blocks(planned)?;
        }
        Ok(())
    }

    /// Refuses the job if the step itself lacks a value. False: the step does nothing with this job.
    fn parts(&self, step: &Step) -> Result<bool, Failure> {
        if let Action::Move(moved) = &step.action
            && self.value(&moved.options)?.is_some_and(|value| leaves_alone(&value))
        {
            return Ok(false);
        }
        if let Action::Fill(Fill { secret: Some(name), .. }) = &step.action {
            self.first_secret(name)?;
        }
        let mut used = !matches!(step.action, Action::Form(_));
        for part in step.action.parts() {
            match part {
                StepPart::Locator(locator) => self.locator(locator, 0)?,
                StepPart::Text(text) => self.text(text)?,
                StepPart::Value(text) => drop(self.value(text)?),
                StepPart::Field(label, value) => used |= self.field(label, value)?,
                StepPart::Condition(condition) => self.condition(condition)?,
                StepPart::Block(..) => {}
            }
        }
        if used && let Some(within) = &step.modifiers.within {
            self.locator(within, 0)?;
        }
        Ok(used)
    }

    /// Refuses the job if the app asks for a first secret of the user, and the job gives none.
    fn first_secret(&self, name: &At<String>) -> Result<(), Failure> {
        let given = self.secrets.as_ref().is_none_or(|secrets| secrets.contains(&name.value));
        if name.value != INITIAL_PASSWORD || given {
            return Ok(());
        }
        let message = format!(
            "the app asks for a first password for the new user, but the job has no `{}`",
            name.value
        );
        Err(Failure::new(Code::MissingAttribute, message)
            .hint(format!(
                "send a reference, \"new_user\": {{\"secrets\": {{\"{0}\": \"env:NAME\"}}}}, or let the worker make one: \"new_user\": \
                 {{\"generate\": {{\"{0}\": {{}}}}, \"deliver_to\": \"age1…\"}}",
                name.value
            ))
            .at("", self.scope.place(name.span)))
    }

    fn blocks(&self, planned: &PlannedStep) -> Result<(), Failure> {
        let block = |index: usize| planned.blocks.get(index).map_or(Ok(()), |steps| self.steps(steps));
        match &planned.step.action {
            Action::Branch(branch) => match self.holds(&branch.condition) {
                Some(true) => block(0),
                Some(false) => block(1),
                None => Ok(()),
            },
            Action::Repeat(repeat) if self.holds(&repeat.until) == Some(true) => Ok(()),
            Action::Use(call) => {
                match (self.inside(call).map_err(|f| of_step(f, &planned.id))?, planned.blocks.first()) {
                    (Some(inner), Some(steps)) => inner.steps(steps),
                    _ => Ok(()),
                }
            }
            _ => planned.blocks.iter().try_for_each(|steps| self.steps(steps)),
        }
    }

    /// The names that the steps of a module know.
    fn inside(&self, call: &Use) -> Result<Option<Self>, Failure> {
        let Some(loaded) = self.scope.module(&call.module.value) else { return Ok(None) };
        let Some(module) = loaded.playable() else { return Ok(None) };
        let mut names = BTreeSet::from(["account".to_owned()]);
        let mut with = serde_json::Map::new();
        for (name, parameter) in module.parameters.iter() {
            if call.with.get(&name.value).is_none_or(|value| self.knows(value)) {
                with.insert(name.value.clone(), self.scope.parameter(call, name, parameter)?);
                names.insert(format!("with.{}", name.value));
            }
        }
        Ok(Some(Self { scope: self.scope.inside(&loaded, with), names, secrets: self.secrets.clone() }))
    }

    /// False: the control is left alone.
    fn field(&self, label: &At<String>, value: &FormValue) -> Result<bool, Failure> {
        match value {
            FormValue::Text(text) if self.value(text)?.is_some_and(|value| leaves_alone(&value)) => {
                return Ok(false);
            }
            FormValue::Many(many) => many.iter().try_for_each(|text| self.text(text))?,
            FormValue::Text(_) | FormValue::Clear => {}
        }
        self.text(label)?;
        Ok(true)
    }

    fn locator(&self, locator: &Locator, depth: usize) -> Result<(), Failure> {
        locator.templates().into_iter().try_for_each(|text| self.text(text))?;
        let targets = locator.names().into_iter().filter_map(|name| self.scope.named_target(&name.value));
        if depth < DEPTH {
            targets.into_iter().try_for_each(|target| self.locator(target, depth + 1))
        } else {
            Ok(())
        }
    }

    /// Refuses the job if the condition lacks a value. Parts after the deciding part are skipped.
    fn condition(&self, condition: &Condition) -> Result<(), Failure> {
        match condition {
            Condition::Visible(locator) | Condition::Enabled(locator) | Condition::Disabled(locator) => {
                self.locator(locator, 0)
            }
            Condition::Not(inner) => self.condition(inner),
            Condition::All(several) => self.several(several, false),
            Condition::Any(several) => self.several(several, true),
            Condition::Given(text) => self.value(text).map(drop),
        }
    }

    fn several(&self, several: &[Condition], decides: bool) -> Result<(), Failure> {
        for condition in several {
            self.condition(condition)?;
            if self.holds(condition) == Some(decides) {
                break;
            }
        }
        Ok(())
    }

    /// Is the condition true? `None` if it depends on the page.
    fn holds(&self, condition: &Condition) -> Option<bool> {
        match condition {
            Condition::Visible(_) | Condition::Enabled(_) | Condition::Disabled(_) => None,
            Condition::Not(inner) => self.holds(inner).map(|so| !so),
            Condition::All(several) => all(several.iter().map(|one| self.holds(one)), true),
            Condition::Any(several) => all(several.iter().map(|one| self.holds(one)), false),
            Condition::Given(text) => self.value(text).ok().flatten().map(|value| given(&value)),
        }
    }

    fn text(&self, text: &At<String>) -> Result<(), Failure> {
        if self.knows(text) { self.scope.text(text).map(drop) } else { Ok(()) }
    }

    /// The result of a template, if all its names are known.
    fn value(&self, text: &At<String>) -> Result<Option<Value>, Failure> {
        self.knows(text).then(|| self.scope.value(text)).transpose()
    }

    fn knows(&self, text: &At<String>) -> bool {
        let known = |name: &String| {
            let mut parts = name.splitn(3, '.');
            let first = parts.next().unwrap_or_default();
            self.names.contains(first)
                || parts.next().is_some_and(|second| self.names.contains(&format!("{first}.{second}")))
        };
        template::names(&text.value).is_ok_and(|names| names.iter().all(known))
    }
}

/// `wanted` if all values equal `wanted`; the opposite if one value is the opposite; otherwise unknown.
fn all(several: impl Iterator<Item = Option<bool>>, wanted: bool) -> Option<bool> {
    let mut known = true;
    for one in several {
        match one {
            Some(so) if so != wanted => return one,
            Some(_) => {}
            None => known = false,
        }
    }
    known.then_some(wanted)
}

fn leaves_alone(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

fn of_step(failure: Failure, step: &str) -> Failure {
    Failure { step: Some(step.to_owned()), ..failure }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use serde_json::json;

    use crate::{
        contract::{Code, Failure, Job, LoginMethod},
        plan::{Account, Source, compile},
        playbook::{Modules, load, load_module},
    };

    const PLAYBOOK: &str = r#"
playbook: 1
app: beacon
version: 1.0.0
start: https://app.example.com
origins: [https://app.example.com]
entitlements:
  role: { one_of: [Member, Admin] }
  team: { any_of: [Sales, Support] }
targets:
  greeting: { status: "Hello {{ user.nickName }}" }
  around: { button: Save, in: greeting }
views:
  members:
    open: /members
    rows: { in: { table: Members } }
    columns: { userName: { column: Email }, role: { column: Role } }
find_user: { view: members, absent: { text: Nobody } }
login:
  signed_in: { link: Members }
  password: [ { open: /login } ]
operations:
  user.create:
    steps:
      - { click: { button: Save }, commit: true }
      - STEP
  entitlement.revoke:
    steps:
      - click: { button: "Revoke {{ asked.role }}", in: user row }
        commit: true
"#;

    const MODULE: &str = r#"
module: 1
parameters: { nick: {}, plain: { default: none, pattern: "[a-z]+" } }
steps:
  - fill: { into: { label: Nick }, value: "{{ with.nick }}" }
  - { fill: { into: { label: Plain }, value: "{{ with.plain }}" }, when: { given: "{{ with.nick }}" } }
"#;

    fn compiled(playbook: &str, app: &str, job: serde_json::Value) -> Result<(), Failure> {
        let modules: Modules =
            [("shared/nick".to_owned(), Arc::new(load_module("playbooks/shared/nick.yaml", MODULE)))].into();
        let loaded = load("playbook.yaml", app, playbook, &modules);
        assert!(loaded.playable().is_some(), "{:#?}", loaded.findings);
        let source = Arc::new(Source::new(loaded).expect("it can be played"));
        let job: Job = serde_json::from_value(job).expect("a job");
        let settings = BTreeMap::from([("business_id".to_owned(), "acme".to_owned())]);
        let account = Account {
            username: "ops@acme.example",
            login: LoginMethod::Password,
            settings: &settings,
            protected: &[],
        };
        compile(&job, &source, &account).map(drop)
    }

    fn job(operation: &str, user: serde_json::Value) -> serde_json::Value {
        json!({
            "id": "j-1", "app": "beacon", "operation": operation, "user": user,
            "integration": { "id": "beacon-acme" },
        })
    }

    /// With a job that carries a title and no nick name.
    fn created(step: &str) -> Result<(), Failure> {
        let user = json!({ "userName": "ada@acme.example", "title": "Clerk" });
        compiled(&PLAYBOOK.replace("STEP", step), "beacon", job("user.create", user))
    }

    #[test]
    fn a_missing_attribute_is_refused_wherever_its_template_is() {
        let places = [
            ("", r#"open: "/people/{{ user.nickName }}""#),
            ("", r#"click: { button: "Edit {{ user.nickName }}" }"#),
            ("", r#"click: { button: Edit, in: { dialog: "Edit {{ user.nickName }}" } }"#),
            ("", r#"click: { row: ~, has: { link: "{{ user.nickName }}" } }"#),
            ("", r#"click: { button: Edit, under: "{{ user.nickName }}" }"#),
            ("", r#"click: { row: ~, text: "{{ user.nickName }}" }"#),
            ("", r#"click: [ { button: Edit }, { testid: "edit-{{ user.nickName }}" } ]"#),
            ("", "click: around"),
            ("", r#"{ click: greeting, optional: true }"#),
            ("", r#"fill: { into: { label: Nick }, value: "{{ user.nickName }}" }"#),
            ("", r#"form: { Nick: "called {{ user.nickName }}" }"#),
            ("", r#"form: { Nick: [ a, "{{ user.nickName }}" ] }"#),
            ("", r#"form: { "{{ user.nickName }}": x }"#),
            ("", r#"{ form: { Title: "{{ user.title }}" }, in: { dialog: "{{ user.nickName }}" } }"#),
            ("", r#"choose: { option: "{{ user.nickName }}", from: { label: Nick } }"#),
            ("", r#"choose: { option: Nick, from: { label: "{{ user.nickName }}" } }"#),
            (
                "",
                r#"move: { options: "{{ user.title }}", from: { label: A }, into: { label: "{{ user.nickName }}" }, by: { button: to }, back: { button: fro } }"#,
            ),
            ("", r#"check: { label: "{{ user.nickName }}" }"#),
            ("", r#"uncheck: { label: "{{ user.nickName }}" }"#),
            ("", r#"hover: { row: "{{ user.nickName }}" }"#),
            ("", r#"scroll_to: { heading: "{{ user.nickName }}" }"#),
            ("", r#"expect: { status: "Invited {{ user.nickName }}" }"#),
            ("", r#"expect: { not: { status: "Invited {{ user.nickName }}" } }"#),
            ("", r#"expect: { enabled: { button: "{{ user.nickName }}" } }"#),
            (
                "",
                r#"expect: { any: [ { status: Invite sent }, { status: "Invited {{ user.nickName }}" } ] }"#,
            ),
            (
                "",
                r#"expect: { all: [ { status: Invite sent }, { not: { any: [ { status: "{{ user.nickName }}" } ] } } ] }"#,
            ),
            ("", r#"expect: { given: "{{ user.title }} {{ user.nickName }}" }"#),
            ("", r#"{ click: { button: Save }, when: { status: "Hi {{ user.nickName }}" } }"#),
            ("", r#"{ click: { button: Save }, unless: { status: "Hi {{ user.nickName }}" } }"#),
            ("", r#"{ click: { button: "{{ user.nickName }}" }, when: { given: "{{ user.title }}" } }"#),
            ("", r#"{ click: { button: "{{ user.nickName }}" }, unless: { given: "{{ user.nickName }}" } }"#),
            ("", r#"{ capture: { text_of: { testid: "id-{{ user.nickName }}" } }, as: id }"#),
            ("", r#"{ capture: { attribute: href, of: { link: "{{ user.nickName }}" } }, as: id }"#),
            ("", r#"upload: { into: { label: File }, name: users.csv, content: "{{ user.nickName }}" }"#),
            ("", r#"upload: { into: { label: File }, name: "{{ user.nickName }}.csv", content: x }"#),
            (".by[0]", r#"download: { by: { click: { link: "{{ user.nickName }}" } }, max: 1MiB }"#),
            (
                ".by[0]",
                r#"popup: { by: { click: { link: "{{ user.nickName }}" } }, steps: [ { click: { button: OK } } ] }"#,
            ),
            (
                ".steps[0]",
                r#"popup: { by: { click: { link: More } }, steps: [ { click: { button: "{{ user.nickName }}" } } ] }"#,
            ),
            (
                "",
                r#"repeat: { until: { heading: "{{ user.nickName }}" }, max: 2, do: [ { click: { button: Next } } ] }"#,
            ),
            (
                ".do[0]",
                r#"repeat: { until: { heading: May }, max: 2, do: [ { click: { button: "{{ user.nickName }}" } } ] }"#,
            ),
            ("", r#"{ when: { status: "{{ user.nickName }}" }, do: [ { click: { button: Next } } ] }"#),
            (
                ".do[0]",
                r#"{ when: { given: "{{ user.title }}" }, do: [ { click: { button: "{{ user.nickName }}" } } ] }"#,
            ),
            (
                ".else[0]",
                r#"{ when: { given: "{{ user.nickName }}" }, do: [ { click: { button: A } } ], else: [ { click: { button: "{{ user.nickName }}" } } ] }"#,
            ),
            (
                ".do[0].do[0]",
                r#"{ when: { not: { given: "{{ user.nickName }}" } }, do: [ { repeat: { until: { heading: May }, max: 2, do: [ { click: greeting } ] } } ] }"#,
            ),
            ("", r#"use: { module: shared/nick, with: { nick: "x {{ user.nickName }}" } }"#),
            (".use[0]", r#"use: { module: shared/nick, with: { nick: "{{ user.nickName }}" } }"#),
            ("", r#"click: { button: "{{ entitlements.role }}" }"#),
            ("", r#"click: { button: "{{ asked.role }}" }"#),
        ];
        let line = PLAYBOOK.lines().position(|line| line.contains("STEP")).map_or(0, |index| index + 1);
        for (inside, step) in places {
            let refused = created(step).expect_err(step);
            assert_eq!(refused.code, Code::MissingAttribute, "{step}: {refused}");
            assert_eq!(refused.step, Some(format!("user.create[1]{inside}")), "{step}");
            let at = refused.at.clone().unwrap_or_default();
            let named = step.contains("greeting") || step.contains("around") || inside == ".use[0]";
            assert!(named || at.starts_with(&format!("playbook.yaml:{line}:")), "{step}: {at}");
        }
    }

    #[test]
    fn an_answer_needs_what_it_says() {
        for says in [r#"says: "Invite {{ user.nickName }}?""#, r#"text: "{{ user.nickName }}""#] {
            let step = format!("answer: {{ with: accept, {says} }}\n      - click: {{ button: Save }}");
            assert_eq!(created(&step).map_err(|refused| refused.code), Err(Code::MissingAttribute), "{says}");
        }
    }

    #[test]
    fn what_may_be_left_out_is_not_missed() {
        let fine = [
            r#"form: { Nick: "{{ user.nickName }}", Title: "{{ user.title }}" }"#,
            r#"{ form: { "{{ user.nickName }}": "{{ user.nickName }}" }, in: { dialog: "{{ user.nickName }}" } }"#,
            r#"fill: { into: { label: Nick }, value: "{{ user.nickName | default('none') }}" }"#,
            r#"move: { options: "{{ user.nickName }}", from: { label: "{{ user.nickName }}" }, into: { label: B }, by: { button: to }, back: { button: fro } }"#,
            r#"{ click: { button: "{{ user.nickName }}" }, when: { given: "{{ user.nickName }}" } }"#,
            r#"{ click: { button: "{{ user.nickName }}" }, when: { given: "{{ user.nickName is defined }}" } }"#,
            r#"{ click: { button: "{{ user.nickName }}" }, unless: { not: { given: "{{ user.nickName }}" } } }"#,
            r#"{ click: { button: "{{ user.nickName }}" }, when: { dialog: What is your nick name? } }"#,
            r#"{ click: { button: Save }, when: { all: [ { given: "{{ user.nickName }}" }, { status: "{{ user.nickName }}" } ] } }"#,
            r#"{ click: { button: Save }, when: { any: [ { given: "{{ user.title }}" }, { status: "{{ user.nickName }}" } ] } }"#,
            r#"{ when: { given: "{{ user.nickName }}" }, do: [ { click: { button: "{{ user.nickName }}" } } ], else: [ { click: { button: Skip } } ] }"#,
            r#"{ when: { dialog: Nick }, do: [ { click: { button: "{{ user.nickName }}" } } ] }"#,
            r#"repeat: { until: { given: "{{ user.title }}" }, max: 2, do: [ { click: { button: "{{ user.nickName }}" } } ] }"#,
            r#"use: { module: shared/nick, with: { nick: "{{ user.title }}" } }"#,
            r#"click: { button: "{{ user.title }}" }"#,
        ];
        for step in fine {
            assert_eq!(created(step), Ok(()), "{step}");
        }
        let captured = r#"{ capture: { text_of: { testid: id } }, as: nick }
      - use: { module: shared/nick, with: { nick: "{{ nick }}", plain: "{{ nick }}" } }"#;
        assert_eq!(created(captured), Ok(()));
    }

    #[test]
    fn a_module_is_given_what_its_pattern_wants() {
        let call = |plain: &str| {
            created(&format!("use: {{ module: shared/nick, with: {{ nick: x, plain: '{plain}' }} }}"))
        };
        assert_eq!(call("{{ user.title | lower }}"), Ok(()));
        assert_eq!(call("{{ user.title }}").map_err(|refused| refused.code), Err(Code::InvalidValue));
    }

    #[test]
    fn an_entitlement_that_is_taken_away_is_one_that_the_job_names() {
        let playbook = PLAYBOOK.replace("STEP", "click: { button: Done }");
        let user = json!({ "userName": "ada@acme.example" });
        let revoke = |kind: &str, value: &str| {
            let mut job = job("entitlement.revoke", user.clone());
            job["entitlements"] = json!([{ "type": kind, "value": value }]);
            compiled(&playbook, "beacon", job).map_err(|refused| refused.code)
        };
        assert_eq!(revoke("role", "Admin"), Ok(()));
        assert_eq!(revoke("team", "Sales"), Err(Code::InvalidValue), "no step takes away a team");
    }

    #[test]
    fn the_search_for_the_user_needs_its_value() {
        let searched = |search: &str| {
            let playbook = PLAYBOOK.replace("STEP", "click: { button: Done }").replace(
                "find_user: {",
                &format!("find_user: {{ search: {{ into: {{ label: Search }}, value: \"{search}\" }},"),
            );
            let user = json!({ "userName": "ada@acme.example" });
            compiled(&playbook, "beacon", job("user.create", user)).map_err(|refused| refused.step)
        };
        assert_eq!(searched("{{ user.userName }}"), Ok(()));
        assert_eq!(searched("{{ user.nickName }}"), Err(Some("find_user".to_owned())));
    }

    /// The last step would fail after the commit, with the user made.
    #[test]
    fn ledgerly_refuses_before_the_commit_what_its_last_step_lacks() {
        let sent = "      - expect: { status: Invite sent }";
        let either = r#"      - expect: { any: [ { status: "Invited {{ user.nickName }}" }, { status: Invite sent } ] }"#;
        let playbook = include_str!("../../playbooks/ledgerly/playbook.yaml").replacen(sent, either, 1);
        let line = playbook.lines().position(|line| line == either).map_or(0, |index| index + 1);
        let mut job = job(
            "user.create",
            json!({
                "userName": "ada@acme.example", "name": { "givenName": "Ada", "familyName": "Byron" },
            }),
        );
        let refused = compiled(&playbook, "ledgerly", job.clone()).expect_err("without a nick name");
        assert_eq!((refused.code, refused.step.as_deref()), (Code::MissingAttribute, Some("user.create[4]")));
        assert_eq!(refused.at, Some(format!("playbook.yaml:{line}:36")));
        job["user"]["nickName"] = json!("Ada");
        assert_eq!(compiled(&playbook, "ledgerly", job), Ok(()));
    }
}
