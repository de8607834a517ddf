//! A world with everything in one account: the record in DynamoDB, blobs in S3, phases as tasks, services of ECS.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use aws_sdk_ecs::types::{ContainerDefinition, DeploymentCircuitBreaker, DeploymentConfiguration, Service};

use crate::engines::{REGION, SECRET, docker};
use crate::world::{World, eventually};

use super::{Account, CLUSTER, created, image, run};

/// Waits until the test calls [`Estate::release_in`].
pub const WAITS: &str = "echo waiting\nuntil [ -e /tmp/go ]; do sleep 0.02; done\necho went on\n";

/// A role whose service runs [`super::SERVES`].
pub const DESCRIPTION: &str = "katkit-ecs-test/web:<hubtag>";

/// Where an instance keeps the caches of every katkit.
const CACHES: &str = "/var/lib/katkit/caches";

/// A world in an account.
pub struct Estate {
    pub world: World,
    pub account: Account,
    /// Images created by the test, removed when it ends.
    images: Vec<String>,
}

impl std::ops::Deref for Estate {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl std::ops::DerefMut for Estate {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

/// Runs an SDK future to its end.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// The image of phases: a shell, git and docker, and the agent as built, with its shared libraries.
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

impl Estate {
    /// An account and a world with nothing but the builder image and the variables for access.
    pub fn empty() -> Self {
        let account = block_on(Account::new());
        builder();
        let mut world = World::new();
        for (name, value) in account.variables() {
            world = world.variable(name, &value);
        }
        Self { world, account, images: Vec::new() }
    }

    /// One repository with a commit `first`, linked to the tenant `dev`, whose workflow has these phases.
    pub fn new(ci: &str, phases: &str) -> Self {
        let mut estate = Self::empty();
        estate.change("shop", |repo| repo.ci(ci).description(DESCRIPTION).commit("first"));
        estate.write(
            "katkit.toml",
            &format!(
                "version = 1\n{}\n[repos.shop]\nurl = \"repos/shop\"\n\n[workflows.standard]\nphases = [\n{phases}\n]\n\n\
                 [tenants.dev]\nenvironment = \"DEV\"\n\
                 platform = {{ kind = \"ecs\", cluster = \"{CLUSTER}\", service-name = \"{{tenant}}-{{role}}\" }}\n\
                 links.shop = {{ repo = \"shop\", workflow = \"standard\", branch = \"main\" }}\n",
                estate.stores_and_fleet("phases", "")
            ),
        );
        let made = estate.run(["bootstrap"]);
        assert_eq!(made.code, 0, "{made}");
        estate
    }

    /// State, blobs and a fleet of tasks. The fleet's variables replace the task role of AWS.
    pub fn stores_and_fleet(&self, fleet: &str, more: &str) -> String {
        let number = &self.account.number;
        format!(
            r#"
[state]
backend = "dynamodb"
table = "deploys"

[blobs]
url = "s3://acme-deploys-{number}/katkit"

[fleets.{fleet}]
kind = "ecs"
cluster = "{CLUSTER}"
launch-type = "ec2"
docker-socket = true
image = "katkit-ecs-test/builder:1"
env = {{ AWS_REGION = "{REGION}", AWS_ACCESS_KEY_ID = "{number}", AWS_SECRET_ACCESS_KEY = "{SECRET}" }}
{more}
"#
        )
    }

    /// Creates a role's service, which runs the image in a container of the same name.
    pub fn service(&self, role: &str, image: &str) {
        let client = &self.account.client;
        block_on(async {
            let container = ContainerDefinition::builder().name(role).image(image).memory(32);
            let register = client.register_task_definition().family(role);
            register.container_definitions(container.command("serve").build()).send().await.unwrap();
            let breaker = DeploymentCircuitBreaker::builder().enable(true).rollback(true).build();
            let breaker = DeploymentConfiguration::builder().deployment_circuit_breaker(breaker).build();
            let create = client.create_service().cluster(CLUSTER).service_name(format!("dev-{role}"));
            let create = create.task_definition(format!("{role}:1")).desired_count(1);
            created(&create.deployment_configuration(breaker).send().await);
        });
    }

    /// Makes the tasks of a role's service run under these IAM roles.
    pub fn assume(&self, role: &str, image: &str, task_role: &str, execution_role: &str) {
        let client = &self.account.client;
        block_on(async {
            let container = ContainerDefinition::builder().name(role).image(image).memory(32);
            let register = client.register_task_definition().family(role);
            let register = register.container_definitions(container.command("serve").build());
            let register = register.task_role_arn(task_role).execution_role_arn(execution_role);
            let revision = register.send().await.unwrap().task_definition.unwrap().revision;
            let update = client.update_service().cluster(CLUSTER).service(format!("dev-{role}"));
            update.task_definition(format!("{role}:{revision}")).send().await.unwrap();
        });
    }

    /// A role's service as ECS describes it.
    pub fn described(&self, role: &str) -> Service {
        let describe = self.account.client.describe_services().cluster(CLUSTER);
        let described = block_on(describe.services(format!("dev-{role}")).send()).unwrap();
        described.services.unwrap().remove(0)
    }

