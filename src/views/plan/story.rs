//! A link's plan as text, shared by the views for people. Nothing in it is escaped yet: each view does that.

use super::counts::number;
use super::group::ANY_LINK;
use crate::domain::{
    CommitSha, DeployPurpose, LinkId, Phase, PhaseKind, Request, RunOutcome, RunPhase, RunReason,
    StartedTest, Strategy, TestMerge, enumerated,
};
use crate::plan::{DeployStep, Hold, HoldReason, LinkPlan, Step, StepReason};
use crate::views::words::asked;

/// The most roles of a deployment that are named; more are counted.
const NAMED_ROLES: usize = 4;

/// The kind of effect a step has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChangeMark {
    /// Something runs.
    Run,
    /// Something existing changes.
    Change,
    /// Something is removed.
    Remove,
    /// Nothing happens.
    Nothing,
}

/// One step as text.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// The kind of effect.
    pub mark: ChangeMark,
    /// The action, in a word or two.
    pub verb: &'static str,
    /// The phase it applies to.
    pub phase: Option<&'a str>,
    /// The number of replicas.
    pub replicas: u32,
    /// The reason or the details: a lowercase fragment with names in backticks.
    pub detail: String,
    /// The deployment, if the step is one.
    pub deploy: Option<&'a DeployStep>,
}

/// The deployed and the planned commit of a link: `3f2a9c1e00 → 77aa000000`; empty if neither is known.
pub(super) fn course(link: &LinkPlan) -> String {
    let rollback = link.steps.iter().find_map(|step| match step {
        Step::Deploy(deploy) if deploy.purpose == DeployPurpose::Rollback => Some(&deploy.to),
        _ => None,
    });
    shas(link.deployed.as_ref(), rollback.or(link.want.as_ref()))
}

fn shas(from: Option<&CommitSha>, to: Option<&CommitSha>) -> String {
    match (from, to) {
        (Some(from), Some(to)) if from == to => format!("at {}", to.short()),
        (Some(from), Some(to)) => format!("{} → {}", from.short(), to.short()),
        (None, Some(to)) => format!("→ {}", to.short()),
        (Some(from), None) => format!("at {}", from.short()),
        (None, None) => String::new(),
    }
}

/// How many commits the deployments of the link include.
pub(super) fn commits(link: &LinkPlan) -> usize {
    let deploys = link.steps.iter().filter_map(|step| match step {
        Step::Deploy(deploy) => Some(deploy.commits.len() + deploy.more_commits),
        _ => None,
    });
    deploys.sum()
}

/// The steps of a link, in order. Phases that a new run skips appear where they would have run.
pub(super) fn entries(link: &LinkPlan) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    let mut ahead: &[RunPhase] = &[];
    let mut before: Option<(i64, &str)> = None;
    for step in &link.steps {
        if let Step::StartRun { phases, .. } = step {
            ahead = phases;
        }
        if let Some((order, name)) = place(step) {
            if let Some(at) = ahead.iter().position(|phase| phase.name.as_str() == name) {
                left_out(&ahead[..at], &mut entries);
                ahead = &ahead[at + 1..];
            }
            let mut entry = entry(step, link);
            if let (Some((earlier, other)), Some(entry)) = (before, &mut entry)
                && earlier == order
            {
                entry.detail.push_str(&format!(", at the same time as `{other}`"));
            } else {
                before = Some((order, name));
            }
            entries.extend(entry);
        } else {
            if matches!(step, Step::EndRun { .. }) {
                left_out(ahead, &mut entries);
                ahead = &[];
            }
            entries.extend(entry(step, link));
        }
    }
    left_out(ahead, &mut entries);
    entries
}

/// The order and phase name of a step that is part of the workflow.
fn place(step: &Step) -> Option<(i64, &str)> {
    match step {
        Step::Run { phase, .. } => Some((phase.order, phase.name.as_str())),
        Step::Deploy(deploy) => Some((deploy.order, deploy.phase.as_ref()?.as_str())),
        _ => None,
    }
}

