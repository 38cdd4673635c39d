//! One run and its parts. Each part has a file of its own. What a run does is in `perform`, `write`, `read` and `steps`.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    Conclusion, Environment,
    commit::Commit,
    credentials::Credentials,
    limits::READ_BACK_GRACE,
    notes::Notes,
    page::{Conversation, Front, StepError, Watch, WatchAction, WatchRule, millis},
    read::{Namesakes, Reading, Row},
};
use crate::{
    contract::{Code, Failure},
    event::EventKind,
    plan::{Plan, Scope},
    playbook::{
        Action, Locator, Step,
        locator::{By, Find, Name},
        syntax::{Login, Screen},
    },
    ports::driver::Page,
    query::{Condition, RequestRule, State},
};

/// A run under way.
pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) environment: &'a Environment<'a>,
    pub(super) credentials: Credentials,
    pub(super) notes: Notes,
    pub(super) attempt: Attempt,
}

/// One attempt of a run: from the sign-in to the end. A renewed session begins another one.
pub(super) struct Attempt {
    pub(super) scope: Scope,
    pub(super) front: Front,
    pub(super) watch: Watch,
    pub(super) commit: Commit,
    /// What is being read now.
    pub(super) reading: Option<Reading>,
    /// Who has which name, as far as lists were read.
    pub(super) namesakes: Namesakes,
    /// Do the cells of its lists come later than its rows? Seen where a cell was empty.
    pub(super) cells_come_later: Option<bool>,
    /// What is read of the user is read a moment later: the page may still change it.
    pub(super) is_patient: bool,
    /// What each part of a record showed, of the record that was read last.
    pub(super) parts: BTreeMap<usize, Vec<Row>>,
    /// How many times the list of users has changed while its pages were read.
    pub(super) list_moves: u32,
    /// The last exchange when a view was last opened.
    pub(super) opened: u64,
    /// While the steps of the operation are under way: the last exchange before them.
    pub(super) acting: Option<u64>,
    /// After the commit, the page has shown what a step expects. After the steps: and it has sent nothing.
    pub(super) confirmed: bool,
    /// What the steps under way may send before the commit.
    pub(super) sends: Vec<RequestRule>,
    /// The picture of the failure was taken where it happened.
    pub(super) pictured: bool,
    pub(super) conclusion: Conclusion,
}

impl Attempt {
    pub(super) fn new(plan: &Plan, page: Arc<dyn Page>) -> Self {
        let scope = plan.scope.clone();
        let playbook = &plan.playbook.playbook;
        let overlays = playbook.overlays.iter().enumerate().filter_map(|(index, overlay)| {
            let condition = visible(&scope, &overlay.when)?;
            Some(WatchRule { condition, action: WatchAction::Overlay(index) })
        });
        let mut rules: Vec<WatchRule> = overlays.collect();
        rules.extend(screens(&scope, &playbook.screens));
        let sign_in = playbook.login.as_ref().and_then(|login| sign_in_page(&scope, login));
        Self {
            front: Front::new(page),
            watch: Watch::new(rules, playbook.overlays.len(), sign_in),
            scope,
            commit: Commit::default(),
            reading: None,
            namesakes: Namesakes::default(),
            cells_come_later: None,
            is_patient: false,
            parts: BTreeMap::new(),
            list_moves: 0,
            opened: 0,
            acting: None,
            confirmed: false,
            sends: Vec::new(),
            pictured: false,
            conclusion: Conclusion::default(),
        }
    }
}

impl<'a> Run<'a> {
    pub(super) fn new(plan: &'a Plan, page: Arc<dyn Page>, environment: &'a Environment<'a>) -> Self {
        Self {
            plan,
            environment,
            credentials: Credentials::default(),
            notes: Notes::new(&plan.job, Arc::clone(&environment.events)),
            attempt: Attempt::new(plan, page),
        }
    }

    pub(super) fn into_conclusion(self) -> Conclusion {
        let Attempt { commit, conclusion, .. } = self.attempt;
        Conclusion {
            drift: self.notes.into_drift(),
            commit_reached: commit.reached(),
            ignored: self.plan.ignored.clone(),
            ..conclusion
        }
    }

