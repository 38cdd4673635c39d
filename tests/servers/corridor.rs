//! Broker, site and workers as their own processes: the whole corridor, and what can be done to it.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use lapin::{
    BasicProperties, Confirmation, Connection, ConnectionProperties,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
    },
    types::FieldTable,
};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use seatwright::{
    adapters::amqp::{Client, GatewayMessage},
    contract::JobResult,
    site::{RunningSite, Site},
};
use serde_json::{Value, json};

use crate::support::{PASSWORD, root};

/// Whatever a test waits for comes within this, or never.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A worker as its own process.
pub struct Worker {
    child: Child,
    log: mpsc::Receiver<String>,
    seen: String,
}

impl Worker {
    pub fn start(config: &Path) -> Self {
        Self::start_with(config, &[])
    }

    /// One that ends or stands still at an event: `commit_reached:1 STOP`.
    pub fn start_for(config: &Path, fault: &str) -> Self {
        Self::start_with(config, &[("SEATWRIGHT_TEST_FAULT", fault)])
    }

    /// With more in its environment.
    pub fn start_with(config: &Path, environment: &[(&str, &str)]) -> Self {
        Self::run(&["worker"], config, environment)
    }

    /// Another command that runs until it is stopped.
    pub fn run(command: &[&str], config: &Path, environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_seatwright-testbed"))
            .args(command)
            .arg("--config")
            .arg(config)
            .env("LEDGERLY_PASSWORD", PASSWORD)
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the worker starts");
        let stderr = child.stderr.take().expect("its log");
        let (send, log) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // Shown where the test fails.
                eprintln!("{line}");
                let _ = send.send(line);
            }
        });
        Self { child, log, seen: String::new() }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the log says this.
    pub fn says(&mut self, what: &str) {
        while !self.seen.contains(what) {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.seen.push_str(&line);
                    self.seen.push('\n');
                }
                Err(_) => panic!("the worker never said `{what}`; it said:\n{}", self.seen),
            }
        }
        self.seen.clear();
    }

    /// A real kill -9.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    pub fn signal(&self, name: &str) {
        let signal = match name {
            "TERM" => Signal::TERM,
            "CONT" => Signal::CONT,
            other => panic!("no test sends {other}"),
        };
        kill_process(Pid::from_child(&self.child), signal).expect("it is there");
    }

    /// Waits for its end. What never ends, the test runner ends.
    pub fn ended(&mut self) -> ExitStatus {
        self.child.wait().expect("it can be waited for")
    }

    /// Waits until it has killed itself, as it was told to.
    pub fn killed(mut self) {
        let status = self.ended();
        assert_eq!(status.signal(), Some(9), "it was to be killed, and ended with {status}");
    }

    /// Waits until it stands still (SIGSTOP).
    pub fn stopped(&self) {
        let either = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(Pid::from_child(&self.child)), either);
        let status = status.expect("it can be waited for").expect("it has changed");
        assert!(status.stopped(), "it ended instead of standing still");
    }

    /// SIGTERM; everything that it still says, and that it ends well.
    pub fn stop(mut self) -> String {
        self.signal("TERM");
        let status = self.child.wait().expect("it ends");
        while let Ok(line) = self.log.recv() {
            self.seen.push_str(&line);
        }
        assert!(status.success(), "the worker ended with {status}: {}", self.seen);
        std::mem::take(&mut self.seen)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // A test that fails leaves nothing behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One lane with a site of its own; the broker is shared.
pub struct Lane {
    pub name: String,
    pub site: RunningSite,
    pub folder: tempfile::TempDir,
    pub config: PathBuf,
    url: String,
}

/// What a lane's worker is told beside the usual.
#[derive(Clone, Copy, Default)]
pub struct Terms<'a> {
    /// How long the app may take to show a change: `settle:` of its playbook.
    pub settle: Option<&'a str>,
    /// More lines of the configuration.
    pub more: &'a str,
    /// Seconds between heartbeats.
    pub heartbeat: Option<u16>,
    /// Another program as its browser.
    pub browser: Option<&'a Path>,
}

