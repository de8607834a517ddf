//! What a case needs of a platform.

use std::borrow::Cow;
use std::sync::Arc;

use katkit::domain::{DeployOutcome, LinkId, Strategy, Token};
use katkit::platform::{Ended, Observation, Platform, PlatformError, Running, Target, Unchallenged, Upgrade};

/// The one role.
pub const ROLE: &str = "web";

/// A place for the services of two links, with nothing in it. What a case leaves there goes with it.
pub trait Ground {
    /// The link whose role is deployed.
    fn own(&self) -> LinkId;

    /// Another link, with a role of the same name, that is deployed to the same place where the platform lets two links be.
    fn neighbour(&self) -> LinkId;

    /// A link whose role `none` has no service.
    fn nowhere(&self) -> LinkId;

    /// The platform of a link's tenant as another process has it, each time it is asked for.
    fn platform(&self, link: &LinkId) -> Arc<dyn Platform>;

    /// An image that runs, of which there are three: 1, 2 and 3.
    fn image(&self, number: u32) -> String;

    /// People put an image into the place of the link's role, over whatever is there.
    async fn by_hand(&self, image: &str);
}

/// What is to be deployed as the `number`th deployment of all.
pub fn upgrade(link: &LinkId, image: &str, number: u32) -> Upgrade {
    Upgrade {
        token: Token(format!("{number:016x}")),
        link: link.clone(),
        formerly: Vec::new(),
        images: vec![(ROLE.to_owned(), image.to_owned())],
        description: description(image),
        known: None,
        strategy: Strategy::Ordered,
        timeout: 120,
    }
}

/// A service description with that image.
pub fn description(image: &str) -> String {
    format!(r#"{{"Roles":[{{"Name":"{ROLE}","DockerImage":"{image}"}}]}}"#)
}

pub async fn observe(
    platform: &dyn Platform,
    link: &LinkId,
    known: Option<&str>,
) -> Result<Observation, PlatformError> {
    let target = Target { link, formerly: &[], roles: vec![ROLE], images: Cow::default(), known };
    platform.observe(&[target]).await.remove(0)
}

/// What runs for the link, in detail.
pub async fn running(ground: &impl Ground, link: &LinkId) -> Running {
    match observe(&*ground.platform(link), link, None).await.unwrap() {
        Observation::Running(running) => running,
        other => panic!("{other:?}"),
    }
}

/// The image that runs for the link.
pub async fn image_of(ground: &impl Ground, link: &LinkId) -> String {
    running(ground, link).await.images.remove(ROLE).unwrap()
}

/// Deploys to the end.
pub async fn deploy(platform: &dyn Platform, upgrade: &Upgrade) -> Ended {
    let deployment = platform.upgrade(upgrade, &Unchallenged).await.unwrap();
    let ended = platform.watch(upgrade, &deployment, &Unchallenged).await.unwrap();
    assert_eq!(ended.outcome, DeployOutcome::Deployed);
    ended
}
