//! Chooses the commit that a link runs next.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{BranchHistory, Missing, Pipeline, Records, Requirement, Soak, Take, soaked_at};
use crate::domain::{CommitSha, GateName, Head, LinkId, RunOutcome};

/// What the choice for one link depends on.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The link.
    pub link: &'a LinkId,
    /// Its pipeline.
    pub pipeline: &'a Pipeline,
    /// The link's own record.
    pub head: &'a Head,
    /// The commit that the manifest pins the link to.
    pub pin: Option<&'a CommitSha>,
    /// The commit that an actor promoted.
    pub promoted: Option<&'a CommitSha>,
    /// When that was.
    pub promoted_at: Option<Timestamp>,
    /// The commit that an actor lets run now, and the conditions that they waived for it.
    pub overridden: Option<(&'a CommitSha, &'a [GateName])>,
    /// The commit that has approvals already: it stays the candidate for as long as it is one.
    pub latched: Option<&'a CommitSha>,
    /// The commits that are known to lack a review which the policy of its tenant requires of each commit that is added.
    pub unreviewed: &'a BTreeSet<CommitSha>,
    /// How long the policy of its tenant lets a commit soak.
    pub soak: Option<Soak<'a>>,
    /// The record of the pipeline's links.
    pub records: &'a Records,
    /// The home branch.
    pub branch: &'a BranchHistory,
}

/// The commit that a link runs next, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The first of these commits that contains no rolled-back commit; if all do, the first. Never empty.
    Candidates(Vec<CommitSha>),
    /// This commit: pinned, promoted, or already live.
    Commit(CommitSha),
    /// None, for this reason.
    Nothing(Refusal),
}

/// Why a link must not run a commit, or has none to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing is live yet, so an actor must promote the first commit; this one may run.
    FirstPromotion(CommitSha),
    /// Nothing is live yet, and no commit has passed the stages before.
    NothingVerified(Vec<Missing>),
    /// The branch does not contain what is live: it was rewritten. This commit may run once an actor promotes it.
    LeftBranch {
        /// The live commit.
        live: CommitSha,
        /// The newest commit that may run; `None` if no commit has passed the stages before.
        next: Option<CommitSha>,
    },
    /// The pinned or promoted commit is not one of the branch's first-parent commits.
    NotOnBranch(CommitSha),
    /// The pinned commit is older than the live one.
    Older {
        /// The pinned commit.
        sha: CommitSha,
        /// The live commit.
        live: CommitSha,
    },
    /// The pinned or promoted commit has not passed the stages before.
    NotVerified {
        /// The commit.
        sha: CommitSha,
        /// What it lacks.
        missing: Vec<Missing>,
    },
}

/// Chooses the commit that a link runs next.
///
/// A pin outweighs an override, an override a promotion, and a promotion what the pipeline would choose by itself. All
/// must have passed the stages before, unless an override waives that. Without any of the three, only commits that contain
/// what is live are candidates: a pipeline never goes back.
pub fn choose(question: &Question<'_>) -> Choice {
    let Question { pin, promoted, head, branch, .. } = *question;
    let base = question.base();
    if let Some(sha) = pin {
        return question.named(sha, base).map_or_else(Choice::Nothing, |()| Choice::Commit(sha.clone()));
    }
    let automatic = question.automatic(base);
    if let Some((sha, _)) = question.overridden
        && branch.number(sha).is_some()
        && question.newer_than_base(sha, base)
        && !question.stopped_before(sha, &automatic)
    {
        return question.named(sha, base).map_or_else(Choice::Nothing, |()| Choice::Commit(sha.clone()));
    }
    if let Some(sha) = promoted
        && question.newer_than_base(sha, base)
        && !question.is_passed_over(sha, &automatic)
    {
        return match question.named(sha, base) {
            Ok(()) => Choice::Commit(sha.clone()),
            Err(refusal) => Choice::Nothing(refusal),
        };
    }
    let first = || automatic.first().cloned();
    let Some(base) = base else {
        return match first() {
            // Nothing is lost if the first stage begins by itself.
            Some(_) if question.requirements().is_empty() => Choice::Candidates(automatic),
            Some(sha) => Choice::Nothing(Refusal::FirstPromotion(sha)),
            None => {
                let missing = branch.tip().map(|tip| question.missing(tip)).unwrap_or_default();
                Choice::Nothing(Refusal::NothingVerified(missing))
            }
        };
    };
    if !branch.contains(base) {
        return Choice::Nothing(Refusal::LeftBranch { live: base.clone(), next: first() });
    }
    if automatic.is_empty() {
        return Choice::Commit(base.clone());
    }
    // What is quarantined here comes last: another candidate may be free of it.
    let (free, held): (Vec<_>, Vec<_>) =
        automatic.into_iter().partition(|sha| head.quarantine(sha).is_none());
    let mut candidates: Vec<_> = free.into_iter().chain(held).collect();
    if let Some(at) = candidates.iter().position(|sha| Some(sha) == question.latched) {
        candidates[..=at].rotate_right(1);
    }
    Choice::Candidates(candidates)
}

