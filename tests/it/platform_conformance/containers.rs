//! The docker platform: tenants unique to each test, on the engines that all tests share.

use std::sync::Arc;
use std::time::Duration;

use katkit::domain::LinkId;
use katkit::platform::Platform;
use katkit::platform::docker::{DockerPlatform, Settings};

use crate::engines::Host;

use super::fixture::{Ground, ROLE};

/// An engine, and a name unique to this test.
pub struct Containers(Host, String);

impl Containers {
    pub async fn new(host: Host) -> Self {
        tokio::task::spawn_blocking(move || build(host)).await.unwrap();
        let place = tempfile::tempdir().unwrap();
        let name = place.path().file_name().unwrap().to_string_lossy().to_lowercase();
        Self(host, format!("c{}", name.trim_start_matches('.')))
    }

    fn link(&self, of: &str) -> LinkId {
        format!("{}{of}/shop", self.1).parse().unwrap()
    }
}

/// Builds the images unless they exist: a rebuilt one may get another id while a test is using it.
fn build(host: Host) {
    let lock = std::fs::File::create(std::env::temp_dir().join("katkit-test-conformance.lock")).unwrap();
    lock.lock().unwrap();
    for number in 1..=3 {
        let name = image(host, number);
        if !host.quiet(&["image", "ls", "--quiet", &name]).is_empty() {
            continue;
        }
        let place = tempfile::tempdir().unwrap();
        let serves = "STOPSIGNAL SIGKILL\nCMD [\"/bin/sleep\", \"1000000\"]";
        let file = format!("FROM katkit-test/service:1\nLABEL version={number}\n{serves}\n");
        std::fs::write(place.path().join("Dockerfile"), file).unwrap();
        host.docker(&["build", "--quiet", "--tag", &name, place.path().to_str().unwrap()]);
    }
}

/// With a registry: without one it would be displayed differently, and no record says which name was used.
fn image(host: Host, number: u32) -> String {
    let name = format!("katkit-test/conformance:{number}");
    if host == Host::Podman { format!("localhost/{name}") } else { name }
}

impl Ground for Containers {
    fn own(&self) -> LinkId {
        self.link("")
    }

    fn neighbour(&self) -> LinkId {
        self.link("n")
    }

    fn nowhere(&self) -> LinkId {
        format!("{}/nowhere", self.1).parse().unwrap()
    }

    fn platform(&self, link: &LinkId) -> Arc<dyn Platform> {
        let settings = Settings {
            owner: self.1.clone(),
            store: "conformance".to_owned(),
            tenant: link.tenant.clone(),
            network: None,
            settle: Duration::from_millis(200),
        };
        Arc::new(DockerPlatform::new(Arc::new(self.0.engine()), settings))
    }

    fn image(&self, number: u32) -> String {
        image(self.0, number)
    }

    async fn by_hand(&self, image: &str) {
        let (host, own, image) = (self.0, self.own(), image.to_owned());
        let work = move || {
            let label = |name: &str, value: &str| format!("katkit.{name}={value}");
            let [tenant, link, role] =
                [label("tenant", own.tenant.as_str()), label("link", own.link.as_str()), label("role", ROLE)];
            let filter = format!("label={tenant}");
            for old in host.docker(&["ps", "--all", "--quiet", "--filter", &filter]).split_whitespace() {
                host.docker(&["rm", "--force", old]);
            }
            let labels = ["--label", &tenant, "--label", &link, "--label", &role];
            host.docker(&[&["run", "--detach"][..], &labels[..], &[image.as_str()][..]].concat());
        };
        tokio::task::spawn_blocking(work).await.unwrap();
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        for tenant in [self.own().tenant, self.neighbour().tenant] {
            self.0.remove_containers(&format!("label=katkit.tenant={tenant}"));
        }
    }
}
