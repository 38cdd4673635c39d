//! `seatwright coverage`: what the scenarios leave out.

use std::path::PathBuf;

use super::{Ended, test::load_suites};
use crate::{contract::Operation, scenario::coverage, worker::books::Books};

/// Which states of which operations have a scenario.
#[derive(Debug, clap::Args)]
pub(super) struct Coverage {
    /// Only these apps.
    apps: Vec<String>,
    /// One folder an app, each with a playbook.yaml and a scenarios.yaml.
    #[arg(long, value_name = "DIR", default_value = "playbooks", env = "SEATWRIGHT_PLAYBOOKS")]
    playbooks: PathBuf,
    /// One folder a fixture site.
    #[arg(long, value_name = "DIR", default_value = "fixtures/sites")]
    sites: PathBuf,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl Coverage {
    pub(super) fn run(self) -> anyhow::Result<Ended> {
        let Some(suites) = load_suites(&self.playbooks, &self.sites, &self.apps)? else {
            return Ok(Ended::NotDone);
        };
        let books = Books::read(&self.playbooks)?;
        let mut holes_of_all = 0;
        let mut all = serde_json::Map::new();
        for suite in &suites {
            let source = books.of(&suite.app).map_err(|failure| anyhow::anyhow!("{failure}"))?;
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
                all.insert(suite.app.clone(), serde_json::json!({ "covered": covered, "holes": holes }));
                continue;
            }
            println!("{}: {} scenarios", suite.app, suite.scenarios().len());
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
            println!("{} apps, {holes_of_all} holes", suites.len());
        }
        Ok(if holes_of_all == 0 { Ended::Done } else { Ended::NotDone })
    }
}
