//! The plan: what the engine does for one job.

use std::sync::Arc;

use url::Url;

use super::{
    diff,
    scope::Scope,
    source::{Source, Subject},
};
use crate::{
    contract::{EvidencePolicy, Failure, LoginMethod, Mode, NewUser, Operation},
    playbook::{Action, Span, Step, syntax::Becomes},
    query::RequestRule,
};

/// The plan of one job.
#[derive(Debug, Clone)]
pub struct Plan {
    pub job: String,
    pub operation: Operation,
    pub mode: Mode,
    pub evidence: EvidencePolicy,
    /// The app's first address.
    pub start: Url,
    /// The only origins that pages may be on.
    pub origins: Vec<String>,
    /// The origins of the playbook itself, without those of modules.
    pub own_origins: Vec<String>,
    /// The user that the job is about.
    pub subject: Option<Subject>,
    /// The state that the job wants for the user.
    pub desired: diff::Desired,
    /// The steps of the operation; empty if it only reads.
    pub steps: Vec<PlannedStep>,
    /// How the service account signs in.
    pub login: LoginMethod,
    /// The state of a new user.
    pub becomes: Option<Becomes>,
    /// The view that a list operation reads.
    pub view: Option<String>,
    /// The service account and the protected users. A user with one of these names in the app is not changed.
    pub protected: Vec<String>,
    /// Attributes and kinds that the app changes automatically with this operation.
    pub also_changes: Vec<String>,
    /// Requests that only read, although their method may change something.
    pub reads: Vec<RequestRule>,
    /// What the job carries, no step uses, and no column reads.
    pub ignored: Vec<String>,
    /// The first secrets of the user that is created.
    pub new_user: Option<NewUser>,
    pub safeguard: Option<crate::contract::Safeguard>,
    pub scope: Scope,
    pub playbook: Arc<Source>,
}

/// A step with its name and place in events, results and errors.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedStep {
    /// `user.create[4]`
    pub id: String,
    /// `playbook.yaml:88:9`
    pub at: String,
    pub step: Step,
    /// The steps inside, in the order of [`Action::blocks`](crate::playbook::Action::blocks). For `use`: the steps of the module.
    pub blocks: Vec<Vec<PlannedStep>>,
}

impl PlannedStep {
    /// May this step change the app?
    pub fn commits(&self) -> bool {
        self.step.commits()
    }

    /// Adds this step's name and place to a failure that has none.
    pub fn blame(&self, failure: Failure) -> Failure {
        failure.at(&self.id, &self.at)
    }
}

/// Adds names and places to steps: `user.create[4].do[0]`.
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
