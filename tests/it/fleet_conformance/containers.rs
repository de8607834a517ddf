//! The container fleet, with a program of a few lines as its agent: the agent has to be static, and katkit under test
//! is not.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use katkit::domain::{AttemptNumber, Handle, PhaseName, RunId, Token};
use katkit::fleet::docker::{DockerFleet, Settings};
use katkit::fleet::{Fleet, Launch, Secrets};

use crate::engines::Host;

use super::fixture::{Does, Yard};

/// Behaves as the phase in its `LOG_PATH` requires.
const AGENT: &str = r#"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void end(int signal) { (void)signal; _exit(143); }
int main(void) {
    const char *path = getenv("LOG_PATH");
    signal(SIGTERM, end);
    while (path && strstr(path, "/wait/")) pause();
    return 0;
}
"#;

/// Builds the agent.
fn build(directory: &Path) {
    let (source, program) = (directory.join("agent.c"), directory.join("agent"));
    std::fs::write(&source, AGENT).unwrap();
    let status = Command::new("cc").arg("-static").arg("-o").arg(program).arg(source).status().unwrap();
    assert!(status.success());
}

/// The containers of one owner.
pub struct Containers {
    host: Host,
    directory: tempfile::TempDir,
    /// Unique to this test.
    owner: String,
}

impl Containers {
    pub async fn new(host: Host) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().to_owned();
        let prepare = move || {
            host.address();
            build(&place);
        };
        tokio::task::spawn_blocking(prepare).await.unwrap();
        std::fs::create_dir(directory.path().join("blobs")).unwrap();
        let name = directory.path().file_name().unwrap().to_string_lossy().into_owned();
        let owner = name.bytes().map(|byte| format!("{byte:02x}")).collect();
        Self { host, directory, owner }
    }

    fn of(&self, owner: &str) -> Arc<dyn Fleet> {
        let settings = Settings {
            owner: owner.to_owned(),
            store: "conformance".to_owned(),
            name: "engine".to_owned(),
            image: Some("katkit-test/service:1".to_owned()),
            agent: Some(self.directory.path().join("agent")),
            ..Settings::default()
        };
        Arc::new(DockerFleet::new(Arc::new(self.host.engine()), settings))
    }
}

impl Yard for Containers {
    fn fleet(&self) -> Arc<dyn Fleet> {
        self.of(&self.owner)
    }

    fn strangers(&self) -> Arc<dyn Fleet> {
        self.of("0123456789abcdef")
    }

    fn order(&self, does: Does, number: u32) -> Launch {
        let phase = match does {
            Does::Wait => "wait",
            Does::End => "end",
        };
        let (sha, blobs) = ("a".repeat(40), self.directory.path().canonicalize().unwrap().join("blobs"));
        Launch {
            // Containers are named after tokens, on an engine that all tests share.
            token: Token(format!("{}-{number}", self.owner)),
            link: "dev/shop".parse().unwrap(),
            run: RunId("1".into()),
            phase: PhaseName::new(phase).unwrap(),
            attempt: AttemptNumber(1),
            replica: number,
            log_path: format!("file://{}/dev/shop/{sha}/{phase}/1.1", blobs.display()),
            image: None,
            cpu: None,
            memory: None,
            secrets: Secrets::default(),
            secret_arns: std::collections::BTreeMap::new(),
        }
    }

    fn nobody(&self) -> Handle {
        Handle("katkit-nobody".to_owned())
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        self.host.remove_containers(&format!("label=katkit.owner={}", self.owner));
    }
}
