//! Laws of the choice, over random records.

use proptest::prelude::*;

use super::*;

/// How many commits the branch has.
pub(super) const TIP: usize = 12;

fn heads() -> impl Strategy<Value = Head> {
    let verified = proptest::collection::vec(0..=TIP + 2, 0..6);
    let run = proptest::option::of((
        0..=TIP,
        prop_oneof![
            Just(RunOutcome::Failed),
            Just(RunOutcome::Cancelled),
            Just(RunOutcome::Succeeded),
            Just(RunOutcome::Superseded),
        ],
    ));
    let rolled_back = proptest::option::of(0..=TIP);
    (proptest::option::of(0..=TIP + 2), verified, run, rolled_back).prop_map(
        |(live, mut verified, run, rolled_back)| {
            verified.dedup();
            let head = head(live, &verified);
            let head = match run {
                Some((sha, outcome)) => ran(head, sha, outcome),
                None => head,
            };
            match rolled_back {
                Some(sha) => quarantined(head, sha),
                None => head,
            }
        },
    )
}

pub(super) fn worlds() -> impl Strategy<Value = World> {
    let named = || proptest::option::weighted(0.3, (0..=TIP + 2).prop_map(commit));
    let each = || proptest::bool::ANY;
    let need = proptest::option::of(1..=2_usize);
    (proptest::collection::vec(heads(), 4), named(), named(), each(), each(), need).prop_map(
        |(heads, pin, promoted, beta_takes_each, prod_takes_each, need)| {
            let names = ["beta/a", "beta/b", "prod/a", "prod/b"];
            let heads: Vec<_> = names.into_iter().zip(heads).collect();
            let mut world = World::new(TIP, &heads);
            let take = |each| if each { Take::Each } else { Take::Newest };
            world.pipeline.stages[0].take = take(beta_takes_each);
            world.pipeline.stages[1].take = take(prod_takes_each);
            world.pipeline.stages[1].need = need;
            World { pin, promoted, ..world }
        },
    )
}

/// Every commit that the choice may lead to.
pub(super) fn chosen(choice: &Choice) -> Vec<CommitSha> {
    match choice {
        Choice::Candidates(candidates) => candidates.clone(),
        Choice::Commit(sha) => vec![sha.clone()],
        Choice::Nothing(_) => Vec::new(),
    }
}

/// The model of evidence: how many of these links have verified the commit in a run.
fn verified_by(world: &World, links: &[&str], sha: &CommitSha) -> usize {
    let has = |id: &&&str| {
        let head = world.heads.get(&link(id));
        head.is_some_and(|head| head.verified.iter().any(|it| it.sha == *sha && it.run.is_some()))
    };
    links.iter().filter(has).count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_link_never_runs_a_commit_that_the_stages_before_have_not_verified(world in worlds()) {
        let need = world.pipeline.stages[1].need.unwrap_or(2);
        for id in ["prod/a", "prod/b"] {
            let live = base(&world.heads[&link(id)]).cloned();
            for sha in chosen(&world.choose(id)).iter().filter(|sha| Some(*sha) != live.as_ref()) {
                prop_assert!(verified_by(&world, &["beta/a", "beta/b"], sha) >= need, "{id} {sha}");
                if id == "prod/b" {
                    prop_assert_eq!(verified_by(&world, &["prod/a"], sha), 1);
                }
            }
        }
    }

    #[test]
    fn no_choice_goes_back_or_leaves_the_branch(world in worlds()) {
        for id in ["beta/a", "prod/a", "prod/b"] {
            let live = base(&world.heads[&link(id)]).cloned();
            for sha in chosen(&world.choose(id)).iter().filter(|sha| Some(*sha) != live.as_ref()) {
                let number = usize::from_str_radix(sha.as_str(), 16).unwrap();
                prop_assert!(number <= TIP, "it is on the branch");
                let is_older = live.as_ref().is_some_and(|live| {
                    let live = usize::from_str_radix(live.as_str(), 16).unwrap();
                    live <= TIP && number < live
                });
                prop_assert!(!is_older, "{id}: {sha} is older than {live:?}");
            }
        }
    }

    #[test]
    fn candidates_are_never_empty_and_in_the_order_of_the_branch(world in worlds()) {
        for (id, stage) in [("beta/a", 0), ("prod/a", 1), ("prod/b", 1)] {
            let Choice::Candidates(candidates) = world.choose(id) else { continue };
            prop_assert!(!candidates.is_empty());
            let head = &world.heads[&link(id)];
            let free: Vec<_> = candidates.iter().filter(|sha| head.quarantine(sha).is_none()).collect();
            let is_ordered = match world.pipeline.stages[stage].take {
                Take::Newest => free.is_sorted_by(|one, other| one > other),
                Take::Each => free.is_sorted_by(|one, other| one < other),
            };
            prop_assert!(is_ordered, "{id}: {candidates:?}");
        }
    }

    #[test]
    fn evidence_that_is_withdrawn_never_makes_more_commits_candidates(world in worlds(), gone in 0..=TIP) {
        let without = World { unreviewed: BTreeSet::new(),
            heads: world.heads.iter().map(|(id, head)| {
                let mut head = head.clone();
                if id.tenant.as_str() == "beta" {
                    head.verified.retain(|evidence| evidence.sha != commit(gone));
                }
                (id.clone(), head)
            }).collect(),
            pipeline: world.pipeline.clone(),
            branch: world.branch.clone(),
            pin: None,
            promoted: None,
            promoted_at: None,
            soak: None,
        };
        let before = World { pin: None, promoted: None, ..world.clone() };
        let (before, after) = (before.choose("prod/a"), without.choose("prod/a"));
        if let (Choice::Candidates(before), Choice::Candidates(after)) = (before, after) {
            // A stage that takes each falls back to the commit whose run failed, which then is held.
            let failed = world.heads[&link("prod/a")].run.as_ref().map(|run| run.sha.clone());
            prop_assert!(after.iter().all(|sha| before.contains(sha) || failed.as_ref() == Some(sha)));
        }
    }

    #[test]
    fn equal_records_give_equal_choices_whatever_other_pipelines_do(world in worlds(), other in heads()) {
        let before = world.choose("prod/a");
        let mut world = world;
        world.heads.insert(link("other/a"), other);
        prop_assert_eq!(world.choose("prod/a"), before);
    }

    #[test]
    fn every_commit_of_the_branch_has_one_state_and_at_most_one_is_live(world in worlds()) {
        let head = &world.heads[&link("prod/a")];
        let choice = world.choose("prod/a");
        let want = chosen(&choice).into_iter().next();
        let states = (0..=TIP).map(|number| {
            CommitState::of(head, None, &world.branch, want.as_ref(), &commit(number))
        });
        let states: Vec<_> = states.collect();
        for state in [CommitState::Live, CommitState::Candidate, CommitState::Running] {
            prop_assert!(states.iter().filter(|it| **it == state).count() <= 1, "{states:?}");
        }
        prop_assert!(!states.contains(&CommitState::OffBranch));
    }
}
