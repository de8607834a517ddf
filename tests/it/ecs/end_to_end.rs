//! From a commit to a running container, through the binary: phases as tasks, deployments as updates of services.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use aws_sdk_ecs::types::ContainerDefinition;

use super::{Account, CLUSTER, ENDPOINT, REGION, image, run};
use crate::world::World;

/// Where the fleet keeps caches on its hosts.
const CACHES: &str = "/var/lib/katkit/caches";

/// An image with the agent, as it was built, and the libraries that it loads.
fn builder() {
    let katkit = env!("CARGO_BIN_EXE_katkit");
    let listed = run(Command::new("ldd").arg(katkit));
    let libraries = listed.split_whitespace().filter(|word| word.starts_with('/'));
    let mut paths: Vec<(String, PathBuf)> =
        libraries.map(|path| (path.to_owned(), fs::canonicalize(path).unwrap())).collect();
    paths.push(("/usr/bin/katkit".into(), katkit.into()));
    let contents: Vec<(String, Vec<u8>)> =
        paths.into_iter().map(|(name, path)| (name, fs::read(path).unwrap())).collect();
    let files: Vec<(&str, &[u8])> = contents.iter().map(|(name, bytes)| (&**name, &**bytes)).collect();
    image("katkit-ecs-test/builder:1", "katkit-test/builder:1", &files);
}

/// A directory that tasks see under the same path as this process: a cache of the fleet, seen from both sides.
struct Shared {
    seen: PathBuf,
    real: PathBuf,
}

impl Shared {
    fn new(world: &Path) -> Self {
        let seen = world.join("blobs");
        let real = PathBuf::from(format!("{CACHES}{}", seen.display()));
        fs::create_dir_all(&real).unwrap();
        std::os::unix::fs::symlink(&real, &seen).unwrap();
        Self { seen, real }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.real);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_built_in_a_task_and_rolled_out_by_an_update() {
    let account = Account::new().await;
    tokio::task::spawn_blocking(builder).await.unwrap();
    let container = ContainerDefinition::builder().name("web").image("katkit-ecs-test/web:1").memory(32);
    let register = account.client.register_task_definition().family("web");
    register.container_definitions(container.command("serve").build()).send().await.unwrap();
    let create = account.client.create_service().cluster(CLUSTER).service_name("dev-web");
    create.task_definition("web:1").desired_count(1).send().await.unwrap();

    // The phase makes the image that is then deployed, by the host's docker.
    let ci = r#"echo "$KATKIT_PHASE of $GIT_SHA in $ENV"
docker tag katkit-ecs-test/web:2 katkit-ecs-test/web:$GIT_SHA
"#;
    let world = World::new()
        .repo("shop", |repo| repo.ci(ci).description("katkit-ecs-test/web:<hubtag>").commit("first"));
    let shared = Shared::new(&world.path(""));
    let manifest = format!(
        r#"version = 1
blobs.url = "{blobs}"
[repos.shop]
url = "repos/shop"
branch = "main"
[fleets.phases]
kind = "ecs"
cluster = "{CLUSTER}"
launch-type = "ec2"
docker-socket = true
caches = ["{blobs}"]
image = "katkit-ecs-test/builder:1"
[workflows.standard]
phases = [
  {{ name = "build", order = 0 }},
  {{ name = "deploy", order = 1, kind = "deployment" }},
  {{ name = "verify", order = 2, run = "exit 4" }},
]
[tenants.dev]
platform = {{ kind = "ecs", cluster = "{CLUSTER}", service-name = "{{tenant}}-{{role}}" }}
links.shop = {{ repo = "shop", sha = "@first@", workflow = "standard" }}
"#,
        blobs = shared.seen.display(),
    );
    let world = world
        .manifest(&manifest)
        .variable("AWS_ACCESS_KEY_ID", &account.number)
        .variable("AWS_SECRET_ACCESS_KEY", "secret")
        .variable("AWS_REGION", REGION)
        .variable("AWS_ENDPOINT_URL", ENDPOINT);
    let (world, verified, applied) = tokio::task::spawn_blocking(move || {
        let verified = world.run(["verify"]);
        let applied = world.run(["apply"]);
        (world, verified, applied)
    })
    .await
    .unwrap();
    let said = format!("{verified:?}\n{applied:?}");
    // Everything but the last phase, which says no.
    assert!(said.contains("exit code 4"), "{said}");

    let sha = world.sha("first").to_owned();
    let service =
        account.client.describe_services().cluster(CLUSTER).services("dev-web").send().await.unwrap();
    let live = service.services.unwrap()[0].task_definition.clone().unwrap();
    let live = account.client.describe_task_definition().task_definition(live).send().await.unwrap();
    let live = live.task_definition.unwrap();
    assert_eq!(
        live.container_definitions()[0].image(),
        Some(&*format!("katkit-ecs-test/web:{sha}")),
        "{said}"
    );

    let (world, logs, plan) = tokio::task::spawn_blocking(move || {
        let logs = world.run(["logs", "dev/shop", "--phase", "build"]);
        let plan = world.run(["plan"]);
        (world, logs, plan)
    })
    .await
    .unwrap();
    assert!(format!("{logs:?}").contains("build of"), "{logs:?}");
    assert!(!format!("{plan:?}").contains("deploy  "), "{plan:?}");
    let running = account.client.list_tasks().cluster(CLUSTER).send().await.unwrap();
    // Of tasks, only the service's own are left.
    let left = running.task_arns.unwrap_or_default().len();
    assert_eq!(left, 1, "{said}");
    drop(world);
    run(Command::new("docker").args(["rmi", &format!("katkit-ecs-test/web:{sha}")]).arg("--force"));
}
