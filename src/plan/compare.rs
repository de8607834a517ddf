//! Compares the reviewed plan of a link with a new plan.

use serde_json::Value;

use super::{DeployStep, LinkPlan, Step};
use crate::domain::{CommitSha, Generation, shortened};

/// The longest value shown in a difference, in characters.
const LONGEST: usize = 60;

/// How the `reviewed` plan of a link differs from the plan `planned` now, with the record at `generation`. The text
/// follows the link's name. `None` if both do the same.
///
/// Compares the steps with everything that their execution uses and everything that a reviewer decides by. Two plans of
/// the same state may differ in the rest: the lease holder, the notes, the lease to take over (which is checked when it
/// is taken), and the commits in between, as far as the repository has them. A gate that opened or closed since shows in
/// the steps.
pub fn difference(reviewed: &LinkPlan, planned: Option<&LinkPlan>, generation: Generation) -> Option<String> {
    let LinkPlan {
        link: _,
        base,
        concern,
        takes_over: _,
        deployed: _,
        want,
        steps,
        on_failure,
        holds: _,
        notes: _,
        rolled_back_elsewhere: _,
        rejections: _,
        waived: _,
        approval: _,
        // Which images are to be deployed is in the steps.
        unpinned: _,
        reviewed: _,
        landed: _,
    } = reviewed;
    if *base != generation {
        return Some(format!("the record has changed since (from generation {base} to {generation})"));
    }
    let wanted = planned.map_or(want, |planned| &planned.want);
    if wanted != want {
        return Some(format!("{} is wanted now, not {}", commit(wanted.as_ref()), commit(want.as_ref())));
    }
    let now = planned.map_or(&[][..], |planned| &planned.steps);
    let differs = |at: &usize| steps.get(*at).map(carried_out) != now.get(*at).map(carried_out);
    if let Some(at) = (0..steps.len().max(now.len())).find(differs) {
        return Some(match (steps.get(at), now.get(at)) {
            (Some(step), Some(other)) => between(step, other),
            (Some(step), None) => {
                let hold = planned.and_then(|planned| planned.holds.first());
                let why = hold.map(|hold| format!(": {}", hold.describe())).unwrap_or_default();
                format!("it {}, but a new plan has no such step{why}", words(step))
            }
            (None, Some(other)) => format!("a new plan also {}", words(other)),
            (None, None) => return None,
        });
    }
    let rollback = |step: &Option<DeployStep>| step.clone().map(|step| Step::Deploy(Box::new(step)));
    let (reviewed, now) =
        (rollback(on_failure), rollback(&planned.and_then(|planned| planned.on_failure.clone())));
    if reviewed.as_ref().map(carried_out) == now.as_ref().map(carried_out) {
        // Inputs of a phase besides its own settings (variables, secrets, a fleet's image) are only in the manifest.
        let differs = planned.is_some_and(|planned| planned.concern != *concern);
        return differs.then(|| "its settings in the manifest have changed".to_owned());
    }
    Some(match (&reviewed, &now) {
        (Some(step), Some(other)) => format!("if a later phase fails, {}", between(step, other)),
        (Some(step), None) => {
            format!("if a later phase fails, it {}, but a new plan does nothing", words(step))
        }
        (None, other) => {
            let words = other.as_ref().map(words).unwrap_or_default();
            format!("if a later phase fails, a new plan {words}")
        }
    })
}

/// The step without its informative parts.
fn carried_out(step: &Step) -> Step {
    match step {
        Step::Deploy(step) => {
            Step::Deploy(Box::new(DeployStep { commits: Vec::new(), more_commits: 0, ..(**step).clone() }))
        }
        Step::Move { from, base, takes_over: _ } => {
            Step::Move { from: from.clone(), base: *base, takes_over: None }
        }
        other => other.clone(),
    }
}

