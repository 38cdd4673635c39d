//! Shows the progress of a job to people, on standard error.

use std::io::Write;

use crate::event::{Event, EventKind, Reader};

/// Writes lines to standard error.
#[derive(Debug, Default)]
pub struct Console;

impl Reader for Console {
    fn event(&self, event: &Event) {
        if let Some(line) = line(&event.kind) {
            // A job goes on when its progress cannot be written.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
}

/// The line for an event. Some events have none.
pub fn line(kind: &EventKind) -> Option<String> {
    Some(match kind {
        EventKind::Started { app, operation, integration } => format!("{operation} in {app} ({integration})"),
        EventKind::SessionReady { reused: true, ms } => {
            format!("  still signed in                          {ms:>6} ms")
        }
        EventKind::SessionReady { reused: false, ms } => {
            format!("  signed in                                {ms:>6} ms")
        }
        EventKind::UserRead { found, ms, .. } => {
            let what = if *found { "the user is there" } else { "the user is not there" };
            format!("  read: {what:<35}{ms:>6} ms")
        }
        EventKind::StepStarted { step, at_line, what } => format!("  {step:<20} {what}  ({at_line})"),
        EventKind::StepEnded { failed: Some(code), step, .. } => format!("  {step:<20} failed: {code}"),
        EventKind::StepEnded { .. } => return None,
        EventKind::CommitReached { .. } => "  commit: from here on the app may have changed".to_owned(),
        EventKind::OverlayPutAway { when } => format!("  overlay closed: {when}"),
        EventKind::EvidenceKept { reason, reference: Some(reference), .. } => {
            format!("  picture ({reason}): {reference}")
        }
        EventKind::EvidenceKept { reason, reference: None, .. } => format!("  no picture ({reason})"),
        EventKind::Noticed { what } => format!("  the browser {what}"),
        EventKind::RetryScheduled { code, ms } => {
            format!("  next try in {ms} ms{}", code.map_or_else(String::new, |code| format!(": {code}")))
        }
        EventKind::Received { .. }
        | EventKind::TakenUp { .. }
        | EventKind::Concluded
        | EventKind::Published
        | EventKind::Acknowledged => return None,
        EventKind::Verifying => "  reading it back".to_owned(),
        EventKind::Finished { outcome, ms, code } => {
            let code = code.map(|code| format!(" {code}")).unwrap_or_default();
            format!("{outcome}{code}, {ms} ms")
        }
    })
}
