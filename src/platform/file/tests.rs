//! Tests of the file platform on a real file system.

use super::*;
use crate::domain::{Strategy, Token};
use crate::platform::NoFencing;
use std::os::unix::fs::symlink;
use std::time::Duration;

fn images(text: &str) -> Result<Images, String> {
    match text.strip_prefix("image ") {
        Some(image) => Ok(Images::from_iter([("web".to_owned(), image.to_owned())])),
        None => Err("it does not begin with an image".to_owned()),
    }
}

struct World {
    directory: tempfile::TempDir,
    platform: FilePlatform,
    link: LinkId,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let platform = FilePlatform::new(directory.path().join("dev"), images);
        Self { directory, platform, link: "dev/shop".parse().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("dev/shop.json")
    }

    fn order(&self, description: &str) -> Upgrade {
        Upgrade {
            token: Token("0a".into()),
            link: self.link.clone(),
            formerly: Vec::new(),
            images: Vec::new(),
            description: description.to_owned(),
            known: None,
            strategy: Strategy::Ordered,
            timeout: Duration::from_secs(1),
        }
    }

    async fn deploy(&self, description: &str) -> RollEnd {
        let order = self.order(description);
        let deployment = self.platform.upgrade(&order, &NoFencing).await.unwrap();
        self.platform.watch(&order, &deployment, &NoFencing).await.unwrap()
    }

    async fn observe(&self, known: Option<&str>) -> Result<Observation, PlatformError> {
        let targets =
            [Target { link: &self.link, formerly: &[], roles: Vec::new(), images: Cow::default(), known }];
        self.platform.observe(&targets).await.remove(0)
    }
}

#[tokio::test]
async fn a_file_belongs_to_the_link_that_wrote_it() {
    let world = World::new();
    // A file written by hand is taken over.
    fs::create_dir(world.directory.path().join("dev")).unwrap();
    fs::write(world.file(), "image web:0").unwrap();
    let Observation::Running(_) = world.observe(None).await.unwrap() else { panic!() };
    assert_eq!(world.deploy("image web:1").await.outcome, DeployOutcome::Deployed);

    let other: LinkId = "prod/shop".parse().unwrap();
    let order = Upgrade { link: other.clone(), ..world.order("image web:2") };
    let refused = world.platform.upgrade(&order, &NoFencing).await.unwrap_err();
    let message =
        format!("{} belongs to `dev/shop`, so `prod/shop` is not deployed there", world.file().display());
    assert_eq!(refused.to_string(), message);
    let target =
        Target { link: &other, formerly: &[], roles: Vec::new(), images: Cow::default(), known: None };
    let look = async || world.platform.observe(std::slice::from_ref(&target)).await.remove(0);
    let held = look().await.unwrap_err();
    assert_eq!(held.to_string(), message);
    assert_eq!(fs::read_to_string(world.file()).unwrap(), "image web:1");
    // Refused even if the file itself is gone: its writer will restore it.
    fs::remove_file(world.file()).unwrap();
    assert!(look().await.is_err());

    // Handed over as the hint describes.
    let mark = held.hint().unwrap().rsplit_once("remove ").unwrap().1.to_owned();
    fs::remove_file(&mark).unwrap();
    world.platform.upgrade(&order, &NoFencing).await.unwrap();
    assert_eq!(fs::read_to_string(world.file()).unwrap(), "image web:2");
    assert!(matches!(world.observe(None).await, Err(PlatformError::Taken { by, .. }) if by == "prod/shop"));
    // A process died before writing the content of the mark.
    fs::write(&mark, "").unwrap();
    assert_eq!(world.deploy("image web:3").await.outcome, DeployOutcome::Deployed);
    assert_eq!(fs::read_to_string(&mark).unwrap(), "dev/shop");
}

