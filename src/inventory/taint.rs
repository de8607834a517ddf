//! Which of the commits that were rolled back at a link a commit contains.

use super::commit::problem;
use crate::domain::{CommitSha, Head, Quarantine};
use crate::git::{Bad, Repositories, Tainted};
use crate::plan::{Problem, Taint};

/// The commits that were rolled back at the link and hold whatever contains them.
pub(super) fn rolled_back(head: &Head, sha: &CommitSha) -> Vec<Bad> {
    let holding = head.quarantined.iter().filter(|quarantine| !quarantine.alone && quarantine.sha != *sha);
    let bad = |Quarantine { sha, since: _, why: _, alone: _, cleared }: &Quarantine| Bad {
        sha: sha.clone(),
        cleared: cleared.clone(),
    };
    holding.map(bad).collect()
}

/// Those that `sha` contains, and a sentence for each of which that cannot be found out.
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
            Tainted::By { through } => taints.push(Taint { sha: bad.sha.clone(), through }),
            Tainted::Unknown => notes.push(format!(
                "it is not known whether {} contains {}, which was rolled back: the repository lost that commit",
                sha.short(),
                bad.sha.short()
            )),
        }
    }
    Ok((taints, notes))
}

/// Those that `sha` contains.
pub async fn taints(
    git: &dyn Repositories,
    url: &str,
    head: &Head,
    sha: &CommitSha,
) -> Result<Vec<Taint>, Problem> {
    Ok(find(git, url, sha, &rolled_back(head, sha)).await?.0)
}
