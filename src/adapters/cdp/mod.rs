//! The Chromium driver. It starts Chromium as a child process and talks to it over a pipe (Chrome DevTools Protocol).
//!
//! The pipe has no address, so no other program can drive a browser that is signed in. From the bottom up: `process`
//! runs the program, `connection` carries messages, `targets` handles each new page, frame and worker,
//! `target_session` and `context_state` follow their state, and `page` and `context` implement the port.
//!
//! This adapter must not know what a question means: the caller of `launch` provides the script that answers.

mod ask;
mod connection;
mod contains;
mod context;
mod context_state;
mod downloads;
mod events;
mod fault;
mod fence;
mod frames;
mod input;
mod keyboard;
mod launch;
mod ledger;
mod memory;
mod navigation;
mod page;
mod process;
mod profile;
mod relay;
mod request;
mod target_session;
mod targets;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::json;
use tokio::{sync::watch, time::Instant};

pub use launch::{ChromiumOptions, LaunchError, Sandbox};

use crate::ports::driver::{Browser, Context, ContextOptions, DriverError};
use connection::{Connection, ConnectionError};
use context::CdpContext;
use events::Version;
use process::{Program, ProgramState};
use profile::Profile;
use targets::Targets;

/// How long a browser may take to start. It needs a quarter of a second; on a busy machine, seconds.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a browser may take to end.
const EXIT_TIMEOUT: Duration = Duration::from_secs(5);

/// A running Chromium. Dropping it kills the program and removes its profile a moment later.
pub struct Chromium {
    program: Program,
    connection: Arc<Connection>,
    targets: Arc<Targets>,
    version: String,
}

impl Chromium {
    /// Starts a browser. `script` runs in every document of every page, in a world that the page cannot see. It has to
    /// define `globalThis.__seatwright.ask`.
    pub async fn launch(options: ChromiumOptions, script: &'static str) -> Result<Self, LaunchError> {
        launch::check_sandbox(options.sandbox)?;
        process::take_all_descriptors();
        let path = launch::find(options.executable.as_deref())?;
        let not_started = |source| LaunchError::NotStarted { program: path.clone(), source };
        let profile = Profile::new().map_err(not_started)?;
        let arguments = launch::arguments(&options, profile.path());
        let (mut program, stream) = process::start(&path, arguments, profile).await.map_err(not_started)?;
        let (connection, targets) =
            Connection::start(stream, |connection| Arc::new(Targets::new(connection, script)));
        tokio::spawn(report_end(program.state(), Arc::clone(&connection)));
        match greet(&connection).await {
            Ok(version) => Ok(Self { program, connection, targets, version }),
            Err(error) => {
                program.kill();
                let reason = match error {
                    ConnectionError::Late => format!("no answer within {START_TIMEOUT:?}"),
                    ConnectionError::Gone(_) => ended(program.state()).await,
                    other => format!("{other:?}"),
                };
                let stderr = program.last_words().await;
                Err(launch::died(path, reason, stderr))
            }
        }
    }
}

async fn greet(connection: &Arc<Connection>) -> Result<String, ConnectionError> {
    let deadline = Instant::now() + START_TIMEOUT;
    let version = connection.call(None, "Browser.getVersion", json!({}));
    let attach = connection.call(None, "Target.setAutoAttach", targets::auto_attach());
    let version = version.by(deadline).await?;
    attach.by(deadline).await?;
    let product = events::result::<Version<'_>>("Browser.getVersion", &version)
        .map_or("unknown", |version| version.product);
    let number = product.split_once('/').map_or(product, |(_, number)| number);
    Ok(format!("Chromium {number}"))
}

/// Waits for the end of the program; returns how it ended.
async fn ended(mut state: watch::Receiver<ProgramState>) -> String {
    let end = state.wait_for(|state| *state != ProgramState::Running).await;
    match end.as_deref() {
        Ok(ProgramState::Ended(how) | ProgramState::SweptUp(how)) => how.clone(),
        Ok(ProgramState::Running) | Err(_) => "for an unknown reason".to_owned(),
    }
}

async fn report_end(state: watch::Receiver<ProgramState>, connection: Arc<Connection>) {
    let how = ended(state).await;
    connection.close(&how);
}

#[async_trait]
impl Browser for Chromium {
    fn version(&self) -> String {
        self.version.clone()
    }

    async fn open(&self, options: ContextOptions) -> Result<Box<dyn Context>, DriverError> {
        let (connection, targets) = (Arc::clone(&self.connection), Arc::clone(&self.targets));
        // On a task of its own: when the caller stops waiting, the context is still finished, and then ended.
        let opening = tokio::spawn(CdpContext::open(connection, targets, options));
        match opening.await {
            Ok(context) => Ok(Box::new(context?)),
            Err(error) => Err(DriverError::Protocol(error.to_string())),
        }
    }

    fn is_alive(&self) -> bool {
        self.connection.check(None).is_ok()
    }

    async fn memory(&self) -> Option<u64> {
        let leader = self.program.leader()?;
        // Reading /proc never waits for a disk, but takes a while on a machine with many processes.
        tokio::task::spawn_blocking(move || memory::of_group(leader)).await.ok()
    }

    async fn kill(&self, why: &str) {
        // Before the kill, because the first reason stays.
        self.connection.close(why);
        self.program.kill();
        self.is_swept_up().await;
    }

    async fn close(&self) {
        self.connection.post(None, "Browser.close", json!({}));
        let mut state = self.program.state();
        let ended = state.wait_for(|state| *state != ProgramState::Running);
        if tokio::time::timeout(EXIT_TIMEOUT, ended).await.is_err() {
            self.program.kill();
        }
        self.connection.close("it was closed");
        self.is_swept_up().await;
    }
}

impl Chromium {
    async fn is_swept_up(&self) {
        let mut state = self.program.state();
        let swept_up = state.wait_for(|state| matches!(state, ProgramState::SweptUp(_)));
        let _ = tokio::time::timeout(EXIT_TIMEOUT, swept_up).await;
    }
}
