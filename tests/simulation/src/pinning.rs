//! Deployments by digest (invariants 6 and 20).

use std::time::Duration;

use async_trait::async_trait;
use katkit::blobs::BlobKey;
use katkit::domain::{
    CommitSha, Consent, DeployPurpose, Event, GateName, Head, ImageDigest, ImageDigests, LinkId,
    RecordedEvent, Token, without_digest,
};
use katkit::registry::{Registry, RegistryError};
use tokio::time::Instant;

use crate::decisions;
use crate::dice;
use crate::gate::Gate;
use crate::world::World;

/// How old the answer of a registry may be that the intent of a deployment rests on.
const FRESH: Duration = Duration::from_secs(70);

/// Whether the policy of every tenant demands deployments by digest: in every third scenario. With dice of its own, like
/// the freeze.
pub fn is_required(seed: u64) -> bool {
    fastrand::Rng::with_seed(seed ^ 0x00d1_9e57).u32(0..3) == 0
}

/// Whether builds list the images that they push: in two of three of these scenarios.
fn lists(seed: u64) -> bool {
    fastrand::Rng::with_seed(seed ^ 0x0011_57ed).u32(0..3) > 0
}

/// The build of an attempt pushes its images, whose contents are different each time. Returns those that it lists.
pub fn build(world: &World, attempt: &BlobKey, token: &Token) -> ImageDigests {
    let mut parts = attempt.as_str().split('/').skip(2);
    let (Some(sha), Some("build")) = (parts.next(), parts.next()) else { return ImageDigests::new() };
    let pushed = push(world, sha, token.as_str());
    if lists(world.seed) { pushed } else { ImageDigests::new() }
}

/// Lets the tags of a commit stand for other contents.
pub fn push(world: &World, sha: &str, contents: &str) -> ImageDigests {
    let push = |name: &str| {
        let image = format!("acme/{name}:{sha}");
        let digest = digest(&format!("{name} {contents}"))?;
        world.facts().tags.entry(image.clone()).or_default().push((Instant::now(), digest.clone()));
        Some((image, digest))
    };
    ["web", "worker"].into_iter().filter_map(push).collect()
}

/// A digest that differs with the text.
fn digest(text: &str) -> Option<ImageDigest> {
    let part = |salt: &str| format!("{:016x}", dice::named(0, &format!("{salt} {text}")));
    let digits: String = ["a", "b", "c", "d"].into_iter().map(part).collect();
    format!("sha256:{digits}").try_into().ok()
}

/// The registry through a gate.
#[derive(Debug)]
pub struct GatedRegistry(pub Gate);

#[async_trait]
impl Registry for GatedRegistry {
    async fn digest(&self, image: &str) -> Result<Option<ImageDigest>, RegistryError> {
        let asked = image.to_owned();
        let ask = move |world: std::sync::Arc<World>| -> futures::future::BoxFuture<'static, _> {
            let image = asked.clone();
            Box::pin(async move { Ok(tag(&world, &image)) })
        };
        let lost = || RegistryError { image: image.to_owned(), hint: None, source: "no answer".into() };
        self.0.call("registry.digest", ask, lost).await
    }
}

/// What a tag stands for.
fn tag(world: &World, image: &str) -> Option<ImageDigest> {
    world.facts().tags.get(image)?.last().map(|(_, digest)| digest.clone())
}

/// Whether a tag no longer stands for the digest that the hold names as recorded.
pub fn has_moved(world: &World, image: &str, recorded: &ImageDigest) -> bool {
    tag(world, image).is_some_and(|digest| digest != *recorded)
}

/// Whether nothing was ever pushed under a tag: its build was skipped.
pub fn is_missing(world: &World, image: &str) -> bool {
    tag(world, image).is_none()
}

/// Every deployment is by digest; that of a commit by the digest that its tag stands for, and that the first stage
/// verified (20).
pub fn deploys(
    world: &World,
    (process, link): (u32, &LinkId),
    written: &[RecordedEvent],
    standing: &[Consent],
) {
    if !is_required(world.seed) {
        return;
    }
    for RecordedEvent { at, event, .. } in written {
        let Event::DeployIntended { purpose, sha, images, .. } = event else { continue };
        for image in images.values() {
            let wrong = match ImageDigest::of(image) {
                None => Some("has no digest"),
                Some(_) if *purpose != DeployPurpose::Upgrade => None,
                Some(digest) if !stood_for(world, without_digest(image), &digest) => {
                    Some("is not what its tag stands for")
                }
                // Then the run may have begun before anything was verified.
                _ if decisions::waives(standing, link, sha, *at, GateName::Verified) => None,
                Some(digest) => verified(world, (process, link), sha, without_digest(image))
                    .filter(|verified| *verified != digest)
                    .map(|_| "is not what the first stage verified"),
            };
            if let Some(wrong) = wrong {
                world.violated(20, format!("p{process} deploys {image} to {link}, which {wrong}"));
            }
        }
    }
}

/// Whether a tag has stood for the digest lately.
fn stood_for(world: &World, image: &str, digest: &ImageDigest) -> bool {
    let facts = world.facts();
    let pushed = facts.tags.get(image).map(Vec::as_slice).unwrap_or_default();
    let ends = pushed.iter().skip(1).map(|(at, _)| Some(*at)).chain([None]);
    pushed
        .iter()
        .zip(ends)
        .any(|((_, pushed), end)| pushed == digest && end.is_none_or(|end| end.elapsed() < FRESH))
}

/// The digest that the process last saw verified in the first stage.
fn verified(
    world: &World,
    (process, link): (u32, &LinkId),
    sha: &CommitSha,
    image: &str,
) -> Option<ImageDigest> {
    let facts = world.facts();
    let (first, second) = world.pipeline.as_ref()?;
    if second != link || !facts.staged.contains(&process) {
        return None;
    }
    let (_, head): &(Instant, Head) = facts.seen.get(&(process, first.clone()))?;
    let images = &head.evidence(sha)?.deployment.as_ref()?.images;
    images.values().find(|other| without_digest(other) == image).and_then(|it| ImageDigest::of(it))
}
