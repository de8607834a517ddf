//! What a case needs from a platform.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use katkit::domain::{DeployOutcome, LinkId, Strategy, Token};
use katkit::platform::{NoFencing, Observation, Platform, PlatformError, RollEnd, Running, Target, Upgrade};

/// The only role.
pub const ROLE: &str = "web";

/// An empty location for the services of two links. Everything a case leaves in it is removed with it.
pub trait Ground {
    /// The link whose role is deployed.
    fn own(&self) -> LinkId;

    /// Another link with a role of the same name, deployed to the same location if the platform allows two links there.
    fn neighbour(&self) -> LinkId;

    /// A link whose role `none` has no service.
    fn nowhere(&self) -> LinkId;

    /// The platform of a link's tenant as another process sees it; a new one on each call.
    fn platform(&self, link: &LinkId) -> Arc<dyn Platform>;

    /// A working image; there are three: 1, 2 and 3.
    fn image(&self, number: u32) -> String;

    /// A user deploys an image by hand for the link's role, over whatever is there.
    async fn by_hand(&self, image: &str);
}

/// The `number`th deployment.
pub fn upgrade(link: &LinkId, image: &str, number: u32) -> Upgrade {
    Upgrade {
        token: Token(format!("{number:016x}")),
        link: link.clone(),
        formerly: Vec::new(),
        images: vec![(ROLE.to_owned(), image.to_owned())],
        description: description(image),
        known: None,
        strategy: Strategy::Ordered,
        timeout: Duration::from_mins(2),
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

/// The full state of what runs for the link.
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

/// Deploys, and waits for the end.
pub async fn deploy(platform: &dyn Platform, upgrade: &Upgrade) -> RollEnd {
    let deployment = platform.upgrade(upgrade, &NoFencing).await.unwrap();
    let ended = platform.watch(upgrade, &deployment, &NoFencing).await.unwrap();
    assert_eq!(ended.outcome, DeployOutcome::Deployed);
    ended
}
