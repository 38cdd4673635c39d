//! `seatwright test`: plays scenarios on fixture sites.

mod files;
mod last_run;
mod printed;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use anyhow::Context;
use async_trait::async_trait;
use tokio::sync::OnceCell;

use self::{
    last_run::{LastRun, RecordedRun},
    printed::Printed,
};
use super::{
    Exit,
    file_watch::FileWatch,
    parts::{BrowserArguments, ChromiumLauncher},
    site,
    suites::load_suites,
    terminal::colors,
};
use crate::{
    ports::{
        driver::{Browser, Launch},
        evidence::EvidenceStore,
    },
    report::junit,
    scenario::{self, Apps, Chosen, Ended, Plays, Report, Stage, Suite},
    worker::playbooks::Playbooks,
};

/// Play scenarios on fixture sites, and compare the results and the data of the sites with what is expected.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  Every scenario passed.
  1  At least one scenario failed, no scenario was chosen, or a file has errors.
  3  Not ready: a file, Chromium or its sandbox is missing.")]
pub(super) struct TestCommand {
    /// Only these apps, for example ledgerly.
    apps: Vec<String>,
    /// Only scenarios whose name or operation contains this text, or that have this tag or state. For example user.list.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// How many scenarios run at the same time. Without it: three per processor, because a scenario mostly waits.
    #[arg(long, value_name = "N", value_parser = super::at_least_one)]
    jobs: Option<usize>,
    /// The folder of the playbooks, one folder per app: DIR/ledgerly/playbook.yaml and scenarios.yaml.
    #[arg(long, value_name = "DIR", default_value = "playbooks", env = "SEATWRIGHT_PLAYBOOKS")]
    playbooks: PathBuf,
    /// The folder of the fixture sites, one folder per site: DIR/ledgerly/site.yaml.
    #[arg(long, value_name = "DIR", default_value = "fixtures/sites")]
    sites: PathBuf,
    /// Play on real apps as well as on their fixture sites. Both must have the same result. Apps without a real app are
    /// left out.
    #[arg(long)]
    real: bool,
    /// The folder of the real apps, one folder per app.
    #[arg(long, value_name = "DIR", default_value = "fixtures/apps")]
    real_apps: PathBuf,
    /// The folder for pictures. Those of the last run are removed first; other files stay.
    #[arg(long, value_name = "DIR", default_value = "out/test")]
    evidence: PathBuf,
    /// Write a JUnit report (XML) for CI systems into this file.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write all results as JSON into this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only the scenarios that failed when they were last played with this evidence folder.
    #[arg(long, visible_alias = "lf")]
    last_failed: bool,
    /// Play each scenario N times. The report says how many plays of each scenario failed; one is enough to fail the run.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = super::at_least_one)]
    repeat: usize,
    /// After the first failure begin no other scenario. Those left out are counted as not played.
    #[arg(long, short = 'x')]
    fail_fast: bool,
    /// Do not end. When you save a file of an app or of its site, play the scenarios of this app again.
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    browser: BrowserArguments,
}

