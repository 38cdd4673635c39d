//! `seatwright schema`: the JSON Schemas.

use std::path::PathBuf;

use anyhow::Context;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::Ended;
use crate::{contract, playbook::Playbook};

/// Print a JSON Schema (2020-12), or write all of them into a folder.
#[derive(Debug, clap::Args)]
pub(super) struct Schema {
    /// Which one: job, result, event or playbook.
    #[arg(value_parser = ["job", "result", "event", "playbook"], required_unless_present = "write")]
    name: Option<String>,
    /// Write every schema into this folder, and reference.md beside it: docs/schema.
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
}

/// Every schema by name.
pub fn all() -> Vec<(&'static str, Value)> {
    let mut all = contract::schemas();
    let mut playbook =
        SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Playbook>().to_value();
    playbook["title"] = Value::from("Seatwright playbook, language version 1");
    all.push(("playbook", playbook));
    all
}

impl Schema {
    pub(super) fn run(self) -> anyhow::Result<Ended> {
        if let Some(folder) = &self.write {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("{} cannot be made", folder.display()))?;
            for (name, schema) in all() {
                let file = folder.join(format!("{name}.schema.json"));
                std::fs::write(&file, format!("{}\n", serde_json::to_string_pretty(&schema)?))
                    .with_context(|| format!("{} cannot be written", file.display()))?;
                println!("{}", file.display());
            }
            let page = folder.join("../reference.md");
            std::fs::write(&page, super::reference())
                .with_context(|| format!("{} cannot be written", page.display()))?;
            return Ok(Ended::Done);
        }
        let wanted = self.name.unwrap_or_default();
        if let Some((_, schema)) = all().into_iter().find(|(name, _)| *name == wanted) {
            println!("{}", serde_json::to_string_pretty(&schema)?);
        }
        Ok(Ended::Done)
    }
}
