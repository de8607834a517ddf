//! Plans without a run for the wanted commit, whose workflow or service description cannot be read.

use insta::assert_snapshot;

use super::world::{World, failed, image, name, sha};
use super::*;

/// `b` failed after it was deployed, and the process died while rolling back to `a`. Now `c` is wanted.
fn interrupted_rollback() -> World {
    let world = World::with('c', "", OnFailure::Rollback).live('a');
    let run = world.journal.len() + 1;
    let world = world.started('b').attempted("build", 1, Outcome::Succeeded).deployed('b');
    let quarantined = Event::Quarantined { sha: sha('b'), why: "it broke".into(), good: None, alone: false };
    let world = world.attempted("verify", 1, failed()).ended(run, RunOutcome::Failed).then(quarantined);
    world.then(Event::DeployIntended {
        token: Token("back".into()),
        purpose: DeployPurpose::Rollback,
        sha: sha('a'),
        images: image('a'),
        barrier: None,
        authorization: None,
        saved_plan: None,
    })
}

#[test]
fn an_interrupted_rollback_resumes_although_the_wanted_commit_is_broken() {
    assert_snapshot!(interrupted_rollback().with_a_broken_commit().plan(), @r"
    finalize a
    quarantine b
    Rollback to a
    ! its workflow cannot be read
    ");
    assert_snapshot!(interrupted_rollback().with_a_broken_description().plan(), @r"
    finalize a
    quarantine b
    Rollback to a
    ! servicedescription/servicedescription.js cannot be read: the object that starts here is not closed (line 1, column 1)
    ");
}

#[test]
fn a_cancel_ends_the_run_and_a_retry_waits_for_a_readable_commit() {
    let world = World::wants('a').started('a').flying("build", 1).with_a_broken_commit();
    assert_snapshot!(world.plan(), @"! its workflow cannot be read");
    assert_snapshot!(world.requested(RequestKind::Cancel { sha: sha('a') }).plan(), @r"
    recover build 1
    accept cancel
    end Cancelled
    ! the run for aaaaaaaaaa is cancelled
    ! its workflow cannot be read
    ");
    let world = World::wants('a').started('a').attempted("build", 1, failed()).ended(1, RunOutcome::Failed);
    let retry = RequestKind::Retry { sha: sha('a'), phase: name("build") };
    let skip = RequestKind::Skip { sha: sha('a'), phase: name("build") };
    assert_snapshot!(world.requested(retry).requested(skip).with_a_broken_commit().plan(), @r"
    ! `build` failed for aaaaaaaaaa: exit code 3
    ! its workflow cannot be read
    ");
}

#[test]
fn drift_is_repaired_although_the_wanted_commit_is_broken() {
    let mut world = World::wants('b').live('a').with_a_broken_commit();
    world.runs = Some('d');
    assert_snapshot!(world.plan(), @r"
    Repair to a
    ! its workflow cannot be read
    ");
}

#[test]
fn a_rollback_notes_the_roles_that_it_does_not_change() {
    let rolled_back = RequestKind::Rollback { from: sha('b'), to: sha('a') };
    let mut images = image('b');
    images.insert("worker".to_owned(), format!("acme/worker:{}", sha('b')));
    let adopted = Event::Adopted { sha: sha('b'), images, revision: "rb".into() };
    let world = World::wants('b').live('a').then(adopted).running('b').requested(rolled_back);
    let planned = plan(&world.input(false));
    assert_snapshot!(planned.links[0].notes.join("\n"), @"`worker` keeps `acme/worker:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb`: it came with bbbbbbbbbb, and aaaaaaaaaa has no image for it");
}