    /// A window that was closed may be what the steps, or the commit, needed.
    pub(super) fn after_closed_window(&self, failure: Failure) -> Failure {
        let lacks = matches!(failure.code, Code::NothingSent | Code::TargetMissing | Code::UnexpectedPage);
        match &self.notes.closed_window {
            Some(address) if lacks => failure.also_hint(&format!(
                "a window was opened and closed ({address}): if a step opens it on purpose, put this step into `popup: {{ by: …, \
                 steps: … }}`"
            )),
            _ => failure,
        }
    }

    pub(super) fn emit(&self, kind: EventKind) {
        self.notes.emit(kind);
    }

    /// The conversation with the page in front.
    pub(super) fn page(&mut self) -> Conversation<'_> {
        let commit = &self.attempt.commit;
        Conversation {
            commit: commit.mark().filter(|_| commit.reached() && self.attempt.acting.is_some()),
            front: &mut self.attempt.front,
            watch: &self.attempt.watch,
            notes: &mut self.notes,
            mask: self.credentials.mask(),
        }
    }

    /// The end of a wait: never after the job's deadline. What a commit has done is still read after it.
    pub(super) fn until(&self, within: Duration) -> Instant {
        let grace = if self.attempt.commit.reached() { READ_BACK_GRACE } else { Duration::ZERO };
        (Instant::now() + within).min(self.environment.deadline + grace)
    }

    /// Called right before every input. See [`Commit::before_input`].
    pub(super) async fn before_input(&mut self) -> Result<(), StepError> {
        let Attempt { commit, front, .. } = &mut self.attempt;
        commit.before_input(self.environment.gate, &*front.page, &self.notes).await.map_err(StepError::Known)
    }

    /// Called at the end of a commit step. See [`Commit::take_back`].
    pub(super) async fn take_back(&mut self) {
        let Attempt { commit, front, .. } = &mut self.attempt;
        commit.take_back(self.environment.gate, &*front.page, &self.notes).await;
        if !self.attempt.commit.reached() {
            self.only_reads();
        }
    }

    /// Screens, as they are watched for in the scope of now.
    pub(super) fn watched_screens(&self, list: &[Screen]) -> Vec<WatchRule> {
        screens(&self.attempt.scope, list).collect()
    }

    /// The identity of the user that the job is about.
    pub(super) fn subject(&self) -> &str {
        self.plan.subject.as_ref().map_or("", |subject| subject.value.as_str())
    }

    pub(super) fn not_found(&self) -> Failure {
        let message = format!("the app has no user `{}`", self.subject());
        Failure::new(Code::UserNotFound, message)
    }
}

fn screens<'s>(scope: &'s Scope, list: &'s [Screen]) -> impl Iterator<Item = WatchRule> + 's {
    list.iter().filter_map(|screen| {
        let condition = visible(scope, &screen.when)?;
        Some(WatchRule { condition, action: WatchAction::Screen(screen.code) })
    })
}

/// A locator that cannot be made concrete was refused when the plan was made.
fn visible(scope: &Scope, locator: &Locator) -> Option<Condition> {
    scope.target(locator, false).ok().map(|target| Condition { target, state: State::Visible })
}

/// What is so where the sign-in page is in front: nobody is signed in, and the first field of the sign-in is there.
fn sign_in_page(scope: &Scope, login: &Login) -> Option<[Condition; 2]> {
    let ways = login.password.iter().chain(&login.sso).flat_map(|steps| steps.iter());
    let asks = ways.filter_map(first_control).next()?;
    let nobody = Condition { target: scope.target(&login.signed_in, false).ok()?, state: State::Hidden };
    Some([nobody, visible(scope, &asks)?])
}

/// The first control that a step fills.
fn first_control(step: &Step) -> Option<Locator> {
    match &step.action {
        Action::Fill(fill) => Some(fill.into.clone()),
        Action::Form(values) => values.iter().next().map(|(label, _)| {
            Locator::Find(Box::new(Find {
                by: By::Label(Name { text: label.clone(), pattern: false }),
                within: None,
                has: None,
                text: None,
                under: None,
                nth: None,
                exact: true,
                at: Default::default(),
            }))
        }),
        _ => None,
    }
}

/// Milliseconds since then.
pub(super) fn ms(since: Instant) -> u64 {
    millis(since.elapsed())
}

/// Milliseconds from one moment to another.
pub(super) fn ms_between(from: Instant, to: Instant) -> u64 {
    millis(to.saturating_duration_since(from))
}
