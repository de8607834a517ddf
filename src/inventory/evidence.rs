//! Reads the evidence for commits: from the oldest on, in batches, and no further than to the first that lacks its review.
//! What contains that cannot run either.

use std::collections::BTreeSet;

use crate::domain::{CommitSha, LinkId};
use crate::manifest::Manifest;
use crate::pipeline::{self, BranchHistory};
use crate::plan::LinkInput;
use crate::policy::{MissingReview, ReviewRule, Reviews};
use crate::state::{State, StateError};

/// How many commits are asked about at once.
const BATCH: usize = 100;

/// Reads the evidence for commits, once for each.
#[derive(Debug)]
pub(super) struct EvidenceReader<'s> {
    state: &'s dyn State,
    asked: BTreeSet<CommitSha>,
    /// What was read.
    pub(super) reviews: Reviews,
}

impl<'s> EvidenceReader<'s> {
    pub(super) fn new(state: &'s dyn State) -> Self {
        Self { state, asked: BTreeSet::new(), reviews: Reviews::default() }
    }

    pub(super) async fn read(&mut self, commits: &[CommitSha]) -> Result<(), StateError> {
        let new: Vec<_> = commits.iter().filter(|sha| !self.asked.contains(*sha)).cloned().collect();
        if !new.is_empty() {
            self.reviews.extend(self.state.evidence(&new).await?);
            self.asked.extend(new);
        }
        Ok(())
    }

    /// How many of these commits, in this order, decide: up to the batch in which the first lacks its review.
    pub(super) async fn read_until_lacking(
        &mut self,
        (manifest, rule, link): (&Manifest, &ReviewRule, &LinkId),
        commits: &[CommitSha],
    ) -> Result<usize, StateError> {
        let mut decide = 0;
        for batch in commits.chunks(BATCH) {
            self.read(batch).await?;
            decide += batch.len();
            if rule.missing(&manifest.access, link, batch, &self.reviews).next().is_some() {
                break;
            }
        }
        Ok(decide)
    }

    /// What commits of its branch lack of the review that the policy of a link in a pipeline requires, as far as that
    /// decides.
    pub(super) async fn unreviewed(
        &mut self,
        manifest: &Manifest,
        input: &LinkInput,
        branch: &BranchHistory,
    ) -> Result<Vec<MissingReview>, StateError> {
        let (Some(rule), Some(tip)) = (rule(manifest, &input.id), branch.tip()) else {
            return Ok(Vec::new());
        };
        let live = live(input);
        let commits = match live {
            Some(_) => branch.added(live, tip),
            // One that is reviewed may be the first to run, and newer ones are preferred.
            None => branch.commits().iter().take(BATCH).cloned().collect(),
        };
        let decide = self.read_until_lacking((manifest, rule, &input.id), &commits).await?;
        let commits = commits.iter().take(decide);
        Ok(rule.missing(&manifest.access, &input.id, commits, &self.reviews).collect())
    }
}

/// What a link's policy requires of each commit. Tests of pull requests come before their review.
pub(super) fn rule<'m>(manifest: &'m Manifest, link: &LinkId) -> Option<&'m ReviewRule> {
    let rule = manifest.policy_of(link)?.1.review.as_ref()?;
    let pipeline = manifest.pipeline_of(link).map(|(_, pipeline, _)| pipeline);
    pipeline.is_none_or(|pipeline| !pipeline.tests_pull_requests(link)).then_some(rule)
}

/// What is live, unless that is the merge of a test, which is on no branch.
pub(super) fn live(input: &LinkInput) -> Option<&CommitSha> {
    pipeline::base(&input.head).filter(|live| input.head.test_merge(live).is_none())
}
