//! `seatwright site`: serves a fixture site, to look at it and to try playbooks.

use std::{
    io::ErrorKind,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::bail;

use super::{Exit, render::linked, terminal::colors};
use crate::{
    playbook::read_text_with_aliases,
    site::{Site, SiteError, SiteFile},
};

/// Serve a fixture site until you press Ctrl-C.
///
/// Only this machine can reach the site. The path /_site/state returns all its data as JSON.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  The site was stopped by a signal.
  1  The site.yaml has errors.
  3  Not ready: the site cannot be read, or the port is taken.")]
pub(super) struct SiteCommand {
    /// The name of the site, for example ledgerly; or its folder.
    name: PathBuf,
    /// The folder of the fixture sites, one folder per site.
    #[arg(long, value_name = "DIR", default_value = "fixtures/sites")]
    sites: PathBuf,
    /// The port to listen on. With 0, the system chooses a free port.
    #[arg(long, default_value_t = 4711)]
    port: u16,
}

impl SiteCommand {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let folder =
            if self.name.join("site.yaml").is_file() { self.name } else { self.sites.join(self.name) };
        let Some(site) = open(&folder)? else { return Ok(Exit::NotDone) };
        let mut stops = super::StopSignals::new()?;
        let site = match site.serve(SocketAddr::from(([127, 0, 0, 1], self.port))).await {
            Err(SiteError::Listen { source, .. }) if source.kind() == ErrorKind::AddrInUse => bail!(
                "another program listens on port {0}, perhaps another `seatwright site`.\nEnd it, or take a free port: \
                 `--port 0`. Then each `seatwright run` needs `--set port=NUMBER` with the port that is printed here",
                self.port
            ),
            other => other?,
        };
        println!(
            "{} is served at {} (its data: {}/_site/state). Ctrl-C stops it.",
            folder.display(),
            site.url(),
            site.url()
        );
        stops.next().await;
        site.stop().await;
        Ok(Exit::Done)
    }
}

/// Reads a site. Prints each error in the shape of site.yaml with its place, because the site itself knows no places.
pub(super) fn open(folder: &Path) -> anyhow::Result<Option<Site>> {
    let file = folder.join("site.yaml");
    if let Ok(source) = std::fs::read_to_string(&file) {
        let (_, findings) = read_text_with_aliases::<SiteFile>(&source);
        let color = colors(&std::io::stdout());
        for finding in &findings {
            println!("{}\n", linked(&file.to_string_lossy(), &source, finding, color, None));
        }
        if !findings.is_empty() {
            return Ok(None);
        }
    }
    Ok(Some(Site::load(folder)?))
}