/// What is live; if the workflow deploys nothing, the commit that was verified last.
pub fn base(head: &Head) -> Option<&CommitSha> {
    let live = head.deployed.as_ref().map(|deployed| &deployed.sha);
    live.or_else(|| head.verified.last().map(|evidence| &evidence.sha))
}

impl<'a> Question<'a> {
    /// What is live; `None` as well if that is the merge of a test, which is on no branch: the link no longer tests pull
    /// requests, and begins with the branch.
    pub(super) fn base(&self) -> Option<&'a CommitSha> {
        base(self.head).filter(|live| self.head.test_merge(live).is_none())
    }

    /// The commits that the pipeline may choose by itself, the preferred one first.
    fn automatic(&self, base: Option<&CommitSha>) -> Vec<CommitSha> {
        let take = self.pipeline.stage_of(self.link).map(|stage| stage.take).unwrap_or_default();
        let newer = match base.map(|base| self.branch.newer_than(base)) {
            Some(Some(newer)) => newer,
            // What is live left the branch: commits that it contains would go back.
            Some(None) => base.map_or(&[][..], |base| self.branch.not_in(base)),
            None => self.branch.commits(),
        };
        let is_reviewed = |sha: &CommitSha| !self.unreviewed.contains(sha);
        // What contains a new commit without a review is no candidate either.
        let first = newer.iter().rposition(|sha| base.is_some() && !is_reviewed(sha)).map_or(0, |at| at + 1);
        let may_run = first..newer.len();
        let newer = newer.get(may_run.clone()).unwrap_or_default();
        let requirements = self.requirements();
        let mut candidates: Vec<CommitSha> = match (requirements.first(), take) {
            // The first commit of all is reviewed by itself; if none is, the plan holds the newest.
            (None, _) if base.is_none() => {
                let reviewed = newer.iter().find(|sha| is_reviewed(sha)).or(newer.first());
                reviewed.cloned().into_iter().collect()
            }
            // Every newer commit contains what the tip contains, and more.
            (None, Take::Newest) => newer.first().cloned().into_iter().collect(),
            (None, Take::Each) => newer.to_vec(),
            (Some(first), _) => {
                let may = |sha: &CommitSha| {
                    self.branch.number(sha).is_some_and(|at| may_run.contains(&at))
                        && self.lacks(&requirements, sha).is_empty()
                };
                let mut verified: Vec<_> = self.verified(first).into_iter().filter(may).collect();
                verified.sort_by_key(|sha| self.branch.number(sha));
                if base.is_none() && verified.iter().any(is_reviewed) {
                    verified.retain(is_reviewed);
                }
                verified
            }
        };
        if take == Take::Each {
            // A commit whose run failed is passed over once there is a newer one; those before it had their turn.
            if let Some(failed) = self.stopped()
                && let Some(newer) = self.branch.newer_than(failed)
            {
                match candidates.iter().filter(|sha| newer.contains(sha)).count() {
                    0 => candidates.retain(|sha| sha == failed),
                    newer => candidates.truncate(newer),
                }
            }
            candidates.reverse();
        }
        candidates
    }

    /// The newer commit that would run if it and those before it had their reviews, if no other may run.
    pub(super) fn lacks_review(&self) -> Option<CommitSha> {
        let base = self.base().filter(|_| !self.unreviewed.is_empty())?;
        let any = Question { unreviewed: &BTreeSet::new(), ..*self }.automatic(Some(base)).into_iter().next();
        any.filter(|_| self.automatic(Some(base)).is_empty())
    }

    /// The newer commit that will have soaked first, if soaking is all that it lacks.
    pub(super) fn soaking(&self) -> Option<(CommitSha, Vec<Missing>)> {
        self.soak?;
        let base = self.base()?;
        let newer = self.branch.newer_than(base)?;
        let requirements = self.requirements();
        let verified = self.verified(requirements.first()?).into_iter();
        let newer = verified.filter(|sha| self.branch.number(sha).is_some_and(|at| at < newer.len()));
        let soaking = newer.filter_map(|sha| {
            let missing = self.lacks(&requirements, &sha);
            let only = missing.iter().all(|it| it.soaking.len() >= it.need) && !missing.is_empty();
            only.then_some((sha, missing))
        });
        // Where the time is unknown, it is later than any.
        soaking.min_by_key(|(_, missing)| soaked_at(missing).map_or((1, None), |at| (0, Some(at))))
    }

    /// The commit of the last run, if that ended without success.
    fn stopped(&self) -> Option<&'a CommitSha> {
        let run = self.head.run.as_ref()?;
        matches!(run.ended, Some((_, RunOutcome::Failed | RunOutcome::Cancelled))).then_some(&run.sha)
    }

    /// Every commit that a link of the requirement has verified.
    fn verified(&self, requirement: &Requirement<'_>) -> BTreeSet<CommitSha> {
        let records = requirement.links().filter_map(|link| self.records.get(link));
        records.flat_map(|record| record.verified.iter().map(|verified| verified.sha.clone())).collect()
    }

    pub(super) fn requirements(&self) -> Vec<Requirement<'a>> {
        self.pipeline.requirements(self.link, self.soak)
    }

    /// What a commit lacks before the link may run it.
    pub(super) fn missing(&self, sha: &CommitSha) -> Vec<Missing> {
        let overridden = self.overridden.filter(|(of, _)| *of == sha);
        let waived = overridden.map_or(&[][..], |(_, gates)| gates);
        self.lacks(&self.pipeline.requirements_without(self.link, self.soak, waived), sha)
    }

    fn lacks(&self, requirements: &[Requirement<'_>], sha: &CommitSha) -> Vec<Missing> {
        requirements.iter().filter_map(|requirement| requirement.missing(sha, self.records)).collect()
    }

    /// Whether the link may run a commit that the manifest or an actor names.
    fn named(&self, sha: &CommitSha, base: Option<&CommitSha>) -> Result<(), Refusal> {
        if base == Some(sha) {
            return Ok(());
        }
        let Some(at) = self.branch.number(sha) else {
            return Err(Refusal::NotOnBranch(sha.clone()));
        };
        if let Some(base) = base
            && at >= self.branch.newer_than(base).unwrap_or_else(|| self.branch.not_in(base)).len()
        {
            return Err(Refusal::Older { sha: sha.clone(), live: base.clone() });
        }
        match self.missing(sha) {
            missing if missing.is_empty() => Ok(()),
            missing => Err(Refusal::NotVerified { sha: sha.clone(), missing }),
        }
    }

    /// Whether a promotion is still to be carried out: its commit is not live, nor older than what is.
    fn newer_than_base(&self, sha: &CommitSha, base: Option<&CommitSha>) -> bool {
        base != Some(sha) && !matches!(self.named(sha, base), Err(Refusal::Older { .. }))
    }

    /// Whether the run of a promoted commit ended without success and a newer candidate exists.
    fn is_passed_over(&self, sha: &CommitSha, automatic: &[CommitSha]) -> bool {
        let ended = self.head.run.as_ref().and_then(|run| run.ended).map(|(at, _)| at);
        // A promotion after that is a decision to try again.
        let is_before = self.promoted_at.is_none_or(|promoted| ended.is_some_and(|ended| promoted < ended));
        is_before && self.stopped_before(sha, automatic)
    }

    /// Whether the run of a commit ended without success and a newer candidate exists.
    fn stopped_before(&self, sha: &CommitSha, automatic: &[CommitSha]) -> bool {
        self.stopped() == Some(sha)
            && self.branch.newer_than(sha).is_some_and(|newer| automatic.iter().any(|it| newer.contains(it)))
    }
}
