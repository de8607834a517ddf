//! A private Docker Engine that stops in the middle of a phase, and comes back.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};

use crate::crash::assert_once;
use crate::engines::{Host, docker};
use crate::world::eventually;

use super::{BUILDER, SERVICE, Yard};

/// An engine with only the image of phases. It has its own network namespace: at its start, an engine removes the
/// bridge of any other engine it finds.
struct Private {
    place: tempfile::TempDir,
    more: &'static [&'static str],
    running: Option<Child>,
}

/// Whether engines are started by root itself.
fn as_root(program: &str) -> Command {
    if rustix::process::getuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg(program);
    command
}

fn quiet(command: &mut Command) -> String {
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl Private {
    fn start(more: &'static [&'static str]) -> Self {
        let mut engine = Self { place: tempfile::tempdir().unwrap(), more, running: None };
        engine.start_again();
        let image = engine.path("image.tar");
        docker(&["save", "--output", &image, SERVICE]);
        engine.docker(&["load", "--quiet", "--input", &image]);
        engine
    }

    fn path(&self, name: &str) -> String {
        self.place.path().join(name).display().to_string()
    }

    fn host(&self) -> String {
        format!("unix://{}", self.path("sock"))
    }

    fn docker(&self, arguments: &[&str]) -> String {
        docker(&[&["--host", &self.host()], arguments].concat())
    }

    fn start_again(&mut self) {
        let group = fs::metadata(self.place.path()).unwrap().gid().to_string();
        let mut command = as_root("unshare");
        command.args([
            "--net",
            "env",
            "PATH=/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin:/usr/local/bin",
            "dockerd",
        ]);
        command.args(["--data-root", &self.path("data"), "--exec-root", &self.path("exec")]);
        command.args(["--pidfile", &self.path("pid"), "--host", &self.host(), "--group", &group]);
        command.args(["--bridge=none", "--iptables=false", "--ip6tables=false"]).args(self.more);
        let log = fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.running = Some(command.spawn().unwrap());
        eventually("the engine answers", || {
            let asked = Command::new("docker").args(["--host", &self.host(), "version"]).output().unwrap();
            let ended = self.running.as_mut().is_some_and(|child| child.try_wait().unwrap().is_some());
            assert!(!ended, "the engine ended: {}", fs::read_to_string(self.path("log")).unwrap());
            asked.status.success().then_some(())
        });
    }

    /// Ends it with a signal, and waits until it and its containerd are gone.
    fn end(&mut self, signal: &str) {
        let Some(mut child) = self.running.take() else { return };
        let containerd = fs::read_to_string(self.path("exec/containerd/containerd.pid")).unwrap_or_default();
        let pid = fs::read_to_string(self.path("pid")).unwrap();
        quiet(as_root("kill").args([signal, pid.trim()]));
        child.wait().unwrap();
        if !containerd.is_empty() {
            let path = format!("/proc/{}", containerd.trim());
            eventually("its containerd is gone", || (!fs::exists(&path).unwrap()).then_some(()));
        }
        // A killed engine leaves the file, and the pid may belong to another process by now.
        quiet(as_root("rm").args(["-f", &self.path("pid"), &self.path("exec/containerd/containerd.pid")]));
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        if self.running.is_some() {
            let left = quiet(Command::new("docker").args(["--host", &self.host(), "ps", "--all", "--quiet"]));
            let left: Vec<&str> = left.lines().collect();
            let remove = ["--host", &self.host(), "rm", "--force"];
            quiet(Command::new("docker").args(remove).args(left));
        }
        self.end("-TERM");
        let place = self.place.path().display().to_string();
        for line in fs::read_to_string("/proc/mounts").unwrap_or_default().lines() {
            if let Some(at) = line.split(' ').nth(1).filter(|at| at.starts_with(&place)) {
                quiet(as_root("umount").args(["--lazy", at]));
            }
        }
        // An engine's files belong to root.
        quiet(as_root("rm").args(["-rf", &self.path("data"), &self.path("exec")]));
    }
}

/// The first attempt waits for a file that the test creates or never creates.
const WAITS: &str = "echo \"$KATKIT_PHASE $KATKIT_ATTEMPT\" >> /marks/ran\necho waiting\n\
    until [ $KATKIT_ATTEMPT != 1 -o -e /tmp/go ]; do sleep 0.02; done\n";