fn left_out<'a>(phases: &'a [RunPhase], entries: &mut Vec<Entry<'a>>) {
    for RunPhase { name, order: _, deployment: _, skipped, kept: _, reused } in phases {
        let (verb, detail) = match reused {
            _ if *skipped => ("skip", "by the manifest".to_owned()),
            Some(link) => ("reuse", format!("the images of {link}")),
            None => continue,
        };
        entries.push(plain(ChangeMark::Nothing, verb, Some(name.as_str()), detail));
    }
}

fn plain<'a>(mark: ChangeMark, verb: &'static str, phase: Option<&'a str>, detail: String) -> Entry<'a> {
    Entry { mark, verb, phase, replicas: 1, detail, deploy: None }
}

/// `None` for a step that the heading already covers.
fn entry<'a>(step: &'a Step, link: &'a LinkPlan) -> Option<Entry<'a>> {
    let entry = match step {
        Step::Accept { request } => plain(ChangeMark::Change, "grant", None, describe(request)),
        Step::Refuse { request, why } => {
            plain(ChangeMark::Remove, "refuse", None, format!("{}: {why}", describe(request)))
        }
        Step::Withdraw { request, by } => {
            let reason = by.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            let detail = format!("{}, which {} withdrew{reason}", describe(request), by.by);
            plain(ChangeMark::Remove, "withdraw", None, detail)
        }
        Step::Recover { phase, attempt } => {
            let detail = format!("attempt {attempt}: remove what is left of its service");
            plain(ChangeMark::Remove, "recover", Some(phase.as_str()), detail)
        }
        Step::Finalize { sha } => {
            let detail = format!("the interrupted deployment of {}", sha.short());
            plain(ChangeMark::Change, "finalize", None, detail)
        }
        Step::ReleaseLease { owner } => {
            plain(ChangeMark::Remove, "release", None, format!("the lease left by {owner}"))
        }
        Step::EndRun { run: _, sha, outcome, because } => {
            let how = match (outcome, because) {
                (_, Some(because)) => because,
                (RunOutcome::Succeeded, None) => "every phase is done",
                (RunOutcome::Failed, None) => "a phase failed",
                (RunOutcome::Cancelled, None) => "cancelled",
                (RunOutcome::Superseded, None) => "it is no longer wanted",
            };
            plain(ChangeMark::Change, "end run", None, format!("for {}: {how}", sha.short()))
        }
        Step::StartRun { test: Some(test), .. } => {
            let StartedTest { merge: TestMerge { head, base, tree: _ }, from, why } = &**test;
            let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            let what = match test.merge.is_of_tip() {
                true => format!("{}, the tip of the branch", head.short()),
                false => format!("{}, merged into {}", head.short(), base.short()),
            };
            plain(ChangeMark::Change, "test", None, format!("{what}, for {from}{why}"))
        }
        Step::StartRun { reason: RunReason::NewSha, .. } => return None,
        Step::StartRun { sha, reason: RunReason::Retry, phases, .. } => {
            let kept = phases.iter().filter(|phase| phase.kept);
            let kept: Vec<_> = kept.map(|phase| format!("`{}`", phase.name)).collect();
            match kept.as_slice() {
                [] => plain(
                    ChangeMark::Change,
                    "start over",
                    None,
                    format!("with a new run for {}", sha.short()),
                ),
                kept => {
                    let detail = format!("with a new run for {} that keeps {}", sha.short(), kept.join(", "));
                    plain(ChangeMark::Change, "continue", None, detail)
                }
            }
        }
        Step::Skip { phase, sha } => {
            let detail = format!("by the manifest, in the run for {}", sha.short());
            plain(ChangeMark::Nothing, "skip", Some(phase.as_str()), detail)
        }
        Step::Restore { phase, sha } => {
            let detail = format!("no longer skipped by the manifest, in the run for {}", sha.short());
            plain(ChangeMark::Change, "restore", Some(phase.as_str()), detail)
        }
        Step::Run { phase, because } => {
            let Phase { name, order: _, kind } = phase.as_ref();
            let replicas = match kind {
                PhaseKind::Execution(execution) => execution.parallelism,
                PhaseKind::Deployment(_) => 1,
            };
            Entry { replicas, ..plain(ChangeMark::Run, "run", Some(name.as_str()), why(because)) }
        }
        Step::Deploy(deploy) => deployment(deploy, link),
        Step::Adopt { sha, images, revision: _ } => {
            let images: Vec<_> =
                images.iter().map(|(role, image)| format!("`{role}` runs `{image}`")).collect();
            let detail = format!("{} as is, not deployed by katkit: {}", sha.short(), images.join(", "));
            plain(ChangeMark::Change, "adopt", None, detail)
        }
        Step::Quarantine { sha, why, good: _, alone: _ } => {
            plain(ChangeMark::Change, "quarantine", None, format!("{}: {why}", sha.short()))
        }
        Step::Forget => {
            let detail = "the link left the manifest; running services are left alone".to_owned();
            plain(ChangeMark::Remove, "forget", None, detail)
        }
        Step::Move { from, base: _, takes_over: _ } => {
            let detail = format!("`{from}` is now `{}`; its record moves along", link.link);
            plain(ChangeMark::Change, "move", None, detail)
        }
    };
    Some(entry)
}

