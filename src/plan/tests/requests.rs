//! Decisions on requests: granted with their consequences, refused with a reason, withdrawn, or left pending.

use insta::assert_snapshot;

use super::world::{World, failed, name, sha};
use crate::domain::*;
use crate::plan::Step;

fn retry(digit: char, phase: &str) -> RequestKind {
    RequestKind::Retry { sha: sha(digit), phase: name(phase) }
}

fn skip(digit: char, phase: &str) -> RequestKind {
    RequestKind::Skip { sha: sha(digit), phase: name(phase) }
}

fn rollback(from: char, to: char) -> RequestKind {
    RequestKind::Rollback { from: sha(from), to: sha(to) }
}

fn withdraw(at: usize) -> RequestKind {
    RequestKind::Withdraw { id: RequestId(at.to_string()) }
}

/// `a` was verified, and `b` failed after it was deployed.
fn failed_after_deployment(wants: char) -> World {
    let world = World::wants(wants).live('a');
    let run = world.journal.len() + 1;
    let world = world.started('b').attempted("build", 1, Outcome::Succeeded).deployed('b');
    world.attempted("verify", 1, failed()).ended(run, RunOutcome::Failed)
}

#[test]
fn an_outdated_request_is_refused_with_a_reason() {
    assert_snapshot!(World::wants('a').live('a').requested(RequestKind::Cancel { sha: sha('b') }).plan(), @"refuse: there is no run for bbbbbbbbbb");
}

