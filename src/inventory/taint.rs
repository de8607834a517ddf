//! Finds the rolled-back commits that a commit contains.

use super::commit::problem;
use crate::domain::{CommitSha, Head, Quarantine};
use crate::git::{Bad, Repositories, Tainted};
use crate::plan::{Problem, Taint};

/// The rolled-back commits of the link that also hold later commits.
pub(super) fn rolled_back(head: &Head, sha: &CommitSha) -> Vec<Bad> {
    let holding = head.quarantined.iter().filter(|quarantine| !quarantine.alone && quarantine.sha != *sha);
    let bad = |Quarantine { sha, since: _, why: _, good, alone: _, cleared }: &Quarantine| Bad {
        sha: sha.clone(),
        good: good.clone(),
        cleared: cleared.clone(),
    };
    holding.map(bad).collect()
}

/// The ones that `sha` contains, and a note for each that the repository lost.
pub(super) async fn find(
    git: &dyn Repositories,
    url: &str,
    sha: &CommitSha,
    bad: &[Bad],
) -> Result<(Vec<Taint>, Vec<String>), Problem> {
    let (mut taints, mut notes) = (Vec::new(), Vec::new());
    for bad in bad {
        match git.tainted(url, sha, bad).await.map_err(|error| problem(&error))? {
            Tainted::No => {}
            Tainted::By { suspect, through, others } => {
                taints.push(Taint { sha: bad.sha.clone(), suspect, through, others });
            }
            Tainted::Unknown => notes.push(format!(
                "it is not known whether {} contains {}, which was rolled back: the repository lost that commit",
                sha.short(),
                bad.sha.short()
            )),
        }
    }
    Ok((taints, notes))
}

/// The rolled-back commits of the link that `sha` contains.
pub async fn taints(
    git: &dyn Repositories,
    url: &str,
    head: &Head,
    sha: &CommitSha,
) -> Result<Vec<Taint>, Problem> {
    Ok(find(git, url, sha, &rolled_back(head, sha)).await?.0)
}