#[tokio::test]
async fn a_deployment_is_recognized_and_an_edit_is_detected() {
    let world = World::new();
    assert_eq!(world.observe(None).await.unwrap(), Observation::Absent);
    let ended = world.deploy("image web:1").await;
    assert_eq!(ended.outcome, DeployOutcome::Deployed);
    assert_eq!(world.observe(Some(&ended.revision)).await.unwrap(), Observation::AsKnown);

    fs::write(world.file(), "image web:2").unwrap();
    let Observation::Running(running) = world.observe(Some(&ended.revision)).await.unwrap() else { panic!() };
    assert_eq!(running.images.get("web").unwrap(), "web:2");
    assert_eq!(running.description.as_deref(), Some("image web:2"));
    assert_eq!(world.observe(Some(&running.revision)).await.unwrap(), Observation::AsKnown);
}

#[tokio::test]
async fn a_file_that_was_only_touched_is_as_known() {
    let world = World::new();
    let ended = world.deploy("image web:1").await;
    fs::remove_file(world.file()).unwrap();
    fs::write(world.file(), "image web:1").unwrap();
    File::options().write(true).open(world.file()).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(world.observe(Some(&ended.revision)).await.unwrap(), Observation::AsKnown);
}

#[tokio::test]
async fn deploying_the_same_again_writes_nothing() {
    let world = World::new();
    let first = world.deploy("image web:1").await;
    assert_eq!(world.deploy("image web:1").await, first);
}

#[tokio::test]
async fn a_deployment_that_was_overwritten_is_superseded() {
    let world = World::new();
    let order = world.order("image web:1");
    let deployment = world.platform.upgrade(&order, &NoFencing).await.unwrap();
    fs::write(world.file(), "image web:9").unwrap();
    let ended = world.platform.watch(&order, &deployment, &NoFencing).await.unwrap();
    assert!(matches!(ended.outcome, DeployOutcome::Superseded { .. }));
    fs::remove_file(world.file()).unwrap();
    let ended = world.platform.watch(&order, &deployment, &NoFencing).await.unwrap();
    assert!(matches!(ended.outcome, DeployOutcome::Superseded { .. }));
}

#[tokio::test]
async fn the_next_deployment_removes_files_of_a_writer_that_died() {
    let world = World::new();
    world.deploy("image web:1").await;
    let (left, others) =
        (world.file().with_file_name(".shop.00ff"), world.file().with_file_name(".shop.x.00ff"));
    fs::write(&left, "image we").unwrap();
    fs::write(&others, "of another link").unwrap();
    world.deploy("image web:2").await;
    assert!(!left.exists() && others.exists());
}

#[tokio::test]
async fn permissions_are_kept_and_nothing_else_is_left() {
    let world = World::new();
    world.deploy("image web:1").await;
    fs::set_permissions(world.file(), fs::Permissions::from_mode(0o640)).unwrap();
    world.deploy("image web:2").await;
    assert_eq!(fs::metadata(world.file()).unwrap().permissions().mode() & 0o777, 0o640);
    // The file and its mark.
    assert_eq!(fs::read_dir(world.directory.path().join("dev")).unwrap().count(), 2);
}

#[tokio::test]
async fn an_invalid_description_is_reported() {
    let world = World::new();
    fs::create_dir(world.directory.path().join("dev")).unwrap();
    let message = async || world.observe(None).await.unwrap_err().to_string();
    fs::write(world.file(), "nonsense").unwrap();
    assert!(message().await.ends_with("cannot be read: it does not begin with an image"));
    fs::write(world.file(), b"image \xff").unwrap();
    assert!(message().await.ends_with("it is not UTF-8"));
    fs::remove_file(world.file()).unwrap();
    symlink("/etc/passwd", world.file()).unwrap();
    assert!(message().await.ends_with("it is a symbolic link, which katkit does not follow"));
    let refused = world.platform.upgrade(&world.order("image web:1"), &NoFencing).await.unwrap_err();
    assert!(refused.to_string().contains("does not replace anything else"));
    fs::remove_file(world.file()).unwrap();
    fs::create_dir(world.file()).unwrap();
    assert!(message().await.ends_with("it is not a file"));
}
