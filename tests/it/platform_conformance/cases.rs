//! The cases that every platform passes.

use std::borrow::Cow;

use async_trait::async_trait;
use katkit::domain::{DeployOutcome, DeploymentName, FormerName, Generation, Images, LinkId, Token};
use katkit::platform::{FencingCheck, InFlight, NoFencing, Observation, PlatformError, Target, Upgrade};

use super::fixture::{Ground, ROLE, deploy, image_of, observe, running, upgrade};

pub async fn a_manual_deployment_is_shown_and_taken_over(ground: &impl Ground) {
    let own = ground.own();
    ground.by_hand(&ground.image(1)).await;
    assert_eq!(image_of(ground, &own).await, ground.image(1));
    deploy(&*ground.platform(&own), &upgrade(&own, &ground.image(2), 1)).await;
    assert_eq!(image_of(ground, &own).await, ground.image(2));
}

pub async fn a_deployment_is_recognized_as_known(ground: &impl Ground) {
    let own = ground.own();
    ground.by_hand(&ground.image(1)).await;
    let platform = ground.platform(&own);
    let ended = deploy(&*platform, &upgrade(&own, &ground.image(2), 1)).await;
    for platform in [platform, ground.platform(&own)] {
        let seen = observe(&*platform, &own, Some(&ended.revision)).await.unwrap();
        assert_eq!(seen, Observation::AsKnown);
    }
    assert_eq!(running(ground, &own).await.revision, ended.revision);
    // Deploying the same again changes nothing.
    let again = deploy(&*ground.platform(&own), &upgrade(&own, &ground.image(2), 2)).await;
    assert_eq!(again.revision, ended.revision);
}

pub async fn a_manual_change_is_seen(ground: &impl Ground) {
    let own = ground.own();
    ground.by_hand(&ground.image(1)).await;
    let ended = deploy(&*ground.platform(&own), &upgrade(&own, &ground.image(2), 1)).await;
    ground.by_hand(&ground.image(3)).await;
    let seen = observe(&*ground.platform(&own), &own, Some(&ended.revision)).await.unwrap();
    let Observation::Running(seen) = seen else { panic!("{seen:?}") };
    assert_eq!(seen.images.get(ROLE), Some(&ground.image(3)));
    assert_ne!(seen.revision, ended.revision);
    // And when it is put back.
    deploy(&*ground.platform(&own), &upgrade(&own, &ground.image(2), 2)).await;
    assert_eq!(image_of(ground, &own).await, ground.image(2));
}

pub async fn a_problem_with_one_link_does_not_affect_others(ground: &impl Ground) {
    let (own, nowhere) = (ground.own(), ground.nowhere());
    ground.by_hand(&ground.image(1)).await;
    let target =
        |link, role| Target { link, formerly: &[], roles: vec![role], images: Cow::default(), known: None };
    let none = target(&nowhere, "none");
    let seen = ground.platform(&own).observe(&[none.clone(), target(&own, ROLE), none]).await;
    assert_eq!(seen.len(), 3);
    assert!(!matches!(seen[0], Ok(Observation::Running(_) | Observation::AsKnown)), "{seen:?}");
    assert!(
        matches!(&seen[1], Ok(Observation::Running(seen)) if seen.images.get(ROLE) == Some(&ground.image(1))),
        "{seen:?}"
    );
    assert_eq!(ground.platform(&own).observe(&[]).await.len(), 0);
}

pub async fn a_token_is_one_deployment(ground: &impl Ground) {
    let own = ground.own();
    ground.by_hand(&ground.image(1)).await;
    let order = upgrade(&own, &ground.image(2), 1);
    let name = ground.platform(&own).upgrade(&order, &NoFencing).await.unwrap();
    let next = ground.platform(&own);
    assert_eq!(next.upgrade(&order, &NoFencing).await.unwrap(), name);
    let ended = next.watch(&order, &name, &NoFencing).await.unwrap();
    assert_eq!(ended.outcome, DeployOutcome::Deployed);
    assert_eq!(image_of(ground, &own).await, ground.image(2));
}

fn left<'a>(order: &'a Upgrade, images: &'a Images, issued: Option<&'a DeploymentName>) -> InFlight<'a> {
    let Upgrade { token, link, timeout, .. } = order;
    InFlight {
        token,
        link,
        formerly: &[],
        images,
        started: jiff::Timestamp::now(),
        issued,
        timeout: *timeout,
    }
}

pub async fn a_deployment_whose_process_died_is_resumed_by_the_next(ground: &impl Ground) {
    let own = ground.own();
    ground.by_hand(&ground.image(1)).await;
    let order = upgrade(&own, &ground.image(2), 1);
    let images: Images = order.images.iter().cloned().collect();
    let platform = ground.platform(&own);
    let name = platform.upgrade(&order, &NoFencing).await.unwrap();
    let ended = platform.watch(&order, &name, &NoFencing).await.unwrap();
    // The process died before and after it recorded the deployment's name, then before it recorded the outcome.
    for issued in [None, Some(&name)] {
        let found = ground.platform(&own).resume(left(&order, &images, issued), &NoFencing).await.unwrap();
        assert_eq!(found.as_ref(), Some(&ended));
    }
}

