//! `seatwright site`: a fixture site to look at and to try playbooks on.

use std::{net::SocketAddr, path::PathBuf};

use super::Ended;
use crate::site::Site;

/// Serve a fixture site until it is interrupted. Its state is at /_site/state, as JSON.
#[derive(Debug, clap::Args)]
pub(super) struct SiteCommand {
    /// The site: its name, or its folder.
    name: PathBuf,
    /// Where sites are looked for by name.
    #[arg(long, value_name = "DIR", default_value = "fixtures/sites")]
    sites: PathBuf,
    /// Where it listens; port 0 takes a free one. It is never served beyond this machine.
    #[arg(long, default_value_t = 4711)]
    port: u16,
}

impl SiteCommand {
    pub(super) async fn run(self) -> anyhow::Result<Ended> {
        let folder =
            if self.name.join("site.yaml").is_file() { self.name } else { self.sites.join(self.name) };
        let site = Site::load(&folder)?.serve(SocketAddr::from(([127, 0, 0, 1], self.port))).await?;
        println!(
            "{} is served at {} (state: {}/_site/state); Ctrl-C ends it",
            folder.display(),
            site.url(),
            site.url()
        );
        super::run_until_stopped().await?;
        site.stop().await;
        Ok(Ended::Done)
    }
}
