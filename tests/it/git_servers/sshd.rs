//! A real sshd, run as the current user.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::Environment;
use crate::servers::{Server, program, serve};

/// An sshd on loopback with its own host key and authorized key.
#[derive(Debug)]
pub struct Sshd {
    directory: TempDir,
    server: Server,
    port: u16,
}

impl Sshd {
    pub fn start() -> Self {
        let sshd = program("sshd", "openssh-server");
        let directory = TempDir::new().unwrap();
        let at = directory.path();
        for name in ["host", "client", "stranger"] {
            key(&at.join(name));
        }
        fs::copy(at.join("client.pub"), at.join("authorized")).unwrap();
        // Privilege separation directory of an sshd run by root; Debian's init script would create it.
        if rustix::process::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let (server, port) = serve(|port| {
            let config = format!(
                "ListenAddress 127.0.0.1:{port}\nHostKey {at}/host\nAuthorizedKeysFile {at}/authorized\nPidFile none\n\
                 StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
                 PermitRootLogin yes\nMaxStartups 100\nLogLevel VERBOSE\n",
                at = at.display()
            );
            fs::write(at.join("config"), config).unwrap();
            let mut command = Command::new(&sshd);
            command.args(["-D", "-e", "-f"]).arg(at.join("config"));
            command
        });
        let known = fs::read_to_string(at.join("host.pub")).unwrap();
        fs::write(at.join("known"), format!("[127.0.0.1]:{port} {known}")).unwrap();
        let other = fs::read_to_string(at.join("stranger.pub")).unwrap();
        fs::write(at.join("changed"), format!("[127.0.0.1]:{port} {other}")).unwrap();
        fs::write(at.join("none"), "").unwrap();
        Self { directory, server, port }
    }

    /// URL of a repository on this machine.
    pub fn url(&self, repository: &Path) -> String {
        format!("ssh://127.0.0.1:{}{}", self.port, repository.display())
    }

    /// Client environment: right key, known host.
    pub fn environment(&self) -> Environment {
        self.client("client", "known")
    }

    /// Client environment: unauthorized key.
    pub fn wrong_key(&self) -> Environment {
        self.client("stranger", "known")
    }

    /// Client environment: host never seen before.
    pub fn unknown_host(&self) -> Environment {
        self.client("client", "none")
    }

    /// Client environment: expects another host key.
    pub fn changed_host(&self) -> Environment {
        self.client("client", "changed")
    }

    /// Number of sessions that ran a command so far.
    pub fn sessions(&self) -> usize {
        self.server.said.lock().unwrap().matches("Starting session: command").count()
    }

    /// Configures ssh as a user would, by a wrapper in the path, because katkit's own `GIT_SSH_COMMAND` is under test.
    fn client(&self, key: &str, known: &str) -> Environment {
        let at = self.directory.path();
        let bin = at.join(format!("bin-{key}-{known}"));
        let ssh = program("ssh", "openssh-client");
        if !bin.exists() {
            fs::create_dir(&bin).unwrap();
            let script = format!(
                "#!/bin/sh\nexec {ssh} -F none -i {at}/{key} -oIdentitiesOnly=yes -oUserKnownHostsFile={at}/{known} \
                 -oGlobalKnownHostsFile=/dev/null \"$@\"\n",
                ssh = ssh.display(),
                at = at.display()
            );
            fs::write(bin.join("ssh"), script).unwrap();
            fs::set_permissions(bin.join("ssh"), Permissions::from_mode(0o755)).unwrap();
        }
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        [("PATH", path.as_str()), ("GIT_CONFIG_GLOBAL", "/dev/null"), ("SSH_AUTH_SOCK", "")]
            .map(|(name, value)| (name.into(), value.into()))
            .to_vec()
    }
}

fn key(path: &PathBuf) {
    let status = Command::new(program("ssh-keygen", "openssh-client"))
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"])
        .arg(path)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}
