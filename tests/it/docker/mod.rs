//! Phases and services as containers of real engines, Docker and Podman, from the commit to the running service.

#[cfg(feature = "aws")]
mod agents;
mod crash;
mod deployments;
mod examples;
mod fleet;
mod phases;
mod restarts;
mod trouble;

use crate::engines::Host;
use crate::world::{Output, World, eventually};

/// The image of most phases: bash, git, docker.
const BUILDER: &str = "katkit-test/builder:1";
/// The image of most services, and of phases that need no C library: busybox alone.
const SERVICE: &str = "katkit-test/service:1";

/// Waits until the test calls [`Yard::release_in`].
const WAITS: &str = "echo waiting\nuntil [ -e /tmp/go ]; do sleep 0.02; done\necho went on\n";

/// A world whose phases and services are containers. Removes them all when it is dropped.
struct Yard {
    host: Host,
    world: World,
    /// Image repositories created by the test.
    images: Vec<String>,
    /// Location of its blobs, if not a directory of this world.
    bucket: Option<String>,
}

impl std::ops::Deref for Yard {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl std::ops::DerefMut for Yard {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

impl Yard {
    /// One repository with a commit `first`, one tenant, phases in the builder image, and further settings of the
    /// fleet.
    fn new(ci: &str, phases: &str, fleet: &str) -> Self {
        Self::on(Host::Docker, ci, phases, fleet)
    }

    /// The same on one of the engines.
    fn on(host: Host, ci: &str, phases: &str, fleet: &str) -> Self {
        let setting = host.setting();
        let platform = if setting.is_empty() { String::new() } else { format!(", {setting}") };
        let world = World::new().repo("shop", |repo| repo.ci(ci).commit("first"));
        let manifest = format!(
            r#"version = 1
repos.shop.url = "repos/shop"

[fleets.engine]
kind = "docker"
image = "{BUILDER}"
{setting}
{fleet}

[tenants.dev]
environment = "DEV"
platform = {{ kind = "docker", settle = "1s"{platform} }}
links.shop = {{ repo = "shop", workflow = "standard", branch = "main" }}

[workflows.standard]
phases = [
{phases}
]
"#
        );
        Self { host, world: world.manifest(&manifest), images: Vec::new(), bucket: None }
    }

    /// A world whose only phase deploys an existing image, built from `dockerfile` for `commit`.
    fn serving(host: Host, dockerfile: &str) -> Self {
        let deploy = r#"{ name = "deploy", order = 0, kind = "deployment", timeout = "20s" }"#;
        let mut yard = Self::on(host, "true", deploy, "");
        let name = yard.image_name("web");
        yard.change("shop", |repo| repo.description(&format!("{name}:<hubtag>")).commit("first"));
        yard.build(&name, dockerfile, "first");
        yard
    }

    /// Adds a commit, with an image for it.
    fn next(&mut self, dockerfile: &str, commit: &str) {
        self.change("shop", |repo| repo.commit(commit));
        let name = self.image_name("web");
        self.build(&name, dockerfile, commit);
    }

    /// Runs `docker` with the engine, and returns its output.
    fn docker(&self, arguments: &[&str]) -> String {
        self.host.docker(arguments)
    }

    /// An image name unique to this test.
    fn image_name(&mut self, name: &str) -> String {
        let place = self.path("").file_name().unwrap().to_string_lossy().to_lowercase();
        let name = format!("katkit-test/{name}-{}", place.trim_start_matches('.'));
        self.images.push(name.clone());
        name
    }

    fn build(&self, name: &str, dockerfile: &str, commit: &str) {
        // Equal images of two tests would be one: one test would remove it just before the other names it.
        let own = dockerfile.replacen('\n', &format!("\nLABEL test={name}\n"), 1);
        self.write("image/Dockerfile", &own);
        let (place, tag) = (self.path("image"), format!("{name}:{}", self.sha(commit)));
        self.docker(&["build", "--quiet", "--tag", &tag, place.to_str().unwrap()]);
    }

    fn store(&self) -> String {
        if let Some(bucket) = &self.bucket {
            return format!("label=katkit.store={bucket}");
        }
        format!("label=katkit.store=file://{}/.katkit/blobs", self.path("").display())
            .replace("//.katkit", "/.katkit")
    }

    /// The ids of this world's containers that match another filter.
    fn containers(&self, filter: &str) -> Vec<String> {
        let store = self.store();
        let ids =
            self.docker(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &store, "--filter", filter]);
        ids.lines().map(str::to_owned).collect()
    }

    /// What phases have written to the file `ran` of the fleet's cache `/marks`.
    fn marks(&self) -> String {
        let volumes = self.docker(&["volume", "ls", "--quiet", "--filter", &self.store()]);
        let mount = format!("{}:/marks", volumes.lines().next().unwrap());
        self.docker(&["run", "--rm", "--network", "none", "--volume", &mount, SERVICE, "cat", "/marks/ran"])
    }

    /// Waits for a phase's container whose code has begun to wait, and returns its id.
    fn waiting(&self) -> String {
        eventually("a phase waits", || {
            let id = self.containers("label=katkit.phase").pop()?;
            let logs = self.run(["logs", "dev/shop"]);
            logs.stdout.contains("waiting").then_some(id)
        })
    }

    /// Lets the code in a phase's container continue. It may end, and its container be gone, before `docker exec` asks
    /// how its command ended.
    fn release_in(&self, container: &str) {
        self.host.quiet(&["exec", container, "touch", "/tmp/go"]);
    }

    /// The id of the only container that serves.
    fn serves(&self) -> String {
        let mut serving = self.containers("label=katkit.role=web");
        assert_eq!(serving.len(), 1, "{serving:?}");
        serving.remove(0)
    }

    /// Fails unless every phase's container is gone and katkit is done.
    fn phases_are_gone(&self) {
        assert_eq!(self.containers("label=katkit.phase"), Vec::<String>::new());
        self.world.nothing_is_left();
    }

    fn applied(&self) -> Output {
        let output = self.run(["apply"]);
        assert_eq!(output.code, 0, "{output}");
        output
    }

    /// The output of `docker inspect` with this format.
    fn inspect(&self, container: &str, format: &str) -> String {
        let said = self.docker(&["inspect", "--format", format, container]);
        // Podman names the registry that Docker assumes.
        said.replace("docker.io/", "")
    }
}

impl Drop for Yard {
    fn drop(&mut self) {
        // Removes everything, whether or not the test passed; ignores what is already gone.
        let quiet = |arguments: &[&str]| self.host.quiet(arguments);
        for (list, remove) in [
            (&["ps", "--all", "--quiet"][..], &["rm", "--force", "--volumes"][..]),
            (&["volume", "ls", "--quiet"][..], &["volume", "rm", "--force"][..]),
        ] {
            let store = self.store();
            let found = quiet(&[list, &["--filter", &store]].concat());
            for id in found.lines() {
                quiet(&[remove, &[id]].concat());
            }
        }
        for name in &self.images {
            let tags = quiet(&["images", "--format", "{{.Repository}}:{{.Tag}}", name]);
            // Podman lists all names of an image that has this one, including those that other tests need.
            let is_own = |tag: &&str| tag.trim_start_matches("localhost/").starts_with(&format!("{name}:"));
            for tag in tags.lines().filter(is_own) {
                // Not with `--force`, which on Podman also removes other tests' containers of an equal image.
                quiet(&["rmi", tag]);
            }
        }
    }
}