/// A phase that waits in a container of this engine.
fn yard(engine: &Private) -> Yard {
    let fleet = format!("host = \"{}\"\nnetwork = \"none\"\ncaches = [\"/marks\"]", engine.host());
    let yard = Yard::new(WAITS, r#"{ name = "build", order = 0 }"#, &fleet);
    yard.edit(BUILDER, SERVICE);
    yard
}

fn waits(yard: &Yard) {
    eventually("a phase waits", || yard.run(["logs", "dev/shop"]).stdout.contains("waiting").then_some(()));
}

fn marks(engine: &Private) -> String {
    let volume = engine.docker(&["volume", "ls", "--quiet", "--filter", "label=katkit.cache"]);
    let mount = format!("{volume}:/marks");
    engine.docker(&["run", "--rm", "--network", "none", "--volume", &mount, SERVICE, "cat", "/marks/ran"])
}

fn is_over(yard: &Yard, engine: &Private, attempts: usize) {
    let marks = marks(engine);
    assert_once(&marks, &["build"], "after the restart");
    assert_eq!(marks.lines().count(), attempts, "{marks}");
    let journal = yard.journal().join("\n");
    assert_eq!(journal.matches("attempt-intended").count(), attempts, "{journal}");
    assert_eq!(engine.docker(&["ps", "--all", "--quiet"]), "");
    let plan = yard.run(["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, 0, "{plan}");
    yard.nothing_is_left();
}

/// The engine itself asks its containers to stop before it exits, and any survivors when it starts.
const TAKEN_AWAY: &str = "lost (evicted): it was stopped, but not by katkit; retrying";

#[test]
fn a_phase_whose_engine_is_killed_and_restarted_is_lost_and_retried() {
    let mut engine = Private::start(&[]);
    let yard = yard(&engine);
    let apply = yard.start(["apply"]);
    waits(&yard);
    engine.end("-KILL");
    engine.start_again();
    let applied = apply.wait();
    assert_eq!(applied.code, 0, "{applied}");
    assert!(applied.stderr.contains(TAKEN_AWAY), "{applied}");
    let said = format!("the Docker Engine at {} cannot be reached", engine.host());
    assert!(applied.stderr.contains(&said), "{applied}");
    assert!(
        applied.stderr.contains("lost the engine while a phase was running there; waiting up to 5 minutes"),
        "{applied}"
    );
    is_over(&yard, &engine, 2);
}

#[test]
fn a_phase_whose_engine_is_restarted_gracefully_is_lost_and_retried() {
    let mut engine = Private::start(&[]);
    let yard = yard(&engine);
    let apply = yard.start(["apply"]);
    waits(&yard);
    engine.end("-TERM");
    engine.start_again();
    let applied = apply.wait();
    assert_eq!(applied.code, 0, "{applied}");
    assert!(applied.stderr.contains(TAKEN_AWAY), "{applied}");
    is_over(&yard, &engine, 2);
}

#[test]
fn a_phase_that_outlives_its_engine_continues() {
    let mut engine = Private::start(&["--live-restore"]);
    let yard = yard(&engine);
    let apply = yard.start(["apply"]);
    waits(&yard);
    engine.end("-KILL");
    engine.start_again();
    let container = engine.docker(&["ps", "--quiet"]);
    engine.docker(&["exec", &container, "touch", "/tmp/go"]);
    let applied = apply.wait();
    assert_eq!(applied.code, 0, "{applied}");
    is_over(&yard, &engine, 1);
}

/// A private Podman service. Its containers are those that all Podman tests see, which does not matter here.
struct Service {
    socket: String,
    running: Option<Child>,
}

impl Service {
    fn start(place: &std::path::Path) -> Self {
        let mut service = Self { socket: place.join("sock").display().to_string(), running: None };
        service.start_again();
        service
    }

    fn start_again(&mut self) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engines");
        self.running =
            Some(Command::new(script).args(["serve", &self.socket]).stderr(Stdio::null()).spawn().unwrap());
        let host = format!("unix://{}", self.socket);
        eventually("the service answers", || {
            let asked = Command::new("docker").args(["--host", &host, "version"]).output().unwrap();
            asked.status.success().then_some(())
        });
    }

    fn end(&mut self, signal: &str) {
        let Some(mut child) = self.running.take() else { return };
        let pid = fs::read_to_string(format!("{}.pid", self.socket)).unwrap();
        quiet(as_root("kill").args([signal, pid.trim()]));
        child.wait().unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.end("-TERM");
    }
}

/// Its containers have no daemon: nobody asks them to stop when the service exits.
#[test]
fn a_phase_continues_when_podmans_service_is_killed_and_restarted() {
    let place = tempfile::tempdir().unwrap();
    // The images and the storage are there.
    let shared = Host::Podman.setting();
    let mut service = Service::start(place.path());
    let yard = Yard::on(Host::Podman, WAITS, r#"{ name = "build", order = 0 }"#, "caches = [\"/marks\"]");
    yard.edit(&format!("\n{shared}\n"), &format!("\nhost = \"unix://{}\"\n", service.socket));
    let apply = yard.start(["apply"]);
    let container = yard.waiting();
    service.end("-KILL");
    service.start_again();
    // The phase ends at once, and its container may be gone before `docker exec` asks how its command ended.
    Host::Podman.quiet(&["exec", &container, "touch", "/tmp/go"]);
    let applied = apply.wait();
    assert_eq!(applied.code, 0, "{applied}");
    let marks = yard.marks();
    assert_once(&marks, &["build"], "after the restart");
    assert_eq!(marks.lines().count(), 1, "{marks}");
    yard.phases_are_gone();
}

/// The controller is gone as well. The next one says which engine it waits for, and continues once that is back.
#[test]
fn the_next_apply_waits_for_an_unreachable_engine_with_work_in_flight() {
    let mut engine = Private::start(&[]);
    let yard = yard(&engine);
    let apply = yard.start(["apply"]);
    waits(&yard);
    apply.kill();
    engine.end("-KILL");
    let next = yard.start(["apply"]);
    let holder = format!("\"pid\":{}", next.pid());
    eventually("the next apply has the link", || {
        let owner =
            yard.state().query_row("SELECT owner FROM lease", [], |row| row.get::<_, Option<String>>(0));
        owner.unwrap().is_some_and(|owner| owner.contains(&holder)).then_some(())
    });
    engine.start_again();
    let next = next.wait();
    assert_eq!(next.code, 0, "{next}");
    let said = format!("the Docker Engine at {} cannot be reached", engine.host());
    assert!(next.stderr.contains(&said), "{next}");
    is_over(&yard, &engine, 2);
}