pub async fn a_deployment_that_never_started_is_not_found(ground: &impl Ground) {
    let own = ground.own();
    ground.by_hand(&ground.image(1)).await;
    let order = upgrade(&own, &ground.image(2), 1);
    let images: Images = order.images.iter().cloned().collect();
    let found = ground.platform(&own).resume(left(&order, &images, None), &NoFencing).await.unwrap();
    assert_eq!(found, None);
    assert_eq!(image_of(ground, &own).await, ground.image(1));
    // Starting it then is harmless.
    deploy(&*ground.platform(&own), &order).await;
    assert_eq!(image_of(ground, &own).await, ground.image(2));
}

/// The fencing check of an owner whose lease was taken over.
#[derive(Debug)]
struct Overtaken(LinkId);

#[async_trait]
impl FencingCheck for Overtaken {
    async fn check(&self) -> Result<(), PlatformError> {
        Err(PlatformError::Overtaken { link: self.0.clone() })
    }
}

pub async fn an_owner_without_its_lease_changes_nothing(ground: &impl Ground) {
    let own = ground.own();
    ground.by_hand(&ground.image(1)).await;
    let before = running(ground, &own).await.revision;
    let order = upgrade(&own, &ground.image(2), 1);
    let refused = ground.platform(&own).upgrade(&order, &Overtaken(own.clone())).await;
    assert!(matches!(refused, Err(PlatformError::Overtaken { .. })), "{refused:?}");
    assert_eq!(running(ground, &own).await.revision, before);
    assert_eq!(image_of(ground, &own).await, ground.image(1));
}

pub async fn a_location_belongs_to_the_link_that_deployed_it(ground: &impl Ground) {
    let (own, neighbour) = (ground.own(), ground.neighbour());
    ground.by_hand(&ground.image(1)).await;
    let ended = deploy(&*ground.platform(&own), &upgrade(&own, &ground.image(2), 1)).await;
    // If there is room for both, each has its own location.
    let theirs = ground.platform(&neighbour);
    let order = upgrade(&neighbour, &ground.image(3), 2);
    match theirs.upgrade(&order, &NoFencing).await {
        Ok(name) => drop(theirs.watch(&order, &name, &NoFencing).await.unwrap()),
        Err(taken) => {
            let PlatformError::Taken { link, by, .. } = &taken else { panic!("{taken:?}") };
            assert_eq!((link, by), (&neighbour, &own.to_string()));
            assert!(taken.hint().is_some_and(|hint| hint.contains("hand")), "{taken:?}");
            let seen = observe(&*theirs, &neighbour, None).await;
            assert!(matches!(seen, Err(PlatformError::Taken { .. })), "{seen:?}");
            let target = Target {
                link: &neighbour,
                formerly: &[],
                roles: vec![ROLE],
                images: Cow::default(),
                known: None,
            };
            let checks = theirs.verify(&target).await;
            assert!(checks.iter().any(katkit::domain::Check::is_bad), "{checks:?}");
        }
    }
    let seen = observe(&*ground.platform(&own), &own, Some(&ended.revision)).await.unwrap();
    assert_eq!(seen, Observation::AsKnown);
    assert_eq!(image_of(ground, &own).await, ground.image(2));
}

pub async fn a_renamed_link_keeps_its_deployment(ground: &impl Ground) {
    let (before, now) = (ground.own(), ground.neighbour());
    ground.by_hand(&ground.image(1)).await;
    let ended = deploy(&*ground.platform(&before), &upgrade(&before, &ground.image(2), 1)).await;
    let formerly =
        [FormerName { link: before.clone(), last: Generation(4), moved: Generation(5), parted: false }];
    let platform = ground.platform(&now);
    let target =
        |known| Target { link: &now, formerly: &formerly, roles: vec![ROLE], images: Cow::default(), known };
    let seen = platform.observe(&[target(Some(ended.revision.as_str()))]).await.remove(0).unwrap();
    assert_eq!(seen, Observation::AsKnown);
    let seen = platform.observe(&[target(None)]).await.remove(0).unwrap();
    let Observation::Running(seen) = seen else { panic!("{seen:?}") };
    assert_eq!(seen.images.get(ROLE), Some(&ground.image(2)));
    // The next deployment has the new name, and leaves nothing of the old one.
    let token = Token("f".repeat(16));
    let order = Upgrade { token, formerly: formerly.to_vec(), ..upgrade(&now, &ground.image(3), 2) };
    deploy(&*platform, &order).await;
    assert_eq!(image_of(ground, &now).await, ground.image(3));
    let old = observe(&*ground.platform(&before), &before, None).await;
    assert!(matches!(old, Err(PlatformError::Taken { .. }) | Ok(Observation::Absent)), "{old:?}");
}

pub async fn verifying_a_platform_changes_nothing(ground: &impl Ground) {
    let own = ground.own();
    ground.by_hand(&ground.image(1)).await;
    let before = running(ground, &own).await;
    let platform = ground.platform(&own);
    let target = Target { link: &own, formerly: &[], roles: vec![ROLE], images: Cow::default(), known: None };
    let checks = platform.verify(&target).await;
    assert!(!checks.is_empty() && checks.iter().all(|check| !check.is_bad()), "{checks:?}");
    platform.verify_image(&ground.image(1)).await;
    assert_eq!(running(ground, &own).await, before);
}
