//! A small world of repositories and a manifest, driven through the built binary as a user would.
//!
//! ```text
//! <world>/katkit.toml     the manifest
//!        /repos/<name>    repositories
//! /out             where phases leave traces and wait for files that the test creates
//! /home            the user's home directory
//! ```
//!
//! In a repository's files and in the manifest, `@OUT@` stands for `/out`, and `@name@` for the commit with that
//! message. In shown output, commits appear by message and paths start with `<world>`.

mod output;
mod process;
mod remains;
mod repo;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub use output::Output;
pub use process::Running;
pub use repo::Repo;

/// Time limit for anything a test waits for: long, for slow and busy machines.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// The script of most repositories here: records its run with everything that distinguishes it from other runs.
pub const TELLS: &str = r#"echo "$KATKIT_TENANT/$KATKIT_LINK $KATKIT_PHASE $GIT_SHA $KATKIT_ATTEMPT $REPLICA_ID" >> @OUT@/ran
echo "$KATKIT_PHASE in $ENV"
"#;

/// A directory with repositories, a manifest and everything katkit creates.
pub struct World {
    directory: tempfile::TempDir,
    root: PathBuf,
    commits: BTreeMap<String, String>,
    variables: Vec<(String, String)>,
}

impl World {
    /// An empty world.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        for name in ["repos", "out", "home"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        Self { directory, root, commits: BTreeMap::new(), variables: Vec::new() }
    }

    /// One repository with a commit `first`, linked to one tenant, with a build and a deployment.
    pub fn shop() -> Self {
        Self::shop_with(
            r#"  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },"#,
        )
    }

    /// One repository with a commit `first`, linked to one tenant, whose workflow has these phases.
    pub fn shop_with(phases: &str) -> Self {
        Self::new()
            .repo("shop", |repo| repo.ci(TELLS).description("acme/web:<hubtag>").commit("first"))
            .manifest(&format!("{ONE_LINK}\n[workflows.standard]\nphases = [\n{phases}\n]\n"))
    }

    /// Creates a repository, or continues one.
    pub fn repo(mut self, name: &str, build: impl FnOnce(Repo) -> Repo) -> Self {
        self.change(name, build);
        self
    }

    /// Continues a repository.
    pub fn change(&mut self, name: &str, build: impl FnOnce(Repo) -> Repo) {
        let repo = Repo::open(&self.root.join("repos").join(name), &self.root.join("out"));
        self.commits.extend(build(repo).commits());
    }

    /// Writes the manifest.
    pub fn manifest(self, text: &str) -> Self {
        self.write("katkit.toml", text);
        self
    }

    /// Replaces a part of the manifest.
    pub fn edit(&self, from: &str, to: &str) {
        let text = self.read("katkit.toml");
        assert!(text.contains(from), "the manifest has no {from:?}");
        self.write("katkit.toml", &text.replace(from, to));
    }

    /// Sets a variable in katkit's environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.with_variable(name, value);
        self
    }

    /// Sets a variable in katkit's environment from now on.
    pub fn with_variable(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        let mut text = text.replace("@OUT@", self.path("out").to_str().unwrap());
        for (message, sha) in &self.commits {
            text = text.replace(&format!("@{message}@"), sha);
        }
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The content of a file.
    pub fn read(&self, name: &str) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Absolute path of a file in this world.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The commit with that message.
    pub fn sha(&self, message: &str) -> &str {
        &self.commits[message]
    }

    /// The commit with that message, if there is one.
    pub fn try_sha(&self, message: &str) -> Option<&str> {
        self.commits.get(message).map(String::as_str)
    }

    /// Runs katkit to its end.
    pub fn run<const N: usize>(&self, arguments: [&str; N]) -> Output {
        self.start(arguments).wait()
    }

    /// Starts katkit.
    pub fn start<const N: usize>(&self, arguments: [&str; N]) -> Running {
        let mut command = self.command();
        command.args(arguments);
        Running::start(&mut command, self.filters())
    }

    /// Starts a program with `katkit` in its path, as a user of this world would.
    pub fn start_command(&self, mut command: Command) -> Running {
        self.environment(&mut command);
        command.env("PATH", path_with_katkit());
        Running::start(&mut command, self.filters())
    }

    /// Runs `apply` and expects success.
    pub fn applied(self) -> Self {
        self.apply();
        self
    }

    /// Runs `apply` and expects success.
    pub fn apply(&self) {
        let output = self.run(["apply"]);
        assert_eq!(output.code, 0, "{output}");
    }

    /// katkit, called as a user of this world would.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_katkit"));
        self.environment(&mut command);
        command
    }

    /// Runs katkit on behalf of someone else.
    pub fn acting(&self, person: &str, arguments: &[&str]) -> Output {
        let mut command = self.command();
        command.env("KATKIT_ACTOR", person).args(arguments);
        Running::start(&mut command, self.filters()).wait()
    }

    /// A shell with `katkit` in its path.
    pub fn shell(&self, script: &str) -> Output {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        self.start_command(command).wait()
    }

    fn environment(&self, command: &mut Command) {
        command
            .current_dir(&self.root)
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("HOME", self.path("home"))
            .env("KATKIT_ACTOR", "ana")
            // Wide, so that path lengths do not decide where a line breaks.
            .env("COLUMNS", "200")
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null());
    }

    /// What phases recorded with [`TELLS`], sorted.
    pub fn ran(&self) -> String {
        let text = fs::read_to_string(self.path("out/ran")).unwrap_or_default();
        let text = output::filtered(&text, &self.filters());
        let mut lines: Vec<_> = text.lines().collect();
        lines.sort_unstable();
        lines.join("\n")
    }

    /// Waits until a phase has written this file below `out`, and returns its content.
    pub fn appears(&self, name: &str) -> String {
        let path = self.path("out").join(name);
        eventually(&format!("{name} appears"), || {
            fs::read_to_string(&path).ok().filter(|text| text.ends_with('\n'))
        })
    }

    /// Creates a file below `out` that a phase waits for.
    pub fn release(&self, name: &str) {
        fs::write(self.path("out").join(name), "now\n").unwrap();
    }

    /// Where the only attempt at a phase of `dev/shop` for a commit stores its results.
    pub fn attempt(&self, commit: &str, phase: &str) -> PathBuf {
        let attempts = self.path(".katkit/blobs/dev/shop").join(self.sha(commit)).join(phase);
        let mut attempts: Vec<_> =
            fs::read_dir(attempts).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(attempts.len(), 1, "{attempts:?}");
        attempts.remove(0)
    }

    /// The current deployment of a link.
    pub fn deployed(&self, link: &str) -> String {
        output::filtered(&self.read(&format!(".katkit/platform/{link}.json")), &self.filters())
    }

    /// Filters that make output reproducible.
    fn filters(&self) -> Vec<(String, String)> {
        let root = self.directory.path();
        let mut filters = vec![
            (self.root.to_str().unwrap().to_owned(), "<world>".to_owned()),
            (root.to_str().unwrap().to_owned(), "<world>".to_owned()),
        ];
        for (message, sha) in &self.commits {
            filters.push((sha.clone(), format!("<{message}>")));
            filters.push((sha[..10].to_owned(), format!("<{message}>")));
        }
        filters
    }
}

fn path_with_katkit() -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_katkit")).parent().unwrap();
    format!("{}:{}", programs.display(), std::env::var("PATH").unwrap())
}

/// Polls until there is a result.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(begin.elapsed() < PATIENCE, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The beginning of a manifest: a repository, and a workflow with a build and a deployment.
pub const SHOP: &str = r#"version = 1

[repos.shop]
url = "repos/shop"

[workflows.standard]
phases = [
  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },
]
"#;

/// The end of such a manifest: a pipeline of two stages. The second has the policy `production`.
pub const BETA_TO_PROD: &str = r#"
[pipelines.shop]
repo = "shop"
stages = [
  { name = "beta", links = ["beta/shop"] },
  { name = "prod", links = ["prod/shop"] },
]

[templates]
shop = { repo = "shop", workflow = "standard", pipeline = "shop" }

[tenants]
beta.use = ["shop"]
prod = { use = ["shop"], policy = "production" }
"#;

/// One repository, one tenant, one link that follows `main`.
pub const ONE_LINK: &str = r#"version = 1

[repos.shop]
url = "repos/shop"

[fleets.local]
kind = "process"

[tenants.dev]
links.shop = { repo = "shop", workflow = "standard", branch = "main" }
"#;
