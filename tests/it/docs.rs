//! What the documents show is tried: playbooks are checked and played, jobs parse, configurations are read.
//!
//! A comment `<!-- test: kind name -->` before a block says what it is.

use std::fs;

use crate::support::{Bench, PASSWORD, RealBrowser, member, root};
use seatwright::{
    config::Config,
    contract::{Job, JobResult, Outcome},
    playbook::load,
    site::Site,
    worker::{playbooks::Playbooks, sessions::Limits},
};

/// The blocks of a document that are marked so: kind, name, text.
fn marked(document: &str) -> Vec<(String, String, String)> {
    let text = fs::read_to_string(root().join(document)).expect("the document");
    let mut found = Vec::new();
    for part in text.split("<!-- test: ").skip(1) {
        let (mark, rest) = part.split_once(" -->\n").expect("a mark ends");
        let (kind, name) = mark.split_once(' ').unwrap_or((mark, ""));
        let block = rest.split_once("```").and_then(|(_, block)| block.split_once('\n')).expect("a block").1;
        let block = block.split("```").next().expect("it ends");
        found.push((kind.to_owned(), name.to_owned(), block.to_owned()));
    }
    found
}

fn one(document: &str, kind: &str) -> String {
    let mut blocks = marked(document).into_iter().filter(|(k, ..)| k == kind);
    let (_, _, text) = blocks.next().unwrap_or_else(|| panic!("{document} has no {kind}"));
    assert!(blocks.next().is_none(), "{document} has several {kind}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_playbook_of_the_readme_can_be_played() {
    let source = one("README.md", "playbook");
    let loaded = load("playbook.yaml", "books", &source, &Default::default());
    assert!(loaded.findings.is_empty(), "{:?}", loaded.findings);
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("books")).expect("a folder");
    fs::write(folder.path().join("books/playbook.yaml"), &source).expect("written");
    let bench =
        Bench::with(Playbooks::read(folder.path()).expect("playbooks"), std::sync::Arc::new(RealBrowser))
            .await;
    let mut job = Job::parse(one("README.md", "job").as_bytes()).unwrap_or_else(|r| panic!("{}", r.failure));
    job.integration.settings.insert("port".into(), bench.site.addr().port().to_string());
    // The reader exports the password; here it lies in a file.
    let file = seatwright::contract::SecretRef::parse("file:password").expect("a reference");
    job.service_account.as_mut().expect("an account").secrets.insert("password".into(), file);
    let done = bench.runner.run(&job, bench.heard.clone()).await;
    assert_eq!(done.outcome, Outcome::Succeeded, "{:?}", done.error);
    assert_eq!(member(&bench.site, "nada@acme.example").expect("she is there")["status"], "Suspended");
    let again = bench.runner.run(&job, bench.heard.clone()).await;
    assert_eq!(again.outcome, Outcome::NoChange);
    bench.end().await;
}

#[test]
fn the_readme_names_the_password_that_the_site_has() {
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    assert!(readme.contains(PASSWORD));
}

#[test]
fn the_contract_shows_what_is_true() {
    assert!(Job::parse(one("docs/contract.md", "job").as_bytes()).is_ok());
    let result: JobResult = serde_json::from_str(&one("docs/contract.md", "result")).expect("a result");
    assert_eq!(result.outcome, Outcome::Succeeded);
    let client = fs::read_to_string(root().join("tests/gateway/client.py")).expect("the client");
    assert_eq!(
        one("docs/contract.md", "client"),
        client,
        "the client that is shown is the one that is tested"
    );
}

#[test]
fn the_configuration_that_is_shown_can_be_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("seatwright.yaml");
    fs::write(&file, one("docs/configuration.md", "configuration")).expect("written");
    let config = Config::read(&file).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(config.integrations["int-42"].service_account, "acme");
    // What is shown of browsers and sessions is what holds without it.
    let defaults = Limits::from(&Config::default());
    assert_eq!(Limits::from(&config), defaults);
    assert_eq!(config.evidence.inline_below, 64 * 1024);
    assert_eq!(config.evidence.folder, folder.path().join("out/evidence"));
    for (wrong, advice) in [
        ("evidence: { inline_below: 64 }", "write `64 KiB`"),
        ("evidence: { inline: 64 KiB }", "inline_below"),
        ("evidence: [ out ]", "a folder, or `folder:`"),
        ("browser: { recycle_after: 0 }", "at least 1"),
        ("browser: { max_memory: 100 }", "at least 512"),
        ("sessions: { idle: 10 }", "write `10m`"),
        ("sessions: { idle: never }", "write `10m`"),
    ] {
        fs::write(&file, wrong).expect("written");
        let error = Config::read(&file).expect_err("refused").to_string();
        assert!(error.contains(advice), "{wrong}: {error}");
    }
}

#[tokio::test]
async fn the_site_that_is_shown_can_be_served() {
    let text = fs::read_to_string(root().join("docs/sites.md")).expect("the document");
    let yaml = text.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a site");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("site.yaml"), yaml).expect("written");
    for page in ["login.html", "members.html"] {
        fs::write(folder.path().join(page), "<h1>{{ title }}</h1>").expect("written");
    }
    let site = Site::load(folder.path()).unwrap_or_else(|e| panic!("{e}"));
    let running = site.serve(([127, 0, 0, 1], 0).into()).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(running.world()["members"].as_array().map(Vec::len), Some(3));
    running.stop().await;
}

