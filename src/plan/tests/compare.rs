//! Differences between a reviewed plan and a new one.

use std::time::Duration;

use serde_json::Value;

use super::world::{World, failed, owner, sha};
use crate::domain::*;
use crate::plan::*;

fn planned(world: &World) -> LinkPlan {
    plan(&world.input(false)).links.remove(0)
}

/// Worlds whose plans cover every step that changes something outside the record.
fn worlds() -> Vec<World> {
    vec![
        World::wants('a'),
        World::with('b', "", OnFailure::Rollback).live('a'),
        World::wants('a').live('a').running('b'),
        World::wants('a').running('a'),
        World::wants('b').started('a').flying("build", 1).left_by_the_dead(),
        World::wants('a').started('a').attempted("build", 1, failed()).ended(1, RunOutcome::Failed),
    ]
}

/// A value that differs from `value`.
fn another(value: &Value) -> Value {
    match value {
        Value::Null => "other".into(),
        Value::Bool(is) => (!is).into(),
        Value::Number(number) => (number.as_i64().unwrap() + 1).into(),
        Value::String(text) if text.starts_with(sha('a').as_str()) => sha('f').as_str().into(),
        Value::String(text) => format!("{text}x").into(),
        Value::Array(items) => items.iter().skip(1).cloned().collect(),
        Value::Object(_) => Value::Null,
    }
}

#[test]
fn planning_twice_gives_no_difference() {
    for world in worlds() {
        let (reviewed, now) = (planned(&world), planned(&world));
        assert_eq!(difference(&reviewed, Some(&now), world.head().generation), None);
        // Notes and the observed lease do not change what is done.
        let noted = LinkPlan { notes: vec!["a note".into()], takes_over: Some(World::lease()), ..now };
        assert_eq!(difference(&reviewed, Some(&noted), world.head().generation), None);
    }
}

#[test]
fn the_time_makes_no_difference() {
    for mut world in worlds() {
        let reviewed = planned(&world);
        world.now = "2030-12-31T23:59:59Z".parse().unwrap();
        let later = planned(&world);
        assert_eq!(reviewed, later);
        assert_eq!(difference(&reviewed, Some(&later), world.head().generation), None);
    }
}

#[test]
fn a_gate_that_opened_or_closed_since_is_a_difference() {
    let difference = |reviewed: World, now: World| {
        difference(&planned(&reviewed), Some(&planned(&now)), now.head().generation).unwrap()
    };
    let world = || World::wants('b').live('a');
    let closed = difference(world(), world().at_a_closed_gate());
    assert!(
        closed.starts_with("it deploys bbbbbbbbbb, but a new plan has no such step: `deploy` waits: "),
        "{closed}"
    );
    let opened = difference(world().at_a_closed_gate(), world());
    assert_eq!(opened, "a new plan also deploys bbbbbbbbbb");
}

#[test]
fn a_changed_record_another_commit_and_missing_steps_are_differences() {
    let world = World::wants('a');
    let reviewed = planned(&world);
    let difference = |now: Option<&LinkPlan>, at| difference(&reviewed, now, Generation(at)).unwrap();
    assert_eq!(difference(Some(&reviewed), 9), "the record has changed since (from generation 0 to 9)");
    assert_eq!(difference(Some(&planned(&World::wants('b'))), 0), "bbbbbbbbbb is wanted now, not aaaaaaaaaa");
    assert_eq!(difference(None, 0), "it starts a run for aaaaaaaaaa, but a new plan has no such step");
    let held = planned(&World { holder: Holder::Other(Box::new(owner())), ..World::wants('a') });
    let why = difference(Some(&held), 0);
    assert!(why.starts_with("it starts a run for aaaaaaaaaa, but a new plan has no such step: "), "{why}");
    assert!(why.ends_with("is working on it"), "{why}");
}

#[test]
fn every_field_of_a_deployment_counts_except_the_list_of_commits() {
    let world = World::with('b', "", OnFailure::Rollback).live('a');
    let now = planned(&world);
    let at = now.steps.iter().position(|step| matches!(step, Step::Deploy(_))).unwrap();
    let Step::Deploy(deployment) = &now.steps[at] else { unreachable!() };
    let fields = serde_json::to_value(deployment).unwrap();
    let mut ignored = Vec::new();
    for (field, value) in fields.as_object().unwrap() {
        let mut changed = fields.clone();
        changed[field] = match field.as_str() {
            "purpose" => "repair".into(),
            "strategy" => "together".into(),
            "on_failure" => "hold".into(),
            "commits" => serde_json::json!([{ "sha": sha('c'), "author": "Eve", "subject": "x" }]),
            "from" | "to" => sha('c').as_str().into(),
            _ => another(value),
        };
        let changed: DeployStep = serde_json::from_value(changed).unwrap();
        assert_ne!(changed, **deployment, "{field}");
        let mut reviewed = now.clone();
        reviewed.steps[at] = Step::Deploy(Box::new(changed));
        if difference(&reviewed, Some(&now), now.base).is_none() {
            ignored.push(field.clone());
        }
    }
    assert_eq!(ignored, ["commits", "more_commits"]);
    // The same holds for the rollback.
    let mut reviewed = now.clone();
    reviewed.on_failure.as_mut().unwrap().timeout += Duration::from_secs(1);
    let differs = difference(&reviewed, Some(&now), now.base).unwrap();
    assert!(differs.starts_with("if a later phase fails, it deploys aaaaaaaaaa with "), "{differs}");
    reviewed.on_failure = None;
    assert!(difference(&reviewed, Some(&now), now.base).is_some());
}

#[test]
fn an_added_removed_or_moved_step_is_a_difference() {
    for world in worlds() {
        let now = planned(&world);
        for at in 0..now.steps.len() {
            let mut without = now.clone();
            let step = without.steps.remove(at);
            assert!(difference(&without, Some(&now), now.base).is_some());
            let mut twice = now.clone();
            twice.steps.push(step);
            assert!(difference(&twice, Some(&now), now.base).is_some());
            let mut moved = now.clone();
            moved.steps.rotate_left(at);
            assert_eq!(difference(&moved, Some(&now), now.base).is_some(), at > 0);
        }
    }
}
