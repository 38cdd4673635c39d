//! Reads scenarios for the commands that play or count them.

use std::path::Path;

use super::{render::linked, terminal::colors};
use crate::scenario::{self, Problem, Suite};

/// The scenarios of these apps, or of all apps. `None`: a file has errors, and they are printed.
pub(super) fn load_suites(
    playbooks: &Path,
    sites: &Path,
    apps: &[String],
) -> anyhow::Result<Option<Vec<Suite>>> {
    match scenario::load(playbooks, sites) {
        Ok(mut suites) => {
            if let Some(unknown) = apps.iter().find(|app| !suites.iter().any(|suite| suite.app == **app)) {
                let known: Vec<&str> = suites.iter().map(|suite| suite.app.as_str()).collect();
                let file = playbooks.join(unknown).join("scenarios.yaml");
                anyhow::bail!("there is no {}.\nApps with scenarios: {}", file.display(), known.join(", "));
            }
            suites.retain(|suite| apps.is_empty() || apps.contains(&suite.app));
            Ok(Some(suites))
        }
        Err(Problem::Wrong(text, findings)) => {
            let color = colors(&std::io::stdout());
            for finding in &findings {
                println!("{}\n", linked(&text.path, &text.source, finding, color, None));
            }
            Ok(None)
        }
        Err(problem) => Err(problem.into()),
    }
}