/// The guide is followed to the letter: its files grow block by block, its commands are run, and what it shows is
/// what they say.
#[tokio::test(flavor = "multi_thread")]
async fn who_follows_the_guide_gets_what_it_shows() {
    let mut reader = Reader::new();
    let mut site = None;
    for document in ["docs/guide.md", "docs/guide-2.md"] {
        for (kind, about, block) in marked(document) {
            match kind.as_str() {
                "serve" => {
                    let name = block.trim().strip_prefix("seatwright site ").expect("a site");
                    let running = crate::support::site(name).await;
                    reader.port = running.addr().port().to_string();
                    site = Some(running);
                }
                "run" => reader.run(document, &about, &block).await,
                "says" => reader.says(document, &block),
                _ => reader.edit(&kind, &about, &block),
            }
        }
    }
    site.expect("the guide serves a site").stop().await;
}

/// Somebody who does what the guide says, in a folder like that of the repository.
struct Reader {
    folder: tempfile::TempDir,
    /// Where the site listens, in place of 4711.
    port: String,
    exports: String,
    said: Vec<String>,
}

impl Reader {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for beside in ["fixtures", "docs"] {
            std::os::unix::fs::symlink(root().join(beside), folder.path().join(beside)).expect("a link");
        }
        Self { folder, port: String::new(), exports: String::new(), said: Vec::new() }
    }

    /// `file PATH` writes it, `end PATH` adds to it, `above PATH LINE` and `below PATH LINE` put the block beside the
    /// line that begins so, `change PATH` takes the lines with `-` away for those with `+`.
    fn edit(&self, kind: &str, about: &str, block: &str) {
        let (path, line) = about.split_once(' ').unwrap_or((about, ""));
        let path = self.folder.path().join(path);
        let block = block.replace("4711", &self.port);
        let before = if kind == "file" { String::new() } else { fs::read_to_string(&path).expect("a file") };
        let after = match kind {
            "file" | "end" => before + &block,
            "above" | "below" => {
                let mut lines: Vec<&str> = before.split_inclusive('\n').collect();
                let mut found = lines.iter().enumerate().filter(|(_, text)| text.trim().starts_with(line));
                let (at, _) = found.next().unwrap_or_else(|| panic!("no line begins with {line}"));
                assert!(found.next().is_none(), "several lines begin with {line}");
                lines.insert(at + usize::from(kind == "below"), &block);
                lines.concat()
            }
            "change" => {
                let with = |sign: char| -> String {
                    block.lines().filter_map(|l| l.strip_prefix(sign)).map(|l| format!("{l}\n")).collect()
                };
                assert_eq!(before.matches(&with('-')).count(), 1, "{block}");
                before.replace(&with('-'), &with('+'))
            }
            _ => panic!("nobody knows how to do `{kind}`"),
        };
        fs::write(path, after).expect("written");
    }

    /// Runs the lines of a block; the exit code is 0, or what the mark says.
    async fn run(&mut self, document: &str, code: &str, block: &str) {
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_seatwright")).parent().expect("a folder");
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
        let mut shell = tokio::process::Command::new("sh");
        shell.arg("-ec").arg(format!("exec 2>&1\n{}{block}", self.exports)).current_dir(self.folder.path());
        shell.env("PATH", path).env("SEATWRIGHT_ALLOW_NO_SANDBOX", "true");
        shell.env_remove("SEATWRIGHT_PLAYBOOKS").env_remove("SEATWRIGHT_REFERENCE");
        let out = shell.output().await.expect("a shell");
        let text = String::from_utf8_lossy(&out.stdout);
        let wanted = if code.is_empty() { 0 } else { code.parse().expect("an exit code") };
        assert_eq!(out.status.code(), Some(wanted), "{document}: {block}\n{text}");
        self.exports
            .extend(block.lines().filter(|line| line.starts_with("export ")).map(|line| format!("{line}\n")));
        self.said = text.replace(&self.port, "4711").lines().map(always).collect();
    }

    /// Every line that is shown was said by the last command; `…` stands for others.
    fn says(&self, document: &str, block: &str) {
        for line in block.lines().filter(|line| *line != "…") {
            let said = self.said.contains(&always(line));
            assert!(said, "{document} shows:\n{}\nbut there was:\n{}", always(line), self.said.join("\n"));
        }
    }
}

/// A line without what is different each time: how long it took, which of several came first, a picture's digest.
fn always(line: &str) -> String {
    let mut line = line.trim_end().to_owned();
    for (pattern, plain) in [
        (r"^\[ *\d+/", "[…/"),
        (r" +\d+ ms$", " … ms"),
        (r"\d+\.\d s\b", "… s"),
        (r"\.[0-9a-f]{12}\.png$", ".….png"),
    ] {
        line = regex::Regex::new(pattern).expect("a pattern").replace_all(&line, plain).into_owned();
    }
    line
}

#[test]
fn every_link_leads_somewhere() {
    let mut missing = Vec::new();
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs/guide.md",
        "docs/guide-2.md",
        "docs/trouble.md",
        "docs/playbook.md",
        "docs/contract.md",
        "docs/queue.md",
        "docs/scenarios.md",
        "docs/sites.md",
        "docs/apps.md",
        "docs/glossary.md",
        "docs/configuration.md",
        "docs/decisions.md",
        "docs/reference/README.md",
        "docs/reference/findings.md",
    ] {
        let file = root().join(document);
        let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{document}: {e}"));
        for part in text.split("](").skip(1) {
            let target = part.split([')', '#']).next().unwrap_or_default();
            if !target.is_empty()
                && !target.contains("://")
                && !file.parent().expect("a folder").join(target).exists()
            {
                missing.push(format!("{document}: {target}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}
