//! Whether phases recorded as succeeded left their evidence in the blob store: final statuses, logs, artifacts.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::fix::Fix;
use crate::blobs::{BlobError, BlobKey, Blobs, StatusFile};
use crate::causes;
use crate::domain::{
    Actor, AttemptState, Check, CommitSha, Event, FormerName, Generation, Outcome, PhaseName, PhaseStatus,
    RecordedEvent, RequestKind, RunState,
};
use crate::journal;

/// Checks the succeeded phases of the last run. Makes one listing for all of them and reads one status per replica.
pub(super) async fn examine(blobs: &dyn Blobs, fix: Fix<'_>) -> Vec<Check> {
    let Some(run) = fix.link.head.run.as_ref().filter(|_| fix.link.want.is_some()) else {
        return Vec::new();
    };
    let succeeded: Vec<_> = run
        .phases
        .iter()
        .filter(|phase| phase.status == PhaseStatus::Succeeded)
        .filter_map(|phase| Some((&phase.name, phase.attempt.as_ref()?)))
        .filter(|(_, attempt)| attempt.outcome == Some(Outcome::Succeeded) && attempt.pruned.is_none())
        .collect();
    if succeeded.is_empty() {
        return Vec::new();
    }
    let listed = match listed(blobs, fix, &run.sha).await {
        Ok(listed) => listed,
        Err(error) => return vec![Check::unknown("the output of its phases", causes::in_one_line(&error))],
    };
    let mut checks = Vec::new();
    for (phase, attempt) in succeeded {
        let made = (attempt.number, &attempt.token);
        let formerly = &fix.link.head.formerly;
        let name = FormerName::of_attempt(formerly, &fix.link.id, (&run.id, phase), made);
        let key = BlobKey::attempt(name, &run.sha, phase, &run.id, attempt.number);
        let what = format!("attempt {} of `{phase}`, which succeeded", attempt.number);
        match missing(blobs, &listed, &key, attempt).await {
            Ok(missing) if missing.is_empty() => {}
            Ok(missing) => {
                checks.push(lost(blobs, fix, run, phase, (what, missing, is_empty(&listed, &key))))
            }
            Err(error) => checks.push(Check::unknown(what, causes::in_one_line(&error))),
        }
    }
    checks
}

/// All blob keys of the link's runs for this commit.
async fn listed(blobs: &dyn Blobs, fix: Fix<'_>, sha: &CommitSha) -> Result<BTreeSet<BlobKey>, BlobError> {
    let former = fix.link.head.former_names();
    let names: BTreeSet<_> = former.iter().chain([&fix.link.id]).collect();
    let mut found = BTreeSet::new();
    for name in names {
        let prefix = BlobKey::new(format!("{}/{}/{sha}", name.tenant, name.link))?;
        found.extend(blobs.list(&prefix, None).await?.into_iter().map(|listed| listed.key));
    }
    Ok(found)
}

/// The number of blobs below a key.
fn below(listed: &BTreeSet<BlobKey>, key: &BlobKey) -> usize {
    let prefix = format!("{key}/");
    let after = listed.range(key.clone()..).skip_while(|at| at.as_str() < prefix.as_str());
    after.take_while(|at| at.as_str().starts_with(&prefix)).count()
}

fn is_empty(listed: &BTreeSet<BlobKey>, key: &BlobKey) -> bool {
    below(listed, key) == 0
}

/// The output that an attempt should have left but did not, by replica.
async fn missing(
    blobs: &dyn Blobs,
    listed: &BTreeSet<BlobKey>,
    attempt: &BlobKey,
    state: &AttemptState,
) -> Result<Vec<String>, BlobError> {
    let mut missing = Vec::new();
    for number in 0..state.replicas {
        let replica = attempt.replica(number);
        let of = if state.replicas > 1 { format!(" of replica {number}") } else { String::new() };
        if is_empty(listed, &replica) {
            missing.push(format!("everything{of}"));
            continue;
        }
        let status = StatusFile::read(blobs, &replica).await?;
        if status == StatusFile::Nothing {
            missing.push(format!("the status{of}"));
            continue;
        }
        let Some(status) = status.status().filter(|status| status.outcome == Some(Outcome::Succeeded)) else {
            missing.push(format!("a successful status{of}"));
            continue;
        };
        // Compares counts instead of checking each: the expected number comes from the phase's side, so it is
        // untrusted.
        let chunks = (status.chunks as usize).saturating_sub(below(listed, &replica.log()));
        if chunks > 0 {
            missing.push(format!("{chunks} of {} parts of the log{of}", status.chunks));
        }
        let artifacts = (status.artifacts as usize).saturating_sub(below(listed, &replica.artifacts()));
        if artifacts > 0 {
            missing.push(format!("{artifacts} of {} artifacts{of}", status.artifacts));
        }
    }
    Ok(missing)
}

/// The check for missing output. It is not a problem if the bucket may have expired it, or if the phase cannot be
/// rerun.
fn lost(
    blobs: &dyn Blobs,
    fix: Fix<'_>,
    run: &RunState,
    phase: &PhaseName,
    (what, missing, all): (String, Vec<String>, bool),
) -> Check {
    let again = again(fix, run, phase);
    let store = blobs.url();
    if all && store.starts_with("s3://") {
        let how = match again {
            Ok(how) | Err(how) => how,
        };
        let why = "expired by a lifecycle rule of the bucket, or removed";
        return Check::unknown(what, format!("its status, log and artifacts are gone, {why}; {how}"));
    }
    let missing = if all { "its status, log and artifacts".to_owned() } else { missing.join(", ") };
    let problem = format!("the blob store lacks {missing}");
    match again {
        Ok(fix) => Check::bad(what, problem, fix),
        Err(why) => Check::unknown(what, format!("{problem}, and {why}")),
    }
}

/// How to restore the output, or why that is impossible. The journal's own rules decide whether the phase can be rerun.
fn again(fix: Fix<'_>, run: &RunState, phase: &PhaseName) -> Result<String, String> {
    let (link, head) = (&fix.link.id, &fix.link.head);
    if let Some(Ok(want)) = &fix.link.want
        && *want != run.sha
    {
        return Ok(format!("`katkit apply` moves on to {}, after which nothing needs it", want.short()));
    }
    let ask = RequestKind::Retry { sha: run.sha.clone(), phase: phase.clone() };
    let asked = RecordedEvent {
        generation: Generation(head.generation.0 + 1),
        at: Timestamp::UNIX_EPOCH,
        by: Actor::nobody(),
        event: Event::Requested { ask, from: Actor::nobody(), why: None },
        previous: None,
    };
    match journal::step(head, &asked) {
        Err(illegal) => Err(format!("it cannot be rerun: {}", illegal.why)),
        Ok(_) if head.quarantine(&run.sha).is_some() => {
            Err(format!("it cannot be rerun: {} is quarantined", run.sha.short()))
        }
        Ok(_) => {
            Ok(format!("`katkit retry {link} --phase {phase} --apply` reruns it and the phases after it"))
        }
    }
}
