//! The answer in a sentence or two, with a hint.

use super::Why;
use crate::domain::{CommitSha, DeployPurpose, PhaseState, PhaseStatus};
use crate::plan::{Hold, HoldReason, LinkPlan, Step, is_repair};
use crate::views::moment::lasted;

/// The answer. Not escaped yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// One or two sentences.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// The most steps that are named.
const STEPS: usize = 6;

pub(super) fn answer(why: &Why<'_>) -> Answer {
    let Why { link, want, plan, .. } = *why;
    let want = match want {
        None => return left(why),
        Some(Err(hold)) => {
            let text = match hold.reason.is_error() {
                true => format!("The wanted commit could not be determined: {}.", hold.describe()),
                false => format!("{}.", capitalized(&hold.describe())),
            };
            return Answer { text, hint: hold.hint.clone() };
        }
        Some(Ok(want)) => want,
    };
    let state = state(why, want);
    match plan {
        Some(plan) if !plan.holds.is_empty() => match &plan.holds[0] {
            hold if hold.scope.is_link() => held(why, want, hold),
            hold if plan.steps.is_empty() => {
                Answer { text: format!("{state}: {}.", hold.describe()), hint: hold.hint.clone() }
            }
            hold => Answer {
                text: format!("{state}. {} Then {}.", next(plan), hold.describe()),
                hint: Some(format!("run `katkit apply {link}`")),
            },
        },
        Some(plan) if !plan.steps.is_empty() => Answer {
            text: format!("{state}, and nothing is holding it back. {}", next(plan)),
            hint: Some(format!("run `katkit apply {link}`")),
        },
        _ => {
            let done = match &why.head.run {
                Some(run) if run.sha == *want => all_done(&run.phases),
                Some(_) if why.head.evidence(want).is_some() => "it was verified before".to_owned(),
                _ => "it was found running, and is the wanted commit".to_owned(),
            };
            let contained = why.contained.map(|contained| format!(" {}", contained.sentence()));
            let newest = why.pipeline.and_then(|pipeline| pipeline.newest());
            let newest = newest.map(|newest| format!(" {newest}")).unwrap_or_default();
            Answer { text: format!("{state}: {done}.{}{newest}", contained.unwrap_or_default()), hint: None }
        }
    }
}

/// As a sentence. A sha stays as it is.
fn capitalized(text: &str) -> String {
    let first = text.split([' ', ',']).next().unwrap_or_default();
    if first.len() == 10 && first.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return text.to_owned();
    }
    let mut rest = text.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}

/// The state of the wanted commit, whatever comes next.
fn state(why: &Why<'_>, want: &CommitSha) -> String {
    let deployed = why.head.deployed.as_ref().map(|deployed| &deployed.sha);
    let deploys = why.head.run.as_ref().is_none_or(|run| run.phases.iter().any(|phase| phase.deployment));
    let is_done = |step: &Step| matches!(step, Step::Move { .. });
    // Only the commit after this one waits.
    let is_next = |hold: &Hold| matches!(hold.reason, HoldReason::Soaking { .. } | HoldReason::Train { .. });
    let is_drift = why.plan.is_some_and(is_repair);
    let done = why.plan.is_none_or(|plan| plan.steps.iter().all(is_done) && plan.holds.iter().all(is_next));
    match (deployed == Some(want), done) {
        (true, true) => format!("{} is live", want.short()),
        (true, false) if is_drift => format!("{} was deployed, but something else is running", want.short()),
        (true, false) if why.head.open_run().is_some() => {
            format!("{} is deployed, but its run has not ended", want.short())
        }
        (true, false) => format!("{} is deployed", want.short()),
        (false, true) if !deploys => {
            format!("{} completed its workflow, which deploys nothing", want.short())
        }
        (false, _) => format!("{} is not live", want.short()),
    }
}

/// Describes a run that is over, and whose commit stays live.
fn all_done(phases: &[PhaseState]) -> String {
    if let Some(failed) = phases.iter().find(|phase| phase.status == PhaseStatus::Failed) {
        return format!("its test failed at `{}`, and nothing else is wanted", failed.name);
    }
    let skipped = phases.iter().filter(|phase| !phase.is_well()).map(|phase| format!("`{}`", phase.name));
    let skipped: Vec<_> = skipped.collect();
    match skipped.as_slice() {
        [] => "every phase is done".to_owned(),
        skipped => format!("every phase is done except {}, skipped by request", skipped.join(", ")),
    }
}

