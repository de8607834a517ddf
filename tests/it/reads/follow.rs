//! `logs -f` while phases run.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use rustix::process::{Pid, Signal, kill_process};

use super::{BUILD, assert_shown, shop_running, waits_for};
use crate::world::{PATIENCE, World, eventually};

/// Its standard error so far.
const SAID: &str = "said-by-logs";

/// A running `katkit logs -f`.
struct Follower {
    child: Child,
    lines: Receiver<String>,
}

impl Follower {
    fn of(world: &World, arguments: &[&str]) -> Self {
        let mut command: Command = world.command();
        let said = File::create(world.path(SAID)).unwrap();
        command.args(["logs", "dev/shop", "-f"]).args(arguments).stdout(Stdio::piped()).stderr(said);
        let mut child = command.spawn().unwrap();
        let stdout: ChildStdout = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let _ = sender.send(line.unwrap());
            }
        });
        Self { child, lines }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line of the log")
    }

    /// Waits for its end; returns its exit code and the lines not read yet.
    fn end(&mut self) -> (Option<i32>, Vec<String>) {
        let status = eventually("logs -f ends", || self.child.try_wait().unwrap());
        (status.code(), self.lines.iter().collect())
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_line_appears_while_the_phase_runs() {
    let lines = ["one", "two", "three"];
    let mut script = "echo first\necho on > @OUT@/begun\n".to_owned();
    for line in lines {
        script.push_str(&format!("{}echo {line}\n", waits_for(line)));
    }
    script.push_str(&waits_for("end"));
    let world = shop_running(&script, BUILD);
    let mut apply = world.start(["apply"]);
    world.appears("begun");
    let mut follower = Follower::of(&world, &[]);
    assert_eq!(follower.line(), "first");
    for line in lines {
        world.release(line);
        assert_eq!(follower.line(), line);
    }
    assert!(!apply.has_ended(), "all of that appeared while the phase ran");
    world.release("end");
    assert_eq!(apply.wait().code, 0);
    assert_eq!(follower.end(), (Some(0), Vec::new()));
}

/// Prints the phase and the attempt; the first attempt at `build` waits for `go` and fails.
fn retried() -> World {
    let script = format!(
        "echo \"$KATKIT_PHASE $KATKIT_ATTEMPT\"\nif [ $KATKIT_PHASE$KATKIT_ATTEMPT = build1 ]; then echo on > @OUT@/begun\n{}exit 1; fi\necho well\n",
        waits_for("go")
    );
    shop_running(
        &script,
        "{ name = \"build\", order = 0, retries = 1 }, { name = \"deploy\", order = 1, kind = \"deployment\" }, { name = \"last\", order = 2 }",
    )
}

#[test]
fn following_a_phase_continues_with_the_next_attempt_and_ends_with_the_phase() {
    let world = retried();
    let apply = world.start(["apply"]);
    world.appears("begun");
    let mut follower = Follower::of(&world, &["--phase", "build"]);
    assert_eq!(follower.line(), "build 1");
    world.release("go");
    assert_eq!(follower.end(), (Some(0), vec!["build 2".to_owned(), "well".to_owned()]));
    assert_eq!(apply.wait().code, 0);
}

#[test]
fn following_a_run_continues_from_phase_to_phase_and_ends_with_its_outcome() {
    let world = retried();
    let apply = world.start(["apply"]);
    world.appears("begun");
    let following = world.start(["logs", "-f", "dev/shop"]);
    while !following.said().contains("build of") {
        std::thread::yield_now();
    }
    let mut events = Follower::of(&world, &["--format", "json"]);
    // Both have seen the run start; otherwise they would wait for the next one.
    assert!(events.line().contains(r#""event":"attempt""#));
    world.release("go");
    assert_eq!(apply.wait().code, 0);
    let followed = following.wait();
    assert_eq!(followed.stdout, "build 1\nbuild 2\nwell\nlast 1\nwell\n");
    // Whether a phase has ended when its log starts is a race.
    let line = |line: &str| line.split([';', ',']).next().unwrap().to_owned() + "\n";
    assert_shown!(followed.stderr.lines().map(line).collect::<String>(), @r"
    dev/shop  build of <first>
    dev/shop build: exit code 1
    dev/shop  build of <first>
    dev/shop build: succeeded
    dev/shop  deployment of <first>
    dev/shop deployment: deployed
    dev/shop  last of <first>
    dev/shop last: succeeded
    dev/shop  run 1 for <first> succeeded after <time>
    ");
    let (_, events) = events.end();
    let last: serde_json::Value = serde_json::from_str(events.last().unwrap()).unwrap();
    assert_eq!((&last["event"], &last["outcome"]), (&"run_ended".into(), &"succeeded".into()));
}

#[test]
fn following_interleaves_two_phases_that_run_at_the_same_time() {
    let script = format!(
        "echo \"$KATKIT_PHASE begins\"\necho on > @OUT@/$KATKIT_PHASE\n{}echo \"$KATKIT_PHASE ends\"\n",
        waits_for("go")
    );
    let world = shop_running(&script, "{ name = \"build\", order = 0 }, { name = \"lint\", order = 0 }");
    let apply = world.start(["apply"]);
    world.appears("build");
    world.appears("lint");
    let mut follower = Follower::of(&world, &[]);
    let first = follower.line();
    world.release("go");
    let (code, lines) = follower.end();
    let lines: Vec<_> = [first].into_iter().chain(lines).collect();
    let (one, other) = if lines[0].starts_with("build") { ("build", "lint") } else { ("lint", "build") };
    let both =
        [one, other].into_iter().flat_map(|phase| [format!("{phase} begins"), format!("{phase} ends")]);
    assert_eq!((code, lines), (Some(0), both.collect()));
    assert_eq!(apply.wait().code, 0);
}

#[test]
fn following_an_interrupted_run_ends() {
    let script = format!("echo $$ > @OUT@/begun\n{}", waits_for("go"));
    let world = shop_running(&script, "{ name = \"build\", order = 0 }, { name = \"last\", order = 1 }");
    let apply = world.start(["apply"]);
    world.appears("begun");
    let following = world.start(["logs", "-f", "dev/shop"]);
    while !following.said().contains("build of") {
        std::thread::yield_now();
    }
    apply.kill();
    world.release("go");
    let followed = following.wait();
    assert_eq!(followed.code, 0, "{followed}");
    assert!(followed.stderr.contains("no process is working on run 1"), "{followed}");
}

#[test]
fn following_waits_for_a_phase_that_has_not_started() {
    let script = format!(
        "if [ $KATKIT_PHASE = build ]; then echo on > @OUT@/begun\n{}fi\necho \"this is $KATKIT_PHASE $REPLICA_ID\"\n",
        waits_for("go")
    );
    let world = shop_running(
        &script,
        "{ name = \"build\", order = 0 }, { name = \"verify\", order = 1, parallelism = 2 }",
    );
    let apply = world.start(["apply"]);
    world.appears("begun");
    let mut follower = Follower::of(&world, &["--phase", "verify"]);
    // It has seen the run start; without a run in progress it would wait for the next one.
    eventually("it waits", || world.read(SAID).contains("waiting for verify to begin").then_some(()));
    world.release("go");
    let (code, mut lines) = follower.end();
    lines.sort();
    assert_eq!(
        (code, lines),
        (Some(0), vec!["[0] this is verify 0".to_owned(), "[1] this is verify 1".to_owned()])
    );
    assert_eq!(apply.wait().code, 0);
}

#[test]
fn following_ends_with_a_run_that_fails_before_the_phase() {
    let script = format!("echo on > @OUT@/begun\n{}exit 1\n", waits_for("go"));
    let world = shop_running(&script, "{ name = \"build\", order = 0 }, { name = \"verify\", order = 1 }");
    let apply = world.start(["apply"]);
    world.appears("begun");
    let mut follower = Follower::of(&world, &["--phase", "verify"]);
    // It has seen the run start; otherwise it would wait for the next one.
    eventually("it waits", || world.read(SAID).contains("waiting for verify to begin").then_some(()));
    world.release("go");
    assert_eq!(follower.end(), (Some(0), Vec::new()));
    let said = world.read(SAID);
    assert!(said.contains("`verify` never ran for"), "{said}");
    assert_eq!(apply.wait().code, 1);
}

#[test]
fn ctrl_c_ends_only_the_following() {
    let world = shop_running(&format!("echo first\necho on > @OUT@/begun\n{}", waits_for("go")), BUILD);
    let apply = world.start(["apply"]);
    world.appears("begun");
    let mut follower = Follower::of(&world, &[]);
    assert_eq!(follower.line(), "first");
    kill_process(Pid::from_child(&follower.child), Signal::INT).unwrap();
    assert_eq!(follower.end(), (Some(130), Vec::new()));
    world.release("go");
    assert_eq!(apply.wait().code, 0);
}

#[test]
fn following_ends_once_the_loss_of_a_killed_agents_attempt_is_on_record() {
    let world =
        shop_running(&format!("echo \"$PPID\" > @OUT@/agent\necho first\n{}", waits_for("go")), BUILD);
    let apply = world.start(["apply"]);
    let agent: i32 = world.appears("agent").trim().parse().unwrap();
    let mut follower = Follower::of(&world, &["--attempt", "1"]);
    assert_eq!(follower.line(), "first");
    kill_process(Pid::from_raw(agent).unwrap(), Signal::KILL).unwrap();
    assert_eq!(follower.end().0, Some(0));
    world.release("go");
    apply.wait();
}
