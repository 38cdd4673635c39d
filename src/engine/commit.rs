//! The last moment before the app may change: do we still own the job?

use std::time::Duration;

use tokio::time::Instant;

use super::{origin::StepFailure, page::Trouble, run::Run};
use crate::{
    contract::{Code, Failure},
    event::EventKind,
    plan::PlannedStep,
};

/// How old the gate's word may be when the input is sent. Whoever was stopped for longer asks again.
const FRESH: Duration = Duration::from_secs(1);
/// How often it is asked before one input, on a machine that is too busy to be quick.
const ASKED_AT_MOST: usize = 10;

/// A commit step under way.
#[derive(Debug, Clone)]
pub(super) struct Commit {
    step: String,
    at_line: String,
    /// When the gate was asked that let it pass.
    passed: Option<Instant>,
}

impl Commit {
    pub(super) fn of(planned: &PlannedStep) -> Self {
        Self { step: planned.id.clone(), at_line: planned.at.clone(), passed: None }
    }
}

impl Run<'_> {
    /// Comes right before every input. In a commit step it asks the gate, unless it has just done so.
    pub(super) async fn before_input(&mut self) -> Result<(), Trouble> {
        let Some(mut commit) = self.commit.clone() else { return Ok(()) };
        if commit.passed.is_some_and(|asked| asked.elapsed() < FRESH) {
            return Ok(());
        }
        let mut told = self.conclusion.commit_reached;
        for _ in 0..ASKED_AT_MOST {
            // The time counts from the question: an answer that waited while we were stopped is an old one.
            let asked = Instant::now();
            if let Err(failure) = self.world.gate.pass(&commit.step).await {
                // It may have been let pass a moment ago, and nothing was pressed.
                self.withdraw().await;
                return Err(StepFailure::unanswered(failure).into());
            }
            if !told {
                let (step, at_line) = (commit.step.clone(), commit.at_line.clone());
                self.emit(EventKind::CommitReached { step, at_line });
                told = true;
            }
            if asked.elapsed() < FRESH {
                self.conclusion.commit_reached = true;
                self.page.send_once(true);
                commit.passed = Some(asked);
                self.commit = Some(commit);
                return Ok(());
            }
        }
        self.withdraw().await;
        let message = format!("whether the job is still ours took over {FRESH:?} to learn, each time");
        Err(Failure::new(Code::QueueLost, message).into())
    }

    /// No input of a commit was sent yet.
    async fn withdraw(&self) {
        if !self.conclusion.commit_reached {
            self.world.gate.withdraw().await;
        }
    }
}
