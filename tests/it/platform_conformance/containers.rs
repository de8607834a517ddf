//! The docker platform: tenants that no other test has, on the engine of all tests.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use katkit::docker::{Credentials, Engine};
use katkit::domain::LinkId;
use katkit::platform::Platform;
use katkit::platform::docker::{DockerPlatform, Settings};

use crate::engines::{self, docker, remove_containers};

use super::fixture::{Ground, ROLE};

/// A name that no other test has.
pub struct Containers(String);

impl Containers {
    pub async fn new() -> Self {
        tokio::task::spawn_blocking(up).await.unwrap();
        let place = tempfile::tempdir().unwrap();
        let name = place.path().file_name().unwrap().to_string_lossy().to_lowercase();
        Self(format!("c{}", name.trim_start_matches('.')))
    }

    fn link(&self, of: &str) -> LinkId {
        format!("{}{of}/shop", self.0).parse().unwrap()
    }
}

/// Brings the engine and the images up, once.
fn up() {
    static UP: OnceLock<()> = OnceLock::new();
    UP.get_or_init(|| {
        engines::up();
        for number in 1..=3 {
            let place = tempfile::tempdir().unwrap();
            let serves = "STOPSIGNAL SIGKILL\nCMD [\"/bin/sleep\", \"1000000\"]";
            let file = format!("FROM katkit-test/service:1\nLABEL version={number}\n{serves}\n");
            std::fs::write(place.path().join("Dockerfile"), file).unwrap();
            let image = format!("katkit-test/conformance:{number}");
            docker(&["build", "--quiet", "--tag", &image, place.path().to_str().unwrap()]);
        }
    });
}

impl Ground for Containers {
    fn own(&self) -> LinkId {
        self.link("")
    }

    fn neighbour(&self) -> LinkId {
        self.link("n")
    }

    fn nowhere(&self) -> LinkId {
        format!("{}/nowhere", self.0).parse().unwrap()
    }

    fn platform(&self, link: &LinkId) -> Arc<dyn Platform> {
        let settings = Settings {
            owner: self.0.clone(),
            store: "conformance".to_owned(),
            tenant: link.tenant.clone(),
            network: None,
            settle: Duration::from_millis(200),
        };
        Arc::new(DockerPlatform::new(Arc::new(Engine::new(None, Credentials::default())), settings))
    }

    fn image(&self, number: u32) -> String {
        format!("katkit-test/conformance:{number}")
    }

    async fn by_hand(&self, image: &str) {
        let (own, image) = (self.own(), image.to_owned());
        let work = move || {
            let label = |name: &str, value: &str| format!("katkit.{name}={value}");
            let [tenant, link, role] =
                [label("tenant", own.tenant.as_str()), label("link", own.link.as_str()), label("role", ROLE)];
            let filter = format!("label={tenant}");
            for old in docker(&["ps", "--all", "--quiet", "--filter", &filter]).split_whitespace() {
                docker(&["rm", "--force", old]);
            }
            let labels = ["--label", &tenant, "--label", &link, "--label", &role];
            docker(&[&["run", "--detach"][..], &labels[..], &[image.as_str()][..]].concat());
        };
        tokio::task::spawn_blocking(work).await.unwrap();
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        for tenant in [self.own().tenant, self.neighbour().tenant] {
            remove_containers(&format!("label=katkit.tenant={tenant}"));
        }
    }
}
