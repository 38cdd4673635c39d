//! `seatwright schema`: the JSON Schemas.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;

use super::Ended;
use crate::{
    contract,
    playbook::schema::{self, Draft},
    scenario,
    site::SiteFile,
};

/// Print a JSON Schema, or write all of them into a folder.
///
/// They are of the dialect 2020-12; those with `.draft-07` in their name say the same in draft-07, for editors.
#[derive(Debug, clap::Args)]
pub(super) struct Schema {
    /// Which one: job, result, event, playbook, module, scenarios or site.
    #[arg(
        value_parser = ["job", "result", "event", "playbook", "playbook.draft-07", "module", "module.draft-07", "scenarios", "scenarios.draft-07", "site", "site.draft-07"],
        required_unless_present = "write",
    )]
    name: Option<String>,
    /// Write every schema into this folder, and the reference beside it, with the examples of tests/language: docs/schema.
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
}

/// Every schema by name.
pub fn all() -> Vec<(&'static str, Value)> {
    let mut all = contract::schemas();
    all.push(("playbook", schema::playbook(Draft::Latest)));
    all.push(("playbook.draft-07", schema::playbook(Draft::Seven)));
    all.push(("module", schema::module(Draft::Latest)));
    all.push(("module.draft-07", schema::module(Draft::Seven)));
    all.push(("scenarios", scenario::schema(Draft::Latest)));
    all.push(("scenarios.draft-07", scenario::schema(Draft::Seven)));
    for (name, draft) in [("site", Draft::Latest), ("site.draft-07", Draft::Seven)] {
        all.push((name, schema::of::<SiteFile>(draft, "Seatwright fixture site, version 1")));
    }
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
            let language = Path::new("tests/language");
            let pages = super::reference(language)
                .with_context(|| format!("the examples in {} cannot be read", language.display()))?;
            let reference = folder.join("../reference");
            std::fs::create_dir_all(&reference)
                .with_context(|| format!("{} cannot be made", reference.display()))?;
            for (name, text) in pages {
                let page = reference.join(name);
                std::fs::write(&page, text)
                    .with_context(|| format!("{} cannot be written", page.display()))?;
                println!("{}", page.display());
            }
            return Ok(Ended::Done);
        }
        let wanted = self.name.unwrap_or_default();
        if let Some((_, schema)) = all().into_iter().find(|(name, _)| *name == wanted) {
            println!("{}", serde_json::to_string_pretty(&schema)?);
        }
        Ok(Ended::Done)
    }
}
