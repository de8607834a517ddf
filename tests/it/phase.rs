//! Shared setup for the tests of the agent and the process fleet: a commit, a blob store and a fleet of processes.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use katkit::blobs::{BlobKey, Blobs, DirectoryBlobs, LogReader, log_path};
use katkit::domain::{
    AttemptNumber, CommitSha, Handle, LinkId, Outcome, PhaseName, PhaseSpec, ReplicaStatus, RunId, Source,
    Token,
};
use katkit::fleet::{Fleet, Launch, ProcessFleet, Secrets, ServiceState};

/// How long a test waits for an expected event.
const PATIENCE: Duration = Duration::from_mins(3);

/// One attempt at a phase, from a commit to its status.
pub struct Phase {
    pub directory: tempfile::TempDir,
    pub blobs: DirectoryBlobs,
    pub fleet: ProcessFleet,
    pub spec: PhaseSpec,
    pub launch: Launch,
    pub attempt: BlobKey,
}

impl Phase {
    /// A commit with these files. Content `-> target` makes a symbolic link.
    pub async fn of(files: &[(&str, &str)]) -> Self {
        Self::within(tempfile::tempdir().unwrap(), files).await
    }

    /// A commit with this `ci.sh`.
    pub async fn running(script: &str) -> Self {
        Self::of(&[("ci.sh", script)]).await
    }

    pub async fn within(directory: tempfile::TempDir, files: &[(&str, &str)]) -> Self {
        let root = directory.path().canonicalize().unwrap();
        let blobs = DirectoryBlobs::new(root.join("blobs"));
        let (sha, pack) = commit(&root.join("repository"), files);
        let key = BlobKey::pack("shop", &sha, 1).unwrap();
        blobs.put_file(&key, &pack).await.unwrap();

        let link: LinkId = "dev/shop".parse().unwrap();
        let phase = PhaseName::new("build").unwrap();
        let (run, number) = (RunId("1".into()), AttemptNumber(1));
        let attempt = BlobKey::attempt(&link, &sha, &phase, &run, number);
        let spec = PhaseSpec {
            version: PhaseSpec::VERSION,
            link: link.clone(),
            phase: phase.clone(),
            sha,
            source: Source::Pack { key: key.to_string(), shallow: Vec::new(), tags: Vec::new() },
            folder: String::new(),
            run: None,
            variables: BTreeMap::new(),
            secrets: BTreeMap::new(),
            timeout: Duration::from_mins(1),
            grace: Duration::from_secs(1),
            artifacts: Vec::new(),
            inputs: Vec::new(),
            peers: None,
        };
        let launch = Launch {
            token: Token::of_attempt(&link, &run, &phase, number).replica(0),
            link,
            run,
            phase,
            attempt: number,
            replica: 0,
            log_path: log_path(&blobs, &attempt),
            image: None,
            cpu: None,
            memory: None,
            secrets: Secrets::default(),
            secret_arns: BTreeMap::new(),
        };
        let fleet = fleet_in(&root.join("services"));
        Self { directory, blobs, fleet, spec, launch, attempt }
    }

    pub fn with_secret(mut self, name: &str, value: &str) -> Self {
        self.spec.secrets.insert(name.to_owned(), format!("env:{name}"));
        self.launch.secrets.0.insert(name.to_owned(), value.to_owned());
        self
    }

    pub async fn write_spec(&self) {
        let text = serde_json::to_vec(&self.spec).unwrap();
        self.blobs.put(&self.attempt.phase_json(), &text).await.unwrap();
    }

    pub async fn launch(&self) -> Handle {
        self.write_spec().await;
        self.fleet.launch(&self.launch).await.unwrap()
    }

    /// Launches, waits for the end, removes the service, and returns the outcome.
    pub async fn run(&self) -> Outcome {
        let handle = self.launch().await;
        self.end(&handle).await
    }

