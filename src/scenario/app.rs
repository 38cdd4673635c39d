//! A real app, started and controlled by a program of its own: `fixtures/apps/<name>/app`.
//!
//! This module must not know the app. The program answers each line of JSON with a line of JSON: see `docs/apps.md`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{Mutex, OwnedSemaphorePermit, Semaphore},
};

/// How long an app may take to start. A broker on a busy machine needs a while.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// How long an app may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// The real apps of a run: each is started when it is first needed, and used again.
pub struct Apps {
    /// Contains a folder for each app.
    folder: PathBuf,
    /// Where running apps keep their data.
    data: tempfile::TempDir,
    idle: Mutex<BTreeMap<String, Vec<RunningApp>>>,
    /// By name, the places for apps that run at once.
    places: Mutex<BTreeMap<String, Arc<Semaphore>>>,
    most: usize,
}

/// An app that one scenario uses.
pub struct Taken {
    app: RunningApp,
    _place: OwnedSemaphorePermit,
}

impl Taken {
    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.app.port
    }

    /// Its state, as its own command line reports it.
    pub async fn world(&mut self) -> Result<Value, String> {
        self.app.world().await
    }

    /// Its first state.
    pub(super) fn seed(&self) -> &Value {
        &self.app.seed
    }

    /// Sets its state.
    pub(super) async fn load(&mut self, world: &Value) -> Result<(), String> {
        self.app.ask(&json!({ "do": "load", "world": world })).await.map(drop)
    }
}

/// One real app that is running.
struct RunningApp {
    name: String,
    port: u16,
    seed: Value,
    child: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Apps {
    /// The apps below a folder; at most `most` of each run at once.
    pub fn new(folder: &Path, most: usize) -> std::io::Result<Apps> {
        let folder = std::path::absolute(folder)?;
        let data = tempfile::Builder::new().prefix("seatwright-apps-").tempdir()?;
        Ok(Apps { folder, data, idle: Mutex::default(), places: Mutex::default(), most: most.max(1) })
    }

    /// Takes an app for one scenario: an idle one, or a new one.
    pub async fn take(&self, name: &str) -> Result<Taken, String> {
        let places = {
            let mut places = self.places.lock().await;
            Arc::clone(places.entry(name.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(self.most))))
        };
        let place = places.acquire_owned().await.map_err(|_| "the apps are being stopped".to_owned())?;
        let idle = self.idle.lock().await.get_mut(name).and_then(Vec::pop);
        let app = match idle {
            Some(app) => app,
            None => RunningApp::start(&self.folder, name, self.data.path()).await?,
        };
        Ok(Taken { app, _place: place })
    }

    /// Returns an app, so that the next scenario can use it.
    pub async fn give_back(&self, taken: Taken) {
        self.idle.lock().await.entry(taken.app.name.clone()).or_default().push(taken.app);
    }

    /// Stops all apps: each one ends when its input ends.
    pub async fn end(self) {
        let idle = std::mem::take(&mut *self.idle.lock().await);
        for mut app in idle.into_values().flatten() {
            drop(app.commands);
            let _ = tokio::time::timeout(ANSWER_TIMEOUT, app.child.wait()).await;
        }
    }
}

impl RunningApp {
    async fn start(folder: &Path, name: &str, data: &Path) -> Result<RunningApp, String> {
        let program = folder.join(name).join("app");
        let own = tempfile::Builder::new()
            .prefix(&format!("{name}-"))
            .tempdir_in(data)
            .map_err(|error| format!("no folder for {name}: {error}"))?
            .keep();
        let mut child = Command::new(&program)
            .arg("serve")
            .arg(&own)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", program.display()))?;
        let (Some(commands), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("{} has no standard input and output", program.display()));
        };
        let answers = BufReader::new(answers).lines();
        let mut app =
            RunningApp { name: name.to_owned(), port: 0, seed: Value::Null, child, commands, answers };
        let ready = app.answer(START_TIMEOUT).await?;
        let port = ready["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        app.port = port.ok_or_else(|| format!("the first answer of {name} has no `port`: {ready}"))?;
        app.seed = app.world().await?;
        Ok(app)
    }

    async fn world(&mut self) -> Result<Value, String> {
        let mut answer = self.ask(&json!({ "do": "world" })).await?;
        match answer.get_mut("world").map(Value::take) {
            Some(world) => Ok(world),
            None => Err(format!("{} answered without a `world`: {answer}", self.name)),
        }
    }

    async fn ask(&mut self, command: &Value) -> Result<Value, String> {
        let line = format!("{command}\n");
        let gone =
            |name: &str, error: std::io::Error| format!("{name} does not read its input any more: {error}");
        self.commands.write_all(line.as_bytes()).await.map_err(|error| gone(&self.name, error))?;
        self.commands.flush().await.map_err(|error| gone(&self.name, error))?;
        self.answer(ANSWER_TIMEOUT).await
    }

    async fn answer(&mut self, within: Duration) -> Result<Value, String> {
        let line = tokio::time::timeout(within, self.answers.next_line())
            .await
            .map_err(|_| format!("{} did not answer within {} s", self.name, within.as_secs()))?
            .map_err(|error| format!("the output of {} cannot be read: {error}", self.name))?
            .ok_or_else(|| format!("{} has ended; its log is above", self.name))?;
        let answer: Value = serde_json::from_str(&line)
            .map_err(|error| format!("{} answered `{line}`, which is not JSON: {error}", self.name))?;
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => Err(format!("{}: {error}", self.name)),
            None => Ok(answer),
        }
    }
}
