//! Phases as ECS tasks: katkit's overhead over a task's own start and stop, and its memory while hundreds are in flight
//! (500, or the number given after `--`).
#![allow(clippy::print_stdout, missing_docs, reason = "a benchmark prints its figures")]

mod measure;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{ContainerOverride, TaskOverride};
use katkit::aws::AwsLocation;
use measure::engines::{self, ADDRESS, REGION, SECRET, docker};
use measure::{Cost, git, high_water, in_turn, ms, ratio};

const RUNS: usize = 10;
const IMAGE: &str = "katkit-bench/builder:1";
/// Time limit for starting hundreds of containers on a small machine.
const PATIENCE: Duration = Duration::from_mins(20);
/// A directory of the machine that is mounted into tasks.
const MARKS: &str = "/var/lib/katkit/caches/marks:/marks";

fn main() {
    let many = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(500);
    engines::up();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let bench = Bench::new();
    bench.builder();
    bench.latency(&runtime);
    bench.memory(many);
    docker(&["rmi", "--force", IMAGE]);
}

/// A repository, a manifest and an account.
struct Bench {
    directory: tempfile::TempDir,
    account: String,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let repository = directory.path().join("app");
        fs::create_dir(&repository).expect("a directory");
        git(&repository, &["init", "-q", "-b", "main"]);
        Self { directory, account: engines::number() }
    }

    /// Builds the image of phases: that of the tests, with the measured program and its shared libraries.
    fn builder(&self) {
        let katkit = env!("CARGO_BIN_EXE_katkit");
        let context = self.directory.path().join("image");
        let listed = Command::new("ldd").arg(katkit).output().expect("ldd starts").stdout;
        let listed = String::from_utf8_lossy(&listed);
        for library in listed.split_whitespace().filter(|word| word.starts_with('/')) {
            let to = context.join(library.trim_start_matches('/'));
            fs::create_dir_all(to.parent().unwrap_or(&context)).expect("a directory");
            fs::copy(library, to).expect("a library");
        }
        let programs = context.join("usr/bin");
        fs::create_dir_all(&programs).expect("a directory");
        fs::copy(katkit, programs.join("katkit")).expect("the program");
        let dockerfile = context.join("Dockerfile");
        fs::write(&dockerfile, "FROM katkit-test/builder:1\nCOPY . /\n").expect("a file");
        docker(&["build", "--quiet", "--tag", IMAGE, &context.display().to_string()]);
    }

    fn commit(&self, ci: &str) {
        let repository = self.directory.path().join("app");
        fs::write(repository.join("ci.sh"), ci).expect("a file");
        git(&repository, &["add", "-A"]);
        git(&repository, &["commit", "-q", "--allow-empty", "-m", "ci"]);
    }

    fn manifest(&self, links: usize) {
        let account = &self.account;
        let mut text = format!(
            "version = 1\n[state]\nbackend = \"dynamodb\"\ntable = \"bench\"\n[blobs]\nurl = \"s3://katkit-bench-{account}/x\"\n\
             [repos.app]\nurl = \"app\"\n[workflows.one]\nphases = [{{ name = \"build\", order = 0, timeout = \"1h\" }}]\n\
             [fleets.ecs]\nkind = \"ecs\"\ncluster = \"bench\"\nlaunch-type = \"ec2\"\nimage = \"{IMAGE}\"\ncaches = [\"/marks\"]\n\
             env = {{ AWS_REGION = \"{REGION}\", AWS_ACCESS_KEY_ID = \"{account}\", AWS_SECRET_ACCESS_KEY = \"{SECRET}\" }}\n\
             [tenants.dev.links]\n"
        );
        for link in 0..links {
            let _ = writeln!(text, "l{link} = {{ repo = \"app\", workflow = \"one\", branch = \"main\" }}");
        }
        fs::write(self.directory.path().join("katkit.toml"), text).expect("a file");
    }

    fn katkit(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_katkit"));
        command
            .args(arguments)
            .current_dir(&self.directory)
            .env("AWS_ACCESS_KEY_ID", &self.account)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_REGION", REGION)
            .env("AWS_ENDPOINT_URL", format!("http://{ADDRESS}"));
        command
    }

    /// An empty phase, from the plan to its recorded end, against an empty task.
    fn latency(&self, runtime: &tokio::runtime::Runtime) {
        self.commit("true\n");
        self.manifest(1);
        let aws = runtime.block_on(engines::account(&self.account));
        let client = runtime.block_on(aws.ecs(&AwsLocation::default())).expect("a client");
        runtime.block_on(client.create_cluster().cluster_name("bench").send()).expect("a cluster");
        measure::run(&mut self.katkit(&["bootstrap"]));
        let apply = || {
            self.commit("true\n");
            measure::run(&mut self.katkit(&["apply"]))
        };
        // A warm-up: the task definition is registered, and the agent's image is cached.
        apply();
        let definition = runtime.block_on(newest(&client));
        let bare = || {
            let began = Instant::now();
            runtime.block_on(task(&client, &definition));
            Cost { wall: began.elapsed(), system: Duration::ZERO, peak: 0.0 }
        };
        bare();
        let (ours, alone) = in_turn(RUNS, apply, bare);
        println!(
            "a phase as a task: katkit {:.0} ms, the task alone {:.0} ms, ratio {:.1}; added {:.0} ms (goal 2000)",
            ms(ours.wall),
            ms(alone.wall),
            ratio(ours, alone),
            ms(ours.wall) - ms(alone.wall)
        );
    }

    /// That many concurrent phases. Each waits until all of them run.
    fn memory(&self, many: usize) {
        let mark = format!("/marks/bench-{}", self.account);
        // Their ends are staggered: an engine on a small machine would not survive them at once.
        self.commit(&format!("until [ -e {mark} ]; do sleep 5; done\nsleep $((${{KATKIT_LINK#l}} % 240))\n"));
        self.manifest(many);
        let log = fs::File::create(self.directory.path().join("apply.log")).expect("a file");
        let mut apply = self.katkit(&["apply", "--parallelism", &many.to_string()]);
        let mut apply = Applying(apply.stdout(Stdio::null()).stderr(log).spawn().expect("it starts"));
        let status = format!("/proc/{}/status", apply.0.id());
        let began = Instant::now();
        let running =
            ["ps", "--quiet", "--filter", &format!("ancestor={IMAGE}"), "--filter", "status=running"];
        while docker(&running).lines().count() < many {
            let ended = apply.0.try_wait().expect("it is a child");
            assert!(ended.is_none() && began.elapsed() < PATIENCE, "{}", self.said());
            std::thread::sleep(Duration::from_millis(500));
        }
        let (started, in_flight) = (began.elapsed(), high_water(Path::new(&status)));
        docker(&["run", "--rm", "--volume", MARKS, "katkit-test/builder:1", "touch", &mark]);
        let mut peak = in_flight;
        let ended = loop {
            peak = peak.max(high_water(Path::new(&status)));
            if let Some(ended) = apply.0.try_wait().expect("it is a child") {
                break ended;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        docker(&["run", "--rm", "--volume", MARKS, "katkit-test/builder:1", "rm", &mark]);
        assert!(ended.success(), "{}", self.said());
        println!(
            "{many} tasks in flight after {:.0} s: controller {in_flight:.0} MiB, and at most {peak:.0} MiB until they ended (goal 150)",
            started.as_secs_f64()
        );
    }

    /// The end of the output of the last `apply` of many.
    fn said(&self) -> String {
        let text = fs::read_to_string(self.directory.path().join("apply.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

/// An `apply` that does not outlive the benchmark, nor do its containers.
struct Applying(Child);

impl Drop for Applying {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let listed = Command::new("docker")
            .args(["ps", "--all", "--quiet", "--filter", &format!("ancestor={IMAGE}")])
            .output();
        let listed = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        for container in listed.unwrap_or_default().split_whitespace() {
            let _ = Command::new("docker").args(["rm", "--force", container]).output();
        }
    }
}

/// The last registered task definition.
async fn newest(client: &Client) -> String {
    let listed = client.list_task_definitions().send().await.expect("a list");
    listed.task_definition_arns().last().expect("a definition").clone()
}

/// A task that ends at once, from its launch until ECS reports it as stopped.
async fn task(client: &Client, definition: &str) {
    let nothing = ContainerOverride::builder().name("phase").command("true").build();
    let overrides = TaskOverride::builder().container_overrides(nothing).build();
    let run = client.run_task().cluster("bench").task_definition(definition).overrides(overrides);
    let ran = run.send().await.expect("a task");
    let arn = ran.tasks()[0].task_arn().expect("a task has an ARN").to_owned();
    loop {
        let described = client.describe_tasks().cluster("bench").tasks(&arn).send().await.expect("a task");
        if described.tasks()[0].last_status() == Some("STOPPED") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
