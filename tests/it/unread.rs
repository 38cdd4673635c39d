//! What a playbook declares as never shown: it is done, and nothing is claimed about it.

use std::sync::Arc;

use seatwright::{
    contract::{Job, JobResult, Outcome},
    event::{Reader, Readers},
    playbook::{Modules, load},
    site::RunningSite,
    worker::{playbooks::Playbooks, runner::JobRunner},
};
use serde_json::{Value, json};

use crate::support::{Heard, RealBrowser, root, runner, site};

/// Roster's playbook without two columns of the page of a person.
fn without_columns() -> String {
    let path = root().join("playbooks/roster/playbook.yaml");
    let playbook = std::fs::read_to_string(path).expect("the playbook");
    let is_kept =
        |line: &&str| !["title: ", "group: "].iter().any(|name| line.starts_with(&format!("        {name}")));
    let kept: Vec<&str> = playbook.lines().filter(is_kept).collect();
    assert_eq!(kept.len(), playbook.lines().count() - 2);
    kept.join("\n")
}

struct Room {
    runner: JobRunner,
    site: RunningSite,
    folder: tempfile::TempDir,
}

impl Room {
    async fn new(playbook: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let playbooks = folder.path().join("playbooks/roster");
        std::fs::create_dir_all(&playbooks).expect("a folder");
        std::fs::write(playbooks.join("playbook.yaml"), playbook).expect("a playbook");
        let playbooks = Playbooks::read(&folder.path().join("playbooks")).expect("the playbook is read");
        let runner = runner(folder.path(), playbooks, Arc::new(RealBrowser));
        Self { runner, site: site("roster").await, folder }
    }

    async fn run(&self, id: &str, operation: &str, parts: Value) -> JobResult {
        let settings = json!({ "business_id": "acme", "port": self.site.addr().port().to_string() });
        let mut job = json!({
            "id": id, "app": "roster", "operation": operation,
            "integration": { "id": "roster", "settings": settings },
            "service_account": { "username": "svc@acme.example", "secrets": { "password": "file:password" } },
        });
        for (name, part) in parts.as_object().into_iter().flatten() {
            job[name] = part.clone();
        }
        let job = Job::parse(job.to_string().as_bytes()).unwrap_or_else(|wrong| panic!("{}", wrong.failure));
        self.runner
            .run(&job, Arc::new(Readers::default().with(Arc::<Heard>::default() as Arc<dyn Reader>)))
            .await
    }

    fn ada(&self) -> Value {
        let world = self.site.world();
        let people = world["people"].as_array().expect("people");
        people.iter().find(|one| one["email"] == "ada@acme.example").cloned().expect("she is there")
    }
}

#[test]
fn what_a_playbook_changes_and_does_not_read_is_refused() {
    let loaded = load("playbook.yaml", "roster", &without_columns(), &Modules::new());
    let found: Vec<&str> = loaded.findings.iter().map(|finding| finding.message.as_str()).collect();
    for name in ["title", "group"] {
        let says = format!("can set `{name}`, but the view of find_user does not read it");
        assert!(found.iter().any(|message| message.ends_with(&says)), "{name}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_page_shows_is_done_and_never_called_unchanged() {
    let declared = without_columns().replace("    detail:\n", "    unread: [title, group]\n    detail:\n");
    // A grant builds all groups from those that she has: these are not known, and would be lost.
    let loaded = load("playbook.yaml", "roster", &declared, &Modules::new());
    let found: Vec<&str> = loaded.findings.iter().map(|finding| finding.message.as_str()).collect();
    assert!(found.iter().any(|message| message.contains("no column reads `group`")), "{found:?}");
    let declared = declared.split("\n  entitlement.grant:").next().expect("the operations before it");
    let room = Room::new(declared).await;
    let ada = |title: &str| json!({ "user": { "userName": "ada@acme.example", "title": title } });
    // The second job wishes what is so already. Nobody can know that.
    for (id, title) in [("one", "Countess"), ("two", "Countess")] {
        let done = room.run(id, "user.update", ada(title)).await;
        assert_eq!(done.outcome, Outcome::Succeeded, "{id}: {:?}", done.error);
        assert_eq!(done.changed, None, "{id}: nothing shows a change");
        assert_eq!(done.unverified, ["title"], "{id}");
        assert_eq!(room.ada()["title"], title, "{id}");
        assert_eq!(room.ada()["groups"], json!(["Design", "Finance"]), "{id}: the rest is as it was");
    }
    room.runner.sessions.close().await;
    room.site.stop().await;
    drop(room.folder);
}
