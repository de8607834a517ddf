//! Deployments by digest: records what registries have, and refuses images whose tags have moved.

use std::collections::BTreeSet;
use std::time::Duration;

use super::ApplyError;
use super::link_executor::LinkExecutor;
use crate::causes;
use crate::domain::{DigestSource, Event, ImageDigest, ImageDigests, PhaseName, without_digest};
use crate::plan::{self, DeployStep, HoldReason, Problem, Step};
use crate::registry::{self, RegistryError};
use crate::report::LinkResult;

/// How long ago registries may have been asked when a deployment begins. Some answer slowly, and a process may be suspended
/// in between.
const FRESH: Duration = Duration::from_mins(1);

/// Whether registries were asked so lately that the deployment may begin.
pub(super) fn were_just_asked(asked: Option<Duration>, now: Duration) -> bool {
    asked.is_some_and(|asked| now.saturating_sub(asked) <= FRESH)
}

impl LinkExecutor<'_> {
    /// Once all phases before the deployment are done, records the digests of images that no phase listed: the deployment
    /// may have to wait. What a registry does not have, or cannot say, is asked again before the deployment.
    pub(super) async fn record_images(self, group: &[Step]) -> Result<(), ApplyError> {
        let after = group.iter().rev().find_map(|step| match step {
            Step::Run { phase, .. } => Some(&phase.name),
            _ => None,
        });
        let Some(after) = after else { return Ok(()) };
        let unknown = {
            let record = self.record.lock().await;
            let Some(run) = record.head().open_run().filter(|run| plan::deploys_next(run)) else {
                return Ok(());
            };
            let unpinned = self.plan.unpinned.iter();
            unpinned.filter(|image| run.digest_of(image).is_none()).cloned().collect::<BTreeSet<_>>()
        };
        if unknown.is_empty() {
            return Ok(());
        }
        let answers = registry::digests(&*self.session.estate().registry, unknown).await;
        let found = answers.into_iter().filter_map(|(image, answer)| Some((image, answer.ok()??)));
        self.record_found(after, found.collect()).await
    }

    /// Asks for the images of the deployment in `group`. The result of the link if one of them must not be deployed;
    /// otherwise the record has all their digests.
    pub(super) async fn refused_images(self, group: &[Step]) -> Result<Option<LinkResult>, ApplyError> {
        let pinned = group.iter().find_map(|step| match step {
            Step::Deploy(step) if step.pinned => Some(&**step),
            _ => None,
        });
        let (link, estate) = (&self.plan.link, self.session.estate());
        let Some(DeployStep { images, phase: Some(phase), .. }) = pinned else { return Ok(None) };
        let Some(policy) = plan::pinning(estate.manifest(), link) else { return Ok(None) };
        if self.is_done(phase).await {
            // It was in flight when its process died, and turned out to have succeeded.
            return Ok(None);
        }
        let tags: BTreeSet<_> = images.iter().map(|change| without_digest(&change.to).to_owned()).collect();
        self.record.lock().await.images_asked = Some(estate.clock.elapsed());
        let answers = registry::digests(&*estate.registry, tags).await;
        let mut found = ImageDigests::new();
        for change in images {
            let image = without_digest(&change.to);
            let Some(answer) = answers.get(image) else { continue };
            let problem = |error: &RegistryError| Problem {
                what: causes::in_one_line(error),
                hint: error.hint.clone(),
            };
            let answer = answer.as_ref().map_err(problem).cloned();
            let known = self.recorded_digest(image).await;
            let planned = ImageDigest::of(&change.to);
            match plan::judge(&policy, image, planned.or_else(|| known.clone()), &answer) {
                Ok(_) if known.is_some() => {}
                Ok(digest) => drop(found.insert(image.to_owned(), digest)),
                Err(reason) => return self.refused(&reason).await.map(Some),
            }
        }
        self.record_found(phase, found).await?;
        Ok(None)
    }

    async fn is_done(self, phase: &PhaseName) -> bool {
        let record = self.record.lock().await;
        let state = record.head().open_run().and_then(|run| run.phase(phase));
        state.is_some_and(|phase| phase.status.is_done())
    }

    async fn recorded_digest(self, image: &str) -> Option<ImageDigest> {
        self.record.lock().await.head().open_run()?.digest_of(image).cloned()
    }

    async fn record_found(self, phase: &PhaseName, images: ImageDigests) -> Result<(), ApplyError> {
        if images.is_empty() {
            return Ok(());
        }
        let (phase, source) = (phase.clone(), DigestSource::Registry);
        self.record.lock().await.stage(Event::ImagesRecorded { phase, source, images })
    }

    /// The run stays open, and a later apply resumes it.
    async fn refused(self, reason: &HoldReason) -> Result<LinkResult, ApplyError> {
        self.record.lock().await.flush().await?;
        let (error, hint) = (reason.describe(), reason.hint_for_image(&self.plan.link));
        Ok(LinkResult::Refused { error, hint })
    }
}
