//! What the suites with servers need: a private broker, a private database, workers as their own processes.
#![allow(dead_code, reason = "every suite uses a part of it")]

pub mod corridor;
pub mod ports;
pub mod postgres;
pub mod relay;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::root;

/// A virtual host for one test. It is on the node that the test runner has started for the whole run (`scripts/broker-for-tests`);
/// without such a runner it is on a node of its own.
pub struct VirtualHost {
    pub url: String,
    name: String,
    node: PathBuf,
    _own: Option<PrivateBroker>,
}

impl VirtualHost {
    pub fn take() -> Self {
        let Some(node) = env::var_os("SEATWRIGHT_TEST_BROKER").map(PathBuf::from) else {
            let own = PrivateBroker::start();
            let (url, node) = (own.url.clone(), own.folder.path().to_owned());
            return Self { url, name: "/".to_owned(), node, _own: Some(own) };
        };
        // Each free one has a folder: whoever removes it has the virtual host.
        let free = fs::read_dir(node.join("free")).expect("the free virtual hosts").flatten();
        let taken = free.map(|host| host.path()).find(|host| fs::remove_dir(host).is_ok());
        let taken = taken.expect("a free virtual host: scripts/broker-for-tests makes too few");
        let name = taken.file_name().expect("a name").to_string_lossy().into_owned();
        let address = fs::read_to_string(node.join("address")).expect("the address of the broker");
        Self { url: format!("{}/{name}", address.trim()), name, node, _own: None }
    }

    /// Adds a user of the broker who may do this much here; the address for this user.
    pub fn user(&self, name: &str, [configure, write, read]: &[String; 3]) -> String {
        ctl(&self.node, &["add_user", name, "word"]);
        ctl(&self.node, &["set_permissions", "-p", &self.name, name, configure, write, read]);
        self.url.replace("guest:guest@", &format!("{name}:word@"))
    }

    /// The broker closes all connections to this virtual host.
    pub fn close_connections(&self) {
        ctl(&self.node, &["close_all_connections", "--vhost", &self.name, "a test"]);
    }
}

/// A private RabbitMQ node, ended with the value: for tests that kill it, stop it or give it an alarm.
pub struct PrivateBroker {
    folder: tempfile::TempDir,
    pub url: String,
}

impl PrivateBroker {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = broker("start", folder.path());
        Self { folder, url }
    }

    /// As a power cut would.
    pub fn kill(&mut self) {
        broker("kill", self.folder.path());
    }

    /// As an operator would.
    pub fn stop(&mut self) {
        broker("stop", self.folder.path());
    }

    /// `rabbitmqctl` on it; what it printed.
    pub fn ctl(&self, arguments: &[&str]) -> String {
        ctl(self.folder.path(), arguments)
    }

    /// With the same ports and data.
    pub fn again(&self) {
        assert_eq!(broker("start", self.folder.path()), self.url);
    }
}

impl Drop for PrivateBroker {
    fn drop(&mut self) {
        broker("kill", self.folder.path());
    }
}

fn ctl(node: &Path, arguments: &[&str]) -> String {
    let script = root().join("scripts/broker");
    let out = Command::new(script).arg("ctl").arg(node).args(arguments).output();
    let out = out.expect("scripts/broker runs");
    assert!(out.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn broker(what: &str, folder: &Path) -> String {
    let out = Command::new(root().join("scripts/broker"))
        .arg(what)
        .arg(folder)
        .output()
        .expect("scripts/broker runs");
    assert!(out.status.success(), "scripts/broker {what}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}
