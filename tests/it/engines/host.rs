//! The two container engines of the tests.

use std::process::Command;
use std::sync::OnceLock;

use katkit::docker::{Credentials, Engine};

use super::{script, up};

/// A container engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// The Docker Engine of this machine.
    Docker,
    /// A Podman used only by tests.
    Podman,
}

impl Host {
    /// Its address; `None` for the default. Starts the engine.
    pub fn address(self) -> Option<String> {
        static PODMAN: OnceLock<String> = OnceLock::new();
        up();
        match self {
            Self::Docker => None,
            Self::Podman => Some(PODMAN.get_or_init(|| script("podman").trim().to_owned()).clone()),
        }
    }

    /// The address as a line for a fleet or platform in a manifest; empty for the default.
    pub fn setting(self) -> String {
        self.address().map(|address| format!("host = \"{address}\"")).unwrap_or_default()
    }

    /// katkit's client for it.
    pub fn engine(self) -> Engine {
        Engine::new(self.address(), Credentials::default())
    }

    /// A `docker` with this engine.
    pub fn command(self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        if let Some(address) = self.address() {
            // Podman builds images itself, and is not a BuildKit backend.
            command.args(["--host", &address]).env("DOCKER_BUILDKIT", "0");
        }
        command.args(arguments);
        command
    }

    /// Runs `docker` with this engine, and returns its output.
    pub fn docker(self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker {arguments:?} on {self:?}: {said}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The same, ignoring failures.
    pub fn quiet(self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
    }

    /// Removes the containers that `docker ps` finds by this filter; ignores missing ones.
    pub fn remove_containers(self, filter: &str) {
        for container in self.quiet(&["ps", "--all", "--quiet", "--filter", filter]).split_whitespace() {
            self.quiet(&["rm", "--force", "--volumes", container]);
        }
    }
}

/// One module per engine with one test per case; each case is a function of the engine.
macro_rules! on_hosts {
    ($($name:ident($host:ident) { $($case:ident)* })*) => {
        $(
            mod $name {
                $(
                    #[test]
                    fn $case() {
                        super::$case($crate::engines::Host::$host);
                    }
                )*
            }
        )*
    };
    (async $cases:tt $($name:ident($host:ident))*) => {
        $($crate::engines::on_hosts!(@each $name $host $cases);)*
    };
    (@each $name:ident $host:ident { $($case:ident)* }) => {
        mod $name {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    super::$case($crate::engines::Host::$host).await;
                }
            )*
        }
    };
}

pub(crate) use on_hosts;
