//! The backends that tests run against: an AWS emulator, Docker and Podman, started by `tests/engines up` on a
//! process's first use. A backend that does not start fails that test.

#[cfg(feature = "docker")]
mod host;
pub mod proxy;

use std::hash::{BuildHasher, RandomState};
use std::process::Command;
use std::sync::OnceLock;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use katkit::aws::{Aws, AwsLocation};
use katkit::blobs::S3Blobs;
use katkit::state::DynamodbState;
use katkit::state::dynamodb::Definition;

#[cfg(feature = "docker")]
pub use host::Host;
#[cfg(feature = "docker")]
pub(crate) use host::on_hosts;

/// Address of the emulator.
pub const ENDPOINT: &str = "http://127.0.0.1:4566";
/// The only secret key whose signatures the emulator accepts in a URL.
pub const SECRET: &str = "test";
pub const REGION: &str = "eu-central-1";
pub const TABLE: &str = "katkit";
pub const BUCKET: &str = "katkit-blobs";

/// Starts the backends, once.
pub fn up() {
    static UP: OnceLock<()> = OnceLock::new();
    UP.get_or_init(|| drop(script("up")));
}

/// The address of this machine as seen by containers.
pub fn bridge() -> String {
    up();
    script("bridge").trim().to_owned()
}

/// A Python with what verifies audits and attestations.
pub fn python() -> String {
    script("python").trim().to_owned()
}

/// Runs `tests/engines`, and returns its output.
fn script(command: &str) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engines");
    let output = Command::new(script).arg(command).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} {command}: {}\n{said}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// An AWS account that no other test uses.
#[derive(Debug)]
pub struct Account {
    /// The account number; also the access key.
    pub number: String,
    pub aws: Aws,
    endpoint: String,
}

impl Account {
    /// An empty account.
    pub async fn new() -> Self {
        up();
        let number = RandomState::new().hash_one(std::process::id()) % 900_000_000_000 + 100_000_000_000;
        Self::seen_through(&number.to_string(), ENDPOINT).await
    }

    /// The same account through another endpoint, with its own connections and counters.
    pub async fn through(&self, endpoint: &str) -> Self {
        Self::seen_through(&self.number, endpoint).await
    }

    async fn seen_through(number: &str, endpoint: &str) -> Self {
        let keys = Credentials::new(number, SECRET, None, None, "test");
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .credentials_provider(keys)
            .region(Region::from_static(REGION))
            .endpoint_url(endpoint);
        let aws = Aws::from_loader(loader).await;
        Self { number: number.to_owned(), aws, endpoint: endpoint.to_owned() }
    }

    /// Environment variables that put another process into this account.
    pub fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ACCESS_KEY_ID", self.number.clone()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
        ]
    }

    /// The state in a new table.
    pub async fn state(&self) -> DynamodbState {
        let client = self.aws.dynamodb(&AwsLocation::default()).await.unwrap();
        Definition::read().unwrap().create(client.create_table(), TABLE).unwrap().send().await.unwrap();
        self.state_again()
    }

    /// The state in an existing table.
    pub fn state_again(&self) -> DynamodbState {
        DynamodbState::new(self.aws.clone(), AwsLocation::default(), TABLE.to_owned())
    }

    /// Blobs in a new bucket.
    pub async fn blobs(&self) -> S3Blobs {
        let client = self.aws.s3(&AwsLocation::default()).await.unwrap();
        let bucket = format!("{BUCKET}-{}", self.number);
        let here = BucketLocationConstraint::from(REGION);
        let place = CreateBucketConfiguration::builder().location_constraint(here).build();
        client.create_bucket().bucket(&bucket).create_bucket_configuration(place).send().await.unwrap();
        self.blobs_again()
    }

    /// Blobs in an existing bucket.
    pub fn blobs_again(&self) -> S3Blobs {
        let bucket = format!("{BUCKET}-{}", self.number);
        S3Blobs::new(self.aws.clone(), AwsLocation::default(), bucket, "pre fix/\u{fc}".to_owned())
    }
}

/// Removes the containers that `docker ps` finds by this filter; ignores missing ones.
pub fn remove_containers(filter: &str) {
    Host::Docker.remove_containers(filter);
}

/// Runs `docker`, and returns its output.
pub fn docker(arguments: &[&str]) -> String {
    Host::Docker.docker(arguments)
}
