//! Whether what is recorded as succeeded left what shows it: final statuses, logs, artifacts.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::cure::Cure;
use crate::blobs::{BlobError, BlobKey, Blobs, StatusFile};
use crate::causes;
use crate::domain::{
    Actor, Ask, AttemptState, Check, CommitSha, Event, FormerName, Generation, Outcome, PhaseName,
    PhaseStatus, Recorded, RunState,
};
use crate::journal;

/// What there is to say of the phases of the last run that succeeded. One listing for all of them, and one status per
/// replica, are read.
pub(super) async fn examine(blobs: &dyn Blobs, cure: Cure<'_>) -> Vec<Check> {
    let Some(run) = cure.link.head.run.as_ref().filter(|_| cure.link.want.is_some()) else {
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
    let listed = match listed(blobs, cure, &run.sha).await {
        Ok(listed) => listed,
        Err(error) => return vec![Check::unknown("what its phases left", causes::in_one_line(&error))],
    };
    let mut checks = Vec::new();
    for (phase, attempt) in succeeded {
        let made = (attempt.number, &attempt.token);
        let formerly = &cure.link.head.formerly;
        let name = FormerName::of_attempt(formerly, &cure.link.id, (&run.id, phase), made);
        let key = BlobKey::attempt(name, &run.sha, phase, &run.id, attempt.number);
        let what = format!("attempt {} at `{phase}`, which succeeded", attempt.number);
        match missing(blobs, &listed, &key, attempt).await {
            Ok(missing) if missing.is_empty() => {}
            Ok(missing) => {
                checks.push(lost(blobs, cure, run, phase, (what, missing, is_empty(&listed, &key))))
            }
            Err(error) => checks.push(Check::unknown(what, causes::in_one_line(&error))),
        }
    }
    checks
}

/// Every key of the link's runs for this commit.
async fn listed(blobs: &dyn Blobs, cure: Cure<'_>, sha: &CommitSha) -> Result<BTreeSet<BlobKey>, BlobError> {
    let former = cure.link.head.former_names();
    let names: BTreeSet<_> = former.iter().chain([&cure.link.id]).collect();
    let mut found = BTreeSet::new();
    for name in names {
        let prefix = BlobKey::new(format!("{}/{}/{sha}", name.tenant, name.link))?;
        found.extend(blobs.list(&prefix, None).await?.into_iter().map(|listed| listed.key));
    }
    Ok(found)
}

/// How many blobs lie below a key.
fn below(listed: &BTreeSet<BlobKey>, key: &BlobKey) -> usize {
    let prefix = format!("{key}/");
    let after = listed.range(key.clone()..).skip_while(|at| at.as_str() < prefix.as_str());
    after.take_while(|at| at.as_str().starts_with(&prefix)).count()
}

fn is_empty(listed: &BTreeSet<BlobKey>, key: &BlobKey) -> bool {
    below(listed, key) == 0
}

/// What an attempt should have left and did not, replica by replica.
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
            missing.push(format!("a status{of} that says so"));
            continue;
        };
        // Counted and not looked for one by one: how many there should be is what the phase's side wrote.
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

/// What is lost, and whether that is to be mended: a bucket lets go of what is old, and some things cannot be done again.
fn lost(
    blobs: &dyn Blobs,
    cure: Cure<'_>,
    run: &RunState,
    phase: &PhaseName,
    (what, missing, all): (String, Vec<String>, bool),
) -> Check {
    let again = again(cure, run, phase);
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

/// What makes up for it, or why nothing does. The journal's own law says whether the phase can be run again.
fn again(cure: Cure<'_>, run: &RunState, phase: &PhaseName) -> Result<String, String> {
    let (link, head) = (&cure.link.id, &cure.link.head);
    if let Some(Ok(want)) = &cure.link.want
        && *want != run.sha
    {
        return Ok(format!("`katkit apply` goes on to {}, after which nothing asks for it", want.short()));
    }
    let ask = Ask::Retry { sha: run.sha.clone(), phase: phase.clone() };
    let asked = Recorded {
        generation: Generation(head.generation.0 + 1),
        at: Timestamp::UNIX_EPOCH,
        by: Actor::nobody(),
        event: Event::Requested { ask, from: Actor::nobody(), why: None },
    };
    match journal::step(head, &asked) {
        Err(illegal) => Err(format!("it cannot be run again: {}", illegal.why)),
        Ok(_) if head.quarantine(&run.sha).is_some() => {
            Err(format!("it cannot be run again: {} is quarantined", run.sha.short()))
        }
        Ok(_) => Ok(format!(
            "`katkit retry {link} --phase {phase} --apply` runs it again, and what comes after it"
        )),
    }
}
