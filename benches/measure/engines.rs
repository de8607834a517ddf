//! The tests' backends, for benchmarks: an emulator account of its own.

use std::process::Command;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use katkit::aws::Aws;

/// Address of the emulator.
pub const ADDRESS: &str = "127.0.0.1:4566";
/// The region of everything.
pub const REGION: &str = "eu-central-1";
/// The secret key of every account, which the emulator accepts.
pub const SECRET: &str = "test";

/// Starts the backends.
pub fn up() {
    let up = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engines")).arg("up").status();
    assert!(up.expect("the engines start").success(), "the engines are up");
}

/// Twelve digits: the account's number and access key.
pub fn number() -> String {
    format!("{:012}", 700_000_000_000 + u64::from(std::process::id()))
}

/// The account with this number.
pub async fn account(number: &str) -> Aws {
    let keys = Credentials::new(number, SECRET, None, None, "bench");
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .credentials_provider(keys)
        .region(Region::from_static(REGION))
        .endpoint_url(format!("http://{ADDRESS}"));
    Aws::from_loader(loader).await
}

/// Runs `docker`, and returns its output.
pub fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().expect("docker starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