fn deployment<'a>(deploy: &'a DeployStep, link: &'a LinkPlan) -> Entry<'a> {
    let DeployStep { phase, purpose, from, to, images, strategy, .. } = deploy;
    let verb = match purpose {
        DeployPurpose::Upgrade => "deploy",
        DeployPurpose::Repair => "repair",
        DeployPurpose::Rollback => "roll back",
    };
    let shas = shas(from.as_ref(), Some(to));
    let mut detail = Vec::new();
    match purpose {
        DeployPurpose::Repair => {
            detail.push(format!("{} was deployed, but something else is running", to.short()));
        }
        // The heading already shows it.
        DeployPurpose::Upgrade | DeployPurpose::Rollback if shas == course(link) => {}
        DeployPurpose::Upgrade | DeployPurpose::Rollback => detail.push(shas),
    }
    let roles: Vec<_> = images.iter().map(|image| format!("`{}`", image.role)).collect();
    match (roles.as_slice(), strategy) {
        ([], _) => {}
        ([role], _) if detail.is_empty() => detail.push(role.clone()),
        ([_], _) => {}
        (_, strategy) => {
            let roles = match roles.len() {
                ..=NAMED_ROLES => enumerated(&roles),
                many => number(many, "role"),
            };
            let how = match strategy {
                Strategy::Ordered => "one after the other",
                Strategy::Together => "together",
            };
            detail.push(format!("{roles} {how}"));
        }
    }
    let mut detail = detail.join(": ");
    if let (DeployPurpose::Upgrade, Some(back)) = (purpose, &link.on_failure) {
        detail.push_str(&format!("; rolls back to {} if a later phase fails", back.to.short()));
    }
    // Most workflows would read "deploy deploy".
    let phase =
        phase.as_ref().map(crate::domain::PhaseName::as_str).filter(|name| !name.eq_ignore_ascii_case(verb));
    Entry { deploy: Some(deploy), ..plain(ChangeMark::Change, verb, phase, detail) }
}

fn why(because: &StepReason) -> String {
    match because {
        StepReason::NotRunYet => "not run yet".to_owned(),
        StepReason::Retry => "retry".to_owned(),
        StepReason::Lost => "its last attempt was lost".to_owned(),
        StepReason::Interrupted => "its last attempt was interrupted".to_owned(),
        StepReason::InFlight { attempt } => format!("takes over attempt {attempt}, which is in flight"),
    }
}

fn describe(request: &Request) -> String {
    let Request { id: _, link: _, at: _, by, why, ask } = request;
    format!("{by} asked {}", asked(ask, why.as_deref()))
}

/// The kind, reason and hint of a hold, with `name` instead of the link's id in commands.
pub(super) fn held<'a>(hold: &'a Hold, id: &LinkId, name: &str) -> (&'static str, String, Option<String>) {
    // The reason and the hint tell the time.
    let Hold { scope: _, reason, hint, until: _ } = hold;
    let word = match reason {
        HoldReason::NotVerified { .. } | HoldReason::Soaking { .. } | HoldReason::Train { .. } => "waits",
        _ if reason.is_error() => "error",
        _ => "held",
    };
    // Only in commands: elsewhere the same text may be part of something else.
    let named = |hint: &'a String| match name {
        ANY_LINK => hint.replace(&format!(" {id}`"), &format!(" {name}`")),
        _ => hint.clone(),
    };
    (word, hold.describe(), hint.as_ref().map(named))
}
