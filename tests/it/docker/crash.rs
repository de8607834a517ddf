//! `apply` killed at every position of its journal, with phases and services as containers.

use std::fs;
use std::path::PathBuf;
use std::process::Child;

use crate::crash::{assert_once, at_each, generations};
use crate::engines::{Host, on_hosts};
use crate::world::eventually;

use super::Yard;

/// A service that answers, and ends at once when told to.
const SERVES: &str =
    "FROM katkit-test/service:1\nSTOPSIGNAL SIGKILL\nCMD [\"/bin/httpd\", \"-f\", \"-p\", \"80\"]\n";

/// A phase before the deployment, and one after it.
const PHASES: &str = r#"  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment", timeout = "30s" },
  { name = "verify", order = 2 },"#;

/// Every phase leaves a mark each time its code runs.
const MARKS: &str = "echo \"$KATKIT_PHASE $KATKIT_ATTEMPT\" >> /marks/ran\n";

fn yard(host: Host) -> Yard {
    let mut yard = Yard::on(host, MARKS, PHASES, r#"caches = ["/marks"]"#);
    let name = yard.image_name("web");
    yard.change("shop", |repo| repo.description(&format!("{name}:<hubtag>")).commit("first"));
    yard.build(&name, SERVES, "first");
    yard
}

/// Counts the starts of a role's container in this world as they happen, which no list of containers shows. The engine
/// itself remembers only the last events of all tests together.
struct Starts {
    watching: Child,
    seen: PathBuf,
}

impl Starts {
    fn watch(yard: &Yard) -> Self {
        let (begin, store) = (yard.docker(&["info", "--format", "{{.SystemTime}}"]), yard.store());
        let seen = yard.path("starts");
        let filters = ["--filter", &store, "--filter", "label=katkit.role=web", "--filter", "event=start"];
        let mut watch = yard.host.command(&["events", "--since", &begin, "--format", "{{.Action}}"]);
        let watching = watch.args(filters).stdout(fs::File::create(&seen).unwrap()).spawn().unwrap();
        Self { watching, seen }
    }

    /// The starts so far, of at least one.
    fn count(&self) -> usize {
        eventually("a start", || {
            let starts = fs::read_to_string(&self.seen).unwrap().lines().count();
            (starts > 0).then_some(starts)
        })
    }
}

impl Drop for Starts {
    fn drop(&mut self) {
        self.watching.kill().unwrap();
        self.watching.wait().unwrap();
    }
}

/// Applies again, and checks the results from outside.
fn recovers(yard: &Yard, watch: Starts, what: &str) {
    let again = yard.run(["apply"]);
    assert_eq!(again.code, 0, "{what}: {again}\n{:#?}", yard.journal());
    let plan = yard.run(["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, 0, "{what}: {plan}\n{:#?}", yard.journal());
    assert_once(&yard.marks(), &["build", "verify"], what);
    let image = format!("{}:{}", yard.images[0], yard.sha("first"));
    let serves = yard.inspect(&yard.serves(), "{{.Config.Image}} {{.State.Status}}");
    assert_eq!(serves, format!("{image} running"), "{what}");
    assert_eq!(yard.containers("label=katkit.link").len(), 1, "{what}: containers are left");
    // The engine may start a container after the process that requested it died and the next one checked. That
    // deployment is then undone, and recorded as lost, before another is issued.
    let lost = yard.journal().iter().filter(|event| event.contains(r#""kind":"lost""#)).count();
    // Podman does not report the history of a removed container: its `events` with an end finds nothing.
    if yard.host == Host::Docker {
        let starts = watch.count();
        assert!(
            (1..=1 + lost).contains(&starts),
            "{what}: rolled {starts} times, with {lost} deployments lost\n{:#?}",
            yard.journal()
        );
    }
    assert_eq!(generations(yard, "dev/shop"), yard.journal().len(), "{what}");
    drop(watch);
    yard.phases_are_gone();
}

on_hosts! {
    docker(Docker) { killed_at_any_event_the_next_apply_completes_with_one_container_and_nothing_run_twice }
    podman(Podman) { killed_at_any_event_the_next_apply_completes_with_one_container_and_nothing_run_twice }
}

fn killed_at_any_event_the_next_apply_completes_with_one_container_and_nothing_run_twice(host: Host) {
    let events = {
        let yard = yard(host);
        yard.applied();
        yard.recorded()
    };
    // What is recorded and when is the same on both, and Podman is slow.
    let step = if host == Host::Podman { 3 } else { 1 };
    let positions: Vec<i64> = (1..=events).step_by(step).collect();
    let killed = std::sync::atomic::AtomicUsize::new(0);
    at_each(&positions, 2, |event| {
        let yard = yard(host);
        let starts = Starts::watch(&yard);
        // Opened before, so that reading it disturbs nothing.
        yard.run(["plan"]);
        if yard.start(["apply"]).killed_when(|| yard.recorded() >= *event) {
            killed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        recovers(&yard, starts, &format!("killed at event {event} of {events}"));
    });
    let killed = killed.into_inner();
    assert!(killed + 1 >= positions.len(), "only {killed} of {events} were killed before they were done");
}
