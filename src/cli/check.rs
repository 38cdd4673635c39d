//! `seatwright check`: everything that is wrong with playbooks.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use rayon::prelude::*;

use super::{
    Exit, findings, render,
    terminal::{colors, counted},
};
use crate::{
    playbook::{Loaded, LoadedModule, Severity, load_module},
    scenario,
    worker::playbooks::{load_all, load_file, load_modules},
};

/// Say everything that is wrong with playbooks, all at once, before a browser opens.
///
/// Exit code 0: they can be played (warnings are allowed); 1: at least one cannot; 3: they cannot be read.
#[derive(Debug, clap::Args)]
pub(super) struct CheckCommand {
    /// Playbook files, or folders with one folder an app.
    #[arg(default_value = "playbooks", env = "SEATWRIGHT_PLAYBOOKS")]
    paths: Vec<PathBuf>,
    /// Warnings count as errors.
    #[arg(long)]
    strict: bool,
    /// For people, for programs, or for the code view of a forge (SARIF 2.1.0).
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
    /// Where the reference is published; findings link into it. Without it: `docs/reference` above the playbooks.
    #[arg(long, value_name = "URL", env = "SEATWRIGHT_REFERENCE")]
    reference: Option<String>,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Human,
    Json,
    Sarif,
}

impl CheckCommand {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let mut all: Vec<Loaded> = Vec::new();
        for path in &self.paths {
            if path.is_dir() && !path.join("playbook.yaml").is_file() {
                all.extend(load_all(path)?.into_iter().map(|(_, loaded)| loaded));
                all.extend(load_modules(path).into_values().map(|module| shown(&module)));
            } else {
                let file = if path.is_dir() { path.join("playbook.yaml") } else { path.clone() };
                let unreadable = |e| anyhow::anyhow!("{} cannot be read: {e}", file.display());
                let text = String::from_utf8_lossy(&std::fs::read(&file).map_err(unreadable)?).into_owned();
                all.push(if text.lines().any(|line| line.starts_with("module:")) {
                    shown(&load_module(&file.to_string_lossy(), &text))
                } else {
                    load_file(&file).map_err(unreadable)?
                });
            }
        }
        all.par_iter_mut().for_each(hold_against_scenarios);
        let count = |severity| {
            all.iter().flat_map(|l| &l.findings).filter(|f| f.finding.severity() == severity).count()
        };
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let reference = self.reference.clone().or_else(|| self.paths.first().and_then(|path| beside(path)));
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        let printed = match self.format {
            Format::Human => human(&mut out, &all, reference.as_deref(), errors, warnings),
            Format::Json => writeln!(out, "{:#}", findings::json(&all, reference.as_deref())),
            Format::Sarif => writeln!(out, "{:#}", findings::sarif(&all, reference.as_deref())),
        };
        // Whoever reads may have heard enough.
        if let Err(error) = printed.and_then(|()| out.flush())
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            return Err(error.into());
        }
        Ok(if errors > 0 || (self.strict && warnings > 0) { Exit::NotDone } else { Exit::Done })
    }
}

/// Where there are scenarios, a playbook is as good as what they play of it. What is wrong with their file itself,
/// `seatwright test` tells.
fn hold_against_scenarios(loaded: &mut Loaded) {
    let beside = Path::new(&loaded.path).with_file_name("scenarios.yaml");
    if let Ok(text) = std::fs::read_to_string(beside) {
        loaded.note_unplayed(&scenario::played(&text));
    }
}

/// A module's findings are shown as a playbook's.
fn shown(module: &LoadedModule) -> Loaded {
    Loaded {
        path: module.path.clone(),
        source: module.source.clone(),
        digest: String::new(),
        playbook: None,
        findings: module.findings.clone(),
        modules: Default::default(),
        files: Default::default(),
    }
}

fn human(
    out: &mut impl Write,
    all: &[Loaded],
    reference: Option<&str>,
    errors: usize,
    warnings: usize,
) -> std::io::Result<()> {
    let color = colors(&std::io::stdout());
    for loaded in all {
        for finding in &loaded.findings {
            let shown = render::linked(&loaded.path, &loaded.source, finding, color, reference);
            writeln!(out, "{shown}\n")?;
        }
    }
    let (errors, warnings) = (counted(errors, "error"), counted(warnings, "warning"));
    writeln!(out, "{} checked: {errors}, {warnings}", counted(all.len(), "file"))
}

/// The reference of a checkout, as an address.
fn beside(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let folder =
        path.ancestors().map(|a| a.join("docs/reference")).find(|f| f.join("findings.md").is_file())?;
    url::Url::from_directory_path(folder).ok().map(|url| url.to_string())
}
