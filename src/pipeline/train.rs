//! Trains: a stage that takes nothing new while a commit is soaking in it.

use jiff::Timestamp;

use super::{BranchHistory, Pipeline, Records, Soak};
use crate::domain::{CommitSha, LinkId};

/// A commit that is soaking at a link, which takes nothing new meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Train {
    /// The commit.
    pub sha: CommitSha,
    /// The link that waits for it.
    pub waits: LinkId,
    /// When it will have soaked.
    pub until: Timestamp,
}

/// The commit that is soaking at `link` for a link of the stages right behind it, of those that `soak` has a time for.
///
/// A train is over once its commit has soaked, whether or not the next stage takes it. It stops as well while its clock
/// stands still: a commit that failed to be verified is live then, and another has to replace it.
pub fn train<'s>(
    pipeline: &Pipeline,
    link: &LinkId,
    branch: &BranchHistory,
    records: &Records,
    soak: impl Fn(&LinkId) -> Option<Soak<'s>>,
) -> Option<Train> {
    let (stage, here) = (&pipeline.stage_of(link)?.name, records.get(link)?);
    let behind = pipeline.stages.iter().filter(|behind| behind.after.contains(stage));
    let soaking = behind.flat_map(|behind| behind.links()).filter_map(|waits| {
        let (soak, record) = (soak(waits)?, records.get(waits)?);
        let newer = branch.newer_than(record.live.as_ref()?)?;
        let is_next = |sha: &CommitSha| {
            let is_rolled_back = record.rolled_back.iter().any(|quarantine| quarantine.sha == *sha);
            !is_rolled_back && branch.number(sha).is_some_and(|at| at < newer.len())
        };
        let next = here.verified.iter().map(|verified| &verified.sha).filter(|sha| is_next(sha));
        let next = next.filter_map(|sha| Some((records.soaking(link, sha, soak)??, sha)));
        next.min().map(|(until, sha)| Train { sha: sha.clone(), waits: waits.clone(), until })
    });
    soaking.min_by_key(|train| train.until)
}
