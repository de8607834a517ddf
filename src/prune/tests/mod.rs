//! What a prune removes, what it keeps, and what a process leaves if it dies at any point.

mod deaths;
mod world;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::{Facts, Leftovers, LinkFacts, plan};
use crate::blobs::BlobKey;
use crate::domain::{Event, Generation, Head, Pruned, RunOutcome};
use crate::state::{Leases, Links};
use world::{World, link, owner, sha};

const GOOD: RunOutcome = RunOutcome::Succeeded;
const BAD: RunOutcome = RunOutcome::Failed;

#[tokio::test]
async fn old_blobs_go_except_those_of_the_live_and_the_last_run_commit() {
    let (world, shop) = (World::new(), link("dev/shop"));
    for (digit, outcome) in [('a', GOOD), ('b', GOOD), ('c', BAD), ('d', BAD)] {
        world.run(&shop, digit, outcome).await;
    }
    assert_eq!(world.left("dev").await, "a4 b4 c4 d4");
    let before = world.head(&shop).await;
    world.prune(world.now(), false).await;
    assert_eq!(world.left("dev").await, "b4 d4", "b is live, d ran last");
    let after = world.head(&shop).await;
    assert_eq!(after.generation.0, before.generation.0 + 1, "one event records it");
    let unchanged = Head { generation: before.generation, chain: before.chain, pruned: None, ..after };
    assert_eq!(unchanged, before, "nothing else changes");
    assert!(world.plan(world.now(), false, None).await.is_empty());
}

#[tokio::test]
async fn recent_blobs_stay() {
    let (world, shop) = (World::new(), link("dev/shop"));
    world.run(&shop, 'a', GOOD).await;
    let then = world.now();
    world.run(&shop, 'b', GOOD).await;
    world.run(&shop, 'c', GOOD).await;
    world.prune(then, true).await;
    assert_eq!(world.left("dev").await, "b4 c4");
}

#[tokio::test]
async fn a_cut_keeps_the_last_run_the_live_commit_and_all_that_planning_needs() {
    let (world, shop) = (World::new(), link("dev/shop"));
    for digit in ['a', 'b', 'c'] {
        world.run(&shop, digit, GOOD).await;
    }
    let live = world.head(&shop).await.run.unwrap().id.generation().unwrap();
    world.run(&shop, 'd', BAD).await;
    world.run(&shop, 'e', BAD).await;
    let before = world.head(&shop).await;
    world.prune(world.now(), true).await;
    assert_eq!(world.journal(&shop).await.0, live.0, "it begins with the run that deployed what is live");
    let after = world.head(&shop).await;
    assert_eq!(
        (&after.verified, &after.deployed, &after.run),
        (&before.verified, &before.deployed, &before.run)
    );
    // Right away there is nothing to do. A later prune cuts the rest further.
    assert!(world.plan(world.now(), true, None).await.is_empty());
    world.run(&shop, 'f', GOOD).await;
    let last = world.head(&shop).await.run.unwrap().id.generation().unwrap();
    world.prune(world.now(), true).await;
    assert_eq!(world.journal(&shop).await.0, last.0);
}

#[tokio::test]
async fn a_cut_records_a_digest_of_what_was_cut() {
    let cuts = async |digits: [char; 3]| {
        let (world, shop) = (World::new(), link("dev/shop"));
        for digit in digits {
            world.run(&shop, digit, GOOD).await;
        }
        world.prune(world.now(), true).await;
        let cut = world.head(&shop).await.cut().unwrap();
        let event = world.state.journal(&shop, Some(Generation(cut.event.0 + 1)), 1).await.unwrap().remove(0);
        match event.event {
            Event::Pruned { history: Some(cut), .. } => (cut.record.clone(), cut.through()),
            other => panic!("{other:?}"),
        }
    };
    let (record, through) = cuts(['a', 'b', 'c']).await;
    assert_eq!((record.len(), &(record.clone(), through)), (64, &cuts(['a', 'b', 'c']).await));
    assert_ne!(record, cuts(['a', 'a', 'c']).await.0);
    assert_eq!(record, cuts(['a', 'b', 'b']).await.0, "the last run is no part of it");
}

#[tokio::test]
async fn unneeded_packs_go_only_if_all_links_are_in_scope() {
    let (world, shop, web) = (World::new(), link("dev/shop"), link("dev/web"));
    world.run(&shop, 'a', GOOD).await;
    world.run(&web, 'b', BAD).await;
    for digit in ['a', 'b', 'c'] {
        world.pack(digit).await;
    }
    assert!(world.plan(world.now(), false, Some(&[&shop])).await.is_empty());
    world.prune(world.now(), false).await;
    assert_eq!(world.left("commits").await, "a2 b2");
}

