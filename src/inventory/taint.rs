//! Finds the rolled-back commits that a commit contains.

use super::problem::problem;
use crate::domain::{CommitSha, Head, Quarantine};
use crate::git::{Repositories, Rollback, Tainted};
use crate::plan::{Problem, Rejection, Taint};

/// The link's rolled-back commits that also hold back commits containing them.
pub(super) fn rolled_back(head: &Head, sha: &CommitSha) -> Vec<Rollback> {
    let holding = head.quarantined.iter().filter(|quarantine| !quarantine.alone && quarantine.sha != *sha);
    holding.map(rollback).collect()
}

/// What to look for in commits that may contain a rolled-back one.
pub(super) fn rollback(quarantine: &Quarantine) -> Rollback {
    let Quarantine { sha, since: _, why: _, good, alone: _, cleared } = quarantine;
    Rollback { sha: sha.clone(), good: good.clone(), cleared: cleared.clone() }
}

/// What to look for in commits that may contain a rejected one.
pub(super) fn rejection(rejection: &Rejection<'_>) -> Rollback {
    Rollback { sha: rejection.sha.clone(), good: None, cleared: Vec::new() }
}

/// Those contained in `sha`, and a note for each that the repository no longer has.
pub(super) async fn find(
    git: &dyn Repositories,
    url: &str,
    sha: &CommitSha,
    bad: &[Rollback],
) -> Result<(Vec<Taint>, Vec<String>), Problem> {
    let (mut taints, mut notes) = (Vec::new(), Vec::new());
    for bad in bad {
        match git.tainted(url, sha, bad).await.map_err(|error| problem(&error))? {
            Tainted::No => {}
            Tainted::By { suspect, through, others } => {
                taints.push(Taint { sha: bad.sha.clone(), suspect, through, others });
            }
            Tainted::Unknown => notes.push(format!(
                "cannot tell whether {} contains {}, which was rolled back or rejected: the repository lost that commit",
                sha.short(),
                bad.sha.short()
            )),
        }
    }
    Ok((taints, notes))
}

/// The link's rolled-back commits that `sha` contains.
pub async fn taints(
    git: &dyn Repositories,
    url: &str,
    head: &Head,
    sha: &CommitSha,
) -> Result<Vec<Taint>, Problem> {
    Ok(find(git, url, sha, &rolled_back(head, sha)).await?.0)
}