    pub async fn end(&self, handle: &Handle) -> Outcome {
        let gone = self.fleet.gone(handle).await.unwrap();
        let status = self.status().await;
        let outcome = status.and_then(|status| status.outcome);
        let outcome = outcome.unwrap_or_else(|| panic!("no final status; {gone:?}: {}", self.diagnostics()));
        assert_eq!(gone, ServiceState::Gone { cause: None, evidence: String::new() });
        self.fleet.remove(handle).await.unwrap();
        assert!(!self.service().exists());
        outcome
    }

    pub async fn status(&self) -> Option<ReplicaStatus> {
        let text = self.blobs.get(&self.replica().status_json()).await.unwrap()?;
        Some(serde_json::from_slice(&text).unwrap())
    }

    pub async fn log_bytes(&self) -> Vec<u8> {
        let (mut reader, mut log) = (LogReader::new(self.replica()), Vec::new());
        loop {
            let more = reader.more(&self.blobs).await.unwrap();
            if more.is_empty() {
                return log;
            }
            log.extend(more);
        }
    }

    pub async fn log(&self) -> String {
        String::from_utf8(self.log_bytes().await).unwrap()
    }

    pub fn replica(&self) -> BlobKey {
        self.attempt.replica(0)
    }

    pub fn root(&self) -> PathBuf {
        self.directory.path().canonicalize().unwrap()
    }

    pub fn service(&self) -> PathBuf {
        self.root().join("services").join(self.launch.token.as_str())
    }

    /// A path for signal files between the code and the test.
    pub fn signal(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub fn agent(&self) -> Option<i32> {
        let text = fs::read_to_string(self.service().join("service.lock")).ok()?;
        text.strip_prefix("pid ")?.lines().next()?.parse().ok()
    }

    fn diagnostics(&self) -> String {
        fs::read_to_string(self.service().join("agent.log")).unwrap_or_default()
    }
}

pub fn fleet_in(directory: &Path) -> ProcessFleet {
    ProcessFleet::new(directory.to_owned(), env!("CARGO_BIN_EXE_katkit").into())
}

/// Polls until there is a result.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(begin.elapsed() < PATIENCE, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub async fn appears(path: &Path) -> String {
    eventually(&format!("{} appears", path.display()), async || {
        fs::read_to_string(path).ok().filter(|text| text.ends_with('\n'))
    })
    .await
}

/// Whether a process exists and is not a zombie.
pub fn lives(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, state)| !state.trim_start().starts_with('Z'))
}

fn commit(directory: &Path, files: &[(&str, &str)]) -> (CommitSha, PathBuf) {
    let repository = git2::Repository::init(directory).unwrap();
    let mut index = repository.index().unwrap();
    for (path, content) in files {
        let (mode, content) = match content.strip_prefix("-> ") {
            Some(target) => (0o120_000, target),
            None => (0o100_644, *content),
        };
        let zero = git2::IndexTime::new(0, 0);
        let entry = git2::IndexEntry {
            ctime: zero,
            mtime: zero,
            dev: 0,
            ino: 0,
            mode,
            uid: 0,
            gid: 0,
            file_size: 0,
            id: git2::Oid::ZERO_SHA1,
            flags: 0,
            flags_extended: 0,
            path: path.as_bytes().to_vec(),
        };
        index.add_frombuffer(&entry, content.as_bytes()).unwrap();
    }
    let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
    let author = git2::Signature::now("Test", "test@example.com").unwrap();
    let commit = repository.commit(Some("HEAD"), &author, &author, "a commit", &tree, &[]).unwrap();
    let mut packer = repository.packbuilder().unwrap();
    packer.insert_commit(commit).unwrap();
    let packs = directory.join("packs");
    fs::create_dir(&packs).unwrap();
    packer.write(&packs, 0).unwrap();
    let pack = fs::read_dir(&packs).unwrap().map(|entry| entry.unwrap().path());
    let pack = pack.into_iter().find(|path| path.extension().is_some_and(|it| it == "pack")).unwrap();
    (CommitSha::new(commit.to_string()).unwrap(), pack)
}

/// Runs a single ignored test of this binary in its own process.
pub fn only(test: &str, wrapper: &[&str]) -> Command {
    let executable = std::env::current_exe().unwrap();
    let mut command = match wrapper {
        [] => Command::new(&executable),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(&executable);
            command
        }
    };
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    command
}
