//! `seatwright check`: everything that is wrong with playbooks.

use std::{io::IsTerminal, path::PathBuf};

use super::{Ended, render};
use crate::{
    playbook::{Loaded, Severity},
    worker::books::{load_all, load_file},
};

/// Say everything that is wrong with playbooks, all at once, before a browser opens.
///
/// Exit code 0: they can be played (warnings are allowed); 1: at least one cannot; 3: they cannot be read.
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// Playbook files, or folders with one folder an app.
    #[arg(default_value = "playbooks")]
    paths: Vec<PathBuf>,
    /// Warnings count as errors.
    #[arg(long)]
    strict: bool,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<Ended> {
        let mut all: Vec<Loaded> = Vec::new();
        for path in &self.paths {
            if path.is_dir() && !path.join("playbook.yaml").is_file() {
                all.extend(load_all(path)?.into_iter().map(|(_, loaded)| loaded));
            } else {
                let file = if path.is_dir() { path.join("playbook.yaml") } else { path.clone() };
                let loaded = load_file(&file)
                    .map_err(|e| anyhow::anyhow!("{} cannot be read: {e}", file.display()))?;
                all.push(loaded);
            }
        }
        let (mut errors, mut warnings) = (0, 0);
        for loaded in &all {
            for finding in &loaded.findings {
                match finding.finding.severity() {
                    Severity::Error => errors += 1,
                    Severity::Warning => warnings += 1,
                }
                println!("{}\n", render::finding(loaded, finding, std::io::stdout().is_terminal()));
            }
        }
        println!(
            "{} checked: {}, {}",
            count(all.len(), "playbook"),
            count(errors, "error"),
            count(warnings, "warning")
        );
        Ok(if errors > 0 || (self.strict && warnings > 0) { Ended::NotDone } else { Ended::Done })
    }
}

fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