#[tokio::test]
async fn a_link_that_another_process_holds_is_left_alone() {
    let (world, shop) = (World::new(), link("dev/shop"));
    for digit in ['a', 'b'] {
        world.run(&shop, digit, GOOD).await;
    }
    let epoch = world.state.acquire(&shop, &owner(), Duration::from_secs(30), None).await.unwrap().epoch;
    let plan = world.plan(world.now(), true, None).await;
    assert_eq!((plan.is_empty(), plan.left.len()), (true, 1));
    world.state.release(&shop, epoch).await.unwrap();
    assert_eq!(world.plan(world.now(), true, None).await.left.len(), 0);
}

#[tokio::test]
async fn a_forgotten_link_keeps_its_record_but_no_blobs() {
    let (world, shop) = (World::new(), link("dev/shop"));
    world.run(&shop, 'a', GOOD).await;
    world.run(&shop, 'b', GOOD).await;
    world.then(&shop, Event::Forgotten).await;
    world.prune(world.now(), true).await;
    assert_eq!(world.left("dev").await, "");
    let head = world.head(&shop).await;
    assert_eq!((head.deployed.unwrap().sha, head.verified.len()), (sha('b'), 2));
    world.journal(&shop).await;
}

#[tokio::test]
async fn blobs_that_no_run_left_are_not_touched() {
    use crate::blobs::Blobs as _;
    let (world, shop) = (World::new(), link("dev/shop"));
    world.run(&shop, 'a', GOOD).await;
    let strange =
        ["dev/shop/notes", "dev/web/x", "other/file", "commits/readme"].map(|key| BlobKey::new(key).unwrap());
    for key in &strange {
        world.blobs.put(key, b"").await.unwrap();
    }
    let far = "2100-01-01T00:00:00Z".parse().unwrap();
    world.prune(far, true).await;
    for key in &strange {
        assert!(world.blobs.exists(key).await.unwrap(), "{key}");
    }
}

/// The name `dev/shop` belongs to one link, then to another; each has its own runs under it.
#[tokio::test]
async fn blobs_under_a_former_name_belong_to_the_link_that_left_them() {
    let (world, dev, prod) = (World::new(), link("dev/shop"), link("prod/shop"));
    world.run(&dev, 'a', GOOD).await;
    world.run(&dev, 'b', GOOD).await;
    world.rename(&dev, &prod).await;
    world.prune(world.now(), true).await;
    assert_eq!(world.left("dev").await, "b4", "b is live at `prod/shop`");
    world.run(&dev, 'c', GOOD).await;
    world.run(&dev, 'd', GOOD).await;
    world.prune(world.now(), false).await;
    assert_eq!(world.left("dev").await, "b4 d4");
    world.run(&prod, 'e', GOOD).await;
    world.prune(world.now(), false).await;
    assert_eq!((world.left("dev").await, world.left("prod").await), ("d4".to_owned(), "e4".to_owned()));
}

#[tokio::test]
async fn the_journal_under_a_former_name_is_cut_once_no_link_reads_it() {
    let (world, dev, prod) = (World::new(), link("dev/shop"), link("prod/shop"));
    world.run(&dev, 'a', GOOD).await;
    world.run(&dev, 'b', GOOD).await;
    world.rename(&dev, &prod).await;
    let now = world.now();
    world.prune(now, true).await;
    assert_eq!(
        (world.journal(&dev).await.0, world.journal(&prod).await.0),
        (1, 1),
        "the last run is under the old name"
    );
    world.run(&prod, 'c', GOOD).await;
    let begins = world.head(&prod).await.run.unwrap().id.generation().unwrap();
    world.prune(world.now(), true).await;
    assert_eq!(world.journal(&prod).await.0, begins.0);
    assert_eq!(world.journal(&dev).await.0, 1);
    world.prune(world.now(), true).await;
    let (first, _) = world.journal(&dev).await;
    assert!(first > 1, "no link reads it");
    assert_eq!(world.journal(&prod).await.0, begins.0);
    assert!(world.plan(world.now(), true, None).await.is_empty());
}

