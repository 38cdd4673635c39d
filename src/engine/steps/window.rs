//! What a step opens besides its page: windows, native dialogs, files. And the steps of modules.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::time::Instant;

use super::{
    super::{
        limits::{CLOSING_TIME, DIALOG_SLICE, DIALOG_TIME, POLL},
        origin::StepFailure,
        page::{ExpectedDialog, Front, StepError, unexpected},
        run::Run,
    },
    Flow,
};
use crate::{
    contract::{Code, Failure},
    plan::PlannedStep,
    playbook::{
        locator::Name,
        step::{AnswerDialog, Download, Reply, Upload, Use},
        template,
    },
    ports::driver::{Allowed, Came, DialogAnswer, DriverError},
    query::{Answer, Ask, ControlKind, File},
};

impl Run<'_> {
    /// Prepares the answer to a dialog that the next step raises. Several are raised one after the other.
    pub(crate) fn answer(&mut self, answer: &AnswerDialog, planned: &PlannedStep) -> Result<(), StepError> {
        let says =
            answer.says.as_ref().map(|name: &Name| self.attempt.scope.named(name, true)).transpose()?;
        let text = answer.text.as_ref().map(|text| self.attempt.scope.text(text)).transpose()?;
        let shown = answer.says.as_ref().map(|name| self.attempt.scope.text(&name.text)).transpose()?;
        let about = match &answer.says {
            Some(says) => self.attempt.scope.person_in(&says.text.value)?,
            None => None,
        };
        let accept = answer.with == Reply::Accept;
        let answer = DialogAnswer { says, about, accept, text };
        let dialogs = &mut self.attempt.front.dialogs;
        dialogs.push(ExpectedDialog { answer, says: shown, at: planned.at.clone() });
        let answers = dialogs.iter().map(|dialog| dialog.answer.clone()).collect();
        self.attempt.front.page.allow(Allowed::Dialogs(answers));
        self.attempt.front.dismissed = None;
        Ok(())
    }

    /// Checks that the dialogs were raised, with the expected texts. `timeout`: of the step that raises them.
    pub(crate) async fn answered(
        &mut self,
        expected: Vec<ExpectedDialog>,
        timeout: Option<Duration>,
    ) -> Result<(), StepError> {
        let mut is_first = true;
        for dialog in expected {
            self.is_answered(dialog, is_first, timeout).await?;
            is_first = false;
        }
        Ok(())
    }

    async fn is_answered(
        &mut self,
        expected: ExpectedDialog,
        is_first: bool,
        timeout: Option<Duration>,
    ) -> Result<(), StepError> {
        let until = self.until(timeout.unwrap_or(DIALOG_TIME));
        loop {
            // Another dialog, which was dismissed, ends the wait. The expected one may have been raised before or after it.
            let ends = self.attempt.front.dismissed.is_some() || Instant::now() >= until;
            let slice = if ends { Instant::now() } else { until.min(Instant::now() + DIALOG_SLICE) };
            match self.attempt.front.page.came(slice).await {
                Ok(Came::Dialog { .. }) => return Ok(()),
                Err(DriverError::Timeout(_)) if !ends => self.page().report_notices()?,
                Ok(_) | Err(_) => break,
            }
        }
        self.attempt.front.page.allow(Allowed::Nothing);
        let wanted = expected.says.map_or_else(String::new, |says| format!(" with the text `{says}`"));
        let failure = match self.attempt.front.dismissed.take() {
            Some(said) => {
                let failure = Failure::new(
                    Code::PreconditionFailed,
                    format!("a dialog{wanted} was expected; another one was raised, and dismissed: {said}"),
                )
                .hint(
                    "see which user the dialog is about; if only its words differ, change `says`; if the step raises several \
                     dialogs, write an `answer` for each, in their order",
                );
                // The first dialog was dismissed: the app has done nothing. After an answer it may have.
                if is_first { StepFailure::by_app(failure) } else { failure.into() }
            }
            None => Failure::new(Code::UnexpectedPage, format!("no dialog{wanted} was raised"))
                .hint("put `answer` directly before the step that raises the dialog; if the dialog is late, give that step a `timeout`")
                .into(),
        };
        Err(failure.at("answer", expected.at).into())
    }

    /// Runs steps in the window that another step opens.
    pub(crate) async fn popup(&mut self, planned: &PlannedStep, within: Duration) -> Result<Flow, StepError> {
        self.attempt.front.page.allow(Allowed::Popup);
        if self.block(planned, 0).await? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        let Ok(Came::Popup(window)) = self.attempt.front.page.came(self.until(within)).await else {
            self.attempt.front.page.allow(Allowed::Nothing);
            return Err(Failure::new(Code::UnexpectedPage, "no window was opened")
                .hint("if the app continues in the same window, leave out `popup`")
                .into());
        };
        let opener = std::mem::replace(&mut self.attempt.front, Front::new(Arc::clone(&window)));
        let done = self.block(planned, 1).await;
        if done.is_err() && window.is_open() {
            self.picture("failed", Some(&planned.id)).await;
            self.attempt.pictured = true;
        }
        self.attempt.front = opener;
        match done {
            // The app closed the window before the last step. It is not needed any more.
            Err(_) if !window.is_open() => {}
            Ok(Flow::On) => {}
            other => {
                window.close().await;
                return other;
            }
        }
        let until = self.until(CLOSING_TIME);
        while window.is_open() && Instant::now() < until {
            tokio::time::sleep(POLL).await;
        }
        if window.is_open() {
            window.close().await;
            self.notes.remark("the app left a window open; it was closed".to_owned());
        }
        self.settle().await?;
        Ok(Flow::On)
    }

    /// Keeps the file that a step downloads.
    pub(crate) async fn download(
        &mut self,
        download: &Download,
        planned: &PlannedStep,
        within: Duration,
    ) -> Result<Flow, StepError> {
        let max_bytes = template::size(&download.max.value).unwrap_or(1 << 20);
        self.attempt.front.page.allow(Allowed::Download { max_bytes });
        if self.block(planned, 0).await? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        let file = match self.attempt.front.page.came(self.until(within)).await {
            Ok(Came::Download(file)) => file,
            Ok(_) => return Err(Failure::new(Code::UnexpectedPage, "no file was downloaded").into()),
            Err(error) => {
                self.attempt.front.page.allow(Allowed::Nothing);
                self.page().report_notices()?;
                let message = format!("no file of at most {} was downloaded: {error}", download.max.value);
                return Err(Failure::new(Code::UnexpectedPage, message)
                    .hint("see whether `by` starts the download, and whether the file is larger than `max`")
                    .into());
            }
        };
        if let Some(name) = &planned.step.modifiers.name {
            let text = self.credentials.mask().text(&String::from_utf8_lossy(&file.content));
            self.attempt.scope.set(&name.value, Value::from(text));
        }
        self.keep_file("download", Some(&planned.id), &file).await;
        Ok(Flow::On)
    }

    pub(crate) async fn upload(&mut self, upload: &Upload, within: Duration) -> Result<(), StepError> {
        let file = match (&upload.file, &upload.name, &upload.content) {
            (Some(path), ..) => self.plan.playbook.file(&path.value).map_err(|reason| {
                let message = format!("`{}` of the playbook's folder cannot be read: {reason}", path.value);
                Failure::new(Code::PlaybookInvalid, message).at("upload", self.attempt.scope.place(path.span))
            })?,
            (None, Some(name), Some(content)) => File {
                name: self.attempt.scope.text(name)?,
                media_type: "text/plain".to_owned(),
                content: self.attempt.scope.text(content)?.into_bytes(),
            },
            _ => return Err(Failure::new(Code::PlaybookInvalid, "`upload` without a file").into()),
        };
        let target = self.attempt.scope.target(&upload.into, false)?;
        let frame = target.frame.clone();
        let control = match self.ask(Ask::Edit { target }, within).await? {
            Answer::Control(control) => control,
            other => return Err(unexpected(&other)),
        };
        if control.kind != ControlKind::File {
            let message = format!("{} does not take a file", control.element);
            return Err(Failure::new(Code::TargetMissing, message)
                .hint("name the file input itself: { label: … }")
                .into());
        }
        self.attempt.front.page.upload(&frame, control.token, &[file], self.until(within)).await?;
        self.settle().await
    }

    /// Runs the steps of a module. They see only the parameters of the call.
    pub(crate) async fn module(&mut self, call: &Use, planned: &PlannedStep) -> Result<Flow, StepError> {
        let source = Arc::clone(&self.plan.playbook);
        let name = &call.module.value;
        let Some((loaded, module)) =
            source.loaded.modules.get(name).and_then(|loaded| Some((loaded, loaded.playable()?)))
        else {
            return Err(Failure::new(Code::PlaybookInvalid, format!("there is no module `{name}`")).into());
        };
        let with = self.attempt.scope.parameters(module, call)?;
        let inner = self.attempt.scope.inside(loaded, with);
        let outer = std::mem::replace(&mut self.attempt.scope, inner);
        let watched = self.attempt.watch.with(self.watched_screens(&module.screens));
        let done = self.block(planned, 0).await;
        // An identity provider may answer the last step only after it, while the app is waited for.
        if self.attempt.watch.is_signing_in() {
            watched.keep();
        } else {
            drop(watched);
        }
        self.attempt.scope = outer;
        done
    }
}
