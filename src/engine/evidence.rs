//! Evidence: pictures and files that the job asks for. They are withheld if they show a secret.

use base64::prelude::{BASE64_STANDARD, Engine};
use tokio::time::Instant;

use super::{
    limits::{FACTS_TIME, KEEPING_TIME, PICTURE_TIME},
    page::millis,
    run::Run,
};
use crate::{
    contract::{Evidence, EvidenceKind},
    event::EventKind,
    ports::evidence::EvidenceError,
    query::{Answer, Ask, File, Question},
};

impl Run<'_> {
    /// Takes a picture and keeps it. A failure is noted in the evidence, and changes nothing else.
    pub(super) async fn picture(&mut self, reason: &str, step: Option<&str>) {
        let mut evidence = Evidence {
            kind: EvidenceKind::Screenshot,
            reason: reason.to_owned(),
            step: step.map(str::to_owned),
            sha256: String::new(),
            media_type: "image/png".to_owned(),
            bytes: 0,
            reference: None,
            inline: None,
            withheld: None,
        };
        match self.clean_picture().await {
            Ok(png) => {
                evidence.bytes = png.len() as u64;
                let number = self.attempt.conclusion.evidence.len() + 1;
                let name = format!("{}.{number}.{}.png", self.plan.job, reason.replace(' ', "_"));
                self.keep(&mut evidence, &name, &png).await;
                // A picture that is not kept is not sent either.
                if evidence.reference.is_some() && evidence.bytes < self.environment.evidence.inline_below() {
                    evidence.inline = Some(BASE64_STANDARD.encode(&png));
                }
            }
            Err(why) => evidence.withheld = Some(why),
        }
        self.emit(EventKind::EvidenceKept {
            reason: evidence.reason.clone(),
            reference: evidence.reference.clone(),
            bytes: evidence.bytes,
        });
        self.attempt.conclusion.evidence.push(evidence);
    }

    /// Keeps a file that the app has sent.
    pub(super) async fn keep_file(&mut self, reason: &str, step: Option<&str>, file: &File) {
        let name = format!("{}.{reason}.{}", self.plan.job, file.name.rsplit('.').next().unwrap_or("bin"));
        let mut evidence = Evidence {
            kind: EvidenceKind::Download,
            reason: reason.to_owned(),
            step: step.map(str::to_owned),
            sha256: String::new(),
            media_type: file.media_type.clone(),
            bytes: file.content.len() as u64,
            reference: None,
            inline: None,
            withheld: None,
        };
        let shown = self.credentials.mask().text(&String::from_utf8_lossy(&file.content));
        if shown.as_bytes() != file.content && shown.contains("[masked]") {
            evidence.withheld = Some("it contains a secret".to_owned());
        } else {
            self.keep(&mut evidence, &name, &file.content).await;
        }
        self.attempt.conclusion.evidence.push(evidence);
    }

    /// Gives a file to the store. The result shows if the store refuses it or takes too long.
    async fn keep(&self, evidence: &mut Evidence, name: &str, bytes: &[u8]) {
        let keeping = self.environment.evidence.keep(name, bytes);
        match tokio::time::timeout(KEEPING_TIME, keeping).await {
            Ok(Ok(kept)) => {
                evidence.sha256 = kept.sha256;
                evidence.reference = Some(kept.reference);
            }
            Ok(Err(error)) => evidence.withheld = Some(error.to_string()),
            Err(_) => {
                let error = EvidenceError(format!("the store took longer than {KEEPING_TIME:?}"));
                evidence.withheld = Some(error.to_string());
            }
        }
    }

    /// Takes a picture of a page without secrets. The page may change in the meantime: it is checked before and after.
    async fn clean_picture(&mut self) -> Result<Vec<u8>, String> {
        self.shows_no_secret().await?;
        let png = self
            .attempt
            .front
            .page
            .screenshot(Instant::now() + PICTURE_TIME)
            .await
            .map_err(|e| e.to_string())?;
        self.shows_no_secret().await?;
        Ok(png)
    }

    async fn shows_no_secret(&mut self) -> Result<(), String> {
        if self.credentials.mask().is_empty() {
            return Ok(());
        }
        let question = Question {
            ask: Ask::Contains { needles: self.credentials.mask().needles() },
            frame: Vec::new(),
            within: millis(FACTS_TIME),
            watch: Vec::new(),
        };
        match self.attempt.front.page.ask(&question, Instant::now() + PICTURE_TIME).await {
            Ok(Answer::Contains { contains: false }) => Ok(()),
            Ok(_) => Err("the page shows a secret".to_owned()),
            Err(error) => Err(format!("the page could not be searched for secrets: {error}")),
        }
    }
}
