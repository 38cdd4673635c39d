//! `seatwright check`: prints all findings in playbooks.

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

/// Check playbooks and modules, and print all findings at once. No browser is needed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  The playbooks can be played. There may be warnings.
  1  At least one playbook has an error; with --strict, or a warning.
  3  Not ready: a file or a folder cannot be read.")]
pub(super) struct CheckCommand {
    /// Playbooks, modules, or folders with one folder per app.
    #[arg(default_value = "playbooks", env = "SEATWRIGHT_PLAYBOOKS")]
    paths: Vec<PathBuf>,
    /// Treat warnings as errors.
    #[arg(long)]
    strict: bool,
    /// How findings are printed.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
    /// The address of the reference, for example https://docs.example/reference. Findings link to it. Without it: the
    /// folder docs/reference above the playbooks, if there is one.
    #[arg(long, value_name = "URL", env = "SEATWRIGHT_REFERENCE")]
    reference: Option<String>,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people: each finding with its place in the file.
    Human,
    /// For programs: one JSON object.
    Json,
    /// For code hosts such as GitHub: SARIF 2.1.0.
    Sarif,
}

impl CheckCommand {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let mut all: Vec<Loaded> = Vec::new();
        for path in &self.paths {
            if path.is_dir() && !path.join("playbook.yaml").is_file() {
                all.extend(load_all(path)?.into_iter().map(|(_, loaded)| loaded));
                all.extend(load_modules(path).into_values().map(|module| as_loaded(&module)));
            } else {
                let file = if path.is_dir() { path.join("playbook.yaml") } else { path.clone() };
                let unreadable = |e| anyhow::anyhow!("{} cannot be read: {e}", file.display());
                let text = String::from_utf8_lossy(&std::fs::read(&file).map_err(unreadable)?).into_owned();
                all.push(if text.lines().any(|line| line.starts_with("module:")) {
                    as_loaded(&load_module(&file.to_string_lossy(), &text))
                } else {
                    load_file(&file).map_err(unreadable)?
                });
            }
        }
        all.par_iter_mut().for_each(note_unplayed);
        let count = |severity| {
            all.iter().flat_map(|l| &l.findings).filter(|f| f.finding.severity() == severity).count()
        };
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let reference =
            self.reference.clone().or_else(|| self.paths.first().and_then(|path| reference_above(path)));
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        let printed = match self.format {
            Format::Human => human(&mut out, &all, reference.as_deref(), errors, warnings),
            Format::Json => writeln!(out, "{:#}", findings::json(&all, reference.as_deref())),
            Format::Sarif => writeln!(out, "{:#}", findings::sarif(&all, reference.as_deref())),
        };
        // The reader may have closed the pipe.
        if let Err(error) = printed.and_then(|()| out.flush())
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            return Err(error.into());
        }
        Ok(if errors > 0 || (self.strict && warnings > 0) { Exit::NotDone } else { Exit::Done })
    }
}

/// Adds a finding for each operation that no scenario plays, if the playbook has scenarios. `seatwright test` reports
/// what is wrong with the scenarios themselves.
fn note_unplayed(loaded: &mut Loaded) {
    let scenarios = Path::new(&loaded.path).with_file_name("scenarios.yaml");
    if let Ok(text) = std::fs::read_to_string(scenarios) {
        loaded.note_unplayed(&scenario::played(&text));
    }
}

/// A module in the shape of a playbook, so that its findings are printed in the same way.
fn as_loaded(module: &LoadedModule) -> Loaded {
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

/// The address of docs/reference in a checkout.
fn reference_above(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let folder =
        path.ancestors().map(|a| a.join("docs/reference")).find(|f| f.join("findings.md").is_file())?;
    url::Url::from_directory_path(folder).ok().map(|url| url.to_string())
}
