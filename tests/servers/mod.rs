//! What the suites with servers need: a private broker, a private database, workers as their own processes.
#![allow(dead_code, reason = "every suite uses a part of it")]

pub mod corridor;
pub mod ports;
pub mod postgres;
pub mod relay;

use std::{path::Path, process::Command};

use crate::support::root;

/// A private RabbitMQ node, ended with the value.
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

    /// A folder with free ports, and nothing that listens there yet.
    pub fn prepared() -> Self {
        let mut this = Self::start();
        this.kill();
        this.url = this.url.trim().to_owned();
        this
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
        let out = Command::new(root().join("scripts/broker"))
            .arg("ctl")
            .arg(self.folder.path())
            .args(arguments)
            .output()
            .expect("scripts/broker runs");
        assert!(out.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
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

fn broker(what: &str, folder: &Path) -> String {
    let out = Command::new(root().join("scripts/broker"))
        .arg(what)
        .arg(folder)
        .output()
        .expect("scripts/broker runs");
    assert!(out.status.success(), "scripts/broker {what}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}
