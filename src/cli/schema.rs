//! `seatwright schema`: the JSON Schemas.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;

use super::Exit;
use crate::{contract, playbook::schema, scenario, site::SiteFile};

/// Print a JSON Schema, or write all of them into a folder.
///
/// Messages (job, result, event) have schemas in the dialect 2020-12. Files that people write (playbook, module,
/// scenarios, site) have schemas in draft-07, because every editor understands it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  Done.
  3  Not ready: a file cannot be read or written.")]
pub(super) struct SchemaCommand {
    /// Which schema to print.
    #[arg(value_parser = NAMES, required_unless_present = "write")]
    name: Option<String>,
    /// Write all schemas into this folder, and the reference into DIR/../reference. Run it in the repository, for example
    /// with docs/schema: the examples of the reference come from tests/language.
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
}

const NAMES: [&str; 7] = ["job", "result", "event", "playbook", "module", "scenarios", "site"];

/// Every schema, by the name of its file. The draft in a name is what the first line of a playbook names.
pub fn all() -> Vec<(&'static str, Value)> {
    let mut all = contract::schemas();
    all.push(("playbook.draft-07", schema::playbook()));
    all.push(("module.draft-07", schema::module()));
    all.push(("scenarios.draft-07", scenario::schema()));
    all.push(("site.draft-07", schema::of::<SiteFile>("Seatwright fixture site, version 1")));
    all
}

impl SchemaCommand {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        if let Some(folder) = &self.write {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("{} cannot be created", folder.display()))?;
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
                .with_context(|| format!("{} cannot be created", reference.display()))?;
            for (name, text) in pages {
                let page = reference.join(name);
                std::fs::write(&page, text)
                    .with_context(|| format!("{} cannot be written", page.display()))?;
                println!("{}", page.display());
            }
            return Ok(Exit::Done);
        }
        let wanted = self.name.unwrap_or_default();
        if let Some((_, schema)) =
            all().into_iter().find(|(name, _)| name.trim_end_matches(".draft-07") == wanted)
        {
            println!("{}", serde_json::to_string_pretty(&schema)?);
        }
        Ok(Exit::Done)
    }
}
