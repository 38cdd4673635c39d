//! The last moment before the app may change: does this worker still own the job?

use tokio::time::Instant;

use super::{
    limits::{PERMISSION_AGE, PERMISSIONS},
    notes::Notes,
    origin::StepFailure,
};
use crate::{
    contract::{Code, Failure},
    event::EventKind,
    ports::{
        driver::{Page, Sending},
        gate::Gate,
    },
};

/// The commit of one attempt: the step under way, and whether an input of it was sent.
#[derive(Debug, Default)]
pub(super) struct Commit {
    step: Option<CommitStep>,
    reached: bool,
    /// The last exchange before its first input.
    mark: Option<u64>,
    /// Was it reached before the last input?
    earlier: bool,
    /// The gate has granted it, and it is reported.
    granted: bool,
}

/// A commit step under way.
#[derive(Debug, Clone)]
pub(super) struct CommitStep {
    id: String,
    at_line: String,
    /// When the gate was asked that gave its permission.
    asked_at: Option<Instant>,
    /// Fields that the page had reset were set again.
    has_set_again: bool,
}

impl CommitStep {
    pub(super) fn new(id: &str, at_line: &str) -> Self {
        Self { id: id.to_owned(), at_line: at_line.to_owned(), asked_at: None, has_set_again: false }
    }
}

impl Commit {
    /// Was an input of a commit step sent? From then on the app may have changed.
    pub(super) fn reached(&self) -> bool {
        self.reached
    }

    /// The last exchange before its first input. What began later, it may have caused.
    pub(super) fn mark(&self) -> Option<u64> {
        self.mark
    }

    /// Is the next input the first one of a commit?
    pub(super) fn is_about_to_begin(&self) -> bool {
        self.step.is_some() && !self.reached
    }

    /// Is a commit step under way?
    pub(super) fn is_under_way(&self) -> bool {
        self.step.is_some()
    }

    /// The page has swallowed the last input as a whole: nothing came of it.
    pub(super) fn unheard(&mut self) {
        if self.step.is_some() {
            self.reached = self.earlier;
        }
    }

    /// Called at the end of a step. If every input was swallowed, the commit was not made, and its intent is removed.
    pub(super) async fn take_back(&mut self, gate: &dyn Gate, page: &dyn Page, notes: &Notes) {
        if self.reached || !self.granted {
            return;
        }
        self.granted = false;
        page.send_once(false).await;
        gate.withdraw().await;
        let what = "the commit was not made: none of its inputs was let through to the app".to_owned();
        notes.emit(EventKind::Noticed { what });
    }

    /// May fields that the page has reset be set again? Once in each commit step.
    pub(super) fn may_set_again(&mut self) -> bool {
        self.step.as_mut().is_some_and(|step| !std::mem::replace(&mut step.has_set_again, true))
    }

    /// Begins a step, or ends it with the one around it. Returns the step that was under way.
    pub(super) fn replace(&mut self, step: Option<CommitStep>) -> Option<CommitStep> {
        std::mem::replace(&mut self.step, step)
    }

    /// Called right before every input. In a commit step it asks the gate, unless it has just done so.
    pub(super) async fn before_input(
        &mut self,
        gate: &dyn Gate,
        page: &dyn Page,
        notes: &Notes,
    ) -> Result<(), StepFailure> {
        let Some(step) = &mut self.step else { return Ok(()) };
        self.earlier = self.reached;
        if step.asked_at.is_some_and(|asked| asked.elapsed() < PERMISSION_AGE) {
            self.reached = true;
            return Ok(());
        }
        for _ in 0..PERMISSIONS {
            // The age counts from the question: an answer that arrived while this worker was stopped is old.
            let asked = Instant::now();
            if let Err(failure) = gate.pass(&step.id).await {
                // An earlier question may have been granted, and nothing was pressed.
                if !self.reached {
                    self.granted = false;
                    gate.withdraw().await;
                }
                return Err(StepFailure::unanswered(failure));
            }
            if !self.granted {
                let (step, at_line) = (step.id.clone(), step.at_line.clone());
                notes.emit(EventKind::CommitReached { step, at_line });
                self.granted = true;
            }
            if asked.elapsed() < PERMISSION_AGE {
                self.reached = true;
                self.mark.get_or_insert_with(|| page.mark());
                page.send_once(true).await;
                page.may_send(Sending::Anything);
                step.asked_at = Some(asked);
                return Ok(());
            }
        }
        if !self.reached {
            self.granted = false;
            gate.withdraw().await;
        }
        let message = format!(
            "broker and journal were asked {PERMISSIONS} times whether this worker still has the job, and took longer than \
             {PERMISSION_AGE:?} each time"
        );
        let hint = "nothing was changed; see whether the broker, the journal or this machine is overloaded";
        Err(StepFailure::unanswered(Failure::new(Code::QueueLost, message).hint(hint)))
    }
}
