//! Plans while deployments wait at a closed gate.

use std::sync::Arc;

use insta::assert_snapshot;

use super::world::{World, failed, name, sha};
use super::*;

/// `b` is wanted after `a`, and its build succeeded.
fn built() -> World {
    World::wants('b').live('a').started('b').attempted("build", 1, Outcome::Succeeded)
}

/// A workflow whose deployment has a phase beside it.
const BESIDE: &[(&str, i64, bool)] =
    &[("build", 0, false), ("deploy", 1, true), ("warm-up", 1, false), ("verify", 2, false)];

#[test]
fn the_phases_before_a_held_deployment_run() {
    assert_snapshot!(World::wants('b').live('a').at_a_closed_gate().plan(), @"
    start b
    run build: NotRunYet
    ! `deploy` waits: the policy `office` freezes deployments until Mon 2026-01-05 08:00 UTC: it is Friday
    ");
}

#[test]
fn nothing_is_left_to_do_after_those_phases() {
    let world = built().at_a_closed_gate();
    assert_snapshot!(world.plan(), @"! `deploy` waits: the policy `office` freezes deployments until Mon 2026-01-05 08:00 UTC: it is Friday");
    let plan = plan(&world.input(false));
    assert!(!plan.has_steps() && !plan.is_held() && !plan.is_elsewhere() && !plan.has_errors());
    assert_eq!(plan.links[0].on_failure, None);
}

#[test]
fn the_run_resumes_at_the_deployment_once_the_gate_is_open() {
    assert_snapshot!(built().plan(), @"
    Upgrade to b
    run verify: NotRunYet
    ");
}

#[test]
fn a_run_that_would_only_wait_does_not_start() {
    let phases = [("deploy", 0, true), ("warm-up", 0, false), ("verify", 1, false)];
    let world = World::wants('b').live('a').with_phases(&phases);
    assert_snapshot!(world.plan(), @"
    start b
    Upgrade to b
    run warm-up: NotRunYet
    run verify: NotRunYet
    ");
    let world = world.at_a_closed_gate();
    assert_snapshot!(world.plan(), @"! `deploy` waits: the policy `office` freezes deployments until Mon 2026-01-05 08:00 UTC: it is Friday");
    // Without the run, the request could not be granted.
    let skip = RequestKind::Skip { sha: sha('b'), phase: name("deploy") };
    assert_snapshot!(world.requested(skip).plan(), @"
    start b
    accept skip
    run warm-up: NotRunYet
    run verify: NotRunYet
    ");
}

#[test]
fn a_newer_commit_supersedes_a_run_that_waits() {
    let world = World { wants: 'c', ..built() };
    assert_snapshot!(world.at_a_closed_gate().plan(), @"
    end Superseded
    start c
    run build: NotRunYet
    ! `deploy` waits: the policy `office` freezes deployments until Mon 2026-01-05 08:00 UTC: it is Friday
    ");
}

#[test]
fn phases_after_a_finished_deployment_run() {
    let world = World::with('b', "", OnFailure::Rollback).live('a').started('b');
    let world = world.attempted("build", 1, Outcome::Succeeded).deployed('b').at_a_closed_gate();
    assert_snapshot!(world.plan(), @"run verify: NotRunYet");
    let mut input = world.input(false);
    input.links[0].observed = Observed::Running {
        revision: "rb".into(),
        images: image('b'),
        description: Some(DESCRIPTION.replace("<hubtag>", sha('b').as_str())),
        left: Vec::new(),
    };
    let back = plan(&input).links[0].on_failure.clone().map(|step| step.to);
    assert_eq!(back, Some(sha('a')), "its rollback passes the gate");
}

#[test]
fn no_phase_starts_beside_a_held_deployment_but_one_in_flight_is_taken_over() {
    let world =
        || World::wants('a').with_phases(BESIDE).started('a').attempted("build", 1, Outcome::Succeeded);
    assert_snapshot!(world().at_a_closed_gate().plan(), @"! `deploy` waits: the policy `office` freezes deployments until Mon 2026-01-05 08:00 UTC: it is Friday");
    assert_snapshot!(world().flying("warm-up", 1).left_by_the_dead().at_a_closed_gate().plan(), @"
    run warm-up: InFlight { attempt: AttemptNumber(1) }
    ! `deploy` waits: the policy `office` freezes deployments until Mon 2026-01-05 08:00 UTC: it is Friday
    ");
}

#[test]
fn a_failed_phase_matters_more_than_the_gate() {
    let world = World::wants('a').started('a').attempted("build", 1, failed());
    assert_snapshot!(world.at_a_closed_gate().plan(), @"
    end Failed
    ! `build` failed for aaaaaaaaaa: exit code 3
    ");
}

#[test]
fn no_run_starts_whose_held_deployment_is_impossible() {
    let world = World::wants('b').live('a').with_a_broken_description().at_a_closed_gate();
    assert_snapshot!(world.plan(), @"! servicedescription/servicedescription.js cannot be read: the object that starts here is not closed (line 1, column 1)");
}

#[test]
fn a_deployment_in_flight_is_finalized_and_not_issued_again() {
    assert_snapshot!(built().deployment_in_flight('b').left_by_the_dead().at_a_closed_gate().plan(), @"
    finalize b
    ! `deploy` waits: the policy `office` freezes deployments until Mon 2026-01-05 08:00 UTC: it is Friday
    ");
}

#[test]
fn a_rollback_passes() {
    let ask = RequestKind::Rollback { from: sha('b'), to: sha('a') };
    let requested = World::wants('b').live('a').live('b').requested(ask);
    assert_snapshot!(requested.at_a_closed_gate().plan(), @"
    accept rollback
    quarantine b
    Rollback to a
    ");
    // A dead process left it unfinished.
    let why = "it broke".to_owned();
    let quarantined = Event::Quarantined { sha: sha('b'), why, good: Some(sha('a')), alone: false };
    let interrupted = World::wants('b').live('a').live('b').then(quarantined).left_by_the_dead();
    assert_snapshot!(interrupted.at_a_closed_gate().plan(), @"
    quarantine b
    Rollback to a
    ! bbbbbbbbbb has been quarantined since 1970-01-01 00:00 UTC: it broke
    ");
}

#[test]
fn an_unattended_repair_is_held_like_a_deployment() {
    let drifted = || World::wants('a').live('a').running('c').at_a_closed_gate();
    assert_eq!(drifted().plan(), "Repair to a", "a user runs katkit");
    assert_snapshot!(drifted().unattended().plan(), @"! the repair waits: the policy `office` freezes deployments until Mon 2026-01-05 08:00 UTC: it is Friday");
    // The link's own hold comes first: it lasts longer than a closed gate.
    let broken = World::wants('b').live('a').running('c').with_a_broken_commit();
    assert_snapshot!(broken.at_a_closed_gate().unattended().plan(), @"
    ! its workflow cannot be read
    ! the repair waits: the policy `office` freezes deployments until Mon 2026-01-05 08:00 UTC: it is Friday
    ");
}

#[test]
fn what_is_live_is_repaired_while_the_next_commit_waits() {
    let drifted = || World::wants('b').live('a').running('c').at_a_closed_gate();
    assert_snapshot!(drifted().plan(), @"
    start b
    run build: NotRunYet
    Repair to a
    ! `deploy` waits: the policy `office` freezes deployments until Mon 2026-01-05 08:00 UTC: it is Friday
    ");
    assert_snapshot!(drifted().unattended().plan(), @"
    start b
    run build: NotRunYet
    ! `deploy` waits: the policy `office` freezes deployments until Mon 2026-01-05 08:00 UTC: it is Friday
    ! the repair waits: the policy `office` freezes deployments until Mon 2026-01-05 08:00 UTC: it is Friday
    ");
    let phases = [("deploy", 0, true), ("verify", 1, false)];
    assert_snapshot!(drifted().with_phases(&phases).plan(), @"
    Repair to a
    ! `deploy` waits: the policy `office` freezes deployments until Mon 2026-01-05 08:00 UTC: it is Friday
    ");
}

#[test]
fn a_converged_link_does_not_mention_the_gate() {
    assert_eq!(World::wants('a').live('a').at_a_closed_gate().plan(), "nothing to do");
}

#[test]
fn refreshing_passes() {
    let world = World::wants('b').live('a').running('c').at_a_closed_gate();
    assert_eq!(tell(&plan(&world.input(true))), "adopt c");
}

#[test]
fn a_skip_of_the_waiting_deployment_is_granted() {
    let skip = RequestKind::Skip { sha: sha('b'), phase: name("deploy") };
    assert_snapshot!(built().requested(skip).at_a_closed_gate().plan(), @"
    accept skip
    run verify: NotRunYet
    ");
}

#[test]
fn a_hold_at_a_gate_tells_the_time_at_which_it_can_end() {
    let plan = plan(&built().at_a_closed_gate().input(false));
    let [hold] = plan.links[0].holds.as_slice() else { panic!("{plan:?}") };
    assert_eq!(hold.until.as_ref().map(ToString::to_string).as_deref(), Some("Mon 2026-01-05 08:00 UTC"));
    assert_snapshot!(hold.hint.as_deref().unwrap_or_default(), @"run `katkit apply dev/web` then; `katkit calendar dev/web` lists the windows");
}

#[test]
fn a_rollback_waits_if_the_freeze_says_so_and_stays_requested() {
    let ask = || RequestKind::Rollback { from: sha('b'), to: sha('a') };
    let mut world = World::wants('b').live('a').live('b').requested(ask()).at_a_closed_gate();
    let manifest = &mut world.loaded.manifest;
    for policy in manifest.policies.values_mut() {
        Arc::make_mut(policy).freezes[0].holds_rollbacks = true;
    }
    assert_snapshot!(world.plan(), @"! the rollback to aaaaaaaaaa waits: the policy `office` freezes deployments until Mon 2026-01-05 08:00 UTC: it is Friday");
    // A rollback that was interrupted after it was granted is completed.
    let why = "it broke".to_owned();
    let quarantined = Event::Quarantined { sha: sha('b'), why, good: Some(sha('a')), alone: false };
    let (requests, world) = (Vec::new(), world.then(quarantined).left_by_the_dead());
    assert_snapshot!(World { requests, ..world }.plan(), @"
    quarantine b
    Rollback to a
    ! bbbbbbbbbb has been quarantined since 1970-01-01 00:00 UTC: it broke
    ");
}

/// Links at every stage, for every relation of the wanted, the live and the running commit.
fn stages() -> Vec<World> {
    let mut stages = Vec::new();
    for wants in ['a', 'b', 'c'] {
        for on_failure in [OnFailure::Hold, OnFailure::Rollback] {
            let new = || World::with(wants, "", on_failure);
            let built = || new().live('a').started('b').attempted("build", 1, Outcome::Succeeded);
            let deployed = || built().deployed('b');
            let run = new().live('a').journal.len() + 1;
            let verified = || deployed().attempted("verify", 1, failed());
            stages.extend([
                new(),
                new().live('a'),
                new().live('a').running('c'),
                new().live('a').started('b'),
                new().live('a').started('b').flying("build", 1).left_by_the_dead(),
                new().live('a').started('b').attempted("build", 1, failed()).ended(run, RunOutcome::Failed),
                built(),
                built().ended(run, RunOutcome::Cancelled),
                built().deployment_in_flight('b').left_by_the_dead(),
                deployed(),
                deployed().running('c'),
                verified(),
                verified().ended(run, RunOutcome::Failed),
                verified().ended(run, RunOutcome::Failed).without_git(),
                new().live('a').live('b'),
                new().live('a').running('c').with_a_broken_commit(),
                new().live('a').with_a_broken_description(),
            ]);
        }
    }
    stages
}

#[test]
fn a_closed_gate_only_leaves_out_steps_and_says_what_waits() {
    for world in stages() {
        let open = plan(&world.input(false));
        let closed = plan(&world.at_a_closed_gate().unattended().input(false));
        let (before, steps) = (steps(&open), steps(&closed));
        let mut rest = before.iter();
        assert!(steps.iter().all(|step| rest.any(|other| other == step)), "{open:?}\n{closed:?}");
        let waits =
            |step: &&Step| matches!(step, Step::Deploy(step) if step.purpose != DeployPurpose::Rollback);
        assert_eq!(steps.iter().find(waits), None, "{closed:?}");
        let held = closed.links.first().and_then(LinkPlan::held_deployment);
        assert_eq!(held.is_some(), before.iter().any(|step| waits(&step)), "{open:?}\n{closed:?}");
        if held.is_none() {
            assert_eq!(open, closed);
        }
    }
}

fn steps(plan: &Plan) -> &[Step] {
    plan.links.first().map_or(&[], |link| &link.steps)
}

#[test]
fn a_saved_hold_without_a_scope_holds_the_link() {
    let plan = plan(&built().at_a_closed_gate().input(false));
    let saved = serde_json::to_value(&plan.links[0].holds[0]).unwrap();
    assert_eq!(saved["scope"], serde_json::json!({ "kind": "phase", "name": "deploy" }));
    let mut older = saved.clone();
    older.as_object_mut().unwrap().remove("scope");
    let hold: Hold = serde_json::from_value(older.clone()).unwrap();
    assert_eq!((hold.scope.is_link(), serde_json::to_value(&hold).unwrap()), (true, older));
    assert_eq!(serde_json::from_value::<Hold>(saved).unwrap(), plan.links[0].holds[0]);
}
