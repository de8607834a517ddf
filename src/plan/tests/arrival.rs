//! The progress of a link towards the goal of a wait.

use super::world::{World, failed, image, owner, sha};
use crate::domain::*;
use crate::plan::*;

/// `there`, `on the way` or `held`, for each of the three goals; the commit is `a`.
fn arrivals(world: &World) -> [&'static str; 3] {
    let input = world.input(false);
    let plan = plan(&input);
    [Goal::Live, Goal::Verified, Goal::Commit("aaaa".to_owned())].map(|goal| {
        match arrival(&input.links[0], plan.links.first(), &goal) {
            Arrival::Arrived(_) | Arrival::Contained { .. } => "there",
            Arrival::OnTheWay(_) => "on the way",
            Arrival::Held(_) | Arrival::Stopped(_) => "held",
        }
    })
}

const ALL: [&str; 3] = ["there"; 3];
const NONE: [&str; 3] = ["on the way"; 3];

#[test]
fn a_commit_that_never_ran_or_is_running_is_on_the_way() {
    assert_eq!(arrivals(&World::wants('a')), NONE);
    assert_eq!(arrivals(&World::wants('a').started('a').flying("build", 1)), NONE);
}

#[test]
fn a_deployment_is_live_before_it_is_verified() {
    let deployed = || World::wants('a').started('a').attempted("build", 1, Outcome::Succeeded).deployed('a');
    assert_eq!(arrivals(&deployed()), ["there", "on the way", "there"]);
    assert_eq!(arrivals(&World::wants('a').live('a')), ALL);
}

#[test]
fn a_commit_that_fails_after_its_deployment_is_not_live() {
    let failed = World::wants('a')
        .started('a')
        .attempted("build", 1, Outcome::Succeeded)
        .deployed('a')
        .attempted("verify", 1, failed())
        .ended(1, RunOutcome::Failed);
    assert_eq!(arrivals(&failed), ["held", "held", "there"], "a named commit only has to be deployed");
}

#[test]
fn a_failure_before_the_deployment_holds_every_goal() {
    let failed = World::wants('a').started('a').attempted("build", 1, failed()).ended(1, RunOutcome::Failed);
    assert_eq!(arrivals(&failed), ["held"; 3]);
}

#[test]
fn a_requested_retry_is_on_the_way() {
    let world = World::wants('a').started('a').attempted("build", 1, failed()).ended(1, RunOutcome::Failed);
    let ask = RequestKind::Retry { sha: sha('a'), phase: "build".parse().unwrap() };
    assert_eq!(arrivals(&world.requested(ask)), NONE);
}

#[test]
fn a_commit_that_waits_at_a_gate_is_on_the_way_and_says_so() {
    let built = World::wants('a').started('a').attempted("build", 1, Outcome::Succeeded).at_a_closed_gate();
    assert_eq!(arrivals(&built), NONE);
    let told = |world: &World, goal: &Goal| {
        let input = world.input(false);
        match arrival(&input.links[0], plan(&input).links.first(), goal) {
            Arrival::OnTheWay(what) => what,
            other => panic!("{other:?}"),
        }
    };
    let waits = "`deploy` waits: the policy `office` freezes deployments until Mon 2026-01-05 08:00 UTC: it is Friday";
    assert_eq!(told(&built, &Goal::Live), waits);
    assert_eq!(told(&built, &Goal::Commit("aaaa".to_owned())), waits);
    // The phases before it come first.
    assert_eq!(told(&World::wants('a').at_a_closed_gate(), &Goal::Live), "no process is working on it");
}

#[test]
fn a_link_whose_repair_waits_at_a_gate_is_not_there() {
    let drifted = World::wants('a').live('a').running('c').at_a_closed_gate().unattended();
    assert_eq!(arrivals(&drifted), NONE);
    let plan = plan(&drifted.input(false));
    assert!(!plan.is_held() && is_repair(&plan.links[0]) && lasting(&plan.links[0]).is_none());
    let Some(Arrival::OnTheWay(what)) = obstacle(&plan.links[0]) else { panic!("{plan:?}") };
    assert!(what.starts_with("what is running is not what was deployed; the repair waits: "), "{what}");
}

#[test]
fn another_commit_being_live_is_not_enough() {
    assert_eq!(arrivals(&World::wants('b').live('a')), ["on the way", "on the way", "there"]);
    assert_eq!(arrivals(&World::wants('a').live('b')), NONE);
}

#[test]
fn a_link_held_by_another_process_is_on_the_way() {
    let mut world = World::wants('a').started('a').flying("build", 1);
    world.holder = Holder::Other(Box::new(owner()));
    assert_eq!(arrivals(&world), NONE);
}

#[test]
fn a_rolled_back_commit_is_held() {
    let token = Token("back".into());
    let (sha, good) = (sha('a'), sha('b'));
    let world = World::wants('a')
        .live('b')
        .live('a')
        .then(Event::Quarantined { sha, why: "it is bad".to_owned(), good: Some(good.clone()), alone: false })
        .then(Event::DeployIntended {
            token: token.clone(),
            purpose: DeployPurpose::Rollback,
            sha: good,
            images: image('b'),
            barrier: None,
            authorization: None,
            saved_plan: None,
        })
        .then(Event::DeployIssued { token: token.clone(), deployment: DeploymentName("d".into()) })
        .then(Event::DeployEnded { token, outcome: DeployOutcome::Deployed, revision: "rb".into() });
    assert_eq!(arrivals(&world.running('b')), ["held"; 3]);
}

#[test]
fn a_commit_that_contains_a_rolled_back_one_is_held_for_every_goal() {
    let mut world = World::wants('a').live('b').then(Event::Quarantined {
        sha: sha('c'),
        why: "it is bad".to_owned(),
        good: Some(sha('b')),
        alone: false,
    });
    world.taints = vec![Taint { sha: sha('c'), suspect: sha('c'), through: sha('c'), others: 0 }];
    assert_eq!(arrivals(&world), ["held"; 3]);
}
