//! The planner's decisions in small worlds: one link, what the manifest wants, what is recorded, what runs.

mod arrival;
mod broken;
mod compare;
mod contained;
mod daily_limit;
mod held_deployment;
mod moved;
mod pinning;
mod requests;
mod world;

use insta::assert_snapshot;

use super::*;
use crate::domain::*;
use world::{DESCRIPTION, World, failed, image, name, owner, sha, tell};

#[test]
fn a_new_sha_runs_through_the_whole_workflow() {
    assert_snapshot!(World::wants('a').plan(), @r"
    start a
    run build: NotRunYet
    Upgrade to a
    run verify: NotRunYet
    ");
}

#[test]
fn a_converged_link_needs_neither_steps_nor_its_repository() {
    let world = World::wants('a').live('a');
    assert_eq!(world.plan(), "nothing to do");
    let needs = |world: World| {
        let input = world.input(false);
        needs_commit(input.manifest, &input.links[0])
    };
    assert!(!needs(world));
    assert!(needs(World::wants('b').live('a')));
}

#[test]
fn an_attempt_of_a_dead_process_is_taken_over() {
    let world = World::wants('a').started('a').flying("build", 1).left_by_the_dead();
    assert_snapshot!(world.plan(), @r"
    run build: InFlight { attempt: AttemptNumber(1) }
    Upgrade to a
    run verify: NotRunYet
    ");
}

#[test]
fn an_attempt_of_a_dead_process_for_another_sha_is_ended() {
    let world = World::wants('b').started('a').flying("build", 1).left_by_the_dead();
    assert_snapshot!(world.plan(), @r"
    recover build 1
    end Superseded
    start b
    run build: NotRunYet
    Upgrade to b
    run verify: NotRunYet
    ");
}

#[test]
fn a_failed_phase_holds_the_link_until_a_retry_is_requested() {
    let world = World::wants('a').started('a').attempted("build", 1, failed()).ended(1, RunOutcome::Failed);
    assert_snapshot!(world.plan(), @"! `build` failed for aaaaaaaaaa: exit code 3");
    let world = world.requested(RequestKind::Retry { sha: sha('a'), phase: name("build") });
    assert_snapshot!(world.plan(), @r"
    accept retry
    run build: Retry
    Upgrade to a
    run verify: NotRunYet
    ");
}

#[test]
fn drift_is_repaired_and_other_edits_are_left_alone() {
    assert_snapshot!(World::wants('a').live('a').running('c').plan(), @"Repair to a");
    let mut edited = World::wants('a').live('a').input(false).links.remove(0);
    edited.observed = Observed::Running {
        revision: "other".into(),
        images: image('a'),
        description: Some(DESCRIPTION.into()),
        left: Vec::new(),
    };
    let world = World::wants('a').live('a');
    let input = PlanInput { links: vec![edited], ..world.input(false) };
    assert_eq!(tell(&plan(&input)), "nothing to do");
}

#[test]
fn running_services_are_adopted_before_anything_else() {
    assert_snapshot!(World::wants('a').running('a').plan(), @"adopt a");
    assert_snapshot!(World::wants('b').running('a').plan(), @r"
    adopt a
    start b
    run build: NotRunYet
    Upgrade to b
    run verify: NotRunYet
    ");
}

#[test]
fn refreshing_only_brings_the_record_in_line() {
    let world = World::wants('b').live('a').running('c');
    assert_eq!(tell(&plan(&world.input(true))), "adopt c");
}

#[test]
fn a_failure_after_the_deployment_rolls_back_if_the_workflow_says_so() {
    let world = World::with('b', "", OnFailure::Rollback).live('a');
    let planned = plan(&world.input(false));
    let rollback_step = planned.links[0].on_failure.as_ref().unwrap();
    assert_eq!((&rollback_step.from, &rollback_step.to), (&Some(sha('b')), &sha('a')));

    // The process died before it could roll back.
    let run = world.journal.len() + 1;
    let world = world.started('b').attempted("build", 1, Outcome::Succeeded).deployed('b');
    let world = world.attempted("verify", 1, failed()).ended(run, RunOutcome::Failed);
    let mut input = world.input(false);
    input.links[0].observed = Observed::Running {
        revision: "rb".into(),
        images: image('b'),
        description: Some(DESCRIPTION.replace("<hubtag>", sha('b').as_str())),
        left: Vec::new(),
    };
    assert_snapshot!(tell(&plan(&input)), @r"
    quarantine b
    Rollback to a
    ! `verify` failed for bbbbbbbbbb: exit code 3
    ");
}

#[test]
fn a_quarantined_sha_is_held_until_it_is_released() {
    let quarantined = Event::Quarantined { sha: sha('b'), why: "it broke".into(), good: None, alone: false };
    let world = World::wants('b').live('a').then(quarantined);
    assert_snapshot!(world.plan(), @"! bbbbbbbbbb has been quarantined since 1970-01-01 00:00 UTC: it broke");
    assert_snapshot!(world.requested(RequestKind::Release { sha: sha('b') }).plan(), @r"
    accept release
    start b
    run build: NotRunYet
    Upgrade to b
    run verify: NotRunYet
    ");
}

#[test]
fn a_commit_that_contains_a_quarantined_one_is_held_until_it_is_released() {
    let quarantined = Event::Quarantined { sha: sha('b'), why: "it broke".into(), good: None, alone: false };
    let mut world = World::wants('c').live('a').then(quarantined);
    assert_eq!(world.plan().lines().next(), Some("start c"));
    world.taints = vec![Taint { sha: sha('b'), suspect: sha('b'), through: sha('b'), others: 0 }];
    assert_snapshot!(world.plan(), @"! cccccccccc contains bbbbbbbbbb, which was rolled back at 1970-01-01 00:00 UTC: it broke");
    let hint = plan(&world.input(false)).links[0].holds[0].hint.clone();
    assert_snapshot!(hint.unwrap(), @"revert it, say `Fixes: bbbbbbbbbbbb` in the commit that fixes it, or release this one with `katkit retry dev/web`");
    world.taints[0].through = sha('d');
    assert_snapshot!(world.plan(), @"! cccccccccc contains dddddddddd, the same change as bbbbbbbbbb, which was rolled back at 1970-01-01 00:00 UTC: it broke");
    assert_snapshot!(world.requested(RequestKind::Release { sha: sha('c') }).plan(), @r"
    accept release
    start c
    run build: NotRunYet
    Upgrade to c
    run verify: NotRunYet
    ");
}

#[test]
fn a_run_for_a_commit_that_contains_a_quarantined_one_does_not_resume() {
    let quarantined = Event::Quarantined { sha: sha('b'), why: "it broke".into(), good: None, alone: false };
    let mut world = World::wants('c').live('a').then(quarantined).started('c').flying("build", 1);
    world.taints = vec![Taint { sha: sha('b'), suspect: sha('b'), through: sha('b'), others: 0 }];
    assert_snapshot!(world.plan(), @r"
    recover build 1
    ! cccccccccc contains bbbbbbbbbb, which was rolled back at 1970-01-01 00:00 UTC: it broke
    ");
}

#[test]
fn a_phase_lost_after_the_deployment_does_not_taint_later_commits() {
    let quarantine = |outcome: Outcome, attempts| {
        let world = World::with('b', "", OnFailure::Rollback).live('a');
        let run = world.journal.len() + 1;
        let mut world = world.started('b').attempted("build", 1, Outcome::Succeeded).deployed('b');
        for attempt in 1..=attempts {
            world = world.attempted("verify", attempt, outcome.clone());
        }
        let planned = plan(&world.ended(run, RunOutcome::Failed).input(false));
        planned.links[0].steps.iter().find_map(|step| match step {
            Step::Quarantine { why, alone, .. } => Some((why.clone(), *alone)),
            _ => None,
        })
    };
    let lost = Outcome::Lost { cause: LostCause::Vanished, evidence: String::new() };
    assert_eq!(quarantine(lost, 4), Some(("`verify` was lost after the deployment".to_owned(), true)));
    assert_eq!(quarantine(failed(), 1), Some(("`verify` failed after the deployment".to_owned(), false)));
}

#[test]
fn a_lease_of_another_process_holds_the_link() {
    let mut world = World::wants('a');
    world.holder = Holder::Other(Box::new(owner()));
    assert_snapshot!(world.plan(), @"! ana (process 7 on h) is working on it");
}

#[test]
fn the_lease_of_a_dead_process_that_left_nothing_else_is_released() {
    let world = World::wants('a').live('a').left_by_the_dead();
    assert_snapshot!(world.plan(), @"release lease: ana (process 7 on h)");
}

#[test]
fn recovery_takes_over_the_observed_lease_of_the_dead_process() {
    let world = World::wants('a').started('a').flying("build", 1).left_by_the_dead();
    let planned = plan(&world.input(false));
    assert_eq!(planned.links[0].takes_over, Some(World::lease()));
    assert_eq!(plan(&World::wants('a').input(false)).links[0].takes_over, None);
}

#[test]
fn a_deployment_that_failed_says_why() {
    let reason = "the circuit breaker tripped".to_owned();
    let world = World::wants('a').started('a').attempted("build", 1, Outcome::Succeeded);
    let world = world.deploying('a', DeployOutcome::RolledBack { reason }).ended(1, RunOutcome::Failed);
    assert_snapshot!(world.plan(), @"! `deploy` failed for aaaaaaaaaa: rolled back by the platform: the circuit breaker tripped");
}

#[test]
fn equal_inputs_give_equal_plans() {
    let world = World::wants('b').live('a');
    assert_eq!(plan(&world.input(false)), plan(&world.input(false)));
}

#[test]
fn two_links_cannot_start_on_one_target() {
    let services = "\n[tenants.dev.platform]\nkind = \"ecs\"\ncluster = \"all\"\n[tenants.prod]\nplatform = { kind = \"ecs\", \
                    cluster = \"all\" }\n[tenants.prod.links.web]\nrepo = \"app\"\nfolder = \"other\"\nworkflow = \"standard\"\n\
                    branch = \"main\"\n";
    let planned = |dev: World, prod: World| {
        let [mut dev, mut prod] = [dev, prod].map(|world| world.input(false).links.remove(0));
        (dev.observed, prod.observed) = (Observed::AsDeployed, Observed::AsDeployed);
        prod.id = "prod/web".parse().unwrap();
        let world = World::with('a', services, OnFailure::Hold);
        let input = PlanInput { links: vec![dev, prod], ..world.input(false) };
        let links = plan(&input).links;
        let held = |link: &LinkPlan| format!("{}: {}", link.link, link.holds[0].reason.describe());
        links.iter().filter(|link| !link.holds.is_empty()).map(held).collect::<Vec<_>>()
    };
    let new = || World::with('a', services, OnFailure::Hold);
    let contested = |link: &str, other: &str| {
        format!(
            "{link}: the service `web` in the cluster `all` is also the target of `{other}`, and two links with one target \
             undo each other"
        )
    };
    assert_eq!(planned(new(), new()), [contested("dev/web", "prod/web"), contested("prod/web", "dev/web")]);
    // A link that has deployed continues, and the other does not start.
    assert_eq!(planned(new().live('a'), new()), [contested("prod/web", "dev/web")]);
    assert_eq!(planned(new(), new().live('a')), [contested("dev/web", "prod/web")]);
    // If both have deployed, the mark on the running service decides.
    assert_eq!(planned(new().live('a'), new().live('a')), [""; 0]);
}
