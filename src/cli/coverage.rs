//! `seatwright coverage`: shows what the scenarios leave out.

use std::path::PathBuf;

use super::{Exit, suites::load_suites, terminal::counted};
use crate::{
    contract::{Failure, Operation},
    scenario::coverage,
    worker::playbooks::Playbooks,
};

/// Show which common states of each operation have a scenario, and which do not.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  Every state has a scenario.
  1  At least one state has none, or a scenarios.yaml has errors.
  3  Not ready: a file or a folder cannot be read.")]
pub(super) struct CoverageCommand {
    /// Only these apps, for example ledgerly.
    apps: Vec<String>,
    /// The folder of the playbooks, one folder per app: DIR/ledgerly/playbook.yaml and scenarios.yaml.
    #[arg(long, value_name = "DIR", default_value = "playbooks", env = "SEATWRIGHT_PLAYBOOKS")]
    playbooks: PathBuf,
    /// The folder of the fixture sites, one folder per site: DIR/ledgerly/site.yaml.
    #[arg(long, value_name = "DIR", default_value = "fixtures/sites")]
    sites: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl CoverageCommand {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let Some(suites) = load_suites(&self.playbooks, &self.sites, &[])? else {
            return Ok(Exit::NotDone);
        };
        let playbooks = Playbooks::read(&self.playbooks)?;
        for app in &self.apps {
            playbooks.of(app).map_err(refused)?;
        }
        let wanted = |app: &str| self.apps.is_empty() || self.apps.iter().any(|name| name == app);
        // A playbook with errors and without scenarios is left out. With scenarios, it is an error.
        let mut apps: Vec<&str> =
            playbooks.apps().filter(|(_, playable)| *playable).map(|(app, _)| app).collect();
        apps.extend(suites.iter().map(|suite| suite.app.as_str()));
        apps.retain(|app| wanted(app));
        apps.sort_unstable();
        apps.dedup();
        let mut holes_of_all = 0;
        let mut all = serde_json::Map::new();
        for app in &apps {
            let suite = suites.iter().find(|suite| suite.app == *app);
            let source = playbooks.of(app).map_err(refused)?;
            let operations: Vec<Operation> = source
                .playbook
                .operations
                .iter()
                .filter(|(_, body)| body.unsupported.is_none())
                .filter_map(|(name, _)| Operation::ALL.iter().find(|o| o.as_str() == name.value).copied())
                .collect();
            let (covered, holes) = coverage(suite, &operations);
            holes_of_all += holes.len();
            if self.json {
                let holes: Vec<_> = holes
                    .iter()
                    .map(|hole| serde_json::json!({ "operation": hole.operation, "state": hole.state }))
                    .collect();
                all.insert((*app).to_owned(), serde_json::json!({ "covered": covered, "holes": holes }));
                continue;
            }
            match suite {
                Some(suite) => println!("{app}: {}", counted(suite.scenarios().len(), "scenario")),
                None => println!(
                    "{app}: there is no {}",
                    self.playbooks.join(app).join("scenarios.yaml").display()
                ),
            }
            for (operation, states) in &covered {
                let states: Vec<&str> = states.iter().map(String::as_str).collect();
                println!("  {operation:<20} {}", states.join(", "));
            }
            for hole in holes {
                if hole.state == "any" {
                    println!("  hole: {} has no scenario at all", hole.operation);
                    continue;
                }
                println!("  hole: {} has no scenario for `{}`: {}", hole.operation, hole.state, hole.about);
            }
        }
        if self.json {
            println!("{}", serde_json::to_string_pretty(&all)?);
        } else {
            println!("{}, {}", counted(apps.len(), "app"), counted(holes_of_all, "hole"));
        }
        Ok(if holes_of_all == 0 { Exit::Done } else { Exit::NotDone })
    }
}

/// Why the playbook of an app cannot be used, with what to try.
fn refused(failure: Failure) -> anyhow::Error {
    match failure.hint {
        Some(hint) => anyhow::anyhow!("{}: {hint}", failure.message),
        None => anyhow::anyhow!("{}", failure.message),
    }
}
