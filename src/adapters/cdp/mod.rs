//! A browser of our own: Chromium, started as a child and spoken to over a pipe (Chrome DevTools Protocol).
//!
//! The pipe has no address, so nobody else can drive a browser that is signed in. From the bottom up:
//! `process` keeps the program, `wire` carries messages, `targets` deals with whatever comes up in the
//! browser, `tab` knows the state of a page, and `page` and `context` are the port's.
//!
//! This adapter must not know what a question means: the script that answers is given by whoever launches.

mod context;
mod events;
mod fence;
mod frames;
mod keyboard;
mod launch;
mod memory;
mod navigation;
mod page;
mod process;
mod profile;
mod relay;
mod tab;
mod targets;
mod wire;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::json;
use tokio::{sync::watch, time::Instant};

pub use launch::{ChromiumOptions, LaunchError, Sandbox};

use crate::ports::driver::{Browser, Context, ContextOptions, DriverError};
use context::FrontContext;
use events::Version;
use process::{Program, Stage};
use profile::Profile;
use targets::Targets;
use wire::{Wire, WireError};

/// The first answer comes within a quarter of a second; on a machine that is out of breath, within seconds.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// How long a browser that was asked to end may take.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// A running Chromium. Dropped, it is killed, and its profile removed a moment later.
pub struct Chromium {
    program: Program,
    wire: Arc<Wire>,
    targets: Arc<Targets>,
    version: String,
}

impl Chromium {
    /// Starts a browser. `script` is put into every document of every page, in a world that the page cannot
    /// see, and has to define `globalThis.__seatwright.ask`.
    pub async fn launch(options: ChromiumOptions, script: &'static str) -> Result<Self, LaunchError> {
        launch::check_sandbox(options.sandbox)?;
        process::take_all_descriptors();
        let path = launch::find(options.executable.as_deref())?;
        let not_started = |source| LaunchError::NotStarted { program: path.clone(), source };
        let profile = Profile::new().map_err(not_started)?;
        let arguments = launch::arguments(&options, profile.path());
        let (mut program, stream) = process::start(&path, arguments, profile).await.map_err(not_started)?;
        let (wire, targets) = Wire::start(stream, |wire| Arc::new(Targets::new(wire, script)));
        tokio::spawn(tell_of_the_end(program.stage(), Arc::clone(&wire)));
        match greet(&wire).await {
            Ok(version) => Ok(Self { program, wire, targets, version }),
            Err(error) => {
                program.kill();
                let reason = match error {
                    WireError::Late => format!("no answer within {START_PATIENCE:?}"),
                    WireError::Gone(_) => ended(program.stage()).await,
                    other => format!("{other:?}"),
                };
                let stderr = program.last_words().await;
                Err(launch::died(path, reason, stderr))
            }
        }
    }
}

async fn greet(wire: &Arc<Wire>) -> Result<String, WireError> {
    let deadline = Instant::now() + START_PATIENCE;
    let version = wire.call(None, "Browser.getVersion", json!({}));
    let attach = wire.call(None, "Target.setAutoAttach", targets::auto_attach());
    let version = version.by(deadline).await?;
    attach.by(deadline).await?;
    let product = events::result::<Version<'_>>("Browser.getVersion", &version)
        .map_or("unknown", |version| version.product);
    let number = product.split_once('/').map_or(product, |(_, number)| number);
    Ok(format!("Chromium {number}"))
}

/// How the program ended; waits for its end.
async fn ended(mut stage: watch::Receiver<Stage>) -> String {
    let end = stage.wait_for(|stage| *stage != Stage::Running).await;
    match end.as_deref() {
        Ok(Stage::Ended(how) | Stage::SweptUp(how)) => how.clone(),
        Ok(Stage::Running) | Err(_) => "nobody knows how".to_owned(),
    }
}

async fn tell_of_the_end(stage: watch::Receiver<Stage>, wire: Arc<Wire>) {
    let how = ended(stage).await;
    wire.die(&how);
}

#[async_trait]
impl Browser for Chromium {
    fn version(&self) -> String {
        self.version.clone()
    }

    async fn open(&self, options: ContextOptions) -> Result<Box<dyn Context>, DriverError> {
        let (wire, targets) = (Arc::clone(&self.wire), Arc::clone(&self.targets));
        // On a task of its own: given up half-way, it is finished and then ended.
        let opening = tokio::spawn(FrontContext::open(wire, targets, options));
        match opening.await {
            Ok(context) => Ok(Box::new(context?)),
            Err(error) => Err(DriverError::Protocol(error.to_string())),
        }
    }

    fn is_alive(&self) -> bool {
        self.wire.fate(None).is_ok()
    }

    async fn memory(&self) -> Option<u64> {
        let leader = self.program.leader()?;
        // Reading /proc never waits for a disk, but on a big machine there is much of it.
        tokio::task::spawn_blocking(move || memory::of_group(leader)).await.ok()
    }

    async fn kill(&self, why: &str) {
        // Told before it is done: the first reason stays.
        self.wire.die(why);
        self.program.kill();
        self.is_swept_up().await;
    }

    async fn close(&self) {
        self.wire.post(None, "Browser.close", json!({}));
        let mut stage = self.program.stage();
        let ended = stage.wait_for(|stage| *stage != Stage::Running);
        if tokio::time::timeout(END_PATIENCE, ended).await.is_err() {
            self.program.kill();
        }
        self.wire.die("it was closed");
        self.is_swept_up().await;
    }
}

impl Chromium {
    async fn is_swept_up(&self) {
        let mut stage = self.program.stage();
        let swept_up = stage.wait_for(|stage| matches!(stage, Stage::SweptUp(_)));
        let _ = tokio::time::timeout(END_PATIENCE, swept_up).await;
    }
}
