//! `digest = "pinned"`: which contents of its images a commit is deployed with.
//!
//! A stage of a pipeline deploys the images that an earlier stage verified for the commit. Where nothing was verified, the
//! digests count that the run recorded, and otherwise what the registry has when the deployment begins. A tag that no
//! longer points to the recorded digest holds the deployment.

use std::collections::BTreeMap;

use super::draft::PlanDraft;
use super::input::{CommitFacts, LinkInput, Observed, Problem};
use super::{DeployStep, HoldReason, ImageChange};
use crate::description::{self, Rebased, ServiceDescription};
use crate::domain::{
    CommitSha, GateName, Head, ImageDigest, ImageDigests, Images, LinkId, Phase, PhaseName, PolicyName,
    RunState, without_digest,
};
use crate::manifest::Manifest;
use crate::pipeline::VerifiedCommit;

/// What registries have under the tags of images; `None` for an image that its registry does not have.
pub type RegistryAnswers = BTreeMap<String, Result<Option<ImageDigest>, Problem>>;

/// The policy of the link, if that demands deployments by digest.
pub fn pinning(manifest: &Manifest, link: &LinkId) -> Option<PolicyName> {
    let (name, policy) = manifest.policy_of(link)?;
    policy.pinned.then(|| name.clone())
}

/// The images of a deployment that is the next thing to happen, under their tags: what to ask their registries for.
pub fn images_to_deploy(manifest: &Manifest, input: &LinkInput) -> Vec<String> {
    // Of a converged link, nothing was gathered.
    let (Some(Ok(want)), Some(Ok(facts))) = (&input.want, &input.facts) else { return Vec::new() };
    if pinning(manifest, &input.id).is_none() || matches!(input.observed, Observed::Unknown(_)) {
        return Vec::new();
    }
    match is_next(manifest, input, &input.head, want) {
        true => facts.images(want).into_iter().map(|(_, image)| image).collect(),
        false => Vec::new(),
    }
}

/// Whether nothing is left to do for the commit before its deployment.
fn is_next(manifest: &Manifest, input: &LinkInput, head: &Head, want: &CommitSha) -> bool {
    if let Some(run) = head.open_run().filter(|run| run.sha == *want) {
        return deploys_next(run);
    }
    let Some(Ok(facts)) = &input.facts else { return false };
    let Some((deployment, _)) = facts.workflow.deployment() else { return false };
    let skipped = manifest.link(&input.id).map(|(_, link)| link.skip.as_slice()).unwrap_or_default();
    let reused = reused(manifest, input, want).map(|(_, phases)| phases).unwrap_or_default();
    let runs = |phase: &&Phase| !skipped.contains(&phase.name) && !reused.contains(&phase.name);
    facts.workflow.phases().iter().filter(runs).all(|phase| phase.order >= deployment.order)
}

/// Whether the deployment of a run has not begun, and all phases before it are done.
pub fn deploys_next(run: &RunState) -> bool {
    let Some(deployment) = run.phases.iter().find(|phase| phase.deployment) else { return false };
    let mut before = run.phases.iter().filter(|phase| phase.order < deployment.order);
    !deployment.status.is_done() && before.all(|phase| phase.status.is_done())
}

/// The link of an earlier stage that verified the commit first with digests, and its evidence.
fn verified_upstream<'a>(
    manifest: &'a Manifest,
    input: &'a LinkInput,
    sha: &CommitSha,
) -> Option<(&'a LinkId, &'a VerifiedCommit)> {
    let (_, pipeline, _) = manifest.pipeline_of(&input.id)?;
    let records = &input.pipeline.as_ref()?.records;
    let verified = pipeline.before(&input.id).filter_map(|link| {
        let verified = records.get(link)?.verified.iter().find(|verified| verified.sha == *sha)?;
        let has_digests = verified.images.values().any(|image| ImageDigest::of(image).is_some());
        has_digests.then_some((link, verified))
    });
    verified.min_by_key(|(_, verified)| verified.at)
}

/// The digest that an image has among `images`.
fn digest_among(images: &Images, image: &str) -> Option<ImageDigest> {
    images.values().find(|other| without_digest(other) == image).and_then(|it| ImageDigest::of(it))
}

/// The phases that need not run, since an earlier stage built every image of the commit: their names, and that link.
pub(super) fn reused(
    manifest: &Manifest,
    input: &LinkInput,
    want: &CommitSha,
) -> Option<(LinkId, Vec<PhaseName>)> {
    pinning(manifest, &input.id)?;
    let facts = input.facts.as_ref()?.as_ref().ok()?;
    let (deployment, _) = facts.workflow.deployment()?;
    let (link, verified) = verified_upstream(manifest, input, want)?;
    let is_known = |(_, image): &(String, String)| digest_among(&verified.images, image).is_some();
    if !facts.images(want).iter().all(is_known) {
        return None;
    }
    let is_reused =
        |phase: &&Phase| phase.order < deployment.order && verified.built_by.contains(&phase.name);
    let phases: Vec<_> =
        facts.workflow.phases().iter().filter(is_reused).map(|phase| phase.name.clone()).collect();
    (!phases.is_empty()).then(|| (link.clone(), phases))
}

