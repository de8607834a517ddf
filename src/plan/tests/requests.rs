//! What becomes of what people ask for: granted with its consequence, refused with a reason, withdrawn, or left pending.

use insta::assert_snapshot;

use super::world::{World, failed, name, sha};
use crate::domain::*;
use crate::plan::Step;

fn retry(digit: char, phase: &str) -> Ask {
    Ask::Retry { sha: sha(digit), phase: name(phase) }
}

fn skip(digit: char, phase: &str) -> Ask {
    Ask::Skip { sha: sha(digit), phase: name(phase) }
}

fn rollback(from: char, to: char) -> Ask {
    Ask::Rollback { from: sha(from), to: sha(to) }
}

fn withdraw(at: usize) -> Ask {
    Ask::Withdraw { id: RequestId(at.to_string()) }
}

/// `a` was verified, and `b` failed after it was deployed.
fn failed_after_deployment(wants: char) -> World {
    let world = World::wants(wants).live('a');
    let run = world.journal.len() + 1;
    let world = world.started('b').attempted("build", 1, Outcome::Succeeded).deployed('b');
    world.attempted("verify", 1, failed()).ended(run, RunOutcome::Failed)
}

#[test]
fn a_request_that_makes_no_sense_any_more_is_refused_with_a_reason() {
    assert_snapshot!(World::wants('a').live('a').asked(Ask::Cancel { sha: sha('b') }).plan(), @"refuse: there is no run for bbbbbbbbbb");
}

#[test]
fn a_retry_or_skip_for_another_commit_than_the_wanted_one_is_refused() {
    assert_snapshot!(failed_after_deployment('c').asked(retry('b', "verify")).asked(skip('b', "verify")).plan(), @r"
    refuse: it is about bbbbbbbbbb, and cccccccccc is wanted now
    refuse: it is about bbbbbbbbbb, and cccccccccc is wanted now
    start c
    run build: NeverRan
    Upgrade to c
    run verify: NeverRan
    ");
}

#[test]
fn a_skip_may_be_asked_for_before_the_run_begins() {
    assert_snapshot!(World::wants('a').asked(skip('a', "verify")).plan(), @r"
    start a
    accept skip
    run build: NeverRan
    Upgrade to a
    ");
}

#[test]
fn a_request_that_is_refused_ends_nothing() {
    let world = World::wants('a')
        .started('a')
        .flying("build", 1)
        .left_by_the_dead()
        .asked(Ask::Cancel { sha: sha('b') });
    assert_snapshot!(world.plan(), @r"
    refuse: there is no run for bbbbbbbbbb
    run build: InFlight { attempt: AttemptNumber(1) }
    Upgrade to a
    run verify: NeverRan
    ");
}

#[test]
fn a_skip_of_a_later_phase_leaves_a_cancelled_run_cancelled() {
    let world = World::wants('a').started('a').ended(1, RunOutcome::Cancelled).asked(skip('a', "verify"));
    assert_snapshot!(world.plan(), @r"
    accept skip
    ! the run for aaaaaaaaaa is cancelled
    ");
}

#[test]
fn a_rollback_goes_to_the_last_verified_commit() {
    assert_snapshot!(failed_after_deployment('b').asked(rollback('b', 'a')).plan(), @r"
    accept rollback
    quarantine b
    Rollback to a
    ");
}

#[test]
fn a_rollback_goes_to_the_commit_that_was_asked_for_and_makes_suspects_of_all_after_it() {
    let live = || World::wants('c').live('a').live('b').live('c');
    let input = live().asked(rollback('c', 'a'));
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
    assert_snapshot!(live().asked(rollback('c', 'd')).plan(), @"refuse: dddddddddd was not verified before cccccccccc");
}

#[test]
fn a_rollback_to_an_older_commit_goes_on_there_if_its_process_died() {
    let asked = Event::Requested { ask: rollback('c', 'a'), from: "ana".into(), why: None };
    let why = "it broke".to_owned();
    let quarantined = Event::Quarantined { sha: sha('c'), why, good: Some(sha('a')), alone: false };
    let world = World::wants('c').live('a').live('b').live('c').then(asked).then(quarantined);
    assert_snapshot!(world.left_by_the_dead().plan(), @r"
    quarantine c
    Rollback to a
    ! cccccccccc is quarantined since 1970-01-01 00:00 UTC: it broke
    ");
}

#[test]
fn only_the_first_of_two_rollbacks_is_granted() {
    let world = World::wants('c').live('a').live('b').live('c');
    assert_snapshot!(world.asked(rollback('c', 'b')).asked(rollback('c', 'a')).plan(), @r"
    accept rollback
    quarantine c
    Rollback to b
    refuse: another rollback was asked for before
    ");
}

#[test]
fn a_rollback_and_a_repair_need_no_git() {
    assert_snapshot!(failed_after_deployment('b').without_git().asked(rollback('b', 'a')).running('b').plan(), @r"
    accept rollback
    quarantine b
    Rollback to a
    ");
    assert_snapshot!(World::wants('a').live('a').running('c').without_git().plan(), @r"
    Repair to a
    ! the git host is away
    ");
}

#[test]
fn a_request_that_needs_git_waits_for_it() {
    assert_snapshot!(failed_after_deployment('b').without_git().asked(retry('b', "verify")).plan(), @"! the git host is away");
}

#[test]
fn a_rollback_that_cannot_be_planned_stays_pending_and_nothing_is_done_in_its_place() {
    let mut world = failed_after_deployment('c').asked(rollback('b', 'a'));
    // On the file platform, what was deployed is the base of what is put back.
    world.runs = None;
    assert_snapshot!(world.without_git().plan(), @"! the rollback that ana asked for cannot be done: the service description that was deployed is gone, and the repository was not read");
}

#[test]
fn what_was_withdrawn_is_not_granted() {
    let world = failed_after_deployment('b').asked(rollback('b', 'a')).asked(withdraw(0));
    assert_snapshot!(world.plan(), @r"
    withdraw rollback
    ! `verify` failed for bbbbbbbbbb: exit code 3
    ");
    assert_snapshot!(World::wants('a').live('a').asked(withdraw(7)).plan(), @"refuse: it was granted or refused before");
    let twice = failed_after_deployment('b').asked(rollback('b', 'a')).asked(withdraw(0)).asked(withdraw(0));
    assert_snapshot!(twice.plan(), @r"
    withdraw rollback
    refuse: it was asked for twice
    ! `verify` failed for bbbbbbbbbb: exit code 3
    ");
}

#[test]
fn what_is_live_and_verified_needs_no_run_when_it_is_wanted_again() {
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
            saved_plan: None,
        };
        let issued = Event::DeployIssued { token: token.clone(), deployment: "d".into() };
        let ended = Event::DeployEnded { token, outcome: DeployOutcome::Deployed, revision: "ra".into() };
        world.then(intended).then(issued).then(ended)
    };
    assert_eq!(back().running('a').plan(), "nothing to do");
    assert_snapshot!(back().running('c').plan(), @"Repair to a");
    // Another commit was wanted for a moment.
    assert_snapshot!(World::wants('a').live('a').started('b').plan(), @"end Superseded");
}

#[test]
fn a_phase_that_the_manifest_skips_no_more_is_run_with_all_that_follow() {
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
    let world = World::wants('a').live('a').asked(retry('a', "build"));
    let mut input = world.input(false);
    input.links[0].want = None;
    assert_snapshot!(super::tell(&super::plan(&input)), @r"
    refuse: the link left the manifest
    forget
    ");
}
