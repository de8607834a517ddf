//! What every registry does, whatever its API.

use katkit::domain::ImageDigest;
use katkit::registry::Registry;

use crate::image_registry::ImageRegistry;

/// `name` is an image without its tag, in an existing repository; `push` lets a tag stand for some content.
async fn conforms(registry: &dyn Registry, name: &str, elsewhere: &str, push: impl Fn(&str, &str)) {
    let digest = async |image: String| registry.digest(&image).await.unwrap();
    push("one", "first");
    push("copy", "first");
    let first = digest(format!("{name}:one")).await;
    assert!(first.is_some());
    assert_eq!(digest(format!("{name}:copy")).await, first, "the same content");
    push("one", "second");
    let second = digest(format!("{name}:one")).await;
    assert!(second.is_some() && second != first, "the tag has moved");
    assert_eq!(digest(format!("{name}:copy")).await, first);
    assert_eq!(digest(format!("{name}:absent")).await, None);
    assert_eq!(digest(format!("{elsewhere}:one")).await, None, "no such repository");
}

#[cfg(feature = "docker")]
#[tokio::test(flavor = "multi_thread")]
async fn oci() {
    let real = ImageRegistry::start();
    let (registry, host) = (katkit::registry::OciRegistry::default(), real.host());
    let push = |tag: &str, content: &str| drop(real.push("acme/web", tag, content));
    conforms(&registry, &format!("{host}/acme/web"), &format!("{host}/acme/absent"), push).await;
    // The digest is that of the manifest.
    let pushed = real.push("acme/web", "exact", "third");
    let found = registry.digest(&format!("{host}/acme/web:exact")).await.unwrap();
    assert_eq!(found, Some(ImageDigest::try_from(pushed).unwrap()));
    let error = registry.digest("127.0.0.1:1/acme/web:one").await.unwrap_err();
    assert_eq!(error.to_string(), "its registry did not say what `127.0.0.1:1/acme/web:one` points to");
}

#[cfg(feature = "aws")]
#[tokio::test(flavor = "multi_thread")]
async fn ecr() {
    let account = crate::ecs::Account::new().await;
    let around = crate::ecs::surroundings::Surroundings { number: account.number.clone() };
    let registry = katkit::registry::EcrRegistry { aws: account.aws.clone() };
    let (name, push) = tokio::task::block_in_place(|| {
        (around.repository("acme/web"), |tag: &str, content: &str| {
            tokio::task::block_in_place(|| around.content("acme/web", tag, content));
        })
    });
    let elsewhere = name.replace("acme/web", "acme/absent");
    conforms(&registry, &name, &elsewhere, push).await;
}
