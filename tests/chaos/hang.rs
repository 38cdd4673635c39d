//! A page whose script never comes to an end, in the middle of a job.

use futures_util::{StreamExt, stream};
use seatwright::contract::Outcome;
use serde_json::json;

use crate::{
    servers::{
        VirtualHost,
        corridor::{Terms, Worker},
    },
    support::control,
    tally::Tally,
    trial::{OPERATIONS, Trial},
    whole,
};

/// Of each operation: what only the page before its commit says, and what only the page after it says.
const PAGES: [[&str; 2]; 3] = [
    ["<h2>Invite people</h2>", "Invite sent"],
    ["<h2>Edit member</h2>", "Changes saved"],
    ["will lose access at once.", "Member removed"],
];

#[tokio::test(flavor = "multi_thread")]
async fn chaos_a_page_that_hangs_once_delays_its_job_and_no_more() {
    let broker = VirtualHost::take();
    let tally = Tally::default();
    let mut cases = Vec::new();
    for (operation, pages) in OPERATIONS.into_iter().zip(PAGES) {
        for (page, when) in pages.into_iter().zip(["before", "after"]) {
            if whole() || (operation, when) == ("user.update", "before") {
                cases.push((operation, page, when));
            }
        }
    }
    let runs = cases.into_iter().enumerate().map(|(number, (operation, page, when))| {
        let (broker, tally) = (&broker, &tally);
        async move {
            let terms = Terms { settle: Some("3s"), more: "retry: { for: 20s }", ..Terms::default() };
            let mut trial = Trial::new(&broker.url, &format!("hang-{number}"), operation, terms).await;
            let hang = json!({ (page): "<script>for (;;);</script>" });
            let hang = json!([{ "on": "GET /members", "do": "changed", "replace": hang, "times": 1 }]);
            control(&trial.lane.site, "faults", hang).await;
            let mut worker = Worker::start(&trial.lane.config);
            worker.says("taking jobs");
            trial.publish().await;
            let told = trial.told().await;
            worker.stop();
            assert_eq!(told[0].outcome, Outcome::Succeeded, "{operation}, {when}: {:?}", told[0].error);
            trial.close(&format!("page: an endless loop {when} the commit"), tally, told).await;
        }
    });
    stream::iter(runs).buffer_unordered(3).collect::<Vec<()>>().await;
    tally.close("hang");
}