    /// The images that a role's service is configured to run.
    pub fn serving(&self, role: &str) -> Vec<String> {
        let live = self.described(role).task_definition.unwrap();
        let describe = self.account.client.describe_task_definition().task_definition(live);
        let definition = block_on(describe.send()).unwrap().task_definition.unwrap();
        definition.container_definitions().iter().map(|it| it.image().unwrap().to_owned()).collect()
    }

    /// Names an image after a commit.
    pub fn tag(&mut self, image: &str, commit: &str) {
        let name = format!("katkit-ecs-test/web:{}", self.sha(commit));
        docker(&["tag", image, &name]);
        self.images.push(name);
    }

    /// Registers an image created by a phase for removal.
    pub fn made(&mut self, image: String) {
        self.images.push(image);
    }

    /// The ARNs of the tasks that run a phase.
    pub fn phases(&self) -> Vec<String> {
        block_on(async {
            let client = &self.account.client;
            let arns =
                client.list_tasks().cluster(CLUSTER).send().await.unwrap().task_arns.unwrap_or_default();
            if arns.is_empty() {
                return arns;
            }
            let tasks = client.describe_tasks().cluster(CLUSTER).set_tasks(Some(arns)).send().await.unwrap();
            let tasks = tasks.tasks.unwrap_or_default().into_iter();
            tasks
                .filter(|task| task.started_by().is_some_and(|name| name.starts_with("katkit-")))
                .filter_map(|task| task.task_arn)
                .collect()
        })
    }

    /// Waits for a phase whose code has begun to wait, and returns the id of its container.
    pub fn waiting(&self) -> String {
        eventually("a phase waits", || {
            let task = self.phases().pop()?;
            let label = format!("label=com.amazonaws.ecs.task-arn={task}");
            let container = docker(&["ps", "--quiet", "--no-trunc", "--filter", &label]);
            let log = self.run(["logs", "dev/shop"]);
            (log.stdout.contains("waiting") && !container.is_empty()).then_some(container)
        })
    }

    /// Lets the code in a phase's container continue.
    pub fn release_in(container: &str) {
        docker(&["exec", container, "touch", "/tmp/go"]);
    }

    /// Where the instance keeps the caches of this katkit alone.
    fn caches(&self) -> PathBuf {
        use sha2::Digest;
        // The name of its record.
        let table = format!("arn:aws:dynamodb:{REGION}:{}:table/deploys", self.account.number);
        let digest = sha2::Sha256::digest(table);
        let owner: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Path::new(CACHES).join(owner)
    }

    /// Keeps what phases write below `/marks` on the instance. Returns the file for their marks.
    pub fn marked(&self) -> String {
        self.edit("docker-socket = true", "caches = [\"/marks\"]");
        format!("/marks/{}", self.account.number)
    }

    /// What phases have written to that file.
    pub fn marks(&self) -> String {
        let caches = fs::read_dir(self.caches().join("phases/dev")).into_iter().flatten();
        let file = |cache: std::io::Result<fs::DirEntry>| Some(cache.ok()?.path().join(&self.account.number));
        let marks = caches.filter_map(file).filter_map(|file| fs::read_to_string(file).ok());
        marks.collect()
    }

    /// The containers of this world's phases, whatever ECS reports about their tasks.
    pub fn containers(&self) -> Vec<String> {
        let cluster = format!(
            "label=com.amazonaws.ecs.cluster=arn:aws:ecs:{REGION}:{}:cluster/{CLUSTER}",
            self.account.number
        );
        let image = "ancestor=katkit-ecs-test/builder:1";
        let listed = docker(&["ps", "--quiet", "--no-trunc", "--filter", &cluster, "--filter", image]);
        listed.lines().map(str::to_owned).collect()
    }

    /// The link's history, as a user sees it.
    pub fn history(&self) -> String {
        self.run(["history", "dev/shop", "--format", "json"]).stdout
    }

    /// Number of events of this kind for the link.
    pub fn happened(&self, event: &str) -> usize {
        self.history().matches(&format!("\"{}\"", event.replace('-', "_"))).count()
    }

    /// Fails unless every phase's task is gone, no lease is held, and there is nothing left to do.
    pub fn all_is_done(&self) {
        assert_eq!(self.phases(), Vec::<String>::new());
        let plan = self.run(["plan", "--detailed-exitcode"]);
        assert_eq!(plan.code, 0, "{plan}");
    }
}

impl Drop for Estate {
    fn drop(&mut self) {
        // Files that phases left there belong to root.
        let caches = self.caches();
        if caches.exists() {
            let mount = ["--volume", &format!("{CACHES}:{CACHES}"), "katkit-test/service:1"];
            let run = ["run", "--rm", "--network", "none"];
            let _ = Command::new("docker").args(run).args(mount).args(["rm", "-rf"]).arg(caches).output();
        }
        for image in &self.images {
            let _ = Command::new("docker").args(["rmi", "--force", image]).output();
        }
    }
}