#[test]
fn a_retry_or_skip_for_an_unwanted_commit_is_refused() {
    assert_snapshot!(failed_after_deployment('c').requested(retry('b', "verify")).requested(skip('b', "verify")).plan(), @r"
    refuse: it is for bbbbbbbbbb, but cccccccccc is wanted now
    refuse: it is for bbbbbbbbbb, but cccccccccc is wanted now
    start c
    run build: NotRunYet
    Upgrade to c
    run verify: NotRunYet
    ");
}

#[test]
fn a_skip_can_be_requested_before_the_run_starts() {
    assert_snapshot!(World::wants('a').requested(skip('a', "verify")).plan(), @r"
    start a
    accept skip
    run build: NotRunYet
    Upgrade to a
    ");
}

#[test]
fn a_refused_request_ends_nothing() {
    let world = World::wants('a')
        .started('a')
        .flying("build", 1)
        .left_by_the_dead()
        .requested(RequestKind::Cancel { sha: sha('b') });
    assert_snapshot!(world.plan(), @r"
    refuse: there is no run for bbbbbbbbbb
    run build: InFlight { attempt: AttemptNumber(1) }
    Upgrade to a
    run verify: NotRunYet
    ");
}

#[test]
fn a_skip_of_a_later_phase_leaves_a_cancelled_run_cancelled() {
    let world = World::wants('a').started('a').ended(1, RunOutcome::Cancelled).requested(skip('a', "verify"));
    assert_snapshot!(world.plan(), @"
    accept skip
    ! the run for aaaaaaaaaa was cancelled at 1970-01-01 00:00 UTC
    ");
}

#[test]
fn a_rollback_deploys_the_last_verified_commit() {
    assert_snapshot!(failed_after_deployment('b').requested(rollback('b', 'a')).plan(), @r"
    accept rollback
    quarantine b
    Rollback to a
    ");
}

#[test]
fn a_rollback_deploys_the_requested_commit_and_suspects_every_later_one() {
    let live = || World::wants('c').live('a').live('b').live('c');
    let input = live().requested(rollback('c', 'a'));
    let plan = super::plan(&input.input(false));
    assert_snapshot!(super::tell(&plan), @r"
    accept rollback
    quarantine c
    Rollback to a
    ");
    let good = plan.links[0].steps.iter().find_map(|step| match step {
        Step::Quarantine { good, .. } => good.clone(),
        _ => None,
    });
    assert_eq!(good, Some(sha('a')));
    assert_snapshot!(live().requested(rollback('c', 'd')).plan(), @"refuse: dddddddddd was not verified before cccccccccc");
}

#[test]
fn an_interrupted_rollback_to_an_older_commit_resumes() {
    let requested = Event::Requested { ask: rollback('c', 'a'), from: "ana".into(), why: None };
    let why = "it broke".to_owned();
    let quarantined = Event::Quarantined { sha: sha('c'), why, good: Some(sha('a')), alone: false };
    let world = World::wants('c').live('a').live('b').live('c').then(requested).then(quarantined);
    assert_snapshot!(world.left_by_the_dead().plan(), @r"
    quarantine c
    Rollback to a
    ! cccccccccc has been quarantined since 1970-01-01 00:00 UTC: it broke
    ");
}

#[test]
fn only_the_first_of_two_rollbacks_is_granted() {
    let world = World::wants('c').live('a').live('b').live('c');
    assert_snapshot!(world.requested(rollback('c', 'b')).requested(rollback('c', 'a')).plan(), @r"
    accept rollback
    quarantine c
    Rollback to b
    refuse: another rollback was requested first
    ");
}

#[test]
fn a_rollback_and_a_repair_need_no_git() {
    assert_snapshot!(failed_after_deployment('b').without_git().requested(rollback('b', 'a')).running('b').plan(), @r"
    accept rollback
    quarantine b
    Rollback to a
    ");
    assert_snapshot!(World::wants('a').live('a').running('c').without_git().plan(), @r"
    Repair to a
    ! the git host is unreachable
    ");
}

#[test]
fn a_request_that_needs_git_waits_for_it() {
    assert_snapshot!(failed_after_deployment('b').without_git().requested(retry('b', "verify")).plan(), @"! the git host is unreachable");
}

#[test]
fn a_rollback_that_cannot_be_planned_stays_pending_and_blocks_other_steps() {
    let mut world = failed_after_deployment('c').requested(rollback('b', 'a'));
    // On the file platform, a rollback is based on the deployed file.
    world.runs = None;
    assert_snapshot!(world.without_git().plan(), @"! the rollback requested by ana is not possible: the service description that was deployed is gone, and the repository was not read");
}

#[test]
fn a_withdrawn_request_is_not_granted() {
    let world = failed_after_deployment('b').requested(rollback('b', 'a')).requested(withdraw(0));
    assert_snapshot!(world.plan(), @r"
    withdraw rollback
    ! `verify` failed for bbbbbbbbbb: exit code 3
    ");
    assert_snapshot!(World::wants('a').live('a').requested(withdraw(7)).plan(), @"refuse: it was already granted or refused");
    let twice = failed_after_deployment('b')
        .requested(rollback('b', 'a'))
        .requested(withdraw(0))
        .requested(withdraw(0));
    assert_snapshot!(twice.plan(), @r"
    withdraw rollback
    refuse: it repeats another request
    ! `verify` failed for bbbbbbbbbb: exit code 3
    ");
}

#[test]
fn a_live_verified_commit_needs_no_run_when_it_is_wanted_again() {
    let back = || {
        let world = failed_after_deployment('a').then(Event::Quarantined {
            sha: sha('b'),
            why: "it broke".into(),
            good: None,
            alone: false,
        });
        let token = Token("back".into());
        let intended = Event::DeployIntended {
            token: token.clone(),
            purpose: DeployPurpose::Rollback,
            sha: sha('a'),
            images: super::world::image('a'),
            barrier: None,
            authorization: None,
            saved_plan: None,
        };
        let issued = Event::DeployIssued { token: token.clone(), deployment: DeploymentName("d".into()) };
        let ended = Event::DeployEnded { token, outcome: DeployOutcome::Deployed, revision: "ra".into() };
        world.then(intended).then(issued).then(ended)
    };
    assert_eq!(back().running('a').plan(), "nothing to do");
    assert_snapshot!(back().running('c').plan(), @"Repair to a");
    // Another commit was wanted in between.
    assert_snapshot!(World::wants('a').live('a').started('b').plan(), @"end Superseded");
}

#[test]
fn a_phase_that_is_no_longer_skipped_runs_with_all_later_phases() {
    let skipped = World::with('a', "skip = [\"deploy\"]", OnFailure::Hold).started('a');
    let skipped =
        skipped.attempted("build", 1, Outcome::Succeeded).then(Event::PhaseSkipped { phase: name("deploy") });
    let done = skipped.attempted("verify", 1, Outcome::Succeeded).ended(1, RunOutcome::Succeeded);
    assert_eq!(done.plan(), "nothing to do");
    let wanted = World { loaded: World::wants('a').loaded, ..done };
    assert_snapshot!(wanted.plan(), @r"
    restore deploy
    Upgrade to a
    run verify: Retry
    ");
}

#[test]
fn the_requests_of_a_link_that_left_the_manifest_are_refused_on_record() {
    let world = World::wants('a').live('a').requested(retry('a', "build"));
    let mut input = world.input(false);
    input.links[0].want = None;
    assert_snapshot!(super::tell(&super::plan(&input)), @r"
    refuse: the link left the manifest
    forget
    ");
}