impl Lane {
    pub async fn new(url: &str, name: &str, terms: Terms<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let site = careless_site(&folder.path().join("site")).await;
        let playbooks = folder.path().join("playbooks/ledgerly");
        std::fs::create_dir_all(&playbooks).expect("a folder");
        let mut playbook =
            std::fs::read_to_string(root().join("playbooks/ledgerly/playbook.yaml")).expect("a playbook");
        if let Some(settle) = terms.settle {
            playbook.push_str(&format!("\nsettle: {settle}\n"));
        }
        std::fs::write(playbooks.join("playbook.yaml"), playbook).expect("it can be written");
        let config = folder.path().join("seatwright.yaml");
        let browser = terms.browser.map(|program| format!(", executable: '{}'", program.display()));
        let text = format!(
            "broker: {{ url: '{url}', heartbeat: {} }}\nbrowser: {{ allow_no_sandbox: true{} }}\nevidence: evidence\n\
             service_accounts:\n  {name}: {{ username: svc@acme.example, secrets: {{ password: 'env:LEDGERLY_PASSWORD' }} }}\n\
             integrations:\n  int-42: {{ app: ledgerly, settings: {{ port: '{}' }}, service_account: {name} }}\n{}\n",
            terms.heartbeat.unwrap_or(10),
            browser.unwrap_or_default(),
            site.addr().port(),
            terms.more,
        );
        std::fs::write(&config, text).expect("the configuration can be written");
        Self { name: name.to_owned(), site, folder, config, url: url.to_owned() }
    }

    /// The same for a worker that comes to the broker by another way.
    pub fn config_by(&self, url: &str) -> PathBuf {
        let text = std::fs::read_to_string(&self.config).expect("the configuration can be read");
        let config = self.config.with_file_name("by-another-way.yaml");
        std::fs::write(&config, text.replace(&self.url, url)).expect("the configuration can be written");
        config
    }

    pub async fn client(&self) -> Client {
        Client::connect(&self.url, std::slice::from_ref(&self.name)).await.expect("the broker can be reached")
    }

    pub async fn publish(&self, client: &Client, id: &str, operation: &str, more: Value) {
        client.publish(&self.name, operation, id, &job(id, operation, more)).await.expect("it is stored");
    }

    /// The results of a job that wait where all results wait, until there is one.
    pub async fn results_of(&self, job: &str) -> Vec<JobResult> {
        // A worker that has lost its broker several times rests before it looks for it again.
        let until = Instant::now() + 3 * PATIENCE;
        let mut all = Vec::new();
        while !all.iter().any(|result: &JobResult| result.job == job) {
            assert!(Instant::now() < until, "no result of {job}");
            // The broker may be on its way back itself.
            let Ok(connection) = Connection::connect(&self.url, ConnectionProperties::default()).await else {
                continue;
            };
            let Ok(channel) = connection.create_channel().await else { continue };
            let options = BasicGetOptions { no_ack: true };
            while let Ok(Some(message)) = channel.basic_get("seatwright.results".into(), options).await {
                all.push(serde_json::from_slice(&message.delivery.data).expect("a result"));
            }
            let _ = connection.close(200, "done".into()).await;
        }
        all
    }

    /// A job's trace.
    pub fn trace(&self, job: &str) -> Vec<Value> {
        let trace = self.folder.path().join(format!("evidence/{job}.trace.ndjson"));
        let text = std::fs::read_to_string(&trace).expect("a trace");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Its events, by name.
    pub fn events(&self, job: &str) -> Vec<String> {
        let name = |event: &Value| event["event"].as_str().expect("a name").to_owned();
        self.trace(job).iter().map(name).collect()
    }

    /// All members but those with this address, and how many have it.
    pub fn members(&self, address: &str) -> (Vec<Value>, Vec<Value>) {
        let world = self.site.world();
        let all = world["members"].as_array().expect("the site has members").clone();
        all.into_iter().partition(|member| member["email"] != address)
    }
}

/// Many lanes with one site.
pub struct Place {
    pub site: RunningSite,
    pub folder: tempfile::TempDir,
    pub config: PathBuf,
    lanes: Vec<String>,
    url: String,
}

impl Place {
    pub async fn new(url: &str, lanes: &[String]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let site = careless_site(&folder.path().join("site")).await;
        let config = folder.path().join("seatwright.yaml");
        let mut text = format!(
            "broker: {{ url: '{url}', heartbeat: 2 }}\nbrowser: {{ allow_no_sandbox: true }}\nevidence: evidence\nslots: 8\n\
             playbooks: {}\nservice_accounts:\n",
            root().join("playbooks").display()
        );
        for lane in lanes {
            text += &format!(
                "  {lane}: {{ username: svc@acme.example, secrets: {{ password: 'env:LEDGERLY_PASSWORD' }} }}\n"
            );
        }
        text += "integrations:\n";
        for lane in lanes {
            let port = site.addr().port();
            text += &format!(
                "  int-{lane}: {{ app: ledgerly, settings: {{ port: '{port}' }}, service_account: {lane} }}\n"
            );
        }
        std::fs::write(&config, text).expect("the configuration can be written");
        Self { site, folder, config, lanes: lanes.to_vec(), url: url.to_owned() }
    }