/// How a step differs from the other at the same position.
fn between(step: &Step, other: &Step) -> String {
    let (does, now) = (words(step), words(other));
    if does != now {
        return format!("it {does}, but a new plan {now}");
    }
    if let (Step::StartRun { workflow, .. }, Step::StartRun { workflow: now, .. }) = (step, other)
        && workflow != now
    {
        return format!("it {does}, but the workflow has been edited since");
    }
    let value = |step| serde_json::to_value(carried_out(step)).unwrap_or_default();
    let (step, other) = (value(step), value(other));
    match unequal(Some(&step), Some(&other), String::new()) {
        Some((key, was, is)) => {
            let (was, is) = described(was, is);
            format!("it {does} with {was} as `{key}`, but a new plan has {is}")
        }
        None => format!("it {does}, but a new plan does it differently"),
    }
}

/// The first difference: its key and both values.
fn unequal<'v>(
    a: Option<&'v Value>,
    b: Option<&'v Value>,
    key: String,
) -> Option<(String, Option<&'v Value>, Option<&'v Value>)> {
    let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    match (a, b) {
        _ if a == b => None,
        (Some(Value::Object(left)), Some(Value::Object(right))) => {
            let mut keys = left.keys().chain(right.keys());
            keys.find_map(|name| unequal(left.get(name), right.get(name), below(name)))
        }
        (Some(Value::Array(left)), Some(Value::Array(right))) => {
            let mut places = 0..left.len().max(right.len());
            places.find_map(|at| unequal(left.get(at), right.get(at), below(&at.to_string())))
        }
        _ => Some((key, a, b)),
    }
}

/// Both values as text; for multi-line strings, the first lines that differ.
fn described(a: Option<&Value>, b: Option<&Value>) -> (String, String) {
    if let (Some(Value::String(a)), Some(Value::String(b))) = (a, b) {
        let (mut left, mut right) = (a.lines(), b.lines());
        loop {
            match (left.next(), right.next()) {
                (None, None) => break,
                (a, b) if a != b => {
                    let line =
                        |line: Option<&str>| line.map_or("nothing".to_owned(), |line| clipped(line.trim()));
                    return (line(a), line(b));
                }
                _ => {}
            }
        }
    }
    let value = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "nothing".to_owned(),
        Some(Value::String(text)) => clipped(text),
        Some(other) => clipped(&other.to_string()),
    };
    (value(a), value(b))
}

fn clipped(text: &str) -> String {
    format!("`{}`", shortened(text, LONGEST))
}

fn commit(sha: Option<&CommitSha>) -> &str {
    sha.map_or("an unknown commit", CommitSha::short)
}

/// What a step does, as text that follows "it".
fn words(step: &Step) -> String {
    match step {
        Step::Accept { request } => {
            format!("grants the {} requested by {}", request.ask.word(), request.by)
        }
        Step::Refuse { request, .. } => {
            format!("refuses the {} requested by {}", request.ask.word(), request.by)
        }
        Step::Withdraw { request, .. } => {
            format!("drops the {} of {}, which was withdrawn", request.ask.word(), request.by)
        }
        Step::Restore { phase, .. } => format!("no longer skips `{phase}`"),
        Step::Recover { phase, attempt } => format!("removes attempt {attempt} of `{phase}`"),
        Step::Finalize { sha } => format!("finalizes the deployment of {}", sha.short()),
        Step::ReleaseLease { owner } => format!("releases the lease of {owner}"),
        Step::EndRun { sha, .. } => format!("ends the run for {}", sha.short()),
        Step::StartRun { sha, .. } => format!("starts a run for {}", sha.short()),
        Step::Skip { phase, .. } => format!("skips `{phase}`"),
        Step::Run { phase, .. } => format!("runs `{}`", phase.name),
        Step::Deploy(step) => format!("deploys {}", step.to.short()),
        Step::Adopt { sha, .. } => format!("adopts {}", sha.short()),
        Step::Quarantine { sha, .. } => format!("quarantines {}", sha.short()),
        Step::Forget => "forgets the link".to_owned(),
        Step::Move { from, .. } => format!("takes over the record of `{from}`"),
    }
}
