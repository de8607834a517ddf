//! What happened to one commit on a link, in sentences.

use super::{CommitPlace, CommitStory, Why};
use crate::domain::{CommitSha, Outcome, RunOutcome, RunReason};
use crate::journal::{PastPhase, PastRun};
use crate::pipeline::{CommitState, Missing};
use crate::plan::Contained;
use crate::views::moment::{ago, day, lasted, minute};
use crate::views::words::ended;

/// The sentences. Not escaped yet.
pub(super) fn sentences(story: &CommitStory, why: &Why<'_>) -> Vec<String> {
    let CommitStory { named, runs, place, tests_before } = story;
    let short = named.get(..10).unwrap_or(named);
    let is = |sha: &CommitSha| sha.as_str() == named;
    let mut sentences: Vec<String> = Vec::new();
    match runs.as_slice() {
        [] if why.head.deployed.as_ref().is_some_and(|deployed| is(&deployed.sha)) => {}
        [] if why.contained.is_some_and(|contained| is(&contained.tip)) => {
            sentences.extend(why.contained.map(Contained::sentence));
            return sentences;
        }
        [] if tests_before.is_some() => {}
        [] if place.as_ref().is_some_and(|place| place.state == CommitState::Tested) => {}
        [] => sentences.push(match why.head.cut() {
            None => format!("{short} never ran in `{}`.", why.link),
            Some(cut) => format!(
                "No run of `{}` on record was for {short}; events before {} were pruned on {}.",
                why.link,
                cut.through.0 + 1,
                day(cut.at)
            ),
        }),
        runs => sentences.extend(runs.iter().map(|run| run_sentence(run, why))),
    }
    sentences.extend(tests_before.map(|before| match before {
        0 => format!("The test of {short} is next in `{}`.", why.link),
        1 => format!("The test of {short} waits in `{}`; 1 other goes first.", why.link),
        more => format!("The test of {short} waits in `{}`; {more} others go first.", why.link),
    }));
    // The id is shown once.
    let it = if sentences.is_empty() { short } else { "The commit" };
    let mut facts = Vec::new();
    if let Some(deployed) = why.head.deployed.as_ref().filter(|deployed| is(&deployed.sha)) {
        facts.push(format!("has been live since {}", minute(deployed.at)));
    }
    if let Some(evidence) = why.head.verified.iter().find(|evidence| is(&evidence.sha)) {
        facts.push(format!("was verified at {}", minute(evidence.at)));
    }
    if why.head.rollback_target().is_some_and(|back| is(&back.sha)) {
        facts.push("is the rollback target".to_owned());
    }
    if let Some(quarantine) = why.head.quarantined.iter().find(|quarantine| is(&quarantine.sha)) {
        facts.push(format!("has been quarantined since {}: {}", minute(quarantine.since), quarantine.why));
    }
    sentences.extend(facts.iter().enumerate().map(|(at, fact)| match at {
        0 => format!("{it} {fact}."),
        _ => format!("It {fact}."),
    }));
    if let Some(place) = place {
        sentences.extend(in_pipeline(short, place, why));
        return sentences;
    }
    match why.want {
        Some(Ok(want)) if is(want) => {}
        Some(Ok(want)) => sentences.push(format!("The manifest asks for {} instead.", want.short())),
        Some(Err(_)) | None => {}
    }
    sentences
}

/// What became of a commit in the link's pipeline, unless its runs tell it.
fn in_pipeline(short: &str, place: &CommitPlace, why: &Why<'_>) -> Option<String> {
    let CommitPlace { state, missing, taint, unreviewed } = place;
    let other = why.want.and_then(|want| want.as_ref().ok()).map(|want| want.short());
    let branch = why.pipeline.and_then(|pipeline| pipeline.found).map_or("", |found| &found.branch.name);
    Some(match state {
        CommitState::Held if missing.is_empty() => {
            if let Some(reason) = unreviewed {
                return Some(format!("{short} waits: {}.", reason.describe()));
            }
            match (why.pipeline.and_then(|pipeline| pipeline.pin), other) {
                (Some(_), _) => format!("{short} may run here once the pin is taken out."),
                (None, Some(other)) => format!("{short} may run here, but {other} comes first."),
                (None, None) => format!("{short} may run here, but something holds the link."),
            }
        }
        CommitState::Held => {
            let missing: Vec<_> = missing.iter().map(Missing::describe).collect();
            format!("{short} {}.", missing.join(", and "))
        }
        CommitState::Tainted => format!("{}.", taint.as_ref()?.describe()),
        CommitState::Candidate => format!("{short} runs next."),
        CommitState::Superseded => format!("{short} is superseded by {}, which is newer.", other?),
        CommitState::Past => format!("{short} is older than {}, which is live.", live(why)?),
        CommitState::OffBranch => format!("{short} is not in the first-parent history of `{branch}`."),
        CommitState::Tested => {
            let record = why.pipeline?.found?.records.get(why.link)?;
            let verified = record.verified.iter().find(|verified| verified.sha.short() == short)?;
            match &verified.tested_as {
                Some(head) => format!("{short} has the content that was tested as {}.", head.short()),
                None => return None,
            }
        }
        CommitState::Running | CommitState::Live | CommitState::Failed | CommitState::RolledBack => {
            return None;
        }
    })
}

fn live<'a>(why: &Why<'a>) -> Option<&'a str> {
    crate::pipeline::base(why.head).map(CommitSha::short)
}

fn run_sentence(run: &PastRun, why: &Why<'_>) -> String {
    let PastRun { id: _, sha, reason, by, started, ended: end, cancelled, phases, deployments: _, test } =
        run;
    let which = match (test, reason) {
        (Some(test), _) if !test.merge.is_of_tip() => {
            format!("the test of {}, merged as {},", test.merge.head.short(), sha.short())
        }
        (_, RunReason::NewSha) => format!("a run for {}", sha.short()),
        (_, RunReason::Retry) => format!("another run for {}", sha.short()),
    };
    let began = format!("{by} started {which} {}", ago(*started, why.now));
    let Some((at, outcome)) = end else { return format!("{began}; it has not ended.") };
    let failed = phases.iter().find_map(failed).filter(|_| *outcome == RunOutcome::Failed);
    let how = match failed {
        Some((phase, outcome)) => format!("failed at `{}` ({})", phase.name, outcome.describe()),
        None => ended(*outcome, cancelled.as_ref()),
    };
    format!("{began}; it {how} after {}.", lasted(*started, *at))
}

fn failed(phase: &PastPhase) -> Option<(&PastPhase, &Outcome)> {
    let (_, outcome) = phase.attempts.last()?.ended.as_ref()?;
    (!outcome.is_success()).then_some((phase, outcome))
}