/// The digests of the images of a deployment.
#[derive(Debug, Default)]
pub(super) struct Pins {
    /// Whether the policy demands deployment by digest.
    pub(super) required: bool,
    /// The digests that are known, by image.
    pub(super) digests: ImageDigests,
    /// The images without a known digest. Phases before the deployment may still build them.
    pub(super) unknown: Vec<String>,
}

/// The digests that a commit is deployed with, if the policy demands deployment by digest. An image that cannot be
/// deployed is known once the deployment is the next thing to happen.
pub(super) fn pins(
    draft: &PlanDraft<'_>,
    facts: &CommitFacts,
    want: &CommitSha,
) -> Result<Pins, Box<HoldReason>> {
    let (input, mut pins) = (draft.input, Pins::default());
    let Some(policy) = pinning(draft.manifest, &input.id) else { return Ok(pins) };
    pins.required = true;
    let is_next = is_next(draft.manifest, input, &draft.head, want);
    let is_waived = draft.plan.waived.contains(&GateName::Verified);
    let verified = verified_upstream(draft.manifest, input, want).map(|(_, verified)| &verified.images);
    // By an override, it may have begun before an earlier stage had verified anything.
    let verified = verified.filter(|_| !is_waived || !builds_itself(&draft.head, want));
    for (_, image) in facts.images(want) {
        let upstream = verified.and_then(|images| digest_among(images, &image));
        // Phases that are still to run may build it again.
        let own = recorded_in(&draft.head, want, &image).filter(|_| is_next);
        let recorded = upstream.or(own);
        let answer = input.registry.as_deref().filter(|_| is_next).and_then(|answers| answers.get(&image));
        let digest = match answer {
            Some(answer) => Some(judge(&policy, &image, recorded, answer)?),
            None => recorded,
        };
        match digest {
            Some(digest) => drop(pins.digests.insert(image, digest)),
            None if pins.unknown.contains(&image) => {}
            None => pins.unknown.push(image),
        }
    }
    Ok(pins)
}

/// Whether a run for the commit is open that reuses no images.
fn builds_itself(head: &Head, want: &CommitSha) -> bool {
    let run = head.open_run().filter(|run| run.sha == *want);
    run.is_some_and(|run| run.phases.iter().all(|phase| phase.reused.is_none()))
}

fn recorded_in(head: &Head, sha: &CommitSha, image: &str) -> Option<ImageDigest> {
    head.open_run().filter(|run| run.sha == *sha)?.digest_of(image).cloned()
}

/// The digest to deploy an image by: what its tag points to, which must be the recorded digest if there is one.
pub fn judge(
    policy: &PolicyName,
    image: &str,
    recorded: Option<ImageDigest>,
    answer: &Result<Option<ImageDigest>, Problem>,
) -> Result<ImageDigest, Box<HoldReason>> {
    let (policy, image) = (policy.clone(), image.to_owned());
    let reason = match (answer, recorded) {
        (Err(problem), _) => HoldReason::Unavailable(problem.clone()),
        (Ok(None), _) => HoldReason::ImageMissing { policy, image },
        (Ok(Some(found)), Some(recorded)) if *found != recorded => {
            HoldReason::ImageMoved { policy, image, recorded, found: found.clone() }
        }
        (Ok(Some(found)), _) => return Ok(found.clone()),
    };
    Err(Box::new(reason))
}

impl DeployStep {
    /// The same deployment, by digest for all images that have a known one.
    #[must_use]
    pub fn with_digests(self, digest: impl Fn(&str) -> Option<ImageDigest>) -> Self {
        let pinned = |image: &str| Some(digest(image).filter(|_| !image.contains('@'))?.pin(image));
        let images = description::images(&self.description).unwrap_or_default();
        let images: Images =
            images.into_iter().filter_map(|(role, image)| Some((role, pinned(&image)?))).collect();
        let Ok(Rebased::Edited(description)) = description::with_images(&self.description, &images) else {
            return self;
        };
        let change = |change: &ImageChange| ImageChange {
            to: pinned(&change.to).unwrap_or_else(|| change.to.clone()),
            ..change.clone()
        };
        let images = self.images.iter().map(change).collect();
        Self { images, description, ..self }
    }
}

impl HoldReason {
    /// What to do about an image that cannot be deployed by digest.
    pub fn hint_for_image(&self, link: &LinkId) -> Option<String> {
        match self {
            Self::ImageMoved { recorded, .. } => {
                Some(format!("deploy a new commit, or let the tag point to {recorded}"))
            }
            Self::ImageMissing { .. } => Some(format!(
                "push it and run `katkit apply {link}`, or let a phase before the deployment push it"
            )),
            Self::Unavailable(problem) => problem.hint.clone(),
            _ => None,
        }
    }
}

impl CommitFacts {
    /// The role and image of each service that the commit deploys.
    pub(super) fn images(&self, sha: &CommitSha) -> Vec<(String, String)> {
        let description = self.description.as_deref().map(ServiceDescription::parse);
        description.and_then(Result::ok).map(|it| it.retag(sha).images).unwrap_or_default()
    }
}
