//! `seatwright doctor`: what is wrong, and how to mend it.

use std::path::PathBuf;

use super::{
    Exit,
    parts::{BrowserArguments, ChromiumLauncher},
};
use crate::{ports::driver::Launch, worker::playbooks::Playbooks};

/// Look whether this machine can work: Chromium and its sandbox, the broker, the playbooks. Says what is wrong and how
/// to mend it; changes nothing.
///
/// Exit code 0: all is well; 3: something is missing.
#[derive(Debug, clap::Args)]
pub(super) struct DoctorCommand {
    /// The folder with one folder an app.
    #[arg(long, value_name = "DIR", default_value = "playbooks", env = "SEATWRIGHT_PLAYBOOKS")]
    playbooks: PathBuf,
    /// The broker to look at: amqp://user:password@host:5672.
    #[arg(long, value_name = "URL", env = "SEATWRIGHT_BROKER", hide_env_values = true)]
    broker: Option<String>,
    #[command(flatten)]
    browser: BrowserArguments,
}

impl DoctorCommand {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let mut well = true;
        let mut tell = |good: bool, what: &str, said: String| {
            well &= good;
            let mut lines = said.lines();
            println!("{} {what}: {}", if good { "ok   " } else { "wrong" }, lines.next().unwrap_or_default());
            for line in lines {
                println!("      {line}");
            }
        };
        match ChromiumLauncher(self.browser.options()).launch().await {
            Ok(browser) => {
                let sandbox = if self.browser.allow_no_sandbox {
                    "WITHOUT its sandbox, as asked"
                } else {
                    "with its sandbox"
                };
                tell(true, "browser", format!("{} starts, {sandbox}", browser.version()));
                browser.close().await;
            }
            Err(reason) => tell(false, "browser", reason),
        }
        match &self.broker {
            None => tell(true, "broker", "none was named (--broker URL)".to_owned()),
            Some(url) => match crate::adapters::amqp::probe(url).await {
                Ok(said) => tell(true, "broker", said),
                Err(reason) => tell(false, "broker", reason),
            },
        }
        match Playbooks::read(&self.playbooks) {
            Ok(playbooks) => {
                let mut any = false;
                for (app, good) in playbooks.apps() {
                    any = true;
                    let said = if good {
                        "can be played".to_owned()
                    } else {
                        format!("has errors\nrun `seatwright check {}/{app}`", self.playbooks.display())
                    };
                    tell(good, &format!("playbook {app}"), said);
                }
                if !any {
                    tell(
                        false,
                        "playbooks",
                        format!(
                            "{} has none\nname the folder that has one folder an app: --playbooks DIR",
                            self.playbooks.display()
                        ),
                    );
                }
            }
            Err(error) => tell(false, "playbooks", error.to_string()),
        }
        Ok(if well { Exit::Done } else { Exit::NotReady })
    }
}
