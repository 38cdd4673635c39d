//! `seatwright test`: plays scenarios on fixture sites.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use anyhow::Context;
use async_trait::async_trait;
use tokio::sync::OnceCell;

use super::{
    Exit, failure,
    file_watch::FileWatch,
    parts::{BrowserArguments, ChromiumLauncher},
    site,
    suites::load_suites,
    terminal::{colors, counted},
};
use crate::{
    adapters::store::Folder,
    ports::driver::{Browser, Launch},
    report::junit,
    scenario::{self, Apps, Report, Stage, Suite},
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
    /// The folder for pictures.
    #[arg(long, value_name = "DIR", default_value = "out/test")]
    evidence: PathBuf,
    /// Write a JUnit report (XML) for CI systems into this file.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write all results as JSON into this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
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
            println!("waiting until a file is saved. Ctrl-C stops it.");
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
        let chosen: Vec<_> = suites
            .iter()
            .flat_map(|suite| suite.scenarios().iter().map(move |scenario| (suite, scenario)))
            .filter(|(_, scenario)| self.wants(scenario))
            .filter_map(|(suite, scenario)| Some((suite, sites.get(&suite.site)?, scenario)))
            .collect();
        if chosen.is_empty() {
            println!("no scenario matches: `seatwright coverage` lists the scenarios by operation and state");
            return Ok(Exit::NotDone);
        }
        let begun = Instant::now();
        let browser = browser.get_or_try_init(begin).await?;
        let at_once =
            self.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(3, |n| n.get() * 3));
        let stage = Stage {
            playbooks: Playbooks::read(&self.playbooks)?,
            launch: Arc::new(Same(Arc::clone(browser))),
            evidence: Arc::new(Folder::new(&self.evidence)),
            apps: if self.real { Some(Apps::new(&self.real_apps, at_once)?) } else { None },
        };
        let (all, color) = (chosen.len(), colors(&std::io::stdout()));
        let mut done = 0;
        let reports = scenario::run(&stage, chosen, at_once, |report| {
            done += 1;
            print(report, done, all, color, &self.evidence);
        })
        .await;
        if let Some(apps) = stage.apps {
            apps.end().await;
        }
        let failed = reports.iter().filter(|report| !report.differences.is_empty()).count();
        if let Some(file) = &self.junit {
            let cases: Vec<junit::JunitCase> = reports.iter().map(case).collect();
            std::fs::write(file, junit::report(&cases)?)
                .with_context(|| format!("{} cannot be written", file.display()))?;
        }
        if let Some(file) = &self.json {
            let all: Vec<serde_json::Value> = reports.iter().map(as_json).collect();
            std::fs::write(file, serde_json::to_string_pretty(&all)?)
                .with_context(|| format!("{} cannot be written", file.display()))?;
        }
        println!(
            "{}: {} passed, {failed} failed in {:.1} s",
            counted(all, "scenario"),
            all - failed,
            begun.elapsed().as_secs_f64()
        );
        Ok(if failed == 0 { Exit::Done } else { Exit::NotDone })
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

fn print(report: &Report, done: usize, all: usize, color: bool, evidence: &Path) {
    let seconds = report.took.as_secs_f64();
    let (good, bad, plain) = if color { ("\x1b[32m", "\x1b[31m", "\x1b[0m") } else { ("", "", "") };
    let width = all.to_string().len();
    if report.differences.is_empty() {
        println!("[{done:>width$}/{all}] {good}ok{plain}   {}: {} ({seconds:.1} s)", report.app, report.name);
        return;
    }
    println!("[{done:>width$}/{all}] {bad}FAIL{plain} {}: {} ({seconds:.1} s)", report.app, report.name);
    println!("       {}", report.place);
    for difference in &report.differences {
        println!("       - {difference}");
    }
    let Some(result) = &report.result else { return };
    let folder =
        report.place.split(':').next().map(Path::new).and_then(Path::parent).unwrap_or(Path::new("."));
    let why = result.error.as_ref().map(|error| failure::lines(error, folder)).unwrap_or_default();
    for line in why.iter().chain(&failure::pictures(&result.evidence, evidence)) {
        println!("       {line}");
    }
}

fn case(report: &Report) -> junit::JunitCase {
    junit::JunitCase {
        suite: report.app.clone(),
        name: report.name.clone(),
        place: report.place.clone(),
        took: report.took,
        failed: (!report.differences.is_empty()).then(|| report.differences.join("\n")),
    }
}

fn as_json(report: &Report) -> serde_json::Value {
    serde_json::json!({
        "app": report.app,
        "scenario": report.name,
        "at": report.place,
        "seconds": report.took.as_secs_f64(),
        "passed": report.differences.is_empty(),
        "differences": report.differences,
        "result": report.result,
    })
}
