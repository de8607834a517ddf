//! ECS as the emulator of AWS has it, with real containers: the fleet, the platform, and both through the binary.

mod end_to_end;
mod fleet;
mod platform;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use katkit::aws::ecs::{Cluster, Tasks};
use katkit::aws::{Aws, Place};

/// Where the emulator listens.
const ENDPOINT: &str = "http://127.0.0.1:4566";
const REGION: &str = "eu-central-1";
/// The cluster of every account.
const CLUSTER: &str = "dev";
/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often what is waited for is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What `katkit` is in the image of the fleet's tests: it does as the last part of its `LOG_PATH` says.
const KATKIT: &str = r#"#!/bin/sh
trap 'exit 143' TERM
case "${LOG_PATH##*/}" in
  sleep) while :; do sleep 0.05; done ;;
  exit-*) exit "${LOG_PATH##*exit-}" ;;
  secret) [ "$PASS" = hunter2 ] ;;
esac
"#;

/// A web service that goes on for ever, and one that does not.
const SERVES: &str = "#!/bin/sh\ntrap 'exit 0' TERM\nwhile :; do sleep 0.05; done\n";
const CRASHES: &str = "#!/bin/sh\nexit 7\n";

/// Brings the engines and the images up, once.
fn up() {
    static UP: OnceLock<()> = OnceLock::new();
    UP.get_or_init(|| {
        run(Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engines")).arg("up"));
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

/// Makes an image of another one with programs added, unless it is there.
fn image(name: &str, base: &str, programs: &[(&str, &[u8])]) {
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

/// An account of AWS that no other test uses. What runs in it is ended with it.
struct Account {
    number: String,
    aws: Aws,
    client: aws_sdk_ecs::Client,
}

impl Account {
    async fn new() -> Self {
        tokio::task::spawn_blocking(up).await.unwrap();
        let number = RandomState::new().hash_one(std::process::id()) % 900_000_000_000 + 100_000_000_000;
        let number = number.to_string();
        let aws = aws(&number).await;
        let client = aws.ecs(&Place::default()).await.unwrap();
        client.create_cluster().cluster_name(CLUSTER).send().await.unwrap();
        Self { number, aws, client }
    }

    /// Another process in the same account, with counts of its own.
    async fn another(&self) -> Aws {
        aws(&self.number).await
    }

    /// How often each operation of ECS was called since `before`.
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
    }
}

async fn aws(account: &str) -> Aws {
    let keys = Credentials::new(account, "secret", None, None, "test");
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .credentials_provider(keys)
        .region(Region::from_static(REGION))
        .endpoint_url(ENDPOINT);
    Aws::from_loader(loader).await
}

fn counts(aws: &Aws) -> BTreeMap<String, u64> {
    aws.calls().by_name().into_iter().map(|(name, count)| (name, count.sent)).collect()
}

fn cluster(aws: &Aws) -> Arc<Cluster> {
    Cluster::new(aws.clone(), Place::default(), CLUSTER.to_owned())
}

fn tasks(aws: &Aws) -> Tasks {
    Tasks::new(cluster(aws), LOOK)
}

/// Polls until `done`, or fails.
async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut done: impl FnMut() -> F) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = done().await {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
