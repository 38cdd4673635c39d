//! Which worker gets a lane, by rendezvous hashing. Workers that know the same workers choose the same one. A worker that
//! joins or leaves moves only its own lanes.

use sha2::{Digest, Sha256};

/// The worker of a lane. `None`: there are no workers.
pub(super) fn chosen<'a>(lane: &str, workers: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Between equal weights the name decides, so the order of the workers does not matter.
    workers.into_iter().max_by_key(|worker| (weight(worker, lane), *worker))
}

fn weight(worker: &str, lane: &str) -> [u8; 32] {
    // A lane contains no NUL, so no other pair gives the same text.
    Sha256::new().chain_update(worker).chain_update([0]).chain_update(lane).finalize().into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::{collection::btree_set, prelude::*};

    use super::*;

    fn of<'a>(lane: &str, workers: &'a BTreeSet<String>) -> Option<&'a str> {
        chosen(lane, workers.iter().map(String::as_str))
    }

    #[test]
    fn a_release_of_ours_does_not_move_a_lane() {
        // Workers of two versions run side by side during an update, so these choices must never change.
        let workers = ["w-1", "w-2", "w-3"];
        let table = [("acme", "w-3"), ("globex", "w-1"), ("initech", "w-1"), ("hooli", "w-2")];
        for (lane, worker) in table {
            assert_eq!(chosen(lane, workers), Some(worker), "{lane}");
        }
        assert_eq!(chosen("acme", []), None);
        assert_eq!(chosen("acme", ["alone"]), Some("alone"));
    }

    #[test]
    fn a_thousand_lanes_spread_evenly() {
        let workers: Vec<String> = (0..5).map(|n| format!("worker-{n}")).collect();
        for worker in &workers {
            let lanes = (0..1000).filter(|n| {
                chosen(&format!("lane-{n}"), workers.iter().map(String::as_str)) == Some(worker.as_str())
            });
            let lanes = lanes.count();
            assert!((150..250).contains(&lanes), "{worker}: {lanes}");
        }
    }

    proptest! {
        #[test]
        fn who_comes_takes_only_for_itself_and_who_goes_leaves_only_its_own(
            workers in btree_set("[a-z0-9-]{1,12}", 1..8),
            other in "[a-z0-9-]{1,12}",
            lanes in btree_set("[a-z0-9_-]{1,12}", 1..30),
        ) {
            let mut more = workers.clone();
            more.insert(other.clone());
            for lane in &lanes {
                let (before, after) = (of(lane, &workers), of(lane, &more));
                prop_assert!(before == after || after == Some(other.as_str()));
                prop_assert!(after.is_some_and(|worker| more.contains(worker)));
            }
        }

        #[test]
        fn the_order_of_hearsay_does_not_matter(
            workers in btree_set("[a-z0-9-]{1,12}", 1..8),
            lane in "[a-z0-9_-]{1,12}",
        ) {
            let backwards = chosen(&lane, workers.iter().rev().map(String::as_str));
            prop_assert_eq!(of(&lane, &workers), backwards);
        }
    }
}