#[tokio::test]
async fn a_damaged_link_keeps_everything_and_does_not_block_others() {
    let (world, shop, web) = (World::new(), link("dev/shop"), link("dev/web"));
    for digit in ['a', 'b'] {
        world.run(&shop, digit, GOOD).await;
    }
    for digit in ['c', 'd'] {
        world.run(&web, digit, GOOD).await;
    }
    world.pack('a').await;
    let plan = world.prune_without(&shop).await;
    assert_eq!(world.left("dev").await, "a4 b4 d4");
    assert_eq!(world.left("commits").await, "a2", "the damaged link may need it");
    assert_eq!((world.journal(&shop).await.0, plan.keeps_packs), (1, true));
    assert_eq!(plan.damaged, [(shop, "the state at memory is damaged: its head is gone".to_owned())]);
}

/// The head of the damaged link is unreadable, so its former names are unknown.
#[tokio::test]
async fn a_damaged_link_keeps_its_blobs_under_a_name_that_is_in_use_again() {
    let (world, dev, prod, qa) = (World::new(), link("dev/shop"), link("prod/shop"), link("qa/shop"));
    world.run(&dev, 'a', GOOD).await;
    world.run(&dev, 'b', GOOD).await;
    world.rename(&dev, &prod).await;
    world.prune_without(&prod).await;
    assert_eq!(world.left("dev").await, "a4 b4", "nobody uses the name");
    for digit in ['c', 'd', 'e'] {
        world.run(&dev, digit, GOOD).await;
    }
    world.prune_without(&prod).await;
    assert_eq!(world.left("dev").await, "a4 b4 e4", "another link uses the name");
    world.rename(&dev, &qa).await;
    world.run(&qa, 'f', GOOD).await;
    world.prune_without(&prod).await;
    assert_eq!(world.left("dev").await, "a4 b4", "another link used the name");
    assert_eq!((world.journal(&dev).await.0, world.journal(&prod).await.0), (1, 1));
    world.prune(world.now(), true).await;
    assert_eq!(world.left("dev").await, "b4");
}

fn facts(leftovers: Vec<(char, Option<i64>)>, needs: &[char], pruned: Option<(i64, Vec<char>)>) -> Facts {
    let at = |second| Timestamp::from_second(second).unwrap();
    let leftovers = leftovers.into_iter().enumerate().map(|(n, (digit, newest))| Leftovers {
        sha: sha(digit),
        newest: newest.map(at),
        blobs: vec![BlobKey::new(format!("dev/shop/{n}")).unwrap()],
        bytes: 1,
    });
    let pruned = pruned.map(|(before, keeps)| Pruned {
        at: at(before),
        blobs_before: at(before),
        keeps: keeps.into_iter().map(sha).collect(),
        cut: None,
    });
    let needs: BTreeSet<_> = needs.iter().copied().map(sha).collect();
    let facts = LinkFacts {
        link: link("dev/shop"),
        head: Head { pruned: pruned.map(Box::new), ..Head::default() },
        holder: None,
        needs: needs.clone(),
        leftovers: leftovers.collect(),
        begins: None,
        history: None,
    };
    Facts { links: vec![facts], needed: needs, ..Facts::default() }
}

proptest! {
    /// Whatever was recorded before: needed, recent and undated blobs stay, all others go.
    #[test]
    fn removed_blobs_are_old_or_recorded_and_never_needed(
        leftovers in proptest::collection::vec(("[a-e]".prop_map(|s| s.chars().next().unwrap()), proptest::option::of(0_i64..20)), 0..12),
        needs in proptest::sample::subsequence(vec!['a', 'b', 'c', 'd', 'e'], 0..=5),
        pruned in proptest::option::of((0_i64..20, proptest::sample::subsequence(vec!['a', 'b', 'c', 'd', 'e'], 0..=5))),
        before in 0_i64..20,
    ) {
        let plan = plan(facts(leftovers.clone(), &needs, pruned.clone()), Timestamp::from_second(before).unwrap());
        let keys = |batch: &super::Batch| batch.blobs.iter().map(|key| key.to_string()).collect::<Vec<_>>();
        let (finished, new) = plan.links.first().map(|link| (keys(&link.unfinished), keys(&link.batch))).unwrap_or_default();
        for (n, (digit, newest)) in leftovers.into_iter().enumerate() {
            let key = format!("dev/shop/{n}");
            let recorded = newest.is_some_and(|newest| {
                pruned.as_ref().is_some_and(|(before, keeps)| newest < *before && !keeps.contains(&digit))
            });
            let is_needed = needs.contains(&digit);
            prop_assert_eq!(finished.contains(&key), recorded && !is_needed);
            let old = newest.is_some_and(|newest| newest < before);
            prop_assert_eq!(new.contains(&key), old && !recorded && !is_needed);
        }
    }
}