impl TestCommand {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let launcher = ChromiumLauncher(self.browser.options());
        let browser = OnceCell::new();
        let begin = || async { launcher.launch().await.map_err(|reason| anyhow::anyhow!(reason)) };
        let exit = if self.watch {
            tokio::select! {
                exit = self.play_on_save(&browser, begin) => exit,
                interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| Exit::Done).map_err(Into::into),
            }
        } else {
            self.play(&self.apps, &browser, begin).await
        };
        if let Some(browser) = browser.into_inner() {
            browser.close().await;
        }
        exit
    }

    /// Plays, and plays the affected apps again whenever a file is saved. Never ends on its own.
    async fn play_on_save<F: Future<Output = anyhow::Result<Arc<dyn Browser>>>>(
        &self,
        browser: &OnceCell<Arc<dyn Browser>>,
        begin: impl Fn() -> F,
    ) -> anyhow::Result<Exit> {
        let mut watch = FileWatch::new(&self.playbooks, &self.sites);
        let mut apps = self.apps.clone();
        loop {
            if let Err(error) = self.play(&apps, browser, &begin).await {
                println!("{error:#}");
            }
            println!("waiting for a file to be saved. Ctrl-C ends the command.");
            let saved = watch.change().await;
            println!(
                "\n{} was saved",
                saved.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
            );
            apps = self.affected(&saved);
        }
    }

    /// The apps that the files belong to. If one belongs to none: all apps that were asked for.
    fn affected(&self, saved: &[PathBuf]) -> Vec<String> {
        let suites = scenario::load(&self.playbooks, &self.sites).unwrap_or_default();
        let of = |suite: &Suite, path: &PathBuf| {
            path.starts_with(self.playbooks.join(&suite.app)) || path.starts_with(&suite.site)
        };
        let known = |path: &PathBuf| suites.iter().any(|suite| of(suite, path));
        if !saved.iter().all(known) {
            return self.apps.clone();
        }
        let wanted = |suite: &&Suite| self.apps.is_empty() || self.apps.contains(&suite.app);
        let hit = |suite: &&Suite| saved.iter().any(|path| of(suite, path));
        let apps: Vec<String> =
            suites.iter().filter(wanted).filter(hit).map(|suite| suite.app.clone()).collect();
        if apps.is_empty() { self.apps.clone() } else { apps }
    }

    async fn play<F: Future<Output = anyhow::Result<Arc<dyn Browser>>>>(
        &self,
        apps: &[String],
        browser: &OnceCell<Arc<dyn Browser>>,
        begin: impl Fn() -> F,
    ) -> anyhow::Result<Exit> {
        let Some(mut suites) = load_suites(&self.playbooks, &self.sites, apps)? else {
            return Ok(Exit::NotDone);
        };
        if self.real {
            suites.retain(Suite::has_app);
        }
        let mut sites = BTreeMap::new();
        for suite in &suites {
            let Some(site) = site::open(&suite.site)? else { return Ok(Exit::NotDone) };
            sites.insert(suite.site.clone(), site);
        }
        let names: Vec<Vec<String>> = suites.iter().map(Suite::file_names).collect();
        let last = LastRun::read(&self.evidence);
        if self.last_failed
            && let Some(exit) = self.nothing_to_repeat(last.as_ref())
        {
            return Ok(exit);
        }
        let mut last = last.unwrap_or_default();
        // A scenario that is not in its file any more cannot be played again.
        let known: BTreeSet<&String> = names.iter().flatten().collect();
        let is_loaded = |name: &str| suites.iter().any(|suite| name.starts_with(&format!("{}--", suite.app)));
        last.failed.retain(|name| known.contains(name) || !is_loaded(name));
        let chosen: Vec<Chosen<'_>> = suites
            .iter()
            .zip(&names)
            .flat_map(|(suite, names)| {
                suite.scenarios().iter().zip(names).map(move |(scenario, name)| (suite, scenario, name))
            })
            .filter(|(_, scenario, _)| self.wants(scenario))
            .filter(|(_, _, name)| !self.last_failed || last.failed.contains(*name))
            .filter_map(|(suite, scenario, file_name)| {
                Some(Chosen { suite, site: sites.get(&suite.site)?, scenario, file_name })
            })
            .collect();
        if chosen.is_empty() {
            println!("{}", self.nothing_chosen(&last));
            return Ok(Exit::NotDone);
        }
        let browser = browser.get_or_try_init(begin).await?;
        self.play_chosen(&chosen, last, Arc::clone(browser)).await
    }

    /// Plays these scenarios, and reports.
    async fn play_chosen(
        &self,
        chosen: &[Chosen<'_>],
        last: LastRun,
        browser: Arc<dyn Browser>,
    ) -> anyhow::Result<Exit> {
        let begun = Instant::now();
        let side_by_side =
            self.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(3, |n| n.get() * 3));
        let recorded = Arc::new(RecordedRun::begin(&self.evidence, last).await);
        let stage = Stage {
            playbooks: Playbooks::read(&self.playbooks)?,
            launch: Arc::new(Same(browser)),
            evidence: Arc::clone(&recorded) as Arc<dyn EvidenceStore>,
            apps: if self.real { Some(Apps::new(&self.real_apps, side_by_side)?) } else { None },
        };
        let color = colors(&std::io::stdout());
        let mut printed = Printed::new(&self.evidence, color, chosen.len() * self.repeat, self.repeat);
        let mut passes: BTreeMap<String, usize> = BTreeMap::new();
        let plays = Plays { side_by_side, repeat: self.repeat, fail_fast: self.fail_fast };
        let reports = scenario::run(&stage, chosen, plays, |report| {
            printed.report(report);
            let Ended::Played(played) = &report.ended else { return };
            let passed = passes.entry(report.file_name.clone()).or_default();
            *passed += usize::from(played.has_passed());
            if !played.has_passed() || *passed == self.repeat {
                recorded.ended(&report.file_name, !played.has_passed());
            }
        })
        .await;
        if let Some(apps) = stage.apps {
            apps.end().await;
        }
        self.write_files(&reports)?;
        for line in printed.summary(chosen.len(), begun.elapsed().as_secs_f64()) {
            println!("{line}");
        }
        Ok(if printed.failed() == 0 { Exit::Done } else { Exit::NotDone })
    }

    fn write_files(&self, reports: &[Report]) -> anyhow::Result<()> {
        let unwritable = |file: &Path| format!("{} cannot be written", file.display());
        if let Some(file) = &self.junit {
            let cases: Vec<_> =
                reports.iter().map(|report| files::case(report, self.repeat, &self.evidence)).collect();
            std::fs::write(file, junit::report(&cases)?).with_context(|| unwritable(file))?;
        }
        if let Some(file) = &self.json {
            let all: Vec<serde_json::Value> = reports.iter().map(files::json).collect();
            std::fs::write(file, serde_json::to_string_pretty(&all)?).with_context(|| unwritable(file))?;
        }
        Ok(())
    }

    /// `--last-failed` where no scenario has failed, or where nothing is known.
    fn nothing_to_repeat(&self, last: Option<&LastRun>) -> Option<Exit> {
        let folder = self.evidence.display();
        match last {
            None => {
                println!("there is no last run in {folder}: play the scenarios once without `--last-failed`");
                Some(Exit::NotDone)
            }
            Some(last) if last.failed.is_empty() => {
                println!("nothing failed in the last run ({folder}): there is nothing to play again");
                Some(Exit::Done)
            }
            Some(_) => None,
        }
    }

    /// Why no scenario is played.
    fn nothing_chosen(&self, last: &LastRun) -> String {
        if !self.last_failed {
            return "no scenario matches: `seatwright coverage` lists the scenarios by operation and state"
                .to_owned();
        }
        if last.failed.is_empty() {
            return "the scenarios that failed in the last run are not in their files any more".to_owned();
        }
        let failed: Vec<&str> = last.failed.iter().map(String::as_str).collect();
        format!("no scenario that failed in the last run matches. These failed: {}", failed.join(", "))
    }

    fn wants(&self, scenario: &scenario::Scenario) -> bool {
        let Some(text) = &self.filter else { return true };
        let operation = scenario.operation().map_or("", |operation| operation.as_str());
        scenario.name.value.contains(text.as_str())
            || operation.contains(text.as_str())
            || scenario.tags.iter().any(|tag| tag == text)
            || scenario.states.iter().any(|state| state.value == *text)
    }
}

/// Gives every scenario the same browser.
struct Same(Arc<dyn Browser>);

#[async_trait]
impl Launch for Same {
    async fn launch(&self) -> Result<Arc<dyn Browser>, String> {
        Ok(Arc::clone(&self.0))
    }
}