fn held(why: &Why<'_>, want: &CommitSha, hold: &Hold) -> Answer {
    let Hold { scope: _, reason, hint, until: _ } = hold;
    if let HoldReason::LeaseHeld { owner } = reason {
        let running = why
            .head
            .open_run()
            .into_iter()
            .flat_map(|run| &run.phases)
            .filter_map(|phase| running(phase, why));
        let running: Vec<_> = running.collect();
        let running = match running.as_slice() {
            [] => String::new(),
            _ => format!(" {}.", running.join(", ")),
        };
        let other = why.head.open_run().filter(|run| run.sha != *want);
        let text = match other {
            None => format!("{} is on its way: {owner} is working on it.{running}", want.short()),
            Some(run) => format!(
                "{} is not live: {owner} is still working on {}, which was wanted before.{running}",
                want.short(),
                run.sha.short()
            ),
        };
        return Answer { text, hint: hint.clone() };
    }
    // The hint for a failure is below its log.
    let shown_below = matches!(reason, HoldReason::PhaseFailed { .. }) && !why.tails.is_empty();
    let text = match reason {
        HoldReason::PhaseFailed { phase, sha, outcome } if sha == want => {
            let how = if why.head.runs(want) { "is deployed, but" } else { "is not live:" };
            format!("{} {how} `{phase}` failed: {outcome}.", want.short())
        }
        _ => {
            // The commit is already named.
            let (short, because) = (want.short(), hold.describe());
            let because = match because.strip_prefix(short) {
                Some(rest) => format!("it{rest}"),
                None => because.replace(&format!("the run for {short}"), "its run"),
            };
            format!("{}: {because}.", state(why, want))
        }
    };
    Answer { text, hint: hint.clone().filter(|_| !shown_below) }
}

fn running(phase: &PhaseState, why: &Why<'_>) -> Option<String> {
    if phase.status != PhaseStatus::Running {
        return None;
    }
    Some(match phase.began() {
        Some(began) => format!("`{}` has been running for {}", phase.name, lasted(began, why.now)),
        None => format!("`{}` is running", phase.name),
    })
}

fn left(why: &Why<'_>) -> Answer {
    let runs = match &why.head.deployed {
        Some(deployed) => format!("{} was deployed last, and was left alone", deployed.sha.short()),
        None => "nothing was ever deployed".to_owned(),
    };
    let hint = (!why.head.forgotten).then(|| format!("`katkit apply {}` records that", why.link));
    Answer { text: format!("`{}` is no longer in the manifest; {runs}.", why.link), hint }
}

/// The steps of the plan, in a sentence.
fn next(plan: &LinkPlan) -> String {
    let mut words: Vec<_> = plan.steps.iter().filter_map(word).collect();
    let more = words.len().saturating_sub(STEPS);
    words.truncate(STEPS);
    if more > 0 {
        words.push(format!("{more} more"));
    }
    match words.len() {
        0 => "The record will be updated.".to_owned(),
        _ => format!("Next: {}.", words.join(", ")),
    }
}

fn word(step: &Step) -> Option<String> {
    Some(match step {
        Step::Accept { request } => format!("grant {}'s {}", request.by, request.ask.word()),
        Step::Refuse { request, why } => format!("refuse {}'s {} ({why})", request.by, request.ask.word()),
        Step::Withdraw { request, by } => {
            format!("drop {}'s {}, which {} withdrew", request.by, request.ask.word(), by.by)
        }
        Step::Recover { phase, attempt } => format!("remove what is left of attempt {attempt} of `{phase}`"),
        Step::Finalize { sha } => format!("finalize the interrupted deployment of {}", sha.short()),
        Step::ReleaseLease { owner } => format!("release the lease left by {owner}"),
        Step::EndRun { sha, .. } => format!("close the run for {}", sha.short()),
        Step::StartRun { .. } => return None,
        Step::Skip { phase, sha: _ } => format!("skip `{phase}`"),
        Step::Restore { phase, sha: _ } => format!("no longer skip `{phase}`"),
        Step::Run { phase, because: _ } => format!("run `{}`", phase.name),
        Step::Deploy(deploy) => match deploy.purpose {
            DeployPurpose::Upgrade => format!("deploy {}", deploy.to.short()),
            DeployPurpose::Repair => format!("deploy {} again", deploy.to.short()),
            DeployPurpose::Rollback => format!("roll back to {}", deploy.to.short()),
        },
        Step::Adopt { sha, .. } => format!("adopt {}, which is already running", sha.short()),
        Step::Quarantine { sha, why: _, good: _, alone: _ } => format!("quarantine {}", sha.short()),
        Step::Forget => "forget the link".to_owned(),
        Step::Move { from, .. } => format!("move the record of `{from}` here"),
    })
}
