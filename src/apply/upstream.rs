//! A commit that was rejected, or whose evidence in a pipeline was withdrawn, after it was planned.

use std::collections::BTreeSet;

use super::ApplyError;
use super::link_executor::LinkExecutor;
use crate::domain::{CommitSha, Consent, Head, LinkId, Request};
use crate::pipeline::{LinkRecord, Missing, Records, Soak};
use crate::plan::Rejection;
use crate::policy;
use crate::report::LinkResult;

impl LinkExecutor<'_> {
    /// The result of the link if `sha` must no longer run here: a stage before it has withdrawn its evidence, or a
    /// commit was rolled back there or in this stage since the plan was made. Then only a new plan can tell whether
    /// `sha` contains that commit.
    pub(super) async fn withdrawn(self, sha: &CommitSha) -> Result<Option<LinkResult>, ApplyError> {
        let (estate, link) = (self.session.estate(), &self.plan.link);
        let Some((_, pipeline, _)) = estate.manifest().pipeline_of(link) else { return Ok(None) };
        let (manifest, now) = (estate.manifest(), estate.clock.now());
        let soak = manifest.soak_of(link).map(|rule| Soak { rule, now });
        // An override that was given since counts for the next plan.
        let waived = match self.plan.waived.is_empty() {
            true => Vec::new(),
            false => policy::waived(&manifest.access, &self.consents().await?, (link, sha), now),
        };
        let requirements = pipeline.requirements_without(link, soak, &waived);
        let upstream = pipeline.upstream(link).into_iter();
        let others: BTreeSet<&LinkId> =
            upstream.chain(requirements.iter().flat_map(|it| it.links())).collect();
        let others: Vec<LinkId> = others.into_iter().cloned().collect();
        // What is live may run again: the stages before decide on new commits.
        if others.is_empty() || self.record.lock().await.head().runs(sha) {
            return Ok(None);
        }
        // In this order: a rollback that is granted between the two calls is then seen twice, and never missed.
        let requests = estate.state.requests(Some(&others)).await?;
        let heads = estate.state.heads(Some(&others)).await?;
        let record = |(id, head): &(LinkId, Head)| {
            let all: Vec<_> = requests.iter().filter(|request| request.link == *id).cloned().collect();
            let access = &estate.manifest().access;
            let permitted = |it: &&Request| access.refusal_of(id, it, &all).is_none();
            let requests: Vec<_> = all.iter().filter(permitted).cloned().collect();
            let landed = self.plan.landed.as_ref().map(|tree| (sha, tree));
            let landed = landed.filter(|_| pipeline.tests_pull_requests(id));
            (id.clone(), LinkRecord::of(head, &requests).with_landings(landed.into_iter()))
        };
        let records: Records = heads.iter().map(record).collect();
        let missing = requirements.iter().filter_map(|requirement| requirement.missing(sha, &records));
        let missing: Vec<_> = missing.map(|missing| Missing::describe(&missing)).collect();
        let reason = if missing.is_empty() {
            let known = &self.plan.rolled_back_elsewhere;
            let new = others.iter().find_map(|other| {
                let mut rolled_back = records.get(other)?.rolled_back.iter();
                Some((other, rolled_back.find(|it| !known.contains(&it.sha))?))
            });
            let Some((at, quarantine)) = new else { return Ok(None) };
            format!("{} was rolled back in `{at}` since this was planned", quarantine.sha.short())
        } else {
            format!("{} {}", sha.short(), missing.join(", and "))
        };
        self.held_since(reason).await.map(Some)
    }

    /// The result of the link if a commit was rejected since the plan was made, and only a new plan can tell whether its
    /// commit contains that; or if an override that it needs has ended.
    pub(super) async fn overtaken(self, consents: &[Consent]) -> Result<Option<LinkResult>, ApplyError> {
        let (manifest, now) = (self.session.estate().manifest(), self.session.estate().clock.now());
        let reason = if let Some(Rejection { at, sha, consent }) = self.plan.new_rejection(manifest, consents)
        {
            let by = &consent.by.name;
            format!("{} was rejected by {by} for `{at}` since this was planned", sha.short())
        } else if !self.plan.still_waived(manifest, consents, now) {
            "the override that it needs has ended since this was planned".to_owned()
        } else {
            return Ok(None);
        };
        self.held_since(reason).await.map(Some)
    }

    async fn held_since(self, reason: String) -> Result<LinkResult, ApplyError> {
        let mut record = self.record.lock().await;
        record.flush().await?;
        let deployed = record.head().deployed.as_ref().map(|deployed| deployed.sha.clone());
        let hint = Some(format!("`katkit plan {}` shows what happens now", self.plan.link));
        Ok(LinkResult::Held { deployed, reason, hint })
    }
}