    pub async fn client(&self) -> Client {
        Client::connect(&self.url, &self.lanes).await.expect("the broker can be reached")
    }

    /// Publishes jobs, by routing key, that name nobody to answer to: their results wait where all results wait.
    pub async fn publish(&self, jobs: &[(String, Vec<u8>)]) {
        let connection = Connection::connect(&self.url, ConnectionProperties::default());
        let connection = connection.await.expect("the broker can be reached");
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
        for (key, body) in jobs {
            // Without the time, a job that comes again to a young journal is in doubt.
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
            let properties = BasicProperties::default().with_delivery_mode(2).with_timestamp(now.as_secs());
            let options = BasicPublishOptions { mandatory: true, ..Default::default() };
            let sent = channel.basic_publish(
                "seatwright.jobs".into(),
                key.as_str().into(),
                options,
                body,
                properties,
            );
            let stored = sent.await.expect("it is sent").await.expect("it is confirmed");
            assert_eq!(stored, Confirmation::Ack(None), "{key}");
        }
        let _ = connection.close(200, "done".into()).await;
    }

    /// Takes results from where all results wait, until there are enough. Two results of one job that differ are a failure.
    pub async fn gather(
        &self,
        told: &mut BTreeMap<String, JobResult>,
        enough: impl Fn(&BTreeMap<String, JobResult>) -> bool,
    ) {
        let mut until = Instant::now() + PATIENCE;
        while !enough(told) {
            assert!(Instant::now() < until, "no more results after {}", told.len());
            let Ok(connection) = Connection::connect(&self.url, ConnectionProperties::default()).await else {
                continue;
            };
            let Ok(channel) = connection.create_channel().await else { continue };
            let consumed = channel.basic_consume(
                "seatwright.results".into(),
                "".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            );
            let Ok(mut consumer) = consumed.await else { continue };
            while !enough(told)
                && let Ok(Some(Ok(message))) = tokio::time::timeout(PATIENCE, consumer.next()).await
            {
                let result: JobResult = serde_json::from_slice(&message.data).expect("a result");
                // One that is not acknowledged in time comes again.
                let _ = message.ack(BasicAckOptions::default()).await;
                until = Instant::now() + PATIENCE;
                let known = told.entry(result.job.clone()).or_insert_with(|| result.clone());
                assert!(result.settled || *known == result, "two results: {known:?} and {result:?}");
            }
            let _ = connection.close(200, "done".into()).await;
        }
    }
}

/// Ledgerly, without its rule that an address is there once: an app that lets everything be done twice.
async fn careless_site(folder: &Path) -> RunningSite {
    std::fs::create_dir_all(folder).expect("a folder");
    for file in std::fs::read_dir(root().join("fixtures/sites/ledgerly")).expect("the site").flatten() {
        std::fs::copy(file.path(), folder.join(file.file_name())).expect("a copy");
    }
    let file = folder.join("site.yaml");
    let text = std::fs::read_to_string(&file).expect("the site");
    let careless: String = text
        .lines()
        .filter(|line| !line.contains("email already exists"))
        .flat_map(|line| [line, "\n"])
        .collect();
    assert_ne!(text.lines().count(), careless.lines().count(), "the rule is not where it was");
    std::fs::write(&file, careless).expect("it can be written");
    let site = Site::load(folder).unwrap_or_else(|error| panic!("{error}"));
    site.serve(([127, 0, 0, 1], 0).into()).await.expect("the site can be served")
}

pub fn job(id: &str, operation: &str, more: Value) -> Vec<u8> {
    let mut job = json!({
        "id": id, "app": "ledgerly", "operation": operation,
        "integration": { "id": "int-42", "settings": { "business_id": "acme" } },
    });
    job.as_object_mut().expect("a map").extend(more.as_object().cloned().unwrap_or_default());
    job.to_string().into_bytes()
}

/// The results of these jobs, in the order in which they came; one that comes twice is there twice.
pub async fn results(client: &mut Client, mut waiting: Vec<&str>) -> Vec<JobResult> {
    let mut all = Vec::new();
    while !waiting.is_empty() {
        let heard = tokio::time::timeout(PATIENCE, client.next()).await;
        match heard.unwrap_or_else(|_| panic!("no result of {waiting:?}")).expect("the broker stays") {
            GatewayMessage::Result(result) => {
                waiting.retain(|id| *id != result.job);
                all.push(*result);
            }
            GatewayMessage::Event(_) => {}
            GatewayMessage::Other(text) => panic!("neither event nor result: {text}"),
        }
    }
    all
}
