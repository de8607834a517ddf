//! Commits that lack a review which the policy requires.

use proptest::prelude::*;

use super::laws::{TIP, chosen, worlds};
use super::*;

/// The example of [`beta`], with commits that lack their review.
fn lacking(tip: usize, verified: &[usize], unreviewed: &[usize]) -> World {
    World { unreviewed: unreviewed.iter().map(|&number| commit(number)).collect(), ..beta(tip, verified) }
}

#[test]
fn the_newest_commit_before_the_first_without_a_review_runs() {
    assert_eq!(lacking(5, &[1, 2], &[4]).choose("beta/a"), candidates(&[3]));
    assert_eq!(lacking(5, &[1, 2], &[4, 5]).choose("beta/a"), candidates(&[3]));
    assert_eq!(lacking(5, &[1, 2], &[]).choose("beta/a"), candidates(&[5]));
    let verified = [1, 2, 3];
    assert_eq!(lacking(5, &verified, &[2]).choose("prod/a"), candidates(&[1]), "3 contains 2");
    assert_eq!(lacking(5, &verified, &[5]).choose("prod/a"), candidates(&[3, 2, 1]));
}

#[test]
fn what_is_live_stays_if_the_next_commit_lacks_its_review() {
    let world = lacking(5, &[1, 2], &[1]);
    assert_eq!(world.choose("prod/a"), Choice::Commit(commit(0)));
    assert_eq!(world.standing("prod/a").unreviewed, Some(commit(2)), "it would run");
    assert_eq!(lacking(5, &[1, 2], &[2]).standing("prod/a").unreviewed, None, "1 runs");
    assert_eq!(lacking(5, &[], &[1]).standing("prod/a").unreviewed, None, "it lacks more than that");
}

#[test]
fn the_first_commit_of_all_needs_only_its_own_review() {
    let mut world = World::new(5, &[]);
    world.unreviewed = [5, 3].map(commit).into();
    assert_eq!(world.choose("beta/a"), candidates(&[4]));
    world.unreviewed = (0..=5).map(commit).collect();
    assert_eq!(world.choose("beta/a"), candidates(&[5]), "the plan holds it");
    let mut world = lacking(5, &[1, 2, 3], &[3]);
    world.heads.insert(link("prod/a"), head(None, &[]));
    let first = |sha| Choice::Nothing(Refusal::FirstPromotion(commit(sha)));
    assert_eq!(world.choose("prod/a"), first(2));
    world.unreviewed = [1, 2, 3].map(commit).into();
    assert_eq!(world.choose("prod/a"), first(3), "nothing else may be promoted either");
}

#[test]
fn each_commit_in_turn_runs_up_to_the_first_without_a_review() {
    let mut world = lacking(5, &[1, 2], &[5]);
    world.pipeline.stages[0].take = Take::Each;
    assert_eq!(world.choose("beta/a"), candidates(&[3, 4]));
}

#[test]
fn a_commit_that_was_named_is_chosen_and_the_plan_holds_it() {
    let mut world = lacking(5, &[1, 2], &[1]);
    world.promoted = Some(commit(2));
    assert_eq!(world.choose("prod/a"), Choice::Commit(commit(2)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_candidate_contains_a_new_commit_without_a_review(
        world in worlds(),
        unreviewed in proptest::collection::btree_set((0..=TIP).prop_map(commit), 0..4),
    ) {
        let world = World { pin: None, promoted: None, unreviewed, ..world };
        for id in ["beta/a", "beta/b", "prod/a", "prod/b"] {
            let Some(live) = base(&world.heads[&link(id)]) else { continue };
            for sha in chosen(&world.choose(id)).iter().filter(|sha| *sha != live) {
                let added = world.branch.added(Some(live), sha);
                prop_assert!(added.iter().all(|sha| !world.unreviewed.contains(sha)), "{id} {sha:?}");
            }
        }
    }

    #[test]
    fn a_review_never_takes_a_candidate_away(
        world in worlds(),
        unreviewed in proptest::collection::btree_set((0..=TIP).prop_map(commit), 1..4),
    ) {
        let before = World { pin: None, promoted: None, unreviewed, ..world };
        let mut after = before.clone();
        after.unreviewed.pop_first();
        for id in ["beta/a", "beta/b", "prod/a", "prod/b"] {
            let newest = |world: &World| {
                chosen(&world.choose(id)).iter().filter_map(|sha| world.branch.number(sha)).min()
            };
            prop_assert!(newest(&after) <= newest(&before) || newest(&before).is_none(), "{id}");
        }
    }
}
