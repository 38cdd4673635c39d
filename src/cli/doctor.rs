//! `seatwright doctor`: shows what is missing on this machine, and how to fix it.

use std::path::PathBuf;

use super::{
    Exit,
    parts::{BrowserArguments, ChromiumLauncher},
};
use crate::{ports::driver::Launch, worker::playbooks::Playbooks};

/// Check whether this machine is ready: Chromium and its sandbox, the broker, the playbooks.
///
/// For each problem, the doctor prints how to fix it. It changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  Everything is ready.
  3  Something is missing.")]
pub(super) struct DoctorCommand {
    /// The folder of the playbooks, one folder per app: DIR/ledgerly/playbook.yaml.
    #[arg(long, value_name = "DIR", default_value = "playbooks", env = "SEATWRIGHT_PLAYBOOKS")]
    playbooks: PathBuf,
    /// The broker to check, for example amqp://user:password@127.0.0.1:5672. Without it, no broker is checked.
    #[arg(long, value_name = "URL", env = "SEATWRIGHT_BROKER", hide_env_values = true)]
    broker: Option<String>,
    #[command(flatten)]
    browser: BrowserArguments,
}

impl DoctorCommand {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let mut well = true;
        let mut report = |good: bool, what: &str, text: String| {
            well &= good;
            let mut lines = text.lines();
            println!("{} {what}: {}", if good { "ok   " } else { "wrong" }, lines.next().unwrap_or_default());
            for line in lines {
                println!("      {line}");
            }
        };
        match ChromiumLauncher(self.browser.options()).launch().await {
            Ok(browser) => {
                let sandbox = if self.browser.allow_no_sandbox {
                    "WITHOUT its sandbox, because of --allow-no-sandbox"
                } else {
                    "with its sandbox"
                };
                report(true, "browser", format!("{} starts, {sandbox}", browser.version()));
                browser.close().await;
            }
            Err(reason) => report(false, "browser", reason),
        }
        match &self.broker {
            None => report(true, "broker", "not checked, because none is named (--broker URL)".to_owned()),
            Some(url) => match crate::adapters::amqp::probe(url).await {
                Ok(answer) => report(true, "broker", answer),
                Err(reason) => report(false, "broker", reason),
            },
        }
        match Playbooks::read(&self.playbooks) {
            Ok(playbooks) => {
                let mut any = false;
                for (app, good) in playbooks.apps() {
                    any = true;
                    let text = if good {
                        "no errors".to_owned()
                    } else {
                        format!("has errors\nRun `seatwright check {}/{app}`", self.playbooks.display())
                    };
                    report(good, &format!("playbook {app}"), text);
                }
                if !any {
                    report(
                        false,
                        "playbooks",
                        format!(
                            "{} contains no playbook\nName the folder that has one folder per app: --playbooks DIR",
                            self.playbooks.display()
                        ),
                    );
                }
            }
            Err(error) => report(false, "playbooks", error.to_string()),
        }
        Ok(if well { Exit::Done } else { Exit::NotReady })
    }
}
