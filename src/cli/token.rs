//! `seatwright token`: the tokens by which identity providers name their integration.

use std::path::PathBuf;

use jiff::Timestamp;

use super::Exit;
use crate::{
    adapters::mirror_sql::SqlMirror,
    config::Config,
    gateway::token,
    ports::mirror::{AccessToken, Mirror},
};

/// Make, list and remove the tokens of an integration.
///
/// An identity provider sends its token with each request. A token is shown once, when it is made. Several tokens may be
/// valid at a time, so a rotation loses no request.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  Done.
  1  There is no such integration or token, or a token with this name exists already.
  3  Not ready: the configuration or the mirror cannot be used.")]
pub(super) struct TokenCommand {
    #[command(subcommand)]
    action: TokenAction,
    /// The configuration of the gateway.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "seatwright.yaml",
        env = "SEATWRIGHT_CONFIG"
    )]
    config: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum TokenAction {
    /// Make a token, and print it once.
    Add {
        /// The integration, as named in the configuration.
        integration: String,
        /// The name of the token, for lists and activity.
        #[arg(long, default_value = "scim")]
        name: String,
    },
    /// Print the names of the tokens, and when each was used last.
    List {
        /// The integration, as named in the configuration.
        integration: String,
    },
    /// Remove a token. It is refused from now on.
    Remove {
        /// The integration, as named in the configuration.
        integration: String,
        /// The name of the token.
        name: String,
    },
}

impl TokenCommand {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let config = Config::read(&self.config)?;
        let (TokenAction::Add { integration, .. }
        | TokenAction::List { integration }
        | TokenAction::Remove { integration, .. }) = &self.action;
        if !config.integrations.contains_key(integration) {
            let known = config.integrations.keys().cloned().collect::<Vec<_>>().join(", ");
            super::terminal::error(format_args!(
                "there is no integration `{integration}` in {}; it has: {known}",
                self.config.display()
            ));
            return Ok(Exit::NotDone);
        }
        let url =
            config.mirror_url().map_err(|reason| anyhow::anyhow!("{}: {reason}", self.config.display()))?;
        let mirror = SqlMirror::open(&url).await?;
        match self.action {
            TokenAction::Add { integration, name } => add(&mirror, integration, name).await,
            TokenAction::List { integration } => {
                for token in mirror.tokens(&integration).await? {
                    let used = token.used_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
                    println!("{}\tmade {}\tused {used}", token.name, token.created_at);
                }
                Ok(Exit::Done)
            }
            TokenAction::Remove { integration, name } => {
                if mirror.remove_token(&integration, &name).await? {
                    return Ok(Exit::Done);
                }
                super::terminal::error(format_args!("{integration} has no token `{name}`"));
                Ok(Exit::NotDone)
            }
        }
    }
}

async fn add(mirror: &SqlMirror, integration: String, name: String) -> anyhow::Result<Exit> {
    let (token, sha256) = token::make();
    let made = AccessToken { integration, name, sha256, created_at: Timestamp::now(), used_at: None };
    if let Err(error) = mirror.add_token(&made).await {
        super::terminal::error(format_args!("{error}"));
        return Ok(Exit::NotDone);
    }
    println!("{token}");
    Ok(Exit::Done)
}
