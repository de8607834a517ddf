//! Plans of deployments by digest.

use insta::assert_snapshot;

use super::world::{World, image, name};
use super::*;
use crate::domain::{DigestSource, ImageDigest, ImageDigests};

fn digest(digit: char) -> ImageDigest {
    format!("sha256:{}", digit.to_string().repeat(64)).try_into().unwrap()
}

fn digests(of: char, digit: char) -> ImageDigests {
    image(of).into_iter().map(|(_, image)| (image, digest(digit))).collect()
}

/// `b` is built and not deployed yet; its build recorded the digest `1`.
fn built() -> World {
    let built = Event::ImagesRecorded {
        phase: name("build"),
        source: DigestSource::Phase,
        images: digests('b', '1'),
    };
    World::wants('b').pinned().started('b').attempted("build", 1, Outcome::Succeeded).then(built)
}

fn deployment(world: &World) -> DeployStep {
    let plan = plan(&world.input(false));
    let step = plan.links[0].steps.iter().find_map(|step| match step {
        Step::Deploy(step) => Some(DeployStep::clone(step)),
        _ => None,
    });
    step.unwrap_or_else(|| panic!("{plan:?}"))
}

#[test]
fn images_without_a_recorded_digest_are_named() {
    let planned = plan(&World::wants('b').pinned().input(false));
    let LinkPlan { unpinned, notes, .. } = &planned.links[0];
    assert_eq!(unpinned, &[format!("acme/web:{}", sha('b'))]);
    assert_eq!(notes, &[format!("the digest of `acme/web:{}` is recorded before it is deployed", sha('b'))]);
    assert!(deployment(&World::wants('b').pinned()).pinned);
    let unpinned = World::wants('b');
    assert!(!deployment(&unpinned).pinned);
    assert!(images_to_deploy(&unpinned.loaded.manifest, &unpinned.input(false).links[0]).is_empty());
}

#[test]
fn registries_are_asked_once_the_deployment_is_next() {
    let images = |world: &World| images_to_deploy(&world.loaded.manifest, &world.input(false).links[0]);
    assert!(images(&World::wants('b').pinned()).is_empty());
    assert!(images(&World::wants('b').pinned().started('b')).is_empty());
    assert_eq!(images(&built()), [format!("acme/web:{}", sha('b'))]);
    let first = [("deploy", 0, true), ("verify", 1, false)];
    assert_eq!(images(&World::wants('b').pinned().with_phases(&first)).len(), 1);
}

#[test]
fn the_recorded_digest_is_deployed_while_the_tag_points_to_it() {
    for registry in [None, Some(Ok(Some(digest('1'))))] {
        let step = deployment(&World { registry, ..built() });
        let pinned = digest('1').pin(&format!("acme/web:{}", sha('b')));
        assert_eq!(step.images[0].to, pinned);
        assert!(step.description.contains(&pinned) && step.diff.contains(&pinned), "{}", step.diff);
    }
}

#[test]
fn a_moved_tag_a_missing_image_and_a_silent_registry_hold_the_link_with_all_later_phases() {
    let unavailable = Problem { what: "the registry is silent".to_owned(), hint: None };
    let plans = [Ok(Some(digest('2'))), Ok(None), Err(unavailable)].map(|answer| {
        let world = World { registry: Some(answer), ..built() };
        let plan = plan(&world.input(false));
        assert!(plan.is_held(), "{plan:?}");
        world.plan()
    });
    assert_snapshot!(plans.join("\n"), @"
    ! `acme/web:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb` points to sha256:2222222222 now, but sha256:1111111111 was recorded, and the policy `office` pins digests
    ! `acme/web:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb` is not in its registry, and the policy `office` pins digests
    ! the registry is silent
    ");
    // A freeze shows as well.
    let frozen = World { registry: Some(Ok(None)), ..built().at_a_closed_gate() };
    assert_snapshot!(frozen.plan(), @"
    ! `acme/web:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb` is not in its registry, and the policy `office` pins digests
    ! `deploy` waits: the policy `office` freezes deployments until Mon 2026-01-05 08:00 UTC: it is Friday
    ");
}

#[test]
fn a_repeated_phase_records_its_images_again() {
    let retry = RequestKind::Retry { sha: sha('b'), phase: name("build") };
    let asked =
        |world: World| world.then(Event::Requested { ask: retry.clone(), from: "ana".into(), why: None });
    let recorded =
        |world: &World| world.head().run.unwrap().digest_of(&format!("acme/web:{}", sha('b'))).cloned();
    assert_eq!(recorded(&built()), Some(digest('1')));
    assert_eq!(recorded(&asked(built())), None);
    // What the phase says has precedence over what the registry had.
    let found = Event::ImagesRecorded {
        phase: name("deploy"),
        source: DigestSource::Registry,
        images: digests('b', '2'),
    };
    assert_eq!(recorded(&built().then(found)), Some(digest('1')));
}
