//! Whether what was reviewed of a link is still what planning gives.

use serde_json::Value;

use super::{DeployStep, LinkPlan, Step};
use crate::domain::{CommitSha, Generation, shortened};

/// The longest value that is told of in a difference, in characters.
const LONGEST: usize = 60;

/// What differs between the plan of a link as it was `reviewed` and as it is `planned` now that its record is at
/// `generation`, in words that follow the name of the link; `None` if what is carried out is the same.
///
/// Compared are the steps with all that their execution uses and all that a reviewer decides by. Two plannings of the same
/// state may tell other things about it: who holds the link, what is noteworthy, which lease is taken over (which is
/// settled when it is), and the commits in between, as far as the repository has them.
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
    } = reviewed;
    if *base != generation {
        return Some(format!("the record has changed since (from generation {base} to {generation})"));
    }
    let wanted = planned.map_or(want, |planned| &planned.want);
    if wanted != want {
        return Some(format!("{} is wanted now, and not {}", commit(wanted.as_ref()), commit(want.as_ref())));
    }
    let now = planned.map_or(&[][..], |planned| &planned.steps);
    let differs = |at: &usize| steps.get(*at).map(carried_out) != now.get(*at).map(carried_out);
    if let Some(at) = (0..steps.len().max(now.len())).find(differs) {
        return Some(match (steps.get(at), now.get(at)) {
            (Some(step), Some(other)) => between(step, other),
            (Some(step), None) => {
                let hold = planned.and_then(|planned| planned.holds.first());
                let why = hold.map(|hold| format!(": {}", hold.reason.describe())).unwrap_or_default();
                format!("it {}, and planning gives nothing in its place now{why}", words(step))
            }
            (None, Some(other)) => format!("planning now also {}", words(other)),
            (None, None) => return None,
        });
    }
    let rollback = |step: &Option<DeployStep>| step.clone().map(|step| Step::Deploy(Box::new(step)));
    let (reviewed, now) =
        (rollback(on_failure), rollback(&planned.and_then(|planned| planned.on_failure.clone())));
    if reviewed.as_ref().map(carried_out) == now.as_ref().map(carried_out) {
        // What a phase is given beside its own settings (variables, secrets, a fleet's image) stands in the manifest alone.
        let differs = planned.is_some_and(|planned| planned.concern != *concern);
        return differs.then(|| "the manifest says something else of it now".to_owned());
    }
    Some(match (&reviewed, &now) {
        (Some(step), Some(other)) => format!("if a later phase fails, {}", between(step, other)),
        (Some(step), None) => {
            format!("if a later phase fails, it {}, and planning gives nothing now", words(step))
        }
        (None, other) => {
            let words = other.as_ref().map(words).unwrap_or_default();
            format!("if a later phase fails, planning now {words}")
        }
    })
}

/// The step without what only tells about it.
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

/// How a step differs from the one in its place.
fn between(step: &Step, other: &Step) -> String {
    let (does, now) = (words(step), words(other));
    if does != now {
        return format!("it {does}, and planning now {now}");
    }
    if let (Step::StartRun { workflow, .. }, Step::StartRun { workflow: now, .. }) = (step, other)
        && workflow != now
    {
        return format!("it {does}, and the workflow was edited since");
    }
    let value = |step| serde_json::to_value(carried_out(step)).unwrap_or_default();
    let (step, other) = (value(step), value(other));
    match unequal(Some(&step), Some(&other), String::new()) {
        Some((key, was, is)) => {
            let (was, is) = told(was, is);
            format!("it {does} with {was} as `{key}`, and planning now gives {is}")
        }
        None => format!("it {does} otherwise than planning does now"),
    }
}

/// The first value that differs, by its key.
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

/// Two values in words; of texts with many lines, the first lines that differ.
fn told(a: Option<&Value>, b: Option<&Value>) -> (String, String) {
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

/// What a step does, behind "it".
fn words(step: &Step) -> String {
    match step {
        Step::Accept { request } => {
            format!("accepts the {} that {} asked for", request.ask.word(), request.by)
        }
        Step::Refuse { request, .. } => {
            format!("refuses the {} that {} asked for", request.ask.word(), request.by)
        }
        Step::Withdraw { request, .. } => {
            format!("drops the {} of {}, which was withdrawn", request.ask.word(), request.by)
        }
        Step::Restore { phase, .. } => format!("no longer skips `{phase}`"),
        Step::Recover { phase, attempt } => format!("removes attempt {attempt} at `{phase}`"),
        Step::Settle { sha } => format!("finds out how the deployment of {} ended", sha.short()),
        Step::Free { owner } => format!("gives back the lease of {owner}"),
        Step::EndRun { sha, .. } => format!("ends the run for {}", sha.short()),
        Step::StartRun { sha, .. } => format!("starts a run for {}", sha.short()),
        Step::Skip { phase, .. } => format!("skips `{phase}`"),
        Step::Run { phase, .. } => format!("runs `{}`", phase.name),
        Step::Deploy(step) => format!("deploys {}", step.to.short()),
        Step::Adopt { sha, .. } => format!("adopts {}", sha.short()),
        Step::Quarantine { sha, .. } => format!("quarantines {}", sha.short()),
        Step::Forget => "forgets the link".to_owned(),
        Step::Move { from, .. } => format!("goes on with the record of `{from}`"),
    }
}
