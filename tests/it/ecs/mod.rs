//! ECS in the AWS emulator with real containers: the fleet, the platform, and both through the binary with their record
//! in DynamoDB and their blobs in S3.

mod agents;
mod broken;
mod budget;
mod crash;
mod deployments;
mod end_to_end;
mod estate;
pub mod fleet;
mod phases;
mod places;
mod platform;
pub mod surroundings;
mod verify;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_ecs::config::http::HttpResponse;
use aws_sdk_ecs::error::SdkError;
use aws_sdk_ecs::operation::create_service::{CreateServiceError, CreateServiceOutput};
use katkit::aws::ecs::{Cluster, Tasks};
use katkit::aws::{Aws, AwsLocation};

use crate::engines::{self, ENDPOINT, REGION, remove_containers};
use crate::phase::eventually;

/// The cluster of every account.
pub const CLUSTER: &str = "dev";
/// Expects that a service was created. A busy emulator may answer too late; the retry then says that it exists.
pub fn created(answer: &Result<CreateServiceOutput, SdkError<CreateServiceError, HttpResponse>>) {
    let there = |error: &SdkError<CreateServiceError, HttpResponse>| {
        let error = error.as_service_error();
        error.is_some_and(|error| error.to_string().contains("not idempotent"))
    };
    assert!(answer.as_ref().err().is_none_or(there), "{answer:?}");
}

/// Polling interval.
pub const POLL: Duration = Duration::from_millis(100);

/// The `katkit` of the fleet's test image: behaves as the last part of its `LOG_PATH` says.
const KATKIT: &str = r#"#!/bin/sh
trap 'exit 143' TERM
case "${LOG_PATH##*/}" in
  sleep) while :; do sleep 0.05; done ;;
  exit-*) exit "${LOG_PATH##*exit-}" ;;
  secret) [ "$PASS" = hunter2 ] ;;
esac
"#;

/// A web service that runs for ever, and one that does not.
const SERVES: &str = "#!/bin/sh\ntrap 'exit 0' TERM\nsleep 1000000 & wait\n";
const CRASHES: &str = "#!/bin/sh\nexit 7\n";

/// Starts the backends and builds the images, once.
fn up() {
    static UP: OnceLock<()> = OnceLock::new();
    UP.get_or_init(|| {
        engines::up();
        image("katkit-ecs-test/phase:1", "katkit-test/service:1", &[("/usr/bin/katkit", KATKIT.as_bytes())]);
        for (name, script) in [
            ("web:1", SERVES),
            ("web:2", SERVES),
            ("web:3", SERVES),
            ("web:crash", CRASHES),
            ("sidecar:1", SERVES),
        ] {
            let files = [("/usr/bin/serve", script.as_bytes())];
            image(&format!("katkit-ecs-test/{name}"), "katkit-test/service:1", &files);
        }
    });
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Creates an image from another one with programs added, unless it exists.
///
/// One at a time: when another test moves a name to its own image, the name no longer leads to what runs under it.
fn image(name: &str, base: &str, programs: &[(&str, &[u8])]) {
    let lock = std::fs::File::create(concat!(env!("CARGO_TARGET_TMPDIR"), "/images.lock")).unwrap();
    lock.lock().unwrap();
    let docker = || Command::new("docker");
    let content = content(programs);
    let label = ["image", "inspect", "--format", "{{index .Config.Labels \"katkit.content\"}}", name];
    let there = docker().args(label).output().unwrap();
    if String::from_utf8_lossy(&there.stdout).trim() == content {
        return;
    }
    let container = run(docker().args(["create", base, "true"]));
    let directory = tempfile::tempdir().unwrap();
    for (path, program) in programs {
        let file = directory.path().join("program");
        std::fs::write(&file, program).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        run(docker().arg("cp").arg(&file).arg(format!("{container}:{path}")));
    }
    let label = format!("LABEL katkit.content={content}");
    run(docker().args(["commit", "--change", &label, &container, name]));
    run(docker().args(["rm", &container]));
}

fn content(programs: &[(&str, &[u8])]) -> String {
    use sha2::Digest;
    let mut hasher = sha2::Sha256::new();
    for (path, program) in programs {
        hasher.update(path);
        hasher.update(program);
    }
    hasher.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An account with a cluster. Everything in it ends with it.
pub struct Account {
    account: engines::Account,
    pub client: aws_sdk_ecs::Client,
}

impl std::ops::Deref for Account {
    type Target = engines::Account;

    fn deref(&self) -> &engines::Account {
        &self.account
    }
}

impl Account {
    pub async fn new() -> Self {
        tokio::task::spawn_blocking(up).await.unwrap();
        let account = engines::Account::new().await;
        let client = account.aws.ecs(&AwsLocation::default()).await.unwrap();
        client.create_cluster().cluster_name(CLUSTER).send().await.unwrap();
        Self { account, client }
    }

    /// Another process in the same account, with its own counters.
    pub async fn another(&self) -> Aws {
        self.account.through(ENDPOINT).await.aws
    }

    /// Number of calls of each ECS operation since `before`.
    fn calls(&self, before: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
        let now = counts(&self.aws);
        let since = now.into_iter().map(|(name, count)| {
            let before = before.get(&name).copied().unwrap_or(0);
            (name, count - before)
        });
        since.filter(|(_, count)| *count > 0).collect()
    }

    fn counted(&self) -> BTreeMap<String, u64> {
        counts(&self.aws)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let client = self.client.clone();
        let end = std::thread::spawn(move || {
            tokio::runtime::Runtime::new().unwrap().block_on(async {
                let services = client.list_services().cluster(CLUSTER).send().await;
                for arn in services.ok().and_then(|it| it.service_arns).unwrap_or_default() {
                    let _ = client.delete_service().cluster(CLUSTER).service(arn).force(true).send().await;
                }
                let tasks = client.list_tasks().cluster(CLUSTER).send().await;
                for arn in tasks.ok().and_then(|it| it.task_arns).unwrap_or_default() {
                    let _ = client.stop_task().cluster(CLUSTER).task(arn).send().await;
                }
            });
        });
        let _ = end.join();
        // The emulator does not stop sidecars when their task ends.
        let cluster =
            format!("label=com.amazonaws.ecs.cluster=arn:aws:ecs:{REGION}:{}:cluster/{CLUSTER}", self.number);
        remove_containers(&cluster);
    }
}

fn counts(aws: &Aws) -> BTreeMap<String, u64> {
    aws.calls().by_name().into_iter().map(|(name, count)| (name, count.sent)).collect()
}

pub fn cluster(aws: &Aws) -> Arc<Cluster> {
    Cluster::new(aws.clone(), AwsLocation::default(), CLUSTER.to_owned())
}

pub fn tasks(aws: &Aws) -> Arc<Tasks> {
    Tasks::new(cluster(aws), POLL)
}
