//! Commits that do not change a link's watched paths.

use insta::assert_snapshot;

use super::world::{World, sha};
use crate::domain::{OnFailure, Outcome, RunOutcome};
use crate::plan::*;

const FOLLOWS: &str = "folder = \"services/web\"\nwatch = [\"libs/common\", \"services/web\"]\n";

/// `dev/web` follows a branch, and watches a library besides its folder.
fn watching_world(extra: &str) -> World {
    World::following(extra, OnFailure::Hold)
}

fn unchanged(world: &World) -> PathChanges {
    PathChanges { workflow: Some(world.workflow.digest()), ..PathChanges::default() }
}

/// The result for commit `2`.
fn compared(world: &World, seen: PathChanges) -> Option<WatchComparison> {
    let head = world.head();
    watching(&world.loaded.manifest, &"dev/web".parse().unwrap(), &head)?.compare(&sha('2'), seen)
}

#[test]
fn a_commit_that_does_not_change_watched_paths_is_contained_in_the_live_one() {
    let world = watching_world(FOLLOWS).live('1');
    let watched = compared(&world, unchanged(&world)).unwrap();
    assert_snapshot!(watched.describe(), @"contained: 2222222222 changes nothing in services/web, libs/common since 1111111111, which is live");
    // The plan wants the live commit, with a note.
    let mut input = world.input(false);
    input.links[0].want = Some(Ok(sha('1')));
    input.links[0].watched = Some(Box::new(watched.clone()));
    assert!(!needs_commit(input.manifest, &input.links[0]));
    let plan = plan(&input);
    assert_eq!((plan.has_steps(), plan.links[0].notes.clone()), (false, vec![watched.describe()]));
}

#[test]
fn a_commit_runs_if_it_changes_a_watched_path_or_has_another_workflow() {
    let world = watching_world(FOLLOWS).live('1');
    assert_eq!(compared(&world, PathChanges { is_changed: true, ..unchanged(&world) }), None);
    assert_eq!(
        compared(&world, PathChanges { workflow: Some("another".to_owned()), ..unchanged(&world) }),
        None
    );
    assert_eq!(compared(&world, PathChanges { workflow: None, ..unchanged(&world) }), None);
}

#[test]
fn a_watched_path_that_neither_commit_has_disables_watching_with_a_note() {
    let world = watching_world(FOLLOWS).live('1');
    let seen = PathChanges { absent: vec!["libs/common".to_owned()], ..unchanged(&world) };
    let watched = compared(&world, seen).unwrap();
    assert_eq!(watched.contained(), None);
    assert_snapshot!(watched.describe(), @"`watch` names `libs/common`, which is in neither 2222222222 nor 1111111111, so the workflow runs for every commit");
}

#[test]
fn every_commit_runs_if_nothing_is_watched_or_any_change_counts() {
    for extra in ["", "folder = \"services/web\"\n", "watch = [\"libs\"]\nchanges = \"any\"\n"] {
        let world = watching_world(extra).live('1');
        assert_eq!(compared(&world, unchanged(&world)), None, "{extra}");
    }
    // A commit that the manifest names always runs.
    let named = World::with('2', FOLLOWS, OnFailure::Hold).live('1');
    assert_eq!(compared(&named, unchanged(&named)), None);
}

#[test]
fn no_commit_is_contained_in_one_that_is_not_live_and_verified() {
    let never = watching_world(FOLLOWS);
    let unverified = watching_world(FOLLOWS)
        .started('1')
        .attempted("build", 1, Outcome::Succeeded)
        .deployed('1')
        .attempted("verify", 1, super::world::failed())
        .ended(1, RunOutcome::Failed);
    let adopted_since = watching_world(FOLLOWS).live('1').started('3');
    for world in [never, unverified, adopted_since] {
        assert_eq!(compared(&world, unchanged(&world)), None, "{:?}", world.head().run);
    }
}

#[test]
fn the_root_folder_is_called_the_repository() {
    let world = watching_world("watch = []\n").live('1');
    assert_snapshot!(compared(&world, unchanged(&world)).unwrap().describe(), @"contained: 2222222222 changes nothing in the repository since 1111111111, which is live");
}
